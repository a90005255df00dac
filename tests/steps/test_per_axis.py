"""Parameters by axis name, and lengths as shares of the image: what they mean, and what is refused."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
from scipy import ndimage as scipy_ndimage

import offgraph as og
from offgraph.inspection.comparison import parse_vary
from offgraph.recipe.schema import schema
from offgraph.steps.parameters import PerAxis

RNG = np.random.default_rng(8)
VOLUME = RNG.random((7, 9, 11))
IMAGE = RNG.random((20, 30))


def apply(step: og.Step, image: np.ndarray, key: int = 1) -> og.Result:
    return og.Compose([step])(image=image, axes="ZYX"[-image.ndim :], key=og.Key(key))


# by axis name


def test_each_axis_has_its_own_value_as_in_scipy():
    for step, expected in (
        (og.GaussianFilter({"Z": 1, "YX": 2}), scipy_ndimage.gaussian_filter(VOLUME, (1, 2, 2))),
        (og.GaussianFilter({"YX": 2}), scipy_ndimage.gaussian_filter(VOLUME, 2, axes=(1, 2))),
        (og.MedianFilter({"Z": 1, "YX": 3}), scipy_ndimage.median_filter(VOLUME, (1, 3, 3))),
        (og.MedianFilter({"ZX": 3}), scipy_ndimage.median_filter(VOLUME, (3, 1, 3))),
        (
            og.Zoom({"Z": 2, "YX": 0.5}, mode="mirror"),
            scipy_ndimage.zoom(VOLUME, (2, 0.5, 0.5), mode="mirror"),
        ),
        (og.Zoom({"X": 1}), VOLUME),
    ):
        np.testing.assert_array_equal(apply(step, VOLUME).image, expected)


def test_channels_are_no_axis_of_theirs():
    image = RNG.random((9, 11, 3))
    out = og.Compose([og.GaussianFilter({"Y": 2})])(image=image).image
    np.testing.assert_array_equal(out, scipy_ndimage.gaussian_filter(image, (2, 0, 0)))


def test_axes_under_one_name_share_what_they_draw():
    shared = apply(og.GaussianFilter({"YX": (0.5, 3)}), VOLUME).record["steps"][0]["params"]["sigma"]
    apart = apply(og.GaussianFilter({"Y": (0.5, 3), "X": (0.5, 3)}), VOLUME).record["steps"][0]["params"][
        "sigma"
    ]
    assert list(shared) == ["YX"] and apart["Y"] != apart["X"]
    shift = apply(og.Affine(translate={"YX": (-3, 3)}), VOLUME).record["steps"][0]["params"]["translate"]
    assert shift[0] == 0 and shift[1] == shift[2] != 0
    share = apply(og.Affine(translate={"YX": ("-30%", "30%")}), IMAGE).record["steps"][0]["params"][
        "translate"
    ]
    assert share[0] / 20 == pytest.approx(share[1] / 30) and share[0] != 0


def test_a_pair_stays_a_range_and_a_value_is_fixed():
    assert og.GaussianFilter((1, 2)).draws and og.GaussianFilter({"Z": 1, "YX": (1, 2)}).draws
    assert not og.GaussianFilter({"Z": 1, "YX": 2}).draws and not og.Zoom({"YX": (2, 2)}).draws
    assert og.Affine(translate={"X": ("-10%", "5%")}).draws and not og.Affine(translate={"X": "5%"}).draws
    assert og.Resize(scale={"Z": (1, 2)}).draws and not og.Resize(scale={"Z": 2}).draws


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (
            og.GaussianFilter({"Z": 1, "YX": 2}),
            "sigma=.* names the axis Z, the image has the spatial axes YX",
        ),
        (og.MedianFilter({"Z": 3}), "size=.* names the axis Z"),
        (og.Zoom({"Z": 2}), "factor=.* names the axis Z"),
        (og.Resize(scale={"Z": 2}), "scale=.* names the axis Z"),
        (og.Affine(scale={"Z": 2}), "scale=.* names the axis Z"),
        (og.Affine(shear={"Z": 2}), "shear=.* names the axis Z"),
        (og.Affine(translate={"ZX": 2}), "translate=.* names the axis Z"),
    ],
    ids=repr,
)
def test_an_axis_that_the_image_has_not(step, says):
    with pytest.raises(og.StepError, match=rf"step 1, {step.name}: {says}"):
        apply(step, IMAGE)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"C": 1},
        {"YY": 1},
        {"Y": 1, "YX": 2},
        {"": 1},
        {1: 1},
        {"Y": "x"},
        {"Y": (2, 1)},
        {"Y": {"X": 1}},
        {"y": 1},
    ],
    ids=repr,
)
def test_bad_mappings(value):
    for make in (
        lambda: og.GaussianFilter(value),
        lambda: og.Zoom(value),
        lambda: og.Affine(shear=value),
        lambda: og.Affine(translate=value),
        lambda: og.Resize(scale=value),
    ):
        with pytest.raises(og.StepError, match=r"expected .*got"):
            make()


def test_a_mapping_has_one_form():
    one, other = og.GaussianFilter({"XY": 2, "Z": 1}), og.GaussianFilter({"Z": 1.0, "YX": 2.0})
    assert one == other and repr(one) == "GaussianFilter(sigma={'Z': 1.0, 'YX': 2.0})"
    assert og.Compose([one]).digest == og.Compose([other]).digest
    assert hash(PerAxis({"XY": 2})) == hash(PerAxis({"YX": 2}))
    for again in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert again == one and again.sigma == {"Z": 1.0, "YX": 2.0}


def test_recipe_files_hold_them():
    text = "offgraph: 1\nsteps:\n- GaussianFilter:\n    sigma: {Z: 1, YX: [1, 2]}\n- Affine: {translate: {X: 10%}}\n"
    recipe = og.Compose.from_yaml(text)
    assert recipe.steps == (og.GaussianFilter({"Z": 1, "YX": (1, 2)}), og.Affine(translate={"X": "10%"}))
    assert og.Compose.from_yaml(recipe.to_yaml()).steps == recipe.steps
    with pytest.raises(og.RecipeError, match=r"line 4: step GaussianFilter, field sigma: expected a number"):
        og.Compose.from_yaml("offgraph: 1\nsteps:\n- GaussianFilter:\n    sigma: {W: 1}\n")


def test_the_schema_describes_them():
    steps = {next(iter(e["properties"])): e for e in schema()["$defs"]["step"]["anyOf"] if "properties" in e}
    sigma = steps["GaussianFilter"]["properties"]["GaussianFilter"]["anyOf"][0]["properties"]["sigma"]
    per_axis = {
        "type": "object",
        "propertyNames": {"enum": ["Z", "Y", "X", "ZY", "ZX", "YX", "ZYX"]},
    }
    assert sum(per_axis.items() <= form.items() for form in sigma["anyOf"]) == 1
    json.dumps(steps)


def test_they_can_be_varied_on_the_command_line():
    assert parse_vary('GaussianFilter.sigma=1,{"Y":1,"X":[1,2]}').values == (1, {"Y": 1, "X": [1, 2]})


@pytest.mark.parametrize(
    ("digest", "step"),
    [
        ("c4b8bc1afd8a1b50", og.GaussianFilter(sigma=(0.0, 2.0))),
        ("5639b9f010cccbd1", og.MedianFilter(size=3)),
        (
            "1f0cd2bd54fa3c2b",
            og.Affine(scale=1.3, shear=(-0.2, 0.2), translate=(2.5, (-1.0, 1.0)), rotate=10.0),
        ),
        ("a80dd2953b7dc67c", og.RandomCrop(size=(10, 11))),
        ("34e659877cbc61c3", og.CenterCrop(size=(10, 11))),
        ("b676eea6d3422e3f", og.Pad(padding=((0, 5), (2, 2)))),
    ],
    ids=lambda value: repr(value),
)
def test_recipes_without_them_keep_their_digest(digest, step):
    """Pinned when these parameters took no mapping: it stands in datasets."""
    assert og.Compose([step], fuse=False).digest[:16] == digest


# shear


def test_shears_are_told_apart_by_the_coordinate_that_changes():
    image = np.zeros((41, 41), np.float32)
    image[20, 30] = image[30, 20] = 1

    def bright(**parameters):
        return set(map(tuple, np.argwhere(apply(og.Affine(**parameters), image).image > 0.5).tolist()))

    assert bright(shear=0.5) == bright(shear={"Y": 0.5}) == {(15, 30), (30, 20)}  # vertically, by the column
    assert bright(shear={"X": 0.5}) == {(20, 30), (30, 15)}  # horizontally, by the row
    matrix = [[1, 0.25], [0.5, 1]]
    np.testing.assert_array_equal(
        apply(og.Affine(shear={"Y": 0.25, "X": 0.5}), image).image,
        apply(og.Affine(matrix=matrix), image).image,
    )


def test_shears_that_flatten():
    with pytest.raises(og.StepError, match="flattens the image"):
        apply(og.Affine(shear={"Y": 2, "X": 0.5}), IMAGE)


def test_a_shear_lies_in_its_plane():
    with pytest.raises(og.StepError, match="names the axis Y, the image has the spatial axes ZX"):
        apply(og.Affine(shear={"Y": 1}, plane="ZX"), VOLUME)


def test_a_scale_for_each_axis():
    out = apply(og.Affine(scale={"Y": 2, "X": 0.5}, order=3), IMAGE).image
    np.testing.assert_array_equal(out, apply(og.Affine(matrix=[[0.5, 0], [0, 2]], order=3), IMAGE).image)


# shares of the size


def test_shifts_as_shares():
    assert apply(og.Affine(translate=("10%", "-10%")), IMAGE).record["steps"][0]["params"]["translate"] == [
        2,
        -3,
    ]
    drawn = apply(og.Affine(translate=(0, ("-50%", "50%"))), IMAGE).record["steps"][0]["params"]["translate"]
    assert drawn[0] == 0 and -15 <= drawn[1] <= 15
    # The same number is drawn as for pixels: a share only scales it.
    pixels = apply(og.Affine(translate=(0, (-15, 15))), IMAGE).record["steps"][0]["params"]["translate"]
    assert drawn == pixels


@pytest.mark.parametrize(
    ("step", "size"),
    [
        (og.CenterCrop("50%"), (10, 15)),
        (og.CenterCrop(("12.5%", 4)), (3, 4)),  # 2.5 pixels: half up
        (og.CenterCrop("0.1%"), (1, 1)),
        (og.RandomCrop(("100%", "10%")), (20, 3)),
        (og.CenterCrop(7), (7, 7)),
        (og.Pad("10%"), (24, 36)),
        (og.Pad((("50%", 0), 1)), (30, 32)),
        (og.Resize(8), (8, 8)),
        (og.Resize((10, None)), (10, 15)),
        (og.Resize((None, 10)), (7, 10)),
        (og.Resize((1, None)), (1, 2)),  # 1.5 pixels: half to even
        (og.Resize((None, 1)), (1, 1)),
    ],
    ids=repr,
)
def test_sizes(step, size):
    spec = og.ArraySpec((20, 30), "uint8", "YX")
    out = og.Compose([step])(image=np.zeros((20, 30), np.uint8), mask=np.zeros((20, 30), bool), key=og.Key(1))
    assert out.image.shape == out.mask.shape == size == og.Compose([step]).output_spec(spec).shape
    unknown = og.OpenSpec((None, None), "uint8", "YX")
    assert all(n in (None, m) for n, m in zip(og.Compose([step]).output_spec(unknown).shape, size))


def test_one_length_for_volumes():
    assert apply(og.Resize(4), VOLUME).image.shape == (4, 4, 4)
    assert apply(og.Resize((None, 18, None)), VOLUME).image.shape == (14, 18, 22)


@pytest.mark.parametrize(
    "make",
    [
        lambda: og.Resize((None, None)),
        lambda: og.Resize((4, 4, None)),
        lambda: og.Resize("50%"),
        lambda: og.Resize(("50%", 3)),
        lambda: og.CenterCrop((None, 3)),
        lambda: og.CenterCrop("0%"),
        lambda: og.CenterCrop("-10%"),
        lambda: og.CenterCrop("10"),
        lambda: og.CenterCrop("1e3%"),
        lambda: og.RandomCrop("9" * 50 + "%"),
        lambda: og.Pad("-1%"),
        lambda: og.Affine(translate=("10", 3)),
        lambda: og.Affine(translate=(("10%", "5%"), 3)),
        lambda: og.Affine(translate=(("10%", 5), 3)),
        lambda: og.Affine(translate="10%"),
    ],
)
def test_bad_lengths(make):
    with pytest.raises(og.StepError, match=r"expected .*got"):
        make()


def test_a_share_has_one_form():
    assert og.CenterCrop(" 50.0 % ") == og.CenterCrop("50%") and og.CenterCrop(("12.50%", 3)).size == (
        "12.5%",
        3,
    )


def test_shares_are_rounded_by_whole_numbers():
    """9.2 % of 375 is 34.5, which float64 takes for less."""
    for tenths in range(1, 1000, 7):
        for n in (250, 375, 100, 33):
            exact = (2 * n * tenths + 1000) // 2000
            size = og.CenterCrop((f"{tenths / 10}%", 1)).output_size((n, 1), None)
            assert size[0] == max(1, exact), (tenths, n)


def test_the_aspect_is_kept_by_whole_numbers():
    """n * side / now in floats rounds some halves the wrong way."""
    for n in range(1, 60):
        for now in range(1, 60):
            for side in (3, 7, 10):
                size = og.Resize((side, None)).output_size((now, n), None)
                low = 2 * n * side // (2 * now)
                exact = low if 2 * (n * side - low * now) < now else low + 1
                if 2 * (n * side - low * now) == now:
                    exact = low + low % 2
                assert size == (side, max(1, exact))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: og.MedianFilter((3, 5)), r"write \{'Y': 3, 'X': 5\}"),
        (lambda: og.MedianFilter([1, 3, 3]), r"write \{'Z': 1, 'Y': 3, 'X': 3\}"),
        (
            lambda: og.GaussianFilter((2, 1)),
            r"with low <= high, got \(2, 1\); for one value per axis write \{'Y': 2, 'X': 1\}",
        ),
        (lambda: og.Zoom((1, 2, 2)), r"write \{'Z': 1, 'Y': 2, 'X': 2\}"),
    ],
)
def test_scipys_form_is_told_ours(make, says):
    """SciPy takes one number for each axis in a row; here a pair is a range."""
    with pytest.raises(og.StepError, match=says):
        make()

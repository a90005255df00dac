"""Recipes on images: keys, layers, records, parts, errors."""

from __future__ import annotations

import doctest
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import offgraph as og
from offgraph.loading.mixing import Mix
from offgraph.recipe import compose as compose_module
from offgraph.targets import Image, Mask, Targets

RNG = np.random.default_rng(3)
PHOTO = RNG.integers(0, 256, (40, 50, 3), np.uint8)
LABELS = RNG.integers(0, 5, (40, 50)).astype(np.uint32) + (1 << 24)
KEY = og.Key(seed=7, epoch=3, index=1234)


def usual() -> og.Compose:
    return og.Compose(
        [
            og.Resize((32, 24)),
            og.MedianFilter(3),
            og.Augment(og.Rotate((-15, 15)), og.Affine(shear=(-0.2, 0.2), p=0.5), og.Flip(p=0.5)),
            og.Normalize("imagenet"),
        ]
    )


def test_the_usual_recipe():
    out = usual()(image=PHOTO, mask=LABELS, key=KEY)
    assert (out.image.shape, out.image.dtype) == ((32, 24, 3), np.float32)
    assert out.mask is not None and (out.mask.shape, out.mask.dtype) == ((32, 24), np.uint32)
    assert set(np.unique(out.mask)) <= {*np.unique(LABELS), 0}
    assert out.frame.undo(mask=out.mask).shape == LABELS.shape
    assert out.targets.image.axes == "YXC" and out.targets.mask.axes == "YX"
    assert json.loads(json.dumps(out.record)) == out.record
    assert out.record["key"] == {"seed": 7, "epoch": 3, "index": 1234}


def test_bytes_depend_on_the_key_alone():
    first = usual()(image=PHOTO, key=KEY)
    np.testing.assert_array_equal(usual()(image=PHOTO, key=KEY).image, first.image)
    others = {usual()(image=PHOTO, key=og.Key(7, 3, i)).image.tobytes() for i in range(5)}
    assert len(others) == 5


def test_draws_are_the_same_in_another_process():
    code = inspect.getsource(usual) + (
        "import numpy as np, json\n"
        "print(json.dumps(usual()(image=np.zeros((40, 50, 3), np.uint8), key=og.Key(7, 3, 1234)).record))"
    )
    out = subprocess.run(
        [sys.executable, "-c", "import offgraph as og\n" + code], capture_output=True, text=True, check=True
    )
    assert json.loads(out.stdout) == usual()(image=np.zeros((40, 50, 3), np.uint8), key=KEY).record


def angle(recipe: og.Compose, name: str = "Rotate") -> float:
    steps = recipe(image=PHOTO, key=KEY).record["steps"]
    return next(entry["params"]["angle"] for entry in steps if entry["step"] == name)


def test_other_steps_leave_a_steps_draws_alone():
    alone = angle(og.Compose([og.Augment(og.Rotate((-15, 15)))]))
    among = og.Compose(
        [og.Flip(p=0.5), og.Augment(og.Gamma((0.5, 2)), og.Rotate((-15, 15), p=0.99), og.Flip(p=0.1))]
    )
    assert angle(among) == alone
    before = og.Compose([og.Augment(og.Rotate((0, 1), id="mine"), og.Rotate((-15, 15)))])
    assert before(image=PHOTO, key=KEY).record["steps"][1]["params"]["angle"] == alone


def test_an_id_keeps_its_draws():
    one = og.Compose([og.Augment(og.Rotate((-15, 15), id="tilt"))])
    other = og.Compose([og.Augment(og.Rotate((-15, 15)), og.Rotate((-15, 15), id="tilt"))])
    drawn = [entry["params"]["angle"] for entry in other(image=PHOTO, key=KEY).record["steps"]]
    assert angle(one) == drawn[1] != drawn[0]


def test_an_id_names_one_step():
    with pytest.raises(og.StepError, match="id='a' is given to more than one step"):
        og.Compose([og.Flip(id="a"), og.Pad(1, id="a")])


def test_the_probability_is_kept():
    recipe = og.Compose([og.Augment(og.Flip(p=0.3))])
    tiny = np.zeros((2, 2), np.uint8)
    applied = sum(recipe(image=tiny, key=og.Key(index=i)).record["steps"][0]["applied"] for i in range(2000))
    assert 520 < applied < 680


def test_eval_is_the_prepare_layer():
    recipe = usual()
    prepare = recipe.eval()
    assert [step.name for step in prepare.steps] == ["Resize", "MedianFilter", "Normalize"]
    assert recipe.training and not prepare.training and not prepare.draws
    assert prepare.fingerprint == recipe.fingerprint and prepare.digest != recipe.digest
    out = prepare(image=PHOTO)
    expected = og.Compose([og.Resize((32, 24)), og.MedianFilter(3), og.Normalize("imagenet")])(image=PHOTO)
    np.testing.assert_array_equal(out.image, expected.image)


def test_a_step_that_draws_outside_augment_says_so():
    recipe = og.Compose([og.Flip(p=0.5), og.Augment(og.Flip(p=0.5))])
    with pytest.warns(og.OffgraphWarning, match="step 1, Flip: draws outside Augment"):
        prepare = recipe.eval()
    assert prepare.draws
    whole, alone = (r(image=PHOTO, key=KEY).record["steps"][0] for r in (recipe, prepare))
    assert whole == alone  # the same draws in both


def test_a_recipe_that_draws_needs_a_key():
    with pytest.raises(og.StepError, match=r"step 3 of Augment, Rotate draws.*pass key=Key\("):
        usual()(image=PHOTO)
    assert usual().eval()(image=PHOTO).record["key"]["seed"] == 0


# records


def test_replay_on_another_image():
    out = usual()(image=PHOTO, mask=LABELS, key=KEY)
    other = usual().replay(out.record, image=PHOTO[::-1], mask=LABELS)
    assert other.record == out.record
    np.testing.assert_array_equal(other.mask, out.mask)
    np.testing.assert_array_equal(usual().replay(out.record, image=PHOTO).image, out.image)


def test_replay_refuses_the_record_of_another_recipe():
    record = usual()(image=PHOTO, key=KEY).record
    for other in (usual().eval(), og.Compose([og.Flip()])):
        with pytest.raises(og.RecipeMismatch, match="made by another recipe"):
            other.replay(record, image=PHOTO)


@pytest.mark.parametrize(
    "record", [{}, {"recipe": "x"}, {"recipe": "x", "start": 0, "key": {"seed": -1}, "steps": []}, [], "x"]
)
def test_replay_refuses_what_is_no_record(record):
    with pytest.raises(og.StepError, match="not the record of a recipe's run"):
        usual().replay(record, image=PHOTO)


def test_replay_refuses_values_of_other_steps():
    record = usual()(image=PHOTO, key=KEY).record
    record["steps"][2]["params"] = {"angel": 3}
    with pytest.raises(og.StepError, match="values that its steps do not take"):
        usual().replay(record, image=PHOTO)


# parts


def test_stored_is_what_still_gives_whole_numbers():
    spec = og.ArraySpec((40, 50, 3), "uint8", "YXC")
    assert usual().stored(spec) == 5
    assert og.Compose([og.Normalize("imagenet"), og.Resize((4, 4))]).stored(spec) == 0
    assert og.Compose([og.Flip()]).stored(spec) == 1
    assert og.Compose([]).stored(spec) == 0
    assert usual().stored(og.ArraySpec((40, 50, 3), "uint16", "YXC")) == 5
    assert og.Compose([og.Flip()]).stored(spec.cast("float32")) == 0


def test_parts_make_the_whole():
    recipe, image, mask = og.Compose(usual().items, fuse=False), Image(PHOTO), Mask(LABELS)
    whole = recipe.run(Targets.of_image(image, mask), KEY)
    for n in range(len(recipe.steps) + 1):
        first = recipe.run(Targets.of_image(image, mask), KEY, stop=n)
        then = recipe.run(first.targets, KEY, start=n)
        np.testing.assert_array_equal(then.image, whole.image)
        np.testing.assert_array_equal(then.mask, whole.mask)
        assert first.record["steps"] + then.record["steps"] == whole.record["steps"]
        joined = first.frame.then(then.frame)
        np.testing.assert_allclose(joined.map.matrix, whole.frame.map.matrix)
        again = recipe.replay(then.record, image=first.targets.image)
        np.testing.assert_array_equal(again.image, whole.image)


def test_output_spec():
    spec = og.OpenSpec((None, None, 3), "uint8", "YXC")
    assert usual().output_spec(spec) == og.ArraySpec((32, 24, 3), "float32", "YXC")
    assert og.Compose([og.Resize(scale=0.5), og.Pad(2)]).output_spec(spec).shape == (None, None, 3)
    assert og.Compose([og.CenterCrop((8, 8), p=0.5)]).output_spec(
        og.ArraySpec((8, 9), "uint8", "YX")
    ).shape == (8, None)
    with pytest.raises(
        og.StepError, match=r"step 1, CenterCrop: size=\(8, 8\) is larger than the image of \(7, None\)"
    ):
        og.Compose([og.CenterCrop((8, 8))]).output_spec(og.ArraySpec((7, None), "uint8", "YX"))
    with pytest.raises(og.StepError, match=r"step 5 of Augment, Flip: axis='Z'"):
        og.Compose([*usual().items[:2], og.Augment(og.Flip(), og.Flip(), og.Flip("Z"))]).output_spec(spec)


# what is refused


def test_sizes_that_differ_are_both_named():
    with pytest.raises(og.StepError, match="the image's is 40 x 50, the mask's 40 x 49"):
        usual().eval()(image=PHOTO, mask=LABELS[:, 1:])


def test_an_error_names_step_cause_and_image_once():
    recipe = og.Compose([og.Flip(), og.Augment(og.CenterCrop((100, 10), id="cut"))])
    with pytest.raises(og.StepError) as caught:
        recipe(image=PHOTO)
    text = str(caught.value)
    assert text.startswith(
        "step 2 of Augment, CenterCrop (cut): size=(100, 10) is larger than the image of (40, 50)"
    )
    assert (
        text.endswith("[image of shape (40, 50, 3), dtype uint8, axes YXC]") and text.count("CenterCrop") == 1
    )


@pytest.mark.parametrize(
    ("image", "axes", "says"),
    [
        (np.zeros((4, 4), complex), None, "an image of dtype complex128"),
        (np.zeros((4, 4), np.float16), None, "an image of dtype float16"),
        (np.array([["a", "b"]]), None, "an image of dtype <U1"),
        (np.zeros((4, 4, 9), np.uint8), None, "needs its axes named"),
        (np.zeros((4, 4, 3), np.uint8), "YX", "names 2 axes"),
        (np.zeros(4, np.uint8), None, "needs its axes named"),
        (None, None, "an image is an array, not None"),
    ],
)
def test_images_that_are_none(image, axes, says):
    with pytest.raises(og.StepError, match=says):
        og.Compose([])(image=image, axes=axes)


def test_masks_that_are_none():
    with pytest.raises(og.StepError, match="a mask of dtype float64: a mask holds whole-number labels"):
        og.Compose([])(image=PHOTO, mask=LABELS * 1.0)


@pytest.mark.parametrize("steps", [og.Flip(), [3], ["Flip"], [og.Flip], [[og.Flip()]]])
def test_steps_that_are_none(steps):
    with pytest.raises(og.StepError, match="Compose takes"):
        og.Compose(steps)
    with pytest.raises(og.StepError, match="Augment takes"):
        og.Augment(3)  # type: ignore[arg-type]


def test_a_typo_is_noticed():
    with pytest.raises(og.StepError, match=r"Rotate: angel: is not a parameter; did you mean angle\?"):
        og.Rotate(5, angel=3)  # type: ignore[call-arg]
    with pytest.raises(og.StepError, match="Rotate: order: expected a whole number from 0 to 5, got 7"):
        og.Rotate(3, order=7)
    with pytest.raises(og.StepError, match=r"Rotate: mode: .*'constent'"):
        og.Rotate(3, mode="constent")  # type: ignore[arg-type]
    with pytest.raises(og.StepError, match=r"p: .*less than or equal to 1"):
        og.Flip(p=1.5)


# details


def test_big_endian_and_odd_layouts():
    plain = usual().eval()(image=PHOTO.astype(np.uint16)).image
    for other in (
        PHOTO.astype(">u2"),
        np.asfortranarray(PHOTO.astype(np.uint16)),
        np.repeat(PHOTO.astype(np.uint16), 2, 1)[:, ::2],
    ):
        np.testing.assert_array_equal(usual().eval()(image=other).image, plain)


def test_an_empty_recipe_gives_a_copy():
    out = og.Compose([])(image=PHOTO, mask=LABELS)
    assert not np.may_share_memory(out.image, PHOTO) and not np.may_share_memory(out.mask, LABELS)
    np.testing.assert_array_equal(out.image, PHOTO)


def test_masks_of_volumes_and_channels_first():
    volume = np.zeros((3, 6, 7, 8), np.uint8)
    out = og.Compose([og.Flip("Z")])(image=volume, mask=np.arange(6 * 7 * 8).reshape(6, 7, 8), axes="CZYX")
    assert out.targets.mask.axes == "ZYX" and out.mask[0, 0, 0] == 5 * 7 * 8


def test_a_mistake_in_a_steps_own_code_is_not_taken_for_a_bad_image(monkeypatch: pytest.MonkeyPatch):
    def broken(self, image, params):
        return image.arrray

    monkeypatch.setattr(og.Flip, "apply", broken)
    with pytest.raises(AttributeError):
        og.Compose([og.Flip()])(image=PHOTO)


@pytest.mark.parametrize("dtype", ["bool", "int8", "int16", "uint32", "int64", "float64"])
def test_other_dtypes_go_through_pointwise_steps(dtype):
    image = (RNG.random((300, 300)) * 100).astype(dtype)
    out = og.Compose([og.Gamma(0.5, range=1 if dtype == "bool" else 100), og.Rescale(2, offset=-1)])(
        image=image
    ).image
    top = 1 if dtype == "bool" else 100
    gamma = top * (np.clip(image.astype(float), 0, top) / top) ** 0.5
    gamma = gamma if dtype == "float64" else np.rint(gamma)
    np.testing.assert_array_equal(out, (gamma * 2 - 1).astype(np.float32))


def test_steps_are_values():
    assert og.Rotate((-15, 15)) == og.Rotate(angle=[-15, 15]) and hash(og.Rotate(5)) == hash(og.Rotate(5.0))  # type: ignore[arg-type]
    assert repr(usual()) == (
        "Compose([Resize(size=(32, 24)), MedianFilter(size=3), Augment(Rotate(angle=(-15.0, 15.0)), "
        "Affine(shear=(-0.2, 0.2), p=0.5), Flip(p=0.5)), Normalize(stats='imagenet')])"
    )
    with pytest.raises(AttributeError):
        og.Rotate(5).angle = 6  # type: ignore[misc]


def test_examples():
    for module in (compose_module, og.recipe, og.targets):
        assert doctest.testmod(module, extraglobs={"np": np}).failed == 0


@pytest.mark.parametrize("given", [None, 3, "recipe", {"steps": []}])
def test_compose_takes_steps(given):
    with pytest.raises(og.StepError, match="takes a list of steps"):
        og.Compose(given)


def test_one_door_for_recipes(tmp_path):
    steps = [og.MedianFilter(3)]
    recipe = og.Compose(steps)
    path = tmp_path / "recipe.yaml"
    recipe.to_yaml(path)
    assert compose_module.as_recipe(recipe) is recipe
    for given in (steps, tuple(steps), path, str(path)):
        assert compose_module.as_recipe(given).digest == recipe.digest
    for wrong in (None, 3, {"steps": []}, np.zeros(2)):
        with pytest.raises(og.RecipeError, match="give a Compose"):
            compose_module.as_recipe(wrong)
    with pytest.raises(og.RecipeError, match="no such file"):
        compose_module.as_recipe("nowhere.yaml")
    with pytest.raises(og.StepError, match="takes steps"):
        compose_module.as_recipe([3])


def test_wrong_keys_and_axes_are_named():
    with pytest.raises(og.ArgumentError, match="key=3"):
        usual()(image=PHOTO, key=3)
    with pytest.raises(og.StepError, match="axes=3"):
        usual()(image=PHOTO, key=KEY, axes=3)
    with pytest.raises(og.ArgumentError, match="seed=-1"):
        og.Key(seed=-1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("start", "a"),
        ("start", -1),
        ("start", 99),
        ("key", "x"),
        ("steps", 3),
        ("steps", [3]),
        ("key", {"seed": -1}),
    ],
)
def test_records_that_are_none(field, value):
    record = usual()(image=PHOTO, key=KEY).record
    with pytest.raises(og.StepError, match="not the record"):
        usual().replay({**record, field: value}, image=PHOTO)


@pytest.mark.parametrize("mix", get_args(Mix))
def test_what_mixes_a_batch_is_no_step_and_says_where_it_goes(mix, tmp_path) -> None:
    for build in (lambda: og.Compose([mix()]), lambda: og.Augment(mix())):
        with pytest.raises(og.StepError, match=rf"Loader\(…, mix={mix.__name__}\(…\)\)"):
            build()
    file = tmp_path / "recipe.yaml"
    file.write_text(f"offgraph: 1\nsteps:\n- {mix.__name__}\n")
    with pytest.raises(
        og.RecipeError, match=rf"line 3: .* Loader\(…, mix=og\.{mix.__name__}\(…\)\) takes it"
    ):
        og.Compose.from_yaml(file)


@pytest.mark.parametrize(
    ("given", "said"), [("cat.png", "a path, 'cat.png'"), (Path("cat.png"), "a path"), (None, "None")]
)
def test_a_path_in_place_of_an_array_is_told_from_one(given, said):
    with pytest.raises(og.StepError, match=f"an image is an array, not {said}.*og.imread"):
        og.Compose([og.Flip("X")])(image=given)

"""What may stand in one batch: depth, channels, shape, mask dtype, NaN; never by the order of a pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tests.support.made import image_file, paired_folder

import offgraph as og
from offgraph.core.counting import spread
from offgraph.core.specs import ArraySpec
from offgraph.pipeline.depth import to_depth
from offgraph.targets.image import Image


def folder(root: Path, odd: np.ndarray, at: int = 3, count: int = 9) -> Path:
    """Grey-valued RGB images of 8 bits, each filled with its number, and an odd one among them."""
    for number in range(count):
        array = odd if number == at else np.full((8, 8, 3), number, np.uint8)
        ending = "tif" if array.dtype.kind == "f" else "png"
        image_file(root / f"{number}.{ending}", array)
    return root


# ---- depth


def test_sixteen_bits_among_eight_mean_the_same(tmp_path: Path) -> None:
    for at in (0, 3, 8):  # first, in the middle, last
        home = folder(tmp_path / str(at), np.full((8, 8, 3), 65535, np.uint16), at)
        for steps, top in (([], 255), ([og.Rescale(1 / 255)], 1)):
            for batch_size, seed in ((1, 0), (4, 1), (9, 2)):
                loader = og.Loader(home, steps, batch_size=batch_size, seed=seed, shuffle=True)
                with pytest.warns(og.OffgraphWarning, match=rf"{at}\.png: converted from uint16 to uint8"):
                    batches = list(loader)
                found = {int(n): b.image[i] for b in batches for i, n in enumerate(b.index)}
                assert {image.dtype for image in found.values()} == {batches[0].image.dtype}
                assert (found[at] == np.float32(top)).all() and found[at].max() <= top
                assert (found[5] == np.float32(5 / 255 * top)).all()
                assert loader.converted == {f"{at}.png": "converted from uint16 to uint8"}


def test_eight_bits_among_sixteen_become_sixteen(tmp_path: Path) -> None:
    for number in range(5):
        value = np.uint8(7) if number == 0 else np.uint16(1000 + number)
        image_file(tmp_path / f"{number}.png", np.full((8, 8, 3), value))
    with pytest.warns(og.OffgraphWarning, match=r"0\.png: converted from uint8 to uint16"):
        (batch,) = og.Loader(tmp_path)
    assert batch.image.dtype == np.uint16 and batch.image[:, 0, 0, 0].tolist() == [
        1799,
        1001,
        1002,
        1003,
        1004,
    ]


def test_conversion_of_depth_is_exact_upwards_and_rounds_to_nearest_downwards() -> None:
    eight = Image(np.arange(256, dtype=np.uint8).reshape(16, 16))
    wide, how = to_depth(eight, ArraySpec((16, 16), "uint16", "YX"), "a.png", scale=True)
    assert how == "converted from uint8 to uint16"
    assert np.array_equal(wide.array, np.arange(0, 65536, 257).reshape(16, 16))
    back, _ = to_depth(wide, ArraySpec((16, 16), "uint8", "YX"), "a.png", scale=True)
    assert back.array.dtype == np.uint8 and np.array_equal(back.array, eight.array)
    every = Image(np.arange(65536, dtype=np.uint16).reshape(256, 256))
    narrow, _ = to_depth(every, ArraySpec((256, 256), "uint8", "YX"), "a.png", scale=True)
    assert np.array_equal(narrow.array, np.round(every.array / 257.0))


@pytest.mark.parametrize("steps", [[], [og.Rescale(1 / 255)], [og.Normalize(mean=0, std=1, range=255)]])
def test_measurements_of_two_depths_are_refused_whatever_the_recipe_makes(
    tmp_path: Path, steps: list
) -> None:
    for at in (0, 3):
        home = folder(tmp_path / str(at), np.full((8, 8, 3), 40000, np.uint16), at)
        source = og.open_source(home, color="keep")
        for batch_size in (1, 4):
            with pytest.raises(
                og.StepError, match=rf"^{at}\.png: the image is stored as uint16, but most of"
            ) as error:
                list(og.Loader(source, steps, batch_size=batch_size))
            assert "Rescale" not in str(error.value) and "save it as uint8 too" in str(error.value)
            for seed in range(2):
                options = {"batch_size": batch_size, "seed": seed, "shuffle": True, "on_error": "skip"}
                loader = og.Loader(source, steps, **options)
                with pytest.warns(og.OffgraphWarning, match="1 of 9 images"):
                    assert sum(len(batch) for batch in loader) == 8
                assert list(loader.skipped) == [f"{at}.png"] and not loader.converted


def test_floats_among_bytes_are_refused(tmp_path: Path) -> None:
    home = folder(tmp_path, np.full((8, 8, 3), 0.5, np.float32))
    for color in ("rgb", "keep"):
        with pytest.raises(og.StepError, match=r"3\.tif: the image is stored as float32, .* as uint8"):
            list(og.Loader(home, [og.Rescale(1 / 255)], color=color))


def test_normalize_takes_both_depths_as_they_are(tmp_path: Path) -> None:
    home = folder(tmp_path, np.full((8, 8, 3), 40000, np.uint16))
    for steps in ([og.Normalize(mean=0, std=1)], [og.Resize((8, 8)), og.Normalize(mean=0, std=1)]):
        loader = og.Loader(home, steps)
        (batch,) = loader
        assert (batch.image[3] == np.float32(40000 / 65535)).all() and not loader.converted


def test_a_dataset_keeps_both_depths_and_a_loader_sees_to_them(tmp_path: Path) -> None:
    home = folder(tmp_path / "in", np.full((8, 8, 3), 65535, np.uint16))
    og.build(home, tmp_path / "out", [og.Rescale(1 / 255)])
    assert og.imread(tmp_path / "out" / "images" / "3__0.png").dtype == np.uint16
    loader = og.Loader(tmp_path / "out")
    with pytest.warns(og.OffgraphWarning, match=r"3\.png: converted from uint16 to uint8"):
        (batch,) = loader
    assert (batch.image[3] == 1).all() and (batch.image[5] == np.float32(5 / 255)).all()
    assert list(loader.converted) == ["3.png"]
    og.build(og.open_source(home, color="keep"), tmp_path / "kept", [og.Rescale(1 / 255)])
    with pytest.raises(og.StepError, match=r"3\.png: the image is stored as uint16, but most of its source"):
        list(og.Loader(tmp_path / "kept"))
    og.build(home, tmp_path / "sound", [og.Normalize(mean=0, std=1)])
    (batch,) = og.Loader(tmp_path / "sound")
    assert (batch.image[3] == 1).all() and (batch.image[5] == np.float32(5 / 255)).all()


def test_final_floats_are_made_of_one_depth(tmp_path: Path) -> None:
    home = folder(tmp_path / "in", np.full((8, 8, 3), 65535, np.uint16))
    with pytest.warns(
        og.OffgraphWarning, match=r"3\.png: converted from uint16 to uint8.* in all of them\. Open"
    ):
        og.build(home, tmp_path / "out", [og.Rescale(1 / 255)], store="final")
    (batch,) = og.Loader(tmp_path / "out")
    assert (batch.image[3] == 1).all() and (batch.image[5] == np.float32(5 / 255)).all()
    report = og.build(
        og.open_source(home, color="keep"), tmp_path / "kept", [og.Rescale(1 / 255)], store="final"
    )
    assert [bad.name for bad in report.quarantined] == ["3.png"]
    assert report.quarantined[0].reason.startswith("the image is stored as uint16, but most of its source")


def test_a_part_of_a_source_is_held_against_the_whole(tmp_path: Path) -> None:
    source = og.open_source(folder(tmp_path, np.full((8, 8, 3), 65535, np.uint16)))
    for part in ([3], [3, 5]):  # the odd one alone, or first: as a small validation set may have it
        with pytest.warns(og.OffgraphWarning, match="converted from uint16 to uint8"):
            (batch,) = og.Loader(source.subset(part), [og.Rescale(1 / 255)])
        assert batch.image.dtype == np.float32 and batch.image.max() == 1


# ---- channels and shape


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        (np.zeros((8, 8, 4), np.uint8), "color='rgb' or color='grey'"),
        (np.zeros((8, 8), np.uint8), "color='rgb' or color='grey'"),
        (np.zeros((8, 9, 3), np.uint8), r"put Resize\(\.\.\.\) in the recipe"),
    ],
)
def test_the_odd_image_is_left_out_in_every_order(tmp_path: Path, odd: np.ndarray, says: str) -> None:
    for at in (0, 3):
        source = og.open_source(folder(tmp_path / str(at), odd, at), color="keep")
        with pytest.raises(og.StepError, match=says) as error:
            list(og.Loader(source, batch_size=9))
        assert str(odd.shape) in str(error.value) and "(8, 8, 3)" in str(error.value)
        for seed in range(3):
            loader = og.Loader(source, batch_size=2, seed=seed, shuffle=True, on_error="skip")
            with pytest.warns(og.OffgraphWarning, match="1 of 9 images"):
                assert sum(len(batch) for batch in loader) == 8
            assert (
                list(loader.skipped) == [f"{at}.png"]
                and says.replace("\\", "") in loader.skipped[f"{at}.png"]
            )
        assert [len(batch) for batch in og.Loader(source, batch_size=1)] == [1] * 9  # no two in one batch


def test_advice_never_names_a_step_that_is_there(tmp_path: Path) -> None:
    odd = np.zeros((8, 8, 4), np.uint8)
    source = og.open_source(folder(tmp_path / "channels", odd), color="keep")
    with pytest.raises(og.StepError, match=r"3\.png.*open the source with color='rgb'") as error:
        list(og.Loader(source, [og.Resize((8, 8)), og.Rescale(0.5)]))
    assert "Resize" not in str(error.value) and "Rescale" not in str(error.value)
    home = folder(tmp_path / "sizes", np.zeros((8, 9, 3), np.uint8))
    late = [og.Resize((8, 8)), og.Augment(og.Zoom((0.5, 0.7)))]
    with pytest.raises(og.StepError, match=r"end the recipe with CenterCrop\(\.\.\.\): the Resize"):
        list(og.Loader(home, late))
    with pytest.raises(og.StepError, match="look at the last step that changes the size"):
        list(og.Loader(home, [og.CenterCrop((8, 8)), og.RandomCrop((4, 4)), *late]))


def test_stacks_among_flat_images_are_told_apart(tmp_path: Path) -> None:
    for number in range(3):
        tifffile.imwrite(tmp_path / f"{number}.tif", np.zeros((8, 8), np.uint8))
    tifffile.imwrite(tmp_path / "3.tif", np.zeros((5, 8, 8), np.uint8), metadata={"axes": "ZYX"})
    with pytest.raises(og.StepError, match=r"3\.tif: .*axes ZYX and YX as sources of their own"):
        list(og.Loader(tmp_path, color="keep"))


# ---- masks


def with_masks(root: Path, dtypes: dict[int, tuple[type, int]], count: int) -> og.Source:
    """Pairs whose masks are uint8 with the label 9, but for some."""
    images, masks = paired_folder(root, count)
    for number in range(count):
        dtype, label = dtypes.get(number, (np.uint8, 9))
        image_file(masks / f"{number}.png", np.full((32, 40), label, dtype))
    return og.open_source(images, masks=masks)


def test_masks_of_two_dtypes_get_the_widest_and_keep_their_labels(tmp_path: Path) -> None:
    for at in (0, 2):
        source = with_masks(tmp_path / str(at), {at: (np.uint16, 1000)}, 3)
        for seed in range(2):
            (batch,) = og.Loader(source, shuffle=True, seed=seed)
            assert batch.mask is not None and batch.mask.dtype == np.uint16
            labels = dict(zip(batch.index.tolist(), batch.mask[:, 0, 0].tolist()))
            assert labels == {number: 1000 if number == at else 9 for number in range(3)}
        og.build(source, tmp_path / f"out{at}", [])
        (stored,) = og.Loader(tmp_path / f"out{at}")
        assert stored.mask is not None and stored.mask.dtype == np.uint16
        assert stored.mask[:, 0, 0].tolist() == [1000 if number == at else 9 for number in range(3)]


def test_a_label_that_does_not_fit_is_refused_by_name_and_one_that_does_is_kept(tmp_path: Path) -> None:
    assert 1 not in spread(20, 7)  # not looked at before the first batch
    source = with_masks(tmp_path / "wide", {1: (np.uint16, 300)}, 20)
    with pytest.raises(
        og.StepError, match=r"^1\.png: the mask is uint16 and holds the label 300, .* ends at 255"
    ):
        list(og.Loader(source, batch_size=1))
    loader = og.Loader(source, on_error="skip", batch_size=19)
    ((batch,),) = (list(loader),)
    assert len(batch) == 19 and list(loader.skipped) == ["1.png"]
    og.build(source, tmp_path / "out", [])  # a dataset knows the dtype of every mask
    (batch,) = og.Loader(tmp_path / "out")
    assert batch.mask is not None and batch.mask.dtype == np.uint16 and batch.mask[1].min() == 300
    (batch,) = og.Loader(source, mask_dtype="int32")  # what the message says
    assert batch.mask is not None and batch.mask.dtype == np.int32 and batch.mask[1].min() == 300
    for wrong in ("float32", "nothing", 3):
        with pytest.raises(og.ArgumentError, match=r"mask_dtype=.*: give an integer dtype"):
            og.Loader(source, mask_dtype=wrong)  # type: ignore[arg-type]
    (batch,) = og.Loader(with_masks(tmp_path / "fits", {1: (np.uint16, 200)}, 20))
    assert batch.mask is not None and batch.mask.dtype == np.uint8 and batch.mask[1].min() == 200


def test_a_missing_mask_is_background_of_the_dtype_that_the_others_have(tmp_path: Path) -> None:
    source = with_masks(tmp_path, dict.fromkeys(range(5), (np.uint16, 1000)), 5)
    reading = replace(source.reading, missing_mask="background")
    for at in (0, 3):  # the first one, too
        items = tuple(replace(item, mask=None) if n == at else item for n, item in enumerate(source))
        holed = replace(source, items=items, reading=reading)
        loader = og.Loader(holed)
        (batch,) = loader
        assert loader.has_masks and batch.mask is not None and batch.mask.dtype == np.uint16
        assert batch.mask.max(axis=(1, 2)).tolist() == [0 if n == at else 1000 for n in range(5)]
        alone = og.Loader(holed.subset([at]))  # a part has what its source has
        (batch,) = alone
        assert batch.mask is not None and batch.mask.shape == (1, 32, 40) and not batch.mask.any()


def test_one_missing_label_is_one_sample_refused(tmp_path: Path) -> None:
    source = og.open_source(folder(tmp_path, np.zeros((8, 8, 3), np.uint8)))
    for at in (0, 2):
        items = tuple(replace(item, label=None if n == at else 0) for n, item in enumerate(source))
        holed = replace(source, items=items, class_names=("a",), task="classify")
        with pytest.raises(
            og.StepError, match=rf"^{at}\.png: has no label, and others of its source have one"
        ):
            list(og.Loader(holed))
        loader = og.Loader(holed, on_error="skip")
        with pytest.warns(og.OffgraphWarning, match="1 of 9 images"):
            (batch,) = loader
        assert (
            batch.label is not None
            and batch.label.tolist() == [0] * 8
            and list(loader.skipped) == [f"{at}.png"]
        )


# ---- NaN and infinity


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """Float images of which one holds two NaN and an infinity."""
    for number in range(4):
        array = np.full((6, 7), number, np.float32)
        if number == 2:
            array[1, 3:5], array[4, 2] = np.nan, -np.inf
        image_file(tmp_path / "in" / f"{number}.tif", array)
    return tmp_path / "in"


@pytest.mark.parametrize("steps", [[], [og.MedianFilter(3)], [og.Resize((3, 3))], [og.Rescale(0.5)]])
def test_an_image_with_nan_is_named_before_it_enters_a_batch(measured: Path, steps: list) -> None:
    options = {"color": "keep", "recipe": steps}
    with pytest.raises(
        og.StepError,
        match=r"^2\.tif: the file holds 3 of 42 values that are NaN or infinite, the first, nan, at Y 1, X 3; .*'allow'",
    ):
        list(og.Loader(measured, **options))
    loader = og.Loader(measured, on_error="skip", **options)
    with pytest.warns(og.OffgraphWarning, match="1 of 4 images"):
        (batch,) = loader
    assert list(loader.skipped) == ["2.tif"] and np.isfinite(batch.image).all() and len(batch) == 3
    (batch,) = og.Loader(measured, non_finite="allow", **options)
    assert len(batch) == 4
    with pytest.raises(og.ArgumentError, match="non_finite='skip': choose 'error' or 'allow'"):
        og.Loader(measured, non_finite="skip", **options)  # type: ignore[arg-type]


def test_a_step_that_makes_infinity_is_named(tmp_path: Path) -> None:
    image_file(tmp_path / "0.tif", np.full((6, 7), 1e38, np.float32))
    steps = [og.Flip("X"), og.Rescale(10), og.Flip("X")]
    with np.errstate(over="ignore"):
        with pytest.raises(
            og.StepError, match=r"^0\.tif: step 2, Rescale, makes 42 of 42 values .* at Y 0, X 0; "
        ):
            list(og.Loader(tmp_path, steps, color="keep"))
        (batch,) = og.Loader(tmp_path, steps, color="keep", non_finite="allow")
    assert np.isinf(batch.image).all()


def test_an_image_with_nan_is_set_aside_by_a_build(measured: Path, tmp_path: Path) -> None:
    source = og.open_source(measured, color="keep")
    report = og.build(source, tmp_path / "out", [og.Flip("X")], store="final")
    assert report.examples == 3 and [bad.name for bad in report.quarantined] == ["2.tif"]
    assert report.quarantined[0].reason.startswith(
        "the file holds 3 of 42 values that are NaN or infinite, the first"
    )
    allowed = og.build(source, tmp_path / "allowed", [og.Flip("X")], store="final", non_finite="allow")
    assert allowed.examples == 4
    with pytest.raises(og.StepError, match=r"^2\.tif: the file holds 3 of 42"):
        list(og.Loader(tmp_path / "allowed"))
    (batch,) = og.Loader(tmp_path / "allowed", non_finite="allow")
    assert np.isnan(batch.image[2, 1, 2:4]).all()
    with pytest.raises(og.BuildError, match="non_finite was 'allow', now 'error'"):
        og.build(source, tmp_path / "allowed", [og.Flip("X")], store="final")
    with pytest.raises(og.OffgraphError, match="non_finite=None: choose 'error' or 'allow'"):
        og.build(source, tmp_path / "none", [], non_finite=None)  # type: ignore[arg-type]


def test_the_command_line_lets_nan_pass_where_it_is_meant(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from offgraph.apps.cli import main

    og.Compose([og.Rescale(1)]).to_yaml(tmp_path / "recipe.yaml")
    for given, examples in (([], 3), (["--non-finite", "allow"], 4)):
        out = tmp_path / f"out{examples}"
        recipe = ["--recipe", str(tmp_path / "recipe.yaml"), "--store", "final", "--color", "keep"]
        with pytest.raises(SystemExit) as left:
            main(["build", str(measured), str(out), *recipe, *given])
        assert left.value.code == 0, capsys.readouterr().err
        assert len(list((out / "images").rglob("*.npy"))) == examples


def test_a_source_of_which_nothing_can_be_used_is_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With store="final" each image asks for the depth of most: that was a pass over all of them, for each."""
    (tmp_path / "in").mkdir()
    for number in range(20):
        og.imwrite(tmp_path / "in" / f"{number}.png", np.zeros((4, 4), np.uint8))
    source = og.open_source(tmp_path / "in", color="keep")
    reads, real = [], og.Source.read

    def counted(self: og.Source, index: int) -> object:
        reads.append(index)
        return real(self, index)

    monkeypatch.setattr(og.Source, "read", counted)
    with pytest.raises(og.BuildError, match=r"none of its images.*statistics of 3 channels"):
        og.build(source, tmp_path / "out", [og.Normalize("imagenet", range=255)], store="final", max_bad=20)
    assert len(reads) == 20  # to be looked at, headers do

"""Steps that take pixel sizes and orientation from each file: at their place, in every way that a recipe runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

import offgraph as og
from offgraph.core.calibration import OPPOSITE, Calibration
from offgraph.formats.decoding import read
from offgraph.steps.parameters import PerAxis

_VOLUME = np.random.default_rng(0).integers(0, 99, (6, 8, 10), np.uint16)
_CODES = [
    "".join(order)
    for first in ("SI", "AP", "LR")
    for second in ("SI", "AP", "LR")
    for third in ("SI", "AP", "LR")
    if len({first, second, third}) == 3
    for order in [(a, b, c) for a in first for b in second for c in third]
]


def of_a_file(codes: str | None = "SPL", **spacing: float) -> og.Image:
    sizes = spacing or {"Z": 2.0, "Y": 0.5, "X": 0.75}
    return og.Image(_VOLUME, "ZYX").calibrated(Calibration(sizes, "mm", codes))


def test_the_record_says_what_the_file_declares_and_replays_without_it():
    recipe = og.Compose([og.Spacing(PerAxis({"Z": 1, "X": 1.5}), given="file")])
    out = recipe(image=of_a_file(), mask=_VOLUME)
    wanted = og.Compose([og.Spacing(PerAxis({"Z": 1, "X": 1.5}), given=PerAxis({"Z": 2.0, "X": 0.75}))])(
        image=_VOLUME, mask=_VOLUME, axes="ZYX"
    )
    assert out.image.shape == (12, 8, 5)
    assert np.array_equal(out.image, wanted.image)
    assert out.mask is not None and wanted.mask is not None
    assert np.array_equal(out.mask, wanted.mask)
    assert out.record["steps"][0]["params"] == {"given": {"Z": 2.0, "X": 0.75}}
    again = recipe.replay(json.loads(json.dumps(out.record)), image=_VOLUME, axes="ZYX")
    assert np.array_equal(again.image, out.image)
    assert out.frame.undo(image=out.image, axes="ZYX").shape == _VOLUME.shape


@given(to=st.sampled_from(_CODES), stored=st.sampled_from(_CODES))
def test_orientation_is_that_of_the_file(to, stored):
    out = og.Compose([og.Orientation(to, given="file")])(image=of_a_file(stored))
    wanted = og.Compose([og.Orientation(to, given=stored)])(image=_VOLUME, axes="ZYX")
    assert np.array_equal(out.image, wanted.image)
    assert out.record["steps"][0]["params"] == {"given": stored}


@given(to=st.sampled_from(_CODES), stored=st.sampled_from(_CODES), fuse=st.booleans())
def test_steps_before_are_counted_in(to, stored, fuse):
    """Sizes follow the axes that another step has swapped, mirrored and resized."""
    steps = [og.Flip("Y"), og.Orientation(to, given="file"), og.Spacing(1, given="file")]
    image = of_a_file(stored)
    out = og.Compose(steps, fuse=fuse)(image=image)
    flipped = stored[0] + OPPOSITE[stored[1]] + stored[2]
    assert out.record["steps"][1]["params"] == {"given": flipped}
    family = {code: pair for pair in ("SI", "AP", "LR") for code in pair}
    sides = dict(zip((family[code] for code in stored), (2.0, 0.5, 0.75)))
    wanted = [sides[family[code]] for code in to]
    assert out.record["steps"][2]["params"] == {"given": dict(zip("ZYX", wanted))}


def test_a_resize_before_changes_the_size_and_a_crop_does_not():
    steps = [og.Resize((12, 8, 5)), og.CenterCrop((4, 4, 4)), og.Spacing(1.0, given="file")]
    out = og.Compose(steps)(image=of_a_file())
    assert out.record["steps"][2]["params"] == {"given": {"Z": 1.0, "Y": 0.5, "X": 1.5}}
    assert out.image.shape == (4, 2, 6)


@pytest.mark.parametrize(
    ("image", "step", "said"),
    [
        (
            og.Image(_VOLUME, "ZYX"),
            og.Spacing(1, given="file"),
            "this image has none of a file: write given= as",
        ),
        (of_a_file(Y=1.0, X=1.0), og.Spacing(1, given="file"), "does not declare the pixel size along Z"),
        (of_a_file(None), og.Orientation("SAR", given="file"), "does not declare where its axes point"),
    ],
)
def test_a_file_that_declares_nothing_is_refused(image, step, said):
    with pytest.raises(og.StepError, match=f"(Spacing|Orientation).*{said}"):
        og.Compose([step])(image=image)


def test_a_bent_grid_has_no_size():
    recipe = og.Compose([og.Elastic(0.2), og.Spacing(1, given="file")])
    with pytest.raises(og.StepError, match=r"Elastic before it bends the grid: put it first"):
        recipe(image=of_a_file(), key=og.Key(seed=1))


def test_what_is_known_before_a_file_is_seen():
    recipe = og.Compose([og.Spacing(PerAxis({"Z": 1}), given="file"), og.Orientation("SAR", given="file")])
    assert not recipe.draws
    spec = og.ArraySpec((6, 8, 10), "uint16", "ZYX")
    assert "as of a file that is like that already" in recipe.explain(spec)
    assert og.Spacing(PerAxis({"Z": 1}), given="file").open_size((6, 8, 10)) == (None, 8, 10)
    assert og.Compose.from_dict(recipe.to_dict()).fingerprint == recipe.fingerprint
    with pytest.raises(og.StepError, match="expected a number above 0"):
        og.Spacing(1, given="files")


# files


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    """Two stacks of ImageJ, of other sizes in micrometres."""
    (tmp_path / "stacks").mkdir()
    for number, (between, within) in enumerate([(2.0, 0.5), (1.0, 0.25)]):
        tifffile.imwrite(
            tmp_path / "stacks" / f"{number}.tif",
            _VOLUME,
            imagej=True,
            resolution=(1 / within, 1 / within),
            metadata={"axes": "ZYX", "spacing": between, "unit": "um"},
        )
    return tmp_path / "stacks"


def test_sizes_of_imagej_and_ome(stacks, tmp_path):
    found = read(stacks / "0.tif").calibration
    assert found == Calibration({"X": 0.5, "Y": 0.5, "Z": 2.0}, "µm")
    sizes = {
        "PhysicalSizeX": 250.0,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeZ": 3.0,
        "PhysicalSizeZUnit": "µm",
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", _VOLUME, metadata={"axes": "ZYX", **sizes})
    assert read(tmp_path / "a.ome.tif").calibration == Calibration({"X": 0.25, "Z": 3.0}, "µm")
    tifffile.imwrite(
        tmp_path / "b.ome.tif",
        _VOLUME.astype(np.uint8),
        metadata={"axes": "ZYX", **sizes},
        compression="jpeg",
    )
    assert read(tmp_path / "b.ome.tif").calibration == Calibration({"X": 0.25, "Z": 3.0}, "µm")
    tifffile.imwrite(tmp_path / "c.tif", _VOLUME[0], resolution=(72, 72), resolutionunit="INCH")
    assert read(tmp_path / "c.tif").calibration is None


def test_a_loader_gives_each_file_its_own_size(stacks):
    recipe = og.Compose([og.Spacing(1.0, given="file"), og.Rescale(1 / 99), og.Augment(og.Flip("Z"))])
    loader = og.Loader(stacks, recipe, batch_size=1, shuffle=False)
    shapes = [batch.image.shape[1:] for batch in loader]
    assert shapes == [(12, 4, 5), (6, 2, 2)]
    with pytest.raises(og.ArgumentError, match="takes the pixel sizes of each file, which are not kept"):
        loader.cache("memory", after="decode")


def test_a_prediction_comes_back_to_each_grid(stacks):
    predictor = og.Predictor(
        lambda batch: np.asarray(batch > 50, np.float32),
        recipe=og.Compose([og.Spacing(1.0, given="file"), og.Rescale(1)]),
        task="segment",
        postprocess=[og.Threshold()],
        class_names=["bright"],
        input_shape=(None, None, None, 1),
    )
    found = list(predictor(og.open_source(stacks)))
    assert [one.mask is not None and one.mask.shape for one in found] == [_VOLUME.shape] * 2
    params = [one.record["steps"][0]["params"]["given"] for one in found]
    assert params == [{"Z": 2.0, "Y": 0.5, "X": 0.5}, {"Z": 1.0, "Y": 0.25, "X": 0.25}]


def test_a_dataset_is_built_at_one_size(stacks, tmp_path):
    og.build(stacks, tmp_path / "out", og.Compose([og.Spacing(1.0, given="file")]))
    built = og.Loader(tmp_path / "out", batch_size=1, shuffle=False)
    assert [batch.image.shape[1:] for batch in built] == [(12, 4, 5), (6, 2, 2)]

"""What a predictor makes of images and models that are not as usual: the right answer, or one clear error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import offgraph as og
from offgraph.errors import OffgraphError, StepError

Function = Callable[[np.ndarray], Any]

RECIPE = [og.Rescale(1 / 255)]
WAYS: list[dict[str, Any]] = [
    {},
    {"tta": "d4"},
    {"tta": "flips", "merge": "geometric"},
    {"tiles": 16, "overlap": 4},
    {"tiles": 16, "overlap": 0, "blend": "none", "tta": "d4", "merge": "max"},
]


def first_channel(batch: np.ndarray) -> np.ndarray:
    return batch[..., :1]


def two_classes(batch: np.ndarray) -> np.ndarray:
    return np.full((len(batch), 2), 0.5, np.float32)


def segmenter(function: Function, **options: Any) -> og.Predictor:
    given: dict[str, Any] = {"recipe": RECIPE, "task": "segment", "postprocess": [og.Threshold(), og.Label()]}
    return og.Predictor(function, **given | options)


class Changing:
    """A model that becomes another one after the predictor has looked at it."""

    def __init__(self, first: Function, later: Function) -> None:
        self.now, self.later = first, later

    def __call__(self, batch: np.ndarray) -> Any:
        return self.now(batch)

    def change(self) -> None:
        self.now = self.later


# ---- images


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("value", [0, 255])
def test_no_object_and_one_that_fills_the_image(value: int, options: dict[str, Any]) -> None:
    found = segmenter(first_channel, **options)(np.full((33, 41, 3), value, np.uint8))
    assert found.mask.dtype == np.int32
    assert np.array_equal(found.mask, np.full((33, 41), value // 255))
    assert (found.probabilities == value // 255).all()


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0), (1, 1), (1, 40)])
def test_images_without_pixels_and_of_single_lines(size: tuple[int, int], options: dict[str, Any]) -> None:
    found = segmenter(first_channel, **options)(np.full((*size, 3), 255, np.uint8))
    assert found.mask.shape == found.probabilities.shape == size
    assert (found.mask == 1).all()


@pytest.mark.parametrize("options", WAYS)
def test_tiles_without_an_object_beside_one_that_is_full(options: dict[str, Any]) -> None:
    image = np.zeros((48, 48, 3), np.uint8)
    image[16:32, 16:32] = 255
    found = segmenter(first_channel, **options)(image)
    assert np.array_equal(found.mask, image[..., 0] // 255)


# ---- files of images without pixels


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_masks_without_pixels_are_saved_beside_others(
    size: tuple[int, int], options: dict[str, Any], tmp_path: Path
) -> None:
    images = [np.full((9, 7, 3), 255, np.uint8), np.zeros((*size, 3), np.uint8)]
    report = og.save_predictions(segmenter(first_channel, **options)(images), tmp_path / "out", raw=True)
    assert (report.count, report.objects, report.quarantined) == (2, 1, ())
    told = json.loads((tmp_path / "out" / "predictions.json").read_text())["predictions"]
    assert told[1]["size"] == list(size) and told[1]["objects"] == [] and told[1]["foreground"] == 0
    assert (og.imread(tmp_path / "out" / told[0]["mask"]) == 1).all()
    assert np.load(tmp_path / "out" / told[1]["mask"]).shape == size
    assert og.imread(tmp_path / "out" / "drawn" / "1.drawn.png").shape == (1, 1, 3)


@pytest.mark.parametrize("kind", ["geojson", "coco"])
def test_outlines_of_a_mask_without_pixels(kind: str, tmp_path: Path) -> None:
    steps = [og.Threshold(), og.Label(), og.Measure(("area",)), og.Contours(kind)]  # type: ignore[arg-type]
    images = [np.zeros((0, 5, 3), np.uint8), np.full((9, 7, 3), 255, np.uint8)]
    report = og.save_predictions(segmenter(first_channel, postprocess=steps)(images), tmp_path / "out")
    assert report.objects == 1
    assert (tmp_path / "out" / "objects.csv").read_text().splitlines() == ["path,label,area", "1,1,63.0"]


@pytest.mark.parametrize("size", [(0, 6, 7), (2, 0, 3), (1, 6, 7), (1, 1, 1)])
@pytest.mark.parametrize("options", [{}, {"tta": "flips"}, {"pad_to": 4}, {"tiles": (4, 4, 4), "overlap": 0}])
def test_volumes_without_voxels_and_of_one_plane(
    size: tuple[int, int, int], options: dict[str, Any], tmp_path: Path
) -> None:
    volume = np.full(size, 255, np.uint8)
    predictor = segmenter(first_channel, input_shape=(None, None, None, 1), **options)
    found = predictor(volume)
    assert found.mask.shape == size and (found.mask == 1).all()
    written = found.save(tmp_path / "one")
    if volume.size:
        assert np.array_equal(og.imread(written["mask"], axes="ZYX"), found.mask)
        assert og.imread(written["picture"]).shape == (*size[1:], 3)
    else:
        assert np.load(written["mask"]).shape == size
        assert og.imread(written["picture"]).shape == (1, 1, 3)
    report = og.save_predictions(predictor([volume, np.full((4, 5, 6), 255, np.uint8)]), tmp_path / "all")
    assert (report.count, report.objects) == (2, 1 + bool(volume.size))


def detector(batch: np.ndarray) -> dict[str, np.ndarray]:
    boxes = np.array([[0.25, 0.25, 0.75, 0.5]], np.float32)
    return {"boxes": np.stack([boxes] * len(batch)), "scores": np.ones((len(batch), 1), np.float32)}


def points_alone(batch: np.ndarray) -> np.ndarray:
    return np.full((len(batch), 2, 2), 0.5, np.float32)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (two_classes, {"task": "classify", "class_names": ["dark", "light"]}),
        (two_classes, {"task": "multilabel", "class_names": ["dark", "light"]}),
        (two_classes, {"task": "regress", "target_names": ["x", "y"]}),
        (detector, {"task": "detect", "detection": og.DetectionOutputs(unit="shares")}),
        (points_alone, {"task": "detect", "detection": og.DetectionOutputs(boxes=None, points=0, unit="shares")}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_other_predictions_of_images_without_pixels_are_saved(
    size: tuple[int, int], model: Function, options: dict[str, Any], tmp_path: Path
) -> None:
    predictor = og.Predictor(model, recipe=RECIPE, **options)
    images = [np.zeros((*size, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)]
    report = og.save_predictions(predictor(images), tmp_path / "out")
    assert (report.count, report.quarantined) == (2, ())
    if model is detector:
        rows = (tmp_path / "out" / "boxes.csv").read_text().splitlines()
        assert rows[1:] == ["1,0,0,1.0,2.0,2.0,6.0,4.0"]
    assert og.imread(predictor(images[0]).save(tmp_path / "one")["picture"]).size


def test_a_volume_of_a_class_without_slices_is_drawn(tmp_path: Path) -> None:
    predictor = og.Predictor(
        two_classes, recipe=RECIPE, task="classify", class_names=["dark", "light"],
        input_shape=(None, None, None, 1),
    )  # fmt: skip
    report = og.save_predictions(predictor([np.zeros((0, 4, 4), np.uint8)]), tmp_path / "out")
    assert report.classes == {"dark": 1}


def test_a_file_of_a_volume_without_slices_is_set_aside_with_all_lengths(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "a.npy", np.zeros((0, 4, 5), np.uint8))
    np.save(tmp_path / "in" / "b.npy", np.full((1, 4, 5), 255, np.uint8))
    run = segmenter(first_channel, input_shape=(None, None, None, 1))(
        tmp_path / "in", labels=None, axes="ZYX"
    )
    assert [one.mask.shape for one in run if one.mask is not None] == [(1, 4, 5)]
    assert run.quarantined == [("a.npy", "an empty image of 0 × 4 × 5 pixels")]


# ---- what is not a number


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_probabilities_that_are_no_numbers_are_set_aside(value: float, options: dict[str, Any]) -> None:
    def one_pixel(batch: np.ndarray) -> np.ndarray:
        made = first_channel(batch).copy()
        made[(batch == 1).all(axis=-1)] = value
        return made

    images = np.zeros((3, 24, 20, 3), np.uint8)
    images[1, 7, 9] = 255
    predictor = segmenter(one_pixel, **options)
    run = predictor(images)
    assert [one.item.name for one in run] == ["0", "2"]
    ((name, said),) = run.quarantined
    assert name == "1" and "has NaN or infinite values" in said
    with pytest.raises(StepError, match="has NaN or infinite values"):
        predictor(images[1])


# ---- models that give something else


WRONG: list[tuple[Function, str]] = [
    (lambda batch: batch[..., 0], r"\(1, 8, 8\) for a batch of 1 images; the model said .*\(any, any, any, 1\)"),
    (lambda batch: batch, r"\(1, 8, 8, 3\) for a batch of 1 images; the model said"),
    (lambda batch: batch[..., :0], r"\(1, 8, 8, 0\) for a batch of 1 images; the model said"),
    (lambda batch: batch[..., None], r"\(1, 8, 8, 3, 1\) for a batch of 1 images; the model said"),
    (lambda batch: batch.reshape(len(batch), -1), r"\(1, 192\) for a batch of 1 images; the model said"),
    (lambda batch: batch[0], r"\(8, 8, 3\) for a batch of 1 images; a model gives one output per image"),
    (lambda batch: np.float32(1), r"shape \(\) for a batch of 1 images; a model gives one output per image"),
    (lambda batch: batch[:, :5, :, :1], r"the model makes \(5, 8\) of images of \(8, 8\)"),
    (lambda batch: batch[:, :0, :, :1], r"the model makes \(0, 8\) of images of \(8, 8\)"),
    (lambda batch: None, "'output' has the type object; a model gives real numbers"),
    (lambda batch: batch[..., :1] + 1j, "'output' has the type complex64; a model gives real numbers"),
    (lambda batch: batch[..., :1].astype(str), "'output' has the type <U32; a model gives real numbers"),
    (lambda batch: {}, "the model gives no output for a batch .* at first it gave the output 'output'"),
    (lambda batch: (batch, batch), "the model gives the outputs '0', '1' for .* it gave the output 'output'"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "said"), WRONG)
def test_a_model_that_gives_another_shape_than_before(wrong: Function, said: str) -> None:
    model = Changing(first_channel, wrong)
    predictor = segmenter(model)
    assert predictor(np.zeros((8, 8, 3), np.uint8)).mask.shape == (8, 8)
    model.change()
    with pytest.raises(OffgraphError, match=said):
        predictor(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda batch: np.full((len(batch), 3), 1 / 3), r"shape \(2, 3\).*the model said .*\(any, 2\)"),
        (lambda batch: np.zeros((len(batch), 0)), r"shape \(2, 0\).*the model said .*\(any, 2\)"),
        (lambda batch: np.full(len(batch), 0.5), r"shape \(2,\).*the model said .*\(any, 2\)"),
        (lambda batch: np.full((len(batch), 4, 4, 2), 0.5), r"shape \(2, 4, 4, 2\).*the model said"),
        (lambda batch: np.array([["dark", "light"]] * len(batch)), "real numbers"),
    ],
)
def test_a_classifier_that_gives_another_shape_than_before(wrong: Function, said: str) -> None:
    model = Changing(two_classes, wrong)
    predictor = og.Predictor(model, recipe=RECIPE, task="classify", class_names=["dark", "light"])
    images = np.zeros((2, 8, 8, 3), np.uint8)
    assert [one.label for one in predictor(images)] == [0, 0]
    model.change()
    with pytest.raises(OffgraphError, match=said):
        list(predictor(images))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (lambda batch: {}, "gives no output"),
        (lambda batch: None, "'output' has the type object; a model gives real numbers"),
        (lambda batch: first_channel(batch) + 1j, "'output' has the type complex64; a model gives real"),
        (lambda batch: first_channel(batch).astype(str), "'output' has the type <U32; a model gives real"),
    ],
)
def test_a_model_that_gives_no_numbers_is_refused_at_once(model: Function, said: str) -> None:
    with pytest.raises(OffgraphError, match=said):
        segmenter(model)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float16, np.float64])
def test_numbers_of_every_type_are_read(dtype: Any) -> None:
    found = segmenter(lambda batch: (first_channel(batch) > 0.5).astype(dtype))(
        np.full((4, 5, 3), 255, np.uint8)
    )
    assert found.probabilities.dtype == np.float32 and (found.mask == 1).all()


def test_files_that_are_not_there_are_heard_of(tmp_path: Path) -> None:
    og.imwrite(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    predictor = segmenter(first_channel)
    said = r"1 of 2 files are not there, and are set aside: .*b.png' \(images\[1\]\)"
    with pytest.warns(og.OffgraphWarning, match=said):
        run = predictor(paths)
    assert [one.item.path.name for one in run] == ["a.png"]
    assert [Path(name).name for name, _ in run.quarantined] == ["b.png"]
    with pytest.raises(og.OffgraphError, match=r"none of the 1 file is there: .*b.png' \(images\[0\]\)"):
        predictor(paths[1:])
    with pytest.raises(
        og.OffgraphError, match="axes=: only where the images are a path; arrays have the axes"
    ):
        predictor([np.zeros((8, 8, 3), np.uint8)], axes="YXC")

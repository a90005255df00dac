"""Detectors on tiles: each object once, with the box of the tile that sees it best, as many as the whole image has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.detectors import boxes_in, bright, centres, finding, listed, squares

import offgraph as og
from offgraph.errors import ArgumentError, OffgraphError, StepError
from offgraph.inference.detections import Detections
from offgraph.inference.tiling.grid import TileAxis, TileGrid
from offgraph.inference.tiling.seams import joined_tiles, placed, tiles_of

NAMES = ["dim", "light"]
OPTIONS: dict[str, Any] = {
    "recipe": [og.Rescale(1 / 255)],
    "task": "detect",
    "detection": og.DetectionOutputs(),
    "class_names": NAMES,
    "input_shape": (None, None, 3),
}


def scene(
    seed: int, size: tuple[int, int] = (190, 230), sides: tuple[int, int] = (3, 25), gap: int = 2
) -> np.ndarray:
    """Bright rectangles that do not touch one another."""
    rng = np.random.default_rng(seed)
    image, taken = np.zeros((*size, 3), np.uint8), np.zeros(size, bool)
    for _ in range(90):
        h, w = rng.integers(*sides, 2)
        top, left = rng.integers(0, size[0] - h), rng.integers(0, size[1] - w)
        if not taken[max(0, top - gap) : top + h + gap, max(0, left - gap) : left + w + gap].any():
            taken[top : top + h, left : left + w] = True
            image[top : top + h, left : left + w] = rng.integers(100, 256)
    return image


def tiled(model: Any = None, **options: Any) -> og.Predictor:
    return og.Predictor(model or finding(300), **{"tiles": (64, 80), "overlap": 30, **OPTIONS, **options})


def whole(model: Any = None, **options: Any) -> og.Predictor:
    return og.Predictor(model or finding(300), **{**OPTIONS, **options})


# ---- as many as the whole image has


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 9999),
    rows=st.integers(20, 190),
    columns=st.integers(20, 230),
    overlap=st.integers(28, 50),
    batch_size=st.integers(1, 7),
)
def test_the_boxes_of_the_whole_image(
    seed: int, rows: int, columns: int, overlap: int, batch_size: int
) -> None:
    image = scene(seed)[:rows, :columns]
    expected = whole()(image)
    found = tiled(overlap=overlap, batch_size=batch_size)(image)
    assert listed(found) == listed(expected)
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
    assert found.raw == {} and found.run.task == "detect"


@pytest.mark.parametrize("overlap", [8, "auto"])
def test_objects_larger_than_the_overlap_are_put_together(overlap: Any) -> None:
    for seed in range(8):
        image = scene(seed, sides=(3, 50), gap=6)
        assert listed(tiled(overlap=overlap)(image)) == listed(whole()(image))
    long = bright((200, 330), [(90, 10, 110, 290), (10, 300, 190, 308)], [200, 150])  # through many tiles
    assert listed(tiled(overlap=overlap)(long)) == listed(whole()(long))
    corner = bright((110, 140), [(40, 45, 75, 95)], [220])  # cut by all four tiles
    assert len(boxes_in(tiled(overlap=8)(corner))) == 1
    assert listed(tiled(overlap=8)(corner)) == listed(whole()(corner))


def test_two_boxes_of_one_object_stay_two() -> None:
    """A detector without suppression: what one tile says are two is never made one, but by the result steps."""

    def twice(batch: np.ndarray) -> dict[str, np.ndarray]:
        made = finding(150)(batch)
        smaller = made["boxes"].copy()
        smaller[..., 3] -= 0.25 * (smaller[..., 3] - smaller[..., 1])
        return {
            "boxes": np.concatenate([made["boxes"], smaller], axis=1),
            "scores": np.concatenate([made["scores"], made["scores"] / 2], axis=1),
            "labels": np.concatenate([made["labels"], made["labels"]], axis=1),
        }

    image = scene(3, sides=(8, 25))
    expected = whole(twice)(image)
    assert len(boxes_in(expected)) > 60
    assert listed(tiled(twice)(image)) == listed(expected)
    steps = [og.NonMaximumSuppression(0.5)]
    once = tiled(twice, postprocess=steps)(image)
    assert listed(once) == listed(whole(twice, postprocess=steps)(image)) == listed(whole()(image))


def test_variants_ensembles_and_recipes_that_move_pixels() -> None:
    image = scene(5, sides=(6, 25))
    options: dict[str, Any] = {"tta": "flips", "overlap": 40}
    assert listed(tiled(**options)(image)) == listed(whole()(image))
    models = [finding(200), finding(300)]
    assert listed(tiled(models)(image)) == listed(whole(models)(image))
    recipe = [og.Flip("X"), og.Pad(7), og.Rescale(1 / 255)]
    steps = [og.NonMaximumSuppression(0.5, min_score=0.6)]
    moved: dict[str, Any] = {"recipe": recipe, "postprocess": steps}
    expected = whole(**moved)(image)
    assert 0 < len(boxes_in(expected)) < len(boxes_in(whole()(image)))
    assert listed(tiled(**moved)(image)) == listed(expected)


def test_images_smaller_than_a_tile_and_without_an_object() -> None:
    for size in ((1, 1), (10, 9), (64, 80), (65, 80)):
        image = scene(1)[: size[0], : size[1]]
        assert listed(tiled()(image)) == listed(whole()(image))
    assert len(boxes_in(tiled()(np.zeros((200, 200, 3), np.uint8)))) == 0


# ---- joins by hand


def grid(length: int, size: int, starts: tuple[int, ...]) -> TileGrid:
    return TileGrid((TileAxis(20, 20, (0,), 0), TileAxis(length, size, starts, 0)))


def said(*boxes: tuple[float, float, float, float], scores: Any = None, labels: Any = None) -> Detections:
    """Boxes (top, left, bottom, right) on a tile, pixel centres at integers."""
    count = len(boxes)
    return Detections(
        np.array(boxes, np.float64).reshape(-1, 4),
        np.linspace(0.9, 0.5, count) if scores is None else np.array(scores),
        np.zeros(count, np.int64) if labels is None else np.array(labels),
    )


def joined(tiles: TileGrid, *several: Detections) -> Detections:
    return joined_tiles([placed(one, window) for one, window in zip(several, tiles_of(tiles))], tiles)


def test_a_cut_box_loses_against_a_whole_one_however_sure_it_is() -> None:
    tiles = grid(50, 30, (0, 20))
    made = joined(tiles, said((2, 15, 12, 28), scores=[0.3]), said((2.5, -0.5, 12, 8.2), scores=[0.9]))
    assert made.edges is not None
    assert made.edges.tolist() == [[2, 15, 12, 28]] and made.scores.tolist() == [0.3]


def test_a_sliver_of_another_shape_is_dropped_unless_its_own_tile_knows_better() -> None:
    tiles = grid(50, 30, (0, 20))
    made = joined(tiles, said((2, 4, 18, 24)), said((2.5, -0.5, 6, 3)))  # a bit of the object's upper part
    assert len(made.scores) == 1
    # A small object on a large one, both cut by one edge: both stay, for the first tile has both.
    large, small = (2, 4, 18, 24), (4, 20.5, 8, 23.5)
    made = joined(tiles, said(large, small), said((2, -0.5, 18, 4), (4, 0.5, 8, 3.5)))
    assert made.edges is not None and sorted(made.edges.tolist()) == [list(large), list(small)]


def test_the_box_farthest_inside_its_tile_is_taken() -> None:
    tiles = grid(50, 30, (0, 20))
    made = joined(tiles, said((2, 21, 12, 27)), said((3, 1, 13, 8)))  # 2.5 and 1.5 pixels from inner edges
    assert made.edges is not None and made.edges.tolist() == [[2, 21, 12, 27]]


def test_classes_are_kept_apart_and_parts_joined_by_their_best_score() -> None:
    tiles = grid(90, 30, (0, 20, 40, 60))
    other = joined(tiles, said((2, 21, 12, 27)), said((2, 1, 12, 7), labels=[1]), said(), said())
    assert other.labels.tolist() == [0, 1]
    through = [(5.0, -0.5, 15.0, 29.5)] * 4
    parts = [said(box, scores=[score]) for box, score in zip(through, (0.2, 0.8, 0.4, 0.3))]
    made = joined(tiles, *parts)
    assert made.edges is not None and made.edges.tolist() == [[5, -0.5, 15, 89.5]]
    assert made.scores.tolist() == [0.8]


def test_nothing_says_nothing() -> None:
    made = joined(grid(50, 30, (0, 20)), said(), said())
    assert made.edges is not None and made.edges.shape == (0, 4)


# ---- options, and outputs that make no sense


def test_refused() -> None:
    with pytest.raises(ArgumentError, match="blend='linear': of masks"):
        tiled(blend="linear")
    points = og.DetectionOutputs(boxes=None, points="output")

    def keypoints(batch: np.ndarray) -> np.ndarray:
        return np.zeros((len(batch), 3, 2))

    with pytest.raises(OffgraphError, match="one answer for an image"):
        tiled(keypoints, detection=points, class_names=None)

    def strange(batch: np.ndarray) -> dict[str, np.ndarray]:
        made = finding(9)(batch)
        made["boxes"][0, 0] = np.nan
        made["scores"][0, 0] = 1.0
        made["labels"][0, 0] = 0
        return made

    with pytest.raises(StepError, match=r"not finite \(in the tile at \(0, 0\)\)"):
        tiled(strange)(scene(0))


# ---- a Keras model


def test_a_saved_keras_model(tmp_path: Any) -> None:
    path = og.save(
        centres(),
        [og.Rescale(1 / 255)],
        tmp_path / "squares.keras",
        detection=og.DetectionOutputs(format="cxcywh"),
        class_names=["square"],
        postprocess=[og.NonMaximumSuppression(0.3, min_score=0.95)],
    )
    image, count = squares(2, (150, 170))
    expected = og.Predictor(path)(image)
    found = og.Predictor(path, tiles=(48, 64), batch_size=4)(image)
    assert len(boxes_in(found)) == len(boxes_in(expected)) == count > 25
    edges = [sorted(boxes_in(one).edges.tolist()) for one in (found, expected)]
    assert edges[0] == edges[1]
    og.imwrite(tmp_path / "image.png", image)
    [one] = og.predict(path, tmp_path, tiles=64, overlap=16, labels=None)
    assert listed(one) == listed(og.Predictor(path, tiles=64, overlap=16)(image))

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph.errors import ArgumentError


def some_boxes(rng: np.random.Generator, count: int, axes: int) -> tuple[np.ndarray, np.ndarray]:
    low = rng.integers(0, 12, (count, axes))
    boxes = np.concatenate([low, low + rng.integers(1, 8, (count, axes))], axis=1).astype(float)
    return boxes, rng.permutation(count) / 64


def by_trying_all(boxes: np.ndarray, scores: np.ndarray, iou: float, classes: np.ndarray) -> list[int]:
    kept: list[int] = []
    for one in sorted(range(len(boxes)), key=lambda one: (-scores[one], one)):
        for other in kept:
            n = boxes.shape[1] // 2
            sides = [
                min(boxes[one][n + k], boxes[other][n + k]) - max(boxes[one][k], boxes[other][k])
                for k in range(n)
            ]
            shared = np.prod(np.maximum(sides, 0))
            union = sum(np.prod(boxes[each][n:] - boxes[each][:n]) for each in (one, other)) - shared
            if classes[one] == classes[other] and shared / union > iou:
                break
        else:
            kept.append(one)
    return kept


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 30), st.sampled_from([2, 3]), st.floats(0, 1))
def test_its_definition(seed, count, axes, iou):
    rng = np.random.default_rng(seed)
    boxes, scores = some_boxes(rng, count, axes)
    scores = np.round(scores * 8)  # with equal ones
    classes = rng.integers(0, 3, count)
    found = og.non_maximum_suppression(boxes, scores, iou, classes=classes)
    assert found.tolist() == by_trying_all(boxes, scores, iou, classes)
    alone = og.non_maximum_suppression(boxes, scores, iou)
    assert alone.tolist() == by_trying_all(boxes, scores, iou, np.zeros(count))


def test_tensorflows_function():
    tf = pytest.importorskip("tensorflow")
    for seed in range(30):
        boxes, scores = some_boxes(np.random.default_rng(seed), 40, 2)
        iou = [0.31, 0.47, 0.73][seed % 3]
        wanted = tf.image.non_max_suppression(boxes.astype(np.float32), scores.astype(np.float32), 25, iou)
        found = og.non_maximum_suppression(boxes, scores, iou, max_boxes=25)
        np.testing.assert_array_equal(found, wanted.numpy())


def test_boxes_of_any_format_and_low_scores():
    boxes = og.Boxes([[0, 0, 4, 4], [0, 0, 4, 5], [6, 6, 3, 3]], format="coco", size=(10, 12))
    assert og.non_maximum_suppression(boxes, [0.8, 0.9, 0.1]).tolist() == [1, 2]
    assert og.non_maximum_suppression(boxes, [0.8, 0.9, 0.1], min_score=0.5).tolist() == [1]


def test_no_boxes_and_boxes_without_area():
    assert og.non_maximum_suppression([], []).tolist() == []
    assert og.non_maximum_suppression([[1, 1, 1, 1], [1, 1, 1, 1]], [1, 2]).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("boxes", "scores", "options", "says"),
    [
        ([[0, 0, 1]], [1], {}, r"expected boxes of shape \(n, 4\) or \(n, 6\) and n scores, got \(1, 3\)"),
        ([[0, 0, 1, 1]], [1, 2], {}, r"got \(1, 4\) and \(2,\)"),
        ([[0, 0, 1, 1], [2, 0, 1, 1]], [1, 2], {}, r"box 1 is \[2.0, 0.0, 1.0, 1.0\]"),
        ([[0, 0, 1, 1]], [np.nan], {}, "with score nan: expected finite"),
        ([[0, 0, 1, 1]], [1], {"iou": 2}, "iou=2: expected a number from 0 to 1"),
        ([[0, 0, 1, 1]], [1], {"classes": [1, 2]}, "classes: expected one for each of 1 boxes"),
    ],
)
def test_refused(boxes, scores, options, says):
    with pytest.raises(ArgumentError, match=says):
        og.non_maximum_suppression(boxes, scores, **options)

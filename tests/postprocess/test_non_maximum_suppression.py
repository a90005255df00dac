"""The step gives the boxes of the function, whatever lies beside them and whatever comes before and after."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og

CASES = {
    2: [
        og.NonMaximumSuppression(),
        og.NonMaximumSuppression(0.3, min_score=0.2, max_boxes=5, by_class=False),
    ],
    3: [og.NonMaximumSuppression()],
}


def detections(seed: int, count: int, axes: int = 2) -> og.Boxes:
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 14, (count, axes)).astype(float)
    array = np.concatenate([low, low + rng.integers(1, 9, (count, axes))], axis=1)
    scores = np.round(rng.random(count) * 8) / 8  # with equal ones
    return og.Boxes(array, size=(30,) * axes, labels=rng.integers(0, 3, count), extra={"score": scores})


def run(steps: list[og.Step], boxes: og.Boxes, image: np.ndarray | None = None, **more: Any) -> og.Boxes:
    """The boxes that steps make."""
    out = og.Compose(steps)(image=image_of(boxes) if image is None else image, boxes=boxes, **more).boxes
    assert out is not None
    return out


def column(boxes: og.Boxes) -> np.ndarray:
    assert boxes.labels is not None
    return boxes.labels


def image_of(boxes: og.Boxes) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, boxes.size).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 40),
    axes=st.sampled_from([2, 3]),
    iou=st.floats(0, 1),
    by_class=st.booleans(),
    most=st.none() | st.integers(1, 10),
)
def test_the_boxes_of_the_function(seed, count, axes, iou, by_class, most):
    boxes = detections(seed, count, axes)
    step = og.NonMaximumSuppression(iou, min_score=0.25, max_boxes=most, by_class=by_class)
    out = run([step], boxes, axes="ZYX"[-axes:])
    kept = og.non_maximum_suppression(
        boxes, boxes.extra["score"], iou, classes=column(boxes) if by_class else None, min_score=0.25,
        max_boxes=most,
    )  # fmt: skip
    assert out.ids.tolist() == kept.tolist()
    np.testing.assert_array_equal(out.edges, boxes.edges[kept])
    np.testing.assert_array_equal(column(out), column(boxes)[kept])
    np.testing.assert_array_equal(out.extra["score"], boxes.extra["score"][kept])
    assert {gone.id for gone in out.dropped} == set(range(count)) - set(kept.tolist())


@pytest.mark.parametrize("count", [1200, 2500])
def test_many_boxes_in_cells_as_few_all_at_once(count):
    """From 1,025 boxes on they are looked up in cells; here by trying all, and with one as large as the image."""
    rng = np.random.default_rng(count)
    low = rng.random((count, 2)) * 300
    edges = np.concatenate([low, low + rng.random((count, 2)) * 30], axis=1)
    for largest in (False, True):
        if largest:
            edges[count // 2] = [0, 0, 330, 330]
        scores = rng.permutation(count).astype(float)
        areas = np.prod(edges[:, 2:] - edges[:, :2], axis=1)
        left, wanted = np.argsort(-scores), []
        while len(left):
            best, left = left[0], left[1:]
            wanted.append(best)
            sides = np.minimum(edges[left, 2:], edges[best, 2:]) - np.maximum(
                edges[left, :2], edges[best, :2]
            )
            shared = np.prod(np.maximum(sides, 0), axis=1)
            left = left[shared <= 0.4 * (areas[left] + areas[best] - shared)]
        assert og.non_maximum_suppression(edges, scores, 0.4).tolist() == wanted


def test_between_geometric_steps():
    boxes = detections(3, 25)
    step = og.NonMaximumSuppression(0.4)
    alone = run([step], boxes)
    out = run([og.Flip("X"), step, og.Flip("Y")], boxes)
    assert out.ids.tolist() == alone.ids.tolist()
    np.testing.assert_array_equal(out.edges, run([og.Flip("X"), og.Flip("Y")], alone).edges)


def test_boxes_without_scores_stay():
    found, true = detections(4, 20), og.Boxes([[1, 1, 9, 9], [1, 1, 9, 9]], size=(30, 30))
    out = og.Compose([og.NonMaximumSuppression(0.1)])(image=image_of(found), boxes=found, true=true)
    assert out.boxes is not None and len(out.boxes) < 20 and out.true is true
    np.testing.assert_array_equal(out.image, image_of(found))


def test_boxes_of_a_mask_stay_those_of_its_labels():
    labels = np.kron(np.arange(1, 5).reshape(2, 2), np.ones((4, 4), int))
    boxes = og.Boxes.of_labels(og.Mask(labels))
    boxes.extra["score"] = np.array([0.1, 0.9, 0.5, 0.7])
    out = og.Compose([og.NonMaximumSuppression(min_score=0.4), og.Flip("X")])(
        image=labels.astype(np.uint8), boxes=boxes, mask=labels
    )
    assert out.boxes is not None and out.mask is not None
    assert column(out.boxes).tolist() == [2, 4, 3]
    for label, edges in zip(column(out.boxes), out.boxes.edges):
        top, left, bottom, right = np.round(edges + 0.5).astype(int)
        assert (out.mask[top:bottom, left:right] == label).all()


@pytest.mark.parametrize("scores", [[0.5, np.nan], [0.5, np.inf], ["high", "low"], [[1, 2], [3, 4]]])
def test_scores_that_are_not_numbers_are_refused(scores):
    boxes = og.Boxes([[1, 1, 2, 2], [3, 3, 4, 4]], size=(6, 6), extra={"score": scores})
    with pytest.raises(
        og.StepError, match="NonMaximumSuppression: the boxes' column 'score' is not one finite"
    ):
        og.Compose([og.NonMaximumSuppression()])(image=np.zeros((6, 6), np.uint8), boxes=boxes)

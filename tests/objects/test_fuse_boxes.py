import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph.errors import ArgumentError


def by_hand(
    boxes: np.ndarray, scores: np.ndarray, iou: float, classes: np.ndarray, answers: int | None
) -> tuple[list[list[float]], list[float], list[int]]:
    """The procedure with lists of members, each mean taken afresh."""
    n = boxes.shape[1] // 2

    def mean(members: list[int]) -> list[float]:
        weights = [scores[m] for m in members] if any(scores[m] for m in members) else [1.0] * len(members)
        return [
            sum(w * boxes[m][side] for w, m in zip(weights, members)) / sum(weights) for side in range(2 * n)
        ]

    def share(one: list[float], other: list[float]) -> float:
        shared = whole = another = 1.0
        for k in range(n):
            shared *= max(0.0, min(one[n + k], other[n + k]) - max(one[k], other[k]))
            whole *= one[n + k] - one[k]
            another *= other[n + k] - other[k]
        together = whole + another - shared
        return shared / together if together > 0 else 0.0

    objects: list[list[int]] = []
    for at in sorted(range(len(boxes)), key=lambda at: (-scores[at], at)):
        best, most = None, iou
        for members in objects:
            if classes[members[0]] == classes[at] and share(mean(members), boxes[at].tolist()) > most:
                best, most = members, share(mean(members), boxes[at].tolist())
        if best is None:
            objects.append([at])
        else:
            best.append(at)
    made = []
    for members in objects:
        score = sum(scores[m] for m in members) / len(members)
        made.append(score if answers is None else score * min(len(members), answers) / answers)
    order = sorted(range(len(objects)), key=lambda k: (-made[k], k))
    whose = [next(row for row, k in enumerate(order) if at in objects[k]) for at in range(len(boxes))]
    return [mean(objects[k]) for k in order], [made[k] for k in order], whose


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 25),
    axes=st.sampled_from([2, 3]),
    iou=st.sampled_from([0, 0.3, 0.55, 0.9, 1]),
    answers=st.sampled_from([None, 1, 3, 4]),
)
def test_its_definition(seed: int, count: int, axes: int, iou: float, answers: int | None) -> None:
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 6, (count, axes))
    boxes = np.concatenate([low, low + rng.integers(0, 6, (count, axes))], axis=1).astype(float)
    scores = rng.integers(0, 9, count) / 8  # sums without rounding, with equal ones and 0
    classes = rng.integers(0, 2, count)
    edges, made, members = og.fuse_boxes(boxes, scores, iou, classes=classes, answers=answers)
    expected = by_hand(boxes, scores, iou, classes, answers)
    assert edges.shape == (len(expected[0]), 2 * axes if count else 4)
    assert edges.tolist() == expected[0]
    assert np.allclose(made, expected[1], rtol=1e-15, atol=0)
    assert members.tolist() == expected[2]


def test_boxes_that_come_back_from_mirrored_variants() -> None:
    """The same boxes from every variant stay as they are, and one that a single variant says loses score."""
    size = (40, 60)
    given_boxes = og.Boxes(np.array([[5.0, 4, 30, 20], [33, 10, 57, 36]]), size=size)
    said = []
    for element in ("e", "r90", "h", "t"):
        there = og.Compose([og.D4(element)])(image=np.zeros(size, np.uint8), boxes=given_boxes)
        said.append(there.frame.undo(boxes=there.boxes).edges)
    said.append(np.array([[0.0, 50, 5, 59]]))
    edges, scores, members = og.fuse_boxes(np.concatenate(said), [0.75, 0.5] * 4 + [0.5], answers=4)
    assert edges.tolist() == [*given_boxes.edges.tolist(), [0, 50, 5, 59]]
    assert scores.tolist() == [0.75, 0.5, 0.125]
    assert members.tolist() == [0, 1] * 4 + [2]


def test_nothing() -> None:
    edges, scores, members = og.fuse_boxes([], [])
    assert edges.shape == (0, 4) and scores.shape == members.shape == (0,)


@pytest.mark.parametrize(
    ("boxes", "scores", "options", "says"),
    [
        ([[0, 0, 1]], [1], {}, r"expected boxes of shape \(n, 4\)"),
        ([[0, 0, 1, 1]], [1, 2], {}, "and n scores"),
        ([[0, 2, 1, 1]], [1], {}, r"box 0 is \[0.0, 2.0, 1.0, 1.0\]"),
        ([[0, 0, 1, np.nan]], [1], {}, "expected finite"),
        ([[0, 0, 1, 1]], [-1], {}, "box 0 has the score -1.0: expected weights that are not negative"),
        ([[0, 0, 1, 1]], [1], {"iou": 2}, "iou=2: expected a number from 0 to 1"),
        ([[0, 0, 1, 1]], [1], {"answers": 0}, "answers=0"),
        ([[0, 0, 1, 1]], [1], {"classes": [1, 2]}, "classes: expected one for each of 1 boxes"),
    ],
)
def test_refused(boxes, scores, options, says) -> None:
    with pytest.raises(ArgumentError, match=says):
        og.fuse_boxes(boxes, scores, **options)

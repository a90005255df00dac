import time

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


def one_by_one(
    edges: np.ndarray, score: np.ndarray, iou: float, kind: np.ndarray, answers: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The procedure with every box held against all objects so far, in NumPy: the bytes of the fast one."""
    count, axes = len(edges), edges.shape[1] // 2
    mean, weighted, plain = (np.zeros_like(edges) for _ in range(3))
    weight, total, member = np.zeros(count), np.zeros(count, int), np.zeros(count, int)
    whose = np.empty(count, kind.dtype)
    found = 0
    for at in np.argsort(-score, kind="stable"):
        known = mean[:found]
        sides = np.minimum(known[:, axes:], edges[at, axes:]) - np.maximum(known[:, :axes], edges[at, :axes])
        shared = np.prod(np.maximum(sides, 0), axis=1)
        together = np.prod(known[:, axes:] - known[:, :axes], axis=1)
        together = together + np.prod(edges[at, axes:] - edges[at, :axes]) - shared
        share = np.divide(shared, together, out=np.zeros_like(shared), where=together > 0)
        share[whose[:found] != kind[at]] = -1
        to = int(share.argmax()) if found else 0
        if not found or not share[to] > iou:
            to, found = found, found + 1
            whose[to] = kind[at]
        member[at] = to
        weighted[to] += score[at] * edges[at]
        plain[to] += edges[at]
        weight[to] += score[at]
        total[to] += 1
        mean[to] = weighted[to] / weight[to] if weight[to] > 0 else plain[to] / total[to]
    made = weight[:found] / total[:found]
    if answers is not None:
        made = made * np.minimum(total[:found], answers) / answers
    order = np.argsort(-made, kind="stable")
    row = np.empty(found, int)
    row[order] = np.arange(found)
    return mean[order], made[order], row[member]


def scattered(
    seed: int, count: int, objects: int, axes: int, size: float, jitter: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes around some objects on 100 pixels along each axis, as far from them as `jitter` says; scores and classes."""
    rng = np.random.default_rng(seed)
    whose = rng.integers(0, objects, count)
    sides = rng.uniform(0.2 * size, size, (objects, axes))[whose]
    low = rng.uniform(0, 100, (objects, axes))[whose] + rng.normal(0, jitter, (count, axes)) * sides
    high = low + sides * np.exp(rng.normal(0, jitter, (count, axes)))
    return np.concatenate([low, high], axis=1), rng.uniform(0, 1, count), rng.integers(0, 3, count)


@settings(deadline=None, max_examples=300)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 150),
    objects=st.integers(1, 25),
    axes=st.sampled_from([2, 3]),
    size=st.sampled_from([1e-6, 1, 20, 90]),
    jitter=st.sampled_from([0, 0.05, 0.3, 1]),
    iou=st.sampled_from([0, 0.05, 0.1, 0.2, 0.4, 0.5, 0.55, 0.75, 0.99, 1]),
    power=st.sampled_from([0, 0, 0, 0, 6, 100, 160, -110, -320]),
    rough=st.booleans(),
    answers=st.sampled_from([None, 4]),
)
def test_the_bytes_of_the_procedure_one_by_one(
    seed: int,
    count: int,
    objects: int,
    axes: int,
    size: float,
    jitter: float,
    iou: float,
    power: int,
    rough: bool,
    answers: int | None,
) -> None:
    boxes, scores, classes = scattered(seed, count, objects, axes, size, jitter)
    if rough:
        boxes, scores = np.round(boxes), np.round(4 * scores) / 4
    boxes = boxes * 10.0**power
    with np.errstate(all="ignore"):
        expected = one_by_one(boxes, scores, iou, classes, answers)
    found = og.fuse_boxes(boxes, scores, iou, classes=classes, answers=answers)
    for one, other in zip(found, expected):
        assert one.shape == other.shape and one.tobytes() == other.tobytes()


def test_many_boxes() -> None:
    """20,000 of 5,000 objects: a sixteenth of the time that holding each against all takes."""
    boxes, scores, classes = scattered(1, 20_000, 5_000, 2, 1.5, 0.1)
    begun = time.process_time()
    _, _, members = og.fuse_boxes(boxes, scores, classes=classes, answers=4)
    assert time.process_time() - begun < 5
    assert len(np.unique(members)) == members.max() + 1 > 5_000


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

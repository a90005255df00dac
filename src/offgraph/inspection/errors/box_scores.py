"""How well predicted boxes agree with the true ones: average precision, as COCO has it.

For each class and each IoU threshold:

    for each image, its surest 100 boxes of the class, by falling score:
        the box is right if a true box that no earlier one has taken has an IoU of at least the threshold with it:
        it takes the one with the largest, of equal ones the last
    over the boxes of all images, by falling score: precision and recall after each
    average precision = mean of 101 precisions, at the recalls 0, 0.01, …, 1:
        the highest precision at that recall or any larger one, 0 where there is none
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["MOST_BOXES", "RECALLS", "BoxScore", "BoxScores", "JudgedBoxes", "judged_boxes", "overlaps"]

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""IoU at which boxes match, as `numpy.linspace` makes them in COCO's own code."""

MOST_BOXES = 100
"""Boxes of one class that count in an image."""

RECALLS = np.linspace(0.0, 1.0, 101)
"""At which precision is averaged."""


@dataclass(frozen=True)
class BoxScore:
    """How well the boxes of one class are found.

    Parameters
    ----------
    name : str
    true, predicted : int
        Boxes; of the predicted ones the surest 100 of each image.
    by_threshold : tuple of float or None
        Average precision at the IoU thresholds 0.5, 0.55, …, 0.95; None where there is no true box.
    recall : float or None
        Share of the true boxes that are found at an IoU of 0.5, however low the score.
    """

    name: str
    true: int
    predicted: int
    by_threshold: tuple[float, ...] | None
    recall: float | None

    @property
    def at_half(self) -> float | None:
        """Average precision at an IoU of 0.5."""
        return None if self.by_threshold is None else self.by_threshold[0]

    @property
    def mean(self) -> float | None:
        """Mean of the average precision over the thresholds from 0.5 to 0.95."""
        return None if self.by_threshold is None else float(np.mean(self.by_threshold))


class BoxScores:
    """Counts boxes image by image.

    Parameters
    ----------
    names : sequence of str
        By class number; further classes have their number as a name.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._true: dict[int, int] = defaultdict(int)
        self._scores: dict[int, list[np.ndarray]] = defaultdict(list)
        self._right: dict[int, list[np.ndarray]] = defaultdict(list)

    def add(
        self,
        true: np.ndarray,
        true_labels: np.ndarray,
        edges: np.ndarray,
        labels: np.ndarray,
        scores: np.ndarray,
    ) -> np.ndarray:
        """Add the boxes of an image.

        Parameters
        ----------
        true, edges : ndarray of float64, shape (n, 4)
            Lower edges, then upper edges.
        true_labels, labels : ndarray of int
        scores : ndarray of float64

        Returns
        -------
        ndarray of bool
            Which predicted boxes are right at an IoU of 0.5.
        """
        judged = judged_boxes(true, true_labels, edges, labels, scores)
        for label, (of, right) in judged.found.items():
            self._true[label] += judged.true.get(label, 0)
            self._scores[label].append(of)
            self._right[label].append(right)
        return judged.right

    def scores(self) -> tuple[BoxScore, ...]:
        """Return the scores of every class that has a name or a box."""
        classes = sorted({*range(len(self.names)), *self._true})
        return tuple(self._score(label) for label in classes)

    def _score(self, label: int) -> BoxScore:
        true = self._true[label]
        scores = np.concatenate([np.zeros(0), *self._scores[label]])
        right = np.concatenate([np.zeros((0, len(THRESHOLDS)), bool), *self._right[label]])
        name = self.names[label] if label < len(self.names) else str(label)
        if not true:
            return BoxScore(name, 0, len(scores), None, None)
        right = right[np.argsort(-scores, kind="stable")]
        values = tuple(_average(column, true) for column in right.T)
        return BoxScore(name, true, len(scores), values, int(right[:, 0].sum()) / true)


@dataclass(frozen=True, eq=False)
class JudgedBoxes:
    """The boxes of one image, held against the true ones.

    Parameters
    ----------
    true : dict of int to int
        How many true boxes there are, for each class that has some.
    found : dict of int to (ndarray, ndarray)
        For each class with true or predicted boxes: scores of the surest 100, falling, and which of them are right at each IoU
        threshold, (n, 10).
    right : ndarray of bool
        Which predicted boxes are right at an IoU of 0.5.
    """

    true: dict[int, int]
    found: dict[int, tuple[np.ndarray, np.ndarray]]
    right: np.ndarray


def judged_boxes(
    true: np.ndarray, true_labels: np.ndarray, edges: np.ndarray, labels: np.ndarray, scores: np.ndarray
) -> JudgedBoxes:
    """Say which boxes of an image are right; arguments as for `BoxScores.add`."""
    counts: dict[int, int] = {}
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    hit = np.zeros(len(edges), bool)
    for label in np.unique(np.concatenate([true_labels, labels])).tolist():
        ours = np.flatnonzero(labels == label)
        ours = ours[np.argsort(-scores[ours], kind="stable")][:MOST_BOXES]
        theirs = true[true_labels == label]
        right = _matched(overlaps(edges[ours], theirs))
        if len(theirs):
            counts[label] = len(theirs)
        found[label] = scores[ours], right
        hit[ours] = right[:, 0]
    return JudgedBoxes(counts, found, hit)


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the intersection over union of each box with each other one, (n, m); 0 where both have no area."""
    low = np.maximum(boxes[:, np.newaxis, :2], others[np.newaxis, :, :2])
    high = np.minimum(boxes[:, np.newaxis, 2:], others[np.newaxis, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas, other_areas = (np.prod(one[:, 2:] - one[:, :2], axis=1) for one in (boxes, others))
    union = areas[:, np.newaxis] + other_areas[np.newaxis] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _matched(shares: np.ndarray) -> np.ndarray:
    """Which boxes, by falling score, are right at each threshold, (n, thresholds), of their overlaps with the true ones."""
    count, others = shares.shape
    right = np.zeros((count, len(THRESHOLDS)), bool)
    if not others:
        return right
    free = np.ones((len(THRESHOLDS), others), bool)
    rows = np.arange(len(THRESHOLDS))
    for number, row in enumerate(shares):
        left = np.where(free, row, -1.0)
        best = others - 1 - left[:, ::-1].argmax(axis=1)
        right[number] = left[rows, best] >= THRESHOLDS
        free[rows[right[number]], best[right[number]]] = False
    return right


def _average(right: np.ndarray, true: int) -> float:
    """The mean of 101 interpolated precisions, of boxes by falling score."""
    found = np.cumsum(right)
    recall = found / true
    precision = found / np.arange(1, len(right) + 1)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, RECALLS, side="left")
    return float(np.concatenate([highest, [0.0]])[np.minimum(places, len(right))].mean())

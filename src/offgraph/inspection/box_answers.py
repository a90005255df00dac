"""A detector's answers to a source, held against the truth and against each other, with bootstrap intervals.

Average precision is one number of all images, and no mean over them. Its interval comes from whole images that are drawn with
replacement, as for other scores: an image that is drawn w times counts as w images with the same boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from offgraph.inspection.errors.box_scores import RECALLS, JudgedBoxes, overlaps
from offgraph.inspection.skew_report import Estimate, drawn_images, interval

__all__ = ["estimated_precision", "mean_precisions", "score_change", "shared_boxes"]

_AT_ONCE = 1 << 20
"""Boxes of resampled sets in memory at a time."""

_SAME = 0.5
"""IoU from which two boxes are one object."""


def mean_precisions(judged: Sequence[JudgedBoxes], counts: np.ndarray) -> np.ndarray:
    """Return COCO's average precision, the mean over IoU 0.5 to 0.95 and classes, of sets of images.

    Parameters
    ----------
    judged : sequence of JudgedBoxes
        Of each image.
    counts : ndarray of int, shape (sets, images)
        How often each image is in each set.

    Returns
    -------
    ndarray of float64, shape (sets,)
        NaN for sets without a true box. Classes without one in a set do not count in it.
    """
    labels = sorted({label for one in judged for label in one.true})
    sums, known = np.zeros(len(counts)), np.zeros(len(counts), np.int64)
    for label in labels:
        parts = [(at, one.found[label]) for at, one in enumerate(judged) if label in one.found]
        true = counts @ np.array([one.true.get(label, 0) for one in judged], np.int64)
        scores = np.concatenate([np.zeros(0), *(scores for _, (scores, _) in parts)])
        right = np.concatenate([np.zeros((0, 10), bool), *(right for _, (_, right) in parts)])
        image = np.repeat([at for at, _ in parts], [len(scores) for _, (scores, _) in parts]).astype(np.int64)
        order = np.argsort(-scores, kind="stable")
        precision = _precisions(right[order], counts, image[order], true)
        has = true > 0
        sums[has] += precision[has]
        known += has
    return np.divide(sums, known, out=np.full(len(counts), np.nan), where=known > 0)


def _precisions(right: np.ndarray, counts: np.ndarray, image: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Of one class: the mean over IoU thresholds, for each set of images."""
    made = np.zeros(len(counts))
    chunk = max(1, _AT_ONCE // max(1, len(image)))
    for start in range(0, len(counts), chunk):
        rows = slice(start, start + chunk)
        weight = counts[rows][:, image]
        total = np.maximum(np.cumsum(weight, axis=1), 1)
        of_all = np.maximum(true[rows], 1)[:, np.newaxis]
        values = []
        for column in right.T:
            found = np.cumsum(weight * column, axis=1)
            recall = found / of_all
            highest = np.maximum.accumulate((found / total)[:, ::-1], axis=1)[:, ::-1]
            highest = np.concatenate([highest, np.zeros((len(highest), 1))], axis=1)
            values.append(
                [float(one[np.searchsorted(of, RECALLS)].mean()) for one, of in zip(highest, recall)]
            )
        made[rows] = np.mean(values, axis=0)
    return made


def estimated_precision(
    judged: Sequence[JudgedBoxes],
    other: Sequence[JudgedBoxes] | None,
    seed: int,
    resamples: int,
    coverage: float = 0.95,
) -> Estimate | None:
    """Return the mean average precision with its bootstrap interval; of `other` less that of `judged` where both are given.

    None where no image has a true box.
    """

    def value(counts: np.ndarray) -> np.ndarray:
        first = mean_precisions(judged, counts)
        return first if other is None else mean_precisions(other, counts) - first

    return _interval_of(value, len(judged), seed, resamples, coverage)


def _interval_of(
    value: Callable[[np.ndarray], np.ndarray], images: int, seed: int, resamples: int, coverage: float
) -> Estimate | None:
    if not images:
        return None
    whole = float(value(np.ones((1, images), np.int64))[0])
    if np.isnan(whole):
        return None
    parts = [
        np.stack([np.bincount(row, minlength=images) for row in drawn])
        for drawn in drawn_images(images, seed, resamples)
    ]
    values = value(np.concatenate(parts))
    return interval(whole, values[~np.isnan(values)], coverage)


def score_change(one: np.ndarray, other: np.ndarray, pairs: Sequence[tuple[int, int]]) -> float:
    """Return the largest change of the score of a box that both answers have."""
    return max((abs(float(one[a] - other[b])) for a, b in pairs), default=0.0)


def shared_boxes(
    edges: np.ndarray, labels: np.ndarray, others: np.ndarray, other_labels: np.ndarray
) -> list[tuple[int, int]]:
    """Return pairs of boxes of two answers that are one object: of one class, IoU 0.5 or more, by falling IoU, each once."""
    share = np.where(labels[:, np.newaxis] == other_labels, overlaps(edges, others), 0.0)
    rows, columns = np.nonzero(share >= _SAME)
    pairs: list[tuple[int, int]] = []
    free, left = np.ones(len(edges), bool), np.ones(len(others), bool)
    for at in np.argsort(-share[rows, columns], kind="stable").tolist():
        row, column = int(rows[at]), int(columns[at])
        if free[row] and left[column]:
            free[row] = left[column] = False
            pairs.append((row, column))
    return pairs

"""How well predicted objects agree with the true ones: average precision at IoU thresholds, and panoptic quality.

A true and a predicted object match where their IoU is above a threshold of at least 0.5. Then more than half of each lies
in the other, so that none has two partners, and no assignment has to be chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["THRESHOLDS", "InstanceScores", "Matches", "PanopticQuality", "ThresholdScore", "match_objects"]

THRESHOLDS = tuple(range(50, 100, 5))
"""IoU thresholds, in hundredths: whole numbers, so that an IoU of exactly 0.55 is compared without rounding."""

_COUNTED = 1 << 24
"""Numbers below this are counted in a table; more would take much memory."""


@dataclass(frozen=True, eq=False)
class Matches:
    """Every true and predicted object of one image, and the pairs that share pixels.

    Parameters
    ----------
    true, predicted : ndarray
        Labels of the objects, in increasing order.
    true_area, predicted_area : ndarray of int64
        Pixels of each.
    pairs : ndarray of int64, shape (n, 2)
        Places in `true` and `predicted` of objects that share pixels.
    common : ndarray of int64, shape (n,)
        Pixels that each pair shares.
    """

    true: np.ndarray
    predicted: np.ndarray
    true_area: np.ndarray
    predicted_area: np.ndarray
    pairs: np.ndarray
    common: np.ndarray

    @property
    def union(self) -> np.ndarray:
        """Pixels of one or the other, of each pair."""
        first, second = self.pairs.T
        return self.true_area[first] + self.predicted_area[second] - self.common

    @property
    def iou(self) -> np.ndarray:
        """Intersection over union of each pair, float64."""
        return self.common / np.maximum(self.union, 1)

    def matched(self, hundredths: int) -> np.ndarray:
        """Which pairs have an IoU above a threshold in hundredths, at least 50; exact."""
        return 100 * self.common > hundredths * self.union

    def best(self) -> np.ndarray:
        """Return the largest IoU of each true object with any predicted one, 0 without any."""
        found = np.zeros(len(self.true))
        np.maximum.at(found, self.pairs[:, 0], self.iou)
        return found

    def unfounded(self) -> np.ndarray:
        """Return the largest IoU of each predicted object with any true one, 0 without any."""
        found = np.zeros(len(self.predicted))
        np.maximum.at(found, self.pairs[:, 1], self.iou)
        return found


def match_objects(true: np.ndarray, predicted: np.ndarray) -> Matches:
    """Find the objects of two label images of one shape, and how many pixels they share.

    Parameters
    ----------
    true, predicted : ndarray of integers
        0 is background; each other label is one object, in one piece or in several.

    Examples
    --------
    >>> import numpy as np
    >>> found = match_objects(np.array([[1, 1, 0, 7]]), np.array([[3, 3, 3, 0]]))
    >>> found.iou.tolist(), found.best().tolist()
    ([0.6666666666666666], [0.6666666666666666, 0.0])
    """
    if true.shape != predicted.shape:
        raise ValueError(f"masks of shapes {true.shape} and {predicted.shape} cannot be compared")
    labels, places = _ranked(true)
    others, other_places = _ranked(predicted)
    codes, common = _counted(places * max(len(others), 1) + other_places, len(labels) * len(others))
    pairs = np.stack([codes // max(len(others), 1), codes % max(len(others), 1)], axis=1)
    area = np.bincount(places, minlength=len(labels))
    other_area = np.bincount(other_places, minlength=len(others))
    # Background has a place, too; places of objects move up where it is there.
    kept, others_kept = labels != 0, others != 0
    number, other_number = np.cumsum(kept) - 1, np.cumsum(others_kept) - 1
    both = kept[pairs[:, 0]] & others_kept[pairs[:, 1]]
    pairs = pairs[both]
    return Matches(
        labels[kept],
        others[others_kept],
        area[kept].astype(np.int64),
        other_area[others_kept].astype(np.int64),
        np.stack([number[pairs[:, 0]], other_number[pairs[:, 1]]], axis=1).astype(np.int64),
        common[both].astype(np.int64),
    )


def _ranked(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values in increasing order, and for each pixel the place of its value among them, int64."""
    flat = labels.ravel()
    if flat.size and flat.min() >= 0 and flat.max() < _COUNTED:
        # Counting finds what sorting finds, ten times as fast on a large image.
        whole = flat.astype(np.int64)
        there = np.bincount(whole) > 0
        return np.flatnonzero(there), (np.cumsum(there) - 1)[whole]
    values, places = np.unique(flat, return_inverse=True)
    return values, places.ravel().astype(np.int64)


def _counted(codes: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes that occur, in increasing order, and how often; all are below `most`."""
    if most > _COUNTED:
        # Neighbours have mostly the same code: sort runs of them, and not single pixels.
        first = np.flatnonzero(np.diff(codes, prepend=-1))
        found, run = np.unique(codes[first], return_inverse=True)
        length = np.diff(first, append=codes.size)
        return found, np.bincount(run, weights=length, minlength=len(found)).astype(np.int64)
    counts = np.bincount(codes)
    there = np.flatnonzero(counts)
    return there, counts[there]


@dataclass(frozen=True)
class ThresholdScore:
    """Objects that match at one threshold, over all images.

    Parameters
    ----------
    threshold : float
        A pair matches where its IoU is above it.
    matched, false, missed : int
        Pairs; predicted objects without a true one; true objects without a predicted one.
    by_image : float or None
        Mean over the images of each image's own average precision; an image without any true or predicted object has 1.
    """

    threshold: float
    matched: int
    false: int
    missed: int
    by_image: float | None

    @property
    def average_precision(self) -> float | None:
        """Share of all pairs and single objects that match: matched / (matched + false + missed); None where there is no object at all."""
        every = self.matched + self.false + self.missed
        return self.matched / every if every else None

    @property
    def precision(self) -> float | None:
        """Share of the predicted objects that match; None without any."""
        found = self.matched + self.false
        return self.matched / found if found else None

    @property
    def recall(self) -> float | None:
        """Share of the true objects that match; None without any."""
        true = self.matched + self.missed
        return self.matched / true if true else None


@dataclass(frozen=True)
class PanopticQuality:
    """Panoptic quality of one class of objects, over all images.

    Parameters
    ----------
    quality : float or None
        Sum of the IoU of all matched pairs / (matched + false / 2 + missed / 2); None where there is no object at all.
    segmentation : float or None
        Mean IoU of the matched pairs; None without any.
    recognition : float or None
        matched / (matched + false / 2 + missed / 2), which is F1; `quality` is the product of both.
    """

    quality: float | None
    segmentation: float | None
    recognition: float | None


class InstanceScores:
    """Counts matching objects over images.

    Examples
    --------
    >>> import numpy as np
    >>> scores = InstanceScores()
    >>> scores.add(match_objects(np.array([[1, 1, 0, 2]]), np.array([[1, 1, 0, 0]])))
    0.5
    >>> scores.at(0.5).average_precision, scores.panoptic().quality
    (0.5, 0.6666666666666666)
    """

    def __init__(self) -> None:
        self.images = self.true = self.predicted = 0
        self._matched = np.zeros(len(THRESHOLDS), np.int64)
        self._by_image = np.zeros(len(THRESHOLDS))
        self._overlap = 0.0

    def add(self, found: Matches) -> float:
        """Count one image; return its own average precision at an IoU of 0.5."""
        matched = np.array([np.count_nonzero(found.matched(at)) for at in THRESHOLDS], np.int64)
        every = len(found.true) + len(found.predicted) - matched
        own = matched / every if every.all() else np.ones(len(THRESHOLDS))
        self.images += 1
        self.true += len(found.true)
        self.predicted += len(found.predicted)
        self._matched += matched
        self._by_image += own
        self._overlap += float(found.iou[found.matched(50)].sum())
        return float(own[0])

    def scores(self) -> tuple[ThresholdScore, ...]:
        """Return the score at each threshold, 0.5 first."""
        return tuple(
            ThresholdScore(
                at / 100,
                matched,
                self.predicted - matched,
                self.true - matched,
                total / self.images if self.images else None,
            )
            for at, matched, total in zip(THRESHOLDS, self._matched.tolist(), self._by_image.tolist())
        )

    def at(self, threshold: float) -> ThresholdScore:
        """Return the score at one of the thresholds."""
        return self.scores()[THRESHOLDS.index(round(100 * threshold))]

    def mean(self) -> float | None:
        """Return the mean of the average precision over all thresholds, 0.5 to 0.95; None without any object."""
        found = [score.average_precision for score in self.scores()]
        values = [value for value in found if value is not None]
        return float(np.mean(values)) if values else None

    def panoptic(self) -> PanopticQuality:
        """Return the panoptic quality, whose pairs have an IoU above 0.5."""
        matched = int(self._matched[0])
        every = (self.true + self.predicted) / 2
        return PanopticQuality(
            self._overlap / every if every else None,
            self._overlap / matched if matched else None,
            matched / every if every else None,
        )

"""How well predictions agree with the truth: counts of classes, errors of numbers, overlap of masks."""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from offgraph.targets.regions import regions

__all__ = ["ClassScore", "ErrorScore", "Errors", "Kept", "OverlapScore", "Overlaps", "Scores", "objects"]

Payload = TypeVar("Payload")

VOID = 255
"""Label of pixels without a known class, as in the masks of Pascal VOC and Cityscapes."""


class Kept(Generic[Payload]):
    """Keeps the entries of highest rank, the earlier of equal ones, and drops the others as they come."""

    def __init__(self, most: int) -> None:
        self._most, self._count = most, 0
        self._heap: list[tuple[float, int, Payload]] = []

    def add(self, rank: float, payload: Payload) -> None:
        self._count += 1
        entry = (rank, -self._count, payload)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def takes(self, rank: float) -> bool:
        """Whether an entry of this rank would be kept; if not, it is counted and need not be made."""
        full = len(self._heap) == self._most and rank <= self._heap[0][0]
        self._count += full
        return not full

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def offered(self) -> int:
        """How many there were in all."""
        return self._count

    def highest(self) -> list[Payload]:
        """Return what is kept, the highest rank first."""
        return [payload for _, _, payload in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]


@dataclass(frozen=True)
class ClassScore:
    """How well one class was predicted.

    Parameters
    ----------
    name : str
    true, predicted, correct : int
        Images that are of the class, that were predicted as it, and both.
    """

    name: str
    true: int
    predicted: int
    correct: int

    @property
    def precision(self) -> float | None:
        """Share of the predictions of the class that are correct; None without any."""
        return self.correct / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """Share of the images of the class that were predicted as it; None without any."""
        return self.correct / self.true if self.true else None


class Scores:
    """Counts true and predicted classes, one or several per image.

    Examples
    --------
    >>> scores = Scores(("cat", "dog"))
    >>> for true, predicted in (((0,), (0,)), ((0,), (1,))):
    ...     scores.add(true, predicted)
    >>> [(score.name, score.precision, score.recall) for score in scores.classes()], scores.exact
    ([('cat', 1.0, 0.5), ('dog', 0.0, None)], 0.5)
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._true, self._predicted, self._correct = (np.zeros(len(names), np.int64) for _ in range(3))
        self._pairs: Counter[tuple[int, int]] = Counter()
        self.count = self.right = 0

    def add(self, true: Iterable[int], predicted: Iterable[int]) -> None:
        """Count one image whose truth is known."""
        truth, guess = set(true), set(predicted)
        for counts, numbers in (
            (self._true, truth),
            (self._predicted, guess),
            (self._correct, truth & guess),
        ):
            counts[list(numbers)] += 1
        self.count += 1
        self.right += truth == guess
        if len(truth) == len(guess) == 1:
            self._pairs[next(iter(truth)), next(iter(guess))] += 1

    @property
    def exact(self) -> float | None:
        """Share of images whose predicted classes are exactly the true ones; None without images."""
        return self.right / self.count if self.count else None

    def classes(self) -> list[ClassScore]:
        """Return the score of every class, also of those that never occurred."""
        counts = zip(self._true.tolist(), self._predicted.tolist(), self._correct.tolist())
        return [ClassScore(name, *three) for name, three in zip(self._names, counts)]

    def pairs(self) -> tuple[list[int], list[int]]:
        """Return true and predicted class of each image with one class."""
        pairs = list(self._pairs.elements())
        return [true for true, _ in pairs], [guess for _, guess in pairs]

    def mistakes(self) -> list[tuple[str, str, int]]:
        """Return (true, predicted, count) of each kind of mistake, the most frequent first."""
        wrong = [(pair, count) for pair, count in self._pairs.most_common() if pair[0] != pair[1]]
        return [(self._names[true], self._names[guess], count) for (true, guess), count in wrong]


@dataclass(frozen=True)
class ErrorScore:
    """Errors of one predicted quantity, in its own unit.

    Parameters
    ----------
    name : str
    mean : float
        Mean absolute error.
    root : float
        Root of the mean squared error.
    bias : float
        Mean of predicted minus true.
    explained : float or None
        Share of the true values' variance that is explained (R²); None where they are all equal.
    """

    name: str
    mean: float
    root: float
    bias: float
    explained: float | None


class Errors:
    """Collects true and predicted numbers."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.indices = array("q")
        self._true = [array("d") for _ in names]
        self._predicted = [array("d") for _ in names]

    def add(self, index: int, true: Iterable[float], predicted: Iterable[float]) -> None:
        """Add the image of this number in its source."""
        self.indices.append(index)
        for column, value in zip(self._true, true):
            column.append(value)
        for column, value in zip(self._predicted, predicted):
            column.append(value)

    def columns(self) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """Return name, true and predicted values of each kind of number."""
        return [
            (name, np.array(true), np.array(predicted))
            for name, true, predicted in zip(self.names, self._true, self._predicted)
        ]

    def scores(self) -> list[ErrorScore]:
        """Return the errors of each kind of number; none where no truth is known."""
        return [
            ErrorScore(
                name,
                float(np.abs(predicted - true).mean()),
                float(np.sqrt(((predicted - true) ** 2).mean())),
                float((predicted - true).mean()),
                1 - float(((predicted - true) ** 2).mean()) / float(true.var()) if true.var() > 0 else None,
            )
            for name, true, predicted in self.columns()
            if true.size
        ]

    def worst(self, most: int) -> list[int]:
        """Return places of the largest errors, each kind of number measured by its own mean error."""
        if not self.indices:
            return []
        shares = np.zeros(len(self.indices))
        for _, true, predicted in self.columns():
            error = np.abs(predicted - true)
            shares = np.maximum(shares, error / (error.mean() or 1.0))
        return np.argsort(-shares, kind="stable")[:most].tolist()


@dataclass(frozen=True)
class OverlapScore:
    """Overlap of the predicted and the true pixels of a class.

    Parameters
    ----------
    name : str
    true, predicted, common : int
        Pixels.
    """

    name: str
    true: int
    predicted: int
    common: int

    @property
    def iou(self) -> float | None:
        """Common pixels as a share of all that are one or the other; None where there are none."""
        either = self.true + self.predicted - self.common
        return self.common / either if either else None

    @property
    def dice(self) -> float | None:
        """Twice the common pixels as a share of both sums; None where there are none."""
        both = self.true + self.predicted
        return 2 * self.common / both if both else None


class Overlaps:
    """Counts pixels of predicted and true masks, by class, and as objects against background.

    Where the predicted masks number objects, or a true mask holds labels that are not classes of the model, only objects
    (not 0) and background are distinguished. Pixels of label 255, unless it is a class, are left out as unknown.

    Parameters
    ----------
    names : tuple of str
        By label, 0 first.
    numbered : bool
        Whether predicted labels number objects.
    """

    def __init__(self, names: tuple[str, ...], *, numbered: bool) -> None:
        self._names = names
        self._by_class = len(names) > 2 and not numbered
        self._table = np.zeros((len(names), len(names)), np.int64)
        self._objects = np.zeros((2, 2), np.int64)
        self.count = 0
        self.void = 0

    @property
    def by_class(self) -> bool:
        """Whether the scores are those of classes, and not of objects against background."""
        return self._by_class

    def add(self, true: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
        """Count one image; return its own mean IoU and Dice."""
        if self._by_class and len(self._names) <= VOID:
            known = true != VOID
            self.void += int(true.size - np.count_nonzero(known))
            true, predicted = true[known], predicted[known]
        self.count += 1
        objects = _counted(true != 0, predicted != 0, 2)
        self._objects += objects
        largest = len(self._names)
        if self._by_class and true.size and (int(true.min()) < 0 or int(true.max()) >= largest):
            self._by_class = False
        if self._by_class:
            table = _counted(true, predicted, largest)
            self._table += table
            return _mean(_overlap_scores(table, self._names))
        return _mean(_overlap_scores(objects, ("", ""))[1:])

    def scores(self) -> list[OverlapScore]:
        """Return the overlap of each class, background first; or of objects alone."""
        if self._by_class:
            return _overlap_scores(self._table, self._names)
        name = self._names[1] if len(self._names) == 2 and self._names[1] != "1" else "objects"
        return _overlap_scores(self._objects, ("", name))[1:]

    def mean(self) -> tuple[float, float]:
        """Return the mean IoU and Dice of the classes that occur."""
        return _mean(self.scores())


def _counted(true: np.ndarray, predicted: np.ndarray, count: int) -> np.ndarray:
    """Pixels by true label (row) and predicted label (column)."""
    at = true.astype(np.int64).ravel() * count + np.minimum(predicted.astype(np.int64).ravel(), count - 1)
    return np.bincount(at, minlength=count * count).reshape(count, count)


def _overlap_scores(table: np.ndarray, names: tuple[str, ...]) -> list[OverlapScore]:
    true, predicted, common = table.sum(1).tolist(), table.sum(0).tolist(), table.diagonal().tolist()
    return [OverlapScore(*four) for four in zip(names, true, predicted, common)]


def _mean(scores: list[OverlapScore]) -> tuple[float, float]:
    """Means over the classes that occur; an image where no class is true or predicted counts as correct."""
    found = [(score.iou, score.dice) for score in scores if score.iou is not None and score.dice is not None]
    if not found:
        return 1.0, 1.0
    return float(np.mean([iou for iou, _ in found])), float(np.mean([dice for _, dice in found]))


def objects(mask: np.ndarray) -> list[dict[str, Any]]:
    """Measure each label of a mask.

    Parameters
    ----------
    mask : ndarray of integers
        (H, W) or (D, H, W); 0 is background.

    Returns
    -------
    list of dict
        For each label in increasing order ``label``; ``area`` in pixels; ``centroid``, the mean (row, column) of its
        pixel centres; ``bbox``, (first row, first column, row after the last, column after the last). A volume
        has the slice before row and column.

    Examples
    --------
    >>> objects(np.array([[0, 7, 7]]))
    [{'label': 7, 'area': 2, 'centroid': [0.0, 1.5], 'bbox': [0, 1, 1, 3]}]
    """
    found: list[dict[str, Any]] = []
    for label, box, inside in regions(np.asarray(mask)):
        axes = range(inside.ndim)
        profiles = [inside.sum(axis=tuple(other for other in axes if other != axis)) for axis in axes]
        area = int(profiles[0].sum())
        centroid = [part.start + float(n @ np.arange(len(n))) / area for part, n in zip(box, profiles)]
        found.append(
            {
                "label": int(label),
                "area": area,
                "centroid": [round(place, 4) for place in centroid],
                "bbox": [*(part.start for part in box), *(part.stop for part in box)],
            }
        )
    return found

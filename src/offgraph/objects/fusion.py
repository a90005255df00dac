"""Of boxes that say the same object several times, their weighted mean."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from offgraph.core.arguments import whole_number
from offgraph.core.errors import ArgumentError
from offgraph.objects.suppression import parsed_boxes
from offgraph.targets.boxes import Boxes

__all__ = ["fuse_boxes"]

_FILED_FROM = 0.1
"""The smallest IoU for which objects are filed by place and size."""

_SAFE = 1e60
"""Below this no product of scores and edges, nor a volume, leaves float64."""

_LESS, _MORE, _ROUNDING = 1 - 1e-9, 1 + 1e-9, 1e-15
"""Room for rounding: of lengths and shares, and of coordinates."""

_Place = tuple[int, ...]
"""Level and cell for each axis."""


def fuse_boxes(
    boxes: Boxes | ArrayLike,
    scores: ArrayLike,
    iou: float = 0.55,
    *,
    classes: ArrayLike | None = None,
    answers: int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Merge the boxes of several models, or of several variants of an image, by weighted boxes fusion.

    Where `non_maximum_suppression` keeps one box of each object, this averages all: each edge is the mean over the object's
    boxes, weighted by their scores.

    Parameters
    ----------
    boxes : Boxes, or array_like of shape (n, 4) or (n, 6)
        The boxes of all answers, one after the other, on the same image. An array holds the lower edges of each box, then
        its upper ones, such as xyxy; all axes in one order.
    scores : array_like of float, shape (n,)
        Not negative: the weight of each box.
    iou : float
        A box joins the object with whose mean it shares the largest part, if that is more than this, from 0 to 1, of what both cover
        together.
    classes : array_like, shape (n,), optional
        Boxes of different classes are different objects.
    answers : int, optional
        How many models or variants were asked, at least 1. An object that fewer boxes say loses score in proportion. By default scores
        are the plain mean.

    Returns
    -------
    edges : ndarray of float64, shape (k, 4) or (k, 6)
        The mean box of each object, by falling score.
    scores : ndarray of float64, shape (k,)
        Mean score of the object's boxes; with `answers` times min(boxes, answers) / answers.
    members : ndarray of int64, shape (n,)
        For each box given, the row of its object.

    Raises
    ------
    ArgumentError
        For another shape, an upper edge below its lower one, negative scores, or values that are not finite.

    Notes
    -----
    Boxes are taken by falling score, of equal ones the first one first. Each joins the object that it fits best so far, of
    equal ones the older, or begins one. R. Solovyev, W. Wang, T. Gabruseva, *Weighted boxes fusion*, 2021 (arXiv:1910.13302). Boxes whose
    scores are all 0 are averaged without weights. Exactness: that procedure in float64.

    Examples
    --------
    >>> edges, scores, members = fuse_boxes([[0, 0, 4, 4], [0, 0, 4, 5], [6, 6, 9, 9]], [0.75, 0.25, 0.5], answers=2)
    >>> edges.tolist(), scores.tolist(), members.tolist()
    ([[0.0, 0.0, 4.0, 4.25], [6.0, 6.0, 9.0, 9.0]], [0.5, 0.25], [0, 0, 1])
    """
    edges, score, kind = parsed_boxes(boxes, scores, iou, classes)
    if (score < 0).any():
        at = int((score < 0).argmax())
        raise ArgumentError(
            f"scores: box {at} has the score {score[at]}: expected weights that are not negative"
        )
    asked = None if answers is None else whole_number("answers", answers)
    objects = _Objects(edges, score, kind, iou)
    member = np.zeros(len(edges), np.int64)
    for at in np.argsort(-score, kind="stable").tolist():
        member[at] = objects.joined(at)
    found = len(objects.totals)
    total = np.array(objects.totals, np.int64)
    fused = np.array(objects.weights, np.float64) / total
    if asked is not None:
        fused = fused * np.minimum(total, asked) / asked
    order = np.argsort(-fused, kind="stable")
    row = np.empty(found, np.int64)
    row[order] = np.arange(found)
    means = np.array(objects.means, np.float64).reshape(found, edges.shape[1])
    return means[order], fused[order], row[member]


class _Objects:
    """Objects found so far; which of them a box joins is asked of those near it alone.

    Two boxes whose intersection over union is above t share more than t of the longer side along every axis. So the sides differ by
    less than the factor t, and the lower edges by less than what is left of the sides. Objects are filed by both::

        level   length // 1 bit of exponent (more bits for a small t), for each axis
        cell    lower edge // the longest side of that level
        a box   looks into the cells of the two or three levels within the factor t, for each axis

    Numbers are Python's floats: the sums, products and quotients of float64 in the same order, without NumPy's cost per call.
    """

    def __init__(self, edges: np.ndarray, scores: np.ndarray, kinds: np.ndarray, iou: float) -> None:
        self.edges: list[list[float]] = edges.tolist()
        self.scores: list[float] = scores.tolist()
        self.axes = edges.shape[1] // 2
        self.means: list[list[float]] = []
        self.weights: list[float] = []
        self.totals: list[int] = []
        self._weighted: list[list[float]] = []
        self._plain: list[list[float]] = []
        self._iou = iou
        numbers: dict[Any, int] = {}
        self._kinds = [numbers.setdefault(kind, len(numbers)) for kind in kinds.tolist()]
        self._cells: list[dict[_Place, list[int]]] = [{} for _ in numbers]
        self._places: list[_Place | None] = []
        largest = max(float(np.abs(edges).max(initial=0.0)), float(scores.max(initial=0.0)))
        # Where products could pass what float64 holds, and where hardly anything is too far away, all are looked at.
        self._filed = iou >= _FILED_FROM and largest < _SAFE
        self._bits = max(1, math.ceil(-math.log2(iou))) if self._filed else 1

    def joined(self, at: int) -> int:
        """Add a box to the object that it fits best, or begin one with it; return the object's number."""
        box, score, kind = self.edges[at], self.scores[at], self._kinds[at]
        to = self._best(box, kind)
        if to is None:
            to = len(self.means)
            self.means.append(box)
            self.weights.append(0.0)
            self.totals.append(0)
            self._weighted.append([0.0] * len(box))
            self._plain.append([0.0] * len(box))
            self._places.append(None)
        weighted = self._weighted[to] = [a + score * b for a, b in zip(self._weighted[to], box)]
        plain = self._plain[to] = [a + b for a, b in zip(self._plain[to], box)]
        weight = self.weights[to] = self.weights[to] + score
        total = self.totals[to] = self.totals[to] + 1
        self.means[to] = [a / weight for a in weighted] if weight > 0 else [a / total for a in plain]
        self._file(to, kind)
        return to

    def _best(self, box: list[float], kind: int) -> int | None:
        best, most = None, self._iou
        for number in self._near(box, kind):
            share = _share(self.means[number], box, self.axes)
            if share != share:  # NumPy's argmax takes the first NaN, which is above nothing
                return None
            if share > most or (share == most and best is not None and number < best):
                best, most = number, share
        return best

    def _file(self, number: int, kind: int) -> None:
        place = self._place(self.means[number])
        before = self._places[number]
        if place == before:
            return
        cells = self._cells[kind]
        if before is not None:
            cells[before].remove(number)
            if not cells[before]:
                del cells[before]
        if place is not None:
            cells.setdefault(place, []).append(number)
        self._places[number] = place

    def _place(self, box: list[float]) -> _Place | None:
        """Where an object is filed; None for one without area, which no box joins."""
        if not self._filed:
            return ()
        place: list[int] = []
        for low, high in zip(box, box[self.axes :]):
            length = high - low
            if length <= 0:
                return None
            level = math.frexp(length)[1] // self._bits
            place += (level, math.floor(low / self._side(level)))
        return tuple(place)

    def _side(self, level: int) -> float:
        """The length that those of a level are below."""
        return math.ldexp(1.0, (level + 1) * self._bits - 1)

    def _near(self, box: list[float], kind: int) -> Iterator[int]:
        """Every object that may share enough with a box, and some more; in no order."""
        cells = self._cells[kind]
        if not self._filed:
            yield from cells.get((), ())
            return
        several = [self._looked(low, high) for low, high in zip(box, box[self.axes :])]
        for parts in itertools.product(*several):
            found = cells.get(tuple(itertools.chain.from_iterable(parts)))
            if found:
                yield from found

    def _looked(self, low: float, high: float) -> list[tuple[int, int]]:
        """Levels and cells along one axis in which there may be an object that shares enough."""
        length = high - low
        if length <= 0:
            return []
        least = max(length * self._iou * _LESS, math.ulp(0.0))
        most = length / self._iou * _MORE
        first, last = (math.frexp(one)[1] // self._bits for one in (least, most))
        places: list[tuple[int, int]] = []
        for level in range(first, last + 1):
            side = self._side(level)
            longest, shortest = min(most, side), max(least, self._side(level - 1))
            room = _ROUNDING * abs(low) + (_MORE - 1) * (length + longest)
            begin = low - (longest - self._iou * max(length, longest)) - room
            end = low + length - self._iou * max(length, shortest) + room
            places += [(level, cell) for cell in range(math.floor(begin / side), math.floor(end / side) + 1)]
        return places


def _share(mean: list[float], box: list[float], axes: int) -> float:
    """Intersection over union; 0 where neither covers anything."""
    shared = whole = another = 1.0
    for k in range(axes):
        low, high, begin, end = mean[k], mean[axes + k], box[k], box[axes + k]
        shared *= max((high if high < end else end) - (low if low > begin else begin), 0.0)
        whole *= high - low
        another *= end - begin
    together = whole + another - shared
    return shared / together if together > 0 else 0.0

"""Connected components of a label image that lies on disk: those of its strips, united over the seams.

    for each strip            number its components; keep area, box and first pixel of each
    for each seam             neighbours on both sides of it with one label are one component: an edge
    components of the edges   say which numbers belong together; areas are added, boxes and first pixels joined

What is kept per component does not depend on where the seams were.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from offgraph import ndimage
from offgraph.core.errors import StepError
from offgraph.inference.tiling.strips import DiskArray, grown, strips
from offgraph.targets.regions import regions

__all__ = ["Components", "find_components"]

_MOST_NUMBERS = np.iinfo(np.int32).max


@dataclass(frozen=True, eq=False)
class Components:
    """The components of an image.

    Parameters
    ----------
    numbers : DiskArray
        int32, where each pixel has the number of a part of a component; 0 is background.
    whose : ndarray of int64
        To which component each part belongs, counted from 0; the entry of the background is -1.
    value : ndarray
        Label of each component.
    area : ndarray of int64
        Pixels of each.
    first : ndarray of int64
        Place of the first pixel of each, in C order.
    low, high : ndarray of int64, (count, axes)
        Its box.
    """

    numbers: DiskArray
    whose: np.ndarray
    value: np.ndarray
    area: np.ndarray
    first: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def table(self, of_component: np.ndarray, background: Any) -> np.ndarray:
        """What holds for components, for each number of a part."""
        table = np.full(len(self.whose), background, of_component.dtype)
        table[1:] = of_component[self.whose[1:]]
        return table


def find_components(
    labels: DiskArray, path: Path, connectivity: int, *, any_label: bool = False, most: int
) -> Components:
    """Find the connected components of each label, or of all labels taken together.

    Parameters
    ----------
    labels : DiskArray
    path : Path
        Where the numbers are written.
    connectivity : int
        1 for neighbours by sides, up to the number of axes for those by corners.
    any_label : bool
        Whether different labels that touch are one component.
    most : int
        Pixels of a strip.

    Raises
    ------
    StepError
        For more parts of components than int32 can number.
    """
    shape = labels.shape
    structure = ndimage.generate_binary_structure(len(shape), connectivity)
    numbers = DiskArray(path, shape, np.int32, new=True)
    found = _Found(len(shape))
    edges: list[np.ndarray] = []
    for window in strips(shape, most):
        values = labels[window]
        local = _numbered(values, structure, any_label)
        found.add(values, local, window, shape)
        local[local > 0] += found.count - found.last
        numbers[window] = local
        edges.extend(_seams(labels, numbers, window, structure, any_label))
    return found.joined(numbers, edges)


def _numbered(values: np.ndarray, structure: np.ndarray, any_label: bool) -> np.ndarray:
    """Number the components of a strip from 1."""
    if any_label:
        made: Any = ndimage.label(values != 0, structure)
        return made[0].astype(np.int32)
    out, total = np.zeros(values.shape, np.int32), 0
    for _, box, inside in regions(values):
        made = ndimage.label(inside, structure)
        out[box][inside] = made[0][inside] + total
        total += made[1]
    return out


class _Found:
    """What is known of the parts, strip after strip."""

    def __init__(self, axes: int) -> None:
        self.count, self.last, self._axes = 0, 0, axes
        self._parts: list[tuple[np.ndarray, ...]] = []

    def add(
        self, values: np.ndarray, local: np.ndarray, window: tuple[slice, ...], shape: tuple[int, ...]
    ) -> None:
        flat = local.ravel()
        places = np.flatnonzero(flat)
        self.last = int(flat.max(initial=0))
        self.count += self.last
        if self.count > _MOST_NUMBERS:
            raise StepError(
                f"more than {_MOST_NUMBERS:,} components, which cannot be numbered; smooth the probabilities, or remove specks"
            )
        if not self.last:
            return
        first = np.zeros(self.last + 1, np.int64)
        first[flat[places[::-1]]] = places[::-1]  # the last assignment counts: the first pixel
        start = np.array([one.start for one in window])
        boxes: Any = ndimage.find_objects(local)
        low = np.array([[side.start for side in box] for box in boxes], np.int64) + start
        high = np.array([[side.stop for side in box] for box in boxes], np.int64) + start
        offset = int(np.ravel_multi_index(tuple(start), shape))
        area = np.bincount(flat, minlength=self.last + 1)[1:]
        self._parts.append((values.ravel()[first[1:]], area, first[1:] + offset, low, high))

    def joined(self, numbers: DiskArray, edges: list[np.ndarray]) -> Components:
        """Unite the parts of each component."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        n, axes = self.count, self._axes
        if not self._parts:
            none, boxes = np.zeros(0, np.int64), np.zeros((0, axes), np.int64)
            return Components(numbers, np.full(1, -1, np.int64), none, none, none, boxes, boxes)
        value, area, first, low, high = (np.concatenate(each) for each in zip(*self._parts))
        pairs = np.concatenate(edges) - 1 if edges else np.zeros((0, 2), np.int64)
        graph = coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), (n, n))
        count, whose = connected_components(graph, directed=False)
        total = np.zeros(count, np.int64)
        np.add.at(total, whose, area)
        begin = np.full(count, np.iinfo(np.int64).max)
        np.minimum.at(begin, whose, first)
        least, most = np.full((count, axes), np.iinfo(np.int64).max), np.zeros((count, axes), np.int64)
        np.minimum.at(least, whose, low)
        np.maximum.at(most, whose, high)
        of = np.zeros(count, value.dtype)
        of[whose] = value
        whose = np.concatenate([[-1], whose]).astype(np.int64)
        return Components(numbers, whose, of, total, begin, least, most)


def _seams(
    labels: DiskArray, numbers: DiskArray, window: tuple[slice, ...], structure: np.ndarray, any_label: bool
) -> list[np.ndarray]:
    """Numbers that are neighbours across a seam between a strip and those before it."""
    found = []
    shape = labels.shape
    for axis, side in enumerate(window):
        if side.start == 0:
            continue
        here = tuple(slice(one.start, one.start + 1) if i == axis else one for i, one in enumerate(window))
        around = grown(here, tuple(int(i != axis) for i in range(len(shape))), shape)
        before = tuple(slice(one.start - 1, one.start) if i == axis else one for i, one in enumerate(around))
        ours, theirs = (numbers[here], labels[here]), (numbers[before], labels[before])
        for offset in itertools.product((-1, 0, 1), repeat=len(shape)):
            if offset[axis] != -1 or not structure[tuple(o + 1 for o in offset)]:
                continue
            mine, other = [], []
            for i, (one, wide) in enumerate(zip(here, before)):
                if i == axis:
                    mine.append(slice(None))
                    other.append(slice(None))
                    continue
                low = max(one.start, wide.start - offset[i])
                high = min(one.stop, wide.stop - offset[i])
                mine.append(slice(low - one.start, high - one.start))
                other.append(slice(low + offset[i] - wide.start, high + offset[i] - wide.start))
            a, b = ours[0][tuple(mine)], theirs[0][tuple(other)]
            both = (a > 0) & (b > 0)
            if not any_label:
                both &= ours[1][tuple(mine)] == theirs[1][tuple(other)]
            if both.any():
                found.append(np.unique(np.stack([a[both], b[both]], axis=1), axis=0).astype(np.int64))
    return found

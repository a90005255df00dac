"""Where a displacement folds, so that a point has several places.

Far outside a displacement is constant, so that places with positive determinants are one more than those with negative
ones. So a point has exactly one place unless some part with a determinant of zero or less covers it: `Folds` marks what
such parts cover.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from offgraph.geometry.spline_field import SplineField, determinant

__all__ = ["Folds"]

_NEAR = 64
"""Pixels outside the input, besides half its length, to which it is known exactly what folds cover."""


class Folds:
    """What the parts of a displacement that fold cover, as a raster of the input's pixels."""

    def __init__(self, field: SplineField, input_size: tuple[int, ...]) -> None:
        n = len(input_size)
        least, most = field.extent()
        margin = np.ceil(np.maximum(np.abs(least), np.abs(most))) + 1
        low, high = _folded_cells(field, margin) if field.order == 1 else _folded_boxes(field, margin)
        self._origin = np.zeros(n)
        self._raster = np.zeros((0,) * n, bool)
        # What a wild field covers may not fit into memory: far from the input all of it counts as covered, if any.
        size = np.array(input_size, float)[:, None]
        first, last = window = -(size // 2 + _NEAR), size + size // 2 + _NEAR
        self._window = window if ((low < first) | (high > last)).any() else None
        near = ((high >= first) & (low <= last)).all(axis=0)
        if near.any():
            low, high = (np.clip(ends[:, near], first, last) for ends in (low, high))
            corner, end = np.floor(low - 0.5).astype(np.intp), np.ceil(high + 0.5).astype(np.intp)
            least = corner.min(axis=1)
            self._origin = least.astype(np.float64)
            self._raster = _boxes_on(corner - least[:, None], end - least[:, None])

    def cover(self, points: np.ndarray) -> np.ndarray:
        """Return which points, shape (n, k), a folded part may cover."""
        result = np.zeros(points.shape[1], bool)
        if self._window is not None:
            result |= ((points < self._window[0]) | (points > self._window[1])).any(axis=0)
        if not self._raster.size:
            return result
        with np.errstate(invalid="ignore"):
            index = np.round(np.nan_to_num(points, nan=-1e9) - self._origin[:, None])
        limits = np.array(self._raster.shape)[:, None]
        inside = ((index >= 0) & (index < limits)).all(axis=0)
        result[inside] |= self._raster[tuple(index[:, inside].astype(np.intp))]
        return result


def _folded_boxes(field: SplineField, margin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of the input, shape (n, k), about samples of the output at which the map folds, and what lies between them.

    One sample for each output pixel, and two for each cell of the field's grid. Outside the output the field goes on as
    it ends: one sample on each side stands for all as far as the margin, its box stretched over them.
    """
    n = len(field.grid)
    places, gaps, outside = [], [], []
    for axis in range(n):
        cells = max(field.grid[axis] - 1, 1)
        length = max(field.output_size[axis] - 1, 1)
        count = int(np.ceil(length / min(1.0, length / cells / 2)))
        gap = length / count
        places.append(np.arange(-1, count + 2) * gap)
        gaps.append(gap)
        outside.append((np.ceil(margin[axis] / gap) - 1) * gap)
    matrices = field.lattice_matrices(places)
    slopes = field.lattice_slopes(matrices)
    folded = ~(determinant(slopes) > 0)
    index = np.nonzero(folded)
    positions = np.stack(
        [places[i][index[i]] + field.on_lattice(matrices, i, None)[folded] for i in range(n)]
    )
    reach = np.einsum("ijk,j->ik", np.abs(slopes[:, :, folded]), np.array(gaps))
    low, high = positions - reach, positions + reach
    for i in range(n):
        low[i, index[i] == 0] -= outside[i]
        high[i, index[i] == len(places[i]) - 1] += outside[i]
    return low, high


def _folded_cells(field: SplineField, margin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of the input, shape (n, k), that hold what the cells of an order-1 field cover that fold anywhere.

    Within a cell the map is linear along each axis. Its determinant is a mean of the determinants of edges, one edge of
    the cell for each axis, whichever: where all of these are positive it folds nowhere. In the plane they are those at
    the corners, so that no cell is taken that does not fold. The cell covers nothing outside its mapped corners.
    """
    n = len(field.grid)
    mapped = field.field
    nodes = []
    for axis, (g, length) in enumerate(zip(field.grid, field.output_size)):
        index = [0, *range(g), g - 1] if g > 1 else [0, 0, 0, 0]
        mapped = np.take(mapped, index, axis=axis + 1)  # beyond the output a field continues as it ends
        inner = np.linspace(0, max(length - 1, 1), max(g, 2))
        nodes.append(np.concatenate([[-margin[axis]], inner, [inner[-1] + margin[axis]]]))
    mapped = mapped + np.stack(np.meshgrid(*nodes, indexing="ij"))
    corners = np.stack([_ends(mapped, ends) for ends in itertools.product((0, 1), repeat=n)])
    edges = [
        [
            _ends(mapped, (*others[:axis], 1, *others[axis:]))
            - _ends(mapped, (*others[:axis], 0, *others[axis:]))
            for others in itertools.product((0, 1), repeat=n - 1)
        ]
        for axis in range(n)
    ]
    folded = np.zeros(corners.shape[2:], bool)
    for chosen in itertools.product(*edges):
        folded |= ~(determinant(np.stack(chosen, axis=1)) > 0)
    return corners.min(axis=0)[:, folded], corners.max(axis=0)[:, folded]


def _ends(nodes: np.ndarray, ends: Sequence[int]) -> np.ndarray:
    """The node of each cell at one of its corners: 0 before, 1 after along each axis; shape (n, *cells)."""
    return nodes[(slice(None), *(slice(1, None) if end else slice(None, -1) for end in ends))]


def _boxes_on(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """A raster, True within any of the boxes from low to high, both included; shape (n, boxes) each."""
    n = len(low)
    counts = np.zeros(tuple(high.max(axis=1) + 2), np.int64)
    for corner in np.ndindex(*[2] * n):
        index = tuple(high[i] + 1 if corner[i] else low[i] for i in range(n))
        np.add.at(counts, index, (-1) ** sum(corner))
    for axis in range(n):
        counts = counts.cumsum(axis=axis)
    return counts > 0

"""Maps that displace every pixel by a field, coarse or full, sampled by splines: elastic deformation.

The way back has no formula. It is found in four steps:

1. From y, begin at ``x = y - d(y)``; for many points, where a table of the inverse leads.
2. ``x -= inverse(J) @ (x + d(x) - y)`` with the derivative there; it is recomputed for points that do not converge.
3. Points that have not converged by then iterate ``x = y - d(x)``, half a step at a time.
4. A point that is not reached, or whose derivative is not positive there, has no place.

What a field that folds covers has several places, and is given none: `folds.py` says how that is known.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from offgraph.core.errors import OffgraphError
from offgraph.engine.coordinates import coordinates_planes, displaced_places
from offgraph.engine.resample import zoom_planes
from offgraph.geometry.base import box_of, finite_array, numbers, pixel_axes, pixel_grid, whole_size
from offgraph.geometry.folds import Folds
from offgraph.geometry.inverse_map import NumericMap
from offgraph.geometry.spline_field import SplineField, determinant

__all__ = ["MAX_FIELD", "DisplacementMap"]

MAX_FIELD = 1 << 20
"""Most numbers of a field that is read from JSON."""

_TOLERANCE = 1e-8
"""Largest error in pixels with which a place counts as found."""

_INJECTIVE = {1: 0.5, 2: 0.48, 3: 0.40}
"""By axes: displacements of control points, in distances between them, below which a cubic spline is injective."""

_FARTHEST = 2.0**31
"""Largest displacement in pixels: far beyond any image, and float32 and whole numbers hold it."""

_MOST_TURNS = 40
"""Steps with a derivative before the slow way is taken; three or four are usual."""


@dataclass(frozen=True, eq=False)
class DisplacementMap(SplineField, NumericMap):
    """Output pixel → input pixel: ``input = output + field(output)``, the field sampled by a spline.

    The corners of the field's grid lie on the centres of the output's corner pixels, as `scipy.ndimage.zoom` lays them;
    a field of the output's own size has one node for each pixel. Between nodes it is SciPy's spline in mode 'mirror',
    which passes through every node; outside the output it continues as it ends.

    Parameters
    ----------
    field : array_like of float64, shape (n, *grid)
        Displacements in input pixels, for each spatial axis on a grid of n axes.
    input_size, output_size : tuple of int
        Spatial lengths of the image before and after.
    order : int
        Spline order of the field, 1 to 5: 1 is linear between nodes, 3 is smooth.

    Raises
    ------
    OffgraphError
        For a shape that does not fit the sizes, an order that is not known, numbers that are not finite, and displacements
        beyond 2**31 pixels.

    Examples
    --------
    >>> field = np.zeros((2, 3, 3))
    >>> field[1, 1, 1] = 2.5
    >>> bent = DisplacementMap(field, (9, 9), (9, 9))
    >>> bent([[4, 4], [4, 5]]).round(3)
    array([[4.   , 6.5  ],
           [4.   , 7.109]])
    """

    field: np.ndarray
    input_size: tuple[int, ...]
    output_size: tuple[int, ...]
    order: int = 3

    kind: ClassVar[str] = "displacement"

    def __post_init__(self) -> None:
        field = finite_array(self.field, "a displacement field")
        sizes = whole_size(self.input_size), whole_size(self.output_size)
        n = len(sizes[0])
        if field.ndim != n + 1 or field.shape[0] != n or len(sizes[1]) != n or 0 in field.shape:
            raise OffgraphError(
                f"a displacement map between sizes {sizes[0]} and {sizes[1]} needs a field of shape ({n}, *grid) with "
                f"{n} axes to the grid; got {field.shape}"
            )
        if isinstance(self.order, bool) or self.order not in range(1, 6):
            raise OffgraphError(f"order={self.order!r:.80}: the spline order of a field is 1, 2, 3, 4 or 5")
        if np.abs(field).max() > _FARTHEST:
            raise OffgraphError(
                f"a displacement of {np.abs(field).max():.3g} pixels is beyond {_FARTHEST:.3g}; give a smaller one"
            )
        for name, value in zip(("field", "input_size", "output_size"), (field, *sizes)):
            object.__setattr__(self, name, value)

    def pull(self, components: np.ndarray) -> np.ndarray:
        """Add the field."""
        return components + self.displacement(components)

    def jacobian_components(self, components: np.ndarray) -> np.ndarray:
        """One, and the derivative of the spline."""
        return self.slopes(components)

    def pull_pixels(self) -> np.ndarray:
        """Return the input coordinates of every output pixel.

        The bytes of ``pixel + scipy.ndimage.zoom(field.astype("float32"), size / grid, order=order, mode="mirror")``,
        displacements below `nothing` taken as 0. Single precision is a ten-millionth of a displacement, and takes a
        tenth of the time.
        """
        dense = self.field
        if self.grid != self.output_size:
            axes = range(1, self.field.ndim)
            single = self.field.astype(np.float32)
            dense = zoom_planes(single, self.output_size, axes=axes, order=self.order, mode="mirror")
            dense[np.abs(dense) < np.float32(self.nothing)] = 0.0
        result = np.empty(dense.shape)
        for axis, along in enumerate(pixel_axes(self.output_size)):
            np.add(along, dense[axis], out=result[axis])
        return result

    @functools.cached_property
    def steepest_back(self) -> float:
        """A bound in the maximum norm on the derivative of the way back; infinite where it is not known.

        In the plane by samples, twelve for each cell of the grid, and how much the map's derivative changes in between.
        """
        bound = 1 / (1 - self.steepness) if self.steepness < 1 else math.inf
        if len(self.grid) != 2 or self.order == 1 or bound < 1.4:
            return bound
        counts = [min(12 * max(g - 1, 1), max(n - 1, 1)) + 1 for g, n in zip(self.grid, self.output_size)]
        places = [np.linspace(0, n - 1, count) for n, count in zip(self.output_size, counts)]
        slopes = self.lattice_slopes(self.lattice_matrices(places))
        reach = max((n - 1) / (count - 1) for n, count in zip(self.output_size, counts)) / 2
        sampled = 1.0
        # Beyond the output the displacement no longer changes along one of the axes.
        for constant in (None, 0, 1):
            (a, b), (c, d) = (
                [float(i == j) if j == constant else slopes[i, j] for j in range(2)] for i in range(2)
            )
            determinant = np.asarray(a * d - b * c)
            if not (determinant > 0).all():
                return bound
            sizes = np.maximum(np.abs(d) + np.abs(b), np.abs(c) + np.abs(a)) / determinant
            sampled = max(sampled, float(sizes.max()))
        left = 1 - sampled * self.curvature[0] * reach
        return min(bound, sampled / left) if left > 0.2 else bound

    @property
    def may_fold(self) -> bool:
        """Whether folds are possible: the field is steep, and its control points lie far apart.

        A uniform cubic B-spline whose control points are moved less than 0.48 of their distance (0.40 on three axes) is
        injective: Choi and Lee, Injectivity conditions of 2D and 3D uniform cubic B-spline functions, 2000. A shift of
        the whole field moves nothing over anything.
        """
        if self.steepness < 1:
            return False
        least, most = self.extent()
        far = float(((most - least) / 2 * self.scale).max())
        return self.order != 3 or far >= _INJECTIVE.get(len(self.input_size), 0.0)

    @functools.cached_property
    def _folds(self) -> Folds:
        return Folds(self, self.input_size)

    def push(self, components: np.ndarray) -> np.ndarray:
        """The place that each input point comes from; NaN where the field folds, or where none is found."""
        n, shape = len(self.input_size), components.shape[1:]
        goals = np.ascontiguousarray(components, np.float64).reshape(n, -1)
        places = np.full(goals.shape, np.nan)
        known: Any = np.isfinite(goals).all(axis=0)
        if self.may_fold:
            known &= ~self._folds.cover(goals)
        found = self._solve(_kept(known, goals))
        if self.may_fold and found.size:
            turned = ~(determinant(self.jacobian_components(found)) > 0)
            found[:, turned] = np.nan
        places[:, known] = found
        return places.reshape(components.shape) if shape else places.reshape(n)

    def _solve(self, goals: np.ndarray) -> np.ndarray:
        """Places of goals, shape (n, points); NaN where none is found."""
        if goals.shape[1] > 8 * math.prod(self._table_size):
            return self._search(goals)
        result = displaced_places(goals, self.padded_coefficients, self.output_size, self.order, self.nothing)
        lost = np.isnan(result[0])
        if lost.any():
            result[:, lost] = self._search(goals[:, lost])
        return result

    def _search(self, goals: np.ndarray) -> np.ndarray:
        """The four steps of this module's head, all points at once."""
        result = np.full(goals.shape, np.nan)
        active = np.arange(goals.shape[1])
        places, back = self._first_guess(goals)
        before = np.full(active.shape, np.inf)
        for _ in range(_MOST_TURNS):
            rest = places + self.displacement(places) - np.take(goals, active, axis=1)
            size = np.abs(rest).max(axis=0, initial=0)
            near = size < _TOLERANCE
            result[:, active[near]] = places[:, near]
            active, places, rest, size, before, back = (
                _kept(~near, array) for array in (active, places, rest, size, before, back)
            )
            if not active.size:
                return result
            slow = ~(size < 0.2 * before) | np.isnan(back).any(axis=(0, 1))
            if slow.any():
                back[..., slow] = _inverted(self.jacobian_components(_kept(slow, places)))
            step = sum(back[:, j] * rest[j] for j in range(len(rest)))
            length = np.abs(step).max(axis=0)
            longest = 1 + 2 * size  # a derivative near zero leads far away
            places = places - step * np.minimum(1, longest / np.maximum(length, 1e-300))
            before = size
        goals = np.take(goals, active, axis=1)
        places = goals - self.displacement(goals)
        for _ in range(10 * _MOST_TURNS):
            rest = places + self.displacement(places) - goals
            near = np.abs(rest).max(axis=0) < _TOLERANCE
            result[:, active[near]] = places[:, near]
            goals = _kept(~near, goals)
            active, places = _kept(~near, active), _kept(~near, places - 0.5 * rest)
            if not active.size:
                break
        return result

    def _first_guess(self, goals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places near those of the goals, and the inverse of the derivative there, NaN where it is not known.

        For many points both are read from a table, see `_table`: one step is then left to take.
        """
        n, count = goals.shape
        if count > 8 * math.prod(self._table_size):
            origin, spacing, table = self._table
            at = ((goals - origin[:, None]) / spacing[:, None]).reshape(n, -1, *[1] * (n - 1))
            axes = range(1, n + 1)
            moved = coordinates_planes(table[:n], at, axes=axes, order=1, mode="nearest").reshape(n, count)
            back = coordinates_planes(table[n:], at, axes=axes, order=1, mode="nearest").reshape(n, n, count)
            lost = np.isnan(moved).any(axis=0)
            if not lost.any():
                return goals + moved, back
            back[..., lost] = np.nan
            return np.where(lost, goals - self.displacement(goals), goals + moved), back
        return goals - self.displacement(goals), np.full((n, n, count), np.nan)

    @functools.cached_property
    def _table_size(self) -> tuple[int, ...]:
        """Samples of `_table`: about eight for each cell of the field's grid, four in space."""
        per_cell = 8 if len(self.grid) < 3 else 4
        return tuple(per_cell * (g + 1) + 1 for g in self.grid)

    @functools.cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The inverse on a lattice that reaches around the input: its origin, its spacing, and n + n * n numbers each.

        Those are the way from a point to its place, and the inverse of the derivative there; NaN where there is none.
        """
        n = len(self.input_size)
        least, most = self.extent()
        start, stop = np.minimum(least, 0) - 1, np.array(self.output_size) + np.maximum(most, 0)
        spacing = (stop - start) / (np.array(self._table_size) - 1)
        lattice = pixel_grid(self._table_size) * spacing.reshape(n, *[1] * n) + start.reshape(n, *[1] * n)
        points = lattice.reshape(n, -1)
        places = self._solve(points)
        back = _inverted(self.jacobian_components(places)).reshape(n * n, -1)
        table = np.concatenate([places - points, back]).reshape(-1, *self._table_size)
        return start, spacing, table

    def bounds(
        self, low: Sequence[float] | None = None, high: Sequence[float] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The box, and the field's extremes on each side, with the rounding of single precision."""
        (start, stop), (least, most) = box_of(self, low, high), self.extent()
        slack = np.maximum(np.abs(least), np.abs(most)) * 2.0**-21
        return start + least - slack, stop + most + slack

    def bounds_back(
        self, low: Sequence[float] | None = None, high: Sequence[float] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The box, and the field's extremes on the other sides."""
        (start, stop), (least, most) = box_of(self, low, high), self.extent()
        return start - most, stop - least

    def fields(self) -> dict[str, Any]:
        """The field and its order."""
        return {"field": self.field.tolist(), "order": self.order}

    @classmethod
    def from_fields(cls, data: dict[str, Any]) -> Self:
        """Read them."""
        field = numbers(data["field"], MAX_FIELD)
        return cls(field, tuple(data["input_size"]), tuple(data["output_size"]), data["order"])

    def _identity(self) -> tuple[Any, ...]:
        return (self.input_size, self.output_size, self.order, self.field.shape, (self.field + 0.0).tobytes())


def _kept(which: np.ndarray, array: np.ndarray) -> np.ndarray:
    """Some entries along the last axis, side by side in memory: indexing alone would lay them out by points."""
    return array if which.all() else np.compress(which, array, axis=-1)


def _inverted(slopes: np.ndarray) -> np.ndarray:
    """Inverses of matrices of shape (n, n, k); the identity where there is none."""
    lined = np.moveaxis(slopes, 2, 0)
    flat = ~(np.abs(np.linalg.det(lined)) > 1e-6)
    lined = np.where(flat[:, None, None], np.eye(len(slopes)), lined)
    return np.moveaxis(np.linalg.inv(lined), 0, 2)

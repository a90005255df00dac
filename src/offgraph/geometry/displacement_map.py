"""Maps that displace every pixel by a field, coarse or full, sampled by splines: elastic deformation.

The way back has no formula. It is found in four steps:

1. From y, begin at ``x = y - d(y)``; for many points, where a table of the inverse leads.
2. ``x -= inverse(J) @ (x + d(x) - y)`` with the derivative there; it is recomputed for points that do not converge.
3. Points that have not converged by then iterate ``x = y - d(x)``, half a step at a time.
4. A point that is not reached, or whose derivative is not positive there, has no place.

A field may fold: then a point has several places, at one of them with a negative determinant. Far outside a displacement
is constant, so that places with positive determinants are one more than those with negative ones. So a point has
exactly one place unless some part with a determinant of zero or less covers it: `_Folds` marks what such parts cover.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from offgraph.core.errors import OffgraphError
from offgraph.engine.coordinates import coordinates_planes, displaced_places
from offgraph.engine.resample import zoom_planes
from offgraph.engine.splines import prefiltered
from offgraph.geometry.base import box_of, finite_array, numbers, pixel_axes, pixel_grid, whole_size
from offgraph.geometry.bsplines import mirrored_taps, spline_matrix
from offgraph.geometry.inverse_map import NumericMap

__all__ = ["MAX_FIELD", "ROUNDING", "DisplacementMap"]

MAX_FIELD = 1 << 20
"""Most numbers of a field that is read from JSON."""

_TOLERANCE = 1e-8
"""Largest error in pixels with which a place counts as found."""

ROUNDING = 2.0**-42
"""Displacements below this part of the largest node count as none: the rounding of a spline's weighted sum in float64."""

_PAD = 3
"""Samples beyond its interval that a spline of any order reads."""

_INJECTIVE = {1: 0.5, 2: 0.48, 3: 0.40}
"""By axes: displacements of control points, in distances between them, below which a cubic spline is injective."""

_NEAR = 64
"""Pixels outside the input, besides half its length, to which it is known exactly what folds cover."""

_FARTHEST = 2.0**31
"""Largest displacement in pixels: far beyond any image, and float32 and whole numbers hold it."""

_MOST_TURNS = 40
"""Steps with a derivative before the slow way is taken; three or four are usual."""


@dataclass(frozen=True, eq=False)
class DisplacementMap(NumericMap):
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

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of nodes along each axis."""
        return self.field.shape[1:]

    @functools.cached_property
    def nothing(self) -> float:
        """The largest displacement, in pixels, that counts as none, so that pixels stay exactly where the field is 0."""
        return float(np.abs(self.field).max()) * ROUNDING

    @functools.cached_property
    def _coefficients(self) -> np.ndarray:
        """Spline coefficients of the field, shape (n, *grid)."""
        if self.order < 2:
            return self.field
        coefficients, _ = prefiltered(self.field, range(1, self.field.ndim), self.order, "mirror", 0.0)
        return np.ascontiguousarray(coefficients)

    @functools.cached_property
    def scale(self) -> tuple[float, ...]:
        """Nodes per output pixel, for each axis."""
        return tuple((g - 1) / (n - 1) if n > 1 else 0.0 for g, n in zip(self.grid, self.output_size))

    def _on_grid(self, components: np.ndarray) -> np.ndarray:
        """Positions on the grid, those outside moved to its border; NaN stays."""
        return np.stack(
            [np.clip(along * scale, 0, g - 1) for along, scale, g in zip(components, self.scale, self.grid)]
        )

    @functools.cached_property
    def padded_coefficients(self) -> np.ndarray:
        """The coefficients with the three on each side that a spline reads beyond the border: no point is then near one.

        On a grid of few nodes nearly all are, and they take six times as long.
        """
        return np.pad(self._coefficients, [(0, 0), *[(_PAD, _PAD)] * len(self.grid)], mode="reflect")

    def displacement(self, components: np.ndarray) -> np.ndarray:
        """Return the field at output coordinates, both of shape (n, ...).

        The values of ``scipy.ndimage.map_coordinates(field, grid_positions, order=order, mode="mirror")``, but for the
        last bits; 0 below `nothing`.
        """
        places = self._on_grid(components) + _PAD
        lost = np.isnan(places).any(axis=0)
        if lost.any():
            places = np.where(lost, float(_PAD), places)
        n, shape = len(self.input_size), places.shape[1:]
        lined = places.reshape(n, -1, *[1] * (n - 1))
        found = coordinates_planes(
            self.padded_coefficients,
            lined,
            axes=range(1, n + 1),
            order=self.order,
            mode="mirror",
            prefilter=False,
        ).reshape(n, *shape)
        found[np.abs(found) < self.nothing] = 0.0
        if lost.any():
            found[:, lost] = np.nan
        return found

    def pull(self, components: np.ndarray) -> np.ndarray:
        """Add the field."""
        return components + self.displacement(components)

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

    def jacobian_components(self, components: np.ndarray) -> np.ndarray:
        """One, and the derivative of the spline: products of weights over the nodes about each point."""
        n, places = len(self.input_size), self._on_grid(components)
        lost = np.isnan(places).any(axis=0)
        places = np.where(lost, 0.0, places)
        taps = [mirrored_taps(places[axis], self.order, self.grid[axis]) for axis in range(n)]
        within = [
            (along >= 0) & (along <= length - 1) & (g > 1)
            for along, length, g in zip(components, self.output_size, self.grid)
        ]
        result = np.zeros((n, n, *components.shape[1:]))
        for tap in np.ndindex(*[self.order + 1] * n):
            nodes = tuple(taps[axis][0][tap[axis]] for axis in range(n))
            for j in range(n):
                factor = np.where(within[j], self.scale[j], 0.0)
                for axis in range(n):
                    factor = factor * taps[axis][2 if axis == j else 1][tap[axis]]
                for i in range(n):
                    result[i, j] += self._coefficients[i][nodes] * factor
        for i in range(n):
            result[i, i] += 1
        result[:, :, lost] = np.nan
        return result

    @functools.cached_property
    def steepness(self) -> float:
        """A bound on how fast the displacement changes per output pixel, in the maximum norm.

        Below 1 the map cannot fold: two points come no nearer than 1 less this, times their distance. The derivative of
        a spline is a mean of the differences of its coefficients.
        """
        n = len(self.input_size)
        slopes = np.zeros((n, n))
        for j in range(n):
            if self.grid[j] > 1:
                steps = np.abs(np.diff(self._coefficients, axis=j + 1))
                slopes[:, j] = steps.reshape(n, -1).max(axis=1) * self.scale[j]
        return float(slopes.sum(axis=1).max())

    @functools.cached_property
    def is_separable(self) -> bool:
        """Whether each axis is displaced by its own coordinate alone, so that boxes stay boxes."""
        return all(
            not np.diff(component, axis=axis).any()
            for own, component in enumerate(self.field)
            for axis in range(component.ndim)
            if axis != own
        )

    @functools.cached_property
    def curvature(self) -> tuple[float, float]:
        """Bounds in the maximum norm on how the derivative changes: per output pixel, and at a line of nodes (order 1).

        Within the output. The second derivatives of a spline are means of the second differences of its coefficients.
        """
        n = len(self.input_size)
        smooth, kinks = np.zeros(n), np.zeros(n)
        for j in range(n):
            for k in range(n):
                steps = np.diff(np.diff(self.padded_coefficients, axis=j + 1), axis=k + 1)
                most = np.abs(steps).reshape(n, -1).max(axis=1) * self.scale[j]
                if j == k and self.order == 1:
                    kinks += most
                else:
                    smooth += most * self.scale[k]
        return float(smooth.max()), float(kinks.max())

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
        slopes = _sampled_slopes(self, places)
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
        least, most = self._extent()
        far = float(((most - least) / 2 * self.scale).max())
        return self.order != 3 or far >= _INJECTIVE.get(len(self.input_size), 0.0)

    @functools.cached_property
    def _folds(self) -> _Folds:
        return _Folds(self)

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
            turned = ~(_determinant(self.jacobian_components(found)) > 0)
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
        least, most = self._extent()
        start, stop = np.minimum(least, 0) - 1, np.array(self.output_size) + np.maximum(most, 0)
        spacing = (stop - start) / (np.array(self._table_size) - 1)
        lattice = pixel_grid(self._table_size) * spacing.reshape(n, *[1] * n) + start.reshape(n, *[1] * n)
        points = lattice.reshape(n, -1)
        places = self._solve(points)
        back = _inverted(self.jacobian_components(places)).reshape(n * n, -1)
        table = np.concatenate([places - points, back]).reshape(-1, *self._table_size)
        return start, spacing, table

    def _extent(self) -> tuple[np.ndarray, np.ndarray]:
        """Least and largest displacement on each axis: a spline is a mean of its coefficients."""
        lined = self._coefficients.reshape(len(self.input_size), -1)
        return lined.min(axis=1), lined.max(axis=1)

    def bounds(
        self, low: Sequence[float] | None = None, high: Sequence[float] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The box, and the field's extremes on each side, with the rounding of single precision."""
        (start, stop), (least, most) = box_of(self, low, high), self._extent()
        slack = np.maximum(np.abs(least), np.abs(most)) * 2.0**-21
        return start + least - slack, stop + most + slack

    def bounds_back(
        self, low: Sequence[float] | None = None, high: Sequence[float] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The box, and the field's extremes on the other sides."""
        (start, stop), (least, most) = box_of(self, low, high), self._extent()
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


class _Folds:
    """What the parts of a displacement that fold cover, as a raster of the input's pixels."""

    def __init__(self, step: DisplacementMap) -> None:
        n = len(step.input_size)
        least, most = step._extent()
        margin = np.ceil(np.maximum(np.abs(least), np.abs(most))) + 1
        low, high = _folded_cells(step, margin) if step.order == 1 else _folded_boxes(step, margin)
        self._origin = np.zeros(n)
        self._raster = np.zeros((0,) * n, bool)
        # What a wild field covers may not fit into memory: far from the input all of it counts as covered, if any.
        size = np.array(step.input_size, float)[:, None]
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


def _folded_boxes(step: DisplacementMap, margin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of the input, shape (n, k), about samples of the output at which the map folds, and what lies between them.

    One sample for each output pixel, and two for each cell of the field's grid. Outside the output the field goes on as
    it ends: one sample on each side stands for all as far as the margin, its box stretched over them.
    """
    n = len(step.input_size)
    places, gaps, outside = [], [], []
    for axis in range(n):
        cells = max(step.grid[axis] - 1, 1)
        length = max(step.output_size[axis] - 1, 1)
        count = int(np.ceil(length / min(1.0, length / cells / 2)))
        gap = length / count
        places.append(np.arange(-1, count + 2) * gap)
        gaps.append(gap)
        outside.append((np.ceil(margin[axis] / gap) - 1) * gap)
    matrices = _lattice_matrices(step, places)
    slopes = _sampled_slopes(step, places)
    folded = ~(_determinant(slopes) > 0)
    index = np.nonzero(folded)
    positions = np.stack(
        [places[i][index[i]] + _on_lattice(step, matrices, i, None)[folded] for i in range(n)]
    )
    reach = np.einsum("ijk,j->ik", np.abs(slopes[:, :, folded]), np.array(gaps))
    low, high = positions - reach, positions + reach
    for i in range(n):
        low[i, index[i] == 0] -= outside[i]
        high[i, index[i] == len(places[i]) - 1] += outside[i]
    return low, high


def _folded_cells(step: DisplacementMap, margin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of the input, shape (n, k), that hold what the cells of an order-1 field cover that fold anywhere.

    Within a cell the map is linear along each axis. Its determinant is a mean of the determinants of edges, one edge of
    the cell for each axis, whichever: where all of these are positive it folds nowhere. In the plane they are those at
    the corners, so that no cell is taken that does not fold. The cell covers nothing outside its mapped corners.
    """
    n = len(step.grid)
    mapped = step.field
    nodes = []
    for axis, (g, length) in enumerate(zip(step.grid, step.output_size)):
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
        folded |= ~(_determinant(np.stack(chosen, axis=1)) > 0)
    return corners.min(axis=0)[:, folded], corners.max(axis=0)[:, folded]


def _ends(nodes: np.ndarray, ends: Sequence[int]) -> np.ndarray:
    """The node of each cell at one of its corners: 0 before, 1 after along each axis; shape (n, *cells)."""
    return nodes[(slice(None), *(slice(1, None) if end else slice(None, -1) for end in ends))]


def _sampled_slopes(step: DisplacementMap, places: list[np.ndarray]) -> np.ndarray:
    """Derivatives of a map on a lattice, shape (n, n, *lattice)."""
    n = len(places)
    matrices = _lattice_matrices(step, places)
    slopes = np.stack([np.stack([_on_lattice(step, matrices, i, j) for j in range(n)]) for i in range(n)])
    for i in range(n):
        slopes[i, i] += 1
    return slopes


def _lattice_matrices(step: DisplacementMap, places: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each axis of a lattice what takes the nodes to the spline, and to its derivative."""
    matrices = []
    for axis, along in enumerate(places):
        g = step.grid[axis]
        on_grid = np.clip(along * step.scale[axis], 0, g - 1)
        value, slope = spline_matrix(on_grid, step.order, g)
        outside = (along < 0) | (along > step.output_size[axis] - 1)
        slope = np.where(outside[:, None] | (g == 1), 0.0, slope * step.scale[axis])
        matrices.append((value, slope))
    return matrices


def _on_lattice(
    step: DisplacementMap,
    matrices: list[tuple[np.ndarray, np.ndarray]],
    component: int,
    derived: int | None,
) -> np.ndarray:
    """One component of the displacement on a lattice, or its derivative along an axis."""
    result = step._coefficients[component]
    for axis, both in enumerate(matrices):
        result = np.moveaxis(np.tensordot(both[axis == derived], result, (1, axis)), 0, axis)
    return result


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


def _kept(which: np.ndarray, array: np.ndarray) -> np.ndarray:
    """Some entries along the last axis, side by side in memory: indexing alone would lay them out by points."""
    return array if which.all() else np.compress(which, array, axis=-1)


def _determinant(slopes: np.ndarray) -> np.ndarray:
    """Determinants of matrices on the first two axes."""
    with np.errstate(invalid="ignore"):
        return np.linalg.det(np.moveaxis(slopes, (0, 1), (-2, -1)))


def _inverted(slopes: np.ndarray) -> np.ndarray:
    """Inverses of matrices of shape (n, n, k); the identity where there is none."""
    lined = np.moveaxis(slopes, 2, 0)
    flat = ~(np.abs(np.linalg.det(lined)) > 1e-6)
    lined = np.where(flat[:, None, None], np.eye(len(slopes)), lined)
    return np.moveaxis(np.linalg.inv(lined), 0, 2)

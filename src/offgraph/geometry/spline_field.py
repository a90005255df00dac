"""A field of displacements on a grid of nodes, sampled by a spline: its values, its derivatives, and bounds on them."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from offgraph.engine.coordinates import coordinates_planes
from offgraph.engine.splines import prefiltered
from offgraph.geometry.bsplines import mirrored_taps, spline_matrix

__all__ = ["ROUNDING", "LatticeMatrices", "SplineField", "determinant"]

ROUNDING = 2.0**-42
"""Displacements below this part of the largest node count as none: the rounding of a spline's weighted sum in float64."""

_PAD = 3
"""Samples beyond its interval that a spline of any order reads."""

LatticeMatrices = list[tuple[np.ndarray, np.ndarray]]
"""For each axis of a lattice what takes the nodes to the spline there, and to its derivative."""


class SplineField:
    """What is displaced where; a class of it has the field, the size it is laid over, and the order of the spline."""

    field: np.ndarray
    output_size: tuple[int, ...]
    order: int

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of nodes along each axis."""
        return self.field.shape[1:]

    @functools.cached_property
    def nothing(self) -> float:
        """The largest displacement, in pixels, that counts as none, so that pixels stay exactly where the field is 0."""
        return float(np.abs(self.field).max()) * ROUNDING

    @functools.cached_property
    def coefficients(self) -> np.ndarray:
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
        return np.pad(self.coefficients, [(0, 0), *[(_PAD, _PAD)] * len(self.grid)], mode="reflect")

    def displacement(self, components: np.ndarray) -> np.ndarray:
        """Return the field at output coordinates, both of shape (n, ...).

        The values of ``scipy.ndimage.map_coordinates(field, grid_positions, order=order, mode="mirror")``, but for the
        last bits; 0 below `nothing`.
        """
        places = self._on_grid(components) + _PAD
        lost = np.isnan(places).any(axis=0)
        if lost.any():
            places = np.where(lost, float(_PAD), places)
        n, shape = len(self.grid), places.shape[1:]
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

    def slopes(self, components: np.ndarray) -> np.ndarray:
        """One, and the derivative of the spline: products of weights over the nodes about each point."""
        n, places = len(self.grid), self._on_grid(components)
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
                    result[i, j] += self.coefficients[i][nodes] * factor
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
        n = len(self.grid)
        slopes = np.zeros((n, n))
        for j in range(n):
            if self.grid[j] > 1:
                steps = np.abs(np.diff(self.coefficients, axis=j + 1))
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
        n = len(self.grid)
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

    def extent(self) -> tuple[np.ndarray, np.ndarray]:
        """Least and largest displacement on each axis: a spline is a mean of its coefficients."""
        lined = self.coefficients.reshape(len(self.grid), -1)
        return lined.min(axis=1), lined.max(axis=1)

    def lattice_slopes(self, matrices: LatticeMatrices) -> np.ndarray:
        """Return the derivatives of the map on a lattice, shape (n, n, *lattice)."""
        n = len(matrices)
        slopes = np.stack([np.stack([self.on_lattice(matrices, i, j) for j in range(n)]) for i in range(n)])
        for i in range(n):
            slopes[i, i] += 1
        return slopes

    def lattice_matrices(self, places: Sequence[np.ndarray]) -> LatticeMatrices:
        """Return for each axis of a lattice what takes the nodes to the spline, and to its derivative."""
        matrices = []
        for axis, along in enumerate(places):
            g = self.grid[axis]
            on_grid = np.clip(along * self.scale[axis], 0, g - 1)
            value, slope = spline_matrix(on_grid, self.order, g)
            outside = (along < 0) | (along > self.output_size[axis] - 1)
            slope = np.where(outside[:, None] | (g == 1), 0.0, slope * self.scale[axis])
            matrices.append((value, slope))
        return matrices

    def on_lattice(self, matrices: LatticeMatrices, component: int, derived: int | None) -> np.ndarray:
        """Return one component of the displacement on a lattice, or its derivative along an axis."""
        result = self.coefficients[component]
        for axis, both in enumerate(matrices):
            result = np.moveaxis(np.tensordot(both[axis == derived], result, (1, axis)), 0, axis)
        return result


def determinant(slopes: np.ndarray) -> np.ndarray:
    """Determinants of matrices on the first two axes."""
    with np.errstate(invalid="ignore"):
        return np.linalg.det(np.moveaxis(slopes, (0, 1), (-2, -1)))

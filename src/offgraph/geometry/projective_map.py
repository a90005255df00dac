"""Projective coordinate maps: perspective, which keeps straight lines but not parallels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from offgraph.core.errors import OffgraphError
from offgraph.geometry.base import (
    CoordinateMap,
    box_of,
    dot,
    finite_array,
    inverse_matrix,
    numbers,
    whole_size,
)

__all__ = ["ProjectiveMap"]


@dataclass(frozen=True, eq=False)
class ProjectiveMap(CoordinateMap):
    """Output pixel → input pixel: ``[w * input, w] = matrix @ [output, 1]``.

    A point maps where w is positive. Where w falls to zero lies the horizon; at and behind it nothing maps, and the
    coordinates are NaN.

    Parameters
    ----------
    matrix : array_like of float64, shape (n + 1, n + 1)
        n is the number of spatial axes. A positive factor changes nothing; a negative one swaps the sides of the
        horizon.
    input_size, output_size : tuple of int
        Spatial lengths of the image before and after.

    Raises
    ------
    OffgraphError
        For a shape that does not fit the sizes, or numbers that are not finite.

    Examples
    --------
    >>> corners = [(0, 0), (0, 9), (9, 0), (9, 9)]
    >>> seen = ProjectiveMap.from_points(corners, [(0, 1), (1, 8), (9, 0), (9, 9)], (10, 10), (10, 10))
    >>> seen([(0, 0), (9, 9)]).round(9)
    array([[0., 1.],
           [9., 9.]])
    """

    matrix: np.ndarray
    input_size: tuple[int, ...]
    output_size: tuple[int, ...]

    kind: ClassVar[str] = "projective"
    generality: ClassVar[int | None] = 2

    def __post_init__(self) -> None:
        matrix = finite_array(self.matrix, "a projective map")
        sizes = whole_size(self.input_size), whole_size(self.output_size)
        n = len(sizes[0])
        if matrix.shape != (n + 1, n + 1) or len(sizes[1]) != n:
            raise OffgraphError(
                f"a projective map between sizes {sizes[0]} and {sizes[1]} needs a matrix of {n + 1} x {n + 1}; "
                f"got {matrix.shape}"
            )
        for name, value in zip(("matrix", "input_size", "output_size"), (matrix, *sizes)):
            object.__setattr__(self, name, value)

    @classmethod
    def from_points(
        cls, output: Any, input: Any, input_size: Sequence[int], output_size: Sequence[int]
    ) -> ProjectiveMap:
        """Return the map that takes n + 2 output points to n + 2 input points; four in an image.

        Parameters
        ----------
        output, input : array_like of float64, shape (n + 2, n)
            No n + 1 of them lie on one line (in a volume: plane).
        input_size, output_size : sequence of int

        Raises
        ------
        OffgraphError
            Where the points decide on no such map: on one line, or with the horizon between the output points.
        """
        sides = []
        for name, points in (("output", output), ("input", input)):
            array = finite_array(points, f"{name} points")
            n = len(input_size)
            if array.shape != (n + 2, n):
                raise OffgraphError(
                    f"{name} points of shape {array.shape}: {n + 2} points of {n} axes decide a map"
                )
            columns = np.vstack([array.T, np.ones(n + 2)])
            weights = _solved(columns[:, :-1], columns[:, -1:])
            if weights is None or np.abs(weights).min() < 1e-9:
                raise OffgraphError(
                    f"{name} points {array.tolist()} lie on one line: they decide no projective map"
                )
            sides.append(columns[:, :-1] * weights[:, 0])
        back = _solved(sides[0].T, sides[1].T)
        assert back is not None
        matrix = back.T
        last = matrix[-1].tolist()
        scales = np.array([dot(last, (*point, 1.0)) for point in np.asarray(output, np.float64).tolist()])
        if scales.max() < 0:
            matrix, scales = -matrix, -scales
        if scales.min() <= 0:
            raise OffgraphError(
                "the horizon lies between the output points: the input points' outline is not convex"
            )
        return cls(matrix / scales.max(), tuple(input_size), tuple(output_size))

    @property
    def preserves_lines(self) -> bool:
        """In front of the horizon."""
        return True

    def generalized(self) -> ProjectiveMap:
        """The most general of the maps that join."""
        return self

    def times(self, after: ProjectiveMap) -> ProjectiveMap:
        """Join two projective maps into one, by plain sums of products: the same bits on every machine.

        A common factor keeps the numbers near 1.
        """
        columns = list(zip(*after.matrix.tolist()))
        matrix = np.array([[dot(row, column) for column in columns] for row in self.matrix.tolist()])
        largest = float(np.abs(matrix).max())
        return ProjectiveMap(matrix / largest if largest > 0 else matrix, self.input_size, after.output_size)

    def inverse(self) -> ProjectiveMap:
        """Return the projective map from input to output pixels.

        Raises
        ------
        OffgraphError
            Where the map flattens the image, so that there is no way back.
        """
        matrix = inverse_matrix(self.matrix)
        return ProjectiveMap(matrix, self.output_size, self.input_size)

    def _homogeneous(self, components: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The products ``matrix @ [output, 1]``: those of the axes, and w, NaN at the horizon and behind it."""
        n = len(self.input_size)
        result = np.empty((n + 1, *components.shape[1:]))
        for i, row in enumerate(self.matrix.tolist()):
            to = result[i, ...]
            to[...] = row[n]
            for factor, along in zip(row, components):
                to += factor * along
        scale = result[n]
        return result[:n], np.where(scale > 0, scale, np.nan)

    def pull(self, components: np.ndarray) -> np.ndarray:
        """Divide by w; the additions begin with the last column, as those of an affine map with the offset."""
        products, scale = self._homogeneous(components)
        with np.errstate(over="ignore"):
            result = products / scale
        result[~np.isfinite(result)] = np.nan
        return result

    def push(self, components: np.ndarray) -> np.ndarray:
        """The inverse projective map."""
        return self.inverse().pull(components)

    def jacobian_components(self, components: np.ndarray) -> np.ndarray:
        """The quotient rule."""
        n = len(self.input_size)
        products, scale = self._homogeneous(components)
        result = np.empty((n, n, *components.shape[1:]))
        for i in range(n):
            for j in range(n):
                result[i, j] = (self.matrix[i, j] - products[i] / scale * self.matrix[n, j]) / scale
        return result

    def bounds(
        self, low: Sequence[float] | None = None, high: Sequence[float] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Exact where the box lies in front of the horizon: the corners bound it. Infinite otherwise."""
        n, rows = len(self.input_size), self.matrix.tolist()
        # Few numbers, and asked for with every image: as `pull` computes them, without arrays.
        ends = [np.asarray(end, np.float64).tolist() for end in box_of(self, low, high)]
        places = []
        for corner in itertools.product(*zip(*ends)):
            sums = []
            for row in rows:
                total = row[n]
                for factor, along in zip(row, corner):
                    total = total + factor * along
                sums.append(total)
            scale = sums.pop()
            if not (scale > 0 and all(map(math.isfinite, (*corner, *sums)))):
                return np.full(n, -np.inf), np.full(n, np.inf)
            places.append([total / scale for total in sums])
        found = np.array(places)
        if not np.isfinite(found).all():
            return np.full(n, -np.inf), np.full(n, np.inf)
        return found.min(axis=0), found.max(axis=0)

    def fields(self) -> dict[str, Any]:
        """The matrix."""
        return {"matrix": self.matrix.tolist()}

    @classmethod
    def from_fields(cls, data: dict[str, Any]) -> Self:
        """Read it."""
        return cls(numbers(data["matrix"], 64), tuple(data["input_size"]), tuple(data["output_size"]))


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    """Solve a small linear system by elimination, with the same bits on every machine; None if it is singular.

    LAPACK's order of additions depends on the processor, and what a step draws decides its pixels everywhere.
    """
    n = len(matrix)
    rows = np.hstack([matrix, right]).tolist()
    for column in range(n):
        pivot = max(range(column, n), key=lambda i: abs(rows[i][column]))
        if abs(rows[pivot][column]) < 1e-300:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for i in range(n):
            if i != column:
                factor = rows[i][column] / rows[column][column]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[column])]
    return np.array([[value / row[i] for value in row[n:]] for i, row in enumerate(rows)])

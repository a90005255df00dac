"""Affine coordinate maps."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from offgraph.core.errors import OffgraphError
from offgraph.geometry.base import CoordinateMap, finite_array, numbers, whole_size
from offgraph.geometry.projective_map import ProjectiveMap

__all__ = ["AffineMap"]


@dataclass(frozen=True, eq=False)
class AffineMap(CoordinateMap):
    """Output pixel → input pixel: ``input = matrix @ output + offset``.

    Parameters
    ----------
    matrix : array_like of float64, shape (n, n)
        n is the number of spatial axes.
    offset : array_like of float64, shape (n,)
        In input pixels.
    input_size, output_size : tuple of int
        Spatial lengths of the image before and after.

    Raises
    ------
    OffgraphError
        For shapes that do not fit the sizes, or numbers that are not finite.

    Examples
    --------
    >>> AffineMap.identity((4, 6)).then(AffineMap(np.eye(2), (1, 2), (4, 6), (2, 2))).offset
    array([1., 2.])
    """

    matrix: np.ndarray
    offset: np.ndarray
    input_size: tuple[int, ...]
    output_size: tuple[int, ...]

    kind: ClassVar[str] = "affine"
    generality: ClassVar[int | None] = 1

    def __post_init__(self) -> None:
        matrix, offset = finite_array(self.matrix, "a map"), finite_array(self.offset, "a map")
        sizes = whole_size(self.input_size), whole_size(self.output_size)
        n = len(sizes[0])
        if matrix.shape != (n, n) or offset.shape != (n,) or len(sizes[1]) != n:
            raise OffgraphError(
                f"a map between sizes {sizes[0]} and {sizes[1]} needs a matrix of {n} x {n} and an offset of {n}; "
                f"got {matrix.shape} and {offset.shape}"
            )
        vars(self).update(matrix=matrix, offset=offset, input_size=sizes[0], output_size=sizes[1])

    @classmethod
    def identity(cls, size: Sequence[int]) -> AffineMap:
        """Return the map that leaves an image of this size as it is."""
        return cls(np.eye(len(size)), np.zeros(len(size)), tuple(size), tuple(size))

    @classmethod
    def window(cls, start: Sequence[int], size: tuple[int, ...], input_size: tuple[int, ...]) -> AffineMap:
        """Return the map of a crop or a pad: ``size`` pixels from ``start``, which may lie outside."""
        return cls(np.eye(len(size)), np.asarray(start, np.float64), input_size, size)

    @property
    def is_identity(self) -> bool:
        """Whether every pixel stays where it is."""
        is_same = self.input_size == self.output_size and not self.offset.any()
        return is_same and bool((self.matrix == np.eye(len(self.offset))).all())

    @classmethod
    def of_numbers(
        cls,
        matrix: list[list[float]],
        offset: list[float],
        input_size: tuple[int, ...],
        output_size: tuple[int, ...],
    ) -> AffineMap:
        """Return a map of numbers that come from maps: their shapes fit, and only an overflow is looked for."""
        if not all(math.isfinite(sum(row) + first) for row, first in zip(matrix, offset)):
            return cls(np.array(matrix), np.array(offset), input_size, output_size)
        made = object.__new__(cls)
        numbers = np.array(matrix, np.float64), np.array(offset, np.float64)
        numbers[0].flags.writeable = numbers[1].flags.writeable = False
        vars(made).update(
            matrix=numbers[0], offset=numbers[1], input_size=input_size, output_size=output_size
        )
        return made

    @property
    def preserves_lines(self) -> bool:
        """Always."""
        return True

    def on_axes(self, axes: Sequence[int]) -> AffineMap:
        """Return the map on some of its spatial axes, where the others stay as they are."""
        kept = list(axes)
        return AffineMap(
            self.matrix[kept][:, kept],
            self.offset[kept],
            tuple(self.input_size[axis] for axis in kept),
            tuple(self.output_size[axis] for axis in kept),
        )

    def projective(self) -> ProjectiveMap:
        """Return the same map as a projective one."""
        n = len(self.offset)
        matrix = np.eye(n + 1)
        matrix[:n, :n], matrix[:n, n] = self.matrix, self.offset
        return ProjectiveMap(matrix, self.input_size, self.output_size)

    def generalized(self) -> ProjectiveMap:
        """The projective map."""
        return self.projective()

    @functools.cached_property
    def rows(self) -> list[tuple[list[float], float]]:
        """For each input axis a row of the matrix, and the offset, as plain numbers."""
        return list(zip(self.matrix.tolist(), self.offset.tolist()))

    def times(self, after: AffineMap) -> AffineMap:
        """Join two affine maps into one, by plain sums of products: the same bits on every machine."""
        matrix, offset = [], []
        columns, shift = list(zip(*after.matrix.tolist())), after.offset.tolist()
        for row, first in self.rows:
            matrix.append([sum(map(operator.mul, row, column)) for column in columns])
            offset.append(sum(map(operator.mul, row, shift)) + first)
        return AffineMap.of_numbers(matrix, offset, self.input_size, after.output_size)

    def inverse(self) -> AffineMap:
        """Return the map input pixel → output pixel.

        Raises
        ------
        OffgraphError
            Where the map flattens the image (a scale of zero), so that there is no way back.
        """
        try:
            matrix = np.linalg.inv(self.matrix)
        except np.linalg.LinAlgError:
            raise OffgraphError(
                f"the matrix {self.matrix.tolist()} has no inverse: there is no way back"
            ) from None
        return AffineMap(matrix, -(matrix @ self.offset), self.output_size, self.input_size)

    def pull(self, components: np.ndarray) -> np.ndarray:
        """SciPy's order of additions: the offset, then each product, without fused multiply-add."""
        result = np.empty(components.shape)
        for i, (row, first) in enumerate(zip(self.matrix.tolist(), self.offset.tolist())):
            to = result[i, ...]
            to[...] = first
            for factor, along in zip(row, components):
                to += factor * along
        return result

    def push(self, components: np.ndarray) -> np.ndarray:
        """The inverse affine map."""
        return self.inverse().pull(components)

    def jacobian_components(self, components: np.ndarray) -> np.ndarray:
        """The matrix, everywhere."""
        n = len(self.offset)
        shape = (n, n, *components.shape[1:])
        return np.broadcast_to(self.matrix.reshape(n, n, *[1] * (components.ndim - 1)), shape).copy()

    def bounds(
        self, low: Sequence[float] | None = None, high: Sequence[float] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Exact: each product is taken at the end of the box where it is smallest, and largest."""
        if low is None and high is None:
            return self._own_bounds
        start = [0.0] * self.ndim if low is None else [float(x) for x in low]
        stop = [n - 1.0 for n in self.output_size] if high is None else [float(x) for x in high]
        return self._bounds(start, stop)

    @functools.cached_property
    def _own_bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Those of all output pixels."""
        bounds = self._bounds([0.0] * self.ndim, [n - 1.0 for n in self.output_size])
        bounds[0].flags.writeable = bounds[1].flags.writeable = False
        return bounds

    def _bounds(self, start: list[float], stop: list[float]) -> tuple[np.ndarray, np.ndarray]:
        least, most = [], []
        for row, first in self.rows:
            # A bound may be infinite: where it counts for nothing, it is 0.
            ends = [
                (factor * x, factor * max(x, y)) if factor else (0.0, 0.0)
                for factor, x, y in zip(row, start, stop)
            ]
            least.append(first + sum(map(min, ends)))
            most.append(first + sum(map(max, ends)))
        return np.array(least), np.array(most)

    def fields(self) -> dict[str, Any]:
        """Matrix and offset."""
        return {"matrix": self.matrix.tolist(), "offset": self.offset.tolist()}

    @classmethod
    def from_fields(cls, data: dict[str, Any]) -> Self:
        """Read them."""
        matrix, offset = numbers(data["matrix"], 64), numbers(data["offset"], 8)
        return cls(matrix, offset, tuple(data["input_size"]), tuple(data["output_size"]))

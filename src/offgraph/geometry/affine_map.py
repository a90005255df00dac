"""Affine coordinate maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from offgraph.core.errors import OffgraphError
from offgraph.core.lazy import lazy_property
from offgraph.geometry.base import CoordinateMap, dot, finite_array, inverse_matrix, numbers, whole_size
from offgraph.geometry.projective_map import ProjectiveMap

__all__ = ["AffineMap"]


Rows = tuple[tuple[tuple[float, ...], float], ...]
"""For each input axis its row of the matrix, and its offset."""


@dataclass(frozen=True, eq=False, init=False, repr=False)
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

    Attributes
    ----------
    rows : tuple of (tuple of float, float)
        For each input axis its row of the matrix, and its offset.

    Raises
    ------
    OffgraphError
        For shapes that do not fit the sizes, or numbers that are not finite.

    Examples
    --------
    >>> AffineMap.identity((4, 6)).then(AffineMap(np.eye(2), (1, 2), (4, 6), (2, 2))).offset
    array([1., 2.])
    """

    rows: Rows
    input_size: tuple[int, ...]
    output_size: tuple[int, ...]

    kind: ClassVar[str] = "affine"
    generality: ClassVar[int | None] = 1

    def __init__(
        self, matrix: Any, offset: Any, input_size: Sequence[int], output_size: Sequence[int]
    ) -> None:
        matrix, offset = finite_array(matrix, "a map"), finite_array(offset, "a map")
        sizes = whole_size(input_size), whole_size(output_size)
        n = len(sizes[0])
        if matrix.shape != (n, n) or offset.shape != (n,) or len(sizes[1]) != n:
            raise OffgraphError(
                f"a map between sizes {sizes[0]} and {sizes[1]} needs a matrix of {n} x {n} and an offset of {n}; "
                f"got {matrix.shape} and {offset.shape}"
            )
        rows = tuple(zip(map(tuple, matrix.tolist()), offset.tolist()))
        vars(self).update(rows=rows, matrix=matrix, offset=offset, input_size=sizes[0], output_size=sizes[1])

    @classmethod
    def of_rows(cls, rows: Rows, input_size: tuple[int, ...], output_size: tuple[int, ...]) -> AffineMap:
        """Return a map of numbers whose shapes are known to fit; only an overflow is looked for.

        One image of a training run makes a dozen of these: there is no array in them until one is asked for.
        """
        for row, first in rows:
            if not math.isfinite(sum(row) + first):
                return cls([row for row, _ in rows], [first for _, first in rows], input_size, output_size)
        made = object.__new__(cls)
        vars(made).update(rows=rows, input_size=input_size, output_size=output_size)
        return made

    @lazy_property
    def matrix(self) -> np.ndarray:
        """The factors, read-only."""
        return finite_array([row for row, _ in self.rows], "a map")

    @lazy_property
    def offset(self) -> np.ndarray:
        """The input coordinates of output pixel 0, read-only."""
        return finite_array([first for _, first in self.rows], "a map")

    def __repr__(self) -> str:
        numbers = f"matrix={self.matrix.tolist()}, offset={self.offset.tolist()}"
        return f"AffineMap({numbers}, input_size={self.input_size}, output_size={self.output_size})"

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

    def times(self, after: AffineMap) -> AffineMap:
        """Join two affine maps into one, by plain sums of products: the same bits on every machine."""
        if len(self.rows) == 2:  # images, for which a dozen maps are joined: the loop below, written out
            ((p, q), x), ((r, s), y) = after.rows
            rows = tuple(
                [
                    ((0.0 + a * p + b * r, 0.0 + a * q + b * s), 0.0 + a * x + b * y + first)
                    for (a, b), first in self.rows
                ]
            )
            return AffineMap.of_rows(rows, self.input_size, after.output_size)
        columns = list(zip(*[row for row, _ in after.rows]))
        shift = [first for _, first in after.rows]
        rows = tuple(
            (tuple([dot(row, column) for column in columns]), dot(row, shift) + first)
            for row, first in self.rows
        )
        return AffineMap.of_rows(rows, self.input_size, after.output_size)

    def inverse(self) -> AffineMap:
        """Return the map input pixel → output pixel.

        Raises
        ------
        OffgraphError
            Where the map flattens the image (a scale of zero), so that there is no way back.
        """
        matrix = inverse_matrix(self.matrix)
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
        start = [0.0] * self.ndim if low is None else [float(x) for x in low]
        stop = [n - 1.0 for n in self.output_size] if high is None else [float(x) for x in high]
        least, most = zip(*self._ranges(start, stop))
        return np.array(least), np.array(most)

    def reads_inside(self, slack: float) -> bool:
        """By the exact bounds."""
        ranges = self._ranges([0.0] * self.ndim, [n - 1.0 for n in self.output_size])
        for (first, last), n in zip(ranges, self.input_size):
            if not (first >= -slack and last <= n - 1 + slack):
                return False
        return True

    def _ranges(self, start: list[float], stop: list[float]) -> list[tuple[float, float]]:
        """The least and the largest coordinate along each input axis."""
        ranges = []
        for row, first in self.rows:
            least = most = 0.0
            for factor, x, y in zip(row, start, stop):
                if factor:  # a bound may be infinite: where it counts for nothing, it is 0
                    one, other = factor * x, factor * max(x, y)
                    least += min(one, other)
                    most += max(one, other)
            ranges.append((first + least, first + most))
        return ranges

    def fields(self) -> dict[str, Any]:
        """Matrix and offset."""
        return {"matrix": self.matrix.tolist(), "offset": self.offset.tolist()}

    @classmethod
    def from_fields(cls, data: dict[str, Any]) -> Self:
        """Read them."""
        matrix, offset = numbers(data["matrix"], 64), numbers(data["offset"], 8)
        return cls(matrix, offset, tuple(data["input_size"]), tuple(data["output_size"]))

"""Affine coordinate maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from offgraph.core.errors import OffgraphError

__all__ = ["AffineMap"]


@dataclass(frozen=True, eq=False)
class AffineMap:
    """Output pixel → input pixel: ``input = matrix @ output + offset``.

    Parameters
    ----------
    matrix : array_like of float64, shape (n, n)
        n is the number of spatial axes.
    offset : array_like of float64, shape (n,)
        In input pixels.
    input_size, output_size : tuple of int
        Spatial lengths of the image before and after.

    Examples
    --------
    >>> AffineMap.identity((4, 6)).then(AffineMap(np.eye(2), (1, 2), (4, 6), (2, 2))).offset
    array([1., 2.])
    """

    matrix: np.ndarray
    offset: np.ndarray
    input_size: tuple[int, ...]
    output_size: tuple[int, ...]

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        offset = np.array(self.offset, dtype=np.float64)
        sizes = tuple(tuple(int(n) for n in size) for size in (self.input_size, self.output_size))
        n = len(sizes[0])
        if matrix.shape != (n, n) or offset.shape != (n,) or len(sizes[1]) != n:
            raise OffgraphError(
                f"a map between sizes {sizes[0]} and {sizes[1]} needs a matrix of {n} x {n} and an offset of {n}; "
                f"got {matrix.shape} and {offset.shape}"
            )
        if not all(map(math.isfinite, (*matrix.ravel().tolist(), *offset.tolist()))):
            raise OffgraphError(f"a map needs finite numbers; got {matrix.tolist()} and {offset.tolist()}")
        matrix.flags.writeable = offset.flags.writeable = False
        for name, value in zip(("matrix", "offset", "input_size", "output_size"), (matrix, offset, *sizes)):
            object.__setattr__(self, name, value)

    @classmethod
    def identity(cls, size: tuple[int, ...]) -> AffineMap:
        """Return the map that leaves an image of this size as it is."""
        return cls(np.eye(len(size)), np.zeros(len(size)), size, size)

    @classmethod
    def window(cls, start: Sequence[int], size: tuple[int, ...], input_size: tuple[int, ...]) -> AffineMap:
        """Return the map of a crop or a pad: ``size`` pixels from ``start``, which may lie outside."""
        return cls(np.eye(len(size)), np.asarray(start, np.float64), input_size, size)

    def then(self, after: AffineMap) -> AffineMap:
        """Return the one map of this step followed by ``after``."""
        self.check_before(after)
        return AffineMap(
            self.matrix @ after.matrix,
            self.matrix @ after.offset + self.offset,
            self.input_size,
            after.output_size,
        )

    def check_before(self, after: AffineMap) -> None:
        """Refuse a map that begins with another size than this one ends with."""
        if self.output_size != after.input_size:
            raise OffgraphError(
                f"a map from size {after.input_size} cannot follow one to size {self.output_size}"
            )

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

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Map points, shape (..., n), from output to input coordinates."""
        return points @ self.matrix.T + self.offset

    def to_json(self) -> dict[str, Any]:
        """Return the map as plain JSON values."""
        return {
            "matrix": self.matrix.tolist(),
            "offset": self.offset.tolist(),
            "input_size": list(self.input_size),
            "output_size": list(self.output_size),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> AffineMap:
        """Read what `to_json` wrote.

        Raises
        ------
        OffgraphError
            For anything else.
        """
        try:
            return cls(data["matrix"], data["offset"], tuple(data["input_size"]), tuple(data["output_size"]))
        except (KeyError, TypeError, ValueError) as error:
            raise OffgraphError(f"this is not a map that to_json wrote: {error!r:.200}") from None

"""Maps that only move whole pixels: flips, transposes, quarter turns, crops and pads."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from offgraph.core.errors import OffgraphError
from offgraph.core.lazy import lazy_property
from offgraph.core.specs import held_by
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.base import CoordinateMap, whole_size

__all__ = ["GridMap"]


@dataclass(frozen=True, eq=False)
class GridMap(CoordinateMap):
    """Output pixel → input pixel, whole pixels only: ``input[axes[i]] = start[i] ± output[i]``.

    Parameters
    ----------
    axes : sequence of int
        The input axis that runs along each output axis; each one once.
    flips : sequence of bool
        Whether the input runs backwards along each output axis.
    start : sequence of int
        Input pixel, on axis ``axes[i]``, of the output pixels 0 of axis i. It may lie outside the input: a pad.
    input_size, output_size : tuple of int
        Spatial lengths of the image before and after.

    Raises
    ------
    OffgraphError
        Where `axes` is not a permutation, or the lengths of the arguments differ.

    Examples
    --------
    >>> quarter_turn = GridMap.transpose((1, 0), (2, 3)).then(GridMap.flip((0,), (3, 2)))
    >>> quarter_turn.take(np.array([[1, 2, 3], [4, 5, 6]]), (0, 1))
    array([[3, 6],
           [2, 5],
           [1, 4]])
    """

    axes: tuple[int, ...]
    flips: tuple[bool, ...]
    start: tuple[int, ...]
    input_size: tuple[int, ...]
    output_size: tuple[int, ...]

    kind: ClassVar[str] = "grid"
    generality: ClassVar[int | None] = 0

    def __post_init__(self) -> None:
        try:
            axes = tuple(operator.index(axis) for axis in self.axes)
            start = tuple(operator.index(first) for first in self.start)
            flips = tuple(bool(operator.index(flip)) for flip in self.flips)
        except TypeError:
            raise OffgraphError(
                f"a grid map takes whole numbers, got axes={self.axes!r:.80} flips={self.flips!r:.80} "
                f"start={self.start!r:.80}"
            ) from None
        sizes = whole_size(self.input_size), whole_size(self.output_size)
        n = len(sizes[0])
        if sorted(axes) != list(range(n)) or not len(flips) == len(start) == len(sizes[1]) == n:
            raise OffgraphError(
                f"a grid map between sizes {sizes[0]} and {sizes[1]} takes each axis 0 to {n - 1} once, and {n} flips "
                f"and starts; got axes={axes} flips={flips} start={start}"
            )
        if any(abs(first) >= 2**48 for first in start):
            raise OffgraphError(f"a grid map's start is too far outside: {start}")
        vars(self).update(axes=axes, flips=flips, start=start, input_size=sizes[0], output_size=sizes[1])

    @classmethod
    def identity(cls, size: Sequence[int]) -> GridMap:
        """Return the map that leaves an image of this size as it is."""
        n = len(size)
        return cls(tuple(range(n)), (False,) * n, (0,) * n, tuple(size), tuple(size))

    @classmethod
    def crop(cls, start: Sequence[int], size: Sequence[int], input_size: Sequence[int]) -> GridMap:
        """Return the map of a crop or a pad: `size` pixels from `start`, which may lie outside."""
        n = len(input_size)
        return cls(tuple(range(n)), (False,) * n, tuple(start), tuple(input_size), tuple(size))

    @classmethod
    def flip(cls, axes: Sequence[int], size: Sequence[int]) -> GridMap:
        """Return the map that mirrors an image of this size along some axes, as `numpy.flip`."""
        flips = tuple(axis in axes for axis in range(len(size)))
        start = tuple(n - 1 if flip else 0 for n, flip in zip(size, flips))
        return cls(tuple(range(len(size))), flips, start, tuple(size), tuple(size))

    @classmethod
    def transpose(cls, axes: Sequence[int], size: Sequence[int]) -> GridMap:
        """Return the map that reorders the axes of an image of this size, as `numpy.transpose`."""
        n = len(size)
        return cls(tuple(axes), (False,) * n, (0,) * n, tuple(size), tuple(size[axis] for axis in axes))

    @classmethod
    def from_affine(cls, affine: AffineMap) -> GridMap | None:
        """Return an affine map as a grid map where it moves whole pixels, else None."""
        matrix, offset = affine.matrix, affine.offset
        one = np.abs(matrix) == 1
        is_permutation = bool(
            ((matrix == 0) | one).all() and (one.sum(0) == 1).all() and (one.sum(1) == 1).all()
        )
        if not is_permutation or (offset != np.round(offset)).any() or (np.abs(offset) >= 2**48).any():
            return None
        axes = np.argmax(one, axis=0).tolist()
        flips = [bool(matrix[axis, i] < 0) for i, axis in enumerate(axes)]
        return cls(
            tuple(axes),
            tuple(flips),
            tuple(int(offset[axis]) for axis in axes),
            affine.input_size,
            affine.output_size,
        )

    @property
    def is_exact(self) -> bool:
        """Always: pixels are moved whole."""
        return True

    @property
    def preserves_lines(self) -> bool:
        """Always."""
        return True

    @property
    def is_identity(self) -> bool:
        """Whether every pixel stays where it is."""
        return self == GridMap.identity(self.input_size)

    @lazy_property
    def reaches_outside(self) -> bool:
        """Whether some output pixel lies outside the input, so that a border rule decides on it."""
        return any(
            length > 0 and not (0 <= first < n and 0 <= last < n) for first, last, length, n in self._spans()
        )

    def _spans(self) -> list[tuple[int, int, int, int]]:
        """For each output axis: first and last input pixel, length, and the length of the input axis."""
        return [
            (first, first + (1 - length if flip else length - 1), length, self.input_size[axis])
            for axis, flip, first, length in zip(self.axes, self.flips, self.start, self.output_size)
        ]

    def affine(self) -> AffineMap:
        """Return the same map as an affine one."""
        return self._affine

    @lazy_property
    def _affine(self) -> AffineMap:
        n = len(self.axes)
        rows: list[Any] = [None] * n
        for i, (axis, flip, first) in enumerate(zip(self.axes, self.flips, self.start)):
            row = [0.0] * n
            row[i] = -1.0 if flip else 1.0
            rows[axis] = (tuple(row), float(first))
        return AffineMap.of_rows(tuple(rows), self.input_size, self.output_size)

    def generalized(self) -> AffineMap:
        """The affine map."""
        return self.affine()

    def times(self, after: GridMap) -> GridMap:
        """Join two grid maps into one."""
        axes, flips, start = [], [], []
        for axis, flip, first in zip(after.axes, after.flips, after.start):
            axes.append(self.axes[axis])
            flips.append(self.flips[axis] != flip)
            start.append(self.start[axis] + (-first if self.flips[axis] else first))
        return GridMap(tuple(axes), tuple(flips), tuple(start), self.input_size, after.output_size)

    def inverse(self) -> GridMap:
        """Return the grid map from input to output pixels."""
        places = [self.axes.index(axis) for axis in range(len(self.axes))]
        return GridMap(
            tuple(places),
            tuple(self.flips[i] for i in places),
            tuple(self.start[i] if self.flips[i] else -self.start[i] for i in places),
            self.output_size,
            self.input_size,
        )

    def pull(self, components: np.ndarray) -> np.ndarray:
        """Whole numbers added to, or less, the coordinates."""
        result = np.empty(components.shape)
        for axis, flip, first, along in zip(self.axes, self.flips, self.start, components):
            result[axis] = first - along if flip else first + along
        return result

    def push(self, components: np.ndarray) -> np.ndarray:
        """The inverse grid map."""
        return self.inverse().pull(components)

    def jacobian_components(self, components: np.ndarray) -> np.ndarray:
        """The same signed permutation everywhere."""
        return self.affine().jacobian_components(components)

    def bounds(
        self, low: Sequence[float] | None = None, high: Sequence[float] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Exact."""
        return self.affine().bounds(low, high)

    def reads_inside(self, slack: float) -> bool:
        """By whole numbers."""
        return not self.reaches_outside

    def take(
        self, array: np.ndarray, spatial_axes: Sequence[int], mode: str = "constant", cval: float = 0
    ) -> np.ndarray:
        """Move the pixels of an array, in equal bytes.

        Parameters
        ----------
        array : ndarray
            Any dtype, any further axes.
        spatial_axes : sequence of int
            Its axes on which the map works, counted from 0, in rising order.
        mode : str
            SciPy's name for what lies outside.
        cval : float
            Value outside in the constant modes.

        Returns
        -------
        ndarray
            A new array in C order; the further axes stay where they are.

        Raises
        ------
        ValueError
            For a value outside that the dtype cannot hold, or a mode that continues an image without pixels.
        OffgraphError
            For an array that does not have the map's input size.
        """
        if tuple(array.shape[axis] for axis in spatial_axes) != self.input_size:
            raise OffgraphError(
                f"an array of shape {array.shape} does not lie on this map's input grid of size {self.input_size}"
            )
        order = list(range(array.ndim))
        for to, axis in zip(spatial_axes, self.axes):
            order[to] = spatial_axes[axis]
        moved = array.transpose(order)
        if mode not in ("constant", "grid-constant") and self.reaches_outside:
            for to, flip, first, (_, _, length, n) in zip(
                spatial_axes, self.flips, self.start, self._spans()
            ):
                steps = np.arange(length)
                index = border_index(first - steps if flip else first + steps, n, mode)
                moved = moved.take(index, axis=to)
            return np.ascontiguousarray(moved)
        shape = list(moved.shape)
        source: list[slice] = [slice(None)] * array.ndim
        target: list[slice] = [slice(None)] * array.ndim
        for to, flip, (first, last, length, n) in zip(spatial_axes, self.flips, self._spans()):
            shape[to] = length
            low, high = max(min(first, last), 0), min(max(first, last), n - 1)  # input pixels that are seen
            if length == 0 or high < low:
                source[to] = target[to] = slice(0, 0)
            elif flip:
                source[to] = slice(high, low - 1 if low else None, -1)
                target[to] = slice(first - high, first - low + 1)
            else:
                source[to], target[to] = slice(low, high + 1), slice(low - first, high - first + 1)
        part = moved[tuple(source)]
        if part.shape == tuple(shape):
            return part.copy(order="C")
        held_by(array.dtype, cval=cval)
        out = np.full(shape, cval, array.dtype)
        out[tuple(target)] = part
        return out

    def fields(self) -> dict[str, Any]:
        """Axes, flips and start."""
        return {"axes": list(self.axes), "flips": list(self.flips), "start": list(self.start)}

    @classmethod
    def from_fields(cls, data: dict[str, Any]) -> Self:
        """Read them."""
        parts = [data[name] for name in ("axes", "flips", "start", "input_size", "output_size")]
        return cls(*(tuple(part) for part in parts))


def border_index(index: np.ndarray, n: int, mode: str) -> np.ndarray:
    """Return the pixels of an axis of `n` that stand for the pixels `index`, which may lie outside.

    Raises
    ------
    ValueError
        For an axis without pixels, or a mode that fills and does not continue.
    """
    if n == 0:
        raise ValueError(f"an image without pixels has no border to continue in mode {mode!r}")
    match mode:
        case "nearest":
            return np.clip(index, 0, n - 1)
        case "grid-wrap":
            return index % n
        case "reflect" | "grid-mirror":
            index = index % (2 * n)
            return np.where(index < n, index, 2 * n - 1 - index)
        case "mirror":
            period = max(2 * (n - 1), 1)
            index = index % period
            return np.where(index < n, index, period - index)
        case "wrap":  # SciPy's: the image repeats every n - 1 pixels, and its last pixel is its first
            if n == 1:
                return np.zeros_like(index)
            period = n - 1
            below = index + period * (-index // period + 1)
            above = index - period * (index // period)
            return np.where(index < 0, below, np.where(index > period, above, index))
    raise ValueError(f"mode {mode!r} does not continue an image beyond its border")

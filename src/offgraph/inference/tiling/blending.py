"""Tiles added up with their weights, in as little memory as their order allows.

Tiles come in C order. A pixel is finished with the last tile that holds it, and what is not finished yet waits:

    innermost axis   the tiles of one line are added into a strip as long as the image
    each axis above  a strip is weighted and split at the pixel up to which no later tile of this axis has a say: before
                     it the strip, with what waited there, is finished and goes to the next axis; the rest waits

So an image waits along as many rows as tiles overlap, times its width, and never as a whole. As weights are products of
one weight per axis, and those of each axis add up to 1, so do all of a pixel.
"""

from __future__ import annotations

import itertools

import numpy as np

from offgraph.core.choices import Blend
from offgraph.inference.tiling.grid import TileGrid

__all__ = ["Blender"]


class Blender:
    """Adds tiles up.

    Sums are made in float64: where all tiles that hold a pixel say the same float32, the result has its bytes.

    Parameters
    ----------
    grid : TileGrid
    blend : {"gaussian", "linear", "none"}
    row : int
        The row of tiles to begin with: those that have a say in it must come, too (`TileGrid.first_needed`).
    """

    def __init__(self, grid: TileGrid, blend: Blend, row: int = 0) -> None:
        self.grid = grid
        self._weights = [axis.weights(blend) for axis in grid.axes]
        rows = range(row, len(grid.axes[0]))
        self._places = itertools.product(rows, *(range(len(axis)) for axis in grid.axes[1:]))
        self._first = row
        self._strip = np.zeros(0)
        self._waiting: list[np.ndarray | None] = [None] * len(grid.axes)

    def add(self, values: np.ndarray) -> tuple[tuple[slice, ...], np.ndarray] | None:
        """Add the next tile, (..., K); return what is finished by it: where it lies, and float32 values."""
        place = next(self._places)
        last = len(place) - 1
        axis, number = self.grid.axes[last], place[last]
        if number == 0:
            self._strip = np.zeros((*values.shape[:last], axis.padded, values.shape[-1]))
        start = axis.starts[number]
        self._strip[..., start : start + axis.size, :] += self._weighted(values, last, number)
        if number + 1 < len(axis):
            return None
        piece, ranges = self._strip, [slice(0, axis.padded)]
        for level in reversed(range(last)):
            number = place[level]
            piece = self._split(level, number, ranges, self._weighted(piece, level, number))
            axis = self.grid.axes[level]
            ranges = [slice(axis.starts[number], axis.final(number)), *ranges]
        return self._cut(ranges, piece)

    def _weighted(self, values: np.ndarray, level: int, number: int) -> np.ndarray:
        weights = self._weights[level][number]
        return values * weights.reshape((-1,) + (1,) * (values.ndim - 1 - level))

    def _split(self, level: int, number: int, ranges: list[slice], piece: np.ndarray) -> np.ndarray:
        """Add what waits to a piece, keep its rest, and return what is finished of it."""
        axis = self.grid.axes[level]
        start, end = axis.starts[number], axis.starts[number] + axis.size
        before = (slice(None),) * level
        waiting = self._waiting[level]
        if waiting is None and len(axis) > 1:
            longest = max(a + axis.size - b for a, b in itertools.pairwise(axis.starts))
            lengths = [one.padded for one in self.grid.axes[level + 1 :]]
            shape = (*piece.shape[:level], max(longest, 0), *lengths, piece.shape[-1])
            waiting = self._waiting[level] = np.zeros(shape)
        if number > (self._first if level == 0 else 0):
            assert waiting is not None
            held = max(axis.starts[number - 1] + axis.size - start, 0)
            piece[(*before, slice(0, held))] += waiting[(*before, slice(0, held), *ranges)]
        done = axis.final(number) - start
        if number + 1 < len(axis) and done < end - start:
            assert waiting is not None
            waiting[(*before, slice(0, axis.size - done), *ranges)] = piece[(*before, slice(done, None))]
        return piece[(*before, slice(0, done))]

    def _cut(self, ranges: list[slice], piece: np.ndarray) -> tuple[tuple[slice, ...], np.ndarray] | None:
        """Without what lies past the image's end."""
        lengths = self.grid.lengths
        ends = [min(one.stop, n) for one, n in zip(ranges, lengths)]
        places = tuple(slice(one.start, end) for one, end in zip(ranges, ends))
        if any(one.stop <= one.start for one in places):
            return None
        inner = tuple(slice(0, one.stop - one.start) for one in places)
        return places, piece[inner].astype(np.float32)

"""Where tiles lie, and how much each counts for a pixel.

Along each axis by itself, so that a grid is the product of its axes:

    starts    0, stride, 2 stride, …; the last tile is moved back so that it ends at the image's end, or less than a
              multiple after it: all starts are multiples of what the model takes, so that its poolings fall as they do
              in the whole image
    margin    pixels at a tile's inner edges from where the model looks beyond the tile: their weight is 0
    weights   of all tiles that hold a pixel they add up to 1
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from offgraph.core.choices import Blend
from offgraph.core.errors import OffgraphError

__all__ = ["TileAxis", "TileGrid"]

_SIGMA = 1 / 8
"""Standard deviation of the Gaussian weights, as a share of the tile's length: they fall to 0.0003 at its edge."""


@dataclass(frozen=True)
class TileAxis:
    """The tiles along one axis.

    Parameters
    ----------
    length : int
        Of the image.
    size : int
        Of each tile.
    starts : tuple of int
        First pixel of each tile, increasing; the first is 0.
    margin : int
        Pixels next to an inner edge of a tile that do not count.
    """

    length: int
    size: int
    starts: tuple[int, ...]
    margin: int

    @classmethod
    def planned(
        cls, length: int, size: int, overlap: int, multiple: int, reach: int, *, fixed: bool
    ) -> TileAxis:
        """Lay tiles over a length.

        Parameters
        ----------
        length : int
        size : int
            Of a tile, a multiple of `multiple`; a shorter image is one tile, as long as it needs to be.
        overlap : int
            What neighbours share at least.
        multiple : int
            Starts are multiples of it.
        reach : int
            How far the model looks; as much of the overlap as that does not count.
        fixed : bool
            Whether the model takes this size alone.

        Raises
        ------
        OffgraphError
            Where the tiles would not move on.
        """
        if length <= size:
            return cls(length, size if fixed else max(1, -(-length // multiple)) * multiple, (0,), 0)
        stride = (size - overlap) // multiple * multiple
        if stride < 1:
            raise OffgraphError(
                f"overlap={overlap}: tiles of {size} pixels that share so many do not move on"
                + (f" by a multiple of {multiple}, which the model needs" if multiple > 1 else "")
                + "; take larger tiles, or a smaller overlap"
            )
        last = -(-(length - size) // multiple) * multiple
        return cls(length, size, (*range(0, last, stride), last), min(reach, (size - stride) // 2))

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def padded(self) -> int:
        """The length that the tiles cover together."""
        return self.starts[-1] + self.size

    def final(self, number: int) -> int:
        """Up to which pixel no later tile has a say."""
        return self.starts[number + 1] if number + 1 < len(self) else self.padded

    def scaled(self, ratio: float) -> TileAxis:
        """The same tiles on a grid whose pixels are `ratio` of these long."""

        def of(pixels: int) -> int:
            return round(pixels / ratio)

        starts = tuple(map(of, self.starts))
        shared = min((a + of(self.size) - b for a, b in itertools.pairwise(starts)), default=0)
        return TileAxis(
            of(self.length), of(self.size), starts, min(math.ceil(self.margin / ratio), shared // 2)
        )

    def weights(self, blend: Blend) -> tuple[np.ndarray, ...]:
        """Of each tile, float64, (size,)."""
        return _weights(self, blend)


@functools.lru_cache(maxsize=64)
def _weights(axis: TileAxis, blend: Blend) -> tuple[np.ndarray, ...]:
    if blend == "none":
        ends = [
            start + (before + axis.size - start) // 2 for before, start in itertools.pairwise(axis.starts)
        ]
        whose = np.searchsorted(ends, np.arange(axis.padded), side="right")
        return tuple(
            (whose[start : start + axis.size] == number).astype(np.float64)
            for number, start in enumerate(axis.starts)
        )
    places = np.arange(axis.size) + 0.5
    total, each = np.zeros(axis.padded), []
    for number, start in enumerate(axis.starts):
        # Distance from where the tile begins to count; the image's own edges are no edges of a tile.
        after = places - axis.margin if number else np.full(axis.size, np.inf)
        before = axis.size - axis.margin - places if number + 1 < len(axis) else np.full(axis.size, np.inf)
        inside = np.minimum(after, before)
        if blend == "gaussian":
            weight = np.exp(-0.5 * ((places - axis.size / 2) / (axis.size * _SIGMA)) ** 2) * (inside > 0)
        else:
            weight = np.clip(inside, 0, axis.size)
        total[start : start + axis.size] += weight
        each.append(weight)
    return tuple(weight / total[start : start + axis.size] for weight, start in zip(each, axis.starts))


@dataclass(frozen=True)
class TileGrid:
    """The tiles of an image: those of each spatial axis, combined.

    Parameters
    ----------
    axes : tuple of TileAxis
    """

    axes: tuple[TileAxis, ...]

    @property
    def lengths(self) -> tuple[int, ...]:
        """Of the image."""
        return tuple(axis.length for axis in self.axes)

    @property
    def size(self) -> tuple[int, ...]:
        """Of a tile."""
        return tuple(axis.size for axis in self.axes)

    @property
    def padded(self) -> tuple[int, ...]:
        """Lengths that the tiles cover."""
        return tuple(axis.padded for axis in self.axes)

    def __len__(self) -> int:
        return math.prod(map(len, self.axes))

    def windows(self, row: int) -> Iterator[tuple[slice, ...]]:
        """The tiles of one row, or of one slab of a volume: all with one place along the first axis, in C order."""
        first = self.axes[0].starts[row]
        for starts in itertools.product(*(axis.starts for axis in self.axes[1:])):
            yield tuple(slice(at, at + n) for at, n in zip((first, *starts), self.size))

    def scaled(self, ratio: tuple[float, ...]) -> TileGrid:
        """The same tiles on a grid with pixels of other lengths, such as the one that a model outputs."""
        if set(ratio) <= {1.0}:
            return self
        return TileGrid(tuple(axis.scaled(one) for axis, one in zip(self.axes, ratio)))

    def first_needed(self, row: int) -> int:
        """The first row of tiles that has a say in the pixels from row `row` on."""
        axis = self.axes[0]
        if row >= len(axis):
            return row
        return next(
            i for i, start in enumerate(axis.starts) if start + axis.size > axis.starts[row] or i == row
        )

"""Raise contrast part by part."""

from __future__ import annotations

import functools
import math
from itertools import product
from typing import Any, ClassVar

import numpy as np

from offgraph.core.axes import SPATIAL
from offgraph.core.specs import SpecT
from offgraph.engine.values import TiledAxis, equalize_tiles
from offgraph.steps.declaration import step
from offgraph.steps.kinds import StatisticsStep
from offgraph.steps.parameters import AxisCount, PositiveNumber, PositiveRange, along_axes
from offgraph.steps.values import check_levels, held_range

__all__ = ["CLAHE"]


@step
class CLAHE(StatisticsStep):
    """Equalize the histogram of each part of the image, without raising noise too far; the dtype stays.

    A statistics step, for uint8 and uint16: contrast limited adaptive histogram equalization (Zuiderveld 1994), on each channel.
    The image is cut into tiles, mirrored at its end where it does not divide evenly. Counts of a tile's histogram above
    ``max(1, clip_limit * pixels // levels)`` are spread over all levels, what is left of them over evenly spaced ones, and each
    level becomes its share of the pixels up to it, times `range`, rounded. A pixel takes the values of the tiles around it,
    linearly interpolated between their centres, each taken half a pixel further on. All of it is OpenCV's, which interpolates in
    float32: the two are at most one level apart. Exactness: whole numbers, and float64 for the interpolation, rounded half to even.

    Parameters
    ----------
    clip_limit : float or (low, high)
        Largest count of a level as a multiple of the mean count, above 0: 1 leaves nearly no contrast to gain, 40 does not
        limit it.
    tiles : int, or one for each axis by name
        Parts along each axis, at least 1.
    range : float, optional
        The value of white, a whole number. By default the largest of the dtype; a 12-bit image stored in uint16 says
        ``range=4095``. Values above it are limited to it.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> dull = (np.indices((64, 64)).sum(0) % 16 + 100).astype(np.uint8)
    >>> int(np.ptp(dull)), int(np.ptp(og.Compose([og.CLAHE(40.0)])(image=dull).image))
    (15, 251)
    """

    version: ClassVar[int] = 2
    """2: tiles are interpolated at the places where OpenCV has them, half a pixel after their centres."""

    clip_limit: PositiveRange = 4.0
    tiles: AxisCount = 8
    range: PositiveNumber | None = None

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same; whole numbers of 8 or 16 bits."""
        check_levels(spec, self.range)
        return spec

    def compute(self, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray | None:
        """Tables and sums of bytes in two dimensions."""
        if image.dtype != np.uint8 or image.ndim != 3 or not image.size:
            return None
        top = int(held_range(image.dtype.name, self.range))
        tiles = along_axes("tiles", self.tiles, SPATIAL[-2:], 1)
        lengths = [-(-n // count) for n, count in zip(image.shape, tiles)]
        rows, columns = map(_tiled, image.shape[:2], tiles, lengths)
        limit = _limit(params["clip_limit"], math.prod(lengths), top + 1)
        return equalize_tiles(image, rows, columns, limit, top)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Tables of all tiles, then a weighted sum of those around each pixel."""
        top = int(held_range(image.dtype.name, self.range))
        size = image.shape[:-1]
        tiles = along_axes("tiles", self.tiles, SPATIAL[-len(size) :], 1)
        out = np.empty_like(image)
        for place in range(image.shape[-1]):
            levels = np.minimum(image[..., place], top).astype(np.intp)
            tables, lengths = _tables(levels, tiles, params["clip_limit"], top)
            sums = np.zeros(size)
            parts = [_neighbours(n, count, length) for n, count, length in zip(size, tiles, lengths)]
            for corner in product((0, 1), repeat=len(size)):
                number, weight = np.zeros(size, np.intp), np.ones(size)
                for axis, (side, count) in enumerate(zip(corner, tiles)):
                    shape = [-1 if other == axis else 1 for other in range(len(size))]
                    index, share = parts[axis][side]
                    number = number * count + index.reshape(shape)
                    weight = weight * share.reshape(shape)
                sums += tables[number, levels] * weight
            out[..., place] = np.rint(sums).astype(image.dtype)
        return out


def _tables(
    levels: np.ndarray, tiles: list[int], clip_limit: float, top: int
) -> tuple[np.ndarray, list[int]]:
    """The new level of every level, a row for each tile in order, and the tiles' lengths along each axis."""
    lengths = [-(-n // count) for n, count in zip(levels.shape, tiles)]
    ends = [(0, length * count - n) for n, length, count in zip(levels.shape, lengths, tiles)]
    whole = np.pad(levels, ends, mode="reflect")
    number = np.zeros((1,) * levels.ndim, np.intp)
    for axis, (length, count) in enumerate(zip(lengths, tiles)):
        shape = [-1 if other == axis else 1 for other in range(levels.ndim)]
        number = number * count + (np.arange(length * count) // length).reshape(shape)
    bins, pixels = top + 1, math.prod(lengths)
    counts = np.bincount((number * bins + whole).ravel(), minlength=math.prod(tiles) * bins)
    counts = counts.reshape(-1, bins)
    limit = _limit(clip_limit, pixels, bins)
    excess = np.maximum(counts - limit, 0).sum(axis=1)
    counts = np.minimum(counts, limit) + (excess // bins)[:, np.newaxis]
    for row, left in zip(counts, (excess % bins).tolist()):
        if left:
            row[: left * max(bins // left, 1) : max(bins // left, 1)] += 1
    return np.rint(np.cumsum(counts, axis=1) * (top / pixels)), lengths


def _limit(clip_limit: float, pixels: int, bins: int) -> int:
    """The largest count of a level in a tile."""
    return max(1, int(min(clip_limit * pixels / bins, pixels)))


@functools.lru_cache(maxsize=64)
def _tiled(n: int, count: int, length: int) -> TiledAxis:
    """An axis for the native core; the same for all images of a size."""
    sources = np.pad(np.arange(n), (0, length * count - n), mode="reflect")
    (before, first), (after, second) = _neighbours(n, count, length)
    return TiledAxis(count, *(np.ascontiguousarray(part) for part in (sources, before, first, after, second)))


def _neighbours(n: int, count: int, length: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """The tiles before and after each pixel along an axis, and their shares."""
    place = np.arange(n) / length - 0.5  # OpenCV's: half a pixel after the centres
    before = np.floor(place).astype(np.intp)
    share = place - before
    last = count - 1
    return (np.clip(before, 0, last), 1 - share), (np.clip(before + 1, 0, last), share)

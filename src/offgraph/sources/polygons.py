"""Polygons and run-length codes to masks, by one exact rule.

A pixel belongs to a polygon if its centre does. The even-odd rule decides: a ray from the centre
towards smaller columns crosses the outline an odd number of times. A centre on the outline belongs to the polygon on
its side of larger rows and columns, so that polygons which share an edge share no pixel and leave none out.

The method: each edge is crossed by the rows whose centre line lies in [top, bottom). For each of these rows, the pixels
from the crossing on change sides; how often each pixel changes, summed along its row, is its number of crossings.

    for each edge, upper end first:
        for each row with top <= row < bottom:
            changes[row, ceil(column of the crossing)] += 1
    inside = cumulative sum of changes along the columns, odd
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from offgraph.sources.rle import decode_runs

__all__ = [
    "PolygonError",
    "Region",
    "RunLengths",
    "fill_polygon",
    "instance_mask",
    "region_mask",
    "semantic_mask",
]

MOST_CROSSINGS = 1 << 26
"""Rows crossed by all edges of one polygon: a few seconds of work. Outlines drawn by people cross some thousands."""

_AT_ONCE = 1 << 20


class PolygonError(ValueError):
    """A polygon that is not drawn; says why, without the file and the object."""


@dataclass(frozen=True, eq=False)
class RunLengths:
    """A mask as runs of 0 and 1 in column-major order.

    Parameters
    ----------
    runs : ndarray of int64, shape (n,)
    size : tuple of int
        (height, width) as the code states it.
    """

    runs: np.ndarray
    size: tuple[int, int]


Region = tuple[np.ndarray, ...] | RunLengths
"""Where an object lies: polygons, each a float64 array of (row, column) with pixel centres at integers, whose union it
is; or run lengths."""


def fill_polygon(mask: np.ndarray, polygon: np.ndarray) -> None:
    """Set the pixels of a mask whose centre lies in a polygon; the others stay.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width)
        Changed in place. The polygon may reach over its edges.
    polygon : ndarray of float64, shape (n, 2)
        (row, column) of its corners, pixel centres at integers; the last one is joined to the first. Finite. Of fewer
        than three corners nothing is set.

    Raises
    ------
    PolygonError
        Where its edges cross more than 2**26 rows in all.

    Examples
    --------
    >>> mask = np.zeros((3, 4), bool)
    >>> fill_polygon(mask, np.array([[-0.5, 0.5], [-0.5, 2.5], [1.5, 2.5], [1.5, 0.5]]))
    >>> mask.astype(int).tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    height, width = mask.shape
    rows, columns = np.asarray(polygon, np.float64).T
    if len(rows) < 3 or not mask.size:
        return
    next_rows, next_columns = np.roll(rows, -1), np.roll(columns, -1)
    # One order of the two ends, whichever way the outline runs: an edge that two polygons share is crossed alike.
    swap = rows > next_rows
    top, bottom = np.where(swap, next_rows, rows), np.where(swap, rows, next_rows)
    left, right = np.where(swap, next_columns, columns), np.where(swap, columns, next_columns)
    first = np.clip(np.ceil(top), 0, height).astype(np.int64)
    end = np.clip(np.ceil(bottom), 0, height).astype(np.int64)
    crossed = end > first
    if not crossed.any():
        return
    top, bottom, left, right, first, end = (
        values[crossed] for values in (top, bottom, left, right, first, end)
    )
    counts = end - first
    if int(counts.sum()) > MOST_CROSSINGS:
        raise PolygonError(
            f"its edges cross {int(counts.sum()):,} rows, and at most {MOST_CROSSINGS:,} are drawn"
        )
    here, below = int(first.min()), int(end.max())
    changes = np.zeros((below - here) * (width + 1), np.int64)
    for part in _parts(counts):
        edge = np.repeat(np.arange(len(counts))[part], counts[part])
        offset = np.cumsum(counts[part]) - counts[part]
        row = first[edge] + np.arange(len(edge)) - np.repeat(offset, counts[part])
        share = (row - top[edge]) / (bottom[edge] - top[edge])
        column = left[edge] + share * (right[edge] - left[edge])
        column = np.clip(np.ceil(column), 0, width).astype(np.int64)
        changes += np.bincount((row - here) * (width + 1) + column, minlength=len(changes))
    crossings = np.cumsum(changes.reshape(below - here, width + 1)[:, :width], axis=1)
    mask[here:below] |= (crossings & 1).astype(bool)


def _parts(counts: np.ndarray) -> Iterable[slice]:
    """Slices of edges with about a million crossings each."""
    chunk = np.cumsum(counts) // _AT_ONCE
    starts = np.flatnonzero(np.diff(chunk, prepend=-1))
    return (slice(start, stop) for start, stop in zip(starts, [*starts[1:], len(counts)], strict=True))


def region_mask(region: Region, size: tuple[int, int]) -> np.ndarray:
    """Return the mask of one object.

    Parameters
    ----------
    region : Region
    size : tuple of int
        (height, width) of the image.

    Raises
    ------
    RunLengthError, PolygonError
        Where it cannot be drawn.
    """
    if isinstance(region, RunLengths):
        if region.size != size:
            raise PolygonError(
                f"its mask is {region.size[0]} x {region.size[1]}, and the image {size[0]} x {size[1]}"
            )
        return decode_runs(region.runs, size)
    mask = np.zeros(size, bool)
    for polygon in region:
        fill_polygon(mask, polygon)
    return mask


def instance_mask(regions: Sequence[Region | None], size: tuple[int, int]) -> np.ndarray:
    """Return a mask in which object i, counted from 0, has the label i + 1.

    Where objects overlap, the later one is seen. An object without a region has no pixels.

    Parameters
    ----------
    regions : sequence of Region or None
    size : tuple of int
        (height, width).

    Returns
    -------
    ndarray of uint16, shape `size`
        uint32 from 65,536 objects on.

    Raises
    ------
    RunLengthError, PolygonError
        Where a region cannot be drawn; its attribute ``object_index`` is the object's number from 0.
    """
    return semantic_mask(
        regions, range(len(regions)), size, np.uint16 if len(regions) < 1 << 16 else np.uint32
    )


def semantic_mask(
    regions: Sequence[Region | None],
    labels: Iterable[int],
    size: tuple[int, int],
    dtype: type[np.unsignedinteger] | None = None,
) -> np.ndarray:
    """Return a mask in which the pixels of objects of class k have the label k + 1, and 0 is background.

    Parameters
    ----------
    regions : sequence of Region or None
    labels : iterable of int
        Class number of each region.
    size : tuple of int
        (height, width).
    dtype : dtype, optional
        uint8, or uint16 where a label does not fit, unless given.

    Raises
    ------
    RunLengthError, PolygonError
        As in `instance_mask`.
    """
    numbers = [int(label) + 1 for label in labels]
    made = np.zeros(size, dtype or (np.uint8 if max(numbers, default=0) < 256 else np.uint16))
    for index, (region, number) in enumerate(zip(regions, numbers, strict=True)):
        if region is None:
            continue
        try:
            made[region_mask(region, size)] = number
        except ValueError as error:
            error.object_index = index  # type: ignore[attr-defined]
            raise
    return made

"""Arrays on disk, worked on in strips: parts that lie in the file one after another."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["MOST", "DiskArray", "grown", "inner", "strips"]

MOST = 1 << 22
"""Pixels of a strip: result steps take some 60 bytes for each."""


class DiskArray:
    """An array in a ``.npy`` file, of which parts are read and written.

    It is mapped for one part at a time, so that what was touched does not count as this process' memory.

    Parameters
    ----------
    path : Path
    shape : tuple of int
    dtype : dtype
    new : bool
        Whether to make the file, of zeros.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: Any, *, new: bool) -> None:
        self.path, self.shape, self.dtype = path, shape, np.dtype(dtype)
        if new:
            np.lib.format.open_memmap(path, "w+", self.dtype, shape)

    def _open(self, mode: Any) -> np.ndarray:
        return np.lib.format.open_memmap(self.path, mode)

    def __getitem__(self, window: tuple[slice, ...]) -> np.ndarray:
        return np.array(self._open("r")[window])

    def __setitem__(self, window: tuple[slice, ...], values: np.ndarray) -> None:
        mapped: Any = self._open("r+")
        mapped[window] = values

    def sync(self) -> None:
        """Wait until all is on disk."""
        mapped: Any = self._open("r+")
        mapped.flush()


def strips(shape: tuple[int, ...], most: int = MOST) -> Iterator[tuple[slice, ...]]:
    """Cut an array into parts of at most about so many elements, each contiguous in C order, in this order."""
    level = 0
    while level < len(shape) - 1 and math.prod(shape[level + 1 :]) > most:
        level += 1
    rows = max(1, most // max(1, math.prod(shape[level + 1 :])))
    for place in np.ndindex(shape[:level]):
        for start in range(0, shape[level], rows):
            yield (
                *(slice(i, i + 1) for i in place),
                slice(start, min(start + rows, shape[level])),
                *(slice(0, n) for n in shape[level + 1 :]),
            )


def grown(window: tuple[slice, ...], by: tuple[int, ...], shape: tuple[int, ...]) -> tuple[slice, ...]:
    """A part with so many more elements to each side, within the array."""
    return tuple(
        slice(max(0, one.start - more), min(n, one.stop + more)) for one, more, n in zip(window, by, shape)
    )


def inner(window: tuple[slice, ...], of: tuple[slice, ...]) -> tuple[slice, ...]:
    """Where a part lies in a larger one."""
    return tuple(slice(one.start - two.start, one.stop - two.start) for one, two in zip(window, of))

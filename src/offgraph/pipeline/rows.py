"""Places for the images of a batch, in one array."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple, overload

import numpy as np

from offgraph.pipeline.buffers import Buffers

__all__ = ["BatchRows", "Row", "RowBlock", "are_neighbours", "as_block", "block_of"]


class BatchRows:
    """The array for the images of a batch, allocated when the first of them is known to fit.

    What the records of a dataset say of its images may be a lie: no memory is taken on their word.

    Parameters
    ----------
    buffers : Buffers
    count : int
    shape : tuple of int
        Of one image.
    dtype : dtype
    """

    def __init__(self, buffers: Buffers, count: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.shape, self.dtype = shape, dtype
        self._buffers, self._count = buffers, count
        self._lock = threading.Lock()
        self._array: np.ndarray | None = None

    def array(self) -> np.ndarray:
        """Return the array of the whole batch."""
        with self._lock:
            if self._array is None:
                self._array = self._buffers.empty((self._count, *self.shape), self.dtype)
            return self._array


class Row(NamedTuple):
    """A place for an image in a batch."""

    batch: BatchRows
    number: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image."""
        return self.batch.shape

    @property
    def dtype(self) -> np.dtype:
        """Its dtype."""
        return self.batch.dtype

    def array(self) -> np.ndarray:
        """Return the memory of the image."""
        return self.batch.array()[self.number]


class RowBlock(Sequence[Row]):
    """Rows that follow each other in one array, without an object for each.

    Parameters
    ----------
    batch : BatchRows
    start, stop : int
        The first of them, and the one after the last.
    """

    __slots__ = ("batch", "start", "stop")

    def __init__(self, batch: BatchRows, start: int, stop: int) -> None:
        self.batch, self.start, self.stop = batch, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> RowBlock: ...
    def __getitem__(self, place: int | slice) -> Row | RowBlock:
        found = range(self.start, self.stop)[place]
        if isinstance(found, int):
            return Row(self.batch, found)
        if found.step != 1:
            raise ValueError(f"{place}: rows of a block follow each other")
        return RowBlock(self.batch, found.start, found.stop)


def are_neighbours(rows: Sequence[Row]) -> bool:
    """Whether rows follow each other in one array."""
    if isinstance(rows, RowBlock):
        return len(rows) > 0
    if not rows or rows[0].batch is not rows[-1].batch:
        return False
    return rows[-1].number - rows[0].number + 1 == len(rows)


def as_block(rows: Sequence[Row]) -> RowBlock:
    """Return neighbours as a block."""
    if isinstance(rows, RowBlock):
        return rows
    return RowBlock(rows[0].batch, rows[0].number, rows[-1].number + 1)


def block_of(rows: Sequence[Row]) -> np.ndarray:
    """Return neighbours as one array."""
    block = as_block(rows)
    return block.batch.array()[block.start : block.stop]

"""Aligned memory that is reused once no array refers to it."""

from __future__ import annotations

import weakref
from collections import deque

import numpy as np

from offgraph.pipeline.workers import ALIGNMENT

__all__ = ["Buffers", "aligned_empty", "leased"]


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Allocate a C-contiguous array whose first byte lies on a 64-byte boundary."""
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    offset = -raw.ctypes.data % ALIGNMENT
    return raw[offset : offset + size].view(dtype).reshape(shape)


class Buffers:
    """Memory for batches, reused once nobody holds an array in it.

    New memory costs a page fault for every 4 KiB when it is first written: up to half of the time that a batch of
    small images takes. A buffer belongs to its holder for as long as any array, slice or tensor in it lives.

    Parameters
    ----------
    most : int
        Number of unused buffers that are kept.
    """

    def __init__(self, most: int) -> None:
        # Taken from the end where they are put: what was written last may still be in a cache.
        self._free: deque[np.ndarray] = deque(maxlen=most)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Allocate a C-contiguous array whose first byte lies on a 64-byte boundary."""
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        try:
            memory = self._free.pop()
        except IndexError:
            memory = None
        if memory is None or not size <= memory.size <= 2 * size:
            memory = aligned_empty((size,), np.dtype(np.uint8))
        array, lease = _lease(memory, size)
        weakref.finalize(lease, self._free.append, memory).atexit = False
        return array.view(dtype).reshape(shape)


def leased(shape: tuple[int, ...], dtype: np.dtype) -> tuple[np.ndarray, object]:
    """Allocate an array like `aligned_empty`, and an object that lives as long as any array or tensor in its memory."""
    memory = aligned_empty(shape, dtype)
    array, lease = _lease(memory.reshape(-1).view(np.uint8), memory.nbytes)
    return array.view(dtype).reshape(shape), lease


class _Lease:
    """Keeps a buffer in use while it lives."""

    def __init__(self, memory: np.ndarray) -> None:
        self.memory = memory
        self.__array_interface__ = memory.__array_interface__


def _lease(memory: np.ndarray, size: int) -> tuple[np.ndarray, _Lease]:
    """The first `size` bytes; arrays made of them keep the lease: NumPy follows their bases to an array, no further."""
    lease = _Lease(memory)
    return np.asarray(lease)[:size], lease

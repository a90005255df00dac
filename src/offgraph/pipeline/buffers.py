"""Aligned memory that is reused once no array refers to it."""

from __future__ import annotations

import math
import mmap
import sys
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress

import numpy as np

from offgraph.pipeline.workers import ALIGNMENT

__all__ = ["Buffers", "Lease", "aligned_empty", "lease", "leased"]

_MAPPED = 1 << 20
"""Bytes from which a buffer is a mapping of its own, which the system takes back at once when it is let go of."""
_HUGE = 4 << 20
"""Bytes from which huge pages are asked for, as NumPy does: one page fault for 512."""


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Allocate a C-contiguous array whose first byte lies on a 64-byte boundary."""
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    offset = -raw.ctypes.data % ALIGNMENT
    return raw[offset : offset + size].view(dtype).reshape(shape)


def _mapped(size: int) -> np.ndarray:
    """Map memory of its own for a buffer; it starts on a page."""
    try:
        if hasattr(mmap, "MAP_PRIVATE"):
            memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        else:  # Windows
            memory = mmap.mmap(-1, size)
    except OSError as error:
        raise MemoryError(f"no memory for a batch of {size:,} bytes") from error
    if size >= _HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without them
            memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)


class Buffers:
    """Memory for batches, reused once nobody holds an array in it.

    New memory costs a page fault for every 4 KiB when it is first written: up to half of the time that a batch of
    small images takes. A buffer belongs to its holder for as long as any array, slice or tensor in it lives.

    Parameters
    ----------
    most : int
        Number of unused buffers that are kept.
    alike : int, optional
        Number of those of one size; as many unless given. How many batches are on their way at a time depends on how
        fast they are taken: one moment of it is not to decide for good how much memory is kept.
    """

    def __init__(self, most: int, alike: int | None = None) -> None:
        # Taken from the end where they are put: what was written last may still be in a cache.
        self._free: deque[np.ndarray] = deque(maxlen=most)
        self._alike = most if alike is None else alike
        self._asked: Counter[int] = Counter()
        self._before: Mapping[int, int] | None = None  # what the pass before this one asked for

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Allocate a C-contiguous array whose first byte lies on a 64-byte boundary."""
        size = math.prod(shape) * dtype.itemsize
        memory = self._taken(size)
        if memory is None:
            memory = aligned_empty((size,), np.dtype(np.uint8)) if size < _MAPPED else _mapped(size)
        self._asked[memory.size] += 1
        array, held = lease(memory, shape, dtype)
        held.give_back = self._keep
        return array

    def end_pass(self) -> None:
        """Note the end of a pass: what it asked for once, as for its last batch, is not kept until the next one does."""
        self._before, self._asked = self._asked, Counter()
        for _ in range(len(self._free)):
            with suppress(IndexError):
                self._keep(self._free.popleft())

    def _keep(self, memory: np.ndarray) -> None:
        """Keep memory that nobody uses if it is likely to be asked for again; any thread may call it, at any moment."""
        before, size = self._before, memory.size
        if before is not None and before.get(size, 0) <= 1 and self._asked.get(size, 0) <= 1:
            return
        if sum(other.size == size for other in self._free.copy()) < self._alike:
            self._free.append(memory)

    def _taken(self, size: int) -> np.ndarray | None:
        """Take unused memory of about a size; other memory, such as that of an epoch's last batch, stays.

        Memory is put back by whichever thread lets go of it last, at any moment: what is looked at is taken out first.
        """
        aside: list[np.ndarray] = []
        found = None
        while found is None:
            try:
                memory = self._free.pop()
            except IndexError:
                break
            if size <= memory.size <= 2 * size:
                found = memory
            else:
                aside.append(memory)
        if aside:
            self._free.extend(reversed(aside))
        return found


def leased(shape: tuple[int, ...], dtype: np.dtype) -> tuple[np.ndarray, object]:
    """Allocate an array like `aligned_empty`, and an object that lives as long as any array or tensor in its memory."""
    memory = aligned_empty(shape, dtype)
    return lease(memory.reshape(-1).view(np.uint8), shape, dtype)


class _Leased(np.ndarray):
    """What a lease stands on."""


class Lease(np.ndarray):
    """Keeps a buffer in use while it lives: arrays made of it have it as their base.

    NumPy replaces the base of a new array by the base of that, and so on, as long as those are arrays of the new one's
    class. So it has a class of its own, and so has what it stands on. To ask an object for its ``__array_interface__``
    takes twice as long.
    """

    memory: np.ndarray
    give_back: Callable[[np.ndarray], None] | None = None
    """Takes the memory after the last array in it."""

    def __del__(self, _is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        # `weakref.finalize` takes 4 µs more. When the interpreter ends, modules are empty, and nobody takes the memory.
        if self.give_back is not None and not _is_finalizing():
            self.give_back(self.memory)


def lease(memory: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> tuple[np.ndarray, Lease]:
    """An array in the first bytes of a memory; all arrays made of it keep the lease."""
    held = memory.view(_Leased).view(Lease)
    held.memory = memory
    return np.ndarray(shape, dtype, held), held

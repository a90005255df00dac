"""Memory that one process fills and another one uses, reused once both have let go of it.

The maker (`SharedBuffers`) allocates segments, files in memory without a name: whatever happens to either process, the
system frees them with the last one that has them. Their file descriptors go to the holder (`BorrowedBuffers`) over a
socket, once per segment; after that a number stands for a segment. The holder gives each back through a pipe when the
last array in it is gone.

    maker                                   holder
    empty() → fill → lent()  ── number ──→  array() → used → last array gone
    free again          ←──────── number in the pipe ────────┘
"""

from __future__ import annotations

import math
import mmap
import os
import struct
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from offgraph.pipeline.buffers import Buffers, aligned_empty, lease

__all__ = ["BorrowedBuffers", "Location", "Returns", "SharedBuffers", "read_returns"]

_RETURN = struct.Struct("<Bq")
"""What is given back through the pipe: its kind and its number. Writes of so few bytes never mix."""
_TOGETHER = 8
"""Things that are given back at a time: the segments and records of four batches."""
_MOST_WRITTEN = 4000
"""Bytes of one write; it has to be whole, whatever other threads write."""
_MOST_HELD = 64
"""Segments that a holder has at a time, each with a file descriptor in both processes; what comes on top is copied."""


class Location(NamedTuple):
    """Where an array lies.

    Parameters
    ----------
    segment : int
    offset : int
        Of the array's first byte.
    """

    segment: int
    offset: int


class _Segment:
    """A file in memory, mapped."""

    def __init__(self, number: int, size: int) -> None:
        self.number = number
        self.handle = _memory_file(size)
        try:
            self.memory = np.frombuffer(mmap.mmap(self.handle, size), np.uint8)
        except BaseException:
            os.close(self.handle)
            raise
        self.address = int(self.memory.__array_interface__["data"][0])
        self.filling = self.held = self.known = False
        """Whether an array of the maker lies in it, whether the holder has one, and whether it can map the number."""

    def __del__(self) -> None:
        with suppress(OSError, AttributeError):
            os.close(self.handle)


class SharedBuffers(Buffers):
    """The maker's half: allocates as `Buffers` does, in segments that can be lent.

    Parameters
    ----------
    most : int
        Number of unused segments that are kept.
    """

    def __init__(self, most: int) -> None:
        super().__init__(0)
        self._most = most
        self._lock = threading.Lock()
        self._segments: dict[int, _Segment] = {}
        self._unused: list[int] = []
        self._filled: deque[int] = (
            deque()
        )  # appended to by whichever thread drops the last array, at any moment
        self._next = 0
        self._discarded: list[int] = []

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Allocate a C-contiguous array at the start of a memory page."""
        size = math.prod(shape) * dtype.itemsize
        with self._lock:
            self._collect()
            segment = self._unused_or_new(size)
            segment.filling = True
        array, held = lease(segment.memory, shape, dtype)
        held.give_back = _Appended(self._filled, segment.number)
        return array

    def lend(self, array: np.ndarray) -> tuple[Location, int | None]:
        """Mark the segment that an array lies in as held by the other process.

        Returns
        -------
        Location, int or None
            Where the array lies, and the file descriptor to send where the holder does not have the segment yet.
        """
        with self._lock:
            location = self._find(array)
        if location is None:
            copy = self.empty(array.shape, array.dtype)
            copy[...] = array
            return self.lend(copy)
        segment = self._segments[location.segment]
        segment.held = True
        return location, None if segment.known else segment.handle

    def received(self, number: int) -> None:
        """Note that the holder has mapped a segment."""
        with self._lock:
            if number in self._segments:  # it may be back already, and gone
                self._segments[number].known = True

    def returned(self, number: int, *, unseen: bool = False) -> None:
        """Take a segment back from the holder, or one that never reached it."""
        with self._lock:
            self._collect()  # while it is held, so that it is put back once
            segment = self._segments[number]
            segment.held = False
            segment.known |= not unseen
            if not segment.filling:
                self._put_back(segment)

    def take_discarded(self) -> list[int]:
        """Numbers of segments that are gone since the last call: the holder may unmap them."""
        with self._lock:
            taken, self._discarded = self._discarded, []
        return taken

    def not_told(self, numbers: list[int]) -> None:
        """Give back what `take_discarded` gave: it did not reach the holder."""
        with self._lock:
            self._discarded += numbers

    def _find(self, array: np.ndarray) -> Location | None:
        if not array.flags.c_contiguous:
            return None
        address = int(array.__array_interface__["data"][0])
        for segment in self._segments.values():
            if (offset := address - segment.address) >= 0 and offset + array.nbytes <= segment.memory.size:
                return Location(segment.number, offset) if not segment.held else None
        return None

    def _unused_or_new(self, size: int) -> _Segment:
        """Take a free segment of about a size, what was written last first, or make one."""
        for place in reversed(range(len(self._unused))):
            segment = self._segments[self._unused[place]]
            if size <= segment.memory.size <= 2 * size:
                del self._unused[place]
                return segment
        segment = _Segment(self._next, max(size, 1))
        self._segments[segment.number] = segment
        self._next += 1
        return segment

    def _collect(self) -> None:
        """Put back the segments whose last array of this process is gone."""
        while self._filled:
            segment = self._segments[self._filled.popleft()]
            segment.filling = False
            if not segment.held:
                self._put_back(segment)

    def _put_back(self, segment: _Segment) -> None:
        self._unused.append(segment.number)
        if len(self._unused) > self._most:
            old = self._segments.pop(self._unused.pop(0))
            if old.known:
                self._discarded.append(old.number)


class _Appended:
    """Appends a number when the memory is given back."""

    def __init__(self, numbers: deque[int], number: int) -> None:
        self._numbers, self._number = numbers, number

    def __call__(self, memory: np.ndarray) -> None:
        self._numbers.append(self._number)


class Returns:
    """The holder's end of the pipe; closed when nobody can give anything back any more.

    Parameters
    ----------
    handle : int
        File descriptor to write to; belongs to this object from here on.
    """

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle
        self._waiting: deque[tuple[int, int]] = deque()
        self.process_id = os.getpid()

    def give(self, kind: int, number: int) -> None:
        """Give back something of a kind (0 to 255), a few at a time: each system call gives the GIL away."""
        self._waiting.append((kind, number))
        if len(self._waiting) >= _TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Give back what waits for others. A forked child gives nothing back: the parent still has it."""
        if self._handle is None or os.getpid() != self.process_id:
            return
        data = bytearray()
        with suppress(IndexError):  # empty; another thread may take from it, too
            while len(data) < _MOST_WRITTEN:
                data += _RETURN.pack(*self._waiting.popleft())
        if data:
            with suppress(OSError):  # the maker is gone
                os.write(self._handle, data)

    def close(self) -> None:
        """Give back nothing more."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def __del__(self) -> None:
        if self._handle is not None:  # at the end of a program, when modules are gone, it was closed
            self.close()


def read_returns(handle: int) -> Iterator[tuple[int, int]]:
    """Kinds and numbers that lie in the pipe; `handle` does not block."""
    while True:
        try:
            data = os.read(handle, 4095 // _RETURN.size * _RETURN.size)
        except BlockingIOError:
            return
        if not data:
            return
        yield from _RETURN.iter_unpack(data)


class BorrowedBuffers:
    """The holder's half: arrays in the segments of another process.

    Parameters
    ----------
    give_back : callable
        Takes the number of a segment after the last array in it.
    """

    def __init__(self, give_back: Callable[[int], None]) -> None:
        self._give_back = give_back
        self._mapped: dict[int, np.ndarray] = {}
        self._held: set[int] = set()

    def map(self, number: int, handle: int) -> None:
        """Map a segment that was not seen before."""
        size = os.fstat(handle).st_size
        self._mapped[number] = np.frombuffer(mmap.mmap(handle, size), np.uint8)

    def array(self, location: Location, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return the array at a location: the memory itself, or a copy where too many segments are held."""
        memory = self._mapped[location.segment]
        size = math.prod(shape) * dtype.itemsize
        part = memory[location.offset : location.offset + size]
        if len(self._held) >= _MOST_HELD:
            copy = aligned_empty(shape, dtype)
            copy.reshape(-1).view(np.uint8)[:] = part
            self._give_back(location.segment)
            return copy
        self._held.add(location.segment)
        array, held = lease(part, shape, dtype)
        held.give_back = _Returned(self._held, location.segment, self._give_back)
        return array

    def discard(self, numbers: list[int]) -> None:
        """Unmap segments that the maker has given up."""
        for number in numbers:
            self._mapped.pop(number, None)


class _Returned:
    """Gives a segment back."""

    def __init__(self, held: set[int], number: int, give_back: Callable[[int], None]) -> None:
        self._held, self._number, self._give_back = held, number, give_back

    def __call__(self, memory: np.ndarray) -> None:
        self._held.discard(self._number)
        self._give_back(self._number)


def _memory_file(size: int) -> int:
    """Create a file in memory, or where the system has none, a temporary one; no name leads to it."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("offgraph-batch", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            handle = os.dup(file.fileno())
    try:
        os.ftruncate(handle, size)
    except BaseException:
        os.close(handle)
        raise
    return handle

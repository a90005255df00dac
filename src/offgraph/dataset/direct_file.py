"""New files whose bytes go to the drive without a copy in the system's cache, where the file system allows it.

A shard is written once, from its beginning to its end, and is often larger than what it pushes out of that cache. The copy
takes new pages, a million of them for 4 GB, and on a virtual machine the host has to find each of them first: 8 to 80 ms
for 30 MB, of the processors that decode. The drive takes whole blocks from memory that begins on one: bytes are gathered in
1 MiB, which a processor's own cache holds. What is left at the end goes the ordinary way.
"""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path

import numpy as np

__all__ = ["DirectFile"]

_GATHERED = 1 << 20
"""Bytes that are written at a time."""
_BLOCK = 4096
"""A multiple of the block of every usual drive."""
_STARTED = 4 << 20
"""Bytes after which the system is told to begin writing what it holds in its cache."""


class DirectFile:
    """A new file that is written from its beginning to its end.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    is_direct : bool
        Whether bytes went to the drive directly the last time. The first MiB of a file decides.

    Raises
    ------
    OSError
        Where the file cannot be made or written; `close` writes, too.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self._memory = mmap.mmap(-1, _GATHERED)  # begins on a page
        self._gathered = np.frombuffer(self._memory, np.uint8)
        self._filled = self._written = self._started = 0
        self.is_direct = False

    def write(self, data: memoryview) -> None:
        """Write bytes; the last of them reach the system with `close`."""
        values = np.frombuffer(data, np.uint8)
        while values.size:
            part = values[: _GATHERED - self._filled]
            self._gathered[self._filled : self._filled + part.size] = part  # without the interpreter lock
            self._filled += part.size
            values = values[part.size :]
            if self._filled == _GATHERED:
                if not self._written:
                    self._go_direct(True)
                self._flush()

    def close(self, *, whole: bool = True) -> None:
        """Write what is left, unless the file is not to be `whole`, and close it."""
        try:
            if whole and not self._file.closed:
                self._go_direct(False)
                self._flush()
        finally:
            self._file.close()

    def _flush(self) -> None:
        rest = memoryview(self._memory)[: self._filled]
        self._filled = 0  # after an error as well: the file is not kept
        while rest:
            try:
                written = os.write(self._file.fileno(), rest)
            except OSError as error:
                if not self.is_direct or error.errno != errno.EINVAL:
                    raise
                self._go_direct(False)  # it took the flag, and does not take the bytes
                continue
            rest = rest[written:]
            self._written += written
            if written % _BLOCK:
                self._go_direct(False)  # the next byte does not begin a block
        if not self.is_direct and self._written - self._started >= _STARTED:
            self._start()

    def _go_direct(self, wanted: bool) -> None:
        """Have bytes go past the cache from now on, or through it."""
        flag = getattr(os, "O_DIRECT", 0)
        if not flag or wanted == self.is_direct:
            return
        import fcntl

        flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
        try:
            fcntl.fcntl(self._file, fcntl.F_SETFL, flags | flag if wanted else flags & ~flag)
        except OSError:  # a file system that knows no other way than its cache
            return
        self.is_direct = wanted

    def _start(self) -> None:
        """Have the system begin to write to the drive, so that `fsync` has little left to wait for."""
        if hasattr(os, "posix_fadvise"):
            length = self._written - self._started
            os.posix_fadvise(self._file.fileno(), self._started, length, os.POSIX_FADV_DONTNEED)
        self._started = self._written

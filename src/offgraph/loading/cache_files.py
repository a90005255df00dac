"""The files of a folder of cached images: one that only grows, with an index, for each process that writes."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import stat
import struct
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.errors import ArgumentError
from offgraph.loading.cache_description import Layout
from offgraph.loading.kept import ProcessLock

__all__ = ["INDEX", "IndexReader", "Place", "ShardWriter", "digest", "make_folder"]

INDEX = re.compile(r"[0-9a-f]{16}\.index")
"""Names of the indices."""
_MARKER = "offgraph-cache.json"
_CONTENT = b'{"offgraph cache": 1}\n'
_RECORD = struct.Struct("<16s16sQQI4x16s")
"""Digest of the file's path, digest of its stamp; offset, length, length of the description, digest of the bytes."""
_CHECK = 8
_WHOLE = _RECORD.size + _CHECK
_LONGEST_HEAD = 1 << 16
_AT_ONCE = 1 << 14
"""Records that are read at a time."""


class Place:
    """Where an image lies."""

    __slots__ = ("digest", "file", "head", "layout", "length", "offset")

    def __init__(self, file: DataFile, offset: int, length: int, head: int, digest: bytes) -> None:
        self.file, self.offset, self.length, self.head = file, offset, length, head
        self.digest = digest
        self.layout: Layout | None = None
        """Known once the bytes were compared with their digest."""


class DataFile:
    """A file with images, that any thread may read anywhere; closed when nobody holds it."""

    def __init__(self, path: Path, handle: int | None = None) -> None:
        self.path = path
        self._handle = handle
        self._length = 0
        self._lock = ProcessLock()

    def __del__(self) -> None:
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.close(self._handle)

    def reaches(self, end: int) -> bool:
        """Whether the file has, or once had, so many bytes."""
        if end > self._length:
            self._length = self.path.stat().st_size
        return end <= self._length

    def read(self, data: np.ndarray, start: int) -> bool:
        """Fill an array with the bytes from a position on; False where the file ends before."""
        view, done = memoryview(data.data), 0
        while done < len(view):  # a call may give less than was asked for
            count = os.preadv(self.handle, [view[done:]], start + done)
            if not count:
                return False
            done += count
        return True

    @property
    def handle(self) -> int:
        """The open file."""
        if self._handle is None:
            with self._lock:
                if self._handle is None:
                    self._handle = _open(self.path)
        return self._handle


class IndexReader:
    """What is known of another process' index."""

    def __init__(self, path: Path) -> None:
        self.path, self.position = path, 0
        self.data = DataFile(path.with_suffix(".data"))

    def take(self, places: dict[bytes, Place], most: int) -> int:
        """Take in new records; return the bytes of the images beside."""
        try:
            size = self.data.path.stat().st_size
            if self.path.stat().st_size < self.position + _WHOLE:
                return size
            handle = _open(self.path)
        except OSError:
            return 0
        try:
            while len(found := os.pread(handle, _WHOLE * _AT_ONCE, self.position)) >= _WHOLE:
                for start in range(0, len(found) - _WHOLE + 1, _WHOLE):
                    record = found[start : start + _RECORD.size]
                    # Records follow each other whole, so nothing after one that does not fit is believed.
                    if found[start + _RECORD.size : start + _WHOLE] != _short(record):
                        return size
                    name, stamp, offset, length, head, known = _RECORD.unpack(record)
                    if not (0 < head <= min(length, _LONGEST_HEAD) and length <= 2 * most + _LONGEST_HEAD):
                        return size
                    if not self.data.reaches(offset + length):
                        return size
                    places[name + stamp] = Place(self.data, offset, length, head, known)
                    self.position += _WHOLE
        except OSError:
            pass
        finally:
            os.close(handle)
        return size


class ShardWriter:
    """The two files of this process.

    Attributes
    ----------
    process : int
        Number of the process: a forked one has files of its own.
    name : str
        Of the index.
    length : int
        Bytes that are written, or will be.
    """

    def __init__(self, folder: Path) -> None:
        self.process, self.length = os.getpid(), 0
        stem = secrets.token_hex(8)
        self.name = f"{stem}.index"
        flags = os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        path = folder / f"{stem}.data"
        self.data = DataFile(path, os.open(path, flags | os.O_RDWR, 0o666))
        self._index = DataFile(
            folder / self.name, os.open(folder / self.name, flags | os.O_WRONLY | os.O_APPEND, 0o666)
        )

    def write(self, key: bytes, data: bytes, head: int, offset: int) -> Place:
        """Write an image, then its record.

        Parameters
        ----------
        key : bytes
            Digests of its file's path and of its stamp.
        data : bytes
        head : int
            Length of the description at their beginning.
        offset : int
            Where they go: nobody else writes there.
        """
        view, done = memoryview(data), 0
        while done < len(view):
            done += os.pwrite(self.data.handle, view[done:], offset + done)
        place = Place(self.data, offset, len(data), head, digest(data))
        self._note(_RECORD.pack(key[:16], key[16:], offset, len(data), head, place.digest))
        return place

    def _note(self, record: bytes) -> None:
        """Append a record in one call: what is not whole is not believed."""
        if os.write(self._index.handle, record + _short(record)) != _WHOLE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _open(path: Path) -> int:
    """Open a regular file for reading: opening a pipe could wait for ever, and a link could lead anywhere."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a file")
    return handle


def make_folder(folder: Path) -> None:
    """Make a folder for caches.

    Raises
    ------
    ArgumentError
        For one that holds something else.
    OSError
        Where it cannot be made.
    """
    marker = folder / _MARKER
    folder.mkdir(parents=True, exist_ok=True)
    if marker.exists():
        handle = _open(marker)
        found = os.read(handle, len(_CONTENT) + 1)
        os.close(handle)
        if found != _CONTENT:
            raise ArgumentError(
                f"where={str(folder)!r:.200}: holds the cache of another version; remove it, or choose another folder"
            )
        return
    others = [entry.name for entry in os.scandir(folder) if not entry.name.startswith(_MARKER)]
    if others:
        raise ArgumentError(
            f"where={str(folder)!r:.200}: is not a cache, as it holds {min(others)!r:.80}; choose a new folder"
        )
    part = folder / f"{_MARKER}.{secrets.token_hex(4)}"
    with part.open("wb") as file:
        file.write(_CONTENT)
        file.flush()
        os.fsync(file.fileno())
    part.replace(marker)


def digest(data: Any) -> bytes:
    """Return 16 bytes by which bytes are known."""
    return hashlib.blake2b(data, digest_size=16).digest()


def _short(record: bytes) -> bytes:
    return hashlib.blake2b(record, digest_size=_CHECK).digest()

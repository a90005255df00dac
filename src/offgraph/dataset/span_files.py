"""The files in which the arrays of a dataset lie, by number: named, opened, and watched for writes.

Files are read, not mapped into memory: another program may cut a file at any moment, and touching a mapped page that
the file no longer has ends the process (SIGBUS), whatever was checked before. A read that comes short is an error that
names the file.
"""

from __future__ import annotations

import os
import threading
import weakref
from array import array as numbers
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.errors import BuildError
from offgraph.dataset.output import inside

__all__ = ["OpenFile", "SpanFiles"]

_MOST_OPEN = 128
"""Files that are open at a time."""


class SpanFiles:
    """Files of a dataset by number.

    Parameters
    ----------
    root : Path
        Folder of the dataset.

    Notes
    -----
    There may be a million: names are kept in one piece of memory, and what is known of the files in arrays.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names, self._ends = bytearray(), numbers("q", [0])
        self._last: str | None = None
        self._times, self._sizes = numbers("q"), numbers("q")
        self._prepare()

    def _prepare(self) -> None:
        """Create what belongs to this process and is not pickled."""
        self._open: dict[int, OpenFile] = {}
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_open", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._prepare()

    def add(self, name: str) -> int:
        """Return the number of a file, which is that of the one before if their names are the same."""
        if name != self._last:
            self._names += name.encode("utf-8", "surrogatepass")
            self._ends.append(len(self._names))
            self._times.append(0)
            self._sizes.append(-1)
            self._last = name
        return len(self._sizes) - 1

    def name(self, number: int) -> str:
        """Return the name of a file, as the records have it."""
        start, end = self._ends[number], self._ends[number + 1]
        return self._names[start:end].decode("utf-8", "surrogatepass")

    def opened(self, number: int) -> OpenFile:
        """Return a file, which stays open as long as anybody holds it.

        Raises
        ------
        BuildError
            Where it is not a file, or not one of the dataset.
        OSError
            Where it cannot be opened.
        """
        found = self._open.get(number)
        if found is None:
            made = OpenFile(inside(self.root, self.name(number)))
            with self._lock:
                if len(self._open) >= _MOST_OPEN:
                    del self._open[next(iter(self._open))]  # closed once no thread reads it
                found = self._open.setdefault(number, made)
        return found

    def is_known(self, number: int, file: OpenFile) -> bool:
        """Whether nothing wrote into a file since `note`, as far as its time of change and its size tell."""
        return file.stamp() == (self._times[number], self._sizes[number])

    def note(self, number: int, file: OpenFile) -> bool:
        """Note what tells of a later write; return whether something was written since the last call."""
        stamp = file.stamp()
        known = self._times[number], self._sizes[number]
        if stamp == known:
            return False
        self._times[number], self._sizes[number] = stamp
        return known[1] >= 0


class OpenFile:
    """An open file that any thread may read anywhere; closed when nobody holds it."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():  # opening a pipe could wait for ever
            path.stat()
            raise BuildError(f"{path.name} is not a file")
        self._handle = path.open("rb", buffering=0)
        self._length = 0
        weakref.finalize(
            self, self._handle.close
        ).atexit = False  # Python warns of a file that only goes away

    @property
    def number(self) -> int:
        """Of its descriptor, which is open as long as this object lives."""
        return self._handle.fileno()

    def reaches(self, end: int) -> bool:
        """Whether the file has, or once had, so many bytes."""
        if end > self._length:
            self._length = os.fstat(self._handle.fileno()).st_size
        return end <= self._length

    def stamp(self) -> tuple[int, int]:
        """What tells that something wrote into it: its time of change, and its size."""
        status = os.fstat(self._handle.fileno())
        return status.st_mtime_ns, status.st_size

    def read(self, data: np.ndarray, start: int) -> bool:
        """Fill an array with the bytes from a position on; False where the file ends before."""
        number, done = self._handle.fileno(), 0
        while done < len(data):  # a call may give less than was asked for
            count = _read_into(number, data[done:] if done else data, start + done)
            if not count:
                return False
            done += count
        return True


def _read_into(number: int, data: np.ndarray, start: int) -> int:
    """Read bytes of a file from a position; their number, which is 0 only at or past the end."""
    if hasattr(os, "preadv"):
        return os.preadv(number, [data.data], start)
    read = os.pread(number, len(data), start)  # macOS before 11
    data[: len(read)] = np.frombuffer(read, np.uint8)
    return len(read)

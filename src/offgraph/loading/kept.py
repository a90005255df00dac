"""What a cache keeps of an image, and how a place for it is asked."""

from __future__ import annotations

import os
import threading
from typing import Any, NamedTuple, Protocol

from offgraph.core.specs import ArraySpec
from offgraph.targets import Image, Mask

__all__ = ["ImageCache", "KeptImage", "MemoryCache", "ProcessLock", "Stamp"]

Stamp = tuple[int, ...]
"""Size, times of modification and of change in nanoseconds, and inode of an image's file, and of its mask's."""

_BESIDE = 1024
"""Bytes that an image in memory takes besides its pixels."""


class ProcessLock:
    """A lock for the threads of one process: a copy in a forked or other process is free, whoever held this one."""

    def __init__(self) -> None:
        self._lock, self._process = threading.Lock(), os.getpid()

    def __enter__(self) -> None:
        if self._process != os.getpid():
            self._lock, self._process = threading.Lock(), os.getpid()
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def __reduce__(self) -> Any:
        return ProcessLock, ()


class KeptImage(NamedTuple):
    """An image after the first steps of a recipe, and what its file said.

    Parameters
    ----------
    start : ArraySpec
        Of the image before the first step.
    stored_size : tuple of int
        (height, width) in the file, before its orientation was applied.
    image : Image
        After the steps that are kept; its pixels are shared, and read-only.
    mask : Mask or None
        As it was read from a file of its own, before the first step.
    converted : str or None
        How the image was brought to the depth of the others.
    """

    start: ArraySpec
    stored_size: tuple[int, int]
    image: Image
    mask: Mask | None
    converted: str | None

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        return self.image.array.nbytes + (0 if self.mask is None else self.mask.array.nbytes)


class ImageCache(Protocol):
    """A place where images are kept until it is full: the first ones that fit stay, and none makes room for another.

    In a shuffled epoch every image is asked for once, so one that was put out for another would be missing as soon.
    """

    limit: int
    """Bytes that it takes at most."""
    full: bool
    """Whether an image did not fit."""
    damaged: int
    """Images that were not as they were written, and were made again."""

    @property
    def where(self) -> str:
        """``"memory"``, or the folder."""
        ...

    @property
    def images(self) -> int:
        """How many images it has."""
        ...

    @property
    def nbytes(self) -> int:
        """How many bytes it takes."""
        ...

    def get(self, number: int, stamp: Stamp) -> KeptImage | None:
        """Return an image by its number in the source; None where it is not here, or is of another file."""
        ...

    def put(self, number: int, stamp: Stamp, kept: KeptImage) -> None:
        """Keep an image, if there is room."""
        ...


class MemoryCache:
    """Images in the memory of this process. A copy in another process, made by pickling, begins empty.

    Parameters
    ----------
    limit : int
        Bytes.
    """

    where = "memory"
    damaged = 0

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._begin()

    def _begin(self) -> None:
        self._kept: dict[int, tuple[Stamp, KeptImage]] = {}
        self._lock = ProcessLock()
        self.nbytes, self.full = 0, False

    def __getstate__(self) -> dict[str, Any]:
        return {"limit": self.limit}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._begin()

    @property
    def images(self) -> int:
        """How many images it has."""
        return len(self._kept)

    def get(self, number: int, stamp: Stamp) -> KeptImage | None:
        """Return an image; see `ImageCache`."""
        found = self._kept.get(number)
        return None if found is None or found[0] != stamp else found[1]

    def put(self, number: int, stamp: Stamp, kept: KeptImage) -> None:
        """Keep an image, if there is room; see `ImageCache`."""
        size = kept.nbytes + _BESIDE
        with self._lock:
            before = self._kept.get(number)
            room = self.limit - self.nbytes + (0 if before is None else before[1].nbytes + _BESIDE)
            if before is not None:
                del self._kept[number]
            if size > room:
                self.full = True
            else:
                self._kept[number] = stamp, kept
                room -= size
            self.nbytes = self.limit - room

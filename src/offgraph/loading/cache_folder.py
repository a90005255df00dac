"""A folder of decoded images that outlives the process, and that several processes fill and read at once.

For each way of making images, told apart by a fingerprint, there is a folder. In it every process that adds images
has two files of its own, to which it only appends:

    <writer>.data     an image after the other: a description in JSON, the pixels, those of the mask
    <writer>.index    a record of 80 bytes each: whose image it is, where it lies, a digest of it, a digest of the record

An image is written before its record. What a process that died, or a machine, left half written has no record, or one
whose digest does not fit: it is made again. Nothing that is read is believed: lengths are checked against limits and
against the file before memory is taken, descriptions against what the recipe makes, bytes against their digest the
first time that a process reads them. The digests find damage. They do not keep out somebody who may write into the
folder: such a person can put other pixels into it, but no more than that.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.errors import ArgumentError, MachineError, StepError
from offgraph.core.machine import Read, is_machine, machine_error
from offgraph.formats.base import Limits
from offgraph.loading.cache_description import Layout, described, parse
from offgraph.loading.cache_files import INDEX, IndexReader, Place, ShardWriter, digest, make_folder
from offgraph.loading.kept import KeptImage, ProcessLock, Stamp
from offgraph.pipeline.buffers import Buffers
from offgraph.recipe.resumed import ResumedRecipe
from offgraph.sources import Source

__all__ = ["CacheFolder"]

_PAUSE = 1.0
"""Seconds between two looks at what other processes have added."""
_REUSED = ((1 << 20, 32), (16 << 20, 4))
"""Memory for images of up to so many bytes is kept for so many of them."""
_MOST_LAYOUTS = 1 << 14
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))


class CacheFolder:
    """Images in a folder on a disk.

    Parameters
    ----------
    folder : Path
    fingerprint : str
        Of how images are read and what is done to them.
    source : Source
    resumed : ResumedRecipe
        What is kept has to be what its first steps make.
    limit : int, optional
        Bytes of the images of this fingerprint, about. Default: half of the space that is free.

    Raises
    ------
    ArgumentError
        For a folder that holds something else, and for one that cannot be made.
    """

    def __init__(
        self, folder: Path, fingerprint: str, source: Source, resumed: ResumedRecipe, *, limit: int | None
    ) -> None:
        self.folder, self.limit = folder.absolute(), limit or 0
        self._own = self.folder / fingerprint[:32]
        self._source, self._resumed = source, resumed
        self._limits = Limits(source.reading.max_pixels)
        try:
            make_folder(self.folder)
            self._own.mkdir(exist_ok=True)
        except OSError as error:
            raise ArgumentError(
                f"where={str(folder)!r:.200}: cannot be made: {error.strerror or error}; choose a folder that can be written"
            ) from error
        self._begin()
        self._look(force=True)
        if limit is None:
            self.limit = self.nbytes + shutil.disk_usage(self._own).free // 2

    def _begin(self) -> None:
        """Create what belongs to this process and is not pickled."""
        self._process = os.getpid()
        self._lock = ProcessLock()
        self._places: dict[bytes, Place] = {}
        self._seen: dict[str, IndexReader] = {}
        self._layouts: dict[bytes, Layout] = {}
        self._buffers = [(most, Buffers(count)) for most, count in _REUSED]
        self._writer: ShardWriter | None = None
        self._looked, self._is_looking = -math.inf, False
        self._written = self._others = 0
        self.full, self.damaged = not os.access(self._own, os.W_OK), 0

    def __getstate__(self) -> dict[str, Any]:
        kept = ("folder", "limit", "_own", "_source", "_resumed", "_limits")
        return {name: getattr(self, name) for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._begin()

    @property
    def where(self) -> str:
        """The folder."""
        return str(self.folder)

    @property
    def images(self) -> int:
        """How many images are known to be in it."""
        return len(self._places)

    @property
    def nbytes(self) -> int:
        """Bytes of the files with images, of this fingerprint."""
        return self._written + self._others

    # ---- reading

    def get(self, number: int, stamp: Stamp) -> KeptImage | None:
        """Return an image; see `ImageCache`.

        Raises
        ------
        MachineError
            Where the drive fails.
        """
        key = self._key(number, stamp)
        place = self._places.get(key)
        if place is None:
            self._look()
            place = self._places.get(key)
            if place is None:
                return None
        try:
            return self._read(place)
        except (ValueError, StepError, RecursionError):  # of JSON, too
            self._forget(key, place)
        except OSError as error:
            if is_machine(error):
                raise machine_error(str(place.file.path), error) from error
            self._forget(key, place)
        return None

    def _forget(self, key: bytes, place: Place) -> None:
        with self._lock:
            if self._places.get(key) is place:
                del self._places[key]
                self.damaged += 1

    def _read(self, place: Place) -> KeptImage:
        data = self._empty(place.length)
        with Read(place.file.path):
            whole = place.file.read(data, place.offset)
        if not whole:
            raise ValueError("the file is too short")
        layout = place.layout
        if layout is None:
            if digest(data.data) != place.digest:
                raise ValueError("not as it was written")
            place.layout = layout = self._layout(data[: place.head].tobytes(), place.length)
        data.flags.writeable = False
        return layout.kept(data)

    def _layout(self, head: bytes, length: int) -> Layout:
        """Parse a description, and hold it against the recipe and the limits; most images share one."""
        found = self._layouts.get(head)
        if found is None:
            found = parse(head)
            if found.start.pixels > self._limits.max_pixels or found.start.nbytes > self._limits.max_bytes:
                raise ValueError("an image of more than max_pixels")
            if self._resumed.kept_spec(found.start) != found.image.spec:
                raise ValueError("not what the recipe makes")
            if found.mask is not None and found.mask.spec.size != found.start.size:
                raise ValueError("a mask of another size")
            if len(self._layouts) < _MOST_LAYOUTS:
                self._layouts[head] = found
        if found.length != length:
            raise ValueError("more or fewer bytes than its description says")
        return found

    def _empty(self, length: int) -> np.ndarray:
        """Memory that nobody holds; new memory takes longer to be filled than old."""
        for most, buffers in self._buffers:
            if length <= most:
                return buffers.empty((length,), np.dtype(np.uint8))
        return np.empty(length, np.uint8)

    def _key(self, number: int, stamp: Stamp) -> bytes:
        path = os.path.abspath(self._source[number].path)  # noqa: PTH100  # a tenth of Path.absolute
        page = self._source.reading.page
        named = path if page is None else f"{path}\0{page}"
        return digest(os.fsencode(named)) + digest(
            struct.pack(f"<{len(stamp)}Q", *(n % 2**64 for n in stamp))
        )

    def _look(self, *, force: bool = False) -> None:
        """Take in what other processes have added, now and then."""
        now = time.monotonic()
        if not force and now - self._looked < _PAUSE:
            return
        with self._lock:
            if self._is_looking or (not force and now - self._looked < _PAUSE):
                return
            self._is_looking, self._looked = True, now
            own = None if self._writer is None else self._writer.name
        try:
            with Read(self._own):
                self._others = self._taken_in(own)
        except OSError as error:
            if is_machine(error):
                raise machine_error(str(self._own), error) from error
        finally:
            self._is_looking = False

    def _taken_in(self, own: str | None) -> int:
        """Take in new records of all indices but one; return the bytes of their images."""
        others = 0
        for name in sorted(entry.name for entry in os.scandir(self._own) if INDEX.fullmatch(entry.name)):
            if name != own:
                seen = self._seen.get(name)
                if seen is None:
                    seen = self._seen[name] = IndexReader(self._own / name)
                others += seen.take(self._places, self._limits.max_bytes)
        return others

    # ---- writing

    def put(self, number: int, stamp: Stamp, kept: KeptImage) -> None:
        """Keep an image, if there is room; see `ImageCache`.

        Raises
        ------
        MachineError
            Where the disk is full, or fails.
        """
        if self.full:
            return
        head, parts, length = described(kept)
        with self._lock:
            if self.nbytes + length > self.limit:
                self.full = True
                return
            if self._writer is None or self._writer.process != os.getpid():
                self._writer = self._started()
            writer, offset = self._writer, self._writer.length
            writer.length += length
            self._written += length
        key = self._key(number, stamp)
        try:
            with Read(writer.data.path):
                place = writer.write(key, b"".join(parts), len(head), offset)
        except OSError as error:
            raise self._failure(error) from error
        with self._lock:
            self._places[key] = place

    def _started(self) -> ShardWriter:
        try:
            return ShardWriter(self._own)
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> MachineError:
        if error.errno in _FULL:
            return MachineError(
                f"{self.folder}: the disk is full, with {self.nbytes:,} bytes of cached images on it: free some space, or "
                "make the loader's cache with a smaller limit=",
                error,
            )
        return machine_error(f"{self.folder}, where images are cached", error)

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

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import stat
import struct
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from offgraph.core.errors import ArgumentError, MachineError, StepError
from offgraph.core.machine import is_machine, machine_error
from offgraph.core.specs import ArraySpec
from offgraph.formats.base import Limits
from offgraph.loading.kept import KeptImage, ProcessLock, Stamp
from offgraph.pipeline.buffers import Buffers
from offgraph.recipe.resumed import ResumedRecipe
from offgraph.sources import Source
from offgraph.targets import Image, Mask

__all__ = ["CacheFolder"]

_MARKER = "offgraph-cache.json"
_CONTENT = b'{"offgraph cache": 1}\n'
_RECORD = struct.Struct("<16s16sQQI4x16s")
"""Digest of the file's path, digest of its stamp; offset, length, length of the description, digest of the bytes."""
_CHECK = 8
_WHOLE = _RECORD.size + _CHECK
_ALIGNED = 64
_LONGEST_HEAD = 1 << 16
_INDEX = re.compile(r"[0-9a-f]{16}\.index")
_PAUSE = 1.0
"""Seconds between two looks at what other processes have added."""
_AT_ONCE = 1 << 14
"""Records that are read at a time."""
_REUSED = ((1 << 20, 32), (16 << 20, 4))
"""Memory for images of up to so many bytes is kept for so many of them."""
_DTYPES = frozenset(
    ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64")
)
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))


class _Array(NamedTuple):
    """Where an array lies among the bytes of an image."""

    spec: ArraySpec
    offset: int


class _Layout(NamedTuple):
    """What the description of an image says."""

    start: ArraySpec
    stored_size: tuple[int, int]
    image: _Array
    mask: _Array | None
    converted: str | None
    length: int


class _Place:
    """Where an image lies."""

    __slots__ = ("digest", "file", "head", "layout", "length", "offset")

    def __init__(self, file: _DataFile, offset: int, length: int, head: int, digest: bytes) -> None:
        self.file, self.offset, self.length, self.head = file, offset, length, head
        self.digest = digest
        self.layout: _Layout | None = None
        """Known once the bytes were compared with their digest."""


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
            _make(self.folder)
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
        self._places: dict[bytes, _Place] = {}
        self._seen: dict[str, _Seen] = {}
        self._layouts: dict[bytes, _Layout] = {}
        self._buffers = [(most, Buffers(count)) for most, count in _REUSED]
        self._writer: _Writer | None = None
        self._looked = -math.inf
        self._written = self._others = 0
        self.full, self.damaged = False, 0
        self._is_writable = os.access(self._own, os.W_OK)

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

    def _forget(self, key: bytes, place: _Place) -> None:
        with self._lock:
            if self._places.get(key) is place:
                del self._places[key]
                self.damaged += 1

    def _read(self, place: _Place) -> KeptImage:
        data = self._empty(place.length)
        if not place.file.read(data, place.offset):
            raise ValueError("the file is too short")
        layout = place.layout
        if layout is None:
            if _digest(data.data) != place.digest:
                raise ValueError("not as it was written")
            place.layout = layout = self._layout(data[: place.head].tobytes(), place.length)
        data.flags.writeable = False
        mask = None if layout.mask is None else Mask(_view(data, layout.mask), layout.mask.spec.axes)
        image = Image(_view(data, layout.image), layout.image.spec.axes)
        return KeptImage(layout.start, layout.stored_size, image, mask, layout.converted)

    def _layout(self, head: bytes, length: int) -> _Layout:
        """Parse a description, and hold it against the recipe and the limits; most images share one."""
        found = self._layouts.get(head)
        if found is None:
            found = _parse(head)
            if found.start.pixels > self._limits.max_pixels or found.start.nbytes > self._limits.max_bytes:
                raise ValueError("an image of more than max_pixels")
            if self._resumed.kept_spec(found.start) != found.image.spec:
                raise ValueError("not what the recipe makes")
            if found.mask is not None and found.mask.spec.size != found.start.size:
                raise ValueError("a mask of another size")
            if len(self._layouts) < _AT_ONCE:
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
        return _digest(os.fsencode(named)) + _digest(
            struct.pack(f"<{len(stamp)}Q", *(n % 2**64 for n in stamp))
        )

    def _look(self, *, force: bool = False) -> None:
        """Take in what other processes have added, now and then."""
        now = time.monotonic()
        if not force and now - self._looked < _PAUSE:
            return
        with self._lock:
            if not force and now - self._looked < _PAUSE:
                return
            self._looked = now
            own = None if self._writer is None else self._writer.name
            others = 0
            try:
                names = sorted(entry.name for entry in os.scandir(self._own) if _INDEX.fullmatch(entry.name))
            except OSError as error:
                if is_machine(error):
                    raise machine_error(str(self._own), error) from error
                return
            for name in names:
                if name == own:
                    continue
                seen = self._seen.get(name)
                if seen is None:
                    seen = self._seen[name] = _Seen(self._own / name)
                others += seen.take(self._places, self._limits.max_bytes)
            self._others = others

    # ---- writing

    def put(self, number: int, stamp: Stamp, kept: KeptImage) -> None:
        """Keep an image, if there is room; see `ImageCache`.

        Raises
        ------
        MachineError
            Where the disk is full, or fails.
        """
        if not self._is_writable:
            self.full = True
            return
        head, parts, length = _described(kept)
        with self._lock:
            if self.nbytes + length > self.limit:
                self.full = True
                return
            if self._writer is None or self._writer.process != os.getpid():
                self._writer = self._started()
            writer, offset = self._writer, self._writer.length
            writer.length += length
            self._written += length
        data = b"".join(parts)
        key = self._key(number, stamp)
        try:
            writer.write(data, offset)
            digest = _digest(data)
            record = _RECORD.pack(key[:16], key[16:], offset, length, len(head), digest)
            writer.note(record + _short(record))
        except OSError as error:
            raise self._failure(error) from error
        place = _Place(writer.data, offset, length, len(head), digest)
        with self._lock:
            self._places[key] = place

    def _started(self) -> _Writer:
        try:
            return _Writer(self._own)
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


class _DataFile:
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
            self._length = os.fstat(self._opened()).st_size
        return end <= self._length

    def read(self, data: np.ndarray, start: int) -> bool:
        """Fill an array with the bytes from a position on; False where the file ends before."""
        handle, done = self._opened(), 0
        view = memoryview(data)
        while done < len(view):  # a call may give less than was asked for
            count = os.preadv(handle, [view[done:]], start + done)
            if not count:
                return False
            done += count
        return True

    def _opened(self) -> int:
        if self._handle is None:
            with self._lock:
                if self._handle is None:
                    self._handle = _open(self.path)
        return self._handle


class _Seen:
    """What is known of another process' index."""

    def __init__(self, path: Path) -> None:
        self.path, self.position = path, 0
        self.data = _DataFile(path.with_suffix(".data"))

    def take(self, places: dict[bytes, _Place], most: int) -> int:
        """Take in new records; return the bytes of the images beside. A record that does not fit ends the index."""
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
                    if found[start + _RECORD.size : start + _WHOLE] != _short(record):
                        return size
                    name, stamp, offset, length, head, digest = _RECORD.unpack(record)
                    if not (0 < head <= min(length, _LONGEST_HEAD) and length <= 2 * most + _LONGEST_HEAD):
                        return size
                    if not self.data.reaches(offset + length):
                        return size
                    places[name + stamp] = _Place(self.data, offset, length, head, digest)
                    self.position += _WHOLE
        except OSError:
            pass
        finally:
            os.close(handle)
        return size


class _Writer:
    """The two files of this process."""

    def __init__(self, folder: Path) -> None:
        self.process, self.length = os.getpid(), 0
        stem = secrets.token_hex(8)
        self.name = f"{stem}.index"
        flags = os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        path = folder / f"{stem}.data"
        self.data = _DataFile(path, os.open(path, flags | os.O_RDWR, 0o666))
        self._index = _DataFile(
            folder / self.name, os.open(folder / self.name, flags | os.O_WRONLY | os.O_APPEND, 0o666)
        )

    def write(self, data: bytes, offset: int) -> None:
        """Write an image at its place."""
        handle, view, done = self.data._opened(), memoryview(data), 0
        while done < len(view):
            done += os.pwrite(handle, view[done:], offset + done)

    def note(self, record: bytes) -> None:
        """Append a record, in one call: whole, or not to be believed."""
        if os.write(self._index._opened(), record) != len(record):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _open(path: Path) -> int:
    """Open a regular file for reading: opening a pipe could wait for ever, and a link could lead anywhere."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a file")
    return handle


def _make(folder: Path) -> None:
    """Make a folder for caches, or refuse one that holds something else."""
    marker = folder / _MARKER
    folder.mkdir(parents=True, exist_ok=True)
    if marker.exists():
        with marker.open("rb") as file:
            found = file.read(len(_CONTENT) + 1)
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


def _digest(data: Any) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _short(record: bytes) -> bytes:
    return hashlib.blake2b(record, digest_size=_CHECK).digest()


def _padded(length: int) -> int:
    return -(-length // _ALIGNED) * _ALIGNED


def _described(kept: KeptImage) -> tuple[bytes, list[Any], int]:
    """The description of an image, all bytes of it in parts, and how many there are."""
    mask = kept.mask
    said = {
        "start": _said(kept.start),
        "size": list(kept.stored_size),
        "image": _said(kept.image.spec),
        "mask": None if mask is None else _said(mask.spec),
        "converted": kept.converted,
    }
    head = json.dumps(said, separators=(",", ":")).encode("ascii")
    parts: list[Any] = []
    length = 0
    for part in (head, kept.image.array, *(() if mask is None else (mask.array,))):
        data = part if isinstance(part, bytes) else np.ascontiguousarray(part).reshape(-1).view(np.uint8).data
        parts += [b"\0" * (_padded(length) - length), data]
        length = _padded(length) + len(data)
    return head, parts, length


def _said(spec: ArraySpec) -> list[Any]:
    return [list(spec.shape), spec.dtype, spec.axes]


def _parse(head: bytes) -> _Layout:
    """Read a description.

    Raises
    ------
    ValueError
        For anything else.
    """
    said = json.loads(head.decode("ascii"))
    if not isinstance(said, dict) or set(said) != {"start", "size", "image", "mask", "converted"}:
        raise ValueError("not a description")
    size, converted = said["size"], said["converted"]
    if not (isinstance(size, list) and len(size) == 2 and all(type(n) is int and n >= 0 for n in size)):
        raise ValueError("no size")
    if not (converted is None or isinstance(converted, str)):
        raise ValueError("not a text")
    end = len(head)
    arrays: list[_Array | None] = []
    for name in ("image", "mask"):
        if said[name] is None:
            arrays.append(None)
            continue
        spec = _spec(said[name])
        arrays.append(_Array(spec, _padded(end)))
        end = _padded(end) + spec.nbytes
    image, mask = arrays
    if image is None:
        raise ValueError("no image")
    return _Layout(_spec(said["start"]), (size[0], size[1]), image, mask, converted, end)


def _spec(said: Any) -> ArraySpec:
    if not (isinstance(said, list) and len(said) == 3):
        raise ValueError("not a spec")
    shape, dtype, axes = said
    lengths = isinstance(shape, list) and all(type(n) is int and 0 <= n < 2**40 for n in shape)
    if not (lengths and isinstance(dtype, str) and dtype in _DTYPES and isinstance(axes, str)):
        raise ValueError("not a spec")
    if len(axes) != len(shape) or len(set(axes)) != len(axes) or not set(axes) <= set("TZYXC"):
        raise ValueError("not axes")
    return ArraySpec(tuple(shape), dtype, axes)


def _view(data: np.ndarray, at: _Array) -> np.ndarray:
    part = data[at.offset : at.offset + at.spec.nbytes]
    if at.spec.dtype == "bool":
        return (part != 0).reshape(at.spec.shape)  # bytes other than 0 and 1 are not booleans
    return part.view(at.spec.dtype).reshape(at.spec.shape)

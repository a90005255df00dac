"""Random access to arrays that lie uncoded, or coded one by one, in large files: the shards of several formats.

The record of an example says where its image and its mask lie: file, offset, length and digest. Nothing of the
file's own format is parsed, so a file can make no more of itself than its record says. Values that are stored as they
are become arrays in the memory map, without a copy.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
import threading
from array import array as numbers
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter

from offgraph.core.errors import BuildError
from offgraph.dataset.example import decode_array
from offgraph.dataset.output import inside
from offgraph.dataset.schema import PlacesEntry, parse, size_trouble

__all__ = ["SpanReader"]

Kind = Literal["image", "mask"]
_KINDS: tuple[Kind, Kind] = ("image", "mask")
_MOST_MAPPED = 128
"""Files that are mapped at a time: each takes a file handle."""
_DIGEST = 32
_LENGTH = 8
"""Bytes before a compressed buffer of Arrow, which say how long it is uncompressed."""


_AT: TypeAdapter[Any] = TypeAdapter(PlacesEntry)


class _Stored:
    """How arrays of one description are stored: worked out once for all of them."""

    def __init__(self, entry: dict[str, Any], compression: str | None, max_pixels: int) -> None:
        self.entry, self.compression = dict(entry), compression
        self.dtype = np.dtype(entry["dtype"])
        self.shape = tuple(entry["shape"])
        self.size = math.prod(self.shape) * self.dtype.itemsize
        self.trouble = size_trouble(entry, max_pixels)

    def array(self, data: np.ndarray, start: int) -> np.ndarray:
        """The values in their bytes; `start` is where these begin in memory that is aligned."""
        if self.dtype.kind == "b":
            return (data != 0).reshape(self.shape)  # bytes other than 0 and 1 are not booleans
        if start % self.dtype.itemsize:
            data = data.copy()
        little = self.dtype.newbyteorder("<")
        values = data.view(little).reshape(self.shape)
        return values if little.isnative else values.astype(self.dtype)


class SpanReader:
    """Reads images and masks of examples by their numbers.

    Parameters
    ----------
    root : Path
        Folder of the dataset.
    max_pixels : int
        Limit on each array, channels not counted.

    Notes
    -----
    The bytes of an example are compared with their digest the first time that they are read. Memory that is mapped from a
    file that was cut meanwhile would end the process, so the length of a file is looked at again after each `refresh`.
    """

    def __init__(self, root: Path, max_pixels: int) -> None:
        self.root, self.max_pixels = root, max_pixels
        self._files: list[str] = []
        self._numbers: dict[str, int] = {}
        self._file = numbers("l")
        self._spans = {kind: (numbers("q"), numbers("q")) for kind in _KINDS}
        self._digests = {kind: bytearray() for kind in _KINDS}
        self._checked = {kind: bytearray() for kind in _KINDS}
        self._entry = {kind: numbers("l") for kind in _KINDS}
        self._stored: list[_Stored | None] = [None]
        self._known: dict[Any, int] = {}
        self._maps: dict[int, _Mapped] = {}
        self._round = 0
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_maps", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._maps, self._lock = {}, threading.Lock()

    def add(self, line: dict[str, Any], where: str, advice: str) -> None:
        """Take in the record of the next example, which fits its schema.

        Raises
        ------
        BuildError
            Where its entry ``at`` does not; names the line.
        """
        at = parse(_AT, line["at"], f"{where}: at", advice)
        if at["file"] not in self._numbers:
            self._numbers[at["file"]] = len(self._files)
            self._files.append(at["file"])
        if ("mask" in at) != (line["mask"] is not None):
            raise BuildError(f"{where}: damaged: at: a mask in one of two places; {advice}")
        self._file.append(self._numbers[at["file"]])
        for kind in _KINDS:
            span, described = at.get(kind), line[kind]
            starts, lengths = self._spans[kind]
            starts.append(span["offset"] if span else 0)
            lengths.append(span["bytes"] if span else 0)
            self._digests[kind] += bytes.fromhex(span["sha256"]) if span else bytes(_DIGEST)
            self._checked[kind].append(0)
            self._entry[kind].append(self._described(described, at.get("compression")))

    def _described(self, entry: dict[str, Any] | None, compression: str | None) -> int:
        """Number of a description: most examples share one."""
        if entry is None:
            return 0
        key = (entry["encoding"], tuple(entry["shape"]), entry["dtype"], entry["axes"], compression)
        if key not in self._known:
            self._known[key] = len(self._stored)
            self._stored.append(_Stored(entry, compression, self.max_pixels))
        return self._known[key]

    def __len__(self) -> int:
        return len(self._file)

    def described(self, number: int, kind: Kind) -> int:
        """Number of the description of an array, the same for arrays that are alike; 0 where there is none."""
        return self._entry[kind][number]

    def refresh(self) -> None:
        """Look at the length of each file again before it is read: it takes a call to the system."""
        self._round += 1

    def axes(self, number: int, kind: Kind) -> str | None:
        """Axes of an array; None where there is none."""
        stored = self._stored[self._entry[kind][number]]
        return None if stored is None else stored.entry["axes"]

    def read(self, number: int, kind: Kind) -> np.ndarray | None:
        """Return the image or mask of an example; None where it has none.

        Raises
        ------
        BuildError
            Where the file does not hold what the record says; names the file.
        OSError
            Where it cannot be read.
        """
        stored = self._stored[self._entry[kind][number]]
        if stored is None:
            return None
        starts, lengths = self._spans[kind]
        start = starts[number]
        data = self._bytes(number, kind, start, lengths[number])
        if stored.entry["encoding"] != "raw":
            return decode_array(data.tobytes(), stored.entry, self.max_pixels)
        if stored.trouble:
            raise BuildError(stored.trouble)
        if stored.compression is not None:
            data, start = _unpacked(data, stored.size, stored.compression), 0
        if len(data) != stored.size:
            shape, dtype = tuple(stored.entry["shape"]), stored.entry["dtype"]
            raise BuildError(f"stored as {dtype} of shape {shape}, but there are {len(data)} bytes")
        return stored.array(data, start)

    def _bytes(self, number: int, kind: Kind, start: int, length: int) -> np.ndarray:
        file = self._file[number]
        mapped = self._maps.get(file) or self._mapped(file)
        if mapped.round != self._round:
            mapped.round, mapped.length = self._round, min(len(mapped.whole), mapped.handle.size())
        if start + length > mapped.length:
            name = self._files[file]
            raise BuildError(f"{name} does not hold the {length:,} bytes at {start:,} that its record says")
        data = mapped.whole[start : start + length]
        if not self._checked[kind][number]:
            digest = self._digests[kind][_DIGEST * number : _DIGEST * (number + 1)]
            if hashlib.sha256(data.data).digest() != digest:
                raise BuildError(f"{self._files[file]} at {start} is not as it was written")
            self._checked[kind][number] = 1
        return data

    def _mapped(self, file: int) -> _Mapped:
        with self._lock:
            found = self._maps.get(file)
            if found is None:
                if len(self._maps) >= _MOST_MAPPED:
                    del self._maps[next(iter(self._maps))]  # arrays in it keep it alive
                found = self._maps[file] = _map(inside(self.root, self._files[file]))
            return found


class _Mapped:
    """The bytes of a file in its memory map, and the length that the file had when it was last looked at."""

    def __init__(self, whole: np.ndarray, handle: Any) -> None:
        self.whole, self.handle = whole, handle
        self.round, self.length = -1, 0


class _Empty:
    """An empty file: it cannot be mapped."""

    def size(self) -> int:
        """No bytes."""
        return 0


def _map(path: Path) -> _Mapped:
    if not path.is_file():  # opening a pipe could wait for ever
        path.stat()
        raise BuildError(f"{path.name} is not a file")
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return _Mapped(np.empty(0, np.uint8), _Empty())
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return _Mapped(np.frombuffer(mapped, np.uint8), mapped)


def _unpacked(data: np.ndarray, size: int, compression: str) -> np.ndarray:
    """The values of a compressed buffer of Arrow: its length uncompressed, or -1 where it is not, then its bytes."""
    import imagecodecs

    length = int.from_bytes(data[:_LENGTH].tobytes(), "little", signed=True)
    body = data[_LENGTH:]
    if length == -1:
        return body
    if length != size:
        raise BuildError(f"compressed from {length:,} bytes, and its record says {size:,}")
    unpack = imagecodecs.lz4f_decode if compression == "lz4" else imagecodecs.zstd_decode
    try:
        return np.frombuffer(unpack(body.data, out=size), np.uint8)
    except (RuntimeError, ValueError) as error:
        raise BuildError(f"damaged: {error}") from error

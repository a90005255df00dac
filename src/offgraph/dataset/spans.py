"""Random access to arrays that lie uncoded, or coded one by one, in files: the shards of several formats, and folders.

The record of an example says where its image and its mask lie: file, offset, length and digest. Nothing of the
file's own format is parsed, so a file can make no more of itself than its record says.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from array import array as numbers
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.axes import name_axes
from offgraph.core.errors import BuildError
from offgraph.core.machine import Read
from offgraph.core.specs import ArraySpec
from offgraph.dataset.example import decode_array, is_png_array, png_trouble
from offgraph.dataset.npy import npy_values
from offgraph.dataset.output import read_part
from offgraph.dataset.schema import Kind, Located, size_trouble
from offgraph.dataset.span_files import OpenFile, SpanFiles
from offgraph.engine import png
from offgraph.engine.files import ReadRows, SampleRows
from offgraph.engine.native import core
from offgraph.pipeline.buffers import Buffers
from offgraph.pipeline.workers import ALIGNMENT
from offgraph.plan.compiled import RecipePlanner

__all__ = ["SpanReader", "read_span"]

_KINDS: tuple[Kind, Kind] = ("image", "mask")
_REUSED = ((1 << 20, 32), (16 << 20, 4))
"""Memory for arrays of up to so many bytes is kept for so many of them: two pieces of a batch and their like."""
_BYTE = np.dtype(np.uint8)
_DIGEST = 32
_LENGTH = 8
"""Bytes before a compressed buffer of Arrow, which say how long it is uncompressed."""


_OVERHEAD = 1 << 16
"""Bytes that an array may take beyond its values: what a PNG, or a compressed buffer, begins with."""


def read_span(root: Path, place: Located, entry: dict[str, Any]) -> bytes:
    """Return the bytes of an array that a record describes as they were given to its writer: not wrapped.

    Raises
    ------
    BuildError
        Where the file does not hold what the record says.
    OSError
        Where it cannot be read.
    """
    size = math.prod(entry["shape"]) * np.dtype(entry["dtype"]).itemsize
    described = {"file": place.file, "bytes": place.bytes, "sha256": place.sha256}
    data = read_part(root, described, size + size // 8 + _OVERHEAD, place.offset)
    if place.wrapped is None:
        return data
    if place.wrapped == "npy":
        return npy_values(data, entry)
    return _unpacked(np.frombuffer(data, np.uint8), size, place.wrapped).tobytes()


class _Stored:
    """How arrays of one description are stored: worked out once for all of them."""

    def __init__(self, entry: dict[str, Any], wrapped: str | None, max_pixels: int) -> None:
        self.entry, self.wrapped = dict(entry), wrapped
        self.dtype = np.dtype(entry["dtype"])
        self.shape = tuple(entry["shape"])
        self.size = math.prod(self.shape) * self.dtype.itemsize
        self.trouble = size_trouble(entry, max_pixels)
        self.described = (self.shape, self.dtype.name, entry["axes"])
        self.spec = None
        with suppress(ValueError):
            self.spec = ArraySpec(self.shape, self.dtype.name, name_axes(self.shape, entry["axes"]))
        is_here = wrapped is None and not self.trouble
        self.is_plain = is_here and entry["encoding"] == "raw"
        self.is_png = is_here and entry["encoding"] == "png" and is_png_array(self.shape, self.dtype)

    def fits(self, length: int) -> bool:
        """Whether so many bytes can be an array that the native core reads together with others."""
        if self.is_png:
            return png_trouble(length, self.shape, self.dtype) is None
        return self.is_plain and length == self.size

    def room(self, length: int) -> int:
        """Bytes that are taken to read so many: for a PNG those of its values, too."""
        return length + self.size if self.is_png else length

    def array(self, data: np.ndarray) -> np.ndarray:
        """The values in their bytes."""
        if self.dtype.kind == "b":
            return (data != 0).reshape(self.shape)  # bytes other than 0 and 1 are not booleans
        little = self.dtype.newbyteorder("<")
        values = data.view(little)
        if not values.flags.aligned:
            values = values.copy()
        values = values.reshape(self.shape)
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
    The bytes of an example are compared with their digest the first time that this process reads them, and again once
    the file was written to: its size or its time of change is another then.
    """

    def __init__(self, root: Path, max_pixels: int) -> None:
        self.root, self.max_pixels = root, max_pixels
        self._files = SpanFiles(root)
        self._file = {kind: numbers("l") for kind in _KINDS}
        self._spans = {kind: (numbers("q"), numbers("q")) for kind in _KINDS}
        self._digests = {kind: bytearray() for kind in _KINDS}
        self._checked = {kind: bytearray() for kind in _KINDS}
        self._entry = {kind: numbers("l") for kind in _KINDS}
        self._stored: list[_Stored | None] = [None]
        self._known: dict[Any, int] = {}
        self._prepare()

    def _prepare(self) -> None:
        """Create what belongs to this process and is not pickled."""
        self._buffers = [(most, Buffers(count)) for most, count in _REUSED]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_buffers"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._prepare()

    def add(self, line: dict[str, Any], places: dict[Kind, Located], where: str, advice: str) -> None:
        """Take in the record of the next example, which fits its schema, and where its arrays lie.

        Raises
        ------
        BuildError
            Where a mask has no place, or the other way round; names the line.
        """
        if ("mask" in places) != (line["mask"] is not None):
            raise BuildError(f"{where}: damaged: at: a mask in one of two places; {advice}")
        for kind in _KINDS:
            place = places.get(kind)
            starts, lengths = self._spans[kind]
            starts.append(place.offset if place else 0)
            lengths.append(place.bytes if place else 0)
            self._file[kind].append(self._files.add(place.file) if place else 0)
            self._digests[kind] += bytes.fromhex(place.sha256) if place else bytes(_DIGEST)
            self._checked[kind].append(0)
            self._entry[kind].append(self._described(line[kind], place.wrapped if place else None))

    def _described(self, entry: dict[str, Any] | None, wrapped: str | None) -> int:
        """Number of a description: most examples share one."""
        if entry is None:
            return 0
        key = (entry["encoding"], tuple(entry["shape"]), entry["dtype"], entry["axes"], wrapped)
        if key not in self._known:
            self._known[key] = len(self._stored)
            self._stored.append(_Stored(entry, wrapped, self.max_pixels))
        return self._known[key]

    def __len__(self) -> int:
        return len(self._checked["image"])

    def described(self, number: int, kind: Kind) -> int:
        """Number of the description of an array, the same for arrays that are alike; 0 where there is none."""
        return self._entry[kind][number]

    def axes(self, number: int, kind: Kind) -> str | None:
        """Axes of an array; None where there is none."""
        stored = self._stored[self._entry[kind][number]]
        return None if stored is None else stored.entry["axes"]

    def spec(self, number: int) -> ArraySpec | None:
        """Return shape, dtype and axes of an image; None where they cannot be those of one."""
        stored = self._stored[self._entry["image"][number]]
        return None if stored is None else stored.spec

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
        data = self._bytes(number, kind, starts[number], lengths[number])
        if stored.entry["encoding"] != "raw":
            return decode_array(data.tobytes(), stored.entry, self.max_pixels)
        if stored.trouble:
            raise BuildError(stored.trouble)
        if stored.wrapped == "npy":
            data = np.frombuffer(npy_values(data.tobytes(), stored.entry), np.uint8)
        elif stored.wrapped is not None:
            data = _unpacked(data, stored.size, stored.wrapped)
        if len(data) != stored.size:
            shape, dtype = tuple(stored.entry["shape"]), stored.entry["dtype"]
            raise BuildError(f"stored as {dtype} of shape {shape}, but there are {len(data)} bytes")
        return stored.array(data)

    def read_many(self, examples: Sequence[int], kind: Kind) -> list[np.ndarray | None]:
        """Read arrays of several examples in one call, into one piece of memory; those that are PNGs are decoded in another.

        Returns
        -------
        list of ndarray or None
            None where `read` has to be asked, which says what is wrong: for an array that is compressed, one that this
            process has not yet compared with its digest, and one that is not there.
        """
        files: dict[int, OpenFile] = {}
        places: list[tuple[int, int, _Stored] | None] = []
        spans: list[tuple[int, int, int]] = []
        total = room = 0
        for number in examples:
            found = self._found(number, kind, files)
            if found is None or room + found[3].room(found[2]) > _REUSED[-1][0]:
                places.append(None)
                continue
            file, start, length, stored = found
            places.append((total, length, stored))
            spans.append((file.number, start, length))
            total += length
            room += stored.room(length)
        if not spans:
            return [None] * len(examples)
        memory = self._empty(total)
        with Read(self._files.name(next(iter(files)))):
            found = iter(core.read_spans(memory, spans))
        memory.flags.writeable = False
        read = [
            (memory[place[0] : place[0] + place[1]], place[2]) if place and next(found) else None
            for place in places
        ]
        decoded = iter(
            self._decoded([(data, stored) for data, stored in filter(None, read) if stored.is_png])
        )
        return [
            None if one is None else next(decoded) if one[1].is_png else one[1].array(one[0]) for one in read
        ]

    def _decoded(self, files: list[tuple[np.ndarray, _Stored]]) -> list[np.ndarray | None]:
        """The arrays of PNGs, in one piece of memory; None for one that `read` has to be asked for."""
        if not files:
            return []
        ends = list(itertools.accumulate(-(-stored.size // ALIGNMENT) * ALIGNMENT for _, stored in files))
        memory = self._empty(ends[-1])
        arrays = [
            memory[start : start + stored.size].view(stored.dtype).reshape(stored.shape)
            for start, (_, stored) in zip([0, *ends], files)
        ]
        refused = png.decode_many([(array, data) for array, (data, _) in zip(arrays, files)])
        for array in arrays:
            array.flags.writeable = False
        return [array if why is None else None for array, why in zip(arrays, refused)]

    def make_rows(
        self,
        examples: Sequence[int],
        planner: RecipePlanner,
        keys: Sequence[tuple[int, int, int]],
        output: Callable[[], np.ndarray],
        *,
        finite: bool,
    ) -> list[bool]:
        """Make samples of images of examples, each read into its row of an array by the call that runs its plan.

        Parameters
        ----------
        examples : sequence of int
        planner : RecipePlanner
        keys : sequence of tuple of int
            Seed, epoch and index of each.
        output : callable
            Gives an array (n, *shape), C-contiguous, of the shape and dtype that the recipe gives. It is called once an
            image is known to be there: no memory is taken on the word of a record.
        finite : bool
            Whether an image with NaN or infinity in it is left.

        Returns
        -------
        list of bool
            False for one that `read` has to be asked for, as in `read_many`, and for one that does not become a row.
        """
        files: dict[int, OpenFile] = {}
        found = [self._found(number, "image", files) for number in examples]
        if not any(found):
            return [False] * len(examples)
        rows = SampleRows.of_arrays(
            [
                None
                if each is None
                else (each[0].number, each[1], *each[3].described, each[2] if each[3].is_png else None)
                for each in found
            ],
            keys,
            finite,
        )
        with ReadRows(lambda place: self._files.name(self._file["image"][examples[place]]), rows):
            if planner.run_rows(rows, output()):
                return [True] * len(examples)
            return [shape is not None for shape in rows.made]

    def _found(
        self, number: int, kind: Kind, files: dict[int, OpenFile]
    ) -> tuple[OpenFile, int, int, _Stored] | None:
        """Where the values or the PNG of an array lie, and how many bytes they are, compared with their digest before.

        None for any other array.
        """
        stored = self._stored[self._entry[kind][number]]
        starts, lengths = self._spans[kind]
        start, length = starts[number], lengths[number]
        if stored is None or not (self._checked[kind][number] and stored.fits(length)):
            return None
        try:
            file = self._held(self._file[kind][number], files)
        except (BuildError, OSError):
            return None
        return (file, start, length, stored) if file.reaches(start + length) else None

    def _held(self, number: int, files: dict[int, OpenFile]) -> OpenFile:
        """An open file, which stays open as long as `files` holds it."""
        if number not in files:
            opened = self._files.opened(number)
            if not self._files.is_known(number, opened):
                raise BuildError("written to, and not compared again with its digests")
            files[number] = opened
        return files[number]

    def _bytes(self, number: int, kind: Kind, start: int, length: int) -> np.ndarray:
        file = self._file[kind][number]
        name = self._files.name(file)
        with Read(name):
            data = self._read(file, start, length)
        if not self._checked[kind][number]:
            digest = self._digests[kind][_DIGEST * number : _DIGEST * (number + 1)]
            if hashlib.sha256(data.data).digest() != digest:
                raise BuildError(f"{name}{f' at {start}' if start else ''} is not as it was written")
            self._checked[kind][number] = 1
        data.flags.writeable = False
        return data

    def _read(self, file: int, start: int, length: int) -> np.ndarray:
        opened = self._files.opened(file)
        if self._files.note(file, opened):  # somebody wrote into it
            for kind in _KINDS:
                for number in np.flatnonzero(
                    np.frombuffer(self._file[kind], self._file[kind].typecode) == file
                ):
                    self._checked[kind][number] = 0
        # What a record says is not allocated before the file was once so long.
        data = self._empty(length) if opened.reaches(start + length) else None
        if data is None or not opened.read(data, start):
            name = self._files.name(file)
            raise BuildError(f"{name} does not hold the {length:,} bytes at {start:,} that its record says")
        return data

    def _empty(self, length: int) -> np.ndarray:
        """Memory that nobody holds. The page faults of new memory take ten times as long as copying 150 kB into it."""
        for most, buffers in self._buffers:
            if length <= most:
                return buffers.empty((length,), _BYTE)
        return np.empty(length, _BYTE)


def _unpacked(data: np.ndarray, size: int, compression: str) -> np.ndarray:
    """The values of a compressed buffer of Arrow: its length uncompressed, or -1 where it is not, then its bytes."""
    import imagecodecs

    length = int.from_bytes(data[:_LENGTH].tobytes(), "little", signed=True)
    body = data[_LENGTH:]
    if length == -1:
        return body
    if length != size:
        raise BuildError(f"compressed from {length:,} bytes, and its record says {size:,}")
    unpack: Any = imagecodecs.lz4f_decode if compression == "lz4" else imagecodecs.zstd_decode
    try:
        return np.frombuffer(unpack(body.data, out=size), np.uint8)
    except (RuntimeError, ValueError) as error:
        raise BuildError(f"damaged: {error}") from error

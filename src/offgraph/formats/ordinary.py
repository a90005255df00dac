"""Ordinary image files of a batch: read, planned, decoded and run in one call of the native core.

Where Python has to plan them, or something lies beside the images, they are read in a call of their own, which gives
their headers, and decoded in the call that runs their plans.

Only what `offgraph.formats.decoding.read` would decode to the same bytes without a word: everything else, errors
included, is left to it.
"""

from __future__ import annotations

import functools
import os
from array import array
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from offgraph.core.choices import Color, Decoding
from offgraph.core.machine import Read
from offgraph.core.specs import ArraySpec
from offgraph.engine.files import (
    EncodedImage,
    FileRules,
    Header,
    ReadProgress,
    ReadRows,
    SampleRows,
    header,
    read_images,
)
from offgraph.engine.native_plan import NativeOps, NativeTarget, native_file_target
from offgraph.formats.base import Limits
from offgraph.formats.decoding import FILE_OVERHEAD, DecodedImage
from offgraph.formats.jpeg import PIXELS_PER_BYTE
from offgraph.plan.compiled import RecipePlanner

__all__ = [
    "MadeOrdinary",
    "NamedFiles",
    "OrdinaryFile",
    "OrdinaryRows",
    "file_rules",
    "file_spec",
    "read_ordinary",
]


class OrdinaryFile(NamedTuple):
    """A file that the native core decodes.

    Parameters
    ----------
    encoded : EncodedImage
    header : Header
    spec : ArraySpec
        Of the image as it is read: upright, with the colours that were asked for.
    """

    encoded: EncodedImage
    header: Header
    spec: ArraySpec

    def target(self, output: np.ndarray, ops: NativeOps, decoding: Decoding = "window") -> NativeTarget:
        """What a native call is given to decode the file and run operations on its image.

        Parameters
        ----------
        output : ndarray
        ops : sequence of NativeOp, or NativePlan
        decoding : {"window", "full", "scaled"}
        """
        is_rgb = "C" in self.spec.axes
        return native_file_target(self.encoded, output, ops, is_rgb=is_rgb, decoding=decoding)

    def unread(self) -> DecodedImage:
        """Return the image without its pixels, for what looks at its size alone."""
        found = self.header
        layout = "grey" if found.channels == 1 else "rgb"
        size = (found.height, found.width)
        return DecodedImage(
            self.spec.stand_in(), self.spec.axes, found.orientation, size, self.encoded.format, layout=layout
        )


def read_ordinary(
    paths: Sequence[str | os.PathLike[str]], color: Color, max_pixels: int
) -> list[OrdinaryFile | None]:
    """Read files as far as their headers.

    Parameters
    ----------
    paths : sequence of path
    color, max_pixels
        As for `offgraph.formats.decoding.read`.

    Returns
    -------
    list of OrdinaryFile or None
        None for a file that `offgraph.formats.decoding.read` has to be asked for.
    """
    most = Limits(max_pixels).max_bytes + FILE_OVERHEAD
    with _ReadFiles(paths) as read:
        files = read_images(paths, most, read.progress)
    return [_ordinary(encoded, color, max_pixels) for encoded in files]


class MadeOrdinary(NamedTuple):
    """What a row was made of.

    Parameters
    ----------
    spec : ArraySpec
        Of the image as it was read.
    digest : bytes or None
        SHA-256 of the file, where it was asked for.
    row_digest : bytes or None
        SHA-256 of the row's values in little-endian C order, where it was asked for.
    """

    spec: ArraySpec
    digest: bytes | None
    row_digest: bytes | None = None


class NamedFiles(NamedTuple):
    """Files below one folder by their names, for `SampleRows.of_names`.

    Parameters
    ----------
    before : bytes
        What comes before each name.
    names : tuple of bytearray and array of int64
        As of `offgraph.sources.columns.Names.blocks`.
    order : ndarray of int64, or None
        Where the name of each file is among these, unless they are in order.
    """

    before: bytes
    names: tuple[bytearray, array[int]]
    order: np.ndarray | None


@functools.lru_cache(maxsize=64)
def file_rules(
    color: Color,
    max_pixels: int,
    depth: int | None,
    finite: bool,
    digests: bool = False,
    row_digests: bool = False,
) -> FileRules:
    """How files are read, and which are left to Python.

    Parameters
    ----------
    color, max_pixels
        As for `offgraph.formats.decoding.read`.
    depth : int or None
        Bits per sample; images of another depth are left. None for any.
    finite : bool
        Whether an image with NaN or infinity in it is left.
    digests : bool
        Whether the digests of files are wanted.
    row_digests : bool
        Whether those of the values in the rows are.
    """
    most = Limits(max_pixels).max_bytes + FILE_OVERHEAD
    return FileRules(color, most, max_pixels, PIXELS_PER_BYTE, depth, finite, digests, row_digests)


class OrdinaryRows:
    """Samples of files that are made in one native call, each in its row of an array.

    Parameters
    ----------
    planner : RecipePlanner
    rows : SampleRows
        Of files, with the rules of `file_rules`.
    path_of : callable
        Gives the file of a row.
    """

    def __init__(self, planner: RecipePlanner, rows: SampleRows, path_of: Callable[[int], object]) -> None:
        self._planner, self._rows, self._path_of = planner, rows, path_of

    def plan(self) -> list[tuple[tuple[int, ...], str] | None]:
        """Read and plan them: shape and dtype that each becomes; None for one that has to be run alone."""
        with ReadRows(self._path_of, self._rows):
            return self._planner.plan_rows(self._rows)

    def make(self, output: np.ndarray) -> list[MadeOrdinary | None]:
        """Make them.

        Parameters
        ----------
        output : ndarray, (n, *shape)
            C-contiguous, of the shape and dtype that the recipe gives.

        Returns
        -------
        list of MadeOrdinary or None
            None for a file that `offgraph.formats.decoding.read` has to be asked for, and for one that does not become a
            row.
        """
        self.run(output)
        found = zip(self._rows.made, self._rows.digests, self._rows.row_digests)
        return [
            None if read is None else MadeOrdinary(file_spec(*read), digest, row_digest)
            for read, digest, row_digest in found
        ]

    def run(self, output: np.ndarray) -> bool:
        """Make them as `make` does; return whether all are made."""
        with ReadRows(self._path_of, self._rows):
            return self._planner.run_rows(self._rows, output)

    def are_made(self) -> list[bool]:
        """Which are made."""
        return [read is not None for read in self._rows.made]

    def spec(self, place: int) -> ArraySpec:
        """Spec of the image, as it was read, that a row was made of."""
        read = self._rows.made[place]
        assert read is not None, "asked of rows that are made"
        return file_spec(*read)


class _ReadFiles(Read):
    """Marks the file that a native call is reading."""

    __slots__ = ("_paths", "progress")

    def __init__(self, paths: Sequence[str | os.PathLike[str]]) -> None:
        self._paths, self.progress = paths, ReadProgress()

    @property
    def path(self) -> object:  # type: ignore[override]  # it changes
        """The file."""
        return self._paths[min(self.progress.files, len(self._paths) - 1)]

    @property
    def steps(self) -> int:  # type: ignore[override]
        """What was read so far."""
        return self.progress.files + self.progress.parts


def _ordinary(encoded: EncodedImage | None, color: Color, max_pixels: int) -> OrdinaryFile | None:
    if encoded is None:
        return None
    found = header(encoded)
    pixels = found.height * found.width
    if pixels > min(max_pixels, found.num_bytes * PIXELS_PER_BYTE) or (
        found.channels > 1 and color == "grey"
    ):
        return None
    is_turned = found.orientation >= 5
    is_grey = found.channels == 1 and color != "rgb"
    return OrdinaryFile(encoded, found, _spec(found.height, found.width, is_turned, is_grey, found.depth))


@functools.lru_cache(maxsize=1024)
def file_spec(shape: tuple[int, ...], dtype: str) -> ArraySpec:
    """Return the spec of an image that was read from a file."""
    return ArraySpec(shape, dtype, "YX" if len(shape) == 2 else "YXC")


@functools.lru_cache(maxsize=1024)
def _spec(height: int, width: int, is_turned: bool, is_grey: bool, depth: int) -> ArraySpec:
    size = (width, height) if is_turned else (height, width)
    return file_spec(size if is_grey else (*size, 3), f"uint{depth}")

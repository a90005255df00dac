"""Image files read by the native core, without the GIL, to be decoded in the call that runs their plan."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from offgraph.core.machine import Read
from offgraph.engine.native import core

__all__ = [
    "EncodedImage",
    "FileRules",
    "Header",
    "ReadProgress",
    "ReadRows",
    "SampleRows",
    "header",
    "open_image",
    "read_images",
]

EncodedImage = core.EncodedImage
"""A file in the native core's memory."""


ReadProgress = core.ReadProgress
"""How far a call of :func:`read_images` has come."""


FileRules = core.FileRules
"""How files are read, and which of them are left to Python."""


SampleRows = core.SampleRows
"""Samples that one call reads, plans, decodes and runs, each into the row of its number."""


class Header(NamedTuple):
    """What a file says of its image.

    Parameters
    ----------
    height, width : int
        As stored, before the orientation is applied.
    channels : int
        1 for grey, 3 for RGB.
    orientation : int
        EXIF orientation, 1 to 8.
    num_bytes : int
        Of the file.
    depth : int
        Bits per sample, 8 or 16.
    """

    height: int
    width: int
    channels: int
    orientation: int
    num_bytes: int
    depth: int


def read_images(
    paths: Sequence[str | os.PathLike[str]], max_bytes: int, progress: ReadProgress
) -> list[EncodedImage | None]:
    """Read regular files of at most `max_bytes` each, without waiting for pipes and devices.

    Parameters
    ----------
    paths : sequence of path
    max_bytes : int
    progress : ReadProgress
        Says to other threads which file is read.

    Returns
    -------
    list of EncodedImage or None
        None for a file that cannot be read, and for one that the core does not decode (`offgraph.engine.jpeg.shape`):
        the reader in Python says why, or decodes it.
    """
    return core.read_images(paths, max_bytes, progress)


def open_image(data: bytes) -> EncodedImage | None:
    """Return a file from its contents; None for one that the core does not decode."""
    return core.open_image(data)


def header(image: EncodedImage) -> Header:
    """Return the header of a file that was read."""
    return Header(*image.header)


class ReadRows(Read):
    """Marks the file that a call of `SampleRows.run` is reading, while it reads one.

    Parameters
    ----------
    path_of : callable
        Gives the file of a row.
    rows : SampleRows
    """

    __slots__ = ("_path_of", "_rows")

    def __init__(self, path_of: Callable[[int], object], rows: SampleRows) -> None:
        self._path_of, self._rows = path_of, rows

    @property
    def is_waiting(self) -> bool:
        """Whether it is reading at this moment."""
        return self._rows.reading is not None

    @property
    def path(self) -> object:  # type: ignore[override]  # it changes
        """The file."""
        return self._path_of(self._rows.reading or 0)

    @property
    def steps(self) -> int:  # type: ignore[override]
        """What was read so far."""
        return self._rows.steps

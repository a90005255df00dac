"""Image files read by the native core, without the GIL, to be decoded in the call that runs their plan."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from offgraph.engine.native import core

__all__ = ["EncodedImage", "Header", "ReadProgress", "header", "read_images"]

EncodedImage = core.EncodedImage
"""A file in the native core's memory."""


ReadProgress = core.ReadProgress
"""How far a call of :func:`read_images` has come."""


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
    """

    height: int
    width: int
    channels: int
    orientation: int
    num_bytes: int


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


def header(image: EncodedImage) -> Header:
    """Return the header of a file that was read."""
    return Header(*image.header)

"""EXIF orientation: find it in a block of EXIF data, and turn images upright."""

from __future__ import annotations

import re
import struct

import numpy as np

__all__ = ["find_orientation", "upright"]

_ORIENTATION_TAG = 0x0112
_SHORT, _LONG = 3, 4
_XMP_ORIENTATION = re.compile(rb"""tiff:Orientation(?:\s*=\s*["']|>)\s*([0-9])""")


def find_orientation(exif: bytes, xmp: bytes = b"") -> int:
    r"""Return the orientation in a file's metadata, 1 to 8; 1 where it is damaged, absent or out of range.

    Parameters
    ----------
    exif : bytes
        A TIFF header and its first directory, with or without the leading ``Exif\0\0``.
    xmp : bytes
        An XMP packet, read only where EXIF has no orientation.
    """
    value = _read_tag(exif.removeprefix(b"Exif\0\0"))
    if value is None:
        found = _XMP_ORIENTATION.search(xmp)
        value = int(found[1]) if found else 1
    return value if 1 <= value <= 8 else 1


def _read_tag(block: bytes) -> int | None:
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        (entries,) = struct.unpack_from(order + "H", block, start)
        for entry in range(entries):
            at = start + 2 + 12 * entry
            tag, kind, count = struct.unpack_from(order + "HHI", block, at)
            if tag == _ORIENTATION_TAG and kind in (_SHORT, _LONG) and count == 1:
                return struct.unpack_from(order + ("H" if kind == _SHORT else "I"), block, at + 8)[0]
    except struct.error:  # offsets that point outside the block
        pass
    return None


def upright(array: np.ndarray, orientation: int, axes: str) -> np.ndarray:
    """Turn an array upright by its EXIF orientation; exact, pixels only move.

    ::

        1 as stored            5 transposed (rows and columns swapped)
        2 mirrored left-right  6 stored a quarter turn left: turned right
        3 upside down          7 transposed over the other diagonal
        4 mirrored top-bottom  8 stored a quarter turn right: turned left

    Parameters
    ----------
    array : ndarray
        Any dtype; `axes` names the axes ``Y`` and ``X``.
    orientation : int
        1 to 8.
    axes : str
        One letter per axis.

    Returns
    -------
    ndarray
        C-contiguous.
    """
    y, x = axes.index("Y"), axes.index("X")
    if orientation >= 5:
        array = array.swapaxes(y, x)
    flipped = {2: (x,), 3: (y, x), 4: (y,), 6: (x,), 7: (y, x), 8: (y,)}.get(orientation, ())
    return np.ascontiguousarray(np.flip(array, flipped))

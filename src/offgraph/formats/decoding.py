"""Decode files to arrays: one `DecodedImage` for any supported file, or one error that names file and cause."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, get_args

import numpy as np

from offgraph.core.arguments import path_of, whole_number
from offgraph.core.calibration import Calibration
from offgraph.core.choices import Alpha, FileColor
from offgraph.core.errors import ArgumentError, DecodeError, FileAccessError
from offgraph.core.file_names import split_suffix
from offgraph.core.machine import Read, is_machine, machine_error, read_error
from offgraph.formats import FormatError, Limits, StoredImage, recognise
from offgraph.formats.base import cause_of
from offgraph.formats.display import paint
from offgraph.formats.exif import upright

__all__ = ["FILE_OVERHEAD", "MAX_PIXELS", "DecodedImage", "imread", "read", "read_bytes"]

MAX_PIXELS = 178_956_970
"""Default limit on height × width × frames: where Pillow raises its decompression bomb error, too."""

FILE_OVERHEAD = 1 << 24  # metadata that a file may hold beyond its pixels
_PART = 1 << 24  # bytes of a large file that are read at a time


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """A decoded file: upright pixels, and what the file declares about them.

    Parameters
    ----------
    array : ndarray
        C-contiguous, native byte order, its EXIF orientation already applied.
    axes : str
        One letter per axis: ``"YX"``, ``"YXC"``, ``"ZYX"``, …
    orientation : int
        EXIF orientation that was applied, 1 to 8; 1 is none.
    stored_size : tuple of int
        (height, width) in the file, before the orientation was applied.
    format : str
        ``"JPEG"``, ``"PNG"``, ``"TIFF"``, …
    notes : tuple of str
        What is unusual about the file, each in a few words; empty for an ordinary one.
    layout : str
        What the file holds: ``"bilevel"``, ``"grey"``, ``"grey+alpha"``, ``"rgb"``, ``"rgba"``,
        ``"palette"``, ``"cmyk"`` or ``"channels"``.
    frames : int
        Images in the file.
    contents : bytes or None
        The file itself, where a recipe may decode it at another scale.
    calibration : Calibration or None
        Pixel sizes and orientation of the axes, where the file declares them: a NIfTI, a TIFF of ImageJ or OME.
    """

    array: np.ndarray
    axes: str
    orientation: int
    stored_size: tuple[int, int]
    format: str
    notes: tuple[str, ...] = ()
    layout: str = field(default="grey", kw_only=True)
    frames: int = field(default=1, kw_only=True)
    contents: bytes | None = field(default=None, kw_only=True)
    calibration: Calibration | None = field(default=None, kw_only=True)


def read(
    path_or_bytes: str | os.PathLike[str] | bytes | bytearray | memoryview,
    *,
    color: FileColor = "keep",
    axes: str | None = None,
    alpha: Alpha = "drop",
    max_pixels: int = MAX_PIXELS,
    page: int | None = None,
) -> DecodedImage:
    """Read an image: JPEG, PNG, TIFF, BMP, GIF, WebP, AVIF, PNM, NIfTI or NPY, recognised by its bytes and not by its name.

    Numbers of more than 8 bits are measurements: 16-bit, signed and floating-point files keep dtype and values, in
    native byte order, whatever a file says of its gamma, of white being 0, or of its largest value. Of 8 bits and
    less, ``"keep"``, ``"rgb"`` and ``"grey"`` give what a viewer shows: 2 and 4 bits fill 0–255, and larger is
    brighter. Nothing is cut. EXIF orientation is applied. Of an animation the first frame is read, and
    `DecodedImage.notes` says so. A truncated file is an error, never half an image.

    Parameters
    ----------
    path_or_bytes : path or bytes
        A regular file, or the contents of one.
    color : {"keep", "rgb", "grey", "labels"}
        ``"keep"``: as stored: grey (H, W), colour (H, W, 3), with alpha (H, W, 2) or (H, W, 4), one bit as
        bool; palettes give their colours, CMYK becomes RGB.
        ``"rgb"``: always (H, W, 3); grey is repeated, one bit becomes 0 and 255. A volume (an axis Z) has no colours to
        show, and is as with ``"keep"``.
        ``"grey"``: always (H, W), by ITU-R 601 luma: for 8 bits Pillow's
        ``(19595 R + 38470 G + 7471 B + 32768) >> 16``, the same for 16 bits, ``0.299 R + 0.587 G + 0.114 B``
        for floats.
        ``"labels"``: the numbers in the file, of any depth: palette indices, 2- and 4-bit values, one bit as 0 and
        1, ink as ink. No palette, gamma, white-is-zero, transparent colour or scale is applied to them.
    axes : str, optional
        Names of the axes of a stack as stored, such as ``"ZYX"`` or ``"TYXC"``. Needed where a TIFF or an array
        does not say which they are: that is never guessed.
    alpha : {"drop", "white", "black"}
        What ``"rgb"`` and ``"grey"`` do with an alpha channel: drop it, or composite the image onto white or black.
        ``"drop"`` is the default since it leaves the stored colours as they are.
    max_pixels : int
        Limit on height × width × frames, checked before decoding; memory is limited to 8 bytes for each.
    page : int, optional
        The one page of a multi-page TIFF that is to be read, from 0. Without it the first series of pages is read
        as one stack. Other formats have page 0 only.

    Returns
    -------
    DecodedImage

    Raises
    ------
    DecodeError
        Where the file cannot be read; the message begins with its path and ends with the cause. It is a
        `FileAccessError` where the file is missing, may not be opened, or was written to meanwhile.
    MachineError
        Where handles, memory, drive or network failed: nothing is said about the file.
    ArgumentError
        Where an argument is not one of those above.

    Examples
    --------
    >>> import numpy as np
    >>> from offgraph.formats.decoding import read
    >>> from offgraph.formats.encoding import encode_png
    >>> decoded = read(encode_png(np.full((2, 3), 40000, np.uint16)))
    >>> decoded.array.dtype, decoded.array.shape, decoded.axes, decoded.format
    (dtype('uint16'), (2, 3), 'YX', 'PNG')
    """
    if color not in get_args(FileColor):
        raise ArgumentError(f"color={color!r}: use 'keep', 'rgb', 'grey' or 'labels'")
    if alpha not in get_args(Alpha):
        raise ArgumentError(f"alpha={alpha!r}: use 'drop', 'white' or 'black'")
    if axes is not None and not isinstance(axes, str):
        raise ArgumentError(f"axes={axes!r:.80}: use one letter per axis, such as 'ZYX'")
    if axes is not None and (len(set(axes)) < len(axes) or not {"Y", "X"} <= set(axes) <= set("TZYXC")):
        raise ArgumentError(f"axes={axes!r}: use each of T, Z, Y, X, C at most once, and both Y and X")
    page = None if page is None else page_number(page)
    limits = Limits(whole_number("max_pixels", max_pixels))
    in_memory = isinstance(path_or_bytes, bytes | bytearray | memoryview)
    name = "<bytes>" if in_memory else os.fspath(path_of("path", path_or_bytes))
    try:
        data = (
            bytes(path_or_bytes) if in_memory else read_bytes(path_or_bytes, limits.max_bytes + FILE_OVERHEAD)
        )
        if not data:
            raise FormatError("the file is empty")
        kind = recognise(data)
        if kind.stacks:
            stored = kind.decode(data, limits, axes, page)
        elif page:
            raise FormatError(f"page={page} was asked for: of a {kind.name} only the first image, 0, is read")
        else:
            stored = kind.decode(data, limits)
        _check_shape(stored, limits.checked if axes is None else [])
        notes = stored.notes
        suffix = "" if in_memory else split_suffix(name)[1]
        if suffix.lower() not in ("", *kind.suffixes):
            notes = (f"the name ends in {suffix}, the file is {kind.name}", *notes)
        y, x = stored.axes.index("Y"), stored.axes.index("X")
        size = (stored.array.shape[y], stored.array.shape[x])
        with np.errstate(all="ignore"):  # NaN and infinities of a float file are the file's
            array, named = paint(stored, color, alpha, limits)
        if axes is not None and not kind.stacks and axes not in (stored.axes, named):
            raise FormatError(f"axes={axes!r} was asked for, this {kind.name} has {stored.axes!r}")
        if stored.orientation != 1:
            limits.check_made(array.nbytes, array.nbytes, "turning it upright")
        array = upright(array, stored.orientation, named)
    except FileAccessError:
        raise
    except OSError as error:
        raise read_error(name, error) from error
    except Exception as error:
        if is_machine(error, limits.max_bytes):
            raise machine_error(name, error) from error
        if isinstance(error, FormatError):
            raise DecodeError(f"{name}: {error}") from error
        raise DecodeError(f"{name}: {cause_of(error)}") from error
    return DecodedImage(
        array,
        named,
        stored.orientation,
        size,
        kind.name,
        notes,
        layout=stored.layout,
        frames=stored.frames,
        contents=data if kind.name == "JPEG" else None,
        calibration=stored.calibration and stored.calibration.turned(stored.orientation),
    )


def imread(
    path: str | os.PathLike[str],
    *,
    color: FileColor = "keep",
    axes: str | None = None,
    alpha: Alpha = "drop",
    max_pixels: int = MAX_PIXELS,
    page: int | None = None,
) -> np.ndarray:
    """Read an image into an array: what ``scipy.ndimage.imread`` was until SciPy 1.2.

    The parameters and errors are those of `offgraph.formats.decoding.read`, which also returns axes and notes.

    Returns
    -------
    ndarray
        (H, W), (H, W, C) or a stack, in the file's dtype.

    Examples
    --------
    >>> import numpy as np, tempfile, offgraph.formats.encoding
    >>> from offgraph.formats.decoding import imread
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     offgraph.formats.encoding.imwrite(folder + "/a.png", np.eye(3, dtype=np.uint16) * 4095)
    ...     int(imread(folder + "/a.png").max())
    4095
    """
    return read(path, color=color, axes=axes, alpha=alpha, max_pixels=max_pixels, page=page).array


def page_number(page: object) -> int:
    """Return the number of a page as a plain int.

    Raises
    ------
    ArgumentError
        Where it is not a whole number of at least 0.
    """
    if isinstance(page, bool) or not isinstance(page, int | np.integer) or page < 0:
        raise ArgumentError(f"page={page!r:.80}: give a whole number from 0, the first page")
    return int(page)


def read_bytes(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    """Contents of a regular file of at most `max_bytes`; a pipe or a device is refused without waiting for it.

    Raises
    ------
    FormatError
        Where the path is not a regular file, or the file is larger.
    FileAccessError
        Where something wrote into the file meanwhile.
    OSError
        Where it cannot be opened.
    """
    with Read(path) as read:
        try:
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        except OSError as error:
            # A socket, or a device without a driver, fails with the same error numbers as a failing drive.
            doubtful = error.errno in (errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP) and Path(path).exists()
            if doubtful and not Path(path).is_file():
                raise FormatError("not a regular file") from None
            raise
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise FormatError("not a regular file")
            if status.st_size > max_bytes:
                raise FormatError(
                    f"a file of {status.st_size:,} bytes, more than the limit of {max_bytes:,}; "
                    f"if it can be trusted, raise max_pixels"
                )
            if status.st_size < _PART:
                data = file.read()
            else:
                data = b"".join(_parts(file, read))
            now = os.fstat(handle)
        if (now.st_mtime_ns, now.st_size) != (status.st_mtime_ns, status.st_size) or len(data) != now.st_size:
            raise FileAccessError(
                f"{os.fspath(path)}: changed while it was read; write a file under another name, then rename it"
            )
        return data


def _parts(file: BinaryIO, read: Read) -> Iterator[bytes]:
    """The contents of a large file, with a note of progress after each part."""
    while part := file.read(_PART):
        yield part
        read.step()


def _check_shape(stored: StoredImage, declared: list[tuple[int, int]]) -> None:
    """Raise where the decoded size differs from the header's, which is the first declared one."""
    shape, axes = stored.array.shape, stored.axes
    if len(shape) != len(axes) or 0 in shape:
        raise FormatError(f"damaged: decoded into an array of shape {shape} with the axes {axes}")
    size = shape[axes.index("Y")], shape[axes.index("X")]
    if declared and size != declared[0]:
        declared_text = " × ".join(map(str, declared[0]))
        raise FormatError(
            f"damaged: decoded into {size[0]} × {size[1]} pixels, its header says {declared_text}"
        )

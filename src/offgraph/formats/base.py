"""The input and output of every decoder, and the limits that it checks before it allocates anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from offgraph.core.calibration import Calibration

__all__ = ["BYTES_PER_PIXEL", "FormatError", "Limits", "StoredImage", "cause_of", "no_such_page"]

BYTES_PER_PIXEL = 8
"""Memory allowed for each pixel of the limit: 16-bit RGBA, or float64 grey."""


class FormatError(Exception):
    """Why data is not a readable image; without the file's name, which the reader adds."""


@dataclass(frozen=True, eq=False)
class StoredImage:
    """An image as its file stores it: the numbers, and how a viewer is to show them.

    Orientation and colour policy come later; see `offgraph.formats.display`.

    Parameters
    ----------
    array : ndarray
        The numbers in the file, in native byte order: for a palette the indices, for 2 bits 0 to 3, for a bilevel
        file its bits, whichever of them is black.
    axes : str
        One letter per axis; colour channels and alpha are ``C``.
    layout : str
        What the file holds: ``"bilevel"``, ``"grey"``, ``"grey+alpha"``, ``"rgb"``, ``"rgba"``,
        ``"palette"``, ``"cmyk"`` or ``"channels"``.
    alpha : bool
        Whether the last channel is opacity; beside a palette the second of two, after the indices.
    premultiplied : bool
        Whether colours are already multiplied by that opacity.
    palette : ndarray or None
        Colours of a palette file, shape (entries, 3 or 4); 4 where entries have an opacity.
    top : int or None
        The number that is shown as full brightness where it is less than the dtype's largest: 3 for 2 bits, the
        maximum that a PGM declares. Only for ``uint8``: numbers of more bits are shown as they are.
    white_is_zero : bool
        Whether 0 is shown as white. Only for ``bool`` and ``uint8``.
    key : tuple of int or None
        The one colour, in the file's numbers, that is shown as transparent.
    inks : bool
        Whether the four channels are cyan, magenta, yellow and black ink.
    orientation : int
        EXIF orientation, 1 to 8; 1 where the file says nothing.
    frames : int
        Images in the file. More than one: `array` holds the first, unless `axes` has a stack axis.
    notes : tuple of str
        What a careful user would like to know about how the file was read.
    calibration : Calibration or None
        Pixel sizes and orientation, where the file declares them.
    """

    array: np.ndarray
    axes: str
    layout: str
    alpha: bool = False
    premultiplied: bool = False
    palette: np.ndarray | None = None
    top: int | None = None
    white_is_zero: bool = False
    key: tuple[int, ...] | None = None
    inks: bool = False
    orientation: int = 1
    frames: int = 1
    notes: tuple[str, ...] = ()
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Limits:
    """How large an image may be, checked on its header alone.

    Parameters
    ----------
    max_pixels : int
        Height × width × frames, at most. Memory is limited to `BYTES_PER_PIXEL` times as many bytes.
    checked : list of tuple of int
        The (height, width) of each size that passed `check`; the first is what the file's header says.
    """

    max_pixels: int
    checked: list[tuple[int, int]] = field(default_factory=list, compare=False, repr=False, kw_only=True)

    @property
    def max_bytes(self) -> int:
        """Largest decoded size in bytes."""
        return self.max_pixels * BYTES_PER_PIXEL

    def check(self, height: int, width: int, *, frames: int = 1, pixel_bytes: int = 1) -> None:
        """Raise `FormatError` where the declared image is empty or passes the limit."""
        if height < 1 or width < 1 or frames < 1:
            slices = f"{frames} × " if frames < 1 else ""
            raise FormatError(f"an empty image of {slices}{height} × {width} pixels")
        pixels = height * width * frames
        stack = f" × {frames} frames" if frames > 1 else ""
        size = f"{height} × {width} pixels{stack}"
        if pixels > self.max_pixels:
            raise FormatError(
                f"{size} are {pixels:,}, more than the limit of {self.max_pixels:,}; "
                f"if the file can be trusted, raise max_pixels"
            )
        if pixels * pixel_bytes > self.max_bytes:
            raise FormatError(
                f"{size} of {pixel_bytes} bytes need {pixels * pixel_bytes:,} bytes, "
                f"more than the limit of {self.max_bytes:,} ({BYTES_PER_PIXEL} × max_pixels)"
            )
        self.checked.append((height, width))

    def check_made(self, held: int, made: int, by: str) -> None:
        """Raise `FormatError` where an image of `held` bytes and what is made of it do not fit in memory together."""
        most = self.max_bytes + self.max_bytes // 4
        if held + made > most:
            raise FormatError(
                f"{by} makes {made:,} bytes of {held:,}, together more than the limit of {most:,} "
                f"({BYTES_PER_PIXEL * 5 // 4} × max_pixels); if the file can be trusted, raise max_pixels"
            )

    def check_plausible(self, pixels: int, stored_bytes: int, pixels_per_byte: int) -> None:
        """Raise `FormatError` where a file of this size cannot hold this many pixels, however well compressed."""
        if pixels > stored_bytes * pixels_per_byte:
            raise FormatError(
                f"the header declares {pixels:,} pixels, which {stored_bytes:,} bytes cannot hold: "
                "truncated, or a false header"
            )


_FAULTS = (AssertionError, AttributeError, LookupError, NameError, TypeError, ZeroDivisionError)
_PACKAGE = Path(__file__).parents[1]


def cause_of(error: Exception) -> str:
    """Say what another exception than `FormatError` means: damage that a library met, or a fault of this package.

    Decoders raise anything on hostile bytes. An exception of a kind that programming errors raise, from a line of this
    package and not of a library, is reported as a bug.
    """
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is not None and isinstance(error, _FAULTS):
        path = Path(frame.tb_frame.f_code.co_filename)
        if path.is_relative_to(_PACKAGE) and path.name != "isolated.py":  # its lines only pass on a worker's
            return (
                f"not read because of a fault in Offgraph ({type(error).__name__}: {error}, in {path.name}, line "
                f"{frame.tb_lineno}); the file may be sound: please report it"
            )
    plain = isinstance(error, ValueError | SyntaxError | EOFError) and str(error)
    return f"damaged ({error})" if plain else f"damaged ({type(error).__name__}: {error})"


def no_such_page(page: int, count: int) -> str:
    """Say that a file has no page of this number."""
    return f"page={page} was asked for, the file has " + (
        f"pages 0 to {count - 1}" if count > 1 else "one, 0"
    )

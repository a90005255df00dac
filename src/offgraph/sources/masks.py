"""Masks of a source: read onto the grid of their image, with the values that training wants."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from offgraph.core.errors import DecodeError, OffgraphError, SourceError
from offgraph.formats.decoding import DecodedImage, read
from offgraph.sources.names import warn_caller
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask

__all__ = [
    "WHITE_MASKS",
    "MaskValue",
    "MaskValues",
    "background",
    "hint_at_white",
    "parse_mask_values",
    "read_mask",
]

WHITE_MASKS = "0 and 255 only, and 255 would be the number of a class"
_SHOWN = 5
_LOOKED_AT = 3
_SMALL = 1 << 22  # bytes of a file that opening a source may read for a hint


MaskValue = int | tuple[int, int, int]
"""A value in the file of a mask: a number, or a colour as (red, green, blue)."""
MaskValues = Mapping[int, int] | Mapping[tuple[int, int, int], int] | Mapping[str, int] | Mapping[Any, int]
"""Labels by such values; ``"#800000"`` is a colour, too."""


def parse_mask_values(given: Any) -> tuple[tuple[MaskValue, int], ...] | None:
    """Check a mapping of mask values, and return it as sorted pairs, with 0 for 0, or for black, unless it says otherwise.

    Raises
    ------
    SourceError
        Where it is not a mapping to whole numbers that are not negative, from such numbers or from colours of 8 bits.
    """
    if given is None:
        return None
    message = (
        f"mask_values={given!r:.80}: give whole numbers by the values in the files, such as {{255: 1}}, or by their "
        "colours, such as {(128, 0, 0): 1, '#008000': 2}"
    )
    pairs = given.items() if isinstance(given, Mapping) else given
    try:
        values = {_value(was): _value(now) for was, now in dict(pairs).items()}
        count = len(dict(pairs))
    except (TypeError, ValueError) as error:
        raise SourceError(message) from error
    kinds = {type(was) for was in values}
    if len(kinds) != 1 or len(values) < count or not all(isinstance(now, int) for now in values.values()):
        raise SourceError(message)
    background: MaskValue = 0 if kinds == {int} else (0, 0, 0)
    return tuple(sorted({background: 0, **values}.items()))  # type: ignore[arg-type]  # of one kind, to int


def _value(given: Any) -> MaskValue:
    """A number, or a colour: ``(128, 0, 0)``, or as HTML writes it; a ValueError for anything else."""
    if isinstance(given, str):
        if not re.fullmatch("#[0-9a-fA-F]{6}", given):
            raise ValueError(given)
        code = int(given[1:], 16)
        return code >> 16, code >> 8 & 255, code & 255
    if isinstance(given, tuple | list):
        red, green, blue = (_whole(part, 256) for part in given)
        return red, green, blue
    return _whole(given, 2**32)


def _whole(given: Any, end: int) -> int:
    if not isinstance(given, int | np.integer) or isinstance(given, bool) or not 0 <= given < end:
        raise ValueError(given)
    return int(given)


def read_mask(path: Path, image: Image, decoded: DecodedImage, how: Any) -> Mask:
    """Read the mask of an image.

    Parameters
    ----------
    path : Path
    image : Image
    decoded : DecodedImage
        The image as it was decoded, for its orientation.
    how : Reading

    Raises
    ------
    DecodeError
        Where the file cannot be read or is not a mask of that image; begins with `path`.
    """
    grid, axes = _grid(image)
    coloured = how.mask_values is not None and isinstance(how.mask_values[0][0], tuple)
    found = _read_values(path, axes if len(axes) > 2 else None, how, "rgb" if coloured else "labels")
    array, held = found.array, found.axes
    if coloured:
        array, held = _codes(path, found)
    if "C" in held:
        raise DecodeError(
            f"{path}: a mask of shape {array.shape} has colours; a mask holds one label per pixel: name the label of "
            "each colour, such as mask_values={'#800000': 1}, or save it as grey or palette PNG, or as TIFF; if it is an "
            "image, the wrong files are given as masks"
        )
    if found.format == "JPEG":
        raise DecodeError(
            f"{path}: JPEG is lossy, so its values are not labels any more; save masks as PNG or TIFF "
            "(a mask of two values: threshold it first)"
        )
    if array.shape != grid:
        unturned = array.shape[-2:] == decoded.stored_size != grid
        hint = (
            "; it fits the image before its EXIF orientation was applied: turn the mask too"
            if unturned
            else ""
        )
        raise DecodeError(f"{path}: a mask of {array.shape} for an image of {grid}{hint}")
    try:
        mask = Mask(_whole_labels(path, array, found.format), held)
    except ValueError as error:
        raise DecodeError(f"{path}: {error}") from error
    if how.mask_values is None:
        return mask
    return Mask(_mapped(path, mask.array, how.mask_values, coloured=coloured), mask.axes)


def _read_values(path: Path, axes: str | None, how: Any, color: Literal["labels", "rgb"]) -> DecodedImage:
    try:
        return read(path, color=color, axes=axes, max_pixels=how.max_pixels, page=how.page)
    except DecodeError:
        if not how.page:
            raise
        alone = read(path, color=color, axes=axes, max_pixels=how.max_pixels, page=0)
        if alone.frames > 1:
            raise
        return alone


def _codes(path: Path, found: DecodedImage) -> tuple[np.ndarray, str]:
    """One number for each colour, 0xRRGGBB, and the axes that are left."""
    if found.array.dtype != np.uint8 or not found.axes.endswith("C"):
        raise DecodeError(
            f"{path}: a mask of dtype {found.array.dtype} and axes {found.axes}; mask_values names colours of 8 bits"
        )
    red, green, blue = np.moveaxis(found.array.astype(np.uint32), -1, 0)
    return red << 16 | green << 8 | blue, found.axes[:-1]


def _whole_labels(path: Path, array: np.ndarray, format: str) -> np.ndarray:
    """The labels of a file; of a NIfTI also those that it keeps as floats, where all of them are whole."""
    if format != "NIfTI" or array.dtype.kind != "f":
        return array
    with np.errstate(invalid="ignore"):
        labels = array.astype(np.int32)
    if not (np.isfinite(array).all() and np.abs(array).max() < 1 << 31 and np.array_equal(labels, array)):
        raise DecodeError(
            f"{path}: holds {array.dtype} that are not whole numbers, and a mask holds labels; if it is an image or a "
            "map of probabilities, the wrong files are given as masks"
        )
    return labels


def background(image: Image) -> Mask:
    """Return the mask of zeros of an image that has none."""
    grid, axes = _grid(image)
    return Mask(np.zeros(grid, np.uint8), axes)


def _grid(image: Image) -> tuple[tuple[int, ...], str]:
    """Lengths and names of all axes but the channels."""
    kept = [(length, name) for length, name in zip(image.array.shape, image.axes, strict=True) if name != "C"]
    return tuple(length for length, _ in kept), "".join(name for _, name in kept)


def _mapped(
    path: Path, array: np.ndarray, pairs: tuple[tuple[Any, int], ...], *, coloured: bool
) -> np.ndarray:
    """Put the values of a mapping in place of those in the file; refuse others."""
    codes = [(r << 16) + (g << 8) + b for (r, g, b), _ in pairs] if coloured else [pair[0] for pair in pairs]
    was = np.array(codes)
    now = np.array([pair[1] for pair in pairs])
    dtype = np.min_scalar_type(int(now.max()))
    if not coloured:
        dtype = np.result_type(array.dtype, dtype)
    few = array.dtype in (np.uint8, np.uint16)
    # int64 holds every label of up to 32 bits; larger ones are in no mapping.
    values = np.arange(1 << 8 * array.dtype.itemsize) if few else array.astype(np.int64)
    place = np.minimum(np.searchsorted(was, values), len(was) - 1)
    other, mapped = was[place] != values, now.astype(dtype)[place]
    if few:  # each value was searched once, and not for every pixel
        other, mapped = other[array], mapped[array]
    if other.any():
        unknown = np.unique(array[other])
        named = ", ".join(_shown(value, coloured) for value in unknown[:_SHOWN].tolist())
        more = f" and {len(unknown) - _SHOWN:,} more" if len(unknown) > _SHOWN else ""
        known = ", ".join(
            f"{_shown(code, coloured)}: {new}" for code, (_, new) in zip(codes, pairs, strict=True)
        )
        raise DecodeError(
            f"{path}: the mask holds {named}{more} in {int(other.sum()):,} pixels, which mask_values ({known}) does not name"
        )
    return mapped


def _shown(code: int, coloured: bool) -> str:
    return f"({code >> 16}, {code >> 8 & 255}, {code & 255})" if coloured else str(code)


def hint_at_white(where: str, masks: Sequence[Path], max_pixels: int) -> None:
    """Warn where masks hold 0 and 255 alone: white is 255, which would be the number of a class.

    Up to three small files are looked at; what cannot be read is reported when it is read.

    Warns
    -----
    OffgraphWarning
    """
    chosen = (
        {masks[i * (len(masks) - 1) // max(_LOOKED_AT - 1, 1)] for i in range(_LOOKED_AT)} if masks else set()
    )
    values: set[int] = set()
    for path in chosen:
        try:
            if path.stat().st_size > _SMALL:
                return
            array = read(path, color="labels", max_pixels=max_pixels).array
        except (OffgraphError, OSError):
            return
        if array.dtype != np.uint8:
            return
        values.update(np.flatnonzero(np.bincount(array.ravel(), minlength=256)).tolist())
    if values == {0, 255}:
        warn_caller(
            f"{where}: the masks looked at hold {WHITE_MASKS}: write mask_values={{255: 1}} to make 1 of it, or "
            "mask_values={255: 255} to keep it"
        )

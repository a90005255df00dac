"""Masks of a source: read onto the grid of their image, with the values that training wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.errors import DecodeError, OffgraphError, SourceError
from offgraph.formats.decoding import DecodedImage, read
from offgraph.sources.names import warn_caller
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask

__all__ = ["WHITE_MASKS", "background", "hint_at_white", "parse_mask_values", "read_mask"]

WHITE_MASKS = "0 and 255 only, and 255 would be the number of a class"
_SHOWN = 5
_LOOKED_AT = 3
_SMALL = 1 << 22  # bytes of a file that opening a source may read for a hint


def parse_mask_values(given: Any) -> tuple[tuple[int, int], ...] | None:
    """Check a mapping of mask values, and return it as sorted pairs, with 0 for 0 unless it says otherwise.

    Raises
    ------
    SourceError
        Where it is not a mapping of whole numbers that are not negative.
    """
    if given is None:
        return None
    message = f"mask_values={given!r:.80}: give whole numbers by the values in the files, such as {{255: 1}}"
    pairs = given.items() if isinstance(given, Mapping) else given
    try:
        values = dict(pairs)
    except (TypeError, ValueError) as error:
        raise SourceError(message) from error
    whole = (int, np.integer)
    if not values or any(
        not isinstance(value, whole) or isinstance(value, bool) or not 0 <= value < 2**32
        for pair in values.items()
        for value in pair
    ):
        raise SourceError(message)
    return tuple(sorted(({0: 0} | {int(was): int(now) for was, now in values.items()}).items()))


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
    found = _read_labels(path, axes if len(axes) > 2 else None, how)
    if "C" in found.axes:
        raise DecodeError(
            f"{path}: a mask of shape {found.array.shape} has colours; a mask holds one label per pixel: save it "
            "as grey or palette PNG, or as TIFF; if it is an image, the wrong files are given as masks"
        )
    if found.format == "JPEG":
        raise DecodeError(
            f"{path}: JPEG is lossy, so its values are not labels any more; save masks as PNG or TIFF "
            "(a mask of two values: threshold it first)"
        )
    if found.array.shape != grid:
        unturned = found.array.shape[-2:] == decoded.stored_size != grid
        hint = (
            "; it fits the image before its EXIF orientation was applied: turn the mask too"
            if unturned
            else ""
        )
        raise DecodeError(f"{path}: a mask of {found.array.shape} for an image of {grid}{hint}")
    try:
        mask = Mask(found.array, found.axes)
    except ValueError as error:
        raise DecodeError(f"{path}: {error}") from error
    return mask if how.mask_values is None else Mask(_mapped(path, mask.array, how.mask_values), mask.axes)


def _read_labels(path: Path, axes: str | None, how: Any) -> DecodedImage:
    try:
        return read(path, color="labels", axes=axes, max_pixels=how.max_pixels, page=how.page)
    except DecodeError:
        if not how.page:
            raise
        alone = read(path, color="labels", axes=axes, max_pixels=how.max_pixels, page=0)
        if alone.frames > 1:
            raise
        return alone


def background(image: Image) -> Mask:
    """Return the mask of zeros of an image that has none."""
    grid, axes = _grid(image)
    return Mask(np.zeros(grid, np.uint8), axes)


def _grid(image: Image) -> tuple[tuple[int, ...], str]:
    """Lengths and names of all axes but the channels."""
    kept = [(length, name) for length, name in zip(image.array.shape, image.axes, strict=True) if name != "C"]
    return tuple(length for length, _ in kept), "".join(name for _, name in kept)


def _mapped(path: Path, array: np.ndarray, pairs: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Put the values of a mapping in place of those in the file; refuse others."""
    was = np.array([pair[0] for pair in pairs])
    now = np.array([pair[1] for pair in pairs])
    dtype = np.result_type(array.dtype, np.min_scalar_type(int(now.max())))
    few = array.dtype in (np.uint8, np.uint16)
    # int64 holds every label of up to 32 bits; larger ones are in no mapping.
    values = np.arange(1 << 8 * array.dtype.itemsize) if few else array.astype(np.int64)
    place = np.minimum(np.searchsorted(was, values), len(was) - 1)
    other, mapped = was[place] != values, now.astype(dtype)[place]
    if few:  # each value was searched once, and not for every pixel
        other, mapped = other[array], mapped[array]
    if other.any():
        unknown = np.unique(array[other])
        shown = ", ".join(map(str, unknown[:_SHOWN].tolist()))
        more = f" and {len(unknown) - _SHOWN:,} more" if len(unknown) > _SHOWN else ""
        raise DecodeError(
            f"{path}: the mask holds {shown}{more} in {int(other.sum()):,} pixels, which mask_values "
            f"({', '.join(f'{a}: {b}' for a, b in pairs)}) does not name"
        )
    return mapped


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

"""TIFF of any depth, by tifffile and imagecodecs: nothing is reduced to 8 bits, and no axis is guessed."""

from __future__ import annotations

import io
import logging
import math
import struct
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.core.errors import MachineError
from offgraph.formats import isolated, with_pillow
from offgraph.formats.base import FormatError, Limits, StoredImage, cause_of, no_such_page
from offgraph.formats.exif import find_orientation
from offgraph.formats.tiff_sizes import declared_sizes
from offgraph.formats.tiff_strips import (
    IN_PROCESS,
    JPEG,
    check_segments,
    check_streams,
    read_array,
    read_chroma,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_directories", "check_numbers", "choose_series", "decode", "decode_here", "name_series_axes"]

_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE, _MASK, _SEPARATED, _YCBCR, _CIELAB = 0, 1, 2, 3, 4, 5, 6, 8
_ORIENTATION, _SUBPAGES, _XMP = 274, 330, 700
_MOST_PAGES = 65_536  # each costs tifffile some 40 µs before a pixel is read
_NUMBERS = (
    "imagelength",
    "imagewidth",
    "imagedepth",
    "rowsperstrip",
    "tilelength",
    "tilewidth",
    "tiledepth",
    "samplesperpixel",
    "planarconfig",
    "photometric",
    "compression",
)
_NEEDED = {
    258,
    273,
    279,
    320,
    324,
    325,
    338,
    339,
    530,
}  # depth, strips, tiles, colours, opacity, formats, chroma
_TYPE_BYTES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_MOST_TAGS = 4096  # tifffile refuses directories with more
_NAMED = set("TZYXCS")
_MOST_CHANNELS = 4  # of the example for a stack of four axes
_LOG: ContextVar[list[str] | None] = ContextVar("offgraph_tiff_log", default=None)


class _Collect(logging.Handler):
    """Collect tifffile's warnings for the notes of the image being read, instead of printing them."""

    def emit(self, record: logging.LogRecord) -> None:
        kept = _LOG.get()
        if kept is not None:
            kept.append(record.getMessage())


@contextmanager
def _collected_log() -> Iterator[list[str]]:
    import tifffile

    logger = tifffile.logger()
    if not any(isinstance(handler, _Collect) for handler in logger.handlers):
        logger.addHandler(_Collect())
    kept: list[str] = []
    token = _LOG.set(kept)
    try:
        yield kept
    finally:
        _LOG.reset(token)


def decode(data: bytes, limits: Limits, axes: str | None = None, page: int | None = None) -> StoredImage:
    """Decode the first series of a TIFF file, or one page of it.

    Parameters
    ----------
    data : bytes
        The whole file.
    limits : Limits
        Checked before pixels are touched, over all pages that are read.
    axes : str, optional
        Names of the stored axes; needed where the file holds a stack and does not say which.
    page : int, optional
        The page to read, from 0; a file may hold pages of different sizes and kinds.
    """
    return _decode(data, limits, axes, page, in_process=False)


def decode_here(data: bytes, limits: Limits, axes: str | None = None, page: int | None = None) -> StoredImage:
    """Decode a TIFF of any compression; for a worker process (`isolated.decode`)."""
    return _decode(data, limits, axes, page, in_process=True)


def _decode(
    data: bytes, limits: Limits, axes: str | None, page: int | None, *, in_process: bool
) -> StoredImage:
    import tifffile

    check_directories(data, page)
    with _collected_log() as complaints:
        try:
            with tifffile.TiffFile(io.BytesIO(data)) as tiff:
                series = choose_series(tiff, page)
                check_numbers(series)
                shape, named, notes = name_series_axes(series, axes)
                _check_size(series, shape, named, limits)
                check_segments(series, len(data))
                check_streams(series, data)
                sizes = None if in_process else declared_sizes(tiff, series, named)
                if not in_process and not _is_plain(series):
                    stored = isolated.decode(decode_here, data, limits, axes=axes, page=page)
                    return replace(stored, calibration=sizes)
                if page is None and len(tiff.series) > 1:
                    notes.append(
                        f"{len(tiff.series)} images of different kinds: the first is read; page= reads another"
                    )
                stored = _read_series(tiff, series, data, limits, shape, named)
                stored = replace(
                    stored, frames=len(tiff.pages), notes=(*stored.notes, *notes), calibration=sizes
                )
        except (FormatError, MachineError, MemoryError):
            raise
        except Exception as error:
            detail = f"; {complaints[0]}" if complaints else ""
            raise FormatError(f"{cause_of(error)}{detail}") from error
    return replace(stored, notes=(*stored.notes, *dict.fromkeys(complaints)))


def check_numbers(series: Any) -> None:
    """Raise where a tag that takes one number holds several, or a string."""
    for keyframe in {id(page.keyframe): page.keyframe for page in series.pages if page is not None}.values():
        for name in _NUMBERS:
            if not isinstance(value := getattr(keyframe, name), int):
                raise FormatError(f"damaged: its {name} is {value!r:.40}")


def check_directories(data: bytes, page: int | None) -> None:
    """Walk the chain of pages before tifffile does, which would follow a cycle, or overlapping pages, for ever.

    Directories of an honest file do not share bytes, so that together they are no longer than the file. A tag whose
    values are cut off is left out by tifffile, and pixels are read by a default: depth, colours, opacity.
    """
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    number, link, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
    seen: set[int] = set()
    used = 0
    try:
        (at,) = struct.unpack_from(order + link, data, 8 if big else 4)
        while 0 < at < len(data):
            if at in seen:
                raise FormatError("damaged: its list of pages runs in a circle")
            seen.add(at)
            if len(seen) > _MOST_PAGES:
                raise FormatError(f"more than {_MOST_PAGES:,} pages; split the file")
            (entries,) = struct.unpack_from(order + number, data, at)
            used += entries * entry
            first = at + struct.calcsize(order + number)
            for tag_at in range(first, first + min(entries, _MOST_TAGS) * entry, entry):
                tag, kind, count = struct.unpack_from(order + "HH" + link, data, tag_at)
                size = count * _TYPE_BYTES.get(kind, 1)
                if tag == _SUBPAGES:
                    used += count * struct.calcsize(order + link)
                elif tag in _NEEDED and size > entry // 2 - 2 and page in (None, len(seen) - 1):
                    (where,) = struct.unpack_from(order + link, data, tag_at + entry - struct.calcsize(link))
                    if where + size > len(data):
                        raise FormatError(
                            f"truncated: the values of tag {tag} lie beyond the end of the file"
                        )
            if used > len(data):
                raise FormatError("damaged: its pages declare more than the file holds")
            (at,) = struct.unpack_from(order + link, data, first + entries * entry)
    except struct.error:  # the chain ends beyond the file: what comes before may be whole
        return


def choose_series(tiff: Any, page: int | None) -> Any:
    """The first series, or a series of the one page that is asked for."""
    import tifffile

    if page is not None:
        if page >= (count := len(tiff.pages)):
            raise FormatError(no_such_page(page, count))
        return tifffile.TiffPageSeries([tiff.pages[page].aspage()], parent=tiff)
    if not tiff.series:
        raise FormatError("no image in the file")
    series = tiff.series[0]
    if not series.shape or series.dtype is None:
        raise FormatError("no pixels in the first page")
    if any(one is None for one in series.pages):
        raise FormatError("a page of the stack is missing")
    return series


def _is_plain(series: Any) -> bool:
    """Whether decompression to bytes in this process suffices; libtiff and image codecs run in a worker process."""
    keyframes = [page.keyframe for page in series.pages]
    return all(one.compression in IN_PROCESS and one.photometric != _YCBCR for one in keyframes)


def _read_series(
    tiff: Any, series: Any, data: bytes, limits: Limits, shape: tuple[int, ...], named: str
) -> StoredImage:
    page = series.pages[0].keyframe
    if page.photometric == _YCBCR and page.compression not in JPEG:
        if len(series.pages) > 1 or page.index:
            raise FormatError("YCbCr without JPEG compression is read of a file's first page only")
        chroma = read_chroma(page, data) if page.dtype == np.uint8 and page.samplesperpixel == 3 else None
        if chroma is not None:
            stored = with_pillow.from_chroma(chroma)
        else:
            stored = with_pillow.decode_odd(data, "TIFF", limits)  # libtiff undoes the chroma subsampling
    elif page.photometric == _CIELAB:
        raise FormatError("CIELab colours are not supported; convert the file to RGB")
    else:
        array = read_array(series).reshape(shape)
        stored = _interpret(array, named, page, display_only=tiff.is_imagej or tiff.is_ome)
    return replace(stored, orientation=_orientation(page))


def _orientation(page: Any) -> int:
    value = page.tags.valueof(_ORIENTATION)
    if value is None:
        xmp = page.tags.valueof(_XMP)
        return find_orientation(b"", xmp if isinstance(xmp, bytes) else str(xmp or "").encode())
    return int(value) if isinstance(value, int) and 1 <= value <= 8 else 1


def _check_size(series: Any, shape: tuple[int, ...], named: str, limits: Limits) -> None:
    size = dict(zip(named, shape, strict=True))
    limits.check(
        size["Y"],
        size["X"],
        frames=size.get("Z", 1) * size.get("T", 1),
        pixel_bytes=size.get("C", 1) * series.dtype.itemsize,
    )
    chunk = math.prod(int(n) for n in series.pages[0].keyframe.chunks) * series.dtype.itemsize
    if chunk > limits.max_bytes:
        raise FormatError(
            f"a tile or strip declares {chunk:,} bytes, more than the limit of {limits.max_bytes:,}"
        )


def name_series_axes(series: Any, axes: str | None) -> tuple[tuple[int, ...], str, list[str]]:
    """Shape and axes of the array: named by the caller, else by the metadata, else an error that asks.

    Axes of length 1 that have no name leave no doubt: they are dropped, unless the caller counts them.
    """
    shape, stored = tuple(int(n) for n in series.shape), series.axes.upper()
    page = series.pages[0].keyframe
    if not _known(stored) and math.prod(shape) == math.prod(page.shape):  # one page: it knows its own axes
        short, named = tuple(int(n) for n in page.shape), page.axes.upper()
    else:
        kept = [i for i, name in enumerate(stored) if name in _NAMED or shape[i] != 1]
        short, named = tuple(shape[i] for i in kept), "".join(stored[i] for i in kept)
    known = _known(named)
    if axes is not None:
        if len(axes) not in (len(short), len(shape)):
            raise FormatError(f"axes={axes!r} names {len(axes)} axes, the file holds {short}")
        changed = known and axes != named.replace("S", "C")
        notes = [f"axes={axes!r} was asked for, the file says {named!r}"] if changed else []
        return (short if len(axes) == len(short) else shape), axes, notes
    if not known:
        four = "ZYXC" if short[-1] <= _MOST_CHANNELS else "TZYX"
        example = {3: "ZYX", 4: four}.get(len(named), "TZYXC")
        raise FormatError(
            f"a stack of shape {short} that does not say what its axes are; name them, such as axes={example!r}, "
            f"or read one of its {len(series.pages)} pages, such as page=0"
            if len(series.pages) > 1
            else f"a stack of shape {short} that does not say what its axes are; name them, such as axes={example!r}"
        )
    return short, named.replace("S", "C"), []


def _known(axes: str) -> bool:
    return (
        set(axes) <= _NAMED
        and len(set(axes)) == len(axes)
        and {"Y", "X"} <= set(axes)
        and not {"C", "S"} <= set(axes)
    )


def _interpret(array: np.ndarray, axes: str, page: Any, *, display_only: bool) -> StoredImage:
    """Say how the stored numbers are shown: as grey, RGB, indices of colours, or ink."""
    photometric, samples = int(page.photometric), int(page.samplesperpixel)
    notes: list[str] = []
    white_is_zero = False
    if (
        samples > 1
        and "C" in axes
        and photometric in (_RGB, _YCBCR, _SEPARATED, _PALETTE)
        and axes[-1] != "C"
    ):
        array = np.ascontiguousarray(np.moveaxis(array, axes.index("C"), -1))  # stored plane by plane
        axes = axes.replace("C", "") + "C"
    if photometric == _MIN_IS_WHITE:
        white_is_zero = array.dtype in (bool, np.uint8)
        if not white_is_zero:  # a measurement, whatever a viewer makes of it
            notes.append("the file says that smaller is brighter; its numbers are left as they are")
    if photometric == _PALETTE and page.colormap is None:
        raise FormatError("damaged: indices of a palette without its colours")
    if photometric == _PALETTE:
        if samples > 2:
            raise FormatError(f"a palette of colours with {samples} channels is not supported")
        if display_only:
            notes.append("the colour table is for display: the values are read")
        else:
            return StoredImage(
                array.astype(_index_type(array)),
                axes,
                "palette",
                palette=_colours(page.colormap),
                alpha=samples == 2 and axes.endswith("C"),
            )
    if photometric == _SEPARATED and samples == 4:
        return StoredImage(array, axes, "cmyk", inks=True, notes=(*notes, "CMYK, shown as RGB"))
    extra = [int(kind) for kind in page.extrasamples]
    colour = photometric in (_RGB, _YCBCR) and samples >= 3
    alpha = axes.endswith("C") and samples == (4 if colour else 2) and (extra[:1] in ([1], [2]) or colour)
    if colour and samples in (3, 4):
        layout = "rgba" if alpha else "rgb"
    elif samples == 1 and "C" not in axes:
        layout = "bilevel" if array.dtype == bool else "grey"
    else:
        layout = "grey+alpha" if alpha else "channels"
    return StoredImage(
        array,
        axes,
        layout,
        alpha=alpha,
        premultiplied=alpha and extra[:1] == [1],
        white_is_zero=white_is_zero,
        top=_top(array, page),
        notes=tuple(notes),
    )


def _top(array: np.ndarray, page: Any) -> int | None:
    """Largest number of a depth of 2 to 7 bits; depths that differ by channel come scaled already."""
    bits = page.bitspersample
    return 2**bits - 1 if array.dtype == np.uint8 and isinstance(bits, int) and 1 < bits < 8 else None


def _index_type(array: np.ndarray) -> np.dtype:
    return np.dtype(np.uint8) if array.dtype == bool else array.dtype


def _colours(colormap: np.ndarray) -> np.ndarray:
    """Palette of shape (entries, 3): uint8 where the 16-bit entries are 8-bit ones written twice or shifted."""
    table = np.ascontiguousarray(np.asarray(colormap).T.astype(np.uint16))
    low, high = table & 0xFF, table >> 8
    if not low.any() or np.array_equal(low, high):
        return high.astype(np.uint8)
    return table

"""TIFF of any depth, by tifffile and imagecodecs: nothing is cut to 8 bits, and no axis is guessed."""

from __future__ import annotations

import io
import logging
import struct
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.formats import jpeg, with_pillow
from offgraph.formats.base import FormatError, Limits, Stored

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["decode"]

_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE, _MASK, _SEPARATED, _YCBCR, _CIELAB = 0, 1, 2, 3, 4, 5, 6, 8
_JPEG = {7, 33007, 34892}  # the decoder of these turns YCbCr into RGB itself
_JPEG_2000 = {33003, 33004, 33005, 34712}
# None, CCITT, LZW, deflate, PackBits, LZMA, Zstandard: their decoders stop where the strip is full.
_BOUNDED = {1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 50000}
_J2K_BEGIN = b"\xff\x4f\xff\x51"
_ORIENTATION, _SUBPAGES = 274, 330
_MOST_TAGS = 4096  # tifffile refuses directories with more
_NAMED = set("TZYXCS")
_LOG: ContextVar[list[str] | None] = ContextVar("offgraph_tiff_log", default=None)


class _Collect(logging.Handler):
    """Keep tifffile's complaints for the notes of the picture being read, off the terminal."""

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


def decode(data: bytes, limits: Limits, axes: str | None = None) -> Stored:
    """Decode the first series of a TIFF file.

    Parameters
    ----------
    data : bytes
        The whole file.
    limits : Limits
        Checked before pixels are touched, over all pages of the series.
    axes : str, optional
        Names of the stored axes; needed where the file holds a stack and does not say which.
    """
    import tifffile

    _check_directories(data)
    with _collected_log() as complaints:
        try:
            with tifffile.TiffFile(io.BytesIO(data)) as tiff:
                stored = _read_series(tiff, data, limits, axes)
        except FormatError:
            raise
        except Exception as error:
            said = f"; {complaints[0]}" if complaints else ""
            raise FormatError(
                f"damaged or unsupported TIFF ({error or type(error).__name__}{said})"
            ) from error
    return replace(stored, notes=(*stored.notes, *dict.fromkeys(complaints)))


def _check_directories(data: bytes) -> None:
    """Walk the chain of pages before tifffile does, which would follow a circle, or overlapping pages, for ever.

    Directories of an honest file do not share bytes, so that together they are no longer than the file.
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
            (entries,) = struct.unpack_from(order + number, data, at)
            used += entries * entry
            first = at + struct.calcsize(order + number)
            for tag_at in range(first, first + min(entries, _MOST_TAGS) * entry, entry):
                (tag,) = struct.unpack_from(order + "H", data, tag_at)
                if tag == _SUBPAGES:
                    (count,) = struct.unpack_from(order + link, data, tag_at + 4)
                    used += count * struct.calcsize(order + link)
            if used > len(data):
                raise FormatError("damaged: its pages declare more than the file holds")
            (at,) = struct.unpack_from(order + link, data, first + entries * entry)
    except struct.error:  # the chain ends beyond the file: what comes before may be whole
        return


def _read_series(tiff: Any, data: bytes, limits: Limits, axes: str | None) -> Stored:
    if not tiff.series:
        raise FormatError("no picture in the file")
    series, page = tiff.series[0], tiff.pages[0].keyframe
    if not series.shape or series.dtype is None:
        raise FormatError("no pixels in the first page")
    _check_size(series, page, limits)
    _check_segments(series, len(data))
    _check_streams(series, data)
    named, notes = _name_axes(series, tiff.is_shaped, axes)
    if len(tiff.series) > 1:
        notes.append(f"{len(tiff.series)} pictures of different kinds: the first is read")
    if page.photometric == _YCBCR and page.compression not in _JPEG:
        stored = with_pillow.decode_odd(data, "TIFF", limits)  # libtiff undoes the chroma subsampling
    elif page.photometric == _CIELAB:
        raise FormatError("CIELab colours are not supported; convert the file to RGB")
    else:
        array = series.asarray(maxworkers=1)
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
        stored = _interpret(array, named, page, display_only=tiff.is_imagej or tiff.is_ome)
    orientation = page.tags.valueof(_ORIENTATION, 1)
    orientation = int(orientation) if isinstance(orientation, int) and 1 <= orientation <= 8 else 1
    return replace(stored, orientation=orientation, frames=len(tiff.pages), notes=(*stored.notes, *notes))


def _check_size(series: Any, page: Any, limits: Limits) -> None:
    samples = int(page.samplesperpixel)
    pixels = int(np.prod([int(n) for n in series.shape], dtype=object)) // max(1, samples)
    height, width = int(page.imagelength), int(page.imagewidth)
    limits.check(
        height,
        width,
        frames=max(1, -(-pixels // max(1, height * width))),
        pixel_bytes=samples * series.dtype.itemsize,
    )
    chunk = int(np.prod([int(n) for n in page.chunks], dtype=object)) * series.dtype.itemsize
    if chunk > limits.max_bytes:
        raise FormatError(
            f"a tile or strip declares {chunk:,} bytes, more than the limit of {limits.max_bytes:,}"
        )


def _check_segments(series: Any, size: int) -> None:
    """Raise where pixels lie beyond the end of the file, or nowhere: they would be read as zeros."""
    for page in series.pages:
        if page is None:
            raise FormatError("a page of the stack is missing")
        keyframe = page.keyframe
        whole = 1 if series.dataoffset is not None else int(np.prod(keyframe.chunked, dtype=object))
        if min(len(page.dataoffsets), len(page.databytecounts)) < whole:
            raise FormatError(
                f"damaged: {len(page.dataoffsets)} of {whole} strips or tiles of the picture are there"
            )
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
            if count <= 0 or offset <= 0:
                raise FormatError("damaged: a strip or tile of the picture is missing")
            needed = (
                min(count, keyframe.nbytes) if keyframe.compression == 1 else count
            )  # a count may be too large
            if offset + needed > size:
                raise FormatError(f"truncated: pixels lie at byte {offset + needed:,}, the file has {size:,}")
        if keyframe.compression == 1 and sum(page.databytecounts) < (least := _raw_bytes(keyframe)):
            raise FormatError(
                f"damaged: {sum(page.databytecounts):,} bytes of pixels where {least:,} are needed"
            )
    if series.dataoffset is not None and series.dataoffset + series.nbytes > size:
        raise FormatError(
            f"truncated: pixels lie at byte {series.dataoffset + series.nbytes:,}, the file has {size:,}"
        )


def _check_streams(series: Any, data: bytes) -> None:
    """Raise where a compressed strip says for itself that it is larger than a strip: its decoder would believe it."""
    for page in series.pages:
        keyframe = page.keyframe
        if keyframe.compression in _BOUNDED:
            continue
        if keyframe.compression not in _JPEG | _JPEG_2000:
            raise FormatError(
                f"compression {keyframe.compression!s} is not supported; save it with LZW, deflate or Zstandard"
            )
        room = [max(int(n), 16) for n in keyframe.chunks[-3:-1] or keyframe.chunks]
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            height, width = _stream_size(data[offset : offset + count], keyframe.compression in _JPEG)
            if height * width > 4 * room[0] * room[1]:
                raise FormatError(f"damaged: a strip or tile says it has {height} × {width} pixels")


def _stream_size(stream: bytes, jpeg_stream: bool) -> tuple[int, int]:
    if jpeg_stream:
        header = jpeg.read_header(stream)
        return header.height, header.width
    at = stream.find(_J2K_BEGIN, 0, 4096)
    if at < 0 or at + 16 > len(stream):
        raise FormatError("damaged: a strip or tile is not JPEG 2000")
    width, height = struct.unpack_from(">II", stream, at + 8)
    return height, width


def _raw_bytes(page: Any) -> int:
    """Bytes that the pixels of an uncompressed page take, rows padded to whole bytes."""
    if page.photometric == _YCBCR:
        return 0  # chroma may be stored at a fraction; libtiff checks these
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    planes = page.samplesperpixel // samples
    return page.imagelength * (-(-page.imagewidth * samples * page.bitspersample // 8)) * planes


def _name_axes(series: Any, shaped: bool, axes: str | None) -> tuple[str, list[str]]:
    """Axes of the array that tifffile gives: from the caller, else from the metadata, else an error that asks."""
    stored = series.axes.upper()
    if axes is not None:
        if len(axes) != len(series.shape):
            raise FormatError(f"axes={axes!r} names {len(axes)} axes, the file holds {tuple(series.shape)}")
        changed = [f"axes={axes!r} was asked for, the file says {stored!r}"] if set(stored) <= _NAMED else []
        return axes.replace("S", "C"), [] if axes == stored.replace("S", "C") else changed
    if not set(stored) <= _NAMED or {"C", "S"} <= set(stored):
        example = "ZYX" if len(stored) == 3 else "".join("TZYXC"[-len(stored) :])
        raise FormatError(
            f"a stack of shape {tuple(series.shape)} that does not say what its axes are; "
            f"name them, such as axes={example!r}"
        )
    return stored.replace("S", "C"), []


def _interpret(array: np.ndarray, axes: str, page: Any, *, display_only: bool) -> Stored:
    """Say how the stored numbers are shown: as grey, RGB, indices of colours, or ink."""
    photometric, samples = int(page.photometric), int(page.samplesperpixel)
    notes: list[str] = []
    white_is_zero = False
    if samples > 1 and "C" in axes and photometric in (_RGB, _YCBCR, _SEPARATED) and axes[-1] != "C":
        array = np.ascontiguousarray(np.moveaxis(array, axes.index("C"), -1))  # stored plane by plane
        axes = axes.replace("C", "") + "C"
    if photometric == _MIN_IS_WHITE:
        white_is_zero = array.dtype in (bool, np.uint8)
        if not white_is_zero:  # a measurement, whatever a viewer makes of it
            notes.append("the file says that smaller is brighter; its numbers are left as they are")
    if photometric == _PALETTE and page.colormap is not None:
        if display_only:
            notes.append("the colour table is for display: the values are read")
        else:
            return Stored(array.astype(_index_type(array)), axes, "palette", palette=_colours(page.colormap))
    if photometric == _SEPARATED and samples == 4:
        return Stored(array, axes, "cmyk", inks=True, notes=(*notes, "CMYK, shown as RGB"))
    extra = [int(kind) for kind in page.extrasamples]
    colour = photometric in (_RGB, _YCBCR) and samples >= 3
    alpha = axes.endswith("C") and samples == (4 if colour else 2) and (extra[:1] in ([1], [2]) or colour)
    if colour and samples in (3, 4):
        layout = "rgba" if alpha else "rgb"
    elif samples == 1 and "C" not in axes:
        layout = "bilevel" if array.dtype == bool else "grey"
    else:
        layout = "grey+alpha" if alpha else "channels"
    return Stored(
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

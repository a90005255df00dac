"""The strips and tiles of a TIFF: what they must hold, and how each is decompressed.

tifffile places and unpacks them; decompression is done here, so that a strip may be padded, as libtiff allows, and
must be whole: most decoders fill in what is missing without a warning.
"""

from __future__ import annotations

import copy
import io
import math
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from offgraph.formats import jpeg
from offgraph.formats.base import FormatError

__all__ = [
    "IN_PROCESS",
    "JPEG",
    "bytes_decoder",
    "check_segments",
    "check_streams",
    "read_array",
    "read_chroma",
]

_NONE, _LZW, _PACKBITS, _LZMA, _ZSTANDARD = 1, 5, 32773, 34925, 50000
_DEFLATE = {8, 32946}
_CCITT, _FAX_3, _FAX_3_OPTIONS = {2, 3, 4}, 3, 292
JPEG = {7, 33007, 34892}
"""Compressions whose decoder turns YCbCr into RGB itself."""

_JPEG_2000 = {33003, 33004, 33005, 34712}
_YCBCR, _SUBSAMPLING = 6, 530
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
IN_PROCESS = {_NONE, _LZW, _PACKBITS, *_DEFLATE}
"""Compressions that are decoded in this process; see `offgraph.formats.isolated` for the others."""

_BYTES = {_LZW, _PACKBITS, _LZMA, _ZSTANDARD, *_DEFLATE}  # codecs of plain bytes: nothing of pixels in them
_J2K_BEGIN = b"\xff\x4f\xff\x51"
_JPEG_END = b"\xff\xd9"
_MOST_SEGMENTS = 65_536
_TRAILING = 1024  # bytes after the end of a JPEG stream in which that end is looked for
_JPEG_TAIL = b"\xaa" * 512
_CCITT_TAILS = tuple(bytes((37 * i * i + 101 * i + 59 * seed) % 256 for i in range(256)) for seed in range(6))


def check_segments(series: Any, size: int) -> None:
    """Raise where pixels lie beyond the end of the file, or are missing: they would be read as zeros."""
    pixels, pieces = 0, 0
    for page in series.pages:
        pixels += int(page.keyframe.imagelength) * int(page.keyframe.imagewidth)
        pieces += len(page.dataoffsets)
        if not all(isinstance(n, int) for n in (*page.dataoffsets, *page.databytecounts)):
            raise FormatError("damaged: its list of strips or tiles holds something other than whole numbers")
    if pieces > _MOST_SEGMENTS + pixels // 4:  # tiles of one pixel: each costs as much as one of 16 × 16
        raise FormatError(f"{pieces:,} strips and tiles for {pixels:,} pixels are not read")
    for page in series.pages:
        keyframe = page.keyframe
        whole = 1 if series.dataoffset is not None else int(np.prod(keyframe.chunked, dtype=object))
        if min(len(page.dataoffsets), len(page.databytecounts)) < whole:
            raise FormatError(
                f"damaged: {len(page.dataoffsets)} of {whole} strips or tiles of the image are there"
            )
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
            if count <= 0 or offset <= 0:
                raise FormatError("damaged: a strip or tile of the image is missing")
            needed = (
                min(count, keyframe.nbytes) if keyframe.compression == _NONE else count
            )  # a count may be too large
            if offset + needed > size:
                raise FormatError(f"truncated: pixels lie at byte {offset + needed:,}, the file has {size:,}")
        if keyframe.compression == _NONE and sum(page.databytecounts) < (least := _raw_bytes(keyframe)):
            raise FormatError(
                f"damaged: {sum(page.databytecounts):,} bytes of pixels where {least:,} are needed"
            )
    if series.dataoffset is not None and series.dataoffset + series.nbytes > size:
        raise FormatError(
            f"truncated: pixels lie at byte {series.dataoffset + series.nbytes:,}, the file has {size:,}"
        )


def check_streams(series: Any, data: bytes) -> None:
    """Raise where the stream in a strip declares a larger image than the strip: its decoder would trust that."""
    for page in series.pages:
        keyframe = page.keyframe
        if keyframe.compression in _BYTES | _CCITT | {_NONE}:
            continue
        if keyframe.compression not in JPEG | _JPEG_2000:
            raise FormatError(
                f"compression {keyframe.compression!s} is not supported; save it with LZW, deflate or Zstandard"
            )
        rows, columns = _segment_size(keyframe)
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            height, width = _stream_size(data[offset : offset + count], keyframe.compression in JPEG)
            if height * width > 4 * max(rows, 16) * max(columns, 16):
                raise FormatError(f"damaged: a strip or tile says it has {height} × {width} pixels")


def read_array(series: Any) -> np.ndarray:
    """Decode all pages of a series into one array in native byte order, by tifffile with the decoders of this module."""
    for keyframe in {id(page.keyframe): page.keyframe for page in series.pages}.values():
        if keyframe.compression in _BYTES:
            keyframe.decode = bytes_decoder(keyframe)
        elif keyframe.compression in JPEG:
            keyframe.decode = _noticing(keyframe.decode, _jpeg_tails, "JPEG")
        elif keyframe.compression in _CCITT:
            keyframe.decode = _agreeing(_noticing(keyframe.decode, _ccitt_tails, "CCITT"), keyframe)
    array = series.asarray(maxworkers=1)
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def _segment_size(page: Any) -> tuple[int, int]:
    """Rows and columns of a whole strip or tile."""
    if page.is_tiled:
        rows, columns = int(page.tilelength), int(page.tilewidth)
    else:
        rows, columns = min(int(page.rowsperstrip), int(page.imagelength)), int(page.imagewidth)
    if rows < 1 or columns < 1:
        raise FormatError(f"damaged: strips or tiles of {rows} × {columns} pixels")
    return rows, columns


def _row_bytes(page: Any, columns: int) -> int:
    """Bytes of one row of a strip or tile, padded to whole bytes."""
    samples = int(page.samplesperpixel) if page.planarconfig == 1 else 1
    bits = page.bitspersample
    return -(-columns * (sum(bits) if isinstance(bits, tuple) else samples * int(bits)) // 8)


def _raw_bytes(page: Any) -> int:
    """Bytes that the pixels of an uncompressed page take."""
    if page.photometric == _YCBCR:
        return 0  # chroma may be stored at a fraction; libtiff checks these
    planes = 1 if page.planarconfig == 1 else int(page.samplesperpixel)
    return int(page.imagelength) * _row_bytes(page, int(page.imagewidth)) * planes


def _stream_size(stream: bytes, jpeg_stream: bool) -> tuple[int, int]:
    if jpeg_stream:
        header = jpeg.read_header(stream)
        return header.height, header.width
    at = stream.find(_J2K_BEGIN, 0, 4096)
    if at < 0 or at + 16 > len(stream):
        raise FormatError("damaged: a strip or tile is not JPEG 2000")
    width, height = struct.unpack_from(">II", stream, at + 8)
    return height, width


def read_chroma(page: Any, data: bytes) -> np.ndarray | None:
    """Check the strips or tiles of a YCbCr page whose chroma is stored for blocks of pixels.

    Returns
    -------
    ndarray or None
        (H, W, 3) of Y, Cb and Cr where the page is not compressed: Pillow takes such strips for whole pixels. None
        where libtiff is to read the page.

    Raises
    ------
    FormatError
        Where a strip or tile is cut: libtiff would fill it up.
    """
    subsampling = page.tags.valueof(_SUBSAMPLING, (2, 2))
    if not isinstance(subsampling, tuple) or len(subsampling) != 2 or not {*subsampling} <= {1, 2, 4}:
        raise FormatError(f"damaged: chroma for blocks of {subsampling} pixels")
    across, down = subsampling
    rows, columns = _segment_size(page)
    height, blocks, plain = int(page.imagelength), -(-columns // across), page.compression == _NONE
    pieces = math.prod(page.chunked[1:]) if page.planarconfig == 2 else len(page.dataoffsets)
    if plain and (page.planarconfig == 2 or page.is_tiled) and across * down > 1:
        raise FormatError("YCbCr in tiles or planes without compression is not supported; convert it to RGB")
    parts = []
    for i, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        held = rows if page.is_tiled else min(rows, height - i % pieces * rows)
        lines = -(-held // down)
        if page.planarconfig == 2:
            needed = blocks * lines if i >= pieces else held * columns
        else:
            needed = blocks * lines * (across * down + 2)
        segment = data[offset : offset + count]
        if page.fillorder == 2:
            segment = segment.translate(_REVERSED)
        if page.compression in _BYTES:
            segment = _decompress(int(page.compression), segment, needed)
        if len(segment) < needed:
            raise FormatError(
                f"truncated or damaged: strip or tile {i} holds {len(segment):,} of {needed:,} bytes"
            )
        if plain and across * down > 1:
            units = np.frombuffer(segment, np.uint8, needed).reshape(lines, blocks, across * down + 2)
            light = units[..., :-2].reshape(lines, blocks, down, across).swapaxes(1, 2)
            chroma = units[..., -2:].repeat(down, axis=0).repeat(across, axis=1)
            whole = np.dstack([light.reshape(lines * down, blocks * across), chroma])
            parts.append(whole[:held, : int(page.imagewidth)])
    return np.concatenate(parts) if parts else None


# codecs of bytes


def bytes_decoder(page: Any) -> Callable[..., Any]:
    """A decoder of one segment, as `tifffile.TiffPage.decode` is: decompressed here, unpacked by tifffile."""
    import tifffile

    plain = copy.copy(page)
    plain.__dict__.pop("decode", None)
    plain.compression, plain.fillorder = tifffile.COMPRESSION.NONE, 1
    unpack = plain.decode
    rows, columns = _segment_size(page)
    depth = int(page.tiledepth) if page.is_tiled else 1
    row_bytes = _row_bytes(page, columns)
    strips = math.ceil(int(page.imagelength) / rows)

    def decode(data: bytes | bytearray | None, index: int, **options: Any) -> Any:
        if data is not None:
            if page.fillorder == 2:
                data = data.translate(_REVERSED)
            data = _decompress(int(page.compression), data, depth * rows * row_bytes)
            if not page.is_tiled:
                left = int(page.imagelength) - index % strips * rows
                if len(data) < (needed := min(rows, left) * row_bytes):
                    raise FormatError(
                        f"truncated or damaged: strip {index} holds {len(data):,} of {needed:,} bytes"
                    )
        return unpack(data, index)

    return decode


def _decompress(codec: int, data: bytes | bytearray, most: int) -> bytes | bytearray:
    """Decompress a segment; what is more than a whole one is left out, as libtiff does."""
    import imagecodecs

    if codec in _DEFLATE:
        return _inflate(data, most)
    if codec == _LZW:
        return imagecodecs.lzw_decode(data, out=most)
    if codec == _PACKBITS:  # grows by at most 64 times
        return imagecodecs.packbits_decode(data)[:most]
    if codec == _LZMA:
        return imagecodecs.lzma_decode(data, out=most)
    try:
        return imagecodecs.zstd_decode(data, out=most)
    except imagecodecs.ZstdError:  # more than a whole segment, or damaged
        return imagecodecs.zstd_decode(data)[:most]


def _inflate(data: bytes | bytearray, most: int) -> bytes | bytearray:
    import imagecodecs

    try:
        return imagecodecs.deflate_decode(data, out=most)  # about twice as fast as zlib
    except imagecodecs.DeflateError:
        stream = zlib.decompressobj()
        try:
            held = stream.decompress(data, most)
            stream.decompress(stream.unconsumed_tail, 1)  # the checksum, where the stream ends here
        except zlib.error as error:
            raise FormatError(f"damaged: {error}") from error
        return held


# image codecs, which do not report missing data


def _noticing(
    decode: Callable[..., Any], tails: Callable[[bytes], list[bytes]], name: str
) -> Callable[..., Any]:
    """Decode a segment again with other bytes after its end; if the result changes, its own bytes were too few.

    ::

        whole     … last pixel | end          the bytes after the end are never looked at
        cut       … half of it                the decoder takes what comes next for pixels
    """

    def checked(data: bytes | None, index: int, **options: Any) -> Any:
        decoded = decode(data, index, **options)
        for lengthened in [] if data is None else tails(data):
            again = decode(lengthened, index, **options)
            if not np.array_equal(decoded[0], again[0]):
                raise FormatError(f"truncated: strip or tile {index} ends before its pixels do ({name})")
        return decoded

    return checked


def _jpeg_tails(stream: bytes) -> list[bytes]:
    end = stream.rfind(_JPEG_END, max(0, len(stream) - _TRAILING))
    return [stream[: end if end > 0 else len(stream)].rstrip(b"\xff") + _JPEG_TAIL + _JPEG_END]


def _ccitt_tails(stream: bytes) -> list[bytes]:
    return [stream + tail for tail in _CCITT_TAILS]


def _agreeing(decode: Callable[..., Any], page: Any) -> Callable[..., Any]:
    """Decode a CCITT segment with libtiff too: after a wrong code each decoder continues with a different guess, silently."""

    def checked(data: bytes | None, index: int, **options: Any) -> Any:
        decoded = decode(data, index, **options)
        if data is not None and not np.array_equal(
            decoded[0].squeeze() != 0, _by_libtiff(page, data, decoded[2])
        ):
            raise FormatError(f"damaged: two decoders read strip or tile {index} differently (CCITT)")
        return decoded

    return checked


def _by_libtiff(page: Any, stream: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Bits of one segment, by Pillow from a file made of it."""
    from PIL.TiffImagePlugin import TiffImageFile

    rows, columns = shape[1], shape[2]
    tags = {
        256: columns,
        257: rows,
        258: 1,
        259: int(page.compression),
        262: 1,  # as they are
        266: int(page.fillorder),
        273: 8,
        277: 1,
        278: rows,
        279: len(stream),
    }
    if page.compression == _FAX_3:
        tags[_FAX_3_OPTIONS] = int(page.tags.valueof(_FAX_3_OPTIONS) or 0)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    file = b"II*\0" + struct.pack("<I", 8 + len(stream)) + stream + directory
    with TiffImageFile(io.BytesIO(file)) as image:
        return np.array(image).squeeze()

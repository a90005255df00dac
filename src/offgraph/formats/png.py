"""PNG: 16-bit files by libpng, without loss; all others by Pillow.

Neither gets the file itself: its chunks are read and checked here, and only those that make the image are passed on.
So a damaged colour profile, a compressed text that grows without end or a missing last chunk does no harm.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace

import numpy as np

from offgraph.formats import isolated, with_pillow
from offgraph.formats.base import FormatError, Limits, StoredImage
from offgraph.formats.exif import find_orientation

__all__ = ["decode"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_CHECKED = {b"IHDR", b"PLTE", b"IDAT", b"tRNS"}
_MOST_CHUNKS, _CHUNK_BYTES = 10_000, 512  # at most, plus one per so many bytes; libpng writes 8 KB and more
_DEFLATE_BEST = 1032  # no deflate stream grows by more
_GREY, _RGB, _PALETTE = 0, 2, 3
_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
_LONGEST_TEXT = 1 << 20
_XMP, _RAW_EXIF = (
    b"XML:com.adobe.xmp",
    b"Raw profile type exif",
)  # the second is ImageMagick's, in hexadecimal


@dataclass
class _Chunks:
    height: int = 0
    width: int = 0
    bits: int = 0
    colour: int = 0
    interlaced: bool = False
    frames: int = 1
    exif: bytes = b""
    raw_exif: bytes = b""
    xmp: bytes = b""
    palette: bytes = b""
    transparency: bytes = b""
    notes: list[str] = field(default_factory=list)
    image: bytes = b""


def _read_chunks(data: bytes, limits: Limits) -> _Chunks:
    """Read the chunks that describe the image; check the checksums of the chunks that make it."""
    found, at, idat = _Chunks(), len(_SIGNATURE), 0
    kept = [_SIGNATURE]
    left = _MOST_CHUNKS + len(data) // _CHUNK_BYTES
    while True:
        left -= 1
        if not left:
            raise FormatError("damaged: its chunks are too many and too small")
        if at + 12 > len(data):
            if idat:  # the image is whole; only the closing chunk is missing
                found.notes.append("the end of the file is missing")
                break
            raise FormatError("truncated: the file ends before its pixels")
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = memoryview(data)[at + 8 : at + 8 + length]
        if kind in _CHECKED:
            if at + 12 + length > len(data):
                raise FormatError(f"truncated: chunk {kind.decode()} ends beyond the file")
            if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(
                data[at + 8 + length : at + 12 + length], "big"
            ):
                raise FormatError(f"damaged: wrong checksum of chunk {kind.decode()}")
        if at == len(_SIGNATURE):
            _read_size(kind, bytes(body[:13]), found, limits, len(data))
        if kind == b"IDAT":
            idat += length
        elif kind == b"PLTE":
            found.palette = bytes(body)
        elif kind == b"tRNS":
            found.transparency = bytes(body)
        elif kind == b"eXIf":
            found.exif = bytes(body)
        elif kind in _TEXTS and length <= _LONGEST_TEXT:
            _read_text(kind, bytes(body), found)
        elif kind == b"acTL" and len(body) >= 4:
            found.frames = max(1, int.from_bytes(body[:4], "big"))
        elif kind == b"IEND":
            break
        if kind in (b"IHDR", b"PLTE", b"IDAT"):
            kept.append(data[at : at + 12 + length])
        at += 12 + length
    if not idat:
        raise FormatError("no pixels in the file")
    found.image = b"".join((*kept, _END))
    return found


def _read_text(kind: bytes, body: bytes, found: _Chunks) -> None:
    """Keep the texts that may hold the orientation; damaged or very long ones are skipped."""
    key, _, rest = body.partition(b"\0")
    if key not in (_XMP, _RAW_EXIF):
        return
    packed = kind == b"zTXt"
    if kind == b"iTXt":  # flag, method, language, key in that language
        packed = rest[:1] == b"\1"
        rest = rest[2:].split(b"\0", 2)[-1]
    elif packed:
        rest = rest[1:]
    try:
        text = zlib.decompressobj().decompress(rest, _LONGEST_TEXT) if packed else rest
        if key == _XMP:
            found.xmp = found.xmp or text
        else:
            found.raw_exif = found.raw_exif or bytes.fromhex("".join(text.decode("ascii").split()[2:]))
    except (zlib.error, ValueError):
        return


def _read_size(kind: bytes, body: bytes, found: _Chunks, limits: Limits, stored_bytes: int) -> None:
    if kind != b"IHDR" or len(body) != 13:
        raise FormatError("damaged: it does not begin with its header chunk")
    found.width, found.height = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
    found.bits, found.colour, found.interlaced = body[8], body[9], body[12] == 1
    if found.colour not in _CHANNELS or found.bits not in (1, 2, 4, 8, 16):
        raise FormatError(f"damaged: no PNG has {found.bits} bits of colour type {found.colour}")
    bits = found.bits * _CHANNELS[found.colour]
    limits.check(found.height, found.width, pixel_bytes=max(1, bits // 8))
    limits.check_plausible(found.height * found.width, stored_bytes, max(1, 8 * _DEFLATE_BEST // bits))


def decode(data: bytes, limits: Limits) -> StoredImage:
    """Decode a PNG of 1 to 16 bits; of an animated one the default image."""
    chunks = _read_chunks(data, limits)
    if chunks.bits == 16 and chunks.interlaced:  # libpng complains of how imagecodecs calls it: not here
        stored = isolated.decode(decode_here, chunks.image, limits)
    elif chunks.bits == 16:
        stored = _decode_deep(chunks)
    else:
        stored = _decode_shallow(chunks, limits)
    notes = (*stored.notes, *chunks.notes)
    if chunks.frames > 1:
        notes += (f"animated, {chunks.frames} frames: the first is read",)
    orientation = find_orientation(chunks.exif or chunks.raw_exif, chunks.xmp)
    return replace(stored, orientation=orientation, frames=chunks.frames, notes=notes)


def decode_here(data: bytes, limits: Limits) -> StoredImage:
    """Decode a PNG of 16 bits; for a worker process (`isolated.decode`)."""
    return _decode_deep(_read_chunks(data, limits))


def _decode_deep(chunks: _Chunks) -> StoredImage:
    import imagecodecs

    array = imagecodecs.png_decode(chunks.image)
    if array.dtype != np.uint16 or array.shape[:2] != (chunks.height, chunks.width):
        raise FormatError(
            f"read as {array.dtype} {array.shape} instead of 16 bits {chunks.height} × {chunks.width}"
        )
    channels = 1 if array.ndim == 2 else array.shape[2]
    layout = {1: "grey", 2: "grey+alpha", 3: "rgb", 4: "rgba"}[channels]
    stored = StoredImage(array, "YX" if array.ndim == 2 else "YXC", layout, alpha=channels in (2, 4))
    return stored if stored.alpha else _with_colour_key(stored, chunks)


def _decode_shallow(chunks: _Chunks, limits: Limits) -> StoredImage:
    stored = with_pillow.decode_first(chunks.image, "PNG", limits)
    if chunks.colour == _PALETTE:
        colours = np.frombuffer(chunks.palette[: len(chunks.palette) // 3 * 3], np.uint8).reshape(-1, 3)
        if chunks.transparency:
            opacity = np.full((len(colours), 1), 255, np.uint8)
            given = np.frombuffer(chunks.transparency, np.uint8)[: len(colours)]
            opacity[: len(given), 0] = given
            colours = np.hstack([colours, opacity])
        return replace(stored, array=stored.array.astype(np.uint8), layout="palette", palette=colours)
    if chunks.colour == _GREY and chunks.bits in (2, 4):
        top = 2**chunks.bits - 1
        stored = replace(stored, array=stored.array // np.uint8(255 // top), top=top)  # Pillow stretches them
    return _with_colour_key(stored, chunks)


def _with_colour_key(stored: StoredImage, chunks: _Chunks) -> StoredImage:
    """Say which colour is declared transparent."""
    channels = _CHANNELS[chunks.colour]
    if len(chunks.transparency) != 2 * channels or chunks.colour not in (_GREY, _RGB):
        return stored
    layout = "grey+alpha" if channels == 1 else "rgba"
    key = np.frombuffer(chunks.transparency, ">u2")
    return replace(stored, layout=layout, key=tuple(int(value) for value in key))

"""WebP by libwebp, after the size is read here: its decoders allocate when they open a file."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from offgraph.formats.base import FormatError, Limits, StoredImage
from offgraph.formats.exif import find_orientation

__all__ = ["decode"]

_MOST_CHUNKS = 100_000
_STILL, _ANIMATED = 4, 12  # bytes for a pixel: of an animation libwebp keeps two canvases
_LOSSY_BEGIN = b"\x9d\x01\x2a"


@dataclass
class _Chunks:
    canvas: tuple[int, int] | None = None
    frames: int = 0
    exif: bytes = b""
    xmp: bytes = b""


def decode(data: bytes, limits: Limits) -> StoredImage:
    """Decode the first frame of a WebP file."""
    declared = int.from_bytes(data[4:8], "little") + 8
    if len(data) < declared:
        raise FormatError(f"truncated: {len(data):,} of {declared:,} bytes")
    chunks = _read_chunks(data)
    if chunks.canvas is None:
        raise FormatError("damaged: it does not say its size")
    limits.check(*chunks.canvas, pixel_bytes=_ANIMATED if chunks.frames else _STILL)
    import imagecodecs

    array = imagecodecs.webp_decode(data)
    stored = StoredImage(
        np.ascontiguousarray(array),
        "YXC",
        "rgba" if array.shape[-1] == 4 else "rgb",
        alpha=array.shape[-1] == 4,
        orientation=find_orientation(chunks.exif, chunks.xmp),
    )
    if chunks.frames <= 1:
        return stored
    note = f"animated, {chunks.frames} frames: the first is read"
    return replace(stored, frames=chunks.frames, notes=(note,))


def _read_chunks(data: bytes) -> _Chunks:
    found, at = _Chunks(), 12
    for _ in range(_MOST_CHUNKS):
        if at + 8 > len(data):
            return found
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + min(length, 65536)]
        if found.canvas is None:
            found.canvas = _size(kind, body)
        found.frames += kind == b"ANMF"
        if kind == b"EXIF":
            found.exif = found.exif or body
        elif kind == b"XMP ":
            found.xmp = found.xmp or body
        at += 8 + length + length % 2
    raise FormatError(f"damaged: more than {_MOST_CHUNKS:,} chunks")


def _size(kind: bytes, body: bytes) -> tuple[int, int] | None:
    """(height, width) from one of the three chunks that a file can begin with."""
    if kind == b"VP8X" and len(body) >= 10:
        return int.from_bytes(body[7:10], "little") + 1, int.from_bytes(body[4:7], "little") + 1
    if kind == b"VP8 " and body[3:6] == _LOSSY_BEGIN and len(body) >= 10:
        return int.from_bytes(body[8:10], "little") & 0x3FFF, int.from_bytes(body[6:8], "little") & 0x3FFF
    if kind == b"VP8L" and len(body) >= 5:
        bits = int.from_bytes(body[1:5], "little")
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    return None

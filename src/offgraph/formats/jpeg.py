"""JPEG, by libjpeg-turbo: simplejpeg for what it reads without the GIL, Pillow for the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from offgraph.formats import isolated, with_pillow
from offgraph.formats.base import FormatError, Limits, Stored
from offgraph.formats.exif import find_orientation

__all__ = ["Header", "decode", "read_header"]

_STANDALONE = {0x01, 0xD8, *range(0xD0, 0xD8)}
_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ORDINARY = {0xC0, 0xC1, 0xC2}  # baseline, extended and progressive, Huffman coded
_LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
_HUFFMAN_LAST = 0xC7  # frame headers after it are arithmetic coded
_START_OF_SCAN, _END = 0xDA, 0xD9
_PIXELS_PER_BYTE = (
    8 * 1024
)  # one bit at least for a block of 8 × 8, of which a 4 × 4 sampled channel has one for 16


@dataclass(frozen=True)
class Header:
    """What a JPEG says before its first scan; `process` is the frame header's marker, 0xC0 for baseline."""

    height: int
    width: int
    components: int
    precision: int
    process: int
    orientation: int
    more_pictures: bool


def read_header(data: bytes) -> Header:
    """Walk the markers up to the first scan, without decoding anything."""
    at, exif, xmp, more, frame = 2, b"", b"", False, None
    while True:
        at = data.find(b"\xff", at)  # libjpeg skips garbage between markers too
        if at < 0 or at + 4 > len(data):
            break
        marker = data[at + 1]
        if marker in (0xFF, 0x00) or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in (_START_OF_SCAN, _END):
            break
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            exif = exif or body
        elif marker == 0xE1 and body.startswith(b"http://ns.adobe.com/xap/"):
            xmp = xmp or body
        elif marker == 0xE2 and body.startswith(b"MPF\0"):
            more = True
        elif marker in _FRAME_HEADERS and frame is None and len(body) >= 6:
            frame = marker, body
        at += 2 + max(length, 2)
    if frame is None:
        raise FormatError("truncated: the file ends before its frame header")
    process, body = frame
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    return Header(height, width, body[5], body[0], process, find_orientation(exif, xmp), more)


def decode(data: bytes, limits: Limits) -> Stored:
    """Decode a JPEG: accurate integer DCT, smooth chroma upsampling, as Pillow does it."""
    header = read_header(data)
    limits.check(
        header.height, header.width, pixel_bytes=header.components * (1 if header.precision <= 8 else 2)
    )
    if header.process <= _HUFFMAN_LAST:
        limits.check_plausible(header.height * header.width, len(data), _PIXELS_PER_BYTE)
    if header.precision != 8 or header.process not in _ORDINARY:
        stored = isolated.decode(decode_rare, data, limits)
    elif header.components in (1, 3):
        stored = _decode_fast(data, header, limits)
    else:
        stored = with_pillow.decode_odd(data, "JPEG", limits)
    notes = stored.notes
    if header.more_pictures:
        notes += ("holds several pictures (MPO): the first is read",)
    return replace(stored, orientation=header.orientation, notes=notes)


def _decode_fast(data: bytes, header: Header, limits: Limits) -> Stored:
    import simplejpeg

    grey = header.components == 1
    try:
        array = simplejpeg.decode_jpeg(data, "GRAY" if grey else "RGB")
    except ValueError as error:
        if "remature end" in str(error):  # the rest would be filled with grey
            raise FormatError(f"truncated or damaged: {error}") from error
        stored = with_pillow.decode_odd(data, "JPEG", limits)
        return replace(stored, notes=(*stored.notes, f"libjpeg says: {error}"))
    return Stored(array[..., 0], "YX", "grey") if grey else Stored(array, "YXC", "rgb")


def decode_rare(data: bytes, limits: Limits) -> Stored:
    """Decode 12-bit, lossless, arithmetic and hierarchical JPEG; for a worker process (`isolated.decode`)."""
    header = read_header(data)
    limits.check(
        header.height, header.width, pixel_bytes=header.components * (1 if header.precision <= 8 else 2)
    )
    if header.precision == 8 and header.process not in _LOSSLESS:
        return _decode_fast(data, header, limits)
    return _decode_deep(data, header)


def _decode_deep(data: bytes, header: Header) -> Stored:
    """12-bit and lossless JPEG, as medical scanners write it: the numbers stay as they are."""
    import imagecodecs

    array = imagecodecs.jpeg_decode(data)
    layout = {2: "grey", 3: "rgb"}.get(array.ndim if array.ndim == 2 else array.shape[-1], "channels")
    return Stored(
        np.ascontiguousarray(array),
        "YX" if array.ndim == 2 else "YXC",
        layout,
        notes=(f"a JPEG of {header.precision} bits",),
    )

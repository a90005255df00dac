"""JPEG: ordinary files in the native core, others by libjpeg-turbo, through simplejpeg or, where that is strict, Pillow."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from offgraph.engine import jpeg as native
from offgraph.formats import isolated, with_pillow
from offgraph.formats.base import FormatError, Limits, StoredImage
from offgraph.formats.exif import find_orientation
from offgraph.formats.jpeg_scans import check_scans, check_whole, decode_whole

__all__ = ["PIXELS_PER_BYTE", "Header", "decode", "read_header"]

_COLOURS = {1: "GRAY", 3: "RGB", 4: "CMYK"}
_STANDALONE = {0x01, 0xD8, *range(0xD0, 0xD8)}
_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ORDINARY = {0xC0, 0xC1, 0xC2}  # baseline, extended and progressive, Huffman coded
_PROGRESSIVE = {0xC2, 0xCA}
_ARITHMETIC = {0xC9, 0xCA}
_HUFFMAN_LAST = 0xC7  # frame headers after it are arithmetic coded
_MARKER = re.compile(rb"\xff([\x01-\xfe])")
_MOST_MARKERS = 10_000
_START_OF_SCAN, _END = 0xDA, 0xD9
_LOSSLESS = {0xC3, 0xC7}
PIXELS_PER_BYTE = (
    8 * 1024
)  # a bit at least for a block of 8 × 8, of which a 4 × 4 sampled channel has one for 16
_LOSSLESS_PIXELS_PER_BYTE = 8  # a bit at least for a sample


@dataclass(frozen=True)
class Header:
    """What a JPEG says before its first scan, which begins at `scans`; `process` is its frame header's marker."""

    height: int
    width: int
    components: int
    precision: int
    process: int
    orientation: int
    more_images: bool
    scans: int

    @property
    def pixel_bytes(self) -> int:
        """Bytes of a decoded pixel."""
        return self.components * (1 if self.precision <= 8 else 2)


def read_header(data: bytes) -> Header:
    """Walk the markers up to the first scan, without decoding anything."""
    at, exif, xmp, more, frame = 2, b"", b"", False, None
    for _ in range(_MOST_MARKERS):
        found = _MARKER.search(data, at)  # libjpeg skips garbage between markers too
        if not found or found.end() + 2 > len(data):
            at = len(data)
            break
        marker, at = found[1][0], found.end()
        if marker in _STANDALONE:
            continue
        if marker in (_START_OF_SCAN, _END):
            at -= 2
            break
        length = int.from_bytes(data[at : at + 2], "big")
        body = data[at + 2 : at + length]
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            exif = exif or body
        elif marker == 0xE1 and body.startswith(b"http://ns.adobe.com/xap/"):
            xmp = xmp or body
        elif marker == 0xE2 and body.startswith(b"MPF\0"):
            more = True
        elif marker in _FRAME_HEADERS and frame is None and len(body) >= 6:
            frame = marker, body
        at += max(length, 2)
    else:
        raise FormatError(f"damaged: more than {_MOST_MARKERS:,} markers before its pixels")
    if frame is None:
        raise FormatError("truncated: the file ends before its frame header")
    process, body = frame
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    return Header(height, width, body[5], body[0], process, find_orientation(exif, xmp), more, at)


def decode(data: bytes, limits: Limits) -> StoredImage:
    """Decode a JPEG: accurate integer DCT, smooth chroma upsampling, as Pillow does it."""
    header = read_header(data)
    limits.check(header.height, header.width, pixel_bytes=header.pixel_bytes)
    if header.process <= _HUFFMAN_LAST:
        per_byte = _LOSSLESS_PIXELS_PER_BYTE if header.process in _LOSSLESS else PIXELS_PER_BYTE
        limits.check_plausible(header.height * header.width, len(data), per_byte)
    whole = True
    if header.process in _PROGRESSIVE or data[header.scans + 4 : header.scans + 5] != bytes(
        [header.components]
    ):
        pixels = header.height * header.width
        limits.check_made(  # two bytes for each coefficient, until the last scan is read
            2 * pixels * header.components, pixels * header.pixel_bytes, "decoding scan by scan"
        )
        whole = check_scans(data, header.scans, header.components, pixels, limits)
    if header.precision != 8 or header.process not in _ORDINARY:
        stored = isolated.decode(decode_rare, data, limits)
    else:
        stored = _decode_ordinary(data, header, limits)
    notes = stored.notes
    if header.process in _PROGRESSIVE and not whole:
        notes += ("its last scans are missing: the image is coarse",)
    if header.more_images:
        notes += ("holds several images (MPO): the first is read",)
    return replace(stored, orientation=header.orientation, notes=notes)


def _decode_ordinary(data: bytes, header: Header, limits: Limits) -> StoredImage:
    shape = (header.height, header.width, header.components)
    if native.shape(data) == shape:
        array = np.empty(shape, np.uint8)
        if native.decode_into(array, data) is None:
            return _stored(array)
    try:
        return _stored(_decode_turbo(data, header))
    except ValueError as error:
        if "remature end" in str(error):  # the rest would be filled with grey
            raise FormatError(f"truncated or damaged: {error}") from error
        return _decode_odd(data, header, limits, f"libjpeg says: {error}")


def _decode_turbo(data: bytes, header: Header, *, strict: bool = True) -> np.ndarray:
    """Decode 8 bits; `strict` raises ValueError at the first warning."""
    import simplejpeg

    if header.components not in _COLOURS:
        raise ValueError(f"{header.components} components are neither grey nor RGB nor CMYK")
    return simplejpeg.decode_jpeg(data, _COLOURS[header.components], strict=strict)


def _stored(array: np.ndarray) -> StoredImage:
    if array.shape[-1] == 4:  # by Adobe's convention, 255 is no ink
        return StoredImage(
            np.bitwise_not(array, out=array), "YXC", "cmyk", inks=True, notes=("CMYK, shown as RGB",)
        )
    return (
        StoredImage(array[..., 0], "YX", "grey") if array.shape[-1] == 1 else StoredImage(array, "YXC", "rgb")
    )


def _decode_odd(data: bytes, header: Header, limits: Limits, note: str) -> StoredImage:
    """Decode with Pillow what libjpeg warns about; Pillow tolerates more, so the data is checked for completeness."""
    stored = with_pillow.decode_odd(data, "JPEG", limits)
    check_whole(
        stored.array,
        lambda noisy: with_pillow.decode_odd(noisy, "JPEG", limits).array,
        data,
        header.scans,
    )
    return replace(stored, notes=(*stored.notes, note))


def decode_rare(data: bytes, limits: Limits) -> StoredImage:
    """Decode 12-bit, lossless and arithmetic JPEG; for a worker process (`isolated.decode`).

    12-bit and lossless files are those of medical scanners: the numbers stay as they are.
    """
    header = read_header(data)
    limits.check(header.height, header.width, pixel_bytes=header.pixel_bytes)
    if header.precision == 8 and header.process in _ARITHMETIC:
        try:
            array = _decode_turbo(data, header)
        except ValueError as error:  # missing data often shows as a bad code only
            raise FormatError(f"truncated or damaged: {error}") from error
        again = partial(_decode_turbo, header=header, strict=False)
        check_whole(array, again, data, header.scans, arithmetic=True)
        return _stored(array)
    import imagecodecs

    array = decode_whole(imagecodecs.jpeg_decode, data, header.scans)
    layout = {2: "grey", 3: "rgb"}.get(array.ndim if array.ndim == 2 else array.shape[-1], "channels")
    return StoredImage(
        np.ascontiguousarray(array),
        "YX" if array.ndim == 2 else "YXC",
        layout,
        notes=(f"a JPEG of {header.precision} bits",),
    )

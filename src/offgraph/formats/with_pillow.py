"""The formats that Pillow reads: PNG of at most 8 bits, BMP, AVIF, and odd JPEGs and TIFFs.

Pillow's own limit on pixels is a global of the process; the classes of its formats are called directly
instead of ``Image.open``, and `Limits` is kept here.
"""

from __future__ import annotations

import io
import threading
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from offgraph.formats.base import FormatError, Limits, StoredImage
from offgraph.formats.exif import find_orientation

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "decode_avif",
    "decode_bmp",
    "decode_first",
    "decode_odd",
    "from_chroma",
    "open_image",
    "said_first",
    "stored_of",
]

_WARNINGS = threading.Lock()
_BMP_RUN_LENGTHS = {1, 2}
_BMP_IDENTITY = b"".join(bytes((value, value, value, 0)) for value in range(16))
_RAW_PIXELS_PER_BYTE = 8  # one bit per pixel
_RUN_PIXELS_PER_BYTE = 4096  # Pillow pads rows pixel by pixel: seconds for a file of a few bytes
_SLAB = 1 << 20  # pixels
_LAYOUTS = {
    "1": "bilevel",
    "L": "grey",
    "I;16": "grey",
    "I": "grey",
    "F": "grey",
    "LA": "grey+alpha",
    "RGB": "rgb",
    "RGBA": "rgba",
}


def open_image(data: bytes, kind: str) -> Image.Image:
    from PIL import Image

    Image.init()
    factory, accept = Image.OPEN[kind]
    if accept is not None and accept(data[:16]) is not True:
        raise FormatError(f"not a {kind} file that can be read")
    try:
        return factory(io.BytesIO(data), "")
    except Image.DecompressionBombError as error:
        raise FormatError(f"too large: {error}") from error


def decode_first(
    data: bytes, kind: str, limits: Limits, *, pixels_per_byte: int | None = None
) -> StoredImage:
    """Decode the first image of a file with Pillow's class for `kind`; its metadata is not looked at.

    Pillow allocates the whole image before it reads a pixel: `pixels_per_byte` is the most that the format can hold, so
    that a short file with a large header is refused first.
    """
    with open_image(data, kind) as image:
        limits.check(image.height, image.width, pixel_bytes=max(1, len(image.getbands())))
        if pixels_per_byte is not None:
            limits.check_plausible(image.height * image.width, len(data), pixels_per_byte)
        image.load()
        return stored_of(image)


def decode_odd(data: bytes, kind: str, limits: Limits) -> StoredImage:
    """Do as `decode_first` for a file that its own decoder refuses; Pillow's warnings become notes.

    Python's warning filters are global to the process, hence one such file at a time. Warnings of other threads are
    passed on meanwhile.
    """
    with _WARNINGS:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            stored = decode_first(data, kind, limits)
        heard = []
        for one in caught:
            if Path(one.filename).parent.name == "PIL":
                heard.append(f"Pillow says: {str(one.message).strip()}")
            else:
                warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return replace(stored, notes=(*stored.notes, *dict.fromkeys(heard)))


def stored_of(image: Image.Image) -> StoredImage:
    mode = image.mode
    if mode in ("P", "PA"):
        return _stored_palette(image)
    if mode in ("CMYK", "YCbCr"):
        layout = "cmyk" if mode == "CMYK" else "rgb"
        return StoredImage(np.array(image.convert("RGB")), "YXC", layout, notes=(f"{mode} turned into RGB",))
    if mode in ("RGBX", "RGBa"):
        array = np.array(image.convert("RGB" if mode == "RGBX" else "RGBA"))
        return StoredImage(array, "YXC", "rgb" if mode == "RGBX" else "rgba", alpha=mode == "RGBa")
    if mode == "I;16B":
        return StoredImage(np.array(image).astype(np.uint16), "YX", "grey")
    if mode not in _LAYOUTS:
        raise FormatError(f"pixels of kind {mode} are not supported; convert the file to grey or RGB")
    array = np.array(image)
    return StoredImage(
        array, "YX" if array.ndim == 2 else "YXC", _LAYOUTS[mode], alpha=mode in ("LA", "RGBA")
    )


def from_chroma(array: np.ndarray) -> StoredImage:
    """RGB from Y, Cb and Cr, (H, W, 3)."""
    return StoredImage(_to_rgb(array, "YCbCr", "YCbCr"), "YXC", "rgb", notes=("YCbCr turned into RGB",))


def _to_rgb(array: np.ndarray, mode: str, stored: str) -> np.ndarray:
    from PIL import Image

    height, width = array.shape[:2]
    made = np.empty((height, width, 3), np.uint8)
    step = max(1, _SLAB // width)  # Pillow holds an image four times on its way
    for at in range(0, height, step):
        rows = np.ascontiguousarray(array[at : at + step])
        part = Image.frombuffer(mode, (width, len(rows)), rows, "raw", stored, 0, 1)
        made[at : at + step] = np.asarray(part.convert("RGB"))
    return made


def _stored_palette(image: Image.Image) -> StoredImage:
    if image.mode == "PA":
        return StoredImage(np.array(image.convert("RGBA")), "YXC", "palette", alpha=True)
    entries = np.array(image.getpalette("RGB") or [0, 0, 0], np.uint8).reshape(-1, 3)
    hidden = image.info.get("transparency")
    if isinstance(hidden, int) and 0 <= hidden < len(entries):
        opacity = np.full((len(entries), 1), 255, np.uint8)
        opacity[hidden] = 0
        entries = np.hstack([entries, opacity])
    return StoredImage(np.array(image), "YX", "palette", palette=entries)


def decode_bmp(data: bytes, limits: Limits) -> StoredImage:
    """Decode a BMP of any depth that Pillow knows."""
    runs = len(data) >= 34 and int.from_bytes(data[30:34], "little") in _BMP_RUN_LENGTHS
    per_byte = _RUN_PIXELS_PER_BYTE if runs else _RAW_PIXELS_PER_BYTE
    at = 14 + int.from_bytes(data[14:18], "little")
    if data[28:30] == b"\4\0" and data[at : at + 64] == _BMP_IDENTITY:
        # Pillow takes the colours 0 to 15 for grey of 8 bits and fails: another palette makes it read the indices
        stored = decode_first(
            data[:at] + bytes(64) + data[at + 64 :], "BMP", limits, pixels_per_byte=per_byte
        )
        return replace(stored, palette=np.repeat(np.arange(16, dtype=np.uint8)[:, None], 3, axis=1))
    return decode_first(data, "BMP", limits, pixels_per_byte=per_byte)


def decode_avif(data: bytes, limits: Limits) -> StoredImage:
    """Decode the first frame of an AVIF file."""
    with open_image(data, "AVIF") as image:
        limits.check(image.height, image.width, pixel_bytes=4)
        image.load()
        orientation = find_orientation(image.info.get("exif") or b"", image.info.get("xmp") or b"")
        return replace(said_first(stored_of(image), getattr(image, "n_frames", 1)), orientation=orientation)


def said_first(stored: StoredImage, frames: int) -> StoredImage:
    if frames <= 1:
        return stored
    return replace(
        stored, frames=frames, notes=(*stored.notes, f"animated, {frames} frames: the first is read")
    )

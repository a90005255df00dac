"""Odd and broken image files, made in memory for the tests of the readers."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

__all__ = ["chunk", "exif", "gradient", "jpeg", "png", "saved", "tiff", "with_exif_chunk", "zeros"]


def gradient(height: int = 24, width: int = 32, channels: int = 3, top: int = 255) -> np.ndarray:
    """An image without any symmetry, so that a turned or mirrored one is another."""
    y, x = np.mgrid[:height, :width]
    planes = [
        (y * 5 + x * 3) % (top + 1),
        x * top // max(1, width - 1),
        y * top // max(1, height - 1),
        top - x - y,
    ]
    dtype = np.uint8 if top == 255 else np.uint16
    picked = np.stack([plane.astype(dtype) for plane in planes[:channels]], axis=-1)
    return picked[..., 0] if channels == 1 else picked


def saved(array: np.ndarray, kind: str, mode: str | None = None, **options: object) -> bytes:
    """A file as Pillow writes it."""
    image = Image.fromarray(array)
    out = io.BytesIO()
    (image.convert(mode) if mode else image).save(out, kind, **options)
    return out.getvalue()


def jpeg(array: np.ndarray | None = None, **options: object) -> bytes:
    return saved(gradient() if array is None else array, "JPEG", quality=95, **options)


def exif(orientation: int, order: str = "<") -> bytes:
    """An EXIF block that says nothing but the orientation."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0" + mark + struct.pack(order + "IH", 8, 1) + entry + struct.pack(order + "I", 0)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, bits: int, colour: int, compressed: bytes, *extra: bytes) -> bytes:
    """A PNG with any header and any pixel data, true or not."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + chunk(b"IDAT", compressed) + chunk(b"IEND", b"")


def with_exif_chunk(data: bytes, orientation: int) -> bytes:
    """The PNG with an eXIf chunk after its header."""
    return data[:33] + chunk(b"eXIf", exif(orientation)[6:]) + data[33:]


def zeros(count: int) -> bytes:
    """`count` zero bytes, deflated, without holding them all."""
    deflate, block = zlib.compressobj(9), bytes(1 << 20)
    parts = [deflate.compress(block[: min(len(block), count - at)]) for at in range(0, count, len(block))]
    return b"".join(parts) + deflate.flush()


def tiff(payload: bytes, *, width: int = 10, height: int = 10, compression: int = 1, **tags: int) -> bytes:
    """A grey TIFF of one strip, with any tags, true or not; `tags` are given as ``t273=…``."""
    said = {
        256: width,
        257: height,
        258: 8,
        259: compression,
        262: 1,
        273: 8,
        277: 1,
        278: height,
        279: len(payload),
    }
    said |= {int(name[1:]): value for name, value in tags.items()}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(said.items()))
    directory = struct.pack("<H", len(said)) + entries + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8 + len(payload)) + payload + directory

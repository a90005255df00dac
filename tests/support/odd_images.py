"""A few hundred small sound files of every kind that the formats know, each as bytes under a name that tells what it is.

Made by tifffile, Pillow and by hand, from seeded noise: no two pixels need be equal for a reader to be right.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import tifffile
from PIL import Image
from tests.support.odd_files import chunk, exif, png, with_exif_chunk

__all__ = ["bitmaps", "by_pillow", "pngs", "tiffs"]

HEIGHT, WIDTH = 19, 21
_ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def noise(dtype: str, channels: int = 1, *, bits: int | None = None, seed: int = 0) -> np.ndarray:
    """(H, W) or (H, W, C) of all values that the dtype, or so many bits of it, can have."""
    rng, kind = np.random.default_rng(seed), np.dtype(dtype)
    shape = (HEIGHT, WIDTH, channels)[: 2 if channels == 1 else 3]
    if kind.kind == "f":
        return rng.normal(size=shape).astype(kind)
    if kind.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    low, high = (np.iinfo(kind).min, np.iinfo(kind).max) if bits is None else (0, 2**bits - 1)
    return rng.integers(low, high, shape, dtype=kind, endpoint=True)


def tiff_of(array: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, array, **{"metadata": None, "photometric": "minisblack"} | options)
    return out.getvalue()


def colour_tag(colours: np.ndarray) -> dict[str, object]:
    return {"extratags": [(320, "H", colours.size, colours.ravel(), True)]}


def with_colours(data: bytes) -> bytes:
    """The TIFF as one of palette indices: tifffile writes few kinds of those."""
    changed = bytearray(data)
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        struct.pack_into("<H", changed, opened.pages[0].tags[262].valueoffset, 3)
    return bytes(changed)


def packed(row: np.ndarray, bits: int) -> bytes:
    """Numbers side by side, padded to whole bytes."""
    if bits == 16:
        return row.astype(">u2").tobytes()
    wide = np.unpackbits(row.astype(np.uint8)[..., None], axis=-1)[..., 8 - bits :]
    return np.packbits(wide.ravel()).tobytes()


def tiffs() -> Iterator[tuple[str, bytes]]:
    """TIFFs by tifffile: dtypes, depths, photometrics, planes, predictors, tiles, orientations, opacity, colours."""
    for order in "<>":
        for dtype in ("bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"):
            for white in (False, True):
                how = {"byteorder": order, "photometric": "miniswhite" if white else "minisblack"}
                yield f"tiff {order}{dtype}{' white' * white}", tiff_of(noise(dtype), **how)
    for bits in (1, 2, 3, 4, 6, 7, 9, 10, 12, 14):
        array = noise("u1" if bits < 8 else "u2", bits=bits)
        yield f"tiff {bits} bits", tiff_of(array, bitspersample=bits)
        yield f"tiff {bits} bits white", tiff_of(array, bitspersample=bits, photometric="miniswhite")
        colour = noise("u1" if bits < 8 else "u2", 3, bits=bits)
        yield f"tiff {bits} bits rgb", tiff_of(colour, bitspersample=bits, photometric="rgb", byteorder=">")
    for codec in ("lzw", "zlib", "packbits", "zstd", "lzma"):
        for dtype in ("u1", "u2", "f4"):
            yield f"tiff {codec} {dtype}", tiff_of(noise(dtype), compression=codec, rowsperstrip=8)
            planes = np.moveaxis(noise(dtype, 3), -1, 0)
            how = {"compression": codec, "photometric": "rgb"}
            yield f"tiff {codec} {dtype} planes", tiff_of(planes, planarconfig="separate", **how)
            yield f"tiff {codec} {dtype} tiles", tiff_of(noise(dtype, 3), tile=(16, 16), **how)
    for dtype in ("u1", "i2", "u4", "f2", "f4", "f8"):
        for channels in (1, 3):
            photometric = "rgb" if channels == 3 else "minisblack"
            how = {"compression": "zlib", "predictor": True, "photometric": photometric}
            yield f"tiff predicted {dtype} {channels}", tiff_of(noise(dtype, channels), byteorder=">", **how)
    for orientation in range(1, 9):
        tag = [(274, "H", 1, orientation, True)]
        yield f"tiff turned {orientation}", tiff_of(noise("u2"), extratags=tag)
        how = {"photometric": "rgb", "compression": "jpeg"}
        yield f"tiff turned {orientation} jpeg", tiff_of(noise("u1", 3), extratags=tag, **how)
    for kind in ("unspecified", "assocalpha", "unassalpha"):
        for channels in (2, 4):
            how = {"photometric": "rgb" if channels == 4 else "minisblack", "planarconfig": "contig"}
            yield f"tiff {kind} {channels}", tiff_of(noise("u1", channels), extrasamples=[kind], **how)
    for bits in (1, 2, 4, 8, 16):
        colours = np.random.default_rng(bits).integers(0, 256, (3, 2**bits)).astype(np.uint16) * 257
        array = noise("u1" if bits <= 8 else "u2", bits=bits)
        yield f"tiff palette {bits}", with_colours(tiff_of(array, bitspersample=bits, **colour_tag(colours)))
    yield "tiff ink", tiff_of(noise("u1", 4), photometric="separated")
    yield "tiff five channels", tiff_of(noise("u2", 5), planarconfig="contig")
    yield "tiff big", tiff_of(noise("u1", 3), bigtiff=True, photometric="rgb")
    for subsampling in ((1, 1), (2, 1), (2, 2)):
        how = {"compression": "jpeg", "photometric": "ycbcr", "subsampling": subsampling}
        yield f"tiff jpeg {subsampling}", tiff_of(noise("u1", 3), **how)
    for codec in ("jpeg", "jpeg2000"):
        yield f"tiff {codec} grey", tiff_of(noise("u1"), compression=codec)
        yield f"tiff {codec} grey tiles", tiff_of(noise("u1"), compression=codec, tile=(16, 16))


def by_pillow() -> Iterator[tuple[str, bytes]]:
    """What Pillow writes, of every mode that a format takes."""
    modes = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16")
    options = {
        "TIFF": [
            {},
            *({"compression": name} for name in ("tiff_lzw", "tiff_ccitt", "group3", "group4", "jpeg")),
        ],
        "JPEG": [{}, {"progressive": True}, {"quality": 100, "subsampling": 0}],
        "PNG": [{}],
        "GIF": [{"interlace": 0}, {"interlace": 1}],
        "WEBP": [{}, {"lossless": True}],
        "BMP": [{}],
        "PPM": [{}],
        "AVIF": [{}],
    }
    for mode in modes:
        image = Image.fromarray(noise("u2") if mode == "I;16" else noise("u1", 4))
        image = image if mode == "I;16" else image.convert(mode)
        for kind, ways in options.items():
            for way in ways:
                out = io.BytesIO()
                try:
                    image.save(out, kind, **way)
                except (OSError, KeyError, ValueError):  # a mode that the format does not take
                    continue
                yield f"{kind.lower()} {mode} {' '.join(map(str, way.values()))}".strip(), out.getvalue()
    photo = Image.fromarray(noise("u1", 3))
    for orientation in range(1, 9):
        for kind in ("JPEG", "WEBP"):
            out = io.BytesIO()
            photo.save(out, kind, exif=exif(orientation))
            yield f"{kind.lower()} turned {orientation}", out.getvalue()


def png_of(array: np.ndarray, bits: int, colour: int, interlaced: bool, *extra: bytes) -> bytes:
    rows = b""
    for y, x, down, right in _ADAM7 if interlaced else [(0, 0, 1, 1)]:
        rows += b"".join(b"\0" + packed(row, bits) for row in array[y::down, x::right])
    data = bytearray(png(array.shape[1], array.shape[0], bits, colour, zlib.compress(rows), *extra))
    data[8:33] = chunk(b"IHDR", bytes(data[16:28]) + bytes([interlaced]))
    return bytes(data)


def pngs() -> Iterator[tuple[str, bytes]]:
    """PNGs of every colour type and depth, interlaced or not, with and without a transparent colour and gamma."""
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
    for colour, several in depths.items():
        channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
        for bits in several:
            array = noise("u2", channels, bits=bits)
            colours = [chunk(b"PLTE", noise("u1").ravel()[: 3 * 2**bits].tobytes())] if colour == 3 else []
            if bits == 8 and colour == 3:
                colours = [chunk(b"PLTE", np.arange(768, dtype=np.uint32).astype(np.uint8).tobytes())]
            clear = {
                0: struct.pack(">H", int(array.flat[0])),
                2: struct.pack(">3H", *map(int, array.reshape(-1, channels)[0][:3]))
                if channels == 3
                else b"",
                3: bytes([0, 128]),
            }.get(colour)
            for interlaced in (False, True):
                name = f"png {colour} {bits}{' interlaced' * interlaced}"
                yield name, png_of(array, bits, colour, interlaced, *colours)
                if clear:
                    extra = chunk(b"gAMA", b"\0\0\xb1\x8f"), *colours, chunk(b"tRNS", clear)
                    yield f"{name} transparent", png_of(array, bits, colour, interlaced, *extra)
    out = io.BytesIO()
    Image.fromarray(noise("u1", 3)).save(out, "PNG")
    for orientation in range(1, 9):
        yield f"png turned {orientation}", with_exif_chunk(out.getvalue(), orientation)


def bitmaps() -> Iterator[tuple[str, bytes]]:
    """BMPs by hand: depths, palettes, bit fields, run lengths, rows from the top or the bottom."""

    def bmp(bits: int, rows: list[bytes], colours: np.ndarray, packing: int = 0, masks: tuple = ()) -> bytes:
        body = b"".join(rows)
        extra = struct.pack(f"<{len(masks)}I", *masks)
        table = b"".join(bytes((*entry[::-1], 0)) for entry in colours.tolist())
        offset = 54 + len(extra) + len(table)
        head = struct.pack(
            "<IiiHHIIIIII", 40, WIDTH, HEIGHT, 1, bits, packing, len(body), 0, 0, len(colours), 0
        )
        return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + head + extra + table + body

    def padded(row: bytes) -> bytes:
        return row + bytes(-len(row) % 4)

    for bits in (1, 4, 8):
        full = np.repeat(np.arange(2**bits, dtype=np.uint8)[:, None] * (255 // (2**bits - 1)), 3, axis=1)
        some = np.random.default_rng(bits).integers(0, 256, (2**bits, 3), dtype=np.uint8)
        rows = [padded(packed(row, bits)) for row in noise("u1", bits=bits)]
        for name, colours in (("grey", full), ("inverted", full[::-1]), ("colours", some)):
            yield f"bmp {bits} {name}", bmp(bits, rows, colours)
    none = np.zeros((0, 3), np.uint8)
    for bits in (16, 24, 32):
        rows = [padded(row.tobytes()) for row in noise("u1", bits // 8).reshape(HEIGHT, -1)]
        yield f"bmp {bits}", bmp(bits, rows, none)
    rows = [padded(row.tobytes()) for row in noise("u2")]
    yield "bmp 565", bmp(16, rows, none, 3, (0xF800, 0x7E0, 0x1F))
    runs = [bytes([WIDTH, value, 0, 0]) for value in noise("u1")[:, 0]] + [b"\0\1"]
    yield "bmp runs", bmp(8, runs, np.random.default_rng(8).integers(0, 256, (256, 3), dtype=np.uint8), 1)

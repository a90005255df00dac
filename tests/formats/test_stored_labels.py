"""Under ``color="labels"`` the numbers in the file are the labels: no rule of display touches them, in any format."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.support.odd_files import chunk, png
from tests.support.odd_images import colour_tag, with_colours

import offgraph as og
from offgraph.core.errors import DecodeError
from offgraph.formats.decoding import read

LABELS = np.array([[0, 1, 2, 3, 1], [3, 3, 0, 2, 1], [1, 0, 0, 2, 3]], np.uint8)
BITS = LABELS % 2 == 1


def tiff_of(array: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, array, **options)
    return out.getvalue()


def packed(labels: np.ndarray, bits: int) -> list[bytes]:
    """Rows of numbers of 1, 2, 4 or 8 bits, each padded to whole bytes."""
    wide = np.unpackbits(labels.astype(np.uint8)[..., None], axis=-1)[..., 8 - bits :]
    return [np.packbits(row).tobytes() for row in wide.reshape(len(labels), -1)]


def png_of(labels: np.ndarray, bits: int, colour: int, *extra: bytes) -> bytes:
    rows = b"".join(b"\0" + row for row in packed(labels, bits))
    return png(labels.shape[1], labels.shape[0], bits, colour, zlib.compress(rows), *extra)


def bmp_of(labels: np.ndarray, bits: int, palette: list[tuple[int, int, int]]) -> bytes:
    rows = b"".join(row + bytes(-len(row) % 4) for row in packed(labels, bits)[::-1])
    colours = b"".join(bytes((*entry[::-1], 0)) for entry in palette)
    head = struct.pack(
        "<IIIIiiHHIIIIII",
        *(54 + len(colours) + len(rows), 0, 54 + len(colours), 40, labels.shape[1], labels.shape[0]),
        *(1, bits, 0, len(rows), 0, 0, len(palette), 0),
    )
    return b"BM" + head + colours + rows


def gif_of(labels: np.ndarray, **options: object) -> bytes:
    image, out = Image.fromarray(labels, "P"), io.BytesIO()
    image.putpalette([200, 10, 0, 0, 99, 0, 7, 7, 250, 255, 255, 255])
    image.save(out, "GIF", **options)
    return out.getvalue()


def text(labels: np.ndarray) -> bytes:
    return b"\n".join(b" ".join(b"%d" % value for value in row) for row in labels.tolist())


def pnm_of(kind: int, top: int | None, body: bytes) -> bytes:
    return b"P%d\n# made by hand\n5 3\n" % kind + (b"" if top is None else b"%d\n" % top) + body


COLOURS = [(200, 10, 0), (0, 99, 0), (7, 7, 250), (255, 255, 255)]
PLTE = chunk(b"PLTE", bytes(value for colour in COLOURS for value in colour))
GREY = [(value, value, value) for value in range(16)]
WHITE_FIRST = {"photometric": "miniswhite"}

FILES = {
    "tiff uint8": (tiff_of(LABELS, **WHITE_FIRST), LABELS),
    "tiff bool": (tiff_of(BITS, **WHITE_FIRST), BITS),
    "tiff bool, as tifffile writes it": (tiff_of(BITS), BITS),
    "tiff uint16": (tiff_of(LABELS.astype(np.uint16), **WHITE_FIRST), LABELS),
    "tiff uint32": (tiff_of(LABELS.astype(np.uint32), **WHITE_FIRST), LABELS),
    "tiff int16": (tiff_of(LABELS.astype(np.int16) - 2, **WHITE_FIRST), LABELS.astype(np.int16) - 2),
    "tiff 2 bits": (tiff_of(LABELS, bitspersample=2, photometric="minisblack"), LABELS),
    "tiff 4 bits, white is zero": (tiff_of(LABELS, bitspersample=4, **WHITE_FIRST), LABELS),
    "tiff palette": (
        tiff_of(LABELS, photometric="palette", colormap=np.arange(768, dtype=np.uint16).reshape(3, 256) * 71),
        LABELS,
    ),
    "tiff ink": (tiff_of(np.dstack([LABELS] * 4), photometric="separated"), np.dstack([LABELS] * 4)),
    "png 1 bit": (png_of(BITS, 1, 0), BITS),
    "png 2 bits": (png_of(LABELS, 2, 0), LABELS),
    "png 4 bits": (png_of(LABELS, 4, 0), LABELS),
    "png 2 bits, 1 is transparent": (png_of(LABELS, 2, 0, chunk(b"tRNS", b"\0\1")), LABELS),
    "png 1 bit, 0 is transparent": (png_of(BITS, 1, 0, chunk(b"tRNS", b"\0\0")), BITS),
    "png 8 bits, 3 is transparent, gamma": (
        png_of(LABELS, 8, 0, chunk(b"gAMA", b"\0\0\xb1\x8f"), chunk(b"tRNS", b"\0\3")),
        LABELS,
    ),
    "png 8 bits of which 2 are significant": (png_of(LABELS, 8, 0, chunk(b"sBIT", b"\2")), LABELS),
    "png palette of 1 bit": (png_of(BITS, 1, 3, PLTE), BITS),
    "png palette of 2 bits, half transparent": (
        png_of(LABELS, 2, 3, PLTE, chunk(b"tRNS", b"\0\x80")),
        LABELS,
    ),
    "png palette of 4 bits": (png_of(LABELS, 4, 3, PLTE), LABELS),
    "bmp palette of 1 bit, white first": (bmp_of(BITS, 1, [(255, 255, 255), (0, 0, 0)]), BITS),
    "bmp palette of 1 bit": (bmp_of(BITS, 1, [(0, 0, 0), (255, 255, 255)]), BITS),
    "bmp palette of 4 bits": (bmp_of(LABELS, 4, COLOURS), LABELS),
    "bmp palette of 4 bits, grey": (bmp_of(LABELS, 4, GREY), LABELS),
    "bmp palette of 8 bits": (bmp_of(LABELS, 8, COLOURS), LABELS),
    "gif": (gif_of(LABELS), LABELS),
    "gif, 1 is transparent": (gif_of(LABELS, transparency=1), LABELS),
    "pbm, where 1 is black": (pnm_of(4, None, b"".join(packed(BITS, 1))), BITS),
    "pbm in text": (pnm_of(1, None, text(BITS.astype(np.uint8))), BITS),
    "pgm up to 3": (pnm_of(5, 3, LABELS.tobytes()), LABELS),
    "pgm in text up to 15": (pnm_of(2, 15, text(LABELS)), LABELS),
    "pgm up to 1023": (pnm_of(5, 1023, LABELS.astype(">u2").tobytes()), LABELS),
    "ppm up to 7": (pnm_of(6, 7, np.dstack([LABELS] * 3).tobytes()), np.dstack([LABELS] * 3)),
}


@pytest.mark.parametrize("kind", FILES)
def test_the_numbers_in_the_file_are_the_labels(kind: str) -> None:
    data, expected = FILES[kind]
    found = read(data, color="labels").array
    np.testing.assert_array_equal(found, expected)
    assert found.dtype.kind in "iu"


SHOWN = {
    "tiff 2 bits": LABELS * 85,
    "tiff 4 bits, white is zero": 255 - LABELS * 17,
    "png 2 bits": LABELS * 85,
    "png 4 bits": LABELS * 17,
    "png 2 bits, 1 is transparent": np.dstack([LABELS * 85, np.where(LABELS == 1, 0, 255)]),
    "png 1 bit, 0 is transparent": np.dstack([BITS * 255, BITS * 255]),
    "bmp palette of 4 bits": np.array(COLOURS)[LABELS],
    "bmp palette of 1 bit, white first": np.array([[255] * 3, [0] * 3])[BITS.astype(int)],
    "pbm, where 1 is black": ~BITS,
    "pgm up to 3": LABELS * 85,
    "pgm in text up to 15": LABELS * 17,
    "pgm up to 1023": LABELS,
    "ppm up to 7": np.rint(np.dstack([LABELS] * 3) / 7 * 255),
}


@pytest.mark.parametrize("kind", SHOWN)
def test_shallow_numbers_fill_the_range_where_they_are_shown(kind: str) -> None:
    data, _ = FILES[kind]
    np.testing.assert_array_equal(read(data).array, SHOWN[kind])


@pytest.mark.parametrize("color", ["keep", "grey", "labels"])
@pytest.mark.parametrize("top", [256, 1023, 4095, 65535])
def test_measured_numbers_stay_whatever_the_largest_may_be(color: str, top: int) -> None:
    measured = np.linspace(0, top, 15).astype(np.uint16).reshape(3, 5)
    for data in (
        pnm_of(5, top, measured.astype(">u2").tobytes()),
        pnm_of(2, top, text(measured)),
        tiff_of(measured, **WHITE_FIRST),
        png(
            *(5, 3, 16, 0),
            zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in measured)),
            chunk(b"gAMA", b"\0\0\xb1\x8f"),
            chunk(b"sBIT", b"\x0c"),
        ),
    ):
        found = read(data, color=color).array
        assert found.dtype == np.uint16
        np.testing.assert_array_equal(found, measured)


def test_colour_of_16_bits_in_a_ppm_keeps_them() -> None:
    """Pillow gives 8 of them."""
    array = np.arange(45, dtype=np.uint16).reshape(3, 5, 3) * 1400
    np.testing.assert_array_equal(read(pnm_of(6, 65535, array.astype(">u2").tobytes())).array, array)


@pytest.mark.parametrize("kind", range(1, 7))
def test_a_pnm_is_shown_as_pillow_shows_it(kind: int) -> None:
    rng = np.random.default_rng(kind)
    for top in (1, 6, 100, 254, 255):
        values = rng.integers(0, top + 1, (3, 5, 3) if kind in (3, 6) else (3, 5)).astype(np.uint8)
        if kind in (1, 4):
            values = values % 2
        flat = values.reshape(3, -1)
        body = text(flat) if kind <= 3 else b"".join(packed(flat, 1)) if kind == 4 else values.tobytes()
        data = pnm_of(kind, None if kind in (1, 4) else top, body)
        np.testing.assert_array_equal(read(data).array, np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (pnm_of(5, 255, LABELS.tobytes()[:-1]), "truncated: 14 of 15 bytes"),
        (pnm_of(4, None, b"\0\0"), "truncated: 2 of 3 bytes"),
        (pnm_of(2, 3, text(LABELS)[:-1]), "truncated: 14 of 15 values"),
        (pnm_of(2, 3, b"# nothing but words"), "truncated: 0 of 15 values"),
        (pnm_of(2, 3, text(LABELS)[:-1] + b"x"), "something other than numbers"),
        (pnm_of(2, 3, text(LABELS)[:-1] + b"9"), "a value outside 0 to 3"),
        (pnm_of(5, 2, LABELS.tobytes()), "a value of 3 where the header says at most 2"),
        (pnm_of(1, None, text(LABELS)), "something other than 0 and 1"),
        (pnm_of(5, 70000, LABELS.tobytes()), "does not say the largest value"),
        (b"P5 5", "no height and width"),
    ],
)
def test_a_damaged_pnm_is_refused_by_name(data: bytes, said: str) -> None:
    with pytest.raises(DecodeError, match=said):
        read(data)


def test_masks_of_a_folder_are_their_numbers(tmp_path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for name, array in (("bits", BITS), ("numbers", LABELS)):
        og.imwrite(tmp_path / "images" / f"{name}.png", np.zeros((3, 5, 3), np.uint8))
        tifffile.imwrite(tmp_path / "masks" / f"{name}.tif", array, photometric="miniswhite")
    source = og.open_source(tmp_path / "images", masks=tmp_path / "masks")
    np.testing.assert_array_equal(source.read(0).mask.array, BITS)
    np.testing.assert_array_equal(source.read(1).mask.array, LABELS)


def test_a_palette_with_an_opacity_for_each_pixel() -> None:
    """TIFF's index and opacity, side by side or plane by plane: labels are the indices."""
    opacity = (LABELS * 60).astype(np.uint8)
    table = np.zeros((3, 256), np.uint16)
    table[:, :4] = np.array(COLOURS).T * 257

    def made(planes: np.ndarray, colours: np.ndarray, config: str) -> bytes:
        how = {"photometric": "minisblack", "extrasamples": ["unassalpha"], "metadata": None}
        return with_colours(tiff_of(planes, planarconfig=config, **colour_tag(colours), **how))

    expected = np.dstack([np.array(COLOURS)[LABELS], opacity])
    for planes, config in (
        (np.dstack([LABELS, opacity]), "contig"),
        (np.stack([LABELS, opacity]), "separate"),
    ):
        data = made(planes, table, config)
        np.testing.assert_array_equal(read(data).array, expected)
        np.testing.assert_array_equal(read(data, color="rgb").array, expected[..., :3])
        np.testing.assert_array_equal(read(data, color="labels").array, LABELS)
    deep = table.copy()
    deep[0, 0] += 1  # colours of 16 bits: the opacity has as many
    found = read(made(np.dstack([LABELS, opacity]), deep, "contig"))
    assert found.array.dtype == np.uint16
    np.testing.assert_array_equal(found.array[..., 3], opacity.astype(np.uint16) * 257)


def test_opacity_beside_white_is_zero_is_no_shade() -> None:
    opacity = (LABELS * 60).astype(np.uint8)
    data = tiff_of(
        np.dstack([LABELS, opacity]), planarconfig="contig", extrasamples=["unassalpha"], **WHITE_FIRST
    )
    np.testing.assert_array_equal(read(data).array, np.dstack([255 - LABELS, opacity]))


def test_a_transparent_grey_of_a_gif_is_kept() -> None:
    out = io.BytesIO()
    Image.fromarray(LABELS).save(out, "GIF", transparency=3)  # its palette is plain grey
    shown = np.asarray(Image.open(io.BytesIO(out.getvalue())).convert("RGBA"))
    np.testing.assert_array_equal(read(out.getvalue()).array[..., -1], shown[..., -1])
    np.testing.assert_array_equal(read(out.getvalue(), color="labels").array, LABELS)


def test_colours_of_a_stack_of_indices_need_another_letter() -> None:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for _ in range(3):
            how = {"photometric": "palette", "colormap": np.zeros((3, 256), np.uint16), "metadata": None}
            writer.write(LABELS, contiguous=False, **how)
    assert read(out.getvalue(), axes="ZYX").array.shape == (3, 3, 5, 3)
    np.testing.assert_array_equal(read(out.getvalue(), axes="CYX", color="labels").array, [LABELS] * 3)
    with pytest.raises(DecodeError, match="name the axes CYX without C"):
        read(out.getvalue(), axes="CYX")

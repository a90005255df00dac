"""Reading images: what each kind of file becomes, under each colour policy."""

from __future__ import annotations

import importlib
import io
import sys
import threading
import warnings
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.support.odd_files import chunk, exif, gradient, jpeg, png, saved, with_exif_chunk

from offgraph.core.errors import DecodeError
from offgraph.formats import with_pillow
from offgraph.formats.base import Limits, StoredImage
from offgraph.formats.decoding import imread, read
from offgraph.formats.encoding import encode_png
from offgraph.formats.exif import find_orientation, upright


def tiff_file(array: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, array, **options)
    return out.getvalue()


def pillow(data: bytes, mode: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert(mode))


# colour policy


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF", "WEBP", "JPEG", "PPM", "AVIF"])
def test_colour_is_what_pillow_reads(kind: str) -> None:
    data = saved(gradient(), kind)
    decoded = read(data)
    assert decoded.axes == "YXC" and decoded.array.flags.c_contiguous
    np.testing.assert_array_equal(decoded.array, pillow(data, "RGB"))
    np.testing.assert_array_equal(read(data, color="rgb").array, pillow(data, "RGB"))
    np.testing.assert_array_equal(read(data, color="grey").array, pillow(data, "L"))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "JPEG", "PPM"])
def test_grey_stays_grey_and_is_repeated_for_rgb(kind: str) -> None:
    data = saved(gradient(channels=1), kind)
    grey = pillow(data, "L")
    decoded = read(data)
    assert decoded.axes == "YX" and decoded.layout == "grey"
    np.testing.assert_array_equal(decoded.array, grey)
    np.testing.assert_array_equal(read(data, color="rgb").array, np.dstack([grey] * 3))


def test_opacity_is_kept_dropped_or_laid_on_a_ground() -> None:
    array = gradient(channels=4)
    data = saved(array, "PNG")
    np.testing.assert_array_equal(read(data).array, array)
    np.testing.assert_array_equal(read(data, color="rgb").array, array[..., :3])
    colours, opacity = array[..., :3].astype(float), array[..., 3:] / 255
    for alpha, ground in (("white", 255), ("black", 0)):
        exact = colours * opacity + ground * (1 - opacity)
        shown = read(data, color="rgb", alpha=alpha).array
        assert np.abs(shown - exact).max() <= 0.5 + 1e-9


def test_palette_gives_colours_and_for_labels_its_indices() -> None:
    indices = np.arange(12, dtype=np.uint8).reshape(3, 4)
    paletted = Image.fromarray(indices, "P")
    palette = gradient(1, 16)[0, :12]
    paletted.putpalette(palette.tobytes())
    for kind, options in (("PNG", {}), ("PNG", {"transparency": 5}), ("GIF", {}), ("BMP", {}), ("TIFF", {})):
        out = io.BytesIO()
        paletted.save(out, kind, **options)
        read_back = read(out.getvalue())
        assert read_back.layout == "palette"
        np.testing.assert_array_equal(read_back.array[..., :3], palette[indices])
        np.testing.assert_array_equal(read(out.getvalue(), color="labels").array, indices)
        if options:
            np.testing.assert_array_equal(read_back.array[..., 3], np.where(indices == 5, 0, 255))


@pytest.mark.parametrize(("bits", "scale"), [(2, 85), (4, 17)])
def test_shallow_grey_fills_the_range_but_not_for_labels(bits: int, scale: int) -> None:
    stored = np.array([[0, 1, 3], [2, 3, 0]], np.uint8)
    rows = b"".join(
        b"\0" + np.packbits(np.unpackbits(row[:, None], axis=1)[:, -bits:]).tobytes() for row in stored
    )
    data = png(3, 2, bits, 0, zlib.compress(rows))
    np.testing.assert_array_equal(read(data).array, stored * scale)
    np.testing.assert_array_equal(read(data, color="labels").array, stored)


def test_one_bit_is_bool_and_0_or_255_as_an_image() -> None:
    mask = gradient(9, 11, 1) % 2 == 1
    for kind in ("PNG", "TIFF", "BMP", "PPM"):
        data = saved(mask, kind)
        np.testing.assert_array_equal(read(data).array, mask)
        assert read(data).array.dtype == bool
        np.testing.assert_array_equal(read(data, color="grey").array, mask * np.uint8(255))
        bits = ~mask if kind == "PPM" else mask  # in a bitmap 1 is black
        np.testing.assert_array_equal(read(data, color="labels").array, bits.astype(np.uint8))


def test_a_transparent_colour_becomes_opacity() -> None:
    data = png(
        2,
        1,
        8,
        2,
        zlib.compress(b"\0" + bytes([1, 2, 3, 4, 5, 6])),
        chunk(b"tRNS", bytes([0, 1, 0, 2, 0, 3])),
    )
    np.testing.assert_array_equal(read(data).array, [[[1, 2, 3, 0], [4, 5, 6, 255]]])
    deep = png(2, 1, 16, 0, zlib.compress(b"\0" + b"\x01\x00\x02\x00"), chunk(b"tRNS", b"\x01\x00"))
    np.testing.assert_array_equal(read(deep).array, [[[256, 0], [512, 65535]]])


def test_cmyk_jpeg_is_read_as_pillow_does_and_said() -> None:
    data = saved(gradient(), "JPEG", "CMYK", quality=95)
    decoded = read(data)
    assert decoded.layout == "cmyk" and decoded.notes == ("CMYK, shown as RGB",)
    np.testing.assert_array_equal(decoded.array, pillow(data, "RGB"))


# depth


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_of_16_bits_keeps_them(channels: int) -> None:
    array = gradient(channels=channels, top=65535)
    decoded = read(encode_png(array))
    assert decoded.array.dtype == np.uint16
    np.testing.assert_array_equal(decoded.array, array)
    rgb = read(encode_png(array), color="rgb").array
    assert rgb.dtype == np.uint16 and rgb.shape == (24, 32, 3)


def test_luma_of_16_bits_has_16_bits() -> None:
    array = gradient(top=65535)
    exact = array @ np.array([19595, 38470, 7471]) / 65536
    assert np.abs(read(encode_png(array), color="grey").array - exact).max() <= 0.5


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]
)
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_tiff_keeps_every_dtype_in_native_byte_order(dtype: str, byteorder: str) -> None:
    array = (np.arange(60).reshape(6, 10) * 1234567 % 251 - 7).astype(dtype)
    for compression in (None, "zlib"):
        if dtype == "bool" and compression:
            continue
        decoded = read(
            tiff_file(array, byteorder=byteorder, compression=compression, photometric="minisblack")
        )
        assert decoded.array.dtype == np.dtype(dtype) and decoded.array.dtype.isnative
        np.testing.assert_array_equal(decoded.array, array)


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits", "zstd", "lzma"])
@pytest.mark.parametrize("layout", [{"tile": (16, 16)}, {"rowsperstrip": 5}, {"planarconfig": "separate"}])
def test_tiff_layouts_give_the_same_pixels(compression: str | None, layout: dict) -> None:
    array = gradient(40, 50, 3, 65535)
    planes = np.moveaxis(array, -1, 0) if "planarconfig" in layout else array
    data = tiff_file(planes, photometric="rgb", compression=compression, metadata=None, **layout)
    decoded = read(data)
    assert decoded.axes == "YXC"
    np.testing.assert_array_equal(decoded.array, array)


def test_tiff_where_small_is_bright_is_turned_round_unless_it_is_measured() -> None:
    array = gradient(channels=1)
    np.testing.assert_array_equal(read(tiff_file(array, photometric="miniswhite")).array, 255 - array)
    mask = array % 2 == 1
    np.testing.assert_array_equal(read(tiff_file(mask, photometric="miniswhite")).array, ~mask)
    for dtype in (np.uint16, np.uint32, np.int16, np.float32):
        decoded = read(tiff_file(array.astype(dtype), photometric="miniswhite"))
        np.testing.assert_array_equal(decoded.array, array)
        assert decoded.notes == ("the file says that smaller is brighter; its numbers are left as they are",)


@pytest.mark.parametrize("compression", ["jpeg", None])
def test_tiff_of_ycbcr_becomes_rgb(compression: str | None) -> None:
    smooth = np.asarray(Image.fromarray(gradient(8, 8)).resize((64, 48), Image.Resampling.BICUBIC))
    if compression:
        data = saved(smooth, "TIFF", compression=compression, quality=98)
    else:
        ycbcr = np.asarray(Image.fromarray(smooth).convert("YCbCr"))
        data = tiff_file(ycbcr, photometric="ycbcr", metadata=None)
    decoded = read(data)
    assert decoded.array.shape == smooth.shape and decoded.layout == "rgb"
    assert np.abs(decoded.array.astype(int) - smooth).mean() < 3


def test_tiff_of_cmyk_becomes_rgb() -> None:
    ink = np.zeros((4, 5, 4), np.uint16)
    ink[..., 0], ink[2:, :, 3] = 65535, 65535
    decoded = read(tiff_file(ink, photometric="separated"))
    assert decoded.layout == "cmyk"
    np.testing.assert_array_equal(decoded.array[0, 0], [0, 65535, 65535])
    np.testing.assert_array_equal(decoded.array[3, 0], [0, 0, 0])


# axes


def test_axes_come_from_the_metadata_or_are_asked_for() -> None:
    stack = np.arange(3 * 5 * 7, dtype=np.uint16).reshape(3, 5, 7)
    assert read(tiff_file(stack, imagej=True, metadata={"axes": "ZYX"})).axes == "ZYX"
    assert read(tiff_file(stack, photometric="minisblack", metadata={"axes": "TYX"})).axes == "TYX"
    assert read(tiff_file(stack, ome=True, photometric="minisblack", metadata={"axes": "CYX"})).axes == "CYX"
    silent = tiff_file(stack, photometric="minisblack", metadata=None)
    with pytest.raises(DecodeError, match=r"\(3, 5, 7\) that does not say what its axes are; .*axes='ZYX'"):
        read(silent)
    decoded = read(silent, axes="ZYX")
    assert decoded.axes == "ZYX" and decoded.frames == 3
    np.testing.assert_array_equal(decoded.array, stack)
    with pytest.raises(DecodeError, match="names 2 axes"):
        read(silent, axes="YX")
    with pytest.raises(DecodeError, match="use color='keep'"):
        read(silent, axes="TYX", color="rgb")
    with pytest.raises(DecodeError, match="use color='keep'"):
        read(silent, axes="ZYX", color="grey")
    volume = read(silent, axes="ZYX", color="rgb")  # has no colours to show
    assert volume.axes == "ZYX" and np.array_equal(volume.array, read(silent, axes="ZYX").array)
    with pytest.raises(ValueError, match="at most once"):
        read(silent, axes="ZZX")


def test_many_channels_are_kept_and_are_no_rgb() -> None:
    array = np.arange(6 * 7 * 5, dtype=np.uint8).reshape(6, 7, 5)
    data = tiff_file(array, photometric="minisblack", planarconfig="contig", metadata={"axes": "YXC"})
    np.testing.assert_array_equal(read(data).array, array)
    with pytest.raises(DecodeError, match="5 channels are neither grey nor RGB; use color='keep'"):
        read(data, color="rgb")


def test_the_microscope_keeps_its_12_bits(shared_data) -> None:
    decoded = read(shared_data / "microscopy" / "hela-cells.tif")
    assert (decoded.array.dtype, decoded.axes, decoded.array.max()) == (np.uint16, "YXC", 4095)


# orientation


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(orientation: int) -> None:
    from PIL import ImageOps

    array = gradient()
    files = {
        "JPEG": jpeg(array, exif=exif(orientation)),
        "PNG": with_exif_chunk(saved(array, "PNG"), orientation),
        "WEBP": saved(array, "WEBP", lossless=True, exif=exif(orientation)),
        "TIFF": saved(array, "TIFF", tiffinfo={274: orientation}),
    }
    for kind, data in files.items():
        decoded = read(data)
        expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
        np.testing.assert_array_equal(decoded.array, expected, err_msg=kind)
        assert decoded.orientation == orientation and decoded.stored_size == (24, 32), kind


def test_orientation_of_a_stack_turns_its_planes_only() -> None:
    stack = np.arange(24).reshape(2, 3, 4)
    turned = upright(stack, 6, "ZYX")
    np.testing.assert_array_equal(turned, np.rot90(stack, -1, axes=(1, 2)))
    np.testing.assert_array_equal(upright(np.moveaxis(stack, 0, -1), 6, "YXC"), np.moveaxis(turned, 0, -1))


@pytest.mark.parametrize(
    ("block", "orientation"),
    [
        (exif(6, ">"), 6),
        (exif(9), 1),
        (exif(0), 1),
        (exif(6)[:-10], 1),
        (b"", 1),
        (b"II*\0\xff\xff\xff\xff", 1),
        (b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", 1),
    ],
)
def test_damaged_exif_is_no_orientation(block: bytes, orientation: int) -> None:
    assert find_orientation(block) == orientation


def test_xmp_speaks_where_exif_is_silent() -> None:
    packet = b'<x:xmpmeta><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'
    assert find_orientation(b"", packet) == 3
    assert find_orientation(exif(6), packet) == 6


def test_the_published_series_agrees_with_itself(shared_data) -> None:
    """One photograph, stored in every way, is one photograph again."""
    folder = shared_data / "broken" / "orientation" / "recurser"
    upright_ones = [read(path) for path in sorted(folder.glob("Portrait_*.jpg"))]
    assert {decoded.orientation for decoded in upright_ones} >= {1, 2, 3, 4, 7}
    small = [decoded.array[::20, ::20].mean(axis=-1) for decoded in upright_ones]
    for other in small[1:]:
        assert other.shape == small[0].shape == (90, 60)
        assert np.corrcoef(small[0].ravel(), other.ravel())[0, 1] > 0.9


# what else a file can be


def test_only_the_first_frame_is_read_and_that_is_said() -> None:
    frames = [Image.fromarray(np.full((4, 5, 3), value, np.uint8)) for value in (10, 200, 90)]
    for kind in ("GIF", "WEBP", "PNG"):
        out = io.BytesIO()
        frames[0].save(out, kind, save_all=True, append_images=frames[1:], lossless=True)
        decoded = read(out.getvalue())
        assert decoded.frames == 3 and decoded.notes == ("animated, 3 frames: the first is read",)
        assert set(np.unique(decoded.array[..., :3])) == {10}


def test_the_bytes_decide_and_not_the_name(tmp_path) -> None:
    path = tmp_path / "really-a.jpg"
    path.write_bytes(saved(gradient(), "PNG"))
    decoded = read(path)
    assert decoded.format == "PNG" and decoded.notes == ("the name ends in .jpg, the file is PNG",)
    np.testing.assert_array_equal(imread(path), gradient())


def test_interlaced_16_bit_png_is_whole() -> None:
    """Adam7 by hand: seven passes, each a small image of its own."""
    array = gradient(11, 13, 3, 65535)
    steps = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b""
    for y, x, down, right in steps:
        rows += b"".join(b"\0" + row.astype(">u2").tobytes() for row in array[y::down, x::right])
    data = bytearray(png(13, 11, 16, 2, zlib.compress(rows)))
    header = bytes(data[16:28]) + b"\x01"
    data[8:33] = chunk(b"IHDR", header)
    np.testing.assert_array_equal(read(bytes(data)).array, array)


def test_12_bit_jpeg_keeps_its_numbers() -> None:
    array = np.repeat(np.repeat(gradient(4, 6, 1, 4095) % 4096, 8, 0), 8, 1)
    data = imagecodecs.jpeg_encode(array, level=100, bitspersample=12)
    decoded = read(data)
    assert decoded.array.dtype == np.uint16
    assert np.abs(decoded.array.astype(int) - array).max() < 40


def test_reading_releases_the_interpreter() -> None:
    """While one thread decodes, another runs Python: nobody waits for the image."""
    data = saved(np.tile(gradient(60, 80), (40, 40, 1)), "JPEG", quality=95)
    done, turns, seen = threading.Event(), [0], []

    def decode() -> None:
        seen.append(turns[0])
        read(data)
        seen.append(turns[0])
        done.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.3)  # longer than the decoding: a turn is only had when the decoder lets go
    try:
        thread = threading.Thread(target=decode)
        thread.start()
        while not done.is_set():
            turns[0] += 1
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert seen[1] - seen[0] > 100


@pytest.mark.parametrize(("option", "value"), [("color", "RGB"), ("alpha", "grey")])
def test_wrong_options_are_named(option: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{option}='{value}'"):
        read(saved(gradient(), "PNG"), **{option: value})


XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0en\0XMP\0" + zlib.compress(XMP)),
        chunk(b"tEXt", b"XML:com.adobe.xmp\0" + XMP),
        chunk(
            b"zTXt",
            b"Raw profile type exif\0\0"
            + zlib.compress(
                b"\nexif\n      32\n" + exif(6).hex().encode()[:40] + b"\n" + exif(6).hex().encode()[40:]
            ),
        ),
        chunk(b"eXIf", exif(6)[6:])
        + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP.replace(b"6", b"3")),
    ],
)
def test_a_png_tells_its_orientation_in_several_ways(extra: bytes) -> None:
    from PIL import ImageOps

    data = saved(gradient(), "PNG")
    data = data[:33] + extra + data[33:]
    decoded = read(data)
    assert decoded.orientation == 6
    turned = np.asarray(
        ImageOps.exif_transpose(Image.open(io.BytesIO(saved(gradient(), "TIFF", tiffinfo={274: 6}))))
    )
    np.testing.assert_array_equal(decoded.array, turned)


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP)[:20]),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n 3\n zz")),
        chunk(b"iTXt", b"XML:com.adobe.xmp"),
        chunk(b"tEXt", b"Comment\0" + XMP),
    ],
)
def test_damaged_text_of_a_png_says_nothing(extra: bytes) -> None:
    data = saved(gradient(), "PNG")
    np.testing.assert_array_equal(read(data[:33] + extra + data[33:]).array, gradient())


def test_xmp_of_a_tiff_tells_where_the_tag_does_not() -> None:
    data = tiff_file(gradient(), photometric="rgb", metadata=None, extratags=[(700, 1, len(XMP), XMP, True)])
    assert read(data).orientation == 6


def test_what_pillow_warns_of_is_noted_and_other_warnings_go_on(monkeypatch) -> None:
    from PIL import JpegImagePlugin

    first = with_pillow.decode_first

    def warning(*arguments: object, **options: object) -> StoredImage:
        for message, where in (("a tag is cut", JpegImagePlugin.__file__), ("of another thread", __file__)):
            for _ in range(2):
                warnings.warn_explicit(message, UserWarning, where, 1)
        return first(*arguments, **options)

    monkeypatch.setattr(with_pillow, "decode_first", warning)
    with pytest.warns(UserWarning, match="of another thread") as heard:
        stored = with_pillow.decode_odd(jpeg(), "JPEG", Limits(10**6))
    assert stored.notes == ("Pillow says: a tag is cut",)
    assert {str(one.message) for one in heard} == {"of another thread"}


def test_reading_has_a_public_address():
    public = importlib.import_module("offgraph.decode")
    assert public.read is read and callable(public.imread)

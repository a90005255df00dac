"""TIFF: what its strips and tiles hold, which page and which axes, and whose fault an error is."""

from __future__ import annotations

import io
import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.support.odd_files import gradient, saved, tiff

import offgraph as og
from offgraph.core.errors import DecodeError
from offgraph.formats import tiff as tiff_format
from offgraph.formats.decoding import imread, read

BYTE_CODECS = {
    "deflate": (8, imagecodecs.zlib_encode),
    "old deflate": (32946, imagecodecs.zlib_encode),
    "lzw": (5, imagecodecs.lzw_encode),
    "packbits": (32773, imagecodecs.packbits_encode),
    "zstd": (50000, imagecodecs.zstd_encode),
    "lzma": (34925, imagecodecs.lzma_encode),
}


def tiff_of(array: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, array, **options)
    return out.getvalue()


def stripped(strips: list[bytes], *, width: int, height: int, rows: int, codec: int, bits: int = 8) -> bytes:
    """A grey TIFF of strips as they are given."""
    offsets = np.cumsum([8, *map(len, strips)])[:-1].tolist()
    body = b"".join(strips)
    many = len(strips)
    tags = {
        256: width,
        257: height,
        258: bits,
        259: codec,
        262: 1,
        273: 8 + len(body) if many > 1 else 8,
        277: 1,
        278: rows,
        279: 8 + len(body) + 4 * many if many > 1 else len(strips[0]),
    }
    tables = struct.pack(f"<{2 * many}I", *offsets, *map(len, strips)) if many > 1 else b""
    entries = b"".join(
        struct.pack("<HHII", tag, 4, many if tag in (273, 279) else 1, value) for tag, value in tags.items()
    )
    at = 8 + len(body) + len(tables)
    return (
        b"II*\0" + struct.pack("<I", at) + body + tables + struct.pack("<H", len(tags)) + entries + bytes(4)
    )


# strips and tiles


@pytest.mark.parametrize("codec", BYTE_CODECS)
@pytest.mark.parametrize("bits", [1, 4, 8])
def test_a_padded_last_strip_is_read_and_a_short_one_is_not(codec: str, bits: int) -> None:
    number, encode = BYTE_CODECS[codec]
    rows_of_bytes = np.random.default_rng(1).integers(0, 256, (50, 5), dtype=np.uint8)
    width = 40 // bits
    whole = np.vstack([rows_of_bytes, np.full((14, 5), 170, np.uint8)])
    values = np.unpackbits(rows_of_bytes, axis=1).reshape(50, width, bits)
    expected = (values * (1 << np.arange(bits)[::-1])).sum(axis=-1)
    how = {"width": width, "height": 50, "codec": number, "bits": bits}
    for rows in (16, 64):  # the last strip holds rows beyond the image, or the only one does
        strips = [encode(whole[at : at + rows].tobytes()) for at in range(0, 64, rows)]
        data = stripped(strips, rows=rows, **how)
        np.testing.assert_array_equal(read(data, color="labels").array, expected)
        np.testing.assert_array_equal(
            tifffile.imread(
                io.BytesIO(
                    stripped(
                        [encode(rows_of_bytes[at : at + rows].tobytes()) for at in range(0, 50, rows)],
                        rows=rows,
                        **how,
                    )
                )
            ),
            expected,
        )
    strips = [encode(rows_of_bytes[at : at + 16].tobytes()) for at in range(0, 49, 16)]
    strips[-1] = encode(rows_of_bytes[48:49].tobytes())
    with pytest.raises(DecodeError, match="truncated or damaged: strip 3 holds 5 of 10 bytes"):
        read(stripped(strips, rows=16, **how))


def test_uncompressed_strips_may_be_padded_and_lie_apart() -> None:
    rows = np.random.default_rng(1).integers(0, 256, (50, 40), dtype=np.uint8)
    strips = [np.vstack([rows, rows])[at : at + 16].tobytes() for at in range(0, 64, 16)]
    how = {"width": 40, "height": 50, "rows": 16, "codec": 1}
    for padded in (strips, [strips[0] + bytes(7), strips[1], strips[2] + bytes(3), strips[3][:80]]):
        np.testing.assert_array_equal(read(stripped(padded, **how)).array, rows)
    for short in ([*strips[:3], strips[3][:79]], [strips[0] + bytes(600), strips[1][:100], *strips[2:]]):
        with pytest.raises(DecodeError, match="damaged"):
            read(stripped(short, **how))


@pytest.mark.parametrize("codec", ["deflate", "zstd", "lzma", "lzw", "packbits"])
def test_a_cut_strip_of_bytes_is_refused(codec: str) -> None:
    number, encode = BYTE_CODECS[codec]
    rows = np.random.default_rng(1).integers(0, 4, (50, 40), dtype=np.uint8)
    strips = [encode(rows[at : at + 25].tobytes()) for at in (0, 25)]
    how = {"width": 40, "height": 50, "rows": 25, "codec": number}
    np.testing.assert_array_equal(read(stripped(strips, **how)).array, rows)
    for keep in (
        len(strips[1]) // 2,
        len(strips[1]) - 40,
    ):  # LZMA ends with 36 bytes that are not of the pixels
        with pytest.raises(DecodeError, match=r"truncated|damaged"):
            read(stripped([strips[0], strips[1][:keep]], **how))


def test_a_wrong_checksum_of_a_deflate_strip_is_noticed() -> None:
    strip = bytearray(imagecodecs.zlib_encode(bytes(100)))
    strip[-1] ^= 1
    with pytest.raises(DecodeError, match=r"damaged: .*incorrect data check"):
        read(tiff(bytes(strip), compression=8))


LOSSY = {
    "grey": (gradient(256, 256, 1) // 8, {}),
    "grey tiles": (gradient(200, 150, 1) // 8, {"tile": (64, 64)}),
    "RGB": (gradient(96, 128) // 8, {"photometric": "rgb"}),
    "RGB tiles": (gradient(96, 128) // 8, {"photometric": "rgb", "tile": (32, 48)}),
    "RGB planes": (
        np.moveaxis(gradient(96, 128) // 8, -1, 0),
        {"photometric": "rgb", "planarconfig": "separate"},
    ),
    "12 bits": (gradient(96, 128, 1, 4095), {}),
    "strips": (gradient(100, 128, 1) // 8, {"rowsperstrip": 32}),
}


@pytest.mark.parametrize("codec", ["jpeg", "jpeg2000", "lzma", "zstd"])
@pytest.mark.parametrize("kind", LOSSY)
def test_images_in_worker_processes_are_those_of_tifffile(codec: str, kind: str) -> None:
    array, how = LOSSY[kind]
    data = tiff_of(array, compression=codec, **{"photometric": "minisblack", "metadata": None} | how)
    expected = tifffile.imread(io.BytesIO(data))
    found = read(data)
    if "planarconfig" in how:
        expected = np.moveaxis(expected, 0, -1)
    assert found.array.dtype == expected.dtype
    np.testing.assert_array_equal(found.array, expected)


def cut_strip(data: bytes, keep: float) -> bytes:
    """The TIFF with a part of its last strip or tile: the count says so, and the bytes there are noise."""
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        page = opened.pages[0]
        counts, at = page.databytecounts, page.tags[279 if 279 in page.tags else 325].valueoffset
        size = {3: 2, 4: 4}[int(page.tags[279 if 279 in page.tags else 325].dtype)]
    changed = bytearray(data)
    struct.pack_into({2: "<H", 4: "<I"}[size], changed, at + size * (len(counts) - 1), int(counts[-1] * keep))
    return bytes(changed)


NOISE = (np.random.default_rng(2).integers(0, 40, (96, 128, 3)) + gradient(96, 128) // 2).astype(np.uint8)
CUT = {
    "jpeg": tiff_of(NOISE, photometric="rgb", rowsperstrip=32, compression="jpeg"),
    "jpeg tiles": tiff_of(NOISE, photometric="rgb", tile=(64, 64), compression="jpeg"),
    "jpeg grey": tiff_of(NOISE[..., 0], photometric="minisblack", compression="jpeg"),
    "jpeg by libtiff": saved(NOISE, "TIFF", compression="jpeg"),
    "jpeg 12 bits": tiff_of(NOISE.astype(np.uint16) * 16, photometric="rgb", compression="jpeg"),
    "jpeg2000": tiff_of(NOISE, photometric="rgb", rowsperstrip=32, compression="jpeg2000"),
    "group 3": saved(NOISE, "TIFF", "1", compression="group3"),
    "group 4": saved(NOISE, "TIFF", "1", compression="group4"),
    "run lengths": saved(NOISE, "TIFF", "1", compression="tiff_ccitt"),
}


@pytest.mark.parametrize("kind", CUT)
def test_a_cut_strip_of_an_image_codec_is_refused(kind: str) -> None:
    read(CUT[kind])
    for keep in (0.05, 0.5, 0.9, 0.97):
        with pytest.raises(DecodeError, match=r"truncated|damaged"):
            read(cut_strip(CUT[kind], keep))


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_faxes_of_every_filling_are_whole(compression: str) -> None:
    """What comes after the last row plays no part, whatever that row is."""
    page = np.zeros((60, 77), bool)
    page[5:20, 3:50] = page[40:, 60:] = True
    for array in (page, ~page, page[:, :8], np.ones((3, 3), bool)):
        data = saved(array, "TIFF", compression=compression)
        np.testing.assert_array_equal(read(data).array, np.asarray(Image.open(io.BytesIO(data))))


def subsampled(
    rows: int, codec: int, across: int, down: int, *, cut: bool = False, said: tuple[int, int] | None = None
) -> bytes:
    """YCbCr of 24 × 21 pixels with one Cb and Cr for each block, compressed or not, in strips of so many rows."""
    rng, strips = np.random.default_rng(7), []
    blocks, lines = -(-21 // across), rows // down
    for _ in range(24 // rows):
        light = rng.integers(16, 235, (lines, blocks, across * down), dtype=np.uint8)
        chroma = rng.integers(100, 150, (lines, blocks, 2), dtype=np.uint8)
        strips.append(np.concatenate([light, chroma], -1).tobytes())
    strips = [strip if codec == 1 else imagecodecs.lzw_encode(strip) for strip in strips]
    if cut:
        strips[-1] = strips[-1][: len(strips[-1]) * 3 // 4]
    data = stripped(strips, width=21, height=24, rows=rows, codec=codec)
    at = struct.unpack_from("<I", data, 4)[0]
    changed = {
        258: (3, 3, len(data)),
        262: (3, 1, 6),
        277: (3, 1, 3),
        530: (3, 2, (said or (across, down))[0] | (said or (across, down))[1] << 16),
    }
    (count,) = struct.unpack_from("<H", data, at)
    entries = {}
    for i in range(count):
        tag, *said = struct.unpack_from("<HHII", data, at + 2 + 12 * i)
        entries[tag] = tuple(said)
    body = data[:at] + bytes(2 + 12 * (count + 1) + 4 + 6)
    entries |= changed | {258: (3, 3, len(body) - 6)}
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", tag, *said) for tag, said in sorted(entries.items())
    )
    return body[:at] + directory + bytes(4) + struct.pack("<3H", 8, 8, 8)


@pytest.mark.parametrize("rows", [8, 24])
@pytest.mark.parametrize(("across", "down"), [(1, 1), (2, 1), (1, 2), (2, 2), (4, 4)])
def test_chroma_stored_for_blocks_is_spread_and_never_filled_up(across: int, down: int, rows: int) -> None:
    packed = subsampled(rows, 5, across, down)
    expected = np.asarray(Image.open(io.BytesIO(packed)).convert("RGB"))
    np.testing.assert_array_equal(read(packed).array, expected)
    plain = read(subsampled(rows, 1, across, down)).array.astype(int)  # which Pillow takes for whole pixels
    assert plain.shape == (24, 21, 3) and np.abs(plain - expected).max() <= 1
    for codec in (1, 5):
        with pytest.raises(DecodeError, match="truncated"):
            read(subsampled(rows, codec, across, down, cut=True))
    with pytest.raises(DecodeError, match=r"damaged: chroma for blocks of \(0, 2\) pixels"):
        read(subsampled(rows, 1, across, down, said=(0, 2)))


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_a_wrong_code_of_a_fax_is_noticed(compression: str) -> None:
    """The decoders guess on without a word; what they guess differs from one to the other."""
    data = saved(NOISE, "TIFF", "1", compression=compression)
    whole = read(data).array
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        at, count = opened.pages[0].dataoffsets[0], opened.pages[0].databytecounts[0]
    refused = wrong = 0
    for place in range(at + count // 8, at + count * 7 // 8, count // 24):
        changed = data[:place] + bytes(3) + data[place + 3 :]
        try:
            wrong += not np.array_equal(read(changed).array, whole)
        except DecodeError as error:
            assert "two decoders" in str(error) or "truncated" in str(error)  # noqa: PT017
            refused += 1
    assert refused > (0 if compression == "tiff_ccitt" else wrong)  # there, each row begins anew for both


@pytest.mark.parametrize("lost", ["depth", "colours"])
def test_tags_beyond_the_end_are_not_replaced_by_defaults(lost: str) -> None:
    """libtiff writes them last; without its depth an RGB image would be read as bits, without colours as grey."""
    how = {"photometric": "palette", "colormap": np.zeros((3, 256), np.uint16)} if lost == "colours" else {}
    image = gradient(channels=1) if lost == "colours" else gradient()
    data = bytearray(tiff_of(image, **{"photometric": "rgb", "metadata": None} | how))
    number = 320 if lost == "colours" else 258
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        tag = opened.pages[0].tags[number]
        at, count = tag.offset, tag.count
    struct.pack_into("<I", data, at + 8, len(data) - count)
    with pytest.raises(DecodeError, match=f"truncated: the values of tag {number} lie beyond the end"):
        read(bytes(data))
    struct.pack_into("<H", data, at, 65000)  # as if it had never been there
    if lost == "colours":
        with pytest.raises(DecodeError, match="damaged: indices of a palette without its colours"):
            read(bytes(data))


# axes and pages


@pytest.mark.parametrize("shape", [(1, 5, 7), (1, 1, 5, 7), (5, 7, 1), (1, 1, 1), (1, 1, 7)])
def test_axes_of_length_1_leave_no_doubt(shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    found = read(tiff_of(array, photometric="minisblack"))
    assert found.axes == "YX"
    np.testing.assert_array_equal(found.array.ravel(), array.ravel())
    assert found.array.shape == (array.squeeze().shape if array.squeeze().ndim == 2 else shape[-2:])


def test_the_caller_may_count_axes_of_length_1() -> None:
    array = np.arange(35, dtype=np.uint8).reshape(1, 5, 7)
    found = read(tiff_of(array), axes="ZYX")
    assert (found.axes, found.array.shape) == ("ZYX", (1, 5, 7))
    colour = np.zeros((1, 5, 7, 3), np.uint8)
    assert read(tiff_of(colour, photometric="rgb")).axes == "YXC"
    with pytest.raises(DecodeError, match=r"\(3, 5, 7\) that does not say what its axes are; .*page=0"):
        read(tiff_of(np.zeros((3, 1, 5, 7), np.uint8), photometric="minisblack"))


def pages(*arrays: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for array in arrays:
            writer.write(array, metadata=None, contiguous=False, **options)
    return out.getvalue()


@pytest.mark.parametrize("compression", [None, "zlib", "jpeg2000"])
def test_one_page_of_many_is_read(compression: str | None, tmp_path) -> None:
    small, colour, other = gradient(20, 30, 1), gradient(24, 36), gradient(16, 40, 1, 4095)
    data = pages(small, colour, other, small[::-1], compression=compression)
    for i, expected in enumerate((small, colour, other, small[::-1])):
        found = read(data, page=i)
        np.testing.assert_array_equal(found.array, expected)
        assert found.frames == 4 and found.axes == "YXC"[: expected.ndim] and found.notes == ()
    (tmp_path / "a.tif").write_bytes(data)
    np.testing.assert_array_equal(imread(tmp_path / "a.tif", page=np.int64(2)), other)
    with pytest.raises(DecodeError, match=r"a\.tif: page=4 was asked for, the file has pages 0 to 3"):
        imread(tmp_path / "a.tif", page=4)


def test_a_page_of_a_stack_needs_no_names() -> None:
    stack = np.arange(105, dtype=np.uint16).reshape(3, 5, 7)
    for options in ({}, {"imagej": True}, {"ome": True}, {"metadata": None}):
        data = tiff_of(stack, photometric="minisblack", **options)
        found = read(data, page=1)
        assert found.axes == "YX"
        np.testing.assert_array_equal(found.array, stack[1])


def test_other_formats_have_page_0_only() -> None:
    data = saved(gradient(), "PNG")
    np.testing.assert_array_equal(read(data, page=0).array, gradient())
    with pytest.raises(DecodeError, match=r"page=1 was asked for: of a PNG only the first image, 0, is read"):
        read(data, page=1)
    with pytest.raises(DecodeError, match=r"page=1 was asked for, the file has one, 0"):
        read(saved(gradient(), "TIFF"), page=1)
    for page in (-1, True, 1.0, "0"):
        with pytest.raises(ValueError, match=r"page=.*: give a whole number from 0"):
            read(data, page=page)


# whose fault


def test_a_fault_of_this_package_is_told_apart_from_damage(monkeypatch) -> None:
    data = saved(gradient(), "TIFF")
    monkeypatch.setattr(tiff_format, "_interpret", lambda *_, **__: [][3])  # not a line of the package
    with pytest.raises(DecodeError, match=r"^<bytes>: damaged \(IndexError: list index out of range\)$"):
        read(data)
    monkeypatch.setattr(
        tiff_format, "_interpret", tiff_format.name_series_axes
    )  # called with what it does not take
    with pytest.raises(
        DecodeError,
        match=r"^<bytes>: not read because of a fault in Offgraph \(TypeError: .* in tiff\.py, line \d+\); "
        "the file may be sound: please report it",
    ):
        read(data)


def test_a_source_reads_one_page_of_each_file_and_its_mask(tmp_path) -> None:
    images = [gradient(12, 16), gradient(12, 16)[::-1]]
    masks = [gradient(12, 16, 1) // 60, gradient(12, 16, 1) // 90]
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for name in ("one", "two"):
        (tmp_path / "images" / f"{name}.tif").write_bytes(pages(*images))
    (tmp_path / "masks" / "one.tif").write_bytes(pages(*masks))
    (tmp_path / "masks" / "two.png").write_bytes(saved(masks[0], "PNG"))
    source = og.open_source(tmp_path / "images", masks=tmp_path / "masks", page=1)
    assert source.reading.page == 1
    for index, mask in enumerate((masks[1], masks[0])):
        sample = source.read(index)
        np.testing.assert_array_equal(sample.image.array, images[1])
        np.testing.assert_array_equal(sample.mask.array, mask)
    with pytest.raises(DecodeError, match=r"one\.tif: page=2 was asked for, the file has pages 0 to 1"):
        og.open_source(tmp_path / "images", page=2).read(0)
    with pytest.raises(og.SourceError, match=r"page=-1: give a whole number from 0"):
        og.open_source(tmp_path / "images", page=-1)
    assert not og.doctor(tmp_path / "images", page=1).bad
    (bad, _) = og.doctor(tmp_path / "images").bad
    assert "such as page=0" in bad.said + bad.detail


@pytest.mark.parametrize(
    ("shape", "example"), [((2, 5, 8, 9), "TZYX"), ((2, 8, 9, 4), "ZYXC"), ((2, 2, 2, 8, 9), "TZYXC")]
)
def test_the_example_of_axes_fits_the_shape(tmp_path, shape, example) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros(shape, np.uint16), photometric="minisblack", planarconfig=None
    )
    with pytest.raises(DecodeError, match=f"such as axes='{example}'"):
        read(tmp_path / "a.tif")

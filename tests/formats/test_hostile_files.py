"""Broken, lying and hostile files: each is one clear error, at once and without much memory."""

from __future__ import annotations

import csv
import json
import os
import resource
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from tests.support.odd_files import chunk, gradient, jpeg, png, saved, tiff, zeros

from offgraph.core.errors import DecodeError
from offgraph.formats.decoding import MAX_PIXELS, read
from offgraph.formats.encoding import encode_png, encode_tiff

FILES = {
    "jpeg": jpeg(),
    "progressive jpeg": saved(gradient(), "JPEG", progressive=True),
    "png": saved(gradient(), "PNG"),
    "16-bit png": encode_png(gradient(top=65535)),
    "palette png": saved(gradient(channels=1), "PNG", "P"),
    "gif": saved(gradient(), "GIF"),
    "bmp": saved(gradient(), "BMP"),
    "webp": saved(gradient(), "WEBP"),
    "ppm": saved(gradient(), "PPM"),
    "tiff": encode_tiff(gradient(top=65535)),
    "raw tiff": saved(gradient(), "TIFF"),
    "jpeg in tiff": saved(gradient(), "TIFF", compression="jpeg"),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.97])
def test_a_truncated_file_is_an_error_and_never_half_an_image(kind: str, share: float) -> None:
    data = FILES[kind]
    whole = read(data).array
    try:
        cut = read(data[: int(len(data) * share)]).array
    except DecodeError as error:
        assert str(error).startswith("<bytes>: ")  # noqa: PT017
    else:  # what was cut off held no pixels, but metadata or an end mark
        np.testing.assert_array_equal(cut, whole)
        assert share > 0.5


def test_a_png_without_its_last_chunk_is_whole() -> None:
    decoded = read(FILES["png"][:-12])
    np.testing.assert_array_equal(decoded.array, gradient())
    assert decoded.notes == ("the end of the file is missing",)


def test_a_jpeg_cut_and_closed_again_is_still_cut() -> None:
    data = jpeg(gradient(200, 300))
    with pytest.raises(DecodeError, match="premature end of data segment"):
        read(data[: len(data) * 2 // 3] + b"\xff\xd9")


def test_a_flipped_bit_in_a_png_is_found_by_its_checksum() -> None:
    data = bytearray(FILES["png"])
    data[data.index(b"IDAT") + 20] ^= 4
    with pytest.raises(DecodeError, match="wrong checksum of chunk IDAT"):
        read(bytes(data))


# limits


@pytest.mark.alone
def test_a_true_one_bit_png_of_50_000_squared(tmp_path) -> None:
    path = tmp_path / "vast.png"
    path.write_bytes(png(50_000, 50_000, 1, 0, zeros(50_000 * 6251)))
    assert path.stat().st_size < 400_000
    began = time.perf_counter()
    with pytest.raises(DecodeError) as caught:
        read(path)
    assert time.perf_counter() - began < 1
    assert str(caught.value) == (
        f"{path}: 50000 × 50000 pixels are 2,500,000,000, more than the limit of {MAX_PIXELS:,}; "
        "if the file can be trusted, raise max_pixels"
    )


LIARS = {
    "png header": png(13_000, 13_000, 8, 2, b"x" * 40),
    "jpeg header": b"\xff\xd8\xff\xc0\0\x11\x08"
    + struct.pack(">HH", 13_000, 13_000)
    + b"\3\1\x22\0\2\x11\1\3\x11\1\xff\xda",
    "gif screen": b"GIF89a" + struct.pack("<HH", 13_000, 13_000) + b"\0\0\0,",
    "bmp size": b"BM"
    + struct.pack("<IIIIiiHHIIIIII", 90, 0, 54, 40, 13_000, 13_000, 1, 8, 1, 0, 0, 0, 0, 0)
    + b"\0" * 40,
    "bmp raw size": b"BM"
    + struct.pack("<IIIIiiHHIIIIII", 90, 0, 54, 40, 13_000, 13_000, 1, 24, *[0] * 6)
    + b"\0" * 40,
    "bmp of os/2": b"BM" + struct.pack("<IIIIHHHH", 90, 0, 26, 12, 13_000, 13_000, 1, 24) + b"\0" * 40,
    "webp canvas": b"RIFF\x64\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x3f\0\xff\x3f\0" + bytes(90),
    "ppm size": b"P6 13000 13000 255\n" + bytes(80),
    "tiff size": tiff(bytes(50), width=13_000, height=13_000),
    "tiff vast": tiff(bytes(50), width=2**31, height=2**31),
    "tiff samples": tiff(bytes(50), t277=65535),
    "tiff tile": tiff(bytes(50), t322=2**30, t323=2**30),
    "tiff short strip": tiff(bytes(50)),
    "tiff short deflate": tiff(zlib.compress(bytes(50)), compression=8),
    "tiff strip nowhere": tiff(bytes(100), t273=10**6),
    "tiff strip missing": tiff(bytes(100), t279=0),
    "tiff strip of a vast jpeg": tiff(
        b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xff\xff\xff\1\1\x11\0\xff\xda" + bytes(60), compression=7
    ),
    "tiff strip of another codec": tiff(bytes(100), compression=50001),
    "tiff in a circle": b"II*\0" + struct.pack("<IHHHIII", 8, 1, 256, 4, 1, 10, 8),
    "bigtiff of endless pages": b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**40) + bytes(60),
}


@pytest.mark.alone
@pytest.mark.parametrize("kind", LIARS)
def test_a_lying_file_is_refused_before_it_costs_anything(kind: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    with pytest.raises(DecodeError, match="<bytes>: "):
        read(LIARS[kind])
    assert time.perf_counter() - began < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


@pytest.mark.parametrize("kind", ["bmp size", "bmp raw size", "bmp of os/2", "ppm size"])
def test_pillow_takes_no_memory_for_pixels_that_the_file_cannot_hold(kind: str) -> None:
    """Whether its pages are touched, and so seen by the test above, depends on the allocator's past."""
    with pytest.raises(DecodeError, match=r"169,000,000 pixels, which .* bytes cannot hold"):
        read(LIARS[kind])


def test_pages_in_a_circle_are_not_followed() -> None:
    with pytest.raises(DecodeError, match="its list of pages runs in a circle"):
        read(LIARS["tiff in a circle"])


def test_streams_that_go_on_after_the_image_are_cut_off() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for data in (
        png(10, 10, 8, 0, zeros(10**8)),
        tiff(imagecodecs.lzma_encode(bytes(10**7)), compression=34925),
        tiff(zeros(10**9), compression=8),
    ):
        assert not read(data).array.any()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_frames_count_against_the_limit() -> None:
    stack = encode_tiff(np.zeros((50, 100, 100), np.uint8), "ZYX")
    assert read(stack, max_pixels=500_000).array.shape == (50, 100, 100)
    with pytest.raises(
        DecodeError, match="100 × 100 pixels × 50 frames are 500,000, more than the limit of 499,999"
    ):
        read(stack, max_pixels=499_999)


def test_bytes_count_against_the_limit() -> None:
    wide = encode_tiff(np.zeros((10, 10, 4), np.float64))
    with pytest.raises(DecodeError, match="of 32 bytes need 3,200 bytes"):
        read(wide, max_pixels=100)


def test_metadata_is_not_unpacked() -> None:
    """A compressed text of 100 megabytes and a broken colour profile harm nobody."""
    extra = chunk(b"zTXt", b"note\0\0" + zeros(10**8)), chunk(b"iCCP", b"x\0\x01broken")
    data = png(2, 1, 8, 0, zlib.compress(b"\0\x07\x09"), *extra)
    np.testing.assert_array_equal(read(data).array, [[7, 9]])


FILLERS = {
    "png of empty chunks": (png(2, 1, 8, 0, zeros(3), chunk(b"tEXt", b"") * 10**6), "chunks are too many"),
    "png of empty data": (png(2, 1, 8, 0, zeros(3), chunk(b"IDAT", b"") * 10**6), "chunks are too many"),
    "pnm of comments": (b"P3 2 2 255\n" + b"#\n" * 10**6 + b"1 " * 12, "more than 100,000 comments"),
    "pnm with comments in its header": (b"P3 " + b"#\n" * 10**6, "no height and width"),
    "pnm of comments before its maximum": (b"P3 2 2" + b"#\n" * 10**6, "does not say the largest value"),
}


@pytest.mark.alone
@pytest.mark.parametrize("kind", FILLERS)
def test_a_file_of_fillers_is_refused_at_once(kind: str) -> None:
    data, said = FILLERS[kind]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    with pytest.raises(DecodeError, match=said):
        read(data)
    assert time.perf_counter() - began < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_a_png_of_small_chunks_is_sound() -> None:
    data = saved(gradient(), "PNG")
    at = data.index(b"IDAT")
    body = data[at + 4 : at + 4 + int.from_bytes(data[at - 4 : at], "big")]
    single = b"".join(chunk(b"IDAT", body[i : i + 1]) for i in range(len(body)))
    np.testing.assert_array_equal(read(data[: at - 4] + single + data[-12:]).array, gradient())


# what is not a file


def test_what_is_no_regular_file_is_refused_at_once(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "empty.png").write_bytes(b"")
    for path, said in (
        (tmp_path / "pipe.jpg", "not a regular file"),
        (tmp_path / "folder.jpg", "Is a directory|not a regular file"),
        (tmp_path / "empty.png", "the file is empty"),
        (tmp_path / "absent.png", "No such file or directory"),
        (Path("/dev/zero"), "not a regular file"),
    ):
        with pytest.raises(DecodeError, match=f"{path}: ({said})"):
            read(path)


def test_a_vast_sparse_file_is_not_read(tmp_path) -> None:
    path = tmp_path / "sparse.tif"
    with path.open("wb") as file:
        file.write(b"II*\0")
        file.truncate(1 << 36)
    with pytest.raises(DecodeError, match="a file of 68,719,476,736 bytes, more than the limit"):
        read(path)


def test_text_and_noise_are_no_images(tmp_path) -> None:
    path = tmp_path / "page.jpg"
    path.write_text("<html>404</html>")
    for data, says in (
        (
            b"\x5c\1\0\0" + bytes(400),
            "a header of Analyze or NIfTI without its voxels, which is not read here; save its",
        ),
        (b"\0\0\1\x5c" + bytes(400), "a header of Analyze or NIfTI without"),
        (bytes(128) + b"DICM" + bytes(9), "a DICOM file, which"),
        (b"\x89HDF\r\n\x1a\n" + bytes(9), "an HDF5 file, which"),
        (
            b"\x1f\x8b\x08" + bytes(9),
            "a file compressed by gzip, and not a NIfTI, which is not read here; unpack it",
        ),
    ):
        with pytest.raises(DecodeError, match=f"<bytes>: {says}"):
            read(data)
    with pytest.raises(DecodeError, match=r"page\.jpg: not an image in a known format .* bytes 3c 68 74 6d"):
        read(path)


# noise in the bytes

FUZZ = """
import json, random, resource, sys, time
from pathlib import Path
from offgraph.formats.decoding import read
from offgraph.core.errors import DecodeError

rng, slowest, failed = random.Random(5), 0.0, 0
files = [path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir())]
for turn in range(1500):
    data = bytearray(rng.choice(files))
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(min(len(data), 300) if turn % 2 else len(data))
        data[at] = rng.choice([0, 255, 127, data[at] ^ (1 << rng.randrange(8))])
    began = time.perf_counter()
    try:
        read(bytes(data), color=rng.choice(["keep", "rgb", "grey", "labels"]), alpha=rng.choice(["drop", "white"]))
    except DecodeError:
        failed += 1
    slowest = max(slowest, time.perf_counter() - began)
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"failed": failed, "slowest": slowest, "memory": memory}))
"""


def test_damaged_bytes_give_an_image_or_a_decode_error(tmp_path) -> None:
    """In a process of its own, so that a crash of a decoder would be seen as one."""
    for i, data in enumerate(FILES.values()):
        (tmp_path / f"{i:02}").write_bytes(data)
    run = subprocess.run(
        [sys.executable, "-c", FUZZ, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    result = json.loads(run.stdout)
    assert result["failed"] > 300 and result["slowest"] < 10 and result["memory"] < 2_000_000


def test_thousands_of_damaged_files_in_one_process() -> None:
    """A short run of `tests/support/hostile.py`, which goes through many more."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.hostile", "--files", "500", "--seed", "3"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert run.returncode == 0 and run.stdout.endswith("\nok\n"), run.stdout + run.stderr[-2000:]


@pytest.mark.parametrize("count", [0, 2])
def test_a_tag_of_one_number_that_holds_several(count: int) -> None:
    data = tiff(bytes(100))
    entry = struct.pack("<HHII", 262, 4, 1, 1)
    assert data.count(entry) == 1
    with pytest.raises(DecodeError, match=r"damaged: its photometric is \("):
        read(data.replace(entry, struct.pack("<HHII", 262, 4, count, 8)))


# the published collection

DIFFERENT_FROM_PILLOW = {
    "image-rs/tiff__testsuite__rgb32f_bw.tiff": "floating point is read",
    "image-rs/tiff__testsuite__rgb32f_color.tiff": "floating point is read",
    "pillow/unknown_compression_method.png": "the damaged colour profile is not looked at",
    "pillow/crash-74d2a78403a5a59db1fb0a2b8735ac068a75f6e3.tif": "two decoders read strip or tile 0 differently",
    "pillow/hopper.ico": "not an image in a known format",
    "pillow/multipage.tiff": "does not say what its axes are",
    "pillow/total-pages-zero.tif": "does not say what its axes are",
    "pillow/multipage_multiple_frame_loop.tiff": "runs in a circle",
    "pillow/hopper_bad_exif.jpg": "its coded data ends before its last pixels",  # stripes of noise
    "pillow/pal8badindex.bmp": "index 252 in a palette of 101 colours",
    "pngsuite/xcsn0g01.png": "wrong checksum of chunk IDAT",
}


def test_what_pillow_reads_is_read_or_refused_with_a_reason(shared_data) -> None:
    with (shared_data / "broken" / "pillow_says.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    disagreements = {}
    for row in rows:
        path = shared_data / "broken" / row["file"]
        ok_there = row["status"] in ("ok", "later-frame-fails")
        try:
            decoded = read(path)
        except DecodeError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017
            if ok_there:
                disagreements[row["file"]] = str(error)
        else:
            if not ok_there:
                disagreements[row["file"]] = DIFFERENT_FROM_PILLOW[row["file"]]
            else:
                # of a turned TIFF Pillow gives the size after turning
                assert sorted(decoded.stored_size) == sorted((int(row["h"]), int(row["w"]))), row["file"]
    assert disagreements.keys() == DIFFERENT_FROM_PILLOW.keys()
    for name, reason in DIFFERENT_FROM_PILLOW.items():
        assert reason in disagreements[name]


def test_pixels_agree_with_pillow_where_both_read_8_bits(shared_data) -> None:
    from PIL import Image, ImageOps

    root, compared = shared_data / "broken", 0
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"):
            continue
        try:
            ours = read(path, color="rgb").array
            with Image.open(path) as opened:
                theirs = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
        except Exception:  # what cannot be read is the matter of the test above
            continue
        if ours.dtype == np.uint8:
            compared += 1
            np.testing.assert_array_equal(ours, theirs, err_msg=str(path))
    assert compared > 100


def test_a_png_text_that_grows_is_cut_off() -> None:
    packet = b"XML:com.adobe.xmp\0\1\0\0\0" + zeros(10**8)
    data = png(2, 1, 8, 0, zlib.compress(b"\0\x07\x09"), chunk(b"iTXt", packet))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    np.testing.assert_array_equal(read(data).array, [[7, 9]])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def tiff_pages(count: int, tags: list[tuple[int, int]]) -> bytes:
    """A TIFF of pages that share their one pixel."""
    size = 6 + 12 * len(tags)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    pages = [
        struct.pack("<H", len(tags))
        + entries
        + struct.pack("<I", 16 + size * (i + 1) if i < count - 1 else 0)
        for i in range(count)
    ]
    return b"II*\0" + struct.pack("<I", 16) + bytes(8) + b"".join(pages)


ONE_PIXEL = [(256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 8), (278, 1), (279, 1)]


@pytest.mark.alone
def test_work_on_pages_and_tiles_is_bounded() -> None:
    assert read(tiff_pages(500, ONE_PIXEL), axes="ZYX").array.shape == (500, 1, 1)
    megapixel = [(256, 1000), (257, 1000), *ONE_PIXEL[2:5], (322, 1), (323, 1)]
    tiles = tiff_pages(1, [*megapixel, (324, 130), (325, 130)])
    counts = struct.pack("<HHI", 324, 4, 10**6), struct.pack("<HHI", 325, 4, 10**6)
    for name, count in zip((b"\x44\1", b"\x45\1"), counts, strict=True):
        at = tiles.rindex(name + b"\4\0\1\0\0\0")
        tiles = tiles[:at] + count + tiles[at + 8 :]
    for data, said in (
        (tiff_pages(100_000, ONE_PIXEL[:1]), "more than 65,536 pages"),
        (tiles + struct.pack("<I", 1) * (10**6 + 8), "1,000,000 strips and tiles for 1,000,000 pixels"),
        (tiff_pages(1, [*ONE_PIXEL[:5], (330, 16)]), "damaged"),  # a page below itself
    ):
        began = time.perf_counter()
        with pytest.raises(DecodeError, match=said):
            read(data)
        assert time.perf_counter() - began < 2


def test_a_list_of_strips_in_letters_is_damage() -> None:
    data = tiff(bytes(100)).replace(struct.pack("<HH", 279, 4), struct.pack("<HH", 279, 2))
    with pytest.raises(DecodeError, match=r"^<bytes>: damaged"):
        read(data)

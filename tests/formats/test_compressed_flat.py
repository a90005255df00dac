"""GIF, WebP and AVIF: formats that hold a flat image in a few bytes cost what they show, and no more."""

from __future__ import annotations

import io
import resource
import struct
import subprocess
import sys
import time
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from tests.support.odd_files import gradient, saved

from offgraph.core.errors import DecodeError
from offgraph.formats.decoding import read


def flat_webp(height: int, width: int) -> bytes:
    """A lossless WebP of one colour: every Huffman code has one symbol and takes no bits."""
    bits = width - 1 | height - 1 << 14 | 0 << 28  # no opacity, version 0
    bits |= sum(
        1 << 35 + 4 * code for code in range(5)
    )  # no transform, no cache, no other groups; simple codes
    data = b"\x2f" + bits.to_bytes(8, "little")
    body = b"WEBPVP8L" + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def frames(*arrays: np.ndarray, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    first, *rest = map(Image.fromarray, arrays)
    first.save(out, kind, save_all=True, append_images=rest, **options)
    return out.getvalue()


COST = """
import sys
from pathlib import Path
from offgraph.formats.decoding import read
shape = read(sys.argv[1], color="rgb").array.shape
status = Path("/proc/self/status").read_text()  # ru_maxrss would count what the process that started this one had
print(*shape, int(status.split("VmHWM:")[1].split()[0]) >> 10)
"""


def cost(path: Path, data: bytes) -> tuple[tuple[int, ...], int]:
    """Shape of what is read in a process of its own, and the megabytes that it took at most."""
    path.write_bytes(data)
    run = subprocess.run([sys.executable, "-c", COST, str(path)], capture_output=True, text=True, check=True)
    *shape, memory = map(int, run.stdout.split())
    return tuple(shape), memory


def test_a_webp_of_30_bytes_takes_little_more_than_its_pixels(tmp_path) -> None:
    data = flat_webp(6000, 6000)  # 108 MB of RGB
    assert len(data) == 30
    shape, memory = cost(tmp_path / "a.webp", data)
    assert shape == (6000, 6000, 3)
    assert memory < 500  # libwebp holds 4 bytes for a pixel, the interpreter 100 MB


def test_a_jpeg_of_four_inks_takes_little_more_than_its_pixels(tmp_path) -> None:
    out = io.BytesIO()
    Image.new("CMYK", (6000, 6000)).save(out, "JPEG")
    shape, memory = cost(tmp_path / "a.jpg", out.getvalue())
    assert shape == (6000, 6000, 3)
    assert memory < 500  # 144 MB of inks, 108 MB of colours


def test_the_size_of_a_webp_is_read_before_its_decoder_is_asked() -> None:
    for data in (
        flat_webp(16_000, 16_000),
        b"RIFF\x1e\0\0\0WEBPVP8 \x12\0\0\0\0\0\0\x9d\x01\x2a\xff\x3f\xff\x3f" + bytes(8),
        b"RIFF\x64\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x3f\0\xff\x3f\0" + bytes(90),
    ):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(DecodeError, match="more than the limit of 178,956,970"):
            read(data)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000
    animation = frames(gradient(), gradient()[::-1].copy(), kind="WEBP", lossless=True)
    assert read(animation, max_pixels=24 * 32 * 2).frames == 2
    with pytest.raises(DecodeError, match="of 12 bytes need 9,216 bytes"):
        read(animation, max_pixels=24 * 32)


def test_a_webp_without_a_size() -> None:
    data = saved(gradient(), "WEBP")
    with pytest.raises(DecodeError, match="damaged: it does not say its size"):
        read(data.replace(b"\x9d\x01\x2a", b"\0\0\0"))
    with pytest.raises(DecodeError, match="damaged: more than 100,000 chunks"):
        read(b"RIFF\x08\0\0\0WEBP" + b"ABCD\0\0\0\0" * 100_001)


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"quality": 95, "exact": True}], ids=str)
def test_webp_is_what_pillow_makes_of_it(options) -> None:
    turned = gradient(channels=4)[::-1].copy()
    part = gradient(channels=4).copy()
    part[:9] = 0
    for data in (
        saved(gradient(), "WEBP", **options),
        saved(gradient(channels=4), "WEBP", **options),
        frames(gradient(), gradient()[::-1].copy(), kind="WEBP", **options),
        frames(
            part, turned, kind="WEBP", minimize_size=True, **options
        ),  # a first frame smaller than the canvas
    ):
        np.testing.assert_array_equal(read(data).array, np.asarray(Image.open(io.BytesIO(data))))


# GIF


def with_block(data: bytes, block: bytes) -> bytes:
    """The GIF with an extension after its colours."""
    at = 13 + (3 << (data[10] & 7) + 1)
    return data[:at] + block + data[at:]


def test_a_gif_of_endless_comments_and_frames() -> None:
    data = saved(gradient(channels=1), "GIF")
    comment = b"!\xfe" + (b"\xff" + b"x" * 255) * 100_000 + b"\0"
    frame = data[data.index(b",\0\0\0\0", 13 + 768) : -1]
    began = time.perf_counter()
    image = read(with_block(data, comment))
    assert image.notes == () and image.frames == 1
    np.testing.assert_array_equal(image.array, read(data).array)
    many = read(data[:-1] + frame * 30_000 + b";")
    assert many.frames == 30_001 and many.notes == ("animated, 30001 frames: the first is read",)
    assert time.perf_counter() - began < 5


def test_later_frames_that_are_damaged() -> None:
    data = frames(gradient(), gradient()[::-1].copy(), kind="GIF")
    image = read(data[:-20])
    assert image.notes == ("later frames are damaged",) and image.frames == 2
    np.testing.assert_array_equal(image.array, read(data).array)


# AVIF


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_avif_of_more_than_8_bits_keeps_its_numbers(bits: int, channels: int) -> None:
    array = gradient(channels=channels).astype(np.uint16) << bits - 8
    image = read(imagecodecs.avif_encode(array, bitspersample=bits, level=100))
    np.testing.assert_array_equal(image.array, array)
    assert image.notes == (f"an AVIF of {bits} bits",)
    assert (image.axes, image.layout) == {1: ("YX", "grey"), 3: ("YXC", "rgb"), 4: ("YXC", "rgba")}[channels]


def test_an_animated_avif_of_more_than_8_bits() -> None:
    """imagecodecs ends the process over animations: Pillow reads the first frame."""
    array = np.stack([gradient(), gradient()[::-1]]).astype(np.uint16) * 4
    image = read(imagecodecs.avif_encode(array, bitspersample=10, level=100))
    assert image.array.shape == (24, 32, 3)
    assert image.notes == ("animated, 2 frames: the first is read", "an AVIF of 10 bits, read as 8")


def test_avif_of_8_bits_is_what_pillow_makes_of_it() -> None:
    for array in (gradient(), gradient(channels=4), gradient(channels=1)):
        data = saved(array, "AVIF", quality=90)
        np.testing.assert_array_equal(read(data).array, np.asarray(Image.open(io.BytesIO(data))))

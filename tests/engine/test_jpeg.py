"""JPEGs decoded by the native core: libjpeg-turbo's bytes, whole and in part, or a refusal."""

from __future__ import annotations

import random
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.jpeg import by_turbo, mutated
from tests.support.odd_files import exif, gradient, jpeg, saved

from offgraph.core.errors import DecodeError
from offgraph.engine.jpeg import decode_into, shape
from offgraph.formats import jpeg as jpeg_format
from offgraph.formats.decoding import read

MUTATIONS = 1500
SUBSAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def whole(data: bytes) -> np.ndarray | None:
    """The image, or None if it is refused."""
    found = shape(data)
    if found is None:
        return None
    image = np.full(found, 77, np.uint8)
    return image if decode_into(image, data) is None else None


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """An ordinary JPEG of a few blocks: noise has all coefficients, a gradient few."""
    height, width = draw(st.integers(1, 70)), draw(st.integers(5, 70))
    image = noise(height, width, draw(st.integers(0, 9))) if draw(st.booleans()) else gradient(height, width)
    mode = draw(st.sampled_from(["L", "RGB", "RGB"]))
    options = {
        "quality": draw(st.sampled_from([1, 30, 75, 95, 100])),
        "subsampling": draw(st.sampled_from([0, 1, 2])),
        "optimize": draw(st.booleans()),
        "restart_marker_blocks": draw(st.sampled_from([0, 0, 1, 2, 7])),
    }
    return saved(image, "JPEG", mode, **options)


@settings(deadline=None, max_examples=150)
@given(files())
def test_an_ordinary_file_has_the_bytes_of_libjpeg_turbo(data: bytes) -> None:
    image = whole(data)
    assert image is not None
    np.testing.assert_array_equal(image, by_turbo(data, image.shape[2]))


@settings(deadline=None, max_examples=150)
@given(files(), st.data())
def test_a_window_is_that_part_of_the_image(data: bytes, drawn: st.DataObject) -> None:
    image = whole(data)
    assert image is not None
    height, width, channels = image.shape
    top, left = drawn.draw(st.integers(0, height - 1)), drawn.draw(st.integers(0, width - 1))
    bottom, right = drawn.draw(st.integers(top + 1, height)), drawn.draw(st.integers(left + 1, width))
    part = np.full((bottom - top, right - left, channels), 77, np.uint8)
    assert decode_into(part, data, ((top, bottom), (left, right))) is None
    np.testing.assert_array_equal(part, image[top:bottom, left:right])


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS.values(), ids=SUBSAMPLINGS)
def test_every_window_of_a_small_image(subsampling: int) -> None:
    data = jpeg(noise(19, 21), subsampling=subsampling)
    image = by_turbo(data, 3)
    assert image is not None
    for top in range(0, 19, 3):
        for left in range(0, 21, 4):
            for bottom in {top + 1, (top + 19) // 2 + 1, 19}:
                for right in {left + 1, (left + 21) // 2 + 1, 21}:
                    part = np.empty((bottom - top, right - left, 3), np.uint8)
                    assert decode_into(part, data, ((top, bottom), (left, right))) is None
                    np.testing.assert_array_equal(part, image[top:bottom, left:right])


def test_photographs_and_windows_of_them(shared_data: Path) -> None:
    draws = random.Random(5)
    accepted = 0
    for path in sorted((shared_data / "photos").iterdir())[::3]:
        data = path.read_bytes()
        image = whole(data)
        if image is None:
            continue
        accepted += 1
        np.testing.assert_array_equal(image, by_turbo(data, image.shape[2]), err_msg=path.name)
        top, bottom = sorted(draws.sample(range(image.shape[0] + 1), 2))
        left, right = sorted(draws.sample(range(image.shape[1] + 1), 2))
        part = np.empty((bottom - top, right - left, image.shape[2]), np.uint8)
        assert decode_into(part, data, ((top, bottom), (left, right))) is None
        np.testing.assert_array_equal(part, image[top:bottom, left:right], err_msg=path.name)
    assert accepted > 10


def with_marker(data: bytes, marker: int, body: bytes) -> bytes:
    """The file with a segment more, after its first marker."""
    return data[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + data[2:]


def without_jfif(data: bytes) -> bytes:
    return data[:2] + data[4 + int.from_bytes(data[4:6], "big") :]


def patched(data: bytes, marker: int, offset: int, value: bytes) -> bytes:
    """The file with other bytes in the body of its first segment of a kind."""
    at = data.index(bytes([0xFF, marker])) + 4 + offset
    return data[:at] + value + data[at + len(value) :]


ORDINARY = jpeg(gradient(24, 32), subsampling=2)
ADOBE = b"Adobe\0\x64\0\0\0\0"
REFUSED = {
    "progressive": jpeg(progressive=True),
    "cmyk": saved(gradient(), "JPEG", "CMYK"),
    "12 bits": patched(ORDINARY, 0xC0, 0, b"\x0c"),
    "arithmetic": ORDINARY.replace(b"\xff\xc0", b"\xff\xc9", 1),
    "stored as RGB": with_marker(without_jfif(ORDINARY), 0xEE, ADOBE + b"\0"),
    "an unknown transform": with_marker(without_jfif(ORDINARY), 0xEE, ADOBE + b"\2"),
    "components named RGB": jpeg(keep_rgb=True, subsampling=0),
    "grey, no block to an MCU": patched(saved(gradient(), "JPEG", "L"), 0xC0, 7, b"\x10"),
    "4:4:0": patched(ORDINARY, 0xC0, 7, b"\x12"),
    "no rows": patched(ORDINARY, 0xC0, 1, b"\0\0"),
    "another version of JFIF": patched(ORDINARY, 0xE0, 5, b"\2"),
    "half a colour profile": with_marker(ORDINARY, 0xE2, b"ICC_PROFILE\0\1\2half"),
    "nothing": b"",
    "two bytes": ORDINARY[:2],
    "the first half": ORDINARY[: len(ORDINARY) // 2],
    "without an end": ORDINARY[:-2],
    "without its last data": ORDINARY[:-12] + ORDINARY[-2:],
    "bytes before its end": ORDINARY[:-2] + b"\0\0\0" + ORDINARY[-2:],
    "a restart marker too many": ORDINARY[:-2] + b"\xff\xd0" + ORDINARY[-2:],
    "a restart marker missing": jpeg(gradient(24, 64), restart_marker_blocks=1).replace(b"\xff\xd1", b"", 1),
    "restart markers out of order": jpeg(gradient(24, 64), restart_marker_blocks=1).replace(
        b"\xff\xd1", b"\xff\xd2", 1
    ),
    "coefficients beyond 16 bits": patched(jpeg(noise(16, 16)), 0xDB, 1, b"\xff" * 64),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_odd_is_refused(name: str) -> None:
    assert whole(REFUSED[name]) is None


def test_what_is_ordinary_in_markers_is_not_refused() -> None:
    for data in (
        with_marker(without_jfif(ORDINARY), 0xEE, ADOBE + b"\1"),
        with_marker(ORDINARY, 0xE1, exif(6)),
        with_marker(ORDINARY, 0xE2, b"ICC_PROFILE\0\1\1all of it"),
        with_marker(ORDINARY, 0xFE, b"a comment"),
        without_jfif(ORDINARY),
        ORDINARY.replace(b"\xff\xc0", b"\xff\xc1", 1),
        ORDINARY + b"and more",
    ):
        image = whole(data)
        assert image is not None
        np.testing.assert_array_equal(image, by_turbo(data, 3))


def test_damaged_files_are_refused_or_have_the_bytes_of_libjpeg_turbo() -> None:
    draws = random.Random(20)
    originals = [
        saved(image, "JPEG", mode, quality=quality, subsampling=subsampling, restart_marker_blocks=blocks)
        for image in (noise(33, 41), gradient(40, 52))
        for mode, quality in (("L", 90), ("RGB", 60), ("RGB", 98))
        for subsampling, blocks in ((0, 0), (1, 2), (2, 0), (2, 3))
    ]
    accepted = 0
    for _ in range(MUTATIONS):
        data = mutated(draws.choice(originals), draws)
        found = shape(data)
        if found is None or found[0] * found[1] > 1_000_000:
            continue
        image = whole(data)
        part = np.empty((1, found[1], found[2]), np.uint8)
        decode_into(part, data, ((found[0] // 2, found[0] // 2 + 1), (0, found[1])))
        if image is not None:
            accepted += 1
            np.testing.assert_array_equal(image, by_turbo(data, found[2]))
            np.testing.assert_array_equal(part[0], image[found[0] // 2])
    assert accepted > MUTATIONS / 20


def test_a_window_of_a_file_cut_below_it_is_refused() -> None:
    for blocks in (0, 3):
        data = jpeg(noise(90, 60), restart_marker_blocks=blocks)
        part = np.empty((10, 60, 3), np.uint8)
        assert decode_into(part, data, ((0, 10), (0, 60))) is None
        for cut in (data[: len(data) * 2 // 3], data[: len(data) * 2 // 3] + b"\xff\xd8"):
            assert decode_into(part, cut, ((0, 10), (0, 60))) is not None


def test_outputs_and_windows_that_do_not_fit() -> None:
    image = np.empty((24, 32, 3), np.uint8)
    assert decode_into(image, ORDINARY) is None
    assert "size" in str(decode_into(image[:-1], ORDINARY))
    for window in (((0, 25), (0, 32)), ((5, 5), (0, 32)), ((6, 5), (0, 32)), ((0, 24), (0, 33))):
        rows, columns = window
        part = np.empty((max(0, rows[1] - rows[0]), columns[1] - columns[0], 3), np.uint8)
        assert "window" in str(decode_into(part, ORDINARY, window))
    with pytest.raises(TypeError, match="uint8"):
        decode_into(image.astype(np.uint16), ORDINARY)
    with pytest.raises(TypeError, match="C order"):
        decode_into(image[:, ::-1], ORDINARY)


def test_threads_share_nothing() -> None:
    data = [saved(noise(60 + n, 80, n), "JPEG", subsampling=n % 3, quality=70 + n) for n in range(12)]
    expected = [by_turbo(one, 3) for one in data]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for image, right in zip(pool.map(whole, data), expected):
                np.testing.assert_array_equal(image, right)


def test_reading_takes_the_native_decoder_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> np.ndarray:
        raise AssertionError("simplejpeg was called")

    expected = by_turbo(ORDINARY, 3)
    assert expected is not None
    monkeypatch.setattr(jpeg_format, "_decode_turbo", refuse)
    np.testing.assert_array_equal(read(ORDINARY).array, expected)
    with pytest.raises(DecodeError, match="simplejpeg was called"):
        read(REFUSED["progressive"])


def test_a_truncated_file_keeps_its_message() -> None:
    with pytest.raises(DecodeError, match="truncated or damaged: Premature end"):
        read(ORDINARY[:-20])

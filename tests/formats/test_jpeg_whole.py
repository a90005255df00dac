"""No JPEG of any kind is read as whole where its coded data ends early, and none costs endless work."""

from __future__ import annotations

import base64
import io
import time

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from tests.support.odd_files import gradient, jpeg, saved

from offgraph.core.errors import DecodeError
from offgraph.formats import jpeg as jpeg_format
from offgraph.formats import with_pillow
from offgraph.formats.decoding import read
from offgraph.formats.jpeg_scans import disturb

NOISY = gradient(96, 128) ^ np.random.default_rng(3).integers(0, 16, (96, 128, 3), dtype=np.uint8)
DEEP = NOISY.astype(np.uint16)

# Grey 24 × 32, value (5 y + 3 x) % 256, by libjpeg-turbo with `arith_code`; the second with a restart after each row.
ARITHMETIC = base64.b85decode(
    "|JeWA07C!+0s;d90s{jB0|WyD1O*5M1q1{I3I_)U2n-4g3=0Yi3k?nu5Dg9y4hstq77!5=6crT}3=bC=78Do~6crTz$p8xo02lxu"
    "0Ra&J|I7de01yxb|Jncu0RaF2KLGy#>|`}R40-liymOH5c9bz29f50{Q1^In5wC>q6{%dVKo=t^sr<J$G&7uvwOvwV>=?Yzju?Rd*#"
)
ARITHMETIC_RESTARTS = base64.b85decode(
    "|JeWA07C!+0s;d90s{jB0|WyD1O*5M1q1{I3I_)U2n-4g3=0Yi3k?nu5Dg9y4hstq77!5=6crT}3=bC=78Do~6crTz$p8xo02lxu"
    "0Ra&J|I7de01yxb|J?ut00jTq00;pA002J#{{ZY{H9rh__FBAiknVPrF&iC$Yn)K`cyRyF{{Y$9)$qrkWvj<I4(Dk@5wX}7xy286hyT(40"
    "HuJ8;g3GcSB`2!>FUNKYD*6(#my4NVE@?"
)
KINDS = {
    "12 bits": imagecodecs.jpeg_encode(DEEP * 16, bitspersample=12),
    "12 bits, grey": imagecodecs.jpeg_encode(DEEP[..., 0].copy() * 16, bitspersample=12, optimize=True),
    "lossless": imagecodecs.jpeg_encode(NOISY, lossless=True),
    "lossless, 16 bits": imagecodecs.jpeg_encode(DEEP * 257, lossless=True, bitspersample=16),
    "lossless, 10 bits, another encoder": imagecodecs.ljpeg_encode(DEEP[..., 0] * 4, bitspersample=10),
    "CMYK": saved(NOISY, "JPEG", "CMYK"),
    "CMYK with restarts": saved(NOISY, "JPEG", "CMYK", restart_marker_rows=1),
    "restarts": saved(NOISY, "JPEG", restart_marker_rows=1),
    "progressive": saved(NOISY, "JPEG", progressive=True),
    "progressive CMYK": saved(NOISY, "JPEG", "CMYK", progressive=True),
    "arithmetic": ARITHMETIC,
    "arithmetic with restarts": ARITHMETIC_RESTARTS,
}


@pytest.mark.parametrize("closed", [False, True], ids=["cut", "cut and closed"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_jpeg_is_an_error(kind: str, closed: bool) -> None:
    data = KINDS[kind]
    assert not any("libjpeg says" in note for note in read(data).notes)
    start = data.index(b"\xff\xda") + 14
    # Zeros at the end of arithmetic code are left out by its coder: not every cut of so small a file can be told.
    for at in (126, 128) if "arithmetic" in kind else (start + 16, (start + len(data)) // 2, len(data) - 8):
        with pytest.raises(DecodeError, match=r"<bytes>: (truncated|damaged|the header declares)"):
            read(data[:at] + (b"\xff\xd9" if closed else b""))


def test_arithmetic_coding() -> None:
    y, x = np.mgrid[:24, :32]
    for data in (ARITHMETIC, ARITHMETIC_RESTARTS):
        image = read(data)
        assert np.abs(image.array.astype(int) - (5 * y + 3 * x) % 256).max() <= 1
        assert image.notes == ()


def test_lossless_values_are_kept() -> None:
    np.testing.assert_array_equal(read(KINDS["lossless"]).array, NOISY)
    np.testing.assert_array_equal(read(KINDS["lossless, 16 bits"]).array, DEEP * 257)
    np.testing.assert_array_equal(read(KINDS["lossless, 10 bits, another encoder"]).array, DEEP[..., 0] * 4)


@pytest.mark.parametrize("kind", ["CMYK", "CMYK with restarts", "progressive CMYK"])
def test_cmyk_is_what_pillow_makes_of_it(kind: str) -> None:
    with Image.open(io.BytesIO(KINDS[kind])) as opened:
        inks, colours = np.asarray(opened), np.asarray(opened.convert("RGB"))
    np.testing.assert_array_equal(read(KINDS[kind]).array, colours)
    np.testing.assert_array_equal(read(KINDS[kind], color="labels").array, inks)


def test_a_restart_interval_that_is_missing() -> None:
    """The cut lies between two intervals: no coded data ends early, the next ones are not there."""
    for kind in ("restarts", "CMYK with restarts", "arithmetic with restarts"):
        data = KINDS[kind]
        at = max(data.rfind(bytes([0xFF, marker])) for marker in range(0xD0, 0xD8))
        with pytest.raises(DecodeError, match="truncated or damaged"):
            read(data[:at] + b"\xff\xd9")


def test_a_component_without_a_scan() -> None:
    data = KINDS["progressive"]
    second = data.index(b"\xff\xc4", data.index(b"\xff\xda"))
    grey_only = data.index(b"\xff\xda")
    assert data[grey_only + 4] == 3  # the first scan holds all: make the header say that it holds one
    forged = (
        data[:grey_only] + b"\xff\xda\0\x08\x01\x01\0\0\0\x01" + data[grey_only + 14 : second] + b"\xff\xd9"
    )
    with pytest.raises(DecodeError, match="truncated: scans of 1 of its 3 components are there"):
        read(forged)


def test_a_progressive_jpeg_that_was_closed_after_its_first_scans_is_coarse() -> None:
    data = KINDS["progressive"]
    assert read(data).notes == ()
    third = data.index(b"\xff\xc4", data.index(b"\xff\xda", data.index(b"\xff\xda") + 2))
    assert read(data[:third] + b"\xff\xd9").notes == ("its last scans are missing: the image is coarse",)


def test_what_libjpeg_warns_of_has_every_pixel() -> None:
    """Garbage between the coded data and the marker after it is a note, and a cut is heard there as well."""
    data = jpeg(NOISY)
    odd = data[:-2] + b"\x12\x34\x56\x78" * 3 + b"\xff\xd9"
    image = read(odd)
    np.testing.assert_array_equal(image.array, read(data).array)
    restarts = KINDS["restarts"]
    at = restarts.index(b"\xff\xd0")
    odd = restarts[:at] + b"\x12\x34\x56\x78" * 3 + restarts[at:]
    image = read(odd)
    np.testing.assert_array_equal(image.array, read(restarts).array)
    assert "extraneous bytes before marker 0xd0" in image.notes[0]
    with pytest.raises(DecodeError, match="truncated or damaged: its coded data ends before its last pixels"):
        read(odd[: len(odd) * 2 // 3] + b"\xff\xd9")


def test_noise_is_read_by_nobody_where_the_data_is_whole() -> None:
    for kind, data in KINDS.items():
        if "arithmetic" not in kind:
            noisy = disturb(data, data.index(b"\xff\xda"))
            assert len(noisy) > len(data) + 4096
            np.testing.assert_array_equal(
                imagecodecs.jpeg_decode(noisy), imagecodecs.jpeg_decode(data), err_msg=kind
            )


def test_sound_photographs_of_every_kind_are_read(shared_data) -> None:
    read_ones = 0
    for path in sorted((shared_data / "photos").rglob("*.[jJ]*"))[:40]:
        with Image.open(path) as opened:
            small = np.asarray(opened.convert("RGB").resize((96, 64)))
        small = (
            small
            if read_ones % 2
            else np.where(np.arange(64)[:, None, None] < 20, small, 255).astype(np.uint8)
        )
        for data in (
            imagecodecs.jpeg_encode(small.astype(np.uint16) * 16, bitspersample=12),
            imagecodecs.jpeg_encode(small, lossless=True),
            saved(small, "JPEG", "CMYK", restart_marker_rows=2),
            saved(small, "JPEG", progressive=True),
        ):
            assert read(data).array.shape == (64, 96, 3)
            read_ones += 1
    assert read_ones >= 100


# work


def with_scans(count: int, size: int = 2000) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = saved(np.full((size, size), 128, np.uint8), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + b"\xff\xd9"


@pytest.mark.alone
def test_a_progressive_jpeg_of_endless_scans_is_refused_at_once() -> None:
    for data, most in ((with_scans(1000, 64), 500), (with_scans(60, 13_000), 29)):
        began = time.perf_counter()
        with pytest.raises(
            DecodeError, match=f"more than {most} scans over .* more work than any sound JPEG"
        ):
            read(data)
        assert time.perf_counter() - began < 1
    assert read(with_scans(2)).array.shape == (2000, 2000)


@pytest.mark.alone
def test_endless_markers_are_refused_at_once() -> None:
    began = time.perf_counter()
    with pytest.raises(DecodeError, match="truncated: the file ends before its frame header"):
        read(b"\xff\xd8" + b"\xff" * 10**7)
    for filler in (b"\xff\xd0", b"\xff\xfe\0\2", b"\xff\x01"):
        with pytest.raises(DecodeError, match="damaged: more than 10,000 markers before its pixels"):
            read(b"\xff\xd8\xff" + filler * 10**6)
    assert time.perf_counter() - began < 2


def test_ordinary_files_are_decoded_once_and_in_this_process(monkeypatch) -> None:
    monkeypatch.setattr(with_pillow, "decode_odd", None)
    monkeypatch.setattr(jpeg_format.isolated, "decode", None)
    for data in (jpeg(), jpeg(gradient(channels=1)), KINDS["progressive"], KINDS["restarts"], KINDS["CMYK"]):
        assert read(data).array.any()


def test_the_coefficients_of_a_progressive_jpeg_count_against_the_limit() -> None:
    """libjpeg holds them all, in two bytes each, until the last scan is read."""
    data = KINDS["progressive CMYK"]
    assert read(data, max_pixels=96 * 128 * 12 // 10 + 1).array.shape == (96, 128, 3)
    with pytest.raises(
        DecodeError, match="decoding scan by scan makes 49,152 bytes of 98,304, together more"
    ):
        read(data, max_pixels=96 * 128)
    assert read(KINDS["CMYK"], max_pixels=96 * 128).array.shape == (96, 128, 3)

"""The limit on files counts what the colour policy makes of them, and nothing wider is held beside it."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from tests.support.odd_files import gradient, jpeg, saved

from offgraph.core.errors import DecodeError
from offgraph.formats import display
from offgraph.formats.base import Limits, StoredImage
from offgraph.formats.decoding import read
from offgraph.formats.encoding import encode_png, encode_tiff

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8)


def test_what_the_colour_policy_makes_counts_against_the_limit() -> None:
    deep = encode_tiff(GREY.astype(np.float64))
    assert read(deep, max_pixels=48).array.nbytes == 8 * 48
    with pytest.raises(
        DecodeError,
        match=r"^<bytes>: color='rgb' makes 1,152 bytes of 384, together more than the limit of 480 \(10 × max_pixels\); "
        "if the file can be trusted, raise max_pixels$",
    ):
        read(deep, color="rgb", max_pixels=48)
    assert read(deep, color="rgb", max_pixels=160).array.shape == (6, 8, 3)


def test_a_palette_of_wide_colours_counts_against_the_limit() -> None:
    stored = StoredImage(GREY % 4, "YX", "palette", palette=np.arange(12, dtype=np.float64).reshape(4, 3))
    with pytest.raises(Exception, match="color='keep' makes 1,152 bytes of 48"):
        display.paint(stored, "keep", "drop", Limits(48))
    assert display.paint(stored, "labels", "drop", Limits(5))[0] is not None


def test_a_copy_counts_and_a_view_does_not() -> None:
    """Four channels of 16 bits are just the limit; leaving one out, or turning the image, takes a copy."""
    rgba = gradient(6, 8, channels=4, top=65535)
    assert read(encode_png(rgba), max_pixels=48).array.nbytes == 8 * 48
    with pytest.raises(
        DecodeError, match="color='rgb' makes 288 bytes of 384, together more than the limit of 480"
    ):
        read(encode_png(rgba), color="rgb", max_pixels=48)
    from tests.support.odd_files import with_exif_chunk

    with pytest.raises(DecodeError, match="turning it upright makes 384 bytes of 384"):
        read(with_exif_chunk(encode_png(rgba), 6), max_pixels=48)


KINDS = {
    "grey": StoredImage(GREY, "YX", "grey"),
    "two bits, white is zero": StoredImage(GREY % 4, "YX", "grey", top=3, white_is_zero=True),
    "bilevel": StoredImage(GREY % 2 == 1, "YX", "bilevel", white_is_zero=True),
    "key": StoredImage(GREY, "YX", "grey", key=(7,)),
    "key of colours": StoredImage(gradient(6, 8), "YXC", "rgb", key=(5, 8, 51)),
    "palette": StoredImage(GREY % 4, "YX", "palette", palette=np.arange(16, dtype=np.uint8).reshape(4, 4)),
    "inks": StoredImage(gradient(6, 8, channels=4), "YXC", "cmyk", inks=True),
    "rgba": StoredImage(gradient(6, 8, channels=4), "YXC", "rgba", alpha=True),
    "planes": StoredImage(np.moveaxis(gradient(6, 8), -1, 0), "CYX", "rgb"),
    "float": StoredImage(gradient(6, 8) / np.float32(7), "YXC", "rgb"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_slabs_of_rows_make_the_same_image(kind: str, monkeypatch) -> None:
    for color, alpha in itertools.product(("keep", "rgb", "grey", "labels"), ("drop", "white", "black")):
        whole, axes = display.paint(KINDS[kind], color, alpha, Limits(10**4))
        with monkeypatch.context() as patch:
            patch.setattr(display, "_SLAB", 64)
            parts, same_axes = display.paint(KINDS[kind], color, alpha, Limits(10**4))
        assert (same_axes, parts.dtype) == (axes, whole.dtype)
        np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize("color", ["rgb", "grey"])
def test_wide_numbers_are_held_for_a_slab_only(color: str) -> None:
    data = encode_png(np.zeros((2000, 3000, 4), np.uint8))
    read(data, color=color, alpha="white")
    tracemalloc.start()
    made = read(data, color=color, alpha="white").array
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2 * 24_000_000 + made.nbytes + 25_000_000  # was 6 times the file's own 24 MB


def test_an_ordinary_photograph_is_not_copied(monkeypatch) -> None:
    made = []
    paint = display.paint
    monkeypatch.setattr(
        "offgraph.formats.decoding.paint",
        lambda stored, *rest: made.append(stored.array) or paint(stored, *rest),
    )
    for data, color in (
        (jpeg(), "keep"),
        (jpeg(), "rgb"),
        (saved(GREY, "PNG"), "grey"),
        (saved(GREY, "PNG"), "keep"),
    ):
        assert np.shares_memory(read(data, color=color).array, made[-1])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_inks_are_rounded_to_the_nearest_colour(dtype) -> None:
    top = np.iinfo(dtype).max
    values = np.unique(np.linspace(0, top, 256).astype(dtype))
    ink, black = (plane.ravel() for plane in np.meshgrid(values, values))
    array = np.stack([ink, ink, ink, black], -1)[None]
    shown, _ = display.paint(StoredImage(array, "YXC", "cmyk", inks=True), "keep", "drop", Limits(10**6))
    exact = (top - ink.astype(float)) * (top - black.astype(float)) / top
    np.testing.assert_array_equal(shown[0, :, 0], np.rint(exact).astype(dtype))

"""PNG written fast: every reader gets the array back."""

from __future__ import annotations

import doctest
import hashlib
import io

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from offgraph.engine import png
from offgraph.formats import png_writing
from offgraph.formats.decoding import read
from offgraph.formats.png_writing import encode_png_fast

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9)) | st.tuples(
    st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 4])
)


@given(st.sampled_from([np.uint8, np.uint16]).flatmap(lambda dtype: arrays.arrays(dtype, SHAPES)))
@settings(max_examples=300, deadline=None)
def test_libpng_and_our_reader_give_the_array_back(array: np.ndarray) -> None:
    data = encode_png_fast(array)
    assert data == encode_png_fast(array.copy())
    back = imagecodecs.png_decode(data)
    assert back.dtype == array.dtype and back.tobytes() == array.tobytes()
    assert read(data, color="keep", alpha="drop").array.dtype == array.dtype


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pillow_gives_the_array_back_in_any_memory_order(channels: int) -> None:
    whole = np.random.default_rng(0).integers(0, 256, (31, 40, channels), np.uint8)
    for array in (whole, whole[::-1, ::2], np.asfortranarray(whole), whole[..., ::-1]):
        found = np.asarray(Image.open(io.BytesIO(encode_png_fast(array))))
        assert np.array_equal(found.reshape(array.shape), array)


def photograph(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """A smooth image with noise, as the native encoder takes it."""
    rng = np.random.default_rng(seed)
    grid = np.indices(shape)
    slopes = rng.uniform(-0.4, 0.4, 2)
    smooth = 120 + slopes[0] * grid[0] + slopes[1] * grid[1] + 20 * np.sin(grid[0] / 7)
    return (smooth + rng.uniform(0, 6, shape)).astype(np.uint8)


@given(
    st.tuples(st.integers(60, 120), st.integers(60, 120))
    | st.tuples(st.integers(60, 120), st.integers(60, 120), st.integers(1, 4)),
    st.integers(0, 1000),
)
@settings(max_examples=100, deadline=None)
def test_photographs_are_encoded_by_the_core_and_read_alike_by_libpng_and_pillow(
    shape: tuple[int, ...], seed: int
) -> None:
    array = photograph(shape, seed)
    data = png.encode(array)
    assert data is not None and data == encode_png_fast(array)
    for back in (imagecodecs.png_decode(data), np.asarray(Image.open(io.BytesIO(data)))):
        assert back.dtype == np.uint8 and back.tobytes() == array.tobytes()


def test_tensorflow_gives_the_array_back() -> None:
    tf = pytest.importorskip("tensorflow")
    for channels in (1, 2, 3, 4):
        array = photograph((60, 50, channels))
        assert np.array_equal(tf.io.decode_png(png.encode(array)).numpy(), array)


def test_a_general_encoder_takes_what_it_makes_far_smaller() -> None:
    rng = np.random.default_rng(0)
    grey = photograph((100, 120))
    tiles = np.tile(rng.integers(0, 256, (16, 16, 3), np.uint8), (10, 10, 1))
    noise = rng.integers(0, 256, (100, 120), np.uint8)
    for array in (tiles, noise, np.repeat(grey[..., None], 3, axis=2), np.full((90, 80), 7, np.uint8)):
        assert png.encode(array) is None
        assert len(encode_png_fast(array)) < array.nbytes * 1.01 + 100
    with pytest.raises(TypeError, match="uint8"):
        png.encode(grey.astype(np.uint16))
    with pytest.raises(TypeError, match="C order"):
        png.encode(grey[:, ::2])


def test_bytes_are_the_same_everywhere() -> None:
    """Not of this machine's SIMD level or of the threads: the digest was made once."""
    rows, columns = np.indices((70, 90), np.uint32)
    noise = (rows * 90 + columns + 1) * np.uint32(2654435761)
    noise = (noise ^ noise >> 15) * np.uint32(2246822519)
    array = ((rows + columns) // 2 + (noise >> 29)).astype(np.uint8)
    data = png.encode(array)
    assert (
        data is not None
        and hashlib.sha256(data).hexdigest()
        == "a99aed70dbbb900a5f4bf6f02fb06e3897809b15db80df59f98279ed3346e3cc"
    )


def test_bytes_are_those_of_the_filter_s_definition() -> None:
    rows = np.random.default_rng(1).integers(0, 256, (6, 12), np.uint8)
    out = png_writing._filtered(rows, 3)
    for y in range(6):
        for x in range(12):
            left = int(rows[y, x - 3]) if x >= 3 else 0
            upper = int(rows[y - 1, x]) if y else 0
            assert out[y, x + 1] == (int(rows[y, x]) - (left + upper) // 2) % 256
    assert (out[:, 0] == 3).all()


def test_examples_run() -> None:
    assert not doctest.testmod(png_writing).failed
    assert not doctest.testmod(png).failed

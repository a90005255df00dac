"""PNG written fast: every reader gets the array back."""

from __future__ import annotations

import doctest
import io

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

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

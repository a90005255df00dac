"""The resize of bytes in fixed point: bytes of the definition for every table, image and level, and for windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cases import REAL_DTYPES, assert_equal_arrays, examples, values

from offgraph import _native
from offgraph.core.threads import num_threads
from offgraph.engine.resize import KERNELS, resize, resize_reference

LENGTHS = st.one_of(st.integers(1, 6), st.integers(1, 40), st.integers(40, 130))


def _noise(shape, seed):
    return np.random.default_rng(seed).integers(0, 256, shape)


IMAGES = {
    "noise": _noise,
    "black and white": lambda shape, seed: _noise(shape, seed) % 2 * 255,
    "constant": lambda shape, seed: np.full(shape, seed % 256),
    "checkerboard": lambda shape, seed: np.indices(shape)[:2].sum(axis=0) % 2 * 255,
    "rows": lambda shape, seed: np.indices(shape)[0] % 2 * (1 + seed % 255),
    "columns": lambda shape, seed: np.indices(shape)[1] % 2 * (1 + seed % 255),
    "ramp": lambda shape, seed: np.indices(shape)[:2].sum(axis=0) * (1 + seed % 7) % 256,
    "steps": lambda shape, seed: np.where(np.indices(shape)[1] < shape[1] // 2, 0, 255),
}


@st.composite
def _windows(draw, size):
    if draw(st.booleans()):
        return None
    window = []
    for length in size:
        start = draw(st.integers(0, length - 1))
        window.append((start, draw(st.integers(1, length - start))))
    return tuple(window)


def _agrees(image, size, *, window=None, **options):
    expected = resize_reference(image, size, **options)
    if window is not None:
        inside = [slice(start, start + length) for start, length in window]
        expected = expected[tuple(inside)].copy()
    for threads in (1, 2):
        with num_threads(threads):
            assert_equal_arrays(resize(image, size, window=window, **options), expected)


@examples(60)
@given(
    st.data(),
    st.tuples(LENGTHS, LENGTHS),
    st.tuples(LENGTHS, LENGTHS),
    st.sampled_from([1, 2, 3, 4, 7]),
    st.sampled_from(sorted(IMAGES)),
    st.sampled_from(sorted(KERNELS)),
    st.booleans(),
    st.integers(0, 999),
)
def test_bytes_of_the_definition(data, before, after, channels, kind, kernel, antialias, seed):
    image = IMAGES[kind]((*before, channels), seed).astype(np.uint8)
    window = data.draw(_windows(after))
    for level in ("baseline", "avx2", "avx512"):
        # A level that the processor lacks is the widest that it has.
        level_before = _native.build_info()["simd"]
        _native.set_simd_level(level)
        try:
            _agrees(image, after, axes=(0, 1), kernel=kernel, antialias=antialias, window=window)
        finally:
            _native.set_simd_level(level_before)


@pytest.mark.parametrize("kind", sorted(IMAGES))
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((150, 200), (75, 100)),  # all weights exact: nothing is in doubt
        ((60, 70), (120, 140)),
        ((150, 201), (64, 100)),  # ties along one axis, inexact weights along the other
        ((97, 101), (97, 101)),
        ((640, 500), (60, 31)),
    ],
)
def test_ties_and_exact_tables(simd_level, kind, before, after):
    for shape in (before, (*before, 3)):
        _agrees(IMAGES[kind](shape, 76).astype(np.uint8), after, axes=(0, 1))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("height", [374, 375])
def test_many_doubts_close_together(simd_level, channels, height):
    """Ties in a few columns: in doubt are most results of a few registers, but few results of a row."""
    image = _noise((height, 500, channels), 3)
    image[:, 101:149] = np.arange(48)[None, :, None] % 2 * 255
    _agrees(image.astype(np.uint8), (224, 250), axes=(0, 1))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("taps", [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33])
def test_every_number_of_taps_and_of_rows(simd_level, channels, taps):
    """Sums of eight taps at a time in `f64`, and pairs of rows of which one may be missing."""
    for height in (1, 2, 3, 60, 61):
        image = _noise((height, 100, channels), taps).astype(np.uint8)
        after = (max(1, 2 * height // 3), max(1, 199 // taps))
        for kernel in ("triangle", "cubic"):
            _agrees(image, after, axes=(0, 1), kernel=kernel)


def test_planes_before_and_after_the_spatial_axes(simd_level):
    image = _noise((5, 60, 70, 3), 1).astype(np.uint8)
    _agrees(image, (31, 90), axes=(1, 2))
    _agrees(image, (33, 2), axes=(2, 1))
    _agrees(image[..., 0], (31, 90), axes=(1, 2))
    _agrees(image[:, ::2, ::-1], (31, 90), axes=(1, 2))
    _agrees(image.transpose(3, 1, 2, 0), (31, 20), axes=(1, 2))
    # More intermediate rows than are kept for all planes at once.
    _agrees(_noise((40, 300, 16, 3), 2).astype(np.uint8), (3, 600), axes=(1, 2))


def test_nothing_after_the_last_row_is_read(simd_level):
    """The loops read whole registers: the image ends where its memory does."""
    for width in range(1, 40):
        image = np.frombuffer(bytes(range(256)) * width, np.uint8)[-8 * width * 3 :].reshape(8, width, 3)
        _agrees(image, (5, 7), axes=(0, 1))


@examples(60)
@given(st.data(), st.sampled_from(REAL_DTYPES), st.integers(2, 3), st.sampled_from(sorted(KERNELS)))
def test_a_window_is_a_part_of_the_whole(data, dtype, rank, kernel):
    image = values((*(9, 12, 7)[:rank], 2), dtype, rank)
    size = tuple(data.draw(st.lists(st.integers(1, 15), min_size=rank, max_size=rank)))
    window = data.draw(_windows(size)) or tuple((0, length) for length in size)
    axes = tuple(range(rank))
    whole = resize(image, size, axes=axes, kernel=kernel)
    part = resize(image, size, axes=axes, kernel=kernel, window=window)
    inside = tuple(slice(start, start + length) for start, length in window)
    assert_equal_arrays(part, whole[inside].copy())


@pytest.mark.parametrize("window", [((0, 3), (2, 0)), ((0, 3), (-1, 2)), ((0, 4), (0, 3)), ((0, 3),)])
def test_windows_outside_the_result_are_refused(window):
    with pytest.raises(ValueError, match="does not lie inside the result"):
        resize(np.zeros((4, 4)), (3, 3), axes=(0, 1), window=window)

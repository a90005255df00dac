"""Zoom and shift of order 2 and above against live SciPy, where values are guessed axis by axis and repaired."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cases import MODES, assert_equal_arrays, assert_same, examples, outcome, values

from offgraph import ndimage
from offgraph.core.threads import num_threads
from offgraph.engine.resample import zoom_planes

REAL = ("?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")


def make_image(shape: tuple[int, ...], dtype: str, kind: str) -> np.ndarray:
    """Noise, or what puts guesses in doubt."""
    image = values(shape, dtype, 5)
    rows = np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    match kind:
        case "black":
            # Beside content the result decays below everything that a float32 holds.
            image[shape[0] // 4 :] = 0
            image[:, shape[1] // 4 :] = 0
        case "ramp":
            # Between samples it lies halfway between two elements.
            image[...] = (rows / 255 if dtype == "f4" else rows).astype(dtype)
        case "steps":
            image[...] = np.where(rows % 2, 100, 101).astype(dtype)
        case "cancelling":
            image[...] = np.where(image > 30, *((1e30, -1e30) if dtype == "f4" else (255, 0)))
        case "special":
            image[3:5] = np.nan
            image[9, 1] = np.inf
    return image


@pytest.mark.parametrize("kind", ["noise", "black", "ramp", "steps", "cancelling", "special"])
@pytest.mark.parametrize("channels", [None, 3, 7])
def test_images_on_every_level(simd_level, kind, channels):
    shape = (31, 75) if channels is None else (31, 45, channels)
    stay = () if channels is None else (1,)
    for dtype in ("u1", "f4"):
        if kind == "special" and dtype != "f4":
            continue
        image = make_image(shape, dtype, kind)
        for order in (2, 3, 5):
            for factor in ((0.43, 0.61), (2, 1.3)):
                expected = scipy.ndimage.zoom(image, factor + stay, order=order)
                for threads in (1, 2):
                    with num_threads(threads):
                        assert_equal_arrays(ndimage.zoom(image, factor + stay, order=order), expected)
        if kind != "special":
            moved = (0.5, -3.3) if channels is None else (0.5, -3.3, 0)
            assert_equal_arrays(ndimage.shift(image, moved), scipy.ndimage.shift(image, moved))


@pytest.mark.parametrize("size", [3e-45, 2e-44, 1e-36, 1e-25])
def test_zeros_have_their_sign(size):
    """Of the smallest numbers sums lie on either side of zero, by less than a guess is off, and are stored as zeros."""
    for seed in range(50):
        image = np.random.default_rng(seed).standard_normal((40, 60))
        image[10:30, 10:50] = 0
        image = (image * size).astype(np.float32)
        assert ndimage.zoom(image, 0.7).tobytes() == scipy.ndimage.zoom(image, 0.7).tobytes()
        turned = scipy.ndimage.rotate(image, 33, reshape=False)
        assert ndimage.rotate(image, 33, reshape=False).tobytes() == turned.tobytes()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["u1", "f4"])
@pytest.mark.filterwarnings("ignore:It is recommended")
def test_modes(mode, dtype):
    for shape, factor in (
        ((37, 45), (1.3, 0.6)),
        ((37, 45, 3), (1.3, 0.6, 1)),
        ((3, 37, 45), (1, 2, 0.6)),
        ((21, 30, 3), (1, 0.6, 1)),
        ((13, 12, 14), 1.4),
        ((500,), 0.7),
    ):
        image = make_image(shape, dtype, "noise")
        for order in (2, 3, 5):
            options = {"order": order, "mode": mode, "cval": 7.3}
            expected = scipy.ndimage.zoom(image, factor, grid_mode=True, **options)
            assert_equal_arrays(ndimage.zoom(image, factor, grid_mode=True, **options), expected)
            expected = scipy.ndimage.shift(image, 2.25, **options)
            assert_equal_arrays(ndimage.shift(image, 2.25, **options), expected)


@examples(150)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=2),
    st.sampled_from(REAL),
    st.sampled_from(("plain", "flat", "extreme", "special")),
    st.sampled_from((0, 1, 3, 4, 7)),
    st.integers(2, 5),
    st.sampled_from(MODES),
    st.floats(0.2, 3),
    st.sampled_from(REAL),
    st.sampled_from((0.0, -1.5, 1e30, float("nan"))),
    st.integers(0, 2**32 - 1),
)
def test_zoom_into_any_type(sizes, dtype, kind, channels, order, mode, factor, to, fill, seed):
    shape = (*sizes, channels) if channels else tuple(sizes)
    image = values(shape, dtype, seed, kind)
    factors = [factor] * len(sizes) + [1] * bool(channels)
    options = {"output": np.dtype(to), "order": order, "mode": mode, "cval": fill}
    assert_same(
        outcome(ndimage.zoom, image, factors, **options),
        outcome(scipy.ndimage.zoom, image, factors, **options),
    )


@pytest.mark.parametrize("mode", ["grid-constant", "mirror", "nearest", "reflect"])
def test_planes_share_their_tables(mode):
    image = values((4, 30, 5, 41, 3), "f4", 8)
    ours = zoom_planes(image, (50, 23), axes=(1, 3), order=3, mode=mode, grid_mode=True)
    for at in np.ndindex(4, 5, 3):
        plane = (at[0], slice(None), at[1], slice(None), at[2])
        factors = (50 / 30, 23 / 41)
        expected = scipy.ndimage.zoom(image[plane], factors, order=3, mode=mode, grid_mode=True)
        assert_equal_arrays(np.ascontiguousarray(ours[plane]), expected)


@pytest.mark.parametrize("channels", [1, 2, 4, 9])
@pytest.mark.parametrize("order", [2, 3, 4, 5])
def test_channels_in_every_type(channels, order):
    for dtype in REAL:
        image = values((23, 37, channels), dtype, 6)
        options = {"order": order, "mode": "mirror"}
        expected = scipy.ndimage.zoom(image, (0.7, 1.3, 1), **options)
        assert_equal_arrays(ndimage.zoom(image, (0.7, 1.3, 1), **options), expected)


def test_an_output_that_is_the_image():
    image = values((30, 40, 3), "f4", 9)
    expected = scipy.ndimage.shift(image, (1.5, 2.5, 0))
    ndimage.shift(image, (1.5, 2.5, 0), output=image)
    assert_equal_arrays(image, expected)

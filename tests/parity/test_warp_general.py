"""Warps of any order on one to three axes, and at lists of points, against live SciPy: all taps inside, and borders."""

from __future__ import annotations

import unittest.mock

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cases import MODES, assert_equal_arrays, assert_same, examples, laid_out, outcome

from offgraph import ndimage
from offgraph.core.threads import num_threads
from offgraph.engine import resample

dtypes = st.sampled_from((np.uint8, np.uint16, np.int16, np.int64, np.float32, np.float64))
seeds = st.integers(0, 2**32 - 1)
modes = st.sampled_from(MODES)
orders = st.integers(0, 5)
fills = st.sampled_from((0.0, 2.5, -1.0, np.nan))
# Longer than a register, with odd tails; shorter than the taps of an order.
lengths = st.one_of(st.integers(1, 7), st.integers(8, 41))
entries = st.sampled_from((0.0, 0.05, -0.1, 0.5, 1.0, 1.0, -1.0, 0.93))


def image_of(seed, shape, dtype):
    """Noise beside a flat half, where sums lie on rounding boundaries; values of one magnitude and, in floats, of others."""
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, shape).astype(np.float64)
    image[..., shape[-1] // 2 :] = image.flat[0]
    if np.issubdtype(dtype, np.floating) and seed % 2:
        image *= random.choice([1e-30, 1.0, 1e30], shape)
    return image.astype(dtype)


@pytest.mark.usefixtures("simd_level")
class TestEveryLevel:
    @examples(60)
    @given(st.data(), seeds, st.lists(lengths, min_size=1, max_size=3), dtypes, orders, modes, fills)
    def test_affine(self, data, seed, shape, dtype, order, mode, cval):
        image, n = image_of(seed, shape, dtype), len(shape)
        matrix = (
            np.eye(n) + np.reshape(data.draw(st.lists(entries, min_size=n * n, max_size=n * n)), (n, n)) / 4
        )
        offset = data.draw(st.lists(st.sampled_from((0.0, 0.5, -1.25, 3.0)), min_size=n, max_size=n))
        options = {"offset": offset, "order": order, "mode": mode, "cval": cval}
        with np.errstate(invalid="ignore"):
            assert_same(
                outcome(ndimage.affine_transform, image, matrix, **options),
                outcome(scipy.ndimage.affine_transform, image, matrix, **options),
            )

    @examples(60)
    @given(
        seeds,
        lengths,
        lengths,
        st.sampled_from((1, 2, 3, 4, 7)),
        dtypes,
        st.floats(-180, 180),
        orders,
        modes,
        st.sampled_from(("C", "F", "strided", "transposed")),
        st.booleans(),
    )
    def test_rotate_with_channels(
        self, seed, height, width, planes, dtype, angle, order, mode, layout, one_by_one
    ):
        image = laid_out(image_of(seed, (height, width, planes), dtype), layout)
        options = {"reshape": False, "order": order, "mode": mode, "cval": 1.5}
        most = 0 if one_by_one else resample._MOST_COEFFICIENTS
        with unittest.mock.patch.object(resample, "_MOST_COEFFICIENTS", most):
            result = ndimage.rotate(image, angle, **options)
        assert_equal_arrays(result, scipy.ndimage.rotate(image, angle, **options))

    @examples(80)
    @given(
        seeds,
        st.lists(lengths, min_size=1, max_size=3),
        st.sampled_from(((1,), (3,), (70,), (515,), (1040, 1), (9, 130), (3, 2, 5))),
        dtypes,
        st.sampled_from(("f4", "f8", "f8", "i4", "u1")),
        st.sampled_from(("C", "F", "strided", "transposed", "swapped", "readonly")),
        st.sampled_from((0.0, 0.02, 0.5)),
        orders,
        modes,
        fills,
    )
    def test_lists_of_points(self, seed, shape, at, dtype, kind, layout, outside, order, mode, cval):
        image, random = image_of(seed, shape, dtype), np.random.default_rng(seed)
        ends = np.array(shape, dtype=float).reshape(-1, *[1] * len(at)) - 1
        points = random.uniform(0, 1, (len(shape), *at)) * ends
        points = np.where(random.random(points.shape) < 0.2, np.round(points * 2) / 2, points)
        away = random.random(points.shape) < outside
        points = np.where(away, random.uniform(-30, 60, points.shape), points)
        points = laid_out(points.clip(0 if kind == "u1" else -np.inf).astype(kind), layout)
        options = {"order": order, "mode": mode, "cval": cval}
        with np.errstate(invalid="ignore"):
            assert_same(
                outcome(ndimage.map_coordinates, image, points, **options),
                outcome(scipy.ndimage.map_coordinates, image, points, **options),
            )

    @pytest.mark.parametrize("order", range(6))
    @pytest.mark.parametrize("mode", MODES)
    def test_points_that_are_no_numbers_leave_their_neighbours_alone(self, order, mode):
        image = image_of(3, (20, 30), np.float32)
        points = np.random.default_rng(1).uniform(3, 15, (2, 700))
        expected = scipy.ndimage.map_coordinates(image, points, order=order, mode=mode)
        points[0, ::97], points[1, 5::97], points[0, 7::97] = np.nan, np.inf, -1e300
        odd = ~np.isfinite(points).all(axis=0) | (np.abs(points) > 1e9).any(axis=0)
        result = ndimage.map_coordinates(image, points, order=order, mode=mode)
        assert_equal_arrays(result[~odd], expected[~odd])


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_any_number_of_threads(order, dtype):
    image = image_of(4, (40, 50, 60), dtype)
    matrix = np.eye(3) + 0.04
    points = np.random.default_rng(2).uniform(-3, 62, (3, 9000))
    affine = scipy.ndimage.affine_transform(image, matrix, order=order)
    mapped = scipy.ndimage.map_coordinates(image, points, order=order)
    turned = scipy.ndimage.rotate(image, 20, axes=(1, 2), reshape=False, order=order)
    for count in (1, 2):
        with num_threads(count):
            assert_equal_arrays(ndimage.affine_transform(image, matrix, order=order), affine)
            assert_equal_arrays(ndimage.map_coordinates(image, points, order=order), mapped)
            assert_equal_arrays(ndimage.rotate(image, 20, axes=(1, 2), reshape=False, order=order), turned)


@pytest.mark.parametrize("order", [1, 3])
def test_many_planes_are_turned_some_at_a_time(order):
    image = image_of(5, (300, 33, 47), np.float32)
    for axes in ((1, 2), (0, 1), (0, 2)):
        options = {"axes": axes, "reshape": False, "order": order}
        assert_equal_arrays(ndimage.rotate(image, 7, **options), scipy.ndimage.rotate(image, 7, **options))

"""Many images in one call: each has the bytes of SciPy's call for it alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cases import MODES, assert_equal_arrays, examples

from offgraph import ndimage
from offgraph.core.threads import num_threads
from offgraph.ndimage import batch

seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from((np.uint8, np.int16, np.float32, np.float64, np.complex64))
modes = st.sampled_from(MODES)
orders = st.sampled_from((0, 1, 1, 1, 3))
counts = st.integers(1, 6)
threads = st.sampled_from((1, 2))


def make_images(random, count, height, width, planes, dtype):
    images = random.integers(0, 256, (count, height, width, planes))
    images[:, :, width // 2 :] = images[:, :1, :1]
    return images.astype(dtype)


@pytest.mark.usefixtures("simd_level")
class TestEveryLevel:
    @examples(40)
    @given(
        seeds,
        counts,
        st.integers(1, 40),
        st.integers(1, 70),
        st.sampled_from((1, 3, 4, 7)),
        dtypes,
        orders,
        modes,
        threads,
    )
    def test_rotate(self, seed, count, height, width, planes, dtype, order, mode, thread_count):
        random = np.random.default_rng(seed)
        images = make_images(random, count, height, width, planes, dtype)
        angles = np.where(
            random.random(count) < 0.3, random.integers(-4, 5, count) * 45, random.normal(0, 90, count)
        )
        options = {"order": order, "mode": mode, "cval": 2.5}
        with num_threads(thread_count):
            turned = batch.rotate(images, angles, **options)
        expected = [
            scipy.ndimage.rotate(image, angle, reshape=False, **options)
            for image, angle in zip(images, angles)
        ]
        assert_equal_arrays(turned, np.array(expected))

    @examples(30)
    @given(seeds, counts, st.integers(1, 30), st.integers(1, 70), dtypes, orders, modes, threads)
    def test_affine_transform(self, seed, count, height, width, dtype, order, mode, thread_count):
        random = np.random.default_rng(seed)
        images = make_images(random, count, height, width, 3, dtype)
        matrices, offsets = random.normal(0, 1, (count, 2, 2)), random.normal(0, 5, (count, 2))
        options = {"order": order, "mode": mode, "output_shape": (9, 40)}
        with num_threads(thread_count):
            moved = batch.affine_transform(images, matrices, offsets, axes=(0, 1), **options)
        assert moved.shape == (count, 9, 40, 3)
        for image, result, matrix, offset in zip(images, moved, matrices, offsets):
            for plane in range(3):
                expected = scipy.ndimage.affine_transform(image[..., plane], matrix, offset, **options)
                assert_equal_arrays(result[..., plane], expected)

    @examples(30)
    @given(
        seeds,
        counts,
        st.integers(1, 30),
        st.integers(1, 70),
        dtypes,
        orders,
        modes,
        st.floats(0.1, 3),
        threads,
    )
    def test_zoom(self, seed, count, height, width, dtype, order, mode, factor, thread_count):
        images = make_images(np.random.default_rng(seed), count, height, width, 3, dtype)
        options = {"order": order, "mode": mode}
        with num_threads(thread_count):
            zoomed = batch.zoom(images, (factor, 1.3), axes=(0, 1), **options)
        for image, result in zip(images, zoomed):
            for plane in range(3):
                expected = scipy.ndimage.zoom(image[..., plane], (factor, 1.3), **options)
                assert_equal_arrays(result[..., plane], expected)

    @examples(60)
    @given(
        seeds,
        counts,
        st.integers(1, 40),
        st.integers(1, 70),
        st.sampled_from((None, 1, 3, 4, 7)),
        modes,
        st.sampled_from(("in one piece", "reversed", "transposed")),
        threads,
    )
    def test_small_bytes(self, seed, count, height, width, planes, mode, layout, thread_count):
        random = np.random.default_rng(seed)
        images = make_images(random, count, height, width, planes or 1, np.uint8)
        images = images[..., 0] if planes is None else images
        if layout == "reversed":
            images = images[:, ::-1, ::-1]
        elif layout == "transposed":
            images = images.swapaxes(1, 2)
        # Halves, quarters and whole steps put sums on rounding boundaries.
        steps = np.where(random.random((count, 2, 2)) < 0.5, 4, 1000)
        matrices = np.round(random.normal(0, 0.8, (count, 2, 2)) * steps) / steps
        offsets = np.round(random.normal(0, 8, (count, 2)) * 4) / 4
        angles = random.choice((0, 30, 45, 90, 33.3, -120.7), count)
        options = {"order": 1, "mode": mode, "cval": 7.5}
        with num_threads(thread_count):
            moved = batch.affine_transform(images, matrices, offsets, axes=(0, 1), **options)
            turned = batch.rotate(images, angles, **options)
        for image, result, matrix, offset in zip(images, moved, matrices, offsets):
            for plane in range(planes or 1):
                one = image if planes is None else image[..., plane]
                found = result if planes is None else result[..., plane]
                expected = scipy.ndimage.affine_transform(one, matrix, offset, **options)
                assert_equal_arrays(found, expected)
                assert_equal_arrays(ndimage.affine_transform(one, matrix, offset, **options), expected)
        for image, result, angle in zip(images, turned, angles):
            expected = scipy.ndimage.rotate(image, angle, reshape=False, **options)
            assert_equal_arrays(result, expected)
            assert_equal_arrays(ndimage.rotate(image, angle, reshape=False, **options), expected)


def test_whole_degrees_and_numbers_of_other_types():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    for angle in (33, -33, 0, 10**6, 2**60, np.int8(33), np.float32(33.3), True):
        expected = scipy.ndimage.rotate(image, angle, order=1)
        assert_equal_arrays(ndimage.rotate(image, angle, order=1), expected)


def test_one_angle_and_one_map_serve_all():
    images = make_images(np.random.default_rng(0), 4, 20, 30, 3, np.uint8)
    assert_equal_arrays(batch.rotate(images, 30, order=1), batch.rotate(images, [30] * 4, order=1))
    matrix: Any = np.array([[0.9, 0.1, 0], [0, 1.1, 0], [0, 0, 1]])
    offset: Any = [1, 2, 0]
    moved = batch.affine_transform(images, matrix, offset, order=1)
    for image, result in zip(images, moved):
        assert_equal_arrays(result, ndimage.affine_transform(image, matrix, offset, order=1))
    for image, result in zip(images, batch.zoom(images, (0.5, 2, 1), order=1)):
        assert_equal_arrays(result, ndimage.zoom(image, (0.5, 2, 1), order=1))


def test_planes_of_a_volume_and_other_axes():
    volumes = np.random.default_rng(1).integers(0, 255, (3, 6, 20, 18)).astype(np.uint8)
    turned = batch.rotate(volumes, [5, 50, 95], axes=(0, 2), order=1)
    for volume, result, angle in zip(volumes, turned, [5, 50, 95]):
        expected = scipy.ndimage.rotate(volume, angle, axes=(0, 2), reshape=False, order=1)
        assert_equal_arrays(result, expected)


@pytest.mark.parametrize("shape", [(0, 8, 8, 3), (3, 0, 8), (3, 8, 8, 0)])
def test_nothing_to_turn(shape):
    assert batch.rotate(np.zeros(shape, np.uint8), 30, order=1).shape == shape
    assert batch.affine_transform(np.zeros(shape), np.eye(2), axes=(0, 1), order=1).shape == shape


def test_what_does_not_fit_is_refused():
    images = np.zeros((3, 5, 6, 2), np.uint8)
    with pytest.raises(ValueError, match="angles of shape"):
        batch.rotate(images, [1, 2], order=1)
    with pytest.raises(ValueError, match="invalid rotation plane"):
        batch.rotate(images, 1, axes=(0, 3))
    with pytest.raises(ValueError, match="at least 2D"):
        batch.rotate(images[:, 0, :, 0], 1)
    with pytest.raises(ValueError, match="matrices of shape"):
        batch.affine_transform(images, np.eye(2))
    with pytest.raises(ValueError, match="offsets of shape"):
        batch.affine_transform(images, np.eye(2), np.zeros((2, 2)), axes=(0, 1))
    with pytest.raises(ValueError, match="output_shape"):
        batch.affine_transform(images, np.eye(2), output_shape=(3,), axes=(0, 1))
    with pytest.raises(RuntimeError, match="order"):
        batch.zoom(images, 2, order=6)
    with pytest.raises(RuntimeError, match="sequence argument"):
        batch.zoom(images, (2, 2), order=1)
    with pytest.raises(RuntimeError, match="boundary mode"):
        batch.rotate(images, 1, mode="no such mode")

"""Order 1 in blocks against live SciPy: longer than any register, odd tails, ties, flat areas, and every border."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cases import MODES, assert_equal_arrays, examples

from offgraph import ndimage
from offgraph.core.threads import num_threads
from offgraph.engine.resample import affine_planes

dtypes = st.sampled_from((np.uint8, np.uint8, np.uint16, np.int16, np.float32, np.float64))
channels = st.sampled_from((1, 2, 3, 4, 7))
seeds = st.integers(0, 2**32 - 1)
modes = st.sampled_from(MODES)
fills = st.sampled_from((0.0, 2.5, 254.5, 300.0, -1.0))
# Multiples of 45 degrees and of one half put points on samples and half way: sums on rounding boundaries.
angles = st.one_of(st.floats(-180, 180), st.integers(-8, 8).map(lambda n: n * 45))


def make_image(seed, height, width, planes, dtype):
    """Noise beside a flat half and a few values one apart, where blends lie on rounding boundaries."""
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (height, width, planes))
    image[:, width // 2 :] = image[0, 0]
    image[height // 2 :, width // 2 :] += random.integers(0, 2, image[height // 2 :, width // 2 :].shape)
    return np.clip(image, 0, 255).astype(dtype)


@pytest.mark.usefixtures("simd_level")
class TestEveryLevel:
    @examples(60)
    @given(
        seeds, st.integers(1, 50), st.integers(1, 110), channels, dtypes, angles, modes, fills, st.booleans()
    )
    def test_rotate(self, seed, height, width, planes, dtype, angle, mode, cval, reshape):
        image = make_image(seed, height, width, planes, dtype)
        options = {"reshape": reshape, "order": 1, "mode": mode, "cval": cval}
        assert_equal_arrays(
            ndimage.rotate(image, angle, **options), scipy.ndimage.rotate(image, angle, **options)
        )

    @examples(60)
    @given(
        seeds,
        st.tuples(st.integers(1, 24), st.integers(1, 24), st.integers(1, 170)),
        st.permutations((0, 1, 2)),
        st.sampled_from(((0, 1), (0, 2), (1, 2))),
        dtypes,
        angles,
        modes,
        fills,
    )
    def test_rotate_a_volume(self, seed, shape, order_in_memory, axes, dtype, angle, mode, cval):
        # Planes in front, in between or after, side by side or apart; rows longer than what is fetched at a time.
        height, width, planes = np.take(shape, order_in_memory)
        volume = make_image(seed, height, width, planes, dtype)
        volume = volume.transpose(np.argsort(order_in_memory))
        options = {"axes": axes, "reshape": False, "order": 1, "mode": mode, "cval": cval}
        assert_equal_arrays(
            ndimage.rotate(volume, angle, **options), scipy.ndimage.rotate(volume, angle, **options)
        )

    @examples(60)
    @given(
        seeds,
        st.integers(1, 40),
        st.integers(1, 110),
        channels,
        dtypes,
        st.integers(1, 60),
        st.integers(1, 130),
        modes,
        fills,
        st.booleans(),
    )
    def test_zoom(self, seed, height, width, planes, dtype, down, right, mode, cval, grid_mode):
        image = make_image(seed, height, width, planes, dtype)
        factors = (down / height, right / width, 1)
        options = {"order": 1, "mode": mode, "cval": cval, "grid_mode": grid_mode}
        assert_equal_arrays(
            ndimage.zoom(image, factors, **options), scipy.ndimage.zoom(image, factors, **options)
        )

    @examples(60)
    @given(
        seeds,
        channels,
        dtypes,
        st.lists(st.sampled_from((0.0, 1.0, -1.0, 0.5, 0.2, 1.3)), min_size=4, max_size=4),
        st.lists(st.sampled_from((0.0, 0.5, 7.25, -3.1)), min_size=2, max_size=2),
        st.sampled_from((0, 1)),
        st.sampled_from((0, 1, 2)),
        modes,
        fills,
    )
    def test_matrix_that_leaves_an_axis_alone(
        self, seed, planes, dtype, turn, offset, order, axis, mode, cval
    ):
        image = np.moveaxis(make_image(seed, 21, 67, planes, dtype), 2, axis)
        moving = [other for other in range(3) if other != axis]
        matrix = np.eye(3)
        matrix[np.ix_(moving, moving)] = np.reshape(turn, (2, 2))
        start = np.zeros(3)
        start[moving] = offset
        options = {"offset": start, "order": order, "mode": mode, "cval": cval}
        assert_equal_arrays(
            ndimage.affine_transform(image, matrix, **options),
            scipy.ndimage.affine_transform(image, matrix, **options),
        )

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_values_that_are_no_numbers(self, mode, value):
        image = make_image(3, 20, 70, 3, np.float32)
        image[4, 9, 1] = image[-1, -1, 2] = image[0, 40, 0] = value
        with np.errstate(invalid="ignore"):
            for call in (
                lambda ndi: ndi.rotate(image, 90, order=1, mode=mode),
                lambda ndi: ndi.rotate(image, 20.5, order=1, mode=mode),
                lambda ndi: ndi.zoom(image, (1.7, 0.4, 1), order=1, mode=mode),
                lambda ndi: ndi.affine_transform(image, np.diag([1, 1.0, 1]), order=1, mode=mode),
            ):
                assert_equal_arrays(call(ndimage), call(scipy.ndimage))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_any_number_of_threads_and_any_strides(dtype):
    image = make_image(5, 400, 500, 3, dtype)
    expected = scipy.ndimage.rotate(image, 12.5, order=1)
    for view in (
        image,
        np.asfortranarray(image),
        image[::-1][::-1],
        image.transpose(2, 0, 1).copy().transpose(1, 2, 0),
    ):
        for count in (1, 2):
            with num_threads(count):
                assert_equal_arrays(ndimage.rotate(view, 12.5, order=1), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("axes", [(0, 1), (0, 2), (1, 2)])
def test_volumes_of_more_planes_than_are_turned_together(dtype, axes):
    volume = make_image(7, 60, 61, 62, dtype)
    expected = scipy.ndimage.rotate(volume, 20, axes=axes, reshape=False, order=1)
    for count in (1, 2):
        with num_threads(count):
            assert_equal_arrays(ndimage.rotate(volume, 20, axes=axes, reshape=False, order=1), expected)


def test_planes_in_front_share_points():
    image = make_image(6, 90, 70, 5, np.uint8).transpose(2, 0, 1)
    matrix, offset = np.array([[0.9, 0.2], [-0.2, 0.9]]), [3.5, 8.0]
    ours = affine_planes(image, matrix, offset, (90, 70), axes=(1, 2), order=1, mode="nearest")
    for plane, result in zip(image, ours):
        expected = scipy.ndimage.affine_transform(plane, matrix, offset, (90, 70), order=1, mode="nearest")
        assert_equal_arrays(result, expected)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

import offgraph as og

CASES = {
    2: [og.Dilate(), og.Dilate(2, connectivity=2)],
    3: [og.Dilate(), og.Dilate(2, connectivity=3)],
}


def make_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return ((rng.random(shape) < 0.2) * rng.integers(1, 4, shape)).astype(dtype)


LABELS = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.sampled_from([0, 1, 1, 1, 2])
)


@given(LABELS, st.integers(1, 4), st.sampled_from([1, 2]))
def test_its_definition(labels, iterations, connectivity):
    step = og.Dilate(iterations, connectivity)
    out = og.Compose([step])(image=labels).image
    np.testing.assert_array_equal(out, step.reference(ndimage, labels, {}))


@pytest.mark.parametrize("size", [(5, 5), (0, 7), (1, 1)])
def test_nothing_and_one_object_that_fills_the_image(size):
    for value in (0, 7):
        labels = np.full(size, value, np.uint16)
        out = og.Compose([og.Dilate(3)])(image=labels).image
        assert out.dtype == np.uint16
        np.testing.assert_array_equal(out, labels)


def test_labels_that_floats_do_not_hold():
    labels = np.zeros((7, 7), np.int64)
    labels[2:5, 1:3], labels[2:5, 3:6] = (1 << 60) + 1, (1 << 60) + 2
    small = np.where(labels == 0, 0, labels - (1 << 60)).astype(np.uint8)
    out, alike = (og.Compose([og.Dilate()])(image=each).image for each in (labels, small))
    np.testing.assert_array_equal(out, np.where(alike == 0, 0, alike.astype(np.int64) + (1 << 60)))


def test_any_number_of_iterations():
    labels = np.zeros((9, 9), np.uint8)
    labels[3:6, 3:6] = 1
    many, enough = (og.Compose([og.Dilate(n)])(image=labels).image for n in (1 << 30, 40))
    np.testing.assert_array_equal(many, enough)


def test_the_nearer_label_takes_a_pixel_and_of_equal_ones_the_smaller():
    labels = np.array([[5, 0, 0, 0, 2, 0, 0, 9]], np.uint8)
    assert og.Compose([og.Dilate(9)])(image=labels).image.tolist() == [[5, 5, 2, 2, 2, 2, 9, 9]]


def test_a_hundred_thousand_objects():
    labels = np.zeros((948, 948), np.int32)
    labels[1::3, 1::3] = np.arange(1, 316 * 316 + 1).reshape(316, 316)
    out = og.Compose([og.Dilate(1, connectivity=2)])(image=labels).image
    np.testing.assert_array_equal(np.bincount(out.ravel()), [0, *[9] * 316**2])

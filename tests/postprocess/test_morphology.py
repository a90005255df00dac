"""What Erode, Dilate, Open and Close have in common."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

import offgraph as og

LABELS = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.sampled_from([0, 1, 1, 1, 2])
)
STEPS = pytest.mark.parametrize("kind", [og.Erode, og.Dilate, og.Open, og.Close])


@STEPS
@given(LABELS, st.integers(1, 4), st.sampled_from([1, 2]))
def test_its_definition(kind, labels, iterations, connectivity):
    step = kind(iterations, connectivity)
    out = og.Compose([step])(image=labels).image
    np.testing.assert_array_equal(out, step.reference(ndimage, labels, {}))


@STEPS
@pytest.mark.parametrize("size", [(5, 5), (0, 7), (1, 1)])
def test_nothing_and_one_object_that_fills_the_image(kind, size):
    for value in (0, 7):
        labels = np.full(size, value, np.uint16)
        out = og.Compose([kind(3)])(image=labels).image
        assert out.dtype == np.uint16
        np.testing.assert_array_equal(out, labels)


@STEPS
def test_labels_that_floats_do_not_hold(kind):
    labels = np.zeros((7, 7), np.int64)
    labels[2:5, 1:3], labels[2:5, 3:6] = (1 << 60) + 1, (1 << 60) + 2
    small = np.where(labels == 0, 0, labels - (1 << 60)).astype(np.uint8)
    out, alike = (og.Compose([kind()])(image=each).image for each in (labels, small))
    np.testing.assert_array_equal(out, np.where(alike == 0, 0, alike.astype(np.int64) + (1 << 60)))


@STEPS
def test_any_number_of_iterations(kind):
    labels = np.zeros((9, 9), np.uint8)
    labels[3:6, 3:6] = 1
    many, enough = (og.Compose([kind(n)])(image=labels).image for n in (1 << 30, 40))
    np.testing.assert_array_equal(many, enough)

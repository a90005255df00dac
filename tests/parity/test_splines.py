"""Spline filters against live SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cases import (
    MODES,
    arrays,
    assert_equal_arrays,
    assert_same,
    examples,
    laid_out,
    outcome,
    output_forms,
    values,
)

from offgraph import ndimage
from offgraph.core.threads import num_threads

any_mode = st.sampled_from((*MODES, "no such mode"))


@examples(300)
@given(
    arrays(min_dims=0, min_size=0, max_size=12),
    st.integers(-1, 6),
    st.integers(-3, 3),
    output_forms(),
    any_mode,
)
def test_spline_filter1d(image, order, axis, form, mode):
    assert_same(
        outcome(ndimage.spline_filter1d, image, order, axis, form.make(image.shape), mode),
        outcome(scipy.ndimage.spline_filter1d, image, order, axis, form.make(image.shape), mode),
    )


@examples(300)
@given(arrays(min_dims=0, min_size=0), st.integers(1, 6), output_forms(), any_mode)
def test_spline_filter(image, order, form, mode):
    assert_same(
        outcome(ndimage.spline_filter, image, order, form.make(image.shape), mode),
        outcome(scipy.ndimage.spline_filter, image, order, form.make(image.shape), mode),
    )


@pytest.mark.parametrize("mode", ["mirror", "reflect", "grid-wrap"])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i2", "c16"])
def test_in_place(mode, dtype):
    image = values((9, 20), dtype, 1)
    ours, theirs = image.copy(), image.copy()
    assert ndimage.spline_filter(ours, 3, ours, mode) is ours
    scipy.ndimage.spline_filter(theirs, 3, theirs, mode)
    assert_equal_arrays(ours, theirs)


@pytest.mark.parametrize("length", [50, 196, 300, 600])
@pytest.mark.parametrize("mode", ["mirror", "reflect", "grid-wrap"])
@pytest.mark.parametrize("order", [2, 3, 4, 5])
def test_an_infinity_at_the_end_of_a_line_is_met_at_its_beginning(order, mode, length):
    line = np.linspace(0, 1, length)
    line[-2] = np.inf
    with np.errstate(invalid="ignore"):
        ours, theirs = (ndi.spline_filter1d(line, order, mode=mode) for ndi in (ndimage, scipy.ndimage))
    np.testing.assert_array_equal(ours, theirs)


def test_an_output_that_overlaps_the_input_is_no_danger():
    """SciPy filters what it has already written; see docs/differences.md."""
    buffer = values((30,), "f8", 2)
    expected = ndimage.spline_filter1d(buffer[:20].copy())
    np.testing.assert_array_equal(ndimage.spline_filter1d(buffer[:20], output=buffer[5:25]), expected)


def test_long_lines_on_every_level_and_any_threads(simd_level):
    image = values((61, 700), "f4", 3)
    for order in (2, 3, 4, 5):
        for mode in ("mirror", "reflect", "grid-wrap"):
            expected = scipy.ndimage.spline_filter(image, order, mode=mode)
            for threads in (1, 2):
                with num_threads(threads):
                    assert_equal_arrays(ndimage.spline_filter(image, order, mode=mode), expected)


@pytest.mark.parametrize("mode", ["mirror", "reflect", "grid-wrap"])
@pytest.mark.parametrize("shape", [(130, 300), (70, 90, 3), (40, 61, 4), (3, 50, 70), (19, 40, 33), (900,)])
def test_lines_of_any_axis_on_every_level(simd_level, shape, mode):
    """Rows, columns, and channels beside each other; black up to the far end, where sums over the line stay long."""
    for dtype in ("u1", "f4", "f8"):
        image = values(shape, dtype, 4)
        image[: shape[0] * 2 // 3] = 0
        for order in (3, 5):
            for output in (np.float64, np.int16):
                with num_threads(2):
                    ours = ndimage.spline_filter(image, order, output, mode)
                assert_equal_arrays(ours, scipy.ndimage.spline_filter(image, order, output, mode))


@pytest.mark.parametrize("layout", ["F", "strided", "transposed"])
@pytest.mark.parametrize("shape", [(130, 70), (40, 50, 3), (3, 50, 70), (19, 40, 33), (5, 4, 31, 6), (90,)])
def test_lines_of_images_in_any_layout(layout, shape):
    for dtype in ("u1", "f4"):
        image = laid_out(values(shape, dtype, 4), layout)
        for axis in range(len(shape)):
            for output in (np.float64, np.int16):
                assert_equal_arrays(
                    ndimage.spline_filter1d(image, 3, axis, output),
                    scipy.ndimage.spline_filter1d(image, 3, axis, output),
                )
        channels = np.moveaxis(image, -1, 0)
        assert_equal_arrays(ndimage.spline_filter(channels), scipy.ndimage.spline_filter(channels))


@examples(60)
@given(
    arrays(min_size=30, max_size=80, max_dims=2),
    st.integers(2, 5),
    st.integers(-1, 0),
    output_forms(),
    any_mode,
)
def test_lines_longer_than_their_starting_sums(image, order, axis, form, mode):
    assert_same(
        outcome(ndimage.spline_filter1d, image, order, axis, form.make(image.shape), mode),
        outcome(scipy.ndimage.spline_filter1d, image, order, axis, form.make(image.shape), mode),
    )


@pytest.mark.parametrize("dtype", ["f2", "longdouble", "O", "S1", "M8[s]"])
def test_other_element_types_are_refused_as_scipy_refuses_them(dtype):
    image = np.zeros((3, 3), dtype)
    for output in (np.float64, np.zeros((3, 3), "f2")):
        assert_same(
            outcome(ndimage.spline_filter, image, 3, output),
            outcome(scipy.ndimage.spline_filter, image, 3, output),
        )

"""What the filters' tests share: draws of arguments, and the comparison with live SciPy."""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from tests.support.cases import MODES, REAL_DTYPES, arrays, assert_same, examples, outcome, output_forms

from offgraph import ndimage

modes = st.sampled_from((*MODES, *MODES, "no such mode"))
fills = st.sampled_from((0.0, 3, -3.7, 300.0, 1e20))
origins = st.integers(-3, 3)
SIMD_LEVELS = ("baseline", "avx2", "avx512")


def compare(name, image, form, *args, **kwargs):
    """Call both functions, each with an output of its own, and compare what they give."""
    ours = outcome(getattr(ndimage, name), image, *args, output=form.make(image.shape), **kwargs)
    theirs = outcome(getattr(scipy.ndimage, name), image, *args, output=form.make(image.shape), **kwargs)
    assert_same(ours, theirs)


def pairs_with_axes(elements, count: int, extra: bool = True):
    """One value for all axes, one for each, or (rarely) a sequence of the wrong length."""
    lists = st.lists(elements, min_size=count, max_size=count + (count % 3 == 2 and extra))
    return st.one_of(elements, lists, lists.map(tuple))


@st.composite
def some_axes(draw, ndim: int):
    """``None``, one axis or several, counted from either end; now and then one that is missing or named twice."""
    kind = draw(st.sampled_from(("all", "all", "one", "some", "some", "some", "wrong")))
    if kind == "all":
        return None, ndim
    if kind == "one":
        return draw(st.integers(-ndim, ndim - 1)), 1
    if kind == "wrong":
        return draw(st.sampled_from(((0, 0), (ndim,), (0, -ndim), 0.5))), 1
    chosen = draw(st.permutations(range(ndim)))[: draw(st.integers(0, ndim))]
    return tuple(axis - ndim * draw(st.integers(0, 1)) for axis in chosen), len(chosen)


def one_repeated_sample(image: np.ndarray) -> bool:
    """No strides at all: SciPy takes the second sample for the border (see docs/differences.md)."""
    return image.size > 1 and not any(image.strides)


def equals_its_definition(filter1d, definition):
    """A test of a filter along an axis, ``filter1d(image, size, …)``.

    ``definition(windows)`` has the samples of a window on the last axis; borders, casts and outputs are SciPy's.
    """

    @examples(200)
    @given(
        st.data(),
        arrays(REAL_DTYPES, max_size=40),
        st.integers(1, 12),
        output_forms(REAL_DTYPES),
        st.sampled_from(MODES),
        fills,
    )
    def test(data, image, size, form, mode, cval):
        # NaN has no place in an order.
        assume(not np.isnan(image).any())
        options = {
            "axis": data.draw(st.integers(-image.ndim, image.ndim - 1)),
            "mode": mode,
            "cval": cval,
            "origin": data.draw(st.integers(-(size // 2), (size - 1) // 2)),
        }

        def along_line(line, result):
            result[:] = definition(sliding_window_view(line, size))

        ours = outcome(filter1d, image, size, output=form.make(image.shape), **options)
        theirs = outcome(
            scipy.ndimage.generic_filter1d, image, along_line, size, output=form.make(image.shape), **options
        )
        assert_same(ours, theirs)

    return test

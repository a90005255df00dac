"""Every native function with all its arguments against live SciPy, at every SIMD level, with one and more threads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.parity.calls.call import Call, assert_call
from tests.parity.calls.distances import TRANSFORMS
from tests.parity.calls.every import FUNCTIONS, calls
from tests.parity.calls.measures import WITHOUT_OUTPUT
from tests.parity.calls.spectra import FILTERS
from tests.parity.calls.windows import RANKS
from tests.support.cases import REAL_DTYPES, OutputForm, examples

from offgraph import _native, ndimage
from offgraph.core.threads import num_threads
from offgraph.ndimage.filters import lines


def test_every_native_function_is_drawn():
    assert set(FUNCTIONS) >= ndimage.NATIVE


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@examples(40)
@given(data=st.data(), level=st.sampled_from(("baseline", "avx2", "avx512")), threads=st.integers(1, 3))
def test_equal_bytes(name, data, level, threads):
    call = data.draw(calls((name,)))
    before = _native.build_info()["simd"]
    _native.set_simd_level(level)
    try:
        with num_threads(threads):
            assert_call(call)
    finally:
        _native.set_simd_level(before)


@pytest.mark.parametrize(
    "name", sorted(set(FUNCTIONS) - {*WITHOUT_OUTPUT, *TRANSFORMS, *FILTERS, "watershed_ift"})
)
@examples(25)
@given(
    data=st.data(),
    dtype=st.sampled_from(REAL_DTYPES),
    layout=st.sampled_from(("strided", "strided", "F", "reversed", "transposed", "swapped", "misaligned")),
    part_bytes=st.sampled_from((1, 3000, 40_000)),
)
def test_arrays_that_are_not_in_c_order(name, data, dtype, layout, part_bytes):
    """Written through their own steps in memory, or part by part: there are several parts here."""
    call = data.draw(calls((name,)))
    # Of a line, SciPy's rank filters write beyond the end of such an output.
    least = 2 if name in RANKS else 1
    if call.image is not None and call.image.ndim >= least and call.image.dtype.kind != "c":
        call = replace(call, form=OutputForm("array", dtype, layout))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_PART_BYTES", part_bytes)
        patch.setattr(lines, "_SMALL_BYTES", part_bytes)
        assert_call(call)


@pytest.mark.parametrize(
    "name", ["correlate", "median_filter", "rank_filter", "grey_dilation", "maximum_filter"]
)
@examples(60)
@given(data=st.data(), part_bytes=st.sampled_from((1, 500, 4000)))
def test_windows_that_cover_much_memory(name, data, part_bytes):
    """Filtered part by part, cut across several axes."""
    call = data.draw(calls((name,)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_PART_BYTES", part_bytes)
        patch.setattr(lines, "_HELD_BYTES", 0)
        assert_call(call)


FILTERED = {
    "correlate": {"weights": [[1.0, 2.0]]},
    "correlate1d": {"weights": [1.0, 2.0]},
    "uniform_filter1d": {"size": 3},
    "uniform_filter": {"size": 3},
    "gaussian_filter": {"sigma": 1},
    "laplace": {},
    "sobel": {},
    "minimum_filter": {"size": 3},
    "median_filter": {"size": 3},
    "maximum_filter1d": {"size": 3},
    "grey_erosion": {"size": 3},
}
INTERPOLATED = {"zoom": {"zoom": 1.0}, "shift": {"shift": 1.0}, "affine_transform": {"matrix": np.eye(2)}}


# Of an empty image SciPy's interpolation reads foreign memory.
@pytest.mark.parametrize(
    ("name", "shape"),
    [(name, (4, 5)) for name in (*FILTERED, *INTERPOLATED)] + [(name, (0, 4)) for name in FILTERED],
)
@pytest.mark.parametrize("cval", [1j, "x", None])
def test_which_of_two_wrong_arguments_is_refused(name, shape, cval):
    arguments = {**FILTERED, **INTERPOLATED}[name] | {"cval": cval}
    assert_call(Call(name, np.ones(shape), arguments, OutputForm("array", "f8", "readonly")))

"""Every native function with all its arguments against live SciPy, at every SIMD level, with one and more threads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cases import examples
from tests.parity.calls.call import assert_call
from tests.parity.calls.every import FUNCTIONS, calls

from offgraph import _native, ndimage
from offgraph.threads import num_threads


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

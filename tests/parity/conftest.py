from __future__ import annotations

import pytest

from offgraph import _native


@pytest.fixture(params=["baseline", "avx2", "avx512"])
def simd_level(request: pytest.FixtureRequest):
    """Run at each level that the processor has."""
    before = _native.build_info()["simd"]
    if _native.set_simd_level(request.param) != request.param:
        _native.set_simd_level(before)
        pytest.skip(f"this processor has no {request.param}")
    yield request.param
    _native.set_simd_level(before)

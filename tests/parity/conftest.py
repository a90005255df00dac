from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from offgraph import _native


@pytest.fixture(autouse=True, scope="session")
def littered_memory() -> Any:
    """New arrays that nobody cleared hold litter, so that an element that is never written is seen."""
    empty = np.empty

    def littered(*args: Any, **options: Any) -> np.ndarray:
        array = empty(*args, **options)
        if array.dtype.kind in "buifc":
            array.fill(1 if array.dtype.kind == "b" else 105)
        return array

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "empty", littered)
        yield


@pytest.fixture(params=["baseline", "avx2", "avx512"])
def simd_level(request: pytest.FixtureRequest):
    """Run at each level that the processor has."""
    before = _native.build_info()["simd"]
    if _native.set_simd_level(request.param) != request.param:
        _native.set_simd_level(before)
        pytest.skip(f"this processor has no {request.param}")
    yield request.param
    _native.set_simd_level(before)

"""A call takes little more memory than SciPy's: a few large cases; `python -m tests.support.memory` has one of every family."""

from __future__ import annotations

import pytest
from tests.support.memory import RESET, allowed, measured

if not RESET.exists():
    pytest.skip("the peak of a process cannot be set back here", allow_module_level=True)

LARGE = (
    "zoom order 3",
    "rotate order 1",
    "rotate order 3",
    "gaussian",
    "correlate 5×5",
    "median 15×15",
    "maximum 15×15",
    "binary_dilation, a disk",
    "gaps, rotate",
    "gaps, spline_filter1d",
    "gaps, gaussian",
    "gaps, median 3×3",
    "gaps in the input, zoom",
    "gaps in the input, rotate",
    "a line, shift",
    "long rows, median",
)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", LARGE)
def test_a_call_takes_little_more_memory_than_scipys(name, threads):
    ours, scipys = measured(name, threads)
    assert ours <= allowed(scipys, threads), f"{ours / 2**20:.1f} MB, SciPy {scipys / 2**20:.1f} MB"

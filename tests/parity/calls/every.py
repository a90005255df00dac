"""Calls of every native function with all their arguments, on arrays larger than any register.

The short run (`tests/parity/test_every_function.py`), the long run (`tests/parity/long.py`) and the hunt for crashes
(`tests/parity/fuzz.py`) draw from here. What makes SciPy touch memory that is not its own is never drawn; each family's
file says what it leaves out.
"""

from __future__ import annotations

from hypothesis import strategies as st
from tests.parity.calls.binary import BINARY
from tests.parity.calls.call import Call
from tests.parity.calls.callables import CALLABLES
from tests.parity.calls.distances import DISTANCES
from tests.parity.calls.linear import LINEAR, linear
from tests.parity.calls.measures import MEASURES
from tests.parity.calls.spectra import SPECTRA
from tests.parity.calls.warps import SPLINES, WARPS, splined, warped
from tests.parity.calls.windows import WINDOWS

FUNCTIONS = {
    **dict.fromkeys(WARPS, warped),
    **dict.fromkeys(SPLINES, splined),
    **dict.fromkeys(LINEAR, linear),
    **WINDOWS,
    **BINARY,
    **CALLABLES,
    **MEASURES,
    **DISTANCES,
    **SPECTRA,
}


@st.composite
def calls(draw: st.DrawFn, names: tuple[str, ...] = tuple(sorted(FUNCTIONS))) -> Call:
    """A call of one of these functions that SciPy survives."""
    name = draw(st.sampled_from(names))
    return FUNCTIONS[name](draw, name)

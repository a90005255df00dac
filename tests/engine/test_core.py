"""The compiled core fits its declarations, and one that does not is refused with what to do."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import offgraph
from offgraph import _native
from offgraph.engine import native

STUB = Path(offgraph.__file__).with_name("_native.pyi")


def without(name: str) -> SimpleNamespace:
    return SimpleNamespace(**{key: value for key, value in vars(_native).items() if key != name})


def test_the_core_is_the_declared_one():
    native.check(_native, STUB)


def test_a_core_that_lacks_a_function_is_refused():
    with pytest.raises(ImportError, match=r"lookup differs; build it with: maturin develop --release"):
        native.check(without("lookup"), STUB)  # type: ignore[arg-type]


def test_a_core_with_other_parameters_is_refused(tmp_path):
    stub = tmp_path / "_native.pyi"
    stub.write_text(STUB.read_text().replace("def lookup(output: Array,", "def lookup(out: Array,"))
    with pytest.raises(ImportError, match=r"_native\..*lookup differs"):
        native.check(_native, stub)


def test_an_output_whose_elements_share_memory_is_refused():
    shared = np.lib.stride_tricks.as_strided(np.zeros(12), (4, 3), (16, 8))
    with pytest.raises(ValueError, match="elements share memory"):
        _native.spline_filter1d(shared, np.zeros((4, 3)), 3, 0, 3)
    read_only = np.zeros((4, 6))[:, ::2]
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        _native.spline_filter1d(read_only, np.zeros((4, 3)), 3, 0, 3)

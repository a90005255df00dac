"""Casts of values: rounded half to even, limited to the range and to the dtype, for every dtype."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph.steps.values import as_dtype, channel_count, held_range, limited, working_dtype

INTEGERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(INTEGERS), st.lists(st.floats(-1e20, 1e20), min_size=1, max_size=9))
def test_limits_are_those_of_whole_numbers(dtype, numbers):
    """Python's integers and its rounding are the oracle."""
    kind = np.iinfo(dtype)
    expected = [min(max(round(number), int(kind.min)), int(kind.max)) for number in numbers]
    assert limited(np.array(numbers), np.dtype(dtype)).tolist() == expected
    top = float(kind.max)
    clipped = [min(max(number, 0.0), top) for number in numbers]
    found = as_dtype(np.array(numbers), np.dtype(dtype), top).tolist()
    assert found == [min(round(number), int(kind.max)) for number in clipped]


def test_floats_are_limited_only_where_asked_for():
    assert as_dtype(np.array([-1.0, 3.0]), np.dtype("float32"), None).tolist() == [-1, 3]
    assert as_dtype(np.array([-1.0, 3.0]), np.dtype("float32"), 2.0).tolist() == [0, 2]
    assert as_dtype(np.array([0.4, 0.6]), np.dtype(bool), 1.0).tolist() == [False, True]


@pytest.mark.parametrize(
    ("dtype", "declared", "top"),
    [
        ("uint8", None, 255),
        ("uint16", 4095, 4095),
        ("bool", 200, 1),
        ("float32", 1, 1),
        ("int16", 1000, 1000),
    ],
)
def test_white(dtype, declared, top):
    assert held_range(dtype, declared) == top


@pytest.mark.parametrize(
    ("dtype", "declared", "says"),
    [
        ("float32", None, "range= is needed"),
        ("int16", None, "range= is needed"),
        ("int8", 255, "more than an image of dtype int8"),
    ],
)
def test_no_white(dtype, declared, says):
    with pytest.raises(ValueError, match=says):
        held_range(dtype, declared)


def test_what_arithmetic_is_done_in():
    single = ["uint8", "int16", "float16", "float32", "bool"]
    assert {working_dtype(np.dtype(name)) for name in single} == {np.float32}
    assert {working_dtype(np.dtype(name)) for name in ("int32", "uint64", "float64")} == {np.float64}


def test_channels():
    assert channel_count(og.ArraySpec((4, 5), "uint8", "YX")) == 1
    assert channel_count(og.OpenSpec((None, None, 3), "uint8", "YXC")) == 3
    assert channel_count(og.OpenSpec((None, None, None), "uint8", "YXC")) is None

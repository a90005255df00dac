"""``geometric_transform`` against live SciPy: the same calls of the function, bytes and exceptions."""

from __future__ import annotations

import functools
from importlib import import_module

import numpy as np
import pytest
import scipy
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cases import MODES, arrays, assert_same, examples, outcome, output_forms

from offgraph import ndimage
from offgraph.ndimage.interpolation import points

# SciPy's compiled functions for its own tests.
_ctest, _cytest = import_module("scipy.ndimage._ctest"), import_module("scipy.ndimage._cytest")

orders = st.integers(0, 5)
fills = st.sampled_from((0.0, 1.5, -3.7, np.nan))


def moved(at, rank, step, shift=0.0):
    """A point of `rank` coordinates for a position of any number."""
    return tuple(at[axis % len(at)] * step + shift * axis for axis in range(rank))


@examples(150)
@given(
    arrays(),
    st.one_of(st.none(), st.lists(st.integers(0, 8), min_size=1, max_size=3).map(tuple)),
    output_forms(),
    orders,
    st.sampled_from((*MODES, "no such mode")),
    fills,
    st.booleans(),
    st.sampled_from((1.0, 0.5, -0.7, 1.3)),
    st.sampled_from((0.0, 0.25, -2.0)),
)
def test_every_argument(image, shape, form, order, mode, cval, prefilter, step, shift):
    options = {"order": order, "mode": mode, "cval": cval, "prefilter": prefilter}
    size = image.shape if shape is None else shape
    calls = [], []

    def run(module, seen):
        def mapping(at, rank, step, *, shift):
            seen.append(at)
            return moved(at, rank, step, shift)

        extra = {"extra_arguments": (image.ndim, step), "extra_keywords": {"shift": shift}}
        output = form.make(size)
        return outcome(module.geometric_transform, image, mapping, shape, output, **options, **extra)

    ours, theirs = run(ndimage, calls[0]), run(scipy.ndimage, calls[1])
    assert_same(ours, theirs)
    if ours.error is None:
        assert calls[0] == calls[1]


def test_many_points_are_taken_some_at_a_time(monkeypatch):
    monkeypatch.setattr(points, "_POINTS_AT_A_TIME", 100)
    image = np.random.default_rng(0).normal(size=(17, 5, 11))
    mapping = functools.partial(moved, rank=3, step=0.9)
    assert_same(
        outcome(ndimage.geometric_transform, image, mapping),
        outcome(scipy.ndimage.geometric_transform, image, mapping),
    )


@pytest.mark.parametrize(
    "result",
    [
        None,
        5,
        [1.0, 2.0],
        (1.0,),
        (),
        ("a", "b"),
        (1.0, None),
        (1, 2.5),
        (True, np.float32(0.5)),
        (1.0, 1.0, "x"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_what_a_function_may_return(result, dtype):
    image = np.arange(12).reshape(3, 4).astype(dtype)
    assert_same(
        outcome(ndimage.geometric_transform, image, lambda at: result, order=1),
        outcome(scipy.ndimage.geometric_transform, image, lambda at: result, order=1),
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"extra_arguments": [1]},
        {"extra_keywords": [("a", 1)]},
        {"extra_arguments": [1], "extra_keywords": 3},
        {"mapping": "not a function"},
        {"mapping": None},
        {"order": 6},
        {"cval": "x"},
        {"output_shape": ()},
        {"output_shape": (0, 3), "extra_arguments": [1]},
        {"output": np.zeros((2, 2))},
    ],
)
def test_refusals(changed):
    arguments = {"mapping": lambda at: at, **changed}
    image = np.ones((3, 4))
    assert_same(
        outcome(ndimage.geometric_transform, image, **arguments),
        outcome(scipy.ndimage.geometric_transform, image, **arguments),
    )


def test_an_exception_of_the_function_comes_through():
    with pytest.raises(ZeroDivisionError):
        ndimage.geometric_transform(np.ones((3, 4)), lambda at: 1 / 0)


def test_points_that_are_no_numbers_are_no_danger():
    points = iter([(np.nan, 0), (np.inf, 0), (0, -np.inf), (1e300, 1), (1, 1), (0, 0)])
    result = ndimage.geometric_transform(np.ones((2, 3)), lambda at: next(points), order=1, cval=-1)
    assert result.tolist() == [[-1, -1, -1], [-1, 1, 1]]


@pytest.mark.parametrize(
    "compiled",
    [
        _ctest.transform(0.5),
        _cytest.transform(0.5, with_signature=False),
        scipy.LowLevelCallable(_cytest.transform(0.5, with_signature=True)),
    ],
)
def test_compiled_functions_are_scipys(compiled):
    image = np.arange(12.0).reshape(4, 3)
    assert_same(
        outcome(ndimage.geometric_transform, image, compiled),
        outcome(scipy.ndimage.geometric_transform, image, compiled),
    )

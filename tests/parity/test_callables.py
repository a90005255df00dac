"""`generic_filter`, `generic_filter1d` and `vectorized_filter`: the functions that are called, and what cannot be drawn."""

import importlib

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from scipy import LowLevelCallable
from tests.parity.calls.call import Call, assert_call
from tests.parity.calls.callables import CALLABLES
from tests.support.cases import assert_same, examples, outcome

from offgraph import ndimage
from offgraph.ndimage.filters import callables


@examples(60)
@given(st.data(), st.sampled_from(sorted(CALLABLES)))
def test_equal_scipys(data, name):
    assert_call(data.draw(st.composite(CALLABLES[name])(name)))


@pytest.mark.parametrize("mode", ["reflect", "mirror", "wrap", "nearest", "constant"])
@pytest.mark.parametrize("shape", [(1,), (2,), (3, 1), (2, 3)])
def test_windows_larger_than_the_image(mode, shape):
    image = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    size = [3 * length + 1 for length in shape]
    for name in ("generic_filter", "vectorized_filter"):
        assert_call(Call(name, image, {"function": np.max, "size": size, "mode": mode}))


def test_windows_in_blocks(monkeypatch: pytest.MonkeyPatch):
    image = np.random.default_rng(0).random((5, 6, 7))
    for memory in (1, 200, 700, 3000, 10**6):
        monkeypatch.setattr(callables, "_BLOCK_BYTES", memory)
        seen: list[np.ndarray] = []

        def keep(window, seen=seen):
            seen.append(window)
            return window[0]

        ndimage.generic_filter(image, keep, (1, 2, 3))
        expected: list[np.ndarray] = []
        scipy.ndimage.generic_filter(image, lambda window: expected.append(window.copy()) or 0.0, (1, 2, 3))
        np.testing.assert_array_equal(seen, expected)


def test_windows_may_be_written_to():
    def spoil(window):
        first = window[0]
        window[:] = -1
        return first

    image = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(
        ndimage.generic_filter(image, spoil, 3), scipy.ndimage.generic_filter(image, spoil, 3)
    )


def test_windows_begin_where_arrays_of_their_own_do():
    places = set()
    ndimage.generic_filter(
        np.zeros(40), lambda window: places.add(window.__array_interface__["data"][0] % 16) or 0.0, 3
    )
    assert places == {0}


class TooMuch(Exception):
    pass


def fail(*windows, axis=None):
    raise TooMuch("stop")


def nothing(*windows, axis=None):
    return None


@pytest.mark.parametrize("dtype", ["float16", "longdouble", "object", "datetime64[s]", ">f2"])
@pytest.mark.parametrize("name", ["generic_filter", "generic_filter1d"])
@pytest.mark.parametrize("given", ["input", "output"])
def test_an_element_type_that_is_not_supported_is_refused_in_scipys_words(name: str, dtype: str, given: str):
    arrays = {"input": np.zeros((4, 5)), "output": np.zeros((4, 5)), given: np.zeros((4, 5), dtype)}
    function = {"generic_filter": np.max, "generic_filter1d": lambda line, out: None}[name]
    said = []
    for module in (scipy.ndimage, ndimage):
        with pytest.raises(RuntimeError, match=r"^array type ") as error:
            getattr(module, name)(arrays["input"], function, 3, output=arrays["output"])
        said.append(str(error.value))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *[
            (name, {"function": function, key: 3})
            for function in (nothing, "no function", None)
            for name, key in (
                ("generic_filter", "size"),
                ("generic_filter1d", "filter_size"),
                ("vectorized_filter", "size"),
            )
        ],
        ("generic_filter", {"function": lambda window: "3", "size": 2}),
        ("generic_filter", {"function": np.max}),
        ("generic_filter", {"function": np.max, "size": 3, "origin": 2}),
        ("generic_filter", {"function": np.max, "size": 3, "mode": "no mode"}),
        ("generic_filter", {"function": np.max, "size": 3, "extra_arguments": [1]}),
        ("generic_filter", {"function": np.max, "size": 3, "extra_keywords": [1]}),
        ("generic_filter", {"function": np.max, "size": 3, "cval": "x"}),
        ("generic_filter", {"function": np.max, "size": (3, 3, 3)}),
        ("generic_filter", {"function": np.max, "footprint": np.ones(3)}),
        ("generic_filter", {"function": np.max, "size": 0}),
        ("generic_filter", {"function": np.max, "size": 3, "axes": 5}),
        ("generic_filter", {"function": np.max, "size": 3, "footprint": np.ones((2, 2))}),
        ("generic_filter1d", {"function": np.copyto, "filter_size": 0}),
        ("generic_filter1d", {"function": np.copyto, "filter_size": 3, "origin": -2}),
        ("generic_filter1d", {"function": np.copyto, "filter_size": 3, "axis": 2}),
        ("generic_filter1d", {"function": np.copyto, "filter_size": 3, "extra_arguments": "x"}),
        ("vectorized_filter", {"function": np.max}),
        ("vectorized_filter", {"function": np.max, "size": 3, "footprint": [1]}),
        ("vectorized_filter", {"function": np.max, "size": 0}),
        ("vectorized_filter", {"function": np.max, "size": (3, 3, 3)}),
        ("vectorized_filter", {"function": np.max, "size": 3, "axes": (0, 1, 2)}),
        ("vectorized_filter", {"function": np.max, "size": 3, "origin": 0.5}),
        ("vectorized_filter", {"function": np.max, "size": 3, "origin": (1, 0, 0)}),
        ("vectorized_filter", {"function": np.max, "size": 3, "mode": "valid", "origin": 1}),
        ("vectorized_filter", {"function": np.max, "size": 3, "cval": 1}),
        ("vectorized_filter", {"function": np.max, "size": 3, "mode": "constant", "cval": "x"}),
        ("vectorized_filter", {"function": np.max, "size": 3, "batch_memory": 0}),
        ("vectorized_filter", {"function": np.max, "size": 3, "batch_memory": 10}),
    ],
)
def test_the_same_is_refused(name, arguments):
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert_same(
        outcome(getattr(ndimage, name), image, **arguments),
        outcome(getattr(scipy.ndimage, name), image, **arguments),
    )


@pytest.mark.parametrize(
    ("name", "key"),
    [("generic_filter", "size"), ("generic_filter1d", "filter_size"), ("vectorized_filter", "size")],
)
def test_the_exception_of_a_function_comes_through(name, key):
    """SciPy's loop goes on calling, with the exception set, which then is a SystemError."""
    with pytest.raises(TooMuch, match="stop"):
        getattr(ndimage, name)(np.ones((3, 4)), fail, **{key: 2})


@pytest.mark.parametrize("last", [False, True])
def test_a_function_that_runs_out_of_items(last):
    """A StopIteration is an exception as any other, in the first window and in the last."""
    for module in (ndimage, scipy.ndimage):
        items = iter([1.0] * 11 if last else [])
        with pytest.raises(StopIteration):
            module.generic_filter(np.ones((3, 4)), lambda window, items=items: next(items), 2)


def test_an_unknown_mode_of_many_windows():
    """SciPy lists the modes in an order that changes from run to run."""
    for module in (ndimage, scipy.ndimage):
        with pytest.raises(ValueError, match="`mode` must be one of"):
            module.vectorized_filter([1], np.max, size=1, mode="no mode")


def test_the_output_of_many_windows():
    image = np.arange(24.0).reshape(4, 6)
    for memory in (2**30, 800):
        found, expected = np.zeros((2, 4, 6), np.float32)
        ndimage.vectorized_filter(image, np.mean, size=3, output=found, batch_memory=memory)
        scipy.ndimage.vectorized_filter(image, np.mean, size=3, output=expected, batch_memory=memory)
        np.testing.assert_array_equal(found, expected)


def test_several_results_of_each_window():
    image = np.arange(24.0).reshape(4, 6)

    def quartiles(windows, axis):
        return np.moveaxis(np.quantile(windows, [0.25, 0.5], axis=axis), 0, -1)

    assert_call(Call("vectorized_filter", image, {"function": quartiles, "size": 3, "batch_memory": np.inf}))
    assert_call(Call("vectorized_filter", np.array(3.0), {"function": np.max, "size": ()}))
    for footprint in (True, False):
        assert_call(Call("vectorized_filter", np.array(3.0), {"function": np.sum, "footprint": footprint}))
    assert_call(Call("vectorized_filter", np.zeros((0, 3)), {"function": np.max, "size": 3}))


@pytest.mark.parametrize("name", ["generic_filter", "generic_filter1d"])
def test_compiled_functions_are_scipys_business(name):
    _ctest, _cytest = (importlib.import_module(f"scipy.ndimage.{name}") for name in ("_ctest", "_cytest"))

    image = np.random.default_rng(0).random((20, 20))
    if name == "generic_filter":
        arguments = {"footprint": [[1, 1, 1]]}
        weights = np.array([1.0, 2, 3])
        functions = [
            _ctest.filter2d(weights),
            LowLevelCallable(_cytest.filter2d(weights, with_signature=True)),
        ]
    else:
        arguments = {"filter_size": 3}
        functions = [_ctest.filter1d(3), LowLevelCallable(_cytest.filter1d(3, with_signature=True))]
    for function in functions:
        found = getattr(ndimage, name)(image, function, **arguments)
        np.testing.assert_array_equal(found, getattr(scipy.ndimage, name)(image, function, **arguments))


def test_an_output_that_is_the_input():
    """As if they were separate; SciPy's windows have what was written before."""
    image = np.arange(8.0)
    expected = ndimage.generic_filter(image, np.max, 3)
    ndimage.generic_filter(image, np.max, 3, output=image)
    np.testing.assert_array_equal(image, expected)


def test_what_a_function_does_not_write_is_zero():
    def half(line, result):
        result[::2] = line[1:-1:2]

    found = ndimage.generic_filter1d(np.arange(1.0, 9).reshape(2, 4), half, 3)
    np.testing.assert_array_equal(found, [[1, 0, 3, 0], [5, 0, 7, 0]])

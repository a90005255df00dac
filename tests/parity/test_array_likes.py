"""Arguments in other clothes: arrays of other libraries, subclasses with units, generators, scalars in arrays.

Each form of each argument has SciPy's outcome: the bytes, the class and dtype of the result, or the exception and text.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.ndimage

from offgraph import ndimage

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 50, (7, 9)).astype(np.float64)
BINARY = IMAGE > 20
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])


class Units(np.ndarray):
    """A subclass that takes part in no ufunc and no function of NumPy's, as quantities with units do in most."""

    def __new__(cls, values: Any) -> Units:
        return np.asarray(values).view(cls)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{ufunc.__name__} does not take units")

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        raise TypeError("no function takes units")


class Sparse:
    """An array of another library that can do nothing but become one of NumPy's."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self.values, dtype)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.values!r})"


class Labelled(np.lib.mixins.NDArrayOperatorsMixin, Sparse):
    """An array of another library whose results are its own, through all of NumPy's ufuncs."""

    shape = property(lambda self: self.values.shape)
    ndim = property(lambda self: self.values.ndim)
    dtype = property(lambda self: self.values.dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        given = [each.values if isinstance(each, Labelled) else each for each in inputs]
        kwargs["out"] = tuple(
            each.values if isinstance(each, Labelled) else each for each in kwargs.get("out", ())
        )
        return Labelled(
            getattr(ufunc, method)(*given, **{key: value for key, value in kwargs.items() if value})
        )

    def __getitem__(self, index: Any) -> Labelled:
        return Labelled(self.values[index])

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Any:
        return map(Labelled, self.values)

    def sum(self, *args: Any, **kwargs: Any) -> Labelled:
        return Labelled(self.values.sum(*args, **kwargs))

    def __float__(self) -> float:
        return float(self.values)

    def __int__(self) -> int:
        return int(self.values)

    def __bool__(self) -> bool:
        return bool(self.values)

    def __index__(self) -> int:
        return operator.index(self.values[()])


class Floats:
    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return float(self.value)


class Counts:
    def __init__(self, value: float) -> None:
        self.value = int(value)

    def __index__(self) -> int:
        return self.value


Make = Callable[[], Any]


def scalars(v: float) -> list[Make]:
    """Forms of one number for all axes, or of one for each of two."""
    return [
        lambda: v,
        lambda: np.array(v),
        lambda: np.array([v]),
        lambda: np.asarray([v, v]),
        lambda: np.float32(v),
        lambda: (v, v),
        lambda: (each for each in (v, v)),
        lambda: {1: v, 2: v}.values(),
        lambda: {v},
        lambda: str(v),
        lambda: True,
        lambda: None,
        lambda: complex(v),
        lambda: [np.array(v)] * 2,
        lambda: np.ma.array([v, v]),
        lambda: Floats(v),
        lambda: Counts(v),
        *(
            lambda kind=kind, each=each: kind(each)
            for kind in (Units, Sparse, Labelled)
            for each in (v, [v, v])
        ),
        lambda: [Labelled(v), Labelled(v)],
    ]


def axes() -> list[Make]:
    return [
        lambda: (axis for axis in (0,)),
        lambda: (axis for axis in (1, 0)),
        lambda: iter([1]),
        lambda: np.int64(1),
        lambda: np.array(1),
        lambda: np.array([0, 1]),
        lambda: range(2),
        lambda: {0, 1},
        lambda: {0: 1, 1: 2},
        lambda: [-1],
        lambda: (),
        lambda: True,
        lambda: 1.0,
        lambda: "0",
        lambda: Counts(1),
        lambda: [Counts(1)],
        *(
            lambda kind=kind, each=each: kind(each)
            for kind in (Units, Sparse, Labelled)
            for each in (1, [1, 0])
        ),
    ]


def arrays(values: np.ndarray) -> list[Make]:
    return [
        values.tolist,
        lambda: tuple(map(tuple, values.tolist())),
        lambda: np.matrix(values),
        lambda: np.ma.array(values, mask=values > values.mean()),
        lambda: memoryview(np.ascontiguousarray(values)),
        lambda: values.astype(object),
        lambda: (row for row in values),
        lambda: [[1], [1, 2]],
        lambda: np.array(3.0),
        lambda: np.rec.array(values),
        lambda: values.astype(np.float16),
        lambda: values.astype(values.dtype.newbyteorder(">")),
        *(lambda kind=kind: kind(values.copy()) for kind in (Units, Sparse, Labelled)),
    ]


def outputs(values: np.ndarray) -> list[Make]:
    return [
        lambda: np.matrix(values),
        lambda: np.ma.array(values),
        lambda: np.rec.array(values),
        lambda: np.asfortranarray(values),
        lambda: np.float32,
        lambda: "float32",
        values.tolist,
    ]


Call = tuple[str, str, Make, tuple[Any, ...], dict[str, Any]]


def calls() -> list[Call]:
    found: list[Call] = []

    def add(names: str, argument: str, forms: list[Make], *given: Any, **named: Any) -> None:
        found.extend((name, argument, form, given, named) for name in names.split() for form in forms)

    blurs = "gaussian_filter gaussian_laplace gaussian_gradient_magnitude"
    add(blurs, "sigma", scalars(1.5), IMAGE)
    add(blurs, "input", arrays(IMAGE), sigma=1.5)
    add(blurs, "axes", axes(), IMAGE, sigma=1)
    add(blurs, "output", outputs(np.zeros((7, 9))), IMAGE, sigma=1)
    add("gaussian_filter", "order", scalars(1), IMAGE, 1.5)
    add("gaussian_filter", "truncate", scalars(3.0), IMAGE, 1.5)
    add("gaussian_filter gaussian_filter1d", "radius", scalars(2), IMAGE, 1.5)
    add("gaussian_filter1d", "sigma", scalars(1.5), IMAGE)
    windows = "uniform_filter minimum_filter maximum_filter median_filter"
    add(windows, "size", scalars(3), IMAGE)
    add(windows, "origin", scalars(1), IMAGE, size=3)
    add(windows, "input", arrays(IMAGE), size=3)
    add(windows, "axes", axes(), IMAGE, size=3)
    add("minimum_filter maximum_filter median_filter", "footprint", arrays(CROSS), IMAGE)
    add("rank_filter", "rank", scalars(2), IMAGE, size=3)
    add("percentile_filter", "percentile", scalars(30.0), IMAGE, size=3)
    add("sobel prewitt gaussian_filter1d", "axis", axes(), IMAGE, **{})
    add("laplace", "axes", axes(), IMAGE)
    add("correlate convolve", "weights", arrays(CROSS), IMAGE)
    add("correlate convolve", "origin", scalars(1), IMAGE, CROSS)
    add("correlate convolve", "axes", axes(), IMAGE, CROSS)
    add("correlate1d convolve1d", "weights", scalars(1), IMAGE)
    add("shift", "shift", scalars(1.5), IMAGE)
    add("zoom", "zoom", scalars(1.5), IMAGE)
    add("shift zoom", "input", arrays(IMAGE), **{})
    add("rotate", "angle", scalars(30.0), IMAGE)
    add("affine_transform", "matrix", arrays(np.array([[1, 0.2], [0, 1]])), IMAGE)
    add("affine_transform", "offset", scalars(1.5), IMAGE, np.eye(2))
    add("map_coordinates", "coordinates", arrays(RNG.random((2, 6)) * 5), IMAGE)
    add("spline_filter", "input", arrays(IMAGE))
    binary = (
        "binary_erosion binary_dilation binary_opening binary_closing binary_propagation binary_fill_holes"
    )
    add(binary, "input", arrays(BINARY))
    add(binary, "structure", arrays(CROSS), BINARY)
    add(binary, "axes", axes(), BINARY)
    add("binary_erosion binary_opening binary_dilation", "mask", arrays(BINARY), BINARY)
    add("binary_hit_or_miss", "input", arrays(BINARY))
    grey = (
        "grey_erosion grey_dilation grey_opening grey_closing morphological_gradient morphological_laplace "
        "white_tophat black_tophat"
    )
    add(grey, "size", scalars(3), IMAGE)
    add(grey, "input", arrays(IMAGE), size=3)
    add(grey, "structure", arrays(CROSS), IMAGE)
    add(grey, "footprint", arrays(CROSS), IMAGE)
    add(grey, "axes", axes(), IMAGE, size=3)
    add(grey, "output", outputs(np.zeros((7, 9))), IMAGE, size=3)
    add("generate_binary_structure", "connectivity", scalars(2), 2)
    add("iterate_structure", "structure", arrays(CROSS), iterations=2)
    add("label", "input", arrays(BINARY))
    return found


CALLS = calls()


def outcome(module: Any, call: Call) -> tuple[Any, ...]:
    name, argument, form, given, named = call
    copies = [each.copy() if isinstance(each, np.ndarray) else each for each in given]
    if name in ("shift", "zoom") and argument == "input":
        named = {name: 1.5}
    if name == "gaussian_filter1d" and argument == "axis":
        named = {"sigma": 1.5}
    try:
        return ("made", *shown(getattr(module, name)(*copies, **{argument: form(), **named})))
    except Exception as error:
        return (type(error).__name__, str(error))


def shown(result: Any) -> tuple[Any, ...]:
    if isinstance(result, tuple):
        return tuple(map(shown, result))
    if isinstance(result, np.ndarray):
        return type(result).__name__, result.dtype.str, result.shape, np.asarray(result).tobytes()
    return type(result).__name__, repr(result)


@pytest.mark.filterwarnings("ignore")
def test_every_form_has_scipys_outcome():
    differing = []
    for call in CALLS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs, ours = outcome(scipy.ndimage, call), outcome(ndimage, call)
        if theirs != ours:
            differing.append((call[0], call[1], repr(call[2]()), theirs[:2], ours[:2]))
    assert differing == []


def test_many_are_taken_and_many_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        taken = sum(outcome(ndimage, call)[0] == "made" for call in CALLS[::5])
    assert 0.2 * len(CALLS[::5]) < taken < 0.9 * len(CALLS[::5])


def test_holes_of_an_image_with_units_are_filled():
    ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
    filled = ndimage.binary_fill_holes(Units(ring))
    assert type(filled) is np.ndarray and filled.all()


@pytest.mark.parametrize("sigma", [Labelled(1.5), [Labelled(1.5), Labelled(1.5)], np.array(1.5)], ids=type)
def test_a_sigma_of_another_library(sigma):
    np.testing.assert_array_equal(
        ndimage.gaussian_filter(IMAGE, sigma), scipy.ndimage.gaussian_filter(IMAGE, 1.5)
    )


def test_a_generator_of_axes_is_scipys():
    """SciPy's check loses the first of them; a list is what to write."""
    for order in ((0,), (0, 1), (1, 0)):
        ours = ndimage.gaussian_filter(IMAGE, 1, axes=(axis for axis in order))
        np.testing.assert_array_equal(
            ours, scipy.ndimage.gaussian_filter(IMAGE, 1, axes=(axis for axis in order))
        )
        np.testing.assert_array_equal(ours, scipy.ndimage.gaussian_filter(IMAGE, 1, axes=order[1:]))


def test_an_output_of_another_class_is_returned():
    output = np.rec.array(np.zeros((7, 9)))
    assert ndimage.morphological_laplace(IMAGE, 3, output=output) is output
    np.testing.assert_array_equal(output, scipy.ndimage.morphological_laplace(IMAGE, 3))

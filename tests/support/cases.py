"""Cases for the differential tests: arrays of every kind, and the comparison with SciPy's answer.

``OFFGRAPH_EXAMPLES`` multiplies the number of cases a test tries, for long runs. The cases are other ones at every
run; where the variable ``CI`` is set, hypothesis takes the same ones, so that a red run is due to the change.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

REAL_DTYPES = ("?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")
COMPLEX_DTYPES = ("c8", "c16")
ALL_DTYPES = REAL_DTYPES + COMPLEX_DTYPES
MODES = ("reflect", "grid-mirror", "constant", "grid-constant", "nearest", "mirror", "grid-wrap", "wrap")
LAYOUTS = (
    "C",
    "F",
    "reversed",
    "strided",
    "transposed",
    "swapped",
    "misaligned",
    "packed",
    "readonly",
    "broadcast",
)


def examples(count: int) -> settings:
    """Settings for a test of `count` cases, times the environment variable OFFGRAPH_EXAMPLES."""
    factor = float(os.environ.get("OFFGRAPH_EXAMPLES", "1"))
    return settings(
        max_examples=max(1, round(count * factor)),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def values(shape: tuple[int, ...], dtype: str, seed: int, kind: str = "plain") -> np.ndarray:
    """Values of one sort: ``plain`` noise, ``flat`` areas, ``extreme`` ends of the range, ``special`` NaN and inf."""
    rng = np.random.default_rng(seed)
    wanted = np.dtype(dtype)
    if wanted.kind == "c":
        parts = "f4" if wanted.itemsize == 8 else "f8"
        array = np.empty(shape, wanted)
        array.real, array.imag = values(shape, parts, seed, kind), values(shape, parts, seed + 1, kind)
        return array
    if wanted.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if kind == "flat":
        return np.full(shape, rng.integers(0, 100)).astype(wanted)
    if wanted.kind in "ui":
        info = np.iinfo(wanted)
        if kind == "extreme":
            return rng.choice(np.array([info.min, info.max, 0, info.max // 2], dtype=wanted), shape)
        high = min(info.max, 5000)
        return rng.integers(max(info.min, -high), high, shape, endpoint=True).astype(wanted)
    noise = rng.normal(0, 100, shape)
    if kind == "extreme":
        noise *= rng.choice([1e-30, 1.0, 1e30], shape)
    if kind == "special":
        noise = np.where(rng.random(shape) < 0.2, rng.choice([np.nan, np.inf, -np.inf, -0.0], shape), noise)
    return noise.astype(wanted)


def laid_out(array: np.ndarray, layout: str) -> np.ndarray:
    """The same values in another memory layout."""
    if layout == "swapped":
        return array.astype(array.dtype.newbyteorder())
    if array.ndim == 0:
        return array
    if layout == "F":
        return np.asfortranarray(array)
    if layout == "reversed":
        flip = (slice(None, None, -1),) * array.ndim
        return np.ascontiguousarray(array[flip])[flip]
    if layout == "strided":
        wide = np.zeros(tuple(2 * n + 1 for n in array.shape), array.dtype)
        view = wide[tuple(slice(1, 1 + 2 * n, 2) for n in array.shape)]
        view[...] = array
        return view
    if layout == "transposed" and array.ndim > 1:
        return np.ascontiguousarray(np.moveaxis(array, 0, -1)).transpose(-1, *range(array.ndim - 1))
    if layout == "misaligned":
        holder = np.zeros(array.shape, np.dtype([("shift", "u1"), ("value", array.dtype)]))
        holder["value"] = array
        return holder["value"]
    if layout == "packed":
        records = np.zeros(len(array), np.dtype([("value", array.dtype, array.shape[1:]), ("more", "u1")]))
        records["value"] = array
        return records[
            "value"
        ]  # along an axis of length 1, where any step will do, not a whole number of elements
    if layout == "readonly":
        array = array.copy()
        array.flags.writeable = False
    if layout == "broadcast":
        return np.broadcast_to(array[:1], array.shape)
    return array


@st.composite
def arrays(
    draw: st.DrawFn,
    dtypes: tuple[str, ...] = ALL_DTYPES,
    min_dims: int = 1,
    max_dims: int = 3,
    min_size: int = 1,
    max_size: int = 9,
) -> np.ndarray:
    """An array of any dtype, shape, sort of values and memory layout; about one in twenty has an empty axis."""
    shape = draw(st.lists(st.integers(min_size, max_size), min_size=min_dims, max_size=max_dims))
    dtype = draw(st.sampled_from(dtypes))
    kind = draw(st.sampled_from(("plain", "plain", "plain", "flat", "extreme", "special")))
    array = values(tuple(shape), dtype, draw(st.integers(0, 2**32 - 1)), kind)
    return laid_out(array, draw(st.sampled_from(("C", "C", "C", *LAYOUTS))))


@dataclass(frozen=True)
class OutputForm:
    """One way to fill in ``output=``; :meth:`make` gives a fresh argument, so that each side writes its own."""

    kind: str
    dtype: str = "f8"
    layout: str = "C"

    def make(self, shape: tuple[int, ...]) -> Any:
        match self.kind:
            case "none":
                return None
            case "type":
                return np.dtype(self.dtype).type
            case "dtype":
                return np.dtype(self.dtype)
            case "text":
                return np.dtype(self.dtype).name
            case "wrong shape":
                return np.zeros((*shape, 2), self.dtype)
        if self.layout != "broadcast":
            return laid_out(np.full(shape, 3).astype(self.dtype), self.layout)
        return np.full(shape, 3).astype(self.dtype)


def output_forms(dtypes: tuple[str, ...] = ALL_DTYPES) -> st.SearchStrategy[OutputForm]:
    """Any way to fill in ``output=``."""
    kinds = ("none", "none", "type", "dtype", "text", "array", "array", "array", "wrong shape")
    return st.builds(OutputForm, st.sampled_from(kinds), st.sampled_from(dtypes), st.sampled_from(LAYOUTS))


@dataclass
class Outcome:
    """What a call did: its value or its exception, and its warnings."""

    value: Any
    error: BaseException | None
    warnings: list[str]


def outcome(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Outcome:
    """Call the function; an exception is a result like any other."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value, error = function(*args, **kwargs), None
        except Exception as raised:
            value, error = None, raised
    return Outcome(value, error, [f"{w.category.__name__}: {w.message}" for w in caught])


def assert_same(ours: Outcome, theirs: Outcome) -> None:
    """Equal dtype, shape and bytes (signed zeros equal, NaN payloads free), or the same exception and text."""
    if theirs.error is not None or ours.error is not None:
        assert (type(ours.error), str(ours.error)) == (type(theirs.error), str(theirs.error)), (ours, theirs)
    else:
        assert_equal_arrays(ours.value, theirs.value)
    # How often NumPy repeats a warning of its own depends on how the work is cut up.
    assert set(ours.warnings) == set(theirs.warnings)


def assert_equal_arrays(ours: Any, theirs: Any) -> None:
    """The comparison of :func:`assert_same`, of values alone."""
    assert type(ours) is type(theirs)
    if not isinstance(theirs, np.ndarray):
        assert ours == theirs
        return
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    if theirs.dtype == bool:
        # A boolean array may hold other bytes than 0 and 1, which count.
        ours, theirs = ours.copy().view("u1"), theirs.copy().view("u1")
    np.testing.assert_array_equal(ours, theirs)

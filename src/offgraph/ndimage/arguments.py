"""SciPy's argument rules: sequences, axes, origins. The messages of the exceptions are SciPy's: callers match them."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

__all__ = ["check_axes", "normalize_axis", "normalize_sequence", "skip_if_dtype", "whole_origins"]


# Built once: every call looks at it.
_SCALARS = frozenset((int, float, str))


def normalize_sequence(value: Any, rank: int) -> list[Any]:
    """Return one entry per axis: a scalar (or a string) is used for every axis, a sequence must have `rank` entries."""
    # The common types by name: testing whether an object is iterable takes longer than all the rest.
    if type(value) in _SCALARS or isinstance(value, str) or not np.iterable(value):
        return [value] * rank
    entries = list(value)
    if len(entries) != rank:
        raise RuntimeError("sequence argument must have length equal to input rank")
    return entries


def normalize_axis(axis: Any, ndim: int) -> Any:
    """An axis counted from the front."""
    if axis < -ndim or axis >= ndim:
        raise np.exceptions.AxisError(f"axis {axis} is out of bounds for array of dimension {ndim}")
    return axis + ndim if axis < 0 else axis


def check_axes(axes: Any, ndim: int) -> tuple[int, ...]:
    """The axes to work on, counted from the front, in the order given; ``None`` is all of them."""
    if axes is None:
        return tuple(range(ndim))
    if np.isscalar(axes):
        chosen: tuple[int, ...] = (operator.index(axes),)  # type: ignore[arg-type]  # raises for the wrong type
    elif isinstance(axes, Iterable):
        chosen = axes  # type: ignore[assignment]
        # SciPy's two loops over one iterable: a generator gives its first axis to the outer one, which does not keep it.
        for axis in axes:
            chosen = tuple(operator.index(each) for each in chosen)
            if axis < -ndim or axis > ndim - 1:
                raise ValueError(f"specified axis: {axis} is out of range")
        chosen = tuple(chosen)
        chosen = tuple(axis % ndim if axis < 0 else axis for axis in chosen)
    else:
        raise ValueError("axes must be an integer, iterable of integers, or None")
    if len(set(chosen)) != len(chosen):
        raise ValueError("axes must be unique")
    return chosen


def whole_origins(origins: Sequence[Any]) -> list[int]:
    """Origins as whole numbers, by the rule of SciPy's C code: an array of them that is all bool holds none."""
    if origins and all(type(origin) is bool for origin in origins):
        raise TypeError("an integer is required")
    return [operator.index(origin) for origin in origins]


def skip_if_dtype(argument: Any) -> Any:
    """``None`` in place of a dtype, the argument itself if it may be an array."""
    if isinstance(argument, str | np.dtype):
        return None
    if type(argument) is type and issubclass(argument, np.generic):
        return None
    return argument

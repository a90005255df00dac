"""Arguments that many functions take: parsed at the boundary, refused by name."""

from __future__ import annotations

import math
import numbers
import operator
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.errors import ArgumentError, OffgraphError, RecipeError

__all__ = [
    "finite_number",
    "path_of",
    "plain_array",
    "refuse_endless",
    "refuse_masked",
    "seconds",
    "whole_number",
]


def path_of(name: str, value: Any, error: type[OffgraphError] = ArgumentError) -> Path:
    r"""Return the path that an argument gives.

    Raises
    ------
    ArgumentError, or `error`
        Where it is not a path.

    Examples
    --------
    >>> path_of("out", "a/b.png").name
    'b.png'
    """
    given = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(given, str) or "\0" in given:
        shown = " ".join(repr(value).split())
        raise error(f"{name}={shown:.80}: give a path, such as 'images/1.png'")
    return value if isinstance(value, Path) else Path(given)


def finite_number(value: object) -> float | None:
    """Return a number, NumPy's too, as a float; None for anything else, texts and bools among it, and what is not finite."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def plain_array(
    what: str, value: Any, dtype: Any = None, error: type[OffgraphError] = ArgumentError
) -> np.ndarray:
    """Return ``numpy.asarray(value, dtype)``; refuse a masked array, whose mask that would drop without a word.

    Parameters
    ----------
    what : str
        How the message calls it, such as ``"an image"``.
    value : array_like
    dtype : dtype, optional
    error : type of OffgraphError

    Raises
    ------
    ArgumentError, or `error`
        For an array of `numpy.ma`; says what to give instead.
    """
    refuse_masked(what, value, error)
    return np.asarray(value, dtype)


def refuse_masked(what: str, value: Any, error: type[OffgraphError] = ArgumentError) -> None:
    """Refuse a masked array, as `plain_array` does."""
    if isinstance(value, np.ma.MaskedArray):
        raise error(
            f"{what} is given as a masked array of numpy.ma, whose mask would be lost: give array.filled(value), and what "
            "the mask hides as a target of its own, mask=numpy.ma.getmaskarray(array)"
        )


def whole_number(name: str, value: Any, error: type[OffgraphError] = ArgumentError, *, least: int = 1) -> int:
    """Return an argument as an int; what is not a whole number of at least `least` is refused by name."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        raise error(f"{name}={value!r:.80}: give a whole number of at least {least}")
    return number


def seconds(name: str, value: Any, error: type[OffgraphError] = ArgumentError) -> float | None:
    """Return a time limit as a float, None for none; what is not a positive number is refused by name."""
    if value is None:
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Real)
        or not 0 < (limit := float(value)) < math.inf
    ):
        raise error(f"{name}={value!r:.80}: give a number of seconds above 0, or None for no limit")
    return limit


def refuse_endless(values: Any, source: str, *, depth: int, most: int, what: str) -> None:
    """Refuse plain values nested so deep that Python's own stack would end, or more of them than anything real holds.

    Parameters
    ----------
    values : object
        Lists, mappings, and what they hold; values that stand in several places count in each.
    source : str
        What the message begins with.
    depth, most : int
        The limits.
    what : str
        What the values are to be, for the message.

    Raises
    ------
    RecipeError
    """
    waiting, seen = [(values, 0)], 0
    while waiting:
        value, level = waiting.pop()
        seen += 1
        if level > depth:
            raise RecipeError(f"{source}: nested more than {depth} deep; this is not a {what}")
        if seen > most:
            raise RecipeError(f"{source}: more than {most} entries; this is not a {what}")
        if isinstance(value, Mapping):
            waiting.extend((part, level + 1) for part in value.values())
        elif isinstance(value, list | tuple):
            waiting.extend((part, level + 1) for part in value)

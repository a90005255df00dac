"""Arguments that many functions take: parsed at the boundary, refused by name."""

from __future__ import annotations

import math
import numbers
import operator
import os
from pathlib import Path
from typing import Any

from offgraph.core.errors import ArgumentError, OffgraphError

__all__ = ["path_of", "seconds", "whole_number"]


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

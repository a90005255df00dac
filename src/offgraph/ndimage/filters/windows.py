"""Windows with a footprint: SciPy's checks, and the native rank filter."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from offgraph.engine.calls import as_double, check_output, native_input
from offgraph.engine.native import core
from offgraph.ndimage.arguments import normalize_sequence, whole_origins
from offgraph.ndimage.filters.lines import call_in_c_order

__all__ = [
    "check_window",
    "expand_entries",
    "expand_footprint",
    "filter_ranks",
    "rank_as_double",
    "warn_of_two_windows",
]


def warn_of_two_windows(size: Any, footprint: Any) -> None:
    """Warn that one of two given windows is ignored."""
    if size is not None and footprint is not None:
        # The caller of the public function, two functions above the one that calls this.
        warnings.warn("ignoring size because footprint is set", UserWarning, stacklevel=4)


def window_of(size: Any, footprint: Any, axes: tuple[int, ...], ndim: int) -> np.ndarray:
    """The window of a filter, with an axis for each of the array's: the footprint, or all of a size."""
    if footprint is None:
        if size is None:
            raise RuntimeError("no footprint or filter size provided")
        window = np.ones(normalize_sequence(size, len(axes)), dtype=bool)
    else:
        window = np.asarray(footprint, dtype=bool)
    return expand_footprint(window, axes, ndim)


def expand_footprint(footprint: np.ndarray, axes: tuple[int, ...], ndim: int) -> np.ndarray:
    """The footprint with an axis of length 1 for every axis that is not filtered."""
    if len(axes) == ndim:
        return footprint
    if footprint.ndim != len(axes):
        raise RuntimeError(f"footprint.ndim ({footprint.ndim}) must match len(axes) ({len(axes)})")
    return np.expand_dims(footprint, tuple(axis for axis in range(ndim) if axis not in axes))


def expand_entries(value: Any, axes: tuple[int, ...], ndim: int) -> list[Any]:
    """An entry for every axis, 0 for those that are not filtered."""
    entries = normalize_sequence(value, len(axes))
    if len(axes) == ndim:
        return entries
    expanded: list[Any] = [0] * ndim
    for axis, each in zip(axes, entries):
        expanded[axis] = each
    return expanded


def check_window(footprint: np.ndarray, origins: list[Any], axes: tuple[int, ...], ndim: int) -> None:
    """Refuse a window that does not fit the axes, or does not contain the pixel."""
    lengths = [length for length in footprint.shape if length > 0]
    if len(lengths) != ndim:
        raise RuntimeError(f"footprint.ndim ({footprint.ndim}) must match len(axes) ({len(axes)})")
    for origin, length in zip(origins, lengths):
        if length // 2 + origin < 0 or length // 2 + origin >= length:
            raise ValueError("invalid origin")


def rank_as_double(
    input: np.ndarray,
    rank: int,
    footprint: np.ndarray,
    output: np.ndarray,
    mode: int,
    cval: Any,
    origins: list[Any],
) -> None:
    """Rank filter of any array, with the last checks that SciPy makes in C."""
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    cval, origins = as_double(cval), whole_origins(origins)
    if input.size == 0:
        # Nothing is read or written, so SciPy does not get to complain about a dtype.
        return
    input = native_input(input, "array type not supported")
    check_output(output, "array type not supported")
    filter_ranks(input, rank, footprint, output, mode, cval, origins)


def filter_ranks(
    input: np.ndarray,
    rank: int,
    footprint: np.ndarray,
    output: np.ndarray,
    mode: int,
    cval: float | int,
    origins: list[int],
) -> None:
    """Call the native rank filter."""
    if np.may_share_memory(footprint, output):
        footprint = footprint.copy()
    window = footprint.shape, origins, mode
    arguments = int(rank), footprint, mode, cval, origins
    held = input.itemsize
    call_in_c_order(core.rank_filter, input, output, *arguments, window=window, held=held)

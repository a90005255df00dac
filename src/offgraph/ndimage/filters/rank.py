"""Rank filters: the sample of some rank among those in a window; the median and percentiles among them.

NaN, of either sign, ranks after every number, as in `numpy.sort`. (SciPy leaves it undefined.)
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from offgraph.engine.calls import mode_code, native_input, output_array
from offgraph.ndimage.arguments import check_axes, normalize_sequence, whole_origins
from offgraph.ndimage.filters.extremes import maximum_filter, minimum_filter
from offgraph.ndimage.filters.windows import (
    check_window,
    expand_entries,
    filter_ranks,
    rank_as_double,
    warn_of_two_windows,
    window_of,
)

__all__ = ["median_filter", "percentile_filter", "rank_filter"]


def rank_filter(
    input: ArrayLike,
    rank: int,
    size: int | Sequence[int] | None = None,
    footprint: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """The sample of one rank in a window around each pixel.

    Parameters
    ----------
    input : array_like
        Real, any number of axes. A channel axis is an axis like any other: leave it out of `axes`.
    rank : int
        0 is the smallest sample, -1 the largest.
    size, footprint, output, cval, origin, axes
        As for `minimum_filter`.
    mode : str
        The border mode; see `correlate1d`.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array. 64-bit integers above 2^53 are rounded, except
        in arrays of one axis.

    Raises
    ------
    RuntimeError
        For a rank that the window does not have, and as `minimum_filter` does.
    ValueError, TypeError
        As `minimum_filter` does.

    Examples
    --------
    >>> rank_filter([2, 8, 0, 4, 1, 9, 9, 0], 1, size=3)
    array([2, 2, 4, 1, 4, 9, 9, 0])
    """
    rank = operator.index(rank)
    return _rank(input, rank, size, footprint, output, mode, cval, origin, axes, "rank")


def median_filter(
    input: ArrayLike,
    size: int | Sequence[int] | None = None,
    footprint: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """The median of the samples in a window around each pixel.

    Of an even number of samples it is the upper of the two in the middle.

    Parameters
    ----------
    input, size, footprint, output, mode, cval, origin, axes
        As for `rank_filter`.

    Returns
    -------
    ndarray
        As for `rank_filter`.

    Raises
    ------
    RuntimeError, ValueError, TypeError
        As `rank_filter` does.

    Examples
    --------
    >>> image = np.array([[1, 1, 1], [1, 9, 1], [1, 1, 1]])
    >>> median_filter(image, size=3)
    array([[1, 1, 1],
           [1, 1, 1],
           [1, 1, 1]])

    A colour image is filtered channel by channel:

    >>> median_filter(np.zeros((4, 4, 3), np.uint8), size=3, axes=(0, 1)).shape
    (4, 4, 3)
    """
    return _rank(input, 0, size, footprint, output, mode, cval, origin, axes, "median")


def percentile_filter(
    input: ArrayLike,
    percentile: float,
    size: int | Sequence[int] | None = None,
    footprint: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """A percentile of the samples in a window around each pixel.

    Parameters
    ----------
    input, size, footprint, output, mode, cval, origin, axes
        As for `rank_filter`.
    percentile : float
        0 is the smallest sample, 100 the largest; -20 is 80.

    Returns
    -------
    ndarray
        As for `rank_filter`; always one of the samples, the one of rank ``int(n * percentile / 100)`` of ``n``.

    Raises
    ------
    RuntimeError, ValueError, TypeError
        As `rank_filter` does; RuntimeError for a percentile out of range too.

    Examples
    --------
    >>> percentile_filter([2, 8, 0, 4, 1, 9, 9, 0], 50, size=3)
    array([2, 2, 4, 1, 4, 9, 9, 0])
    """
    return _rank(input, percentile, size, footprint, output, mode, cval, origin, axes, "percentile")


def _rank(
    input: Any,
    rank: Any,
    size: Any,
    footprint: Any,
    output: Any,
    mode: Any,
    cval: Any,
    origin: Any,
    axes: Any,
    operation: str,
) -> np.ndarray:
    warn_of_two_windows(size, footprint)
    input = np.asarray(input)
    if np.iscomplexobj(input):
        raise TypeError("Complex type not supported")
    axes = check_axes(axes, input.ndim)
    footprint = window_of(size, footprint, axes, input.ndim)
    origins = expand_entries(origin, axes, input.ndim)
    if not isinstance(mode, str) and isinstance(mode, Iterable):
        modes = ["constant"] * input.ndim
        for axis, each in zip(axes, normalize_sequence(mode, len(axes))):
            modes[axis] = each
        mode = modes
    check_window(footprint, origins, axes, input.ndim)
    count = int(np.count_nonzero(footprint))
    rank = _wanted_rank(rank, count, operation)
    if rank == 0 or rank == count - 1:
        extreme = minimum_filter if rank == 0 else maximum_filter
        return extreme(input, None, footprint, output, mode, cval, origins)
    output = output_array(output, input)
    if not isinstance(mode, str) and isinstance(mode, Iterable):
        raise RuntimeError("A sequence of modes is not supported by non-separable rank filters")
    code = mode_code(mode, is_filter=True)
    # SciPy has another filter for one axis, typed where the general one goes through double, for all but windows
    # that reach beyond the far end of the array.
    reach = (footprint.size - 1) // 2 - (origins[-1] if origins else 0)
    if input.ndim == 1 and (reach <= input.size or input.size == 1):
        _rank_of_line(input, rank, footprint, output, code, cval, origins)
    else:
        rank_as_double(input, rank, footprint, output, code, cval, origins)
    return output


def _wanted_rank(rank: Any, count: int, operation: str) -> int:
    if operation == "median":
        rank = count // 2
    elif operation == "percentile":
        percentile = rank + 100.0 if rank < 0.0 else rank
        if percentile < 0 or percentile > 100:
            raise RuntimeError("invalid percentile")
        rank = count - 1 if percentile == 100.0 else int(float(count) * percentile / 100.0)
    if rank < 0:
        rank += count
    if rank < 0 or rank >= count:
        raise RuntimeError("rank not within filter footprint size")
    return rank


def _rank_of_line(
    input: np.ndarray,
    rank: int,
    footprint: np.ndarray,
    output: np.ndarray,
    mode: int,
    cval: Any,
    origins: list[Any],
) -> None:
    """Rank filter of an array of one axis: 64-bit integers stay exact, others go through them."""
    if input.dtype in (np.int64, np.float64, np.float32):
        samples = input
    elif input.dtype == np.float16:
        samples = input.astype(np.float32)
    elif input.dtype.kind in "biu":
        samples = input.astype(np.int64)
    else:
        raise RuntimeError("Unsupported array type")
    fill = samples.dtype.type(cval)
    value = int(fill) if samples.dtype.kind == "i" else float(fill)
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    result = output if output.dtype == samples.dtype else np.empty(samples.shape, samples.dtype)
    origins = whole_origins(origins)
    filter_ranks(native_input(samples), rank, footprint, result, mode, value, origins)
    if result is not output:
        np.copyto(output, result, casting="unsafe")

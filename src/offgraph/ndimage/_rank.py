"""Rank filters: the sample of some rank among those in a window; median, minimum and maximum among them.

NaN, of either sign, ranks behind every number, as in `numpy.sort`: a minimum is NaN only where there is nothing
else, a maximum wherever there is one. (SciPy leaves it undefined.)
"""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from offgraph import _native
from offgraph.ndimage._lines import along_axes, call_in_c_order, filter_lines
from offgraph.ndimage._support import (
    as_double,
    check_axes,
    check_output,
    mode_code,
    native_input,
    normalize_axis,
    normalize_sequence,
    output_array,
)

__all__ = [
    "maximum_filter",
    "maximum_filter1d",
    "median_filter",
    "minimum_filter",
    "minimum_filter1d",
    "percentile_filter",
    "rank_filter",
]

#: Boxes of more samples than this are filtered axis by axis: a mask of them would cost more than it saves.
LARGEST_BOX = 1 << 14


def minimum_filter1d(
    input: ArrayLike,
    size: int,
    axis: int = -1,
    output: np.ndarray | DTypeLike | None = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> np.ndarray:
    """The smallest sample of a window that slides along an axis.

    Parameters
    ----------
    input : array_like
        Real, any number of axes but 0.
    size : int
        Samples in the window, which begins ``size // 2 + origin`` ahead of the pixel.
    axis : int
        The axis of the lines.
    output : ndarray or dtype, optional
        Where the result goes, or its dtype; the input's dtype if left out.
    mode : str
        The border mode; see `correlate1d`.
    cval : float
        The value outside the array, for the constant modes.
    origin : int
        Moves the window towards lower indices; it must still hold the pixel.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array. 64-bit integers above 2^53 are rounded.

    Raises
    ------
    RuntimeError
        For a size below 1, an unknown mode, or an output of another shape.
    ValueError
        For an origin out of range, or a read-only output.
    TypeError
        For complex arrays.

    Examples
    --------
    >>> minimum_filter1d([2, 8, 0, 4, 1, 9, 9, 0], size=3)
    array([2, 0, 0, 0, 1, 1, 0, 0])
    """
    return _extremum1d(input, size, axis, output, mode, cval, origin, minimum=True)


def maximum_filter1d(
    input: ArrayLike,
    size: int,
    axis: int = -1,
    output: np.ndarray | DTypeLike | None = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> np.ndarray:
    """The largest sample of a window that slides along an axis.

    Parameters
    ----------
    input, size, axis, output, mode, cval, origin
        As for `minimum_filter1d`.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array. 64-bit integers above 2^53 are rounded.

    Raises
    ------
    RuntimeError, ValueError, TypeError
        As `minimum_filter1d` does.

    Examples
    --------
    >>> maximum_filter1d([2, 8, 0, 4, 1, 9, 9, 0], size=3)
    array([8, 8, 8, 4, 9, 9, 9, 9])
    """
    return _extremum1d(input, size, axis, output, mode, cval, origin, minimum=False)


def _extremum1d(
    input: Any, size: Any, axis: Any, output: Any, mode: Any, cval: Any, origin: Any, *, minimum: bool
) -> np.ndarray:
    input = np.asarray(input)
    if np.iscomplexobj(input):
        raise TypeError("Complex type not supported")
    axis = normalize_axis(axis, input.ndim)
    if size < 1:
        raise RuntimeError("incorrect filter size")
    output = output_array(output, input)
    if size // 2 + origin < 0 or size // 2 + origin >= size:
        raise ValueError("invalid origin")
    mode = mode_code(mode)
    filter_lines(_native.extremum1d, input, output, operator.index(size), axis, mode, cval, origin, minimum)
    return output


def minimum_filter(
    input: ArrayLike,
    size: int | Sequence[int] | None = None,
    footprint: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """The smallest sample in a window around each pixel.

    Parameters
    ----------
    input : array_like
        Real, any number of axes. A channel axis is an axis like any other: leave it out of `axes`.
    size : int or sequence of int, optional
        Samples in the window along all axes, or along each.
    footprint : array_like of bool, optional
        The samples that count, in place of `size`; one axis for each filtered axis of `input`.
    output : ndarray or dtype, optional
        Where the result goes, or its dtype; the input's dtype if left out.
    mode : str or sequence of str
        The border mode (see `correlate1d`), for all axes or, if the window is a full box, for each.
    cval : float
        The value outside the array, for the constant modes.
    origin : int or sequence of int
        Moves the window towards lower indices; it must still hold the pixel.
    axes : int or sequence of int, optional
        The axes to filter; all if left out. Sequences above have one entry for each of them.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array. 64-bit integers above 2^53 are rounded.

    Raises
    ------
    RuntimeError
        Without a window, for one that does not fit the axes, an unknown mode, or an output of another shape.
    ValueError
        For a footprint without samples, an origin out of range, or a read-only output.
    TypeError
        For complex arrays.

    Examples
    --------
    >>> minimum_filter([[5, 1, 7], [8, 9, 6]], size=(1, 2))
    array([[5, 1, 1],
           [8, 8, 6]])
    """
    return _extremum(input, size, footprint, output, mode, cval, origin, axes, minimum=True)


def maximum_filter(
    input: ArrayLike,
    size: int | Sequence[int] | None = None,
    footprint: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """The largest sample in a window around each pixel.

    Parameters
    ----------
    input, size, footprint, output, mode, cval, origin, axes
        As for `minimum_filter`.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array. 64-bit integers above 2^53 are rounded.

    Raises
    ------
    RuntimeError, ValueError, TypeError
        As `minimum_filter` does.

    Examples
    --------
    >>> maximum_filter([[5, 1, 7], [8, 9, 6]], size=(1, 2))
    array([[5, 5, 7],
           [8, 9, 9]])
    """
    return _extremum(input, size, footprint, output, mode, cval, origin, axes, minimum=False)


def _extremum(
    input: Any,
    size: Any,
    footprint: Any,
    output: Any,
    mode: Any,
    cval: Any,
    origin: Any,
    axes: Any,
    *,
    minimum: bool,
) -> np.ndarray:
    _warn_of_two_windows(size, footprint)
    if footprint is None:
        if size is None:
            raise RuntimeError("no footprint provided")
    else:
        footprint = np.asarray(footprint, dtype=bool)
        if not footprint.any():
            raise ValueError("All-zero footprint is not supported.")
        if footprint.all():
            size, footprint = footprint.shape, None
    input = np.asarray(input)
    if np.iscomplexobj(input):
        raise TypeError("Complex type not supported")
    output = output_array(output, input)
    axes = check_axes(axes, input.ndim)
    if footprint is None:
        count = len(axes)
        origins = normalize_sequence(origin, count)
        sizes = normalize_sequence(size, count)
        modes = normalize_sequence(mode, count)

        if _in_one_pass(input, output, axes, sizes, origins, modes, cval, minimum=minimum):
            return output

        def along(source: np.ndarray, target: np.ndarray, axis: int, size: Any, origin: Any, mode: str):
            _extremum1d(source, int(size), axis, target, mode, cval, origin, minimum=minimum)

        along_axes(along, [each for each in zip(axes, sizes, origins, modes) if each[1] > 1], input, output)
        return output
    footprint = _expand_footprint(footprint, axes, input.ndim)
    origins = _expand_origins(origin, axes, input.ndim)
    _check_window(footprint, origins, axes, input.ndim)
    if not isinstance(mode, str) and isinstance(mode, Iterable):
        raise RuntimeError("A sequence of modes is not supported for non-separable footprints")
    rank = 0 if minimum else int(np.count_nonzero(footprint)) - 1
    _rank_as_double(input, rank, footprint, output, mode_code(mode), cval, origins)
    return output


def _in_one_pass(
    input: np.ndarray,
    output: np.ndarray,
    axes: Sequence[int],
    sizes: Sequence[Any],
    origins: Sequence[Any],
    modes: Sequence[Any],
    cval: Any,
    *,
    minimum: bool,
) -> bool:
    """The extremes of a full box by the rank filter, where that gives what one axis after the other does.

    SciPy stores each axis's result in the output, compares the next axis in double with `cval` as it is, and
    looks at an axis's arguments when its turn has come. So this is for outputs of the input's type, values outside
    that it has, and arguments in order; all else is left to be done axis by axis.
    """
    dtype = input.dtype
    whole = dtype.kind in "iu" and dtype.itemsize < 8
    if dtype != output.dtype or not (whole or dtype in (np.float32, np.float64)):
        return False
    passes = [
        (axis, int(size), origin, mode)
        for axis, size, origin, mode in zip(axes, sizes, origins, modes)
        if size > 1
    ]
    if not passes or any(mode != passes[0][3] for *_, mode in passes):
        return False
    mode = passes[0][3]
    if mode in ("constant", "grid-constant") and not _is_sample(cval, dtype):
        return False
    shape, moves = [1] * input.ndim, [0] * input.ndim
    for axis, size, origin, _ in passes:
        if not isinstance(origin, int) or not 0 <= size // 2 + origin < size or size > input.shape[axis]:
            return False
        shape[axis], moves[axis] = size, origin
    count = math.prod(shape)
    if count > LARGEST_BOX:
        return False
    rank = 0 if minimum else count - 1
    _rank_as_double(input, rank, np.ones(shape, bool), output, mode_code(mode), cval, moves)
    return True


def _is_sample(value: Any, dtype: np.dtype) -> bool:
    """Whether a value outside the image sorts among samples of a type as it does before the cast to it."""
    if dtype.kind == "f":
        return isinstance(value, int | float)
    limits = np.iinfo(dtype)
    return isinstance(value, int | float) and limits.min <= value <= limits.max and value == int(value)


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

    A colour picture is filtered channel by channel:

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
    _warn_of_two_windows(size, footprint)
    input = np.asarray(input)
    if np.iscomplexobj(input):
        raise TypeError("Complex type not supported")
    axes = check_axes(axes, input.ndim)
    if footprint is None:
        if size is None:
            raise RuntimeError("no footprint or filter size provided")
        footprint = np.ones(normalize_sequence(size, len(axes)), dtype=bool)
    else:
        footprint = np.asarray(footprint, dtype=bool)
    footprint = _expand_footprint(footprint, axes, input.ndim)
    origins = _expand_origins(origin, axes, input.ndim)
    if not isinstance(mode, str) and isinstance(mode, Iterable):
        modes = ["constant"] * input.ndim
        for axis, each in zip(axes, normalize_sequence(mode, len(axes))):
            modes[axis] = each
        mode = modes
    _check_window(footprint, origins, axes, input.ndim)
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
        _rank_as_double(input, rank, footprint, output, code, cval, origins)
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
    origins = [operator.index(origin) for origin in origins]
    call_in_c_order(
        _native.rank_filter, native_input(samples), result, int(rank), footprint, mode, value, origins
    )
    if result is not output:
        np.copyto(output, result, casting="unsafe")


def _rank_as_double(
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
    cval, origins = as_double(cval), [operator.index(origin) for origin in origins]
    if input.size == 0:
        # Nothing is read or written, so SciPy comes to no complaint about a dtype.
        return
    unsupported = "array type not supported"
    input = native_input(input, unsupported)
    check_output(output, unsupported)
    call_in_c_order(_native.rank_filter, input, output, int(rank), footprint, mode, cval, origins)


def _warn_of_two_windows(size: Any, footprint: Any) -> None:
    if size is not None and footprint is not None:
        # The caller of the public function, two functions above the one that calls this.
        warnings.warn("ignoring size because footprint is set", UserWarning, stacklevel=4)


def _expand_footprint(footprint: np.ndarray, axes: tuple[int, ...], ndim: int) -> np.ndarray:
    """The footprint with an axis of length 1 for every axis that is not filtered."""
    if len(axes) == ndim:
        return footprint
    if footprint.ndim != len(axes):
        raise RuntimeError(f"footprint.ndim ({footprint.ndim}) must match len(axes) ({len(axes)})")
    return np.expand_dims(footprint, tuple(axis for axis in range(ndim) if axis not in axes))


def _expand_origins(origin: Any, axes: tuple[int, ...], ndim: int) -> list[Any]:
    """An origin for every axis, 0 for those that are not filtered."""
    origins = normalize_sequence(origin, len(axes))
    if len(axes) == ndim:
        return origins
    expanded: list[Any] = [0] * ndim
    for axis, each in zip(axes, origins):
        expanded[axis] = each
    return expanded


def _check_window(footprint: np.ndarray, origins: list[Any], axes: tuple[int, ...], ndim: int) -> None:
    lengths = [length for length in footprint.shape if length > 0]
    if len(lengths) != ndim:
        raise RuntimeError(f"footprint.ndim ({footprint.ndim}) must match len(axes) ({len(axes)})")
    for origin, length in zip(origins, lengths):
        if length // 2 + origin < 0 or length // 2 + origin >= length:
            raise ValueError("invalid origin")

"""Filters whose windows or lines are given to a Python function.

The argument checks, their order and messages are SciPy's. Windows are gathered many at once, as rows of one array, and results
stored by the native core's casts; what is left is the calls. Compiled functions (`scipy.LowLevelCallable`) are SciPy's own
business.
"""

from __future__ import annotations

import importlib
import math
import warnings
from array import array
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from offgraph.engine.calls import as_double, check_output, mode_code, native_input, output_array
from offgraph.ndimage.arguments import check_axes, normalize_axis, whole_origins
from offgraph.ndimage.filters.linear import correlate, correlate1d
from offgraph.ndimage.filters.lines import unsupported
from offgraph.ndimage.filters.windows import check_window, expand_entries, window_of

__all__ = ["generic_filter", "generic_filter1d"]

_BLOCK_BYTES = 8 << 20
"""Memory for the windows that are gathered at once."""

_UNSUPPORTED = "array type not supported"

_NEAREST, _WRAP, _REFLECT, _MIRROR, _CONSTANT = 0, 1, 2, 3, 4


def generic_filter(
    input: ArrayLike,
    function: Any,
    size: int | Sequence[int] | None = None,
    footprint: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    extra_arguments: tuple[Any, ...] = (),
    extra_keywords: dict[str, Any] | None = None,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Call a function with the window of each pixel; `scipy.ndimage.generic_filter`.

    Exact: SciPy's windows, in C order, and its casts. Where input and output share memory, the result is that of
    separate arrays. A window is a row of an array of many: it may be written to, and keeping it keeps the others.

    Parameters
    ----------
    input : array_like
        Real numbers.
    function : callable or scipy.LowLevelCallable
        Takes the pixels of a window as a ``float64`` array of one axis, and gives a number.
    size : int or sequence of int, optional
        Lengths of the window.
    footprint : array_like, optional
        Elements of the window that count; `size` is ignored then.
    output : ndarray or dtype, optional
        Where the result goes, or its dtype; the input's dtype if left out.
    mode : str
        The border mode, as of `correlate1d`.
    cval : float
        The value outside the array, for the constant modes.
    origin : int or sequence of int
        Moves the window towards lower indices.
    extra_arguments : tuple
        Further arguments of the function.
    extra_keywords : dict, optional
        Its keywords.
    axes : int or sequence of int, optional
        The axes to filter along; all if not given.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array.

    Raises
    ------
    TypeError
        For complex input, or a result that is not a number.
    RuntimeError
        Without a window, for one that does not fit the axes, an unknown mode, or extra arguments of another type.
    ValueError
        For an origin out of range, or a read-only output.

    Examples
    --------
    >>> generic_filter([1, 5, 2, 8], np.ptp, 3)
    array([4, 4, 6, 6])
    """
    if size is not None and footprint is not None:
        warnings.warn("ignoring size because footprint is set", UserWarning, stacklevel=2)
    if not _is_python(function):
        arguments = size if footprint is None else None, footprint, output, mode, cval, origin
        scipys: Any = importlib.import_module("scipy.ndimage").generic_filter
        return scipys(input, function, *arguments, extra_arguments, extra_keywords, axes=axes)
    input = np.asarray(input)
    if np.iscomplexobj(input):
        raise TypeError("Complex type not supported")
    chosen = check_axes(axes, input.ndim)
    window = window_of(size, footprint, chosen, input.ndim)
    origins = expand_entries(origin, chosen, input.ndim)
    check_window(window, origins, chosen, input.ndim)
    output = output_array(output, input)
    code, call = mode_code(mode, is_filter=True), _bound(function, extra_arguments, extra_keywords)
    value, origins = _last_checks(output, cval, _UNSUPPORTED), whole_origins(origins)
    if input.size:
        before = [length // 2 + shift for length, shift in zip(window.shape, origins)]
        pixels = _bordered(input, before, window.shape, code, value, _UNSUPPORTED)
        _store(_called(call, pixels, window, input.shape), output)
    return output


def generic_filter1d(
    input: ArrayLike,
    function: Any,
    filter_size: int,
    axis: int = -1,
    output: np.ndarray | DTypeLike | None = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
    extra_arguments: tuple[Any, ...] = (),
    extra_keywords: dict[str, Any] | None = None,
) -> np.ndarray:
    """Call a function with each line along an axis, and the line to write; `scipy.ndimage.generic_filter1d`.

    Exact: SciPy's lines, in C order, and its casts. Where input and output share memory, the result is that of
    separate arrays. What the function does not write is 0.

    Parameters
    ----------
    input : array_like
        Real numbers.
    function : callable or scipy.LowLevelCallable
        Takes a line as a ``float64`` array, ``filter_size - 1`` longer than that of the input, and an array of the line's own
        length, which it writes to.
    filter_size : int
        Length of the window.
    axis : int
        The axis of the lines.
    output : ndarray or dtype, optional
        Where the result goes, or its dtype; the input's dtype if left out.
    mode : str
        The border mode, as of `correlate1d`.
    cval : float
        The value outside the array, for the constant modes.
    origin : int
        Moves the window towards lower indices.
    extra_arguments : tuple
        Further arguments of the function.
    extra_keywords : dict, optional
        Its keywords.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array.

    Raises
    ------
    TypeError
        For complex input.
    RuntimeError
        For a filter size below 1, an unknown mode, or extra arguments of another type.
    ValueError
        For an origin out of range, or a read-only output.
    numpy.exceptions.AxisError
        For an axis that `input` lacks.

    Examples
    --------
    >>> def differences(line, out):
    ...     out[:] = line[1:] - line[:-1]
    >>> generic_filter1d([1, 5, 2, 8], differences, 2)
    array([ 0,  4, -3,  6])
    """
    if not _is_python(function):
        arguments = filter_size, axis, output, mode, cval, origin, extra_arguments, extra_keywords
        scipys: Any = importlib.import_module("scipy.ndimage").generic_filter1d
        return scipys(input, function, *arguments)
    input = np.asarray(input)
    if np.iscomplexobj(input):
        raise TypeError("Complex type not supported")
    output = output_array(output, input)
    if filter_size < 1:
        raise RuntimeError("invalid filter size")
    axis = normalize_axis(axis, input.ndim)
    if filter_size // 2 + origin < 0 or filter_size // 2 + origin >= filter_size:
        raise ValueError("invalid origin")
    code, call = mode_code(mode, is_filter=True), _bound(function, extra_arguments, extra_keywords)
    value, (shift, length) = (
        _last_checks(output, cval, unsupported(output)),
        whole_origins([origin, filter_size]),
    )
    if input.size:
        lengths, before = [1] * input.ndim, [0] * input.ndim
        lengths[axis], before[axis] = length, length // 2 + shift
        lines = np.moveaxis(_bordered(input, before, lengths, code, value, unsupported(input)), axis, -1)
        results = np.zeros(np.moveaxis(input, axis, -1).shape)
        for place in np.ndindex(lines.shape[:-1]):
            written = results[place]
            call(lines[place].copy(), written)
        _store_lines(np.moveaxis(results, -1, axis), output, axis)
    return output


def _is_python(function: Any) -> bool:
    """Whether it is called as a Python function; a `LowLevelCallable` is a tuple, and capsules cannot be called."""
    return callable(function) and not isinstance(function, tuple)


def _bound(function: Callable[..., Any], arguments: Any, keywords: Any) -> Callable[..., Any]:
    """The function with its further arguments after those that it is called with."""
    keywords = {} if keywords is None else keywords
    if not isinstance(arguments, tuple):
        raise RuntimeError("extra_arguments must be a tuple")
    if not isinstance(keywords, dict):
        raise RuntimeError("extra_keywords must be a dictionary")
    if not arguments and not keywords:
        return function
    return lambda *given: function(*given, *arguments, **keywords)


def _last_checks(output: np.ndarray, cval: Any, refusal: str) -> float:
    """The checks that SciPy makes in C; the value outside."""
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    check_output(output, refusal)
    return as_double(cval)


def _bordered(
    input: np.ndarray, before: Sequence[int], lengths: Sequence[int], mode: int, value: float, refusal: str
) -> np.ndarray:
    """The pixels as float64, with as many around them as the windows reach over the border."""
    pixels = native_input(input, refusal).astype(np.float64)
    for axis, (first, length) in enumerate(zip(before, lengths)):
        if length > 1:
            count = pixels.shape[axis]
            places = np.arange(-first, count + length - 1 - first)
            inside = (places >= 0) & (places < count)
            pixels = pixels.take(_read_from(places, count, mode), axis)
            if mode == _CONSTANT:
                pixels[(slice(None),) * axis + (~inside,)] = value
    return pixels


def _read_from(places: np.ndarray, count: int, mode: int) -> np.ndarray:
    """Which of `count` pixels of a line is read at each place."""
    if mode == _WRAP:
        return places % count
    if mode == _REFLECT:
        places = places % (2 * count)
        return np.minimum(places, 2 * count - 1 - places)
    if mode == _MIRROR:
        period = max(2 * (count - 1), 1)
        return np.minimum(places % period, -places % period)
    return places.clip(0, count - 1)


def _called(
    call: Callable[..., Any], pixels: np.ndarray, window: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """What the function gives for each window, in the shape of the input."""
    if not shape:
        pixels, window = pixels.reshape(1), window.reshape(1)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, window.shape)
    width = int(np.count_nonzero(window))
    results = array("d")
    # Like arrays of their own, rows begin at multiples of 16 bytes, on which sums by BLAS depend.
    stride = max(width + width % 2, 2)
    rows = max(1, _BLOCK_BYTES // (8 * stride))
    # Whole slabs of the first axis, or of the second one in each of the first, and so on.
    for place, block in _blocks(windows, window.ndim, rows):
        gathered = windows[place][block][..., window]
        block_rows = np.empty((math.prod(gathered.shape[:-1]), stride))[:, :width]
        block_rows[...] = gathered.reshape(block_rows.shape)
        for row in block_rows:  # not extend(map(…)), which takes a StopIteration of the function for its end
            results.append(call(row))
    return np.frombuffer(results, np.float64).reshape(shape)


def _blocks(windows: np.ndarray, axes: int, rows: int) -> Any:
    """Parts of the windows, in C order, of about so many or a single line's: an index of outer axes, then a slice."""
    outer, inner = 0, windows.shape[:axes]
    while outer < axes - 1 and math.prod(inner[outer + 1 :]) > rows:
        outer += 1
    step = max(1, rows // max(math.prod(inner[outer + 1 :]), 1))
    for place in np.ndindex(inner[:outer]):
        for start in range(0, inner[outer], step):
            yield place, slice(start, start + step)


def _store(results: np.ndarray, output: np.ndarray) -> None:
    """Store floats by SciPy's cast of a pixel."""
    if output.dtype.kind == "f":
        with np.errstate(over="ignore"):
            output[...] = results
    elif output.ndim == 0:
        cast = np.empty(1, output.dtype)
        correlate(results.reshape(1), [1.0], output=cast)
        output[...] = cast[0]
    else:
        correlate(results, np.ones((1,) * results.ndim), output=output)


def _store_lines(results: np.ndarray, output: np.ndarray, axis: int) -> None:
    """Store floats by SciPy's cast of a line."""
    if output.dtype.kind == "f":
        with np.errstate(over="ignore"):
            output[...] = results
    else:
        correlate1d(results, [1.0], axis, output)

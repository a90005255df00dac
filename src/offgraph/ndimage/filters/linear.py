"""Linear filters: correlations along an axis and over several, and means.

The argument checks, their order and messages, and the weights are SciPy's; the loops are native. Real arrays of
any dtype, layout and number of axes are taken, and complex ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from offgraph.engine.calls import as_double, check_output, mode_code, native_input, output_array
from offgraph.engine.native import core
from offgraph.ndimage.arguments import check_axes, normalize_axis, normalize_sequence, whole_origins
from offgraph.ndimage.filters.lines import along_axes, call_in_c_order, filter_lines, filter_windows
from offgraph.ndimage.filters.windows import expand_entries

__all__ = [
    "convolve",
    "convolve1d",
    "correlate",
    "correlate1d",
    "uniform_filter",
    "uniform_filter1d",
]


def correlate1d(
    input: ArrayLike,
    weights: ArrayLike,
    axis: int = -1,
    output: np.ndarray | DTypeLike | None = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
) -> np.ndarray:
    """Correlate the lines along an axis with weights.

    Weight ``k`` meets the sample ``k - len(weights) // 2 - origin`` away from the pixel.

    Parameters
    ----------
    input : array_like
        Real or complex, any number of axes but 0.
    weights : array_like
        One axis, real or complex, at least one. Real ones are used as float64.
    axis : int
        The axis of the lines.
    output : ndarray or dtype, optional
        Where the result goes, or its dtype; the input's dtype if left out (complex for complex arguments).
    mode : str
        The border mode: ``"reflect"`` (``"grid-mirror"``), ``"mirror"``, ``"nearest"``, ``"wrap"``
        (``"grid-wrap"``), ``"constant"`` (``"grid-constant"``).
    cval : float or complex
        The value outside the array, for the constant modes.
    origin : int
        Moves the window towards lower indices; ``-(len(weights) // 2) <= origin <= (len(weights) - 1) // 2``.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        Without weights, for an unknown mode, or an output of another shape.
    ValueError
        For an origin out of range, a read-only output, or a complex `cval` with a real input.
    numpy.exceptions.AxisError
        For an axis that `input` lacks.

    Notes
    -----
    The bytes are SciPy's: sums in float64, in its order of additions, truncated (not rounded) to an integer output and
    wrapped around if too large for it. Complex arrays are filtered as real and imaginary parts. Where input and
    output share memory the result is that of separate arrays.

    Examples
    --------
    >>> correlate1d([2, 8, 0, 4, 1, 9, 9, 0], weights=[1, 3])
    array([ 8, 26,  8, 12,  7, 28, 36,  9])
    """
    input = np.asarray(input)
    weights = np.asarray(weights)
    if input.dtype.kind == "c" or weights.dtype.kind == "c":
        if weights.dtype.kind == "c":
            weights = weights.conj().astype(np.complex128, copy=False)
        output = output_array(output, input, complex_output=True)
        return _by_parts(correlate1d, input, weights, output, cval, axis=axis, mode=mode, origin=origin)
    output = output_array(output, input)
    weights = np.asarray(weights, dtype=np.float64)
    if weights.ndim != 1 or weights.shape[0] < 1:
        raise RuntimeError("no filter weights given")
    axis = normalize_axis(axis, input.ndim)
    size = len(weights)
    if origin < -(size // 2) or origin > (size - 1) // 2:
        raise ValueError(
            "Invalid origin; origin must satisfy -(len(weights) // 2) <= origin <= (len(weights)-1) // 2"
        )
    filter_lines(core.correlate1d, input, output, weights.tolist(), axis, mode_code(mode), cval, origin)
    return output


def _by_parts(
    filter_: Callable[..., Any], input: Any, weights: Any, output: Any, cval: complex, **kwargs: Any
) -> np.ndarray:
    """Complex correlation as a sum of real ones, in SciPy's order."""
    if input.dtype.kind == "c" and weights.dtype.kind == "c":
        real, imaginary = np.real(cval), np.imag(cval)
        filter_(input.real, weights.real, output=output.real, cval=real, **kwargs)
        output.real -= filter_(input.imag, weights.imag, output=None, cval=imaginary, **kwargs)
        filter_(input.real, weights.imag, output=output.imag, cval=real, **kwargs)
        output.imag += filter_(input.imag, weights.real, output=None, cval=imaginary, **kwargs)
    elif input.dtype.kind == "c":
        filter_(input.real, weights, output=output.real, cval=np.real(cval), **kwargs)
        filter_(input.imag, weights, output=output.imag, cval=np.imag(cval), **kwargs)
    else:
        if np.iscomplexobj(cval):
            raise ValueError("Cannot provide a complex-valued cval when the input is real.")
        filter_(input, weights.real, output=output.real, cval=cval, **kwargs)
        filter_(input, weights.imag, output=output.imag, cval=cval, **kwargs)
    return output


def convolve1d(
    input: ArrayLike,
    weights: ArrayLike,
    axis: int = -1,
    output: np.ndarray | DTypeLike | None = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
) -> np.ndarray:
    """Convolve the lines along an axis with weights: `correlate1d` with the weights reversed.

    Parameters
    ----------
    input, weights, axis, output, mode, cval
        As for `correlate1d`.
    origin : int
        Moves the window towards higher indices.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array.

    Raises
    ------
    RuntimeError, ValueError, numpy.exceptions.AxisError
        As `correlate1d` does.

    Examples
    --------
    >>> convolve1d([2, 8, 0, 4, 1, 9, 9, 0], weights=[1, 3])
    array([14, 24,  4, 13, 12, 36, 27,  0])
    """
    weights = np.asarray(weights)[::-1]
    origin = -origin
    if not weights.shape[0] & 1:
        origin -= 1
    if weights.dtype.kind == "c":
        # `correlate1d` conjugates the weights, a convolution does not.
        weights = weights.conj()
    return correlate1d(input, weights, axis, output, mode, cval, origin)


def correlate(
    input: ArrayLike,
    weights: ArrayLike,
    output: np.ndarray | DTypeLike | None = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Correlate with an array of weights.

    Along every axis, weight ``k`` meets the sample ``k - n // 2 - origin`` away from the pixel, where n is the
    number of weights along it.

    Parameters
    ----------
    input : array_like
        Real or complex, any number of axes.
    weights : array_like
        One axis for each of `axes`, real or complex, at least one weight along each. Real ones are used as float64.
    output : ndarray or dtype, optional
        Where the result goes, or its dtype; the input's dtype if left out (complex for complex arguments).
    mode : str
        The border mode, one for all axes; see `correlate1d`.
    cval : float or complex
        The value outside the array, for the constant modes.
    origin : int or sequence of int
        Moves the window towards lower indices, for all axes or for each of `axes`; the pixel must stay inside.
    axes : int or sequence of int, optional
        The axes of the weights; all if left out. They are taken in ascending order, as SciPy does.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        For weights whose axes do not match, a sequence of modes, an unknown mode, or an output of another shape.
    ValueError
        For an origin out of range, axes that are missing or named twice, a read-only output, or a complex `cval`
        with a real input.

    Notes
    -----
    The bytes are SciPy's: sums in float64 in C order of the weights, truncated (not rounded) to an integer output and
    wrapped around if too large for it. Weights within 2.2e-16 of zero are left out.

    Examples
    --------
    >>> correlate([[1.0, 2.0], [3.0, 4.0]], [[0, 1], [1, 0]], mode="constant")
    array([[0., 1.],
           [1., 5.]])
    """
    return _correlate(input, weights, output, mode, cval, origin, False, axes)


def convolve(
    input: ArrayLike,
    weights: ArrayLike,
    output: np.ndarray | DTypeLike | None = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Convolve with an array of weights: `correlate` with the weights reversed along every axis.

    Parameters
    ----------
    input, weights, output, mode, cval, axes
        As for `correlate`.
    origin : int or sequence of int
        Moves the window towards higher indices.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array.

    Raises
    ------
    RuntimeError, ValueError
        As `correlate` does.

    Examples
    --------
    >>> convolve([[1.0, 2.0], [3.0, 4.0]], [[0, 1], [2, 0]], mode="constant")
    array([[7., 4.],
           [8., 0.]])
    """
    return _correlate(input, weights, output, mode, cval, origin, True, axes)


def _correlate(
    input: Any, weights: Any, output: Any, mode: Any, cval: Any, origin: Any, convolution: bool, axes: Any
) -> np.ndarray:
    """Correlation and convolution, with the checks in SciPy's order."""
    input, weights = np.asarray(input), np.asarray(weights)
    if input.dtype.kind == "c" or weights.dtype.kind == "c":
        if weights.dtype.kind == "c" and not convolution:
            weights = weights.conj()
        output = output_array(output, input, complex_output=True)

        def real(input: Any, weights: Any, *, output: Any, cval: Any) -> np.ndarray:
            return _correlate(input, weights, output, mode, cval, origin, convolution, axes)

        return _by_parts(real, input, weights, output, cval)
    axes = check_axes(axes, input.ndim)
    weights = np.asarray(weights, dtype=np.float64)
    if len(axes) < input.ndim:
        if weights.ndim != len(axes):
            raise RuntimeError(f"weights.ndim ({weights.ndim}) must match len(axes) ({len(axes)})")
        weights = np.expand_dims(weights, tuple(axis for axis in range(input.ndim) if axis not in axes))
    origins = expand_entries(origin, axes, input.ndim)
    sizes = [size for size in weights.shape if size > 0]
    if len(sizes) != input.ndim:
        raise RuntimeError(f"weights.ndim ({len(sizes)}) must match len(axes) ({len(axes)})")
    if convolution:
        weights = np.flip(weights)
        origins = [-shift - (size % 2 == 0) for shift, size in zip(origins, weights.shape)]
    for shift, size in zip(origins, sizes):
        if shift < -(size // 2) or shift > (size - 1) // 2:
            raise ValueError(
                "Invalid origin; origin must satisfy -(weights.shape[k] // 2) <= origin[k] <= "
                "(weights.shape[k]-1) // 2"
            )
    output = output_array(output, input)
    if not isinstance(mode, str) and isinstance(mode, Iterable):
        raise RuntimeError("A sequence of modes is not supported")
    code = mode_code(mode)
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    cval = as_double(cval)
    if output.size == 0:
        # Nothing is read or written, so SciPy does not get to complain about a dtype.
        return output
    unsupported = "array type not supported"
    source = native_input(input, unsupported)
    check_output(output, unsupported)
    shifts = whole_origins(origins)
    flat, shape, target = weights.ravel().tolist(), list(weights.shape), output
    if not flat:
        # An axis without weights: SciPy adds up nothing.
        flat, shape, shifts = [0.0], [1] * input.ndim, [0] * input.ndim
    if input.ndim == 0:
        source, target, shape, shifts = source.reshape(1), output.reshape(1), [1], [0]
    window = shape, shifts, code
    arguments = flat, shape, code, cval, shifts
    call_in_c_order(core.correlate_nd, source, target, *arguments, window=window, held=8)
    return output


def uniform_filter1d(
    input: ArrayLike,
    size: int,
    axis: int = -1,
    output: np.ndarray | DTypeLike | None = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
) -> np.ndarray:
    """The mean of a window that slides along an axis.

    Parameters
    ----------
    input : array_like
        Real or complex, any number of axes but 0.
    size : int
        Samples in the window, which begins ``size // 2 + origin`` ahead of the pixel.
    axis, output, mode, cval
        As for `correlate1d`.
    origin : int
        Moves the window towards lower indices; it must still hold the pixel.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        For a size below 1, an unknown mode, or an output of another shape.
    ValueError
        For an origin out of range, or a read-only output.
    numpy.exceptions.AxisError
        For an axis that `input` lacks.

    Notes
    -----
    The bytes are SciPy's: one sum in float64 runs along the line, and integers are truncated, not rounded. So a NaN or an
    infinity spreads to the end of its line, as in SciPy.

    Examples
    --------
    >>> uniform_filter1d([2, 8, 0, 4, 1, 9, 9, 0], size=3)
    array([4, 3, 4, 1, 4, 6, 6, 3])
    """
    return filter_windows(core.uniform1d, input, size, axis, output, mode, cval, origin)


def uniform_filter(
    input: ArrayLike,
    size: int | Sequence[int] = 3,
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """The mean of a box, axis by axis.

    Parameters
    ----------
    input : array_like
        Real or complex, any number of axes. A channel axis is an axis like any other: leave it out of `axes`.
    size : int or sequence of int
        Length of the box, for all axes or for each; an axis with 1 or less is left as it is.
    output, cval
        As for `correlate1d`.
    mode : str or sequence of str
        The border mode, for all axes or for each; see `correlate1d`.
    origin : int or sequence of int
        Moves the box towards lower indices, for all axes or for each.
    axes : int or sequence of int, optional
        The axes to filter; all if left out. Sequences above have one entry for each of them.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array.

    Raises
    ------
    RuntimeError
        For a sequence of the wrong length, an unknown mode, or an output of another shape.
    ValueError
        For axes that are missing or named twice, an origin out of range, or a read-only output.

    Notes
    -----
    The bytes are SciPy's. After every axis the result is stored in the output's dtype, so an integer output is truncated
    once per axis.

    Examples
    --------
    >>> uniform_filter([[0, 0, 0], [0, 9, 0], [0, 0, 0]], size=3, mode="constant")
    array([[1, 1, 1],
           [1, 1, 1],
           [1, 1, 1]])
    """
    input = np.asarray(input)
    output = output_array(output, input, complex_output=input.dtype.kind == "c")
    axes = check_axes(axes, input.ndim)
    count = len(axes)
    sizes = normalize_sequence(size, count)
    origins = normalize_sequence(origin, count)
    modes = normalize_sequence(mode, count)

    def average(source: np.ndarray, target: np.ndarray, axis: int, size: Any, origin: Any, mode: Any):
        uniform_filter1d(source, int(size), axis, target, mode, cval, origin)

    passes = [each for each in zip(axes, sizes, origins, modes) if each[1] > 1]
    along_axes(average, passes, input, output, in_place=True)
    return output

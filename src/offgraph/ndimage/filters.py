"""Filters.

The argument checks, their order and their texts, and the weights are SciPy's; the loops are native. Every function
takes real arrays of any dtype, layout and number of axes; those built on `correlate1d` take complex ones too.
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from scipy.ndimage import (
    convolve,
    correlate,
    gaussian_gradient_magnitude,
    gaussian_laplace,
    generic_filter,
    generic_filter1d,
    generic_gradient_magnitude,
    generic_laplace,
    laplace,
    prewitt,
    sobel,
    uniform_filter,
    uniform_filter1d,
    vectorized_filter,
)

from offgraph import _native
from offgraph.ndimage._lines import along_axes, filter_lines
from offgraph.ndimage._rank import (
    maximum_filter,
    maximum_filter1d,
    median_filter,
    minimum_filter,
    minimum_filter1d,
    percentile_filter,
    rank_filter,
)
from offgraph.ndimage._support import (
    check_axes,
    mode_code,
    normalize_axis,
    normalize_sequence,
    output_array,
)

__all__ = [
    "convolve",
    "convolve1d",
    "correlate",
    "correlate1d",
    "gaussian_filter",
    "gaussian_filter1d",
    "gaussian_gradient_magnitude",
    "gaussian_laplace",
    "generic_filter",
    "generic_filter1d",
    "generic_gradient_magnitude",
    "generic_laplace",
    "laplace",
    "maximum_filter",
    "maximum_filter1d",
    "median_filter",
    "minimum_filter",
    "minimum_filter1d",
    "percentile_filter",
    "prewitt",
    "rank_filter",
    "sobel",
    "uniform_filter",
    "uniform_filter1d",
    "vectorized_filter",
]

NATIVE: tuple[str, ...] = (
    "convolve1d",
    "correlate1d",
    "gaussian_filter",
    "gaussian_filter1d",
    "maximum_filter",
    "maximum_filter1d",
    "median_filter",
    "minimum_filter",
    "minimum_filter1d",
    "percentile_filter",
    "rank_filter",
)


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
    The bytes are SciPy's: sums in float64, in its order of additions, cut (not rounded) to an integer output and
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
        return _correlate_complex(input, weights, output, cval, axis=axis, mode=mode, origin=origin)
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
    filter_lines(_native.correlate1d, input, output, weights.tolist(), axis, mode_code(mode), cval, origin)
    return output


def _correlate_complex(input: Any, weights: Any, output: Any, cval: complex, **kwargs: Any) -> np.ndarray:
    """Complex correlation as a sum of real ones, in SciPy's order."""
    if input.dtype.kind == "c" and weights.dtype.kind == "c":
        real, imaginary = np.real(cval), np.imag(cval)
        correlate1d(input.real, weights.real, output=output.real, cval=real, **kwargs)
        output.real -= correlate1d(input.imag, weights.imag, output=None, cval=imaginary, **kwargs)
        correlate1d(input.real, weights.imag, output=output.imag, cval=real, **kwargs)
        output.imag += correlate1d(input.imag, weights.real, output=None, cval=imaginary, **kwargs)
    elif input.dtype.kind == "c":
        correlate1d(input.real, weights, output=output.real, cval=np.real(cval), **kwargs)
        correlate1d(input.imag, weights, output=output.imag, cval=np.imag(cval), **kwargs)
    else:
        if np.iscomplexobj(cval):
            raise ValueError("Cannot provide a complex-valued cval when the input is real.")
        correlate1d(input, weights.real, output=output.real, cval=cval, **kwargs)
        correlate1d(input, weights.imag, output=output.imag, cval=cval, **kwargs)
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
        # `correlate1d` takes the conjugate, a convolution does not.
        weights = weights.conj()
    return correlate1d(input, weights, axis, output, mode, cval, origin)


def gaussian_filter1d(
    input: ArrayLike,
    sigma: float,
    axis: int = -1,
    order: int = 0,
    output: np.ndarray | DTypeLike | None = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | None = None,
) -> np.ndarray:
    """Blur along an axis with a Gaussian, or filter with one of its derivatives.

    Parameters
    ----------
    input : array_like
        Real or complex, any number of axes but 0.
    sigma : float
        Standard deviation, in pixels.
    axis : int
        The axis of the lines.
    order : int
        0 blurs; a higher number filters with that derivative of the Gaussian.
    output, mode, cval
        As for `correlate1d`.
    truncate : float
        The weights end at this many standard deviations.
    radius : int, optional
        Weights on either side of the middle, in place of `truncate`.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array.

    Raises
    ------
    ValueError
        For a radius that is not a whole number from 0, or a negative order.
    RuntimeError, numpy.exceptions.AxisError
        As `correlate1d` does.

    Notes
    -----
    The bytes are SciPy's; integers are cut, not rounded, so flat areas may lose one grey level.

    Examples
    --------
    >>> gaussian_filter1d([0.0, 0.0, 1.0, 0.0, 0.0], 1, radius=1).round(3)
    array([0.   , 0.274, 0.452, 0.274, 0.   ])
    """
    # Both are evaluated, so that a sigma that is no number is refused whatever the radius.
    reach = int(truncate * float(sigma) + 0.5)
    if radius is not None:
        reach = radius
    if not isinstance(reach, numbers.Integral) or reach < 0:
        raise ValueError("Radius must be a nonnegative integer.")
    # A correlation meets the weights in reverse.
    weights = _gaussian_weights(sigma, order, reach)[::-1]
    return correlate1d(input, weights, axis, output, mode, cval, 0)


def _gaussian_weights(sigma: Any, order: int, radius: Any) -> np.ndarray:
    """Weights of a Gaussian, or of its derivative, with NumPy's arithmetic in SciPy's order."""
    if order < 0:
        raise ValueError("order must be non-negative")
    variance = sigma * sigma
    x = np.arange(-radius, radius + 1)
    bell = np.exp(-0.5 / variance * x**2)
    bell = bell / bell.sum()
    if order == 0:
        return bell
    # A derivative is a polynomial times the bell: q' - q * x / variance on the coefficients, once an order.
    exponents = np.arange(order + 1)
    derive = np.diag(exponents[1:], 1) + np.diag(np.ones(order) / -variance, -1)
    coefficients = np.zeros(order + 1)
    coefficients[0] = 1
    for _ in range(order):
        coefficients = derive.dot(coefficients)
    return (x[:, None] ** exponents).dot(coefficients) * bell


def gaussian_filter(
    input: ArrayLike,
    sigma: float | Sequence[float],
    order: int | Sequence[int] = 0,
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | Sequence[int] | None = None,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Blur with a Gaussian, axis by axis.

    Parameters
    ----------
    input : array_like
        Real or complex, any number of axes. A channel axis is an axis like any other: leave it out of `axes`.
    sigma : float or sequence of float
        Standard deviation, in pixels, for all axes or for each; an axis with 0 is left as it is.
    order : int or sequence of int
        0 blurs; a higher number filters with that derivative of the Gaussian.
    output, cval
        As for `correlate1d`.
    mode : str or sequence of str
        The border mode, for all axes or for each; see `correlate1d`.
    truncate : float
        The weights end at this many standard deviations.
    radius : int or sequence of int, optional
        Weights on either side of the middle, in place of `truncate`.
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
        For axes that are missing or named twice, a bad radius or order, or a read-only output.

    Notes
    -----
    The bytes are SciPy's. After every axis the result is stored in the output's dtype, so an integer output is cut
    once an axis.

    Examples
    --------
    >>> image = np.zeros((3, 3, 2))
    >>> image[1, 1] = 1, 2
    >>> gaussian_filter(image, 1, axes=(0, 1), radius=1)[:, :, 1].round(3)
    array([[0.15 , 0.248, 0.15 ],
           [0.248, 0.408, 0.248],
           [0.15 , 0.248, 0.15 ]])
    """
    input = np.asarray(input)
    output = output_array(output, input)
    axes = check_axes(axes, input.ndim)
    count = len(axes)
    orders = normalize_sequence(order, count)
    sigmas = normalize_sequence(sigma, count)
    modes = normalize_sequence(mode, count)
    radii = normalize_sequence(radius, count)

    def blur(
        source: np.ndarray, target: np.ndarray, axis: int, sigma: Any, order: int, mode: str, radius: Any
    ):
        gaussian_filter1d(source, sigma, axis, order, target, mode, cval, truncate, radius=radius)

    passes = [each for each in zip(axes, sigmas, orders, modes, radii) if each[1] > 1e-15]
    along_axes(blur, passes, input, output)
    return output

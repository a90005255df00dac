"""Derivative filters: Sobel, Prewitt, Laplace, gradient magnitudes; sums of correlations along the axes.

Steps between the correlations are SciPy's NumPy calls, in its order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from offgraph.engine.calls import output_array
from offgraph.ndimage.arguments import check_axes, normalize_axis, normalize_sequence
from offgraph.ndimage.filters.gaussian import gaussian_filter
from offgraph.ndimage.filters.linear import correlate1d
from offgraph.ndimage.filters.lines import along_axes, correlate_axes
from offgraph.ndimage.filters.windows import expand_entries

__all__ = [
    "gaussian_gradient_magnitude",
    "gaussian_laplace",
    "generic_gradient_magnitude",
    "generic_laplace",
    "laplace",
    "prewitt",
    "sobel",
]


def sobel(
    input: ArrayLike,
    axis: int = -1,
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
) -> np.ndarray:
    """The Sobel derivative along an axis: differences there, weighted 1, 2, 1 along **every** other axis.

    Parameters
    ----------
    input : array_like
        Real or complex, any number of axes but 0. A channel axis is mixed like any other: filter each channel alone.
    axis : int
        The axis of the derivative.
    output, cval
        As for `correlate1d`.
    mode : str or sequence of str
        The border mode, for all axes or for each; see `correlate1d`.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array. Unsigned results wrap below 0: ask for a signed or
        a float `output`.

    Raises
    ------
    RuntimeError, ValueError, numpy.exceptions.AxisError
        As `correlate1d` does.

    Examples
    --------
    >>> sobel([[0, 0, 1], [0, 0, 1], [0, 0, 1]])
    array([[0, 4, 4],
           [0, 4, 4],
           [0, 4, 4]])
    """
    input = np.asarray(input)
    axis = normalize_axis(axis, input.ndim)
    output = output_array(output, input)
    return _smoothed_difference(input, axis, output, mode, cval, [1, 2, 1])


def prewitt(
    input: ArrayLike,
    axis: int = -1,
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
) -> np.ndarray:
    """The Prewitt derivative along an axis: differences there, summed by threes along **every** other axis.

    Parameters
    ----------
    input, axis, output, mode, cval
        As for `sobel`.

    Returns
    -------
    ndarray
        As `sobel` does.

    Raises
    ------
    RuntimeError, ValueError, numpy.exceptions.AxisError
        As `correlate1d` does.

    Examples
    --------
    >>> prewitt([[0, 0, 1], [0, 0, 1], [0, 0, 1]])
    array([[0, 3, 3],
           [0, 3, 3],
           [0, 3, 3]])
    """
    input = np.asarray(input)
    axis = normalize_axis(axis, input.ndim)
    output = output_array(output, input)
    return _smoothed_difference(input, axis, output, mode, cval, [1, 1, 1])


def _smoothed_difference(
    input: np.ndarray, axis: Any, output: np.ndarray, mode: Any, cval: Any, smoothing: list[float]
) -> np.ndarray:
    modes = normalize_sequence(mode, input.ndim)
    passes: list[tuple[Any, list[float], Any]] = [(axis, [-1, 0, 1], modes[axis])]
    passes += [(other, smoothing, modes[other]) for other in range(input.ndim) if other != axis]

    def correlate(source: np.ndarray, target: np.ndarray, axis: int, weights: list[float], mode: Any):
        correlate1d(source, weights, axis, target, mode, cval, 0)

    if input.dtype.kind == "c":
        along_axes(correlate, passes, input, output, in_place=True)
    else:
        correlate_axes(passes, input, output, cval)
    return output


def generic_laplace(
    input: ArrayLike,
    derivative2: Callable[..., Any],
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    extra_arguments: tuple[Any, ...] = (),
    extra_keywords: Mapping[str, Any] | None = None,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """The sum of second derivatives along the axes, computed by a given function.

    Parameters
    ----------
    input : array_like
        Whatever `derivative2` takes.
    derivative2 : callable
        ``derivative2(input, axis, output, mode, cval, *extra_arguments, **extra_keywords)``; it writes into `output`
        if that is an array, and returns the result if it is a dtype.
    output : ndarray or dtype, optional
        Where the result goes, or its dtype; the input's dtype if left out.
    mode, cval, axes
        As for `gaussian_filter`.
    extra_arguments : tuple
        More positional arguments for `derivative2`.
    extra_keywords : mapping, optional
        More keyword arguments for `derivative2`.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array.

    Raises
    ------
    RuntimeError, ValueError
        As `gaussian_filter` does, for its arguments.

    Examples
    --------
    >>> def second(input, axis, output, mode, cval):
    ...     return correlate1d(input, [1, -2, 1], axis, output, mode, cval)
    >>> generic_laplace([0, 0, 1, 0, 0], second)
    array([ 0,  1, -2,  1,  0])
    """
    return _sum_along_axes(
        input, derivative2, output, mode, cval, extra_arguments, extra_keywords, axes, squared=False
    )


def laplace(
    input: ArrayLike,
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """The sum of second differences (1, -2, 1) along the axes.

    Parameters
    ----------
    input : array_like
        Real or complex, any number of axes.
    output, mode, cval, axes
        As for `gaussian_filter`.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array.

    Raises
    ------
    RuntimeError, ValueError
        As `gaussian_filter` does.

    Examples
    --------
    >>> laplace([0, 0, 1, 0, 0])
    array([ 0,  1, -2,  1,  0])
    """

    def derivative2(input: Any, axis: int, output: Any, mode: Any, cval: Any) -> np.ndarray:
        return correlate1d(input, [1, -2, 1], axis, output, mode, cval, 0)

    return generic_laplace(input, derivative2, output, mode, cval, axes=axes)


def gaussian_laplace(
    input: ArrayLike,
    sigma: float | Sequence[float],
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    *,
    axes: int | Sequence[int] | None = None,
    **kwargs: Any,
) -> np.ndarray:
    """The Laplacian of Gaussian: the sum of second derivatives of a Gaussian along the axes.

    Parameters
    ----------
    input, sigma, output, mode, cval, axes
        As for `gaussian_filter`.
    **kwargs
        More arguments of `gaussian_filter`, such as `truncate`.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array.

    Raises
    ------
    RuntimeError, ValueError
        As `gaussian_filter` does.

    Examples
    --------
    >>> gaussian_laplace([0.0, 0.0, 1.0, 0.0, 0.0], 1).round(2)
    array([ 0.2,  0. , -0.4,  0. ,  0.2])
    """
    input = np.asarray(input)
    axes = check_axes(axes, input.ndim)
    return generic_laplace(
        input,
        _gaussian_derivative(2),
        output,
        mode,
        cval,
        (expand_entries(sigma, axes, input.ndim),),
        kwargs,
        axes=axes,
    )


def generic_gradient_magnitude(
    input: ArrayLike,
    derivative: Callable[..., Any],
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    extra_arguments: tuple[Any, ...] = (),
    extra_keywords: Mapping[str, Any] | None = None,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """The root of the sum of squared derivatives along the axes, computed by a given function.

    Parameters
    ----------
    input, output, mode, cval, extra_arguments, extra_keywords, axes
        As for `generic_laplace`.
    derivative : callable
        ``derivative(input, axis, output, mode, cval, *extra_arguments, **extra_keywords)``, as there.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array.

    Raises
    ------
    RuntimeError, ValueError
        As `gaussian_filter` does, for its arguments.

    Examples
    --------
    >>> generic_gradient_magnitude([[0.0, 3.0], [4.0, 7.0]], sobel)
    array([[20., 20.],
           [20., 20.]])
    """
    return _sum_along_axes(
        input, derivative, output, mode, cval, extra_arguments, extra_keywords, axes, squared=True
    )


def gaussian_gradient_magnitude(
    input: ArrayLike,
    sigma: float | Sequence[float],
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    *,
    axes: int | Sequence[int] | None = None,
    **kwargs: Any,
) -> np.ndarray:
    """The length of the gradient, by first derivatives of a Gaussian along the axes.

    Parameters
    ----------
    input, output, mode, cval, axes
        As for `gaussian_filter`.
    sigma : float or sequence of float
        As for `gaussian_filter`, with an entry for every axis of the input, those that are left out as well.
    **kwargs
        More arguments of `gaussian_filter`, such as `truncate`.

    Returns
    -------
    ndarray
        The shape of `input`; `output` itself if that is an array.

    Raises
    ------
    RuntimeError, ValueError
        As `gaussian_filter` does.

    Examples
    --------
    >>> gaussian_gradient_magnitude([0.0, 0.0, 1.0, 1.0, 1.0], 1).round(2)
    array([0.11, 0.36, 0.36, 0.12, 0.01])
    """
    input = np.asarray(input)
    return generic_gradient_magnitude(
        input, _gaussian_derivative(1), output, mode, cval, (sigma,), kwargs, axes=axes
    )


def _gaussian_derivative(degree: int) -> Callable[..., np.ndarray]:
    """A derivative of the Gaussian along one axis, blurred along the others."""

    def derivative(
        input: Any, axis: int, output: Any, mode: Any, cval: Any, sigma: Any, **kwargs: Any
    ) -> np.ndarray:
        order = [0] * input.ndim
        order[axis] = degree
        return gaussian_filter(input, sigma, order, output, mode, cval, **kwargs)

    return derivative


def _sum_along_axes(
    input: Any,
    derivative: Callable[..., Any],
    output: Any,
    mode: Any,
    cval: Any,
    arguments: tuple[Any, ...],
    keywords: Mapping[str, Any] | None,
    axes: Any,
    *,
    squared: bool,
) -> np.ndarray:
    """The sum of the derivatives, or the root of the sum of their squares; without axes a copy."""
    keywords = {} if keywords is None else keywords
    input = np.asarray(input)
    output = output_array(output, input)
    axes = check_axes(axes, input.ndim)
    if not axes:
        output[...] = input[...]
        return output
    modes = normalize_sequence(mode, len(axes))
    derivative(input, axes[0], output, modes[0], cval, *arguments, **keywords)
    if squared:
        np.multiply(output, output, output)
    for axis, mode in zip(axes[1:], modes[1:]):
        term = derivative(input, axis, output.dtype, mode, cval, *arguments, **keywords)
        if squared:
            np.multiply(term, term, term)
        output += term
    if squared:
        np.sqrt(output, output, casting="unsafe")
    return output

"""Gaussians and their derivatives: weights by NumPy, correlations along the axes."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from offgraph.engine.calls import output_array
from offgraph.ndimage.arguments import check_axes, normalize_sequence
from offgraph.ndimage.filters.linear import correlate1d
from offgraph.ndimage.filters.lines import along_axes, correlate_axes

__all__ = ["gaussian_filter", "gaussian_filter1d"]


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
    The bytes are SciPy's; integers are truncated, not rounded, so flat areas may lose one grey level.

    Examples
    --------
    >>> gaussian_filter1d([0.0, 0.0, 1.0, 0.0, 0.0], 1, radius=1).round(3)
    array([0.   , 0.274, 0.452, 0.274, 0.   ])
    """
    return correlate1d(input, reversed_weights(sigma, order, truncate, radius), axis, output, mode, cval, 0)


def reversed_weights(sigma: Any, order: int, truncate: float, radius: Any) -> np.ndarray:
    """Return the weights in the order of a correlation: from the last to the first."""
    # Both are evaluated, so that a sigma that is not a number is refused whatever the radius.
    reach = int(truncate * float(sigma) + 0.5)
    if radius is not None:
        reach = radius
    if not isinstance(reach, numbers.Integral) or reach < 0:
        raise ValueError("Radius must be a nonnegative integer.")
    # A sigma of another array library may make weights of its type; from here on they are NumPy's.
    return np.asarray(_gaussian_weights(sigma, order, reach)[::-1], dtype=np.float64)


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
    # A derivative is a polynomial times the bell: q' - q * x / variance on the coefficients, once per order.
    exponents = np.arange(order + 1)
    coefficients = np.zeros(order + 1)
    coefficients[0] = 1
    derive = np.diag(exponents[1:], 1) + np.diag(np.ones(order) / -variance, -1)
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
    The bytes are SciPy's. After every axis the result is stored in the output's dtype, so an integer output is truncated
    once per axis.

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
    if input.dtype.kind == "c":
        along_axes(blur, passes, input, output, in_place=True)
    else:
        weighted = (
            (axis, reversed_weights(sigma, order, truncate, radius).tolist(), mode)
            for axis, sigma, order, mode, radius in passes
        )
        correlate_axes(weighted, input, output, cval)
    return output

"""B-splines on a grid: weights of the samples about a point, and those of the derivative.

A spline of order k is ``sum(c[m] * beta_k(g - m))`` over coefficients c on whole numbers m, mirrored about the centres
of the first and the last one, as `scipy.ndimage` has it in mode 'mirror'. Its derivative is the sum over
``beta_(k-1)(g - m + 1/2) - beta_(k-1)(g - m - 1/2)``.
"""

from __future__ import annotations

import numpy as np

__all__ = ["mirrored_taps", "spline_matrix", "weights"]


def _basis(x: np.ndarray, order: int) -> np.ndarray:
    """The centred B-spline at x, by the recursion of Cox and de Boor."""
    if order == 0:
        return ((x >= -0.5) & (x < 0.5)).astype(np.float64)
    half = (order + 1) / 2
    return ((half + x) * _basis(x + 0.5, order - 1) + (half - x) * _basis(x - 0.5, order - 1)) / order


def mirrored_taps(places: np.ndarray, order: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the coefficients that a spline reads at places on an axis of n, and their weights.

    Parameters
    ----------
    places : ndarray of float64, shape (...)
        From 0 to n - 1.
    order : int
        From 1.
    n : int

    Returns
    -------
    index : ndarray of int, shape (order + 1, ...)
    value : ndarray of float64, shape (order + 1, ...)
        Weights of the spline.
    slope : ndarray of float64, shape (order + 1, ...)
        Weights of its derivative. At a kink (order 1) that of the right-hand side, but for the last sample.
    """
    if order % 2:
        first = np.minimum(np.floor(places), max(n - 2, 0)) - order // 2
    else:
        first = np.floor(places + 0.5) - order // 2
    taps = first + np.arange(order + 1, dtype=np.float64).reshape(-1, *[1] * places.ndim)
    away = places - taps
    value, slope = weights(away, order)
    period = max(2 * (n - 1), 1)
    index = np.abs(taps.astype(np.intp)) % period
    return np.where(index < n, index, period - index), value, slope


def weights(away: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the B-spline and its derivative at distances from its centre.

    At the ends of an interval of order 1, the interval is the one that `mirrored_taps` has chosen.
    """
    if order == 1:  # the two taps of the interval: at its right end, too, the slope is that of the interval
        return 1 - np.abs(away), np.where(np.arange(2).reshape(-1, *[1] * (away.ndim - 1)) == 0, -1.0, 1.0)
    return _basis(away, order), _basis(away + 0.5, order - 1) - _basis(away - 0.5, order - 1)


def spline_matrix(places: np.ndarray, order: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrices that take n coefficients to the spline, and to its derivative, at places.

    Returns
    -------
    value, slope : ndarray of float64, shape (len(places), n)
    """
    index, value, slope = mirrored_taps(places, order, n)
    rows = np.broadcast_to(np.arange(len(places)), index.shape)
    matrices = np.zeros((2, len(places), n))
    np.add.at(matrices[0], (rows, index), value)
    np.add.at(matrices[1], (rows, index), slope)
    return matrices[0], matrices[1]

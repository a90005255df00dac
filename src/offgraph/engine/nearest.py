"""The nearest pixel, found in integer arithmetic: labels are looked up, and ties do not depend on rounding.

An output pixel whose centre falls on input coordinate x takes pixel floor(x + 1/2): of two equally near pixels the
later one, as SciPy's order 0. Both grids give x as a fraction, so that no floating-point number is needed.
"""

from __future__ import annotations

import numpy as np

__all__ = ["between_corners", "on_half_pixels"]


def on_half_pixels(n: int, length: int) -> np.ndarray:
    """Nearest of `n` pixels for each of `length`, edges on edges: ``floor((2 i + 1) n / (2 length))``.

    Returns
    -------
    ndarray of int64, shape (length,)
        From 0 to n - 1.

    Examples
    --------
    >>> on_half_pixels(4, 14).tolist()
    [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3]
    """
    return (2 * np.arange(length, dtype=np.int64) + 1) * n // (2 * length)


def between_corners(n: int, length: int) -> np.ndarray:
    """Nearest of `n` pixels for each of `length`, first centre on first and last on last.

    The coordinate of pixel i is i (n - 1) / (length - 1), or 0 where there is one only.

    Examples
    --------
    >>> between_corners(3, 5).tolist()
    [0, 1, 1, 2, 2]
    """
    steps = max(length - 1, 1)
    return (2 * np.arange(length, dtype=np.int64) * (n - 1) + steps) // (2 * steps)

"""Weighted sums along one axis, term by term in a fixed order: what the libraries' resizes are made of.

A table of weights becomes a sparse matrix of compressed rows. SciPy multiplies such a matrix with an array row by row: each
output row begins as zeros, and the products are added from the first stored weight to the last, in the arrays' own dtype.
That is the order in which the libraries add, so that sums in float32 have their bytes, and sums of integers are exact in
any order.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Taps", "float32_taps", "kept", "summed"]


class Taps(NamedTuple):
    """What each output pixel of an axis reads.

    Parameters
    ----------
    pixel : ndarray of int64, shape (length, widest)
        Input pixels.
    weight : ndarray, shape (length, widest)
        Their weights.
    used : ndarray of bool, shape (length, widest)
        Which of them there are: a weight that is not used is not added, not even as zero.
    """

    pixel: np.ndarray
    weight: np.ndarray
    used: np.ndarray

    def cast(self, weight: np.ndarray) -> Taps:
        """Return the same with other weights."""
        return self._replace(weight=weight)


_LONGEST_KEPT = 1 << 12
"""Tables of longer axes are made anew."""


def kept(make: Callable[..., Taps]) -> Callable[..., Taps]:
    """Keep what a function of two lengths and of names gives: images of a source have few sizes."""
    cached = lru_cache(maxsize=64)(make)

    @wraps(make)
    def taps(n: int, length: int, *names: Any) -> Taps:
        return (cached if max(n, length) <= _LONGEST_KEPT else make)(n, length, *names)

    return taps


def float32_taps(index: Any, weight: Any, used: Any = None) -> Taps:
    """Return taps with weights in float32; by default all are used."""
    weights = np.asarray(weight, np.float32)
    return Taps(np.asarray(index, np.int64), weights, np.ones(weights.shape, bool) if used is None else used)


def summed(array: np.ndarray, axis: int, taps: Taps, dtype: Any) -> np.ndarray:
    """Return the weighted sums along an axis.

    Parameters
    ----------
    array : ndarray
    axis : int
    taps : Taps
    dtype : dtype
        In which products are taken and added.

    Returns
    -------
    ndarray
        Of this dtype.
    """
    from scipy.sparse import csr_array  # takes a tenth of a second to import

    lines = np.moveaxis(array, axis, 0)
    flat = np.ascontiguousarray(lines, dtype).reshape(lines.shape[0], -1)
    bounds = np.concatenate([[0], np.cumsum(taps.used.sum(axis=1))])
    parts = (taps.weight[taps.used].astype(dtype), taps.pixel[taps.used], bounds)
    matrix = csr_array(parts, shape=(len(bounds) - 1, lines.shape[0]))
    made = np.asarray(matrix @ flat)
    return np.moveaxis(made.reshape(-1, *lines.shape[1:]), 0, axis)

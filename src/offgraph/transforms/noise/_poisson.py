"""Poisson numbers from random words of 32 bits, one for each."""

from __future__ import annotations

import numpy as np

from offgraph.transforms.noise._random_pixels import quantiles

__all__ = ["poisson"]

_LIMIT = 16.0
"""The smallest mean whose numbers come from the expansion; `noise/poisson.rs` has the same."""
_COUNTS = 64
"""More than the numbers of smaller means that 32 bits tell apart."""


def poisson(means: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return a number for each mean.

    Parameters
    ----------
    means : ndarray of float64
    drawn : ndarray of uint32
        Random words, of the same shape.

    Returns
    -------
    ndarray of float64
        Whole numbers, NaN for a mean that is not a number.
    """
    flat, bits = means.ravel(), drawn.ravel()
    counts = np.empty(flat.shape)
    small = flat < _LIMIT
    counts[small] = _inverted(flat[small], bits[small])
    counts[~small] = _expanded(flat[~small], bits[~small])
    return counts.reshape(means.shape)


def _inverted(means: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Count how many probabilities of at most 0, 1, ... photons a number of 32 bits is past."""
    counts = np.zeros(means.shape)
    left = np.arange(means.size)
    part = np.exp(-means)
    total = part.copy()
    for count in range(_COUNTS):
        if count:
            part = part * (means[left] / count)
            total = total + part
        past = bits[left] > np.clip(np.ceil(total * 2.0**32) - 1, 0, 2.0**32 - 1)
        counts[left[past]] = count + 1
        left, part, total = left[past], part[past], total[past]
    return counts


def _expanded(means: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """The quantile of a normal number z: by mean, variance, skewness and curtosis."""
    z = quantiles()[bits & 0xFFFF].astype(np.float64) + quantiles()[bits >> 16]
    root, squared = np.sqrt(means), z * z
    return np.rint(means + root * z + (squared - 1) / 6 + (z - squared * z) / (72 * root))

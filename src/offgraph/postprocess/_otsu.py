"""Otsu's threshold: the split into two classes whose means lie furthest apart, weighed by their sizes."""

from __future__ import annotations

import numpy as np

__all__ = ["otsu"]


def otsu(values: np.ndarray, bins: int = 256) -> float:
    """Return the middle of the last bin of the lower class, of even bins from the least to the greatest value.

    Parameters
    ----------
    values : ndarray of floats
        At least one, all finite.
    bins : int
        Of the histogram.

    Returns
    -------
    float
        Where all values are equal, that value: nothing is above it.
    """
    if values.min() == values.max():
        return float(values.flat[0])
    counts, edges = np.histogram(values, bins)
    middles = (edges[:-1] + edges[1:]).astype(float) / 2
    below, total = np.cumsum(counts)[:-1], counts.sum()
    moment = np.cumsum(counts * middles)
    lower, upper = moment[:-1] / below, (moment[-1] - moment[:-1]) / (total - below)
    return float(middles[np.argmax(below * (total - below).astype(float) * (lower - upper) ** 2)])

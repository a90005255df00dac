"""What the filters of this package are as passes of a plan: for images, whose spatial axes alone are filtered.

Each function gives the passes that have the bytes of the function of its name, with the same arguments, into an output
of the image's dtype. Arguments are taken as checked.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from offgraph.engine.filter_passes import Correlate1d, Extremum, FilterPass, Rank, Uniform1d
from offgraph.ndimage.filters.extremes import compares_alike
from offgraph.ndimage.filters.gaussian import reversed_weights

__all__ = ["extremum_passes", "gaussian_passes", "median_passes", "rank_passes", "uniform_passes"]

_MOST_KEPT_RADIUS = 256
"""Weights of a Gaussian that reach further are made anew for each image."""


def gaussian_passes(
    sigmas: Sequence[float], *, mode: str, cval: float, truncate: float
) -> tuple[FilterPass, ...]:
    """`gaussian_filter` with a sigma for each spatial axis."""
    passes = []
    for axis, sigma in enumerate(sigmas):
        if sigma > 1e-15:
            weights = _kept_weights if sigma * truncate <= _MOST_KEPT_RADIUS else _weights
            passes.append(Correlate1d(mode, float(cval), axis, weights(sigma, truncate)))
    return tuple(passes)


def _weights(sigma: float, truncate: float) -> tuple[float, ...]:
    return tuple(reversed_weights(sigma, 0, truncate, None).tolist())


_kept_weights = functools.lru_cache(maxsize=64)(_weights)


def median_passes(sizes: Sequence[int], *, dtype: str, mode: str, cval: float) -> tuple[FilterPass, ...]:
    """`median_filter` with a size for each spatial axis."""
    return rank_passes(sizes, math.prod(sizes) // 2, dtype=dtype, mode=mode, cval=cval)


def rank_passes(
    sizes: Sequence[int], rank: int, *, dtype: str, mode: str, cval: float
) -> tuple[FilterPass, ...]:
    """`rank_filter` with a size for each spatial axis, of arrays of more than one axis; `rank` is not negative."""
    last = math.prod(sizes) - 1
    if rank in (0, last):
        return extremum_passes(sizes, dtype=dtype, mode=mode, cval=cval, largest=rank > 0)
    return (Rank(mode, float(cval), tuple(sizes), (0,) * len(sizes), rank),)


def extremum_passes(
    sizes: Sequence[int], *, dtype: str, mode: str, cval: float, largest: bool
) -> tuple[FilterPass, ...]:
    """`minimum_filter` or `maximum_filter` with a size for each spatial axis."""
    along = [axis for axis, size in enumerate(sizes) if size > 1]
    groups = [[axis] for axis in along]
    if len(along) > 1 and compares_alike(np.dtype(dtype), mode, cval):
        groups = [along]
    return tuple(
        Extremum(
            mode,
            float(cval),
            tuple(size if axis in group else 1 for axis, size in enumerate(sizes)),
            (0,) * len(sizes),
            largest,
        )
        for group in groups
    )


def uniform_passes(sizes: Sequence[int], *, mode: str, cval: float) -> tuple[FilterPass, ...]:
    """`uniform_filter` with a size for each spatial axis."""
    return tuple(Uniform1d(mode, float(cval), axis, size) for axis, size in enumerate(sizes) if size > 1)

"""Filters.

The argument checks, their order and messages, and the weights are SciPy's; the loops are native. The modules group the
functions by family.
"""

from __future__ import annotations

from offgraph.ndimage.filters.callables import generic_filter, generic_filter1d
from offgraph.ndimage.filters.derivatives import (
    gaussian_gradient_magnitude,
    gaussian_laplace,
    generic_gradient_magnitude,
    generic_laplace,
    laplace,
    prewitt,
    sobel,
)
from offgraph.ndimage.filters.extremes import (
    maximum_filter,
    maximum_filter1d,
    minimum_filter,
    minimum_filter1d,
)
from offgraph.ndimage.filters.gaussian import gaussian_filter, gaussian_filter1d
from offgraph.ndimage.filters.linear import (
    convolve,
    convolve1d,
    correlate,
    correlate1d,
    uniform_filter,
    uniform_filter1d,
)
from offgraph.ndimage.filters.rank import median_filter, percentile_filter, rank_filter
from offgraph.ndimage.filters.vectorized import vectorized_filter

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

NATIVE: tuple[str, ...] = tuple(__all__)

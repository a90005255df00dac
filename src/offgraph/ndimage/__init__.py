"""The functions of ``scipy.ndimage``, with its signatures and results, at native speed where it matters.

Every one of SciPy's names is here. They run Offgraph's own loops, return the bytes of the installed SciPy, release the
interpreter lock and may use several threads (:mod:`offgraph.core.threads`); functions that take a Python function call it, and
compiled ones (`scipy.LowLevelCallable`) are given to SciPy. Deliberate differences are listed in ``docs/differences.md``. :mod:`offgraph.ndimage.batch` is Offgraph's own: warps of many images in one call.

Examples
--------
>>> import numpy as np
>>> from offgraph import ndimage
>>> ndimage.zoom(np.array([[0.0, 2.0], [4.0, 6.0]]), 1.5, order=1)
array([[0., 1., 2.],
       [2., 3., 4.],
       [4., 5., 6.]])
>>> "rotate" in ndimage.NATIVE
True
"""

from __future__ import annotations

from offgraph.ndimage import (
    batch,  # noqa: F401  not one of SciPy's names
    filters,
    fourier,
    interpolation,
    measurements,
    morphology,
)
from offgraph.ndimage.filters import (
    convolve,
    convolve1d,
    correlate,
    correlate1d,
    gaussian_filter,
    gaussian_filter1d,
    gaussian_gradient_magnitude,
    gaussian_laplace,
    generic_filter,
    generic_filter1d,
    generic_gradient_magnitude,
    generic_laplace,
    laplace,
    maximum_filter,
    maximum_filter1d,
    median_filter,
    minimum_filter,
    minimum_filter1d,
    percentile_filter,
    prewitt,
    rank_filter,
    sobel,
    uniform_filter,
    uniform_filter1d,
    vectorized_filter,
)
from offgraph.ndimage.fourier import fourier_ellipsoid, fourier_gaussian, fourier_shift, fourier_uniform
from offgraph.ndimage.interpolation import (
    affine_transform,
    geometric_transform,
    map_coordinates,
    rotate,
    shift,
    spline_filter,
    spline_filter1d,
    zoom,
)
from offgraph.ndimage.measurements import (
    center_of_mass,
    extrema,
    find_objects,
    histogram,
    label,
    labeled_comprehension,
    maximum,
    maximum_position,
    mean,
    median,
    minimum,
    minimum_position,
    standard_deviation,
    sum,
    sum_labels,
    value_indices,
    variance,
    watershed_ift,
)
from offgraph.ndimage.morphology import (
    binary_closing,
    binary_dilation,
    binary_erosion,
    binary_fill_holes,
    binary_hit_or_miss,
    binary_opening,
    binary_propagation,
    black_tophat,
    distance_transform_bf,
    distance_transform_cdt,
    distance_transform_edt,
    generate_binary_structure,
    grey_closing,
    grey_dilation,
    grey_erosion,
    grey_opening,
    iterate_structure,
    morphological_gradient,
    morphological_laplace,
    white_tophat,
)

__all__ = [
    "affine_transform",
    "binary_closing",
    "binary_dilation",
    "binary_erosion",
    "binary_fill_holes",
    "binary_hit_or_miss",
    "binary_opening",
    "binary_propagation",
    "black_tophat",
    "center_of_mass",
    "convolve",
    "convolve1d",
    "correlate",
    "correlate1d",
    "distance_transform_bf",
    "distance_transform_cdt",
    "distance_transform_edt",
    "extrema",
    "find_objects",
    "fourier_ellipsoid",
    "fourier_gaussian",
    "fourier_shift",
    "fourier_uniform",
    "gaussian_filter",
    "gaussian_filter1d",
    "gaussian_gradient_magnitude",
    "gaussian_laplace",
    "generate_binary_structure",
    "generic_filter",
    "generic_filter1d",
    "generic_gradient_magnitude",
    "generic_laplace",
    "geometric_transform",
    "grey_closing",
    "grey_dilation",
    "grey_erosion",
    "grey_opening",
    "histogram",
    "iterate_structure",
    "label",
    "labeled_comprehension",
    "laplace",
    "map_coordinates",
    "maximum",
    "maximum_filter",
    "maximum_filter1d",
    "maximum_position",
    "mean",
    "median",
    "median_filter",
    "minimum",
    "minimum_filter",
    "minimum_filter1d",
    "minimum_position",
    "morphological_gradient",
    "morphological_laplace",
    "percentile_filter",
    "prewitt",
    "rank_filter",
    "rotate",
    "shift",
    "sobel",
    "spline_filter",
    "spline_filter1d",
    "standard_deviation",
    "sum",
    "sum_labels",
    "uniform_filter",
    "uniform_filter1d",
    "value_indices",
    "variance",
    "vectorized_filter",
    "watershed_ift",
    "white_tophat",
    "zoom",
]

NATIVE: frozenset[str] = frozenset(
    (*filters.NATIVE, *fourier.NATIVE, *interpolation.NATIVE, *measurements.NATIVE, *morphology.NATIVE)
)
"""Names of the functions that run Offgraph's own loops: all of them."""


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

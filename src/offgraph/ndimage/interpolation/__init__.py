"""Interpolation and splines.

All functions interpolate with B-splines of order 0 (nearest) to 5. From order 2 on the image is first turned into
spline coefficients, unless ``prefilter=False``. Results are computed in float64 and, for integer types, rounded half
away from zero and clipped. A complex image is treated as its real and its imaginary part.

Modes, for what lies outside the image ``a b c d``:

================== ==================================== =============================================
``mode``           outside                              note
================== ==================================== =============================================
``reflect``        ``d c b a | a b c d | d c b a``      also ``grid-mirror``
``mirror``         ``d c b | a b c d | c b a``
``nearest``        ``a a a a | a b c d | d d d d``
``grid-wrap``      ``a b c d | a b c d | a b c d``
``wrap``           as ``grid-wrap``, period ``n - 1``   the last sample lies on the first
``grid-constant``  ``k k k k | a b c d | k k k k``      blends with the fill value at the edge
``constant``       ``k k k k | a b c d | k k k k``      nothing but `cval` once outside
================== ==================================== =============================================
"""

from __future__ import annotations

from offgraph.ndimage.interpolation.points import geometric_transform, map_coordinates
from offgraph.ndimage.interpolation.splines import spline_filter, spline_filter1d
from offgraph.ndimage.interpolation.warps import affine_transform, rotate, shift, zoom

__all__ = [
    "affine_transform",
    "geometric_transform",
    "map_coordinates",
    "rotate",
    "shift",
    "spline_filter",
    "spline_filter1d",
    "zoom",
]

NATIVE: tuple[str, ...] = (
    "affine_transform",
    "geometric_transform",
    "map_coordinates",
    "rotate",
    "shift",
    "spline_filter",
    "spline_filter1d",
    "zoom",
)

"""Labels and statistics of labelled regions; ``median``, ``histogram`` and what takes a function are SciPy's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offgraph.ndimage.measurements.components import find_objects, label, value_indices
from offgraph.ndimage.measurements.extremes import (
    extrema,
    maximum,
    maximum_position,
    minimum,
    minimum_position,
)
from offgraph.ndimage.measurements.sums import (
    center_of_mass,
    mean,
    standard_deviation,
    sum,
    sum_labels,
    variance,
)
from offgraph.ndimage.scipys_own import scipys_own

if TYPE_CHECKING:
    from scipy.ndimage import histogram, labeled_comprehension, median, watershed_ift

__all__ = [
    "center_of_mass",
    "extrema",
    "find_objects",
    "histogram",
    "label",
    "labeled_comprehension",
    "maximum",
    "maximum_position",
    "mean",
    "median",
    "minimum",
    "minimum_position",
    "standard_deviation",
    "sum",
    "sum_labels",
    "value_indices",
    "variance",
    "watershed_ift",
]

_SCIPYS = ("histogram", "labeled_comprehension", "median", "watershed_ift")

NATIVE: tuple[str, ...] = tuple(name for name in __all__ if name not in _SCIPYS)

__getattr__ = scipys_own(__name__, _SCIPYS)

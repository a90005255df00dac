"""Labels and statistics of labelled regions."""

from __future__ import annotations

from offgraph.ndimage.measurements.components import find_objects, label, value_indices
from offgraph.ndimage.measurements.comprehension import histogram, labeled_comprehension, median
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
from offgraph.ndimage.measurements.watershed import watershed_ift

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

NATIVE: tuple[str, ...] = tuple(__all__)

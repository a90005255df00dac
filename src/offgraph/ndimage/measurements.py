"""Labels and statistics of labelled regions: SciPy's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offgraph.ndimage.scipys_own import scipys_own

if TYPE_CHECKING:
    from scipy.ndimage import (
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

NATIVE: tuple[str, ...] = ()

__getattr__ = scipys_own(__name__, __all__)

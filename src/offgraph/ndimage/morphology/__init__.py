"""Morphology: erosion and dilation of binary and grey arrays, and the operations composed of them.

Binary arrays are those of any real dtype, of which only "zero or not" counts. Distance transforms are in `distances`.
"""

from __future__ import annotations

from offgraph.ndimage.morphology.binary import (
    binary_closing,
    binary_dilation,
    binary_erosion,
    binary_fill_holes,
    binary_hit_or_miss,
    binary_opening,
    binary_propagation,
    generate_binary_structure,
    iterate_structure,
)
from offgraph.ndimage.morphology.distances import (
    distance_transform_bf,
    distance_transform_cdt,
    distance_transform_edt,
)
from offgraph.ndimage.morphology.grey import (
    black_tophat,
    grey_closing,
    grey_dilation,
    grey_erosion,
    grey_opening,
    morphological_gradient,
    morphological_laplace,
    white_tophat,
)

__all__ = [
    "binary_closing",
    "binary_dilation",
    "binary_erosion",
    "binary_fill_holes",
    "binary_hit_or_miss",
    "binary_opening",
    "binary_propagation",
    "black_tophat",
    "distance_transform_bf",
    "distance_transform_cdt",
    "distance_transform_edt",
    "generate_binary_structure",
    "grey_closing",
    "grey_dilation",
    "grey_erosion",
    "grey_opening",
    "iterate_structure",
    "morphological_gradient",
    "morphological_laplace",
    "white_tophat",
]

NATIVE: tuple[str, ...] = tuple(__all__)

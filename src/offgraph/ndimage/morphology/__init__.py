"""Morphology: erosion and dilation of binary and grey arrays, and the operations composed of them.

Binary arrays are those of any real dtype, of which only "zero or not" counts. The distance transforms are SciPy's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from offgraph.ndimage.scipys_own import scipys_own

if TYPE_CHECKING:
    from scipy.ndimage import distance_transform_bf, distance_transform_cdt, distance_transform_edt

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

NATIVE: tuple[str, ...] = tuple(name for name in __all__ if not name.startswith("distance_transform"))

__getattr__ = scipys_own(__name__, [name for name in __all__ if name not in NATIVE])

"""Shared by the steps on label images: connected components of equal labels, all found in one pass."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from offgraph import ndimage
from offgraph.core.axes import SPATIAL
from offgraph.core.specs import SpecT
from offgraph.engine.segmentation import label_regions
from offgraph.steps.kinds import ResultStep

__all__ = ["Connectivity", "LabelStep", "components", "first_places", "neighbours"]

Connectivity = Literal[1, 2, 3]
"""How many axes a step to a neighbour may cross: 1 for sides, 2 also for corners."""


class LabelStep(ResultStep):
    """A result step that takes a label image: whole numbers on the spatial axes, 0 is the background."""

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """Return the spec unchanged; refuse what is not a label image."""
        if np.dtype(spec.dtype).kind not in "bui":
            raise ValueError(
                f"takes labels, whole numbers; for probabilities ({spec.dtype}) put Threshold before it"
            )
        if not set(spec.axes) <= set(SPATIAL):
            raise ValueError(f"takes labels on spatial axes only, the image has axes {spec.axes}")
        return spec


def neighbours(ndi: Any, dimensions: int, connectivity: int) -> np.ndarray:
    """Return SciPy's structuring element of a connectivity.

    Raises
    ------
    ValueError
        Where the connectivity is more than the dimensions.
    """
    if connectivity > dimensions:
        raise ValueError(
            f"connectivity={connectivity} is for volumes; an image has 1 (sides) or 2 (and corners)"
        )
    return ndi.generate_binary_structure(dimensions, connectivity)


def components(labels: np.ndarray, connectivity: int) -> tuple[np.ndarray, int]:
    """Return the connected components of all labels, numbered by their first pixels from 1, and how many there are.

    One pass over the image, however many labels it has.

    Raises
    ------
    ValueError
        Where the connectivity is more than the dimensions.
    """
    neighbours(ndimage, labels.ndim, connectivity)  # says what is wrong with it
    return label_regions(labels, connectivity)


def first_places(numbers: np.ndarray, count: int) -> np.ndarray:
    """Return the place of the first pixel of each number from 0 to `count`, in C order; of absent ones the size."""
    flat = numbers.ravel()
    first = np.full(count + 1, flat.size)
    places = np.flatnonzero(flat)
    np.minimum.at(first, flat[places], places)
    return first

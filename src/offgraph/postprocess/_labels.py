"""Shared by the steps on label images: connected components of equal labels, found inside their bounding boxes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from offgraph import ndimage
from offgraph.core.axes import SPATIAL
from offgraph.core.specs import SpecT
from offgraph.steps.kinds import ResultStep
from offgraph.targets.regions import regions

__all__ = ["Connectivity", "LabelStep", "components", "neighbours"]

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


def components(labels: np.ndarray, connectivity: int) -> Iterator[tuple[tuple[slice, ...], np.ndarray, int]]:
    """Yield for each label its bounding box, its connected components numbered in it, and their number."""
    structure = neighbours(ndimage, labels.ndim, connectivity)
    for _, box, inside in regions(labels):
        found: Any = ndimage.label(inside, structure)
        yield box, found[0], found[1]

"""What the steps on label images share: connected pieces of equal labels, found inside their boxes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from offgraph import ndimage
from offgraph.spec import SPATIAL, ArraySpec
from offgraph.step import ResultStep

__all__ = ["Connectivity", "LabelStep", "neighbours", "pieces", "regions"]

Connectivity = Literal[1, 2, 3]
"""How many axes a step to a neighbour may cross: 1 for sides, 2 also for corners."""

_COUNTED = 1 << 24
"""Labels below it are found by counting, which takes memory up to the largest."""


class LabelStep(ResultStep):
    """A result step that takes a label image: whole numbers on the spatial axes, 0 is the background."""

    def output_spec(self, spec: ArraySpec, params: dict[str, Any] | None = None) -> ArraySpec:
        """The same; refuses what is no label image."""
        if np.dtype(spec.dtype).kind not in "bui":
            raise ValueError(
                f"takes labels, whole numbers; for probabilities ({spec.dtype}) put Threshold before it"
            )
        if not set(spec.axes) <= set(SPATIAL):
            raise ValueError(f"takes labels on spatial axes alone, the picture has axes {spec.axes}")
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
            f"connectivity={connectivity} is for volumes; a picture has 1 (sides) or 2 (and corners)"
        )
    return ndi.generate_binary_structure(dimensions, connectivity)


def regions(labels: np.ndarray) -> Iterator[tuple[Any, tuple[slice, ...], np.ndarray]]:
    """Yield each label above or below 0, in increasing order, its box, and where in the box it is."""
    if not labels.size:
        return
    values, compact = _counted(labels)
    for number, (value, box) in enumerate(zip(values, ndimage.find_objects(compact)), 1):
        if value != 0:
            yield value, box, compact[box] == number


def _counted(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values in increasing order, and the image with each value's place among them, from 1."""
    if labels.min() >= 0 and labels.max() < _COUNTED:
        # Counting finds the same values as sorting, forty times as fast on a large picture.
        whole = labels.astype(np.intp, copy=False)
        present = np.bincount(whole.ravel()) > 0
        return np.flatnonzero(present), np.cumsum(present, dtype=np.int32)[whole]
    values, index = np.unique(labels, return_inverse=True)
    return values, index.reshape(labels.shape).astype(np.int32) + 1


def pieces(labels: np.ndarray, connectivity: int) -> Iterator[tuple[tuple[slice, ...], np.ndarray, int]]:
    """Yield for each label its box, its connected pieces numbered in the box, and how many they are."""
    structure = neighbours(ndimage, labels.ndim, connectivity)
    for _, box, inside in regions(labels):
        found: Any = ndimage.label(inside, structure)
        yield box, found[0], found[1]

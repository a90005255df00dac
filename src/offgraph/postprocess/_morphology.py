"""Shared by Erode, Dilate, Open and Close: what they do to all labels of an image at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic.dataclasses import dataclass as pydantic_dataclass

from offgraph import ndimage
from offgraph.postprocess._labels import Connectivity, LabelStep, neighbours
from offgraph.steps.base import CONFIG
from offgraph.steps.parameters import Count
from offgraph.targets.image import Image

__all__ = ["MorphologyStep", "dilated", "eroded"]


@pydantic_dataclass(frozen=True, repr=False, config=CONFIG)
class MorphologyStep(LabelStep):
    """A result step that moves the outlines of labels.

    Parameters
    ----------
    iterations : int
        By how many pixels, at least 1.
    connectivity : int
        Which pixels are neighbours: 1 those with a common side, 2 also with a common corner, 3 (volumes) also a common
        corner point.
    """

    iterations: Count = 1
    connectivity: Connectivity = 1

    def steps(self, shape: tuple[int, ...]) -> int:
        """Return the iterations, of which no more count than lead from one corner to the other."""
        return min(self.iterations, sum(shape) + 1)

    def reshaped(self, numbers: np.ndarray, structure: np.ndarray, count: int) -> np.ndarray:
        """Return what becomes of all labels of an image, as int32 each, background 0, after so many iterations."""
        raise NotImplementedError

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """All labels at once."""
        self.output_spec(image.spec)
        numbers, meant = numbered(image.array)
        structure = neighbours(ndimage, numbers.ndim, self.connectivity)
        out = self.reshaped(numbers, structure, self.steps(numbers.shape))
        return Image(restored(out, meant, image.array.dtype), image.axes)


def numbered(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the labels as int32 in their order, the background as 0, and what each number stands for.

    Filters compute in float64, which does not hold all labels. None stands for the numbers themselves.
    """
    if not labels.size or (labels.min() >= 0 and labels.max() < np.iinfo(np.int32).max):
        return labels.astype(np.int32), None
    values, places = np.unique(labels, return_inverse=True)
    numbers = np.zeros(len(values), np.int32)
    numbers[values != 0] = np.arange(1, np.count_nonzero(values) + 1)
    meant = np.concatenate([np.zeros(1, labels.dtype), values[values != 0]])
    return numbers[places.reshape(labels.shape)], meant


def restored(numbers: np.ndarray, meant: np.ndarray | None, dtype: np.dtype) -> np.ndarray:
    """Return the labels that the numbers stand for."""
    return numbers.astype(dtype) if meant is None else meant[numbers]


def eroded(numbers: np.ndarray, structure: np.ndarray, iterations: int) -> np.ndarray:
    """Keep, each time, the pixels whose neighbours all have their label; the edge of the image takes nothing away."""
    for _ in range(iterations if numbers.size else 0):
        found: Any = [
            each(numbers, footprint=structure, mode="nearest")
            for each in (ndimage.minimum_filter, ndimage.maximum_filter)
        ]
        kept = np.where(found[0] == found[1], numbers, 0)
        if np.array_equal(kept, numbers):
            break
        numbers = kept
    return numbers


def dilated(numbers: np.ndarray, structure: np.ndarray, iterations: int) -> np.ndarray:
    """Give, each time, background the smallest label among its neighbours."""
    nothing = np.iinfo(np.int32).max
    for _ in range(iterations if numbers.size else 0):
        near: Any = ndimage.minimum_filter(
            np.where(numbers == 0, nothing, numbers), footprint=structure, mode="nearest"
        )
        taken = (numbers == 0) & (near < nothing)
        if not taken.any():
            break
        numbers = np.where(taken, near, numbers)
    return numbers

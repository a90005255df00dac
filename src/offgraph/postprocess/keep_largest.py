"""Keep the largest objects."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.postprocess._labels import Connectivity, LabelStep, components, first_places, neighbours
from offgraph.steps.declaration import step
from offgraph.steps.parameters import Count
from offgraph.targets.image import Image

__all__ = ["KeepLargest"]


@step
class KeepLargest(LabelStep):
    """Keep the largest connected components of each label, and turn the others into background.

    A result step on a label image. Of components with equally many pixels, the one whose first pixel comes first stays.
    Exactness: `scipy.ndimage.label` of each label, and counting.

    Parameters
    ----------
    count : int
        How many components of each label stay, at least 1.
    connectivity : int
        Which pixels are connected: 1 those with a common side, 2 also with a common corner, 3 (volumes) also a common
        corner point.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.KeepLargest()])(image=np.array([[1, 0, 1, 1]], np.uint8)).image
    array([[0, 0, 1, 1]], dtype=uint8)
    """

    count: Count = 1
    connectivity: Connectivity = 1

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Sort components by label and by area, and count off."""
        self.output_spec(image.spec)
        numbers, count = components(image.array, self.connectivity)
        areas = np.bincount(numbers.ravel(), minlength=count + 1)[1:]
        labels = image.array.ravel()[first_places(numbers, count)[1:]]
        order = np.lexsort((-areas, labels))  # stable: of equal ones the first stays
        new = np.ones(count, np.bool_)
        new[1:] = labels[order][1:] != labels[order][:-1]
        begins = np.flatnonzero(new)
        rank = np.arange(count) - np.repeat(begins, np.diff(begins, append=count))
        lost = np.zeros(count + 1, np.bool_)
        lost[order[rank >= self.count] + 1] = True
        out = image.array.copy()
        out[lost[numbers]] = 0
        return Image(out, image.axes)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Each component on the whole grid."""
        out = np.zeros_like(image)
        for value in np.unique(image[image != 0]):
            numbered, count = ndi.label(image == value, neighbours(ndi, image.ndim, self.connectivity))
            by_area = sorted(range(1, count + 1), key=lambda number: (-(numbered == number).sum(), number))
            out[np.isin(numbered, by_area[: self.count])] = value
        return out

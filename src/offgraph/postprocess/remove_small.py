"""Remove specks."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.postprocess._labels import Connectivity, LabelStep, components, neighbours
from offgraph.steps.declaration import step
from offgraph.steps.parameters import Count
from offgraph.targets.image import Image

__all__ = ["RemoveSmall"]


@step
class RemoveSmall(LabelStep):
    """Turn connected components with fewer pixels than a size into background.

    A result step on a label image. Exactness: `scipy.ndimage.label` of each label, and counting.

    Parameters
    ----------
    size : int
        Smallest number of pixels that stays.
    connectivity : int
        Which pixels are connected: 1 those with a common side, 2 also with a common corner, 3 (volumes) also a common
        corner point.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.RemoveSmall(2)])(image=np.array([[1, 0, 1, 1]], np.uint8)).image
    array([[0, 0, 1, 1]], dtype=uint8)
    """

    size: Count
    connectivity: Connectivity = 1

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Count the pixels of all components."""
        self.output_spec(image.spec)
        out = image.array.copy()
        numbers, count = components(image.array, self.connectivity)
        out[(np.bincount(numbers.ravel(), minlength=count + 1) < self.size)[numbers]] = 0
        return Image(out, image.axes)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Each component on the whole grid."""
        out = image.copy()
        for value in np.unique(image[image != 0]):
            numbered, count = ndi.label(image == value, neighbours(ndi, image.ndim, self.connectivity))
            for number in range(1, count + 1):
                if (numbered == number).sum() < self.size:
                    out[numbered == number] = 0
        return out

"""Let objects grow."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.postprocess._labels import neighbours
from offgraph.postprocess._morphology import MorphologyStep, dilated
from offgraph.steps.declaration import step

__all__ = ["Dilate"]


@step
class Dilate(MorphologyStep):
    """Give background next to a label that label.

    A result step on a label image. Labels never grow over one another: where several arrive at a pixel, the one that needs
    fewer iterations takes it, of equal ones the smaller. Exactness: `scipy.ndimage.binary_dilation` of each label, once
    per iteration.

    Parameters
    ----------
    iterations : int
        By how many pixels, at least 1.
    connectivity : int
        Which pixels are neighbours: 1 those with a common side, 2 also with a common corner, 3 (volumes) also a common
        corner point.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Dilate()])(image=np.array([[1, 0, 2, 0, 0]], np.uint8)).image
    array([[1, 1, 2, 2, 0]], dtype=uint8)
    """

    def reshaped(self, numbers: np.ndarray, structure: np.ndarray, count: int) -> np.ndarray:
        """Background gets the smallest label beside it."""
        return dilated(numbers, structure, count)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Each label on the whole grid, the smallest last."""
        out, structure = image.copy(), neighbours(ndi, image.ndim, self.connectivity)
        for _ in range(self.iterations):
            before = out.copy()
            for value in np.unique(before[before != 0])[::-1]:
                out[ndi.binary_dilation(before == value, structure) & (before == 0)] = value
        return out

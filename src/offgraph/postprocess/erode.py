"""Take the outermost pixels from objects."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.postprocess._labels import neighbours
from offgraph.postprocess._morphology import MorphologyStep, eroded
from offgraph.steps.declaration import step

__all__ = ["Erode"]


@step
class Erode(MorphologyStep):
    """Turn pixels of a label that have a neighbour without it into background.

    A result step on a label image; labels that touch part. The edge of the image takes nothing away: an object that it cuts
    goes on beyond it. Exactness: `scipy.ndimage.binary_erosion` of each label, with ``border_value=1``.

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
    >>> og.Compose([og.Erode()])(image=np.array([[1, 1, 1, 2, 2, 2]], np.uint8)).image
    array([[1, 1, 0, 0, 2, 2]], dtype=uint8)
    """

    def reshaped(self, numbers: np.ndarray, structure: np.ndarray, count: int) -> np.ndarray:
        """Labels lose what lies at their outlines."""
        return eroded(numbers, structure, count)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Each label on the whole grid."""
        out, structure = np.zeros_like(image), neighbours(ndi, image.ndim, self.connectivity)
        for value in np.unique(image[image != 0]):
            out[ndi.binary_erosion(image == value, structure, self.iterations, border_value=1)] = value
        return out

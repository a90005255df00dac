"""Cut thin bridges and remove thin objects."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.postprocess._labels import neighbours
from offgraph.postprocess._morphology import MorphologyStep, dilated, eroded
from offgraph.steps.declaration import step

__all__ = ["Open"]


@step
class Open(MorphologyStep):
    """Remove what of a label is too thin: erode it, then dilate what is left.

    A result step on a label image: bridges, spikes and specks that the neighbourhood does not fit into become background. The
    edge of the image takes nothing away. Exactness: `scipy.ndimage.binary_erosion` of each label with
    ``border_value=1``, then `scipy.ndimage.binary_dilation`.

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
    >>> og.Compose([og.Open()])(image=np.array([[0, 0, 3, 0, 3, 3, 3, 0]], np.uint8)).image
    array([[0, 0, 0, 0, 3, 3, 3, 0]], dtype=uint8)
    """

    def reshaped(self, numbers: np.ndarray, structure: np.ndarray, count: int) -> np.ndarray:
        """An opened label lies within itself, so that no two meet."""
        return dilated(eroded(numbers, structure, count), structure, count)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Each label on the whole grid."""
        out, structure = np.zeros_like(image), neighbours(ndi, image.ndim, self.connectivity)
        for value in np.unique(image[image != 0]):
            left = ndi.binary_erosion(image == value, structure, self.iterations, border_value=1)
            out[ndi.binary_dilation(left, structure, self.iterations)] = value
        return out

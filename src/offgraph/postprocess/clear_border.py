"""Remove objects that the edge of the image cuts."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.postprocess._labels import Connectivity, LabelStep, components, neighbours
from offgraph.steps.declaration import step
from offgraph.steps.parameters import Natural
from offgraph.targets.image import Image

__all__ = ["ClearBorder"]


@step
class ClearBorder(LabelStep):
    """Turn connected components that lie at the edge of the image into background: their sizes cannot be measured.

    A result step on a label image. Exactness: `scipy.ndimage.label` of each label; scikit-image's `clear_border` with
    this connectivity.

    Parameters
    ----------
    buffer : int
        How many pixels next to the outermost ones count as the edge, too.
    connectivity : int
        Which pixels are connected: 1 those with a common side, 2 also with a common corner, 3 (volumes) also a common
        corner point.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> cut = np.array([[0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]], np.uint8)
    >>> og.Compose([og.ClearBorder()])(image=cut).image
    array([[0, 0, 0, 0],
           [0, 0, 1, 0],
           [0, 0, 0, 0]], dtype=uint8)
    """

    buffer: Natural = 0
    connectivity: Connectivity = 1

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Look up which components the edge has pixels of."""
        self.output_spec(image.spec)
        out = image.array.copy()
        numbers, count = components(image.array, self.connectivity)
        cut = np.zeros(count + 1, np.bool_)
        cut[numbers[self._edge(numbers.shape)]] = True
        out[cut[numbers]] = 0
        return Image(out, image.axes)

    def _edge(self, shape: tuple[int, ...]) -> np.ndarray:
        edge, wide = np.ones(shape, np.bool_), self.buffer + 1
        edge[tuple(slice(wide, max(wide, n - wide)) for n in shape)] = False
        return edge

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Each component on the whole grid."""
        out = image.copy()
        for value in np.unique(image[image != 0]):
            found, count = ndi.label(image == value, neighbours(ndi, image.ndim, self.connectivity))
            for number in range(1, count + 1):
                places = np.argwhere(found == number)
                last = np.array(image.shape) - 1 - self.buffer
                if (places <= self.buffer).any() or (places >= last).any():
                    out[found == number] = 0
        return out

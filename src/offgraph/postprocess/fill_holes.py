"""Close holes in objects."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph import ndimage
from offgraph.postprocess._labels import LabelStep
from offgraph.steps.declaration import step
from offgraph.targets.image import Image
from offgraph.targets.regions import regions

__all__ = ["FillHoles"]


@step
class FillHoles(LabelStep):
    """Give background that a label encloses that label.

    A result step on a label image; other labels inside the hole stay. Where two labels enclose the same pixels, the
    smaller one takes them. Exactness: `scipy.ndimage.binary_fill_holes` of each label.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)
    >>> int(og.Compose([og.FillHoles()])(image=ring).image[1, 1])
    1
    """

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Fill inside each label's box, which holds all that it can enclose."""
        self.output_spec(image.spec)
        out = image.array.copy()
        if not _has_enclosed(image.array == 0):
            return Image(out, image.axes)
        for value, box, inside in regions(image.array):
            if min(inside.shape) < 3 or inside.all():  # a hole has the label on both sides along every axis
                continue
            part = out[box]
            part[ndimage.binary_fill_holes(inside) & (part == 0)] = value
        return Image(out, image.axes)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Each label on the whole grid."""
        out = image.copy()
        for value in np.unique(image[image != 0]):
            out[ndi.binary_fill_holes(image == value) & (out == 0)] = value
        return out


def _has_enclosed(background: np.ndarray) -> bool:
    """Whether some background does not reach the edge of the image. Without it there is nothing to fill, however many labels."""
    if not background.size:
        return False
    found: Any = ndimage.label(background)
    at_edge = np.zeros(found[1] + 1, np.bool_)
    at_edge[0] = True
    for axis in range(background.ndim):
        at_edge[found[0].take((0, -1), axis)] = True
    return not at_edge.all()

"""Close gaps in objects."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph import ndimage
from offgraph.postprocess._labels import neighbours
from offgraph.postprocess._morphology import MorphologyStep
from offgraph.steps.declaration import step
from offgraph.targets.image import Image
from offgraph.targets.regions import regions

__all__ = ["Close"]


@step
class Close(MorphologyStep):
    """Close gaps of a label that are thin: dilate it, then erode what it became.

    A result step on a label image: cracks, bays and holes that the neighbourhood does not fit into take the label that
    surrounds them; other labels in them stay. Where two labels close over a pixel, the smaller one takes it. The edge of the
    image takes nothing away: a thin gap between it and an object is closed, too. Exactness:
    `scipy.ndimage.binary_dilation` of each label, then `scipy.ndimage.binary_erosion` with ``border_value=1``.

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
    >>> og.Compose([og.Close()])(image=np.array([[0, 0, 0, 3, 0, 3, 0, 0, 0]], np.uint8)).image
    array([[0, 0, 0, 3, 3, 3, 0, 0, 0]], dtype=uint8)
    """

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """In each label's box, with room to grow and a margin of background, but for the edge of the image."""
        self.output_spec(image.spec)
        out, shape = image.array.copy(), image.array.shape
        structure, count = neighbours(ndimage, len(shape), self.connectivity), self.steps(shape)
        for value, box, inside in regions(image.array):
            low = [max(0, side.start - count - 1) for side in box]
            wide = tuple(slice(a, min(n, side.stop + count + 1)) for a, side, n in zip(low, box, shape))
            whole = np.zeros([side.stop - side.start for side in wide], np.bool_)
            whole[tuple(slice(side.start - a, side.stop - a) for a, side in zip(low, box))] = inside
            grown: Any = ndimage.binary_dilation(whole, structure, count)
            closed: Any = ndimage.binary_erosion(grown, structure, count, border_value=1)
            part = out[wide]
            part[closed & (part == 0)] = value
        return Image(out, image.axes)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Each label on the whole grid."""
        out, structure = image.copy(), neighbours(ndi, image.ndim, self.connectivity)
        for value in np.unique(image[image != 0]):
            grown = ndi.binary_dilation(image == value, structure, self.iterations)
            out[ndi.binary_erosion(grown, structure, self.iterations, border_value=1) & (out == 0)] = value
        return out

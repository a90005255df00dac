"""Median over a window."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph import ndimage
from offgraph.parameters import Count, Mode, Number
from offgraph.spec import ArraySpec
from offgraph.step import FilterStep, step
from offgraph.targets import Image

__all__ = ["MedianFilter"]


@step
class MedianFilter(FilterStep):
    """Replace each value by the median of its neighbourhood: removes specks, keeps edges.

    A filter step: the window lies on the spatial axes, channels never mix. Exactness: the bytes of
    `scipy.ndimage.median_filter` on each channel.

    Parameters
    ----------
    size : int
        Edge of the square (in volumes cubic) window, in pixels, at least 1. Odd sizes have a centre.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the picture's own units.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> speck = np.zeros((5, 5), np.uint8)
    >>> speck[2, 2] = 255
    >>> int(og.Compose([og.MedianFilter(3)])(image=speck).image.max())
    0
    """

    size: Count
    mode: Mode = "reflect"
    cval: Number = 0.0

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """The square, in volumes the cube."""
        return self.size ** len(spec.spatial)

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Filter all channels in one call."""
        array = ndimage.median_filter(
            image.array, self.size, axes=image.spec.spatial, mode=self.mode, cval=self.cval
        )
        return Image(array, image.axes)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.median_filter`."""
        return ndi.median_filter(image, self.size, mode=self.mode, cval=self.cval)

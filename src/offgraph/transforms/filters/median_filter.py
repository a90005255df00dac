"""Median over a window."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.engine.filter_passes import FilterPass
from offgraph.ndimage.filters.passes import median_passes
from offgraph.steps.declaration import step
from offgraph.transforms.filters._window import PlannedWindowFilter

__all__ = ["MedianFilter"]


@step
class MedianFilter(PlannedWindowFilter):
    """Replace each value by the median of its neighbourhood: removes specks, keeps edges.

    A filter step: the window lies on the spatial axes, channels never mix. Exactness: the bytes of
    `scipy.ndimage.median_filter` on each channel.

    Parameters
    ----------
    size : int, or one for each axis by name
        Edge of the square (in volumes cubic) window, in pixels, at least 1. Odd sizes have a centre.
        ``{"Z": 1, "YX": 3}`` gives each axis its own size; the window is 1 pixel along axes that are not named.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> speck = np.zeros((5, 5), np.uint8)
    >>> speck[2, 2] = 255
    >>> int(og.Compose([og.MedianFilter(3)])(image=speck).image.max())
    0
    """

    def windowed(self, ndi: Any, array: np.ndarray, size: list[int], axes: tuple[int, ...]) -> np.ndarray:
        """`ndimage.median_filter`."""
        return ndi.median_filter(array, size, axes=axes, mode=self.mode, cval=self.cval)

    def passes(self, params: dict[str, Any], spec: ArraySpec) -> tuple[FilterPass, ...]:
        """One rank filter."""
        sizes = self.sizes(spec.spatial_names)
        return median_passes(sizes, dtype=spec.dtype, mode=self.mode, cval=self.cval)

"""Mean over a window."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.engine.filter_passes import FilterPass
from offgraph.ndimage.filters.passes import uniform_passes
from offgraph.steps.declaration import step
from offgraph.transforms.filters._window import PlannedWindowFilter

__all__ = ["UniformFilter"]


@step
class UniformFilter(PlannedWindowFilter):
    """Replace each value by the mean of its neighbourhood: box blur.

    A filter step: the window lies on the spatial axes, channels never mix. Exactness: the bytes of
    `scipy.ndimage.uniform_filter` on each channel.

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
    >>> og.Compose([og.UniformFilter(3)])(image=np.array([[0, 9, 0], [0, 0, 0], [0, 0, 0]], np.uint8)).image
    array([[2, 2, 2],
           [1, 1, 1],
           [0, 0, 0]], dtype=uint8)
    """

    @property
    def averages(self) -> bool:
        """Always."""
        return True

    def windowed(self, ndi: Any, array: np.ndarray, size: list[int], axes: tuple[int, ...]) -> np.ndarray:
        """`ndimage.uniform_filter`."""
        return ndi.uniform_filter(array, size, axes=axes, mode=self.mode, cval=self.cval)

    def passes(self, params: dict[str, Any], spec: ArraySpec) -> tuple[FilterPass, ...]:
        """One mean along each axis."""
        sizes = self.sizes(spec.spatial_names)
        return uniform_passes(sizes, mode=self.mode, cval=self.cval)

"""Largest value over a window."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from offgraph import ndimage
from offgraph.core.axes import SPATIAL
from offgraph.core.specs import ArraySpec
from offgraph.engine.filter_passes import FilterPass
from offgraph.ndimage.filters.passes import extremum_passes
from offgraph.steps.compiled import CompiledStep
from offgraph.steps.declaration import step
from offgraph.steps.kinds import FilterStep
from offgraph.steps.parameters import AxisCount, Mode, Number, along_axes

__all__ = ["MaxFilter"]


@step
class MaxFilter(FilterStep):
    """Replace each value by the largest of its neighbourhood: grey dilation by a square.

    A filter step: the window lies on the spatial axes, channels never mix. Exactness: the bytes of
    `scipy.ndimage.maximum_filter` on each channel.

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
    >>> og.Compose([og.MaxFilter(3)])(image=np.array([[5, 9, 7, 8]], np.uint8)).image
    array([[9, 9, 9, 8]], dtype=uint8)
    """

    size: AxisCount
    mode: Mode = "reflect"
    cval: Number = 0.0

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """The square, in volumes the cube."""
        return math.prod(self._sizes(spec.spatial_names))

    def _sizes(self, axes: str) -> list[int]:
        return along_axes("size", self.size, axes, 1)

    def filter(self, array: np.ndarray, axes: str, params: dict[str, Any]) -> np.ndarray:
        """Filter all channels in one call."""
        spec = ArraySpec.of(array, axes)
        sizes = self._sizes(spec.spatial_names)
        return ndimage.maximum_filter(array, sizes, axes=spec.spatial, mode=self.mode, cval=self.cval)

    def passes(self, params: dict[str, Any], spec: ArraySpec) -> tuple[FilterPass, ...]:
        """One extreme over the window."""
        sizes = self._sizes(spec.spatial_names)
        return extremum_passes(sizes, dtype=spec.dtype, mode=self.mode, cval=self.cval, largest=True)

    def compiled(self) -> CompiledStep | None:
        """The operation depends on dtype and axes alone."""
        return None if self.varies else ("values", True, False)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.maximum_filter`."""
        return ndi.maximum_filter(image, self._sizes(SPATIAL[-image.ndim :]), mode=self.mode, cval=self.cval)

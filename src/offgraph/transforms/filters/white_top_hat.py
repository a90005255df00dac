"""What is bright and small."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from offgraph import ndimage
from offgraph.core.axes import SPATIAL
from offgraph.core.specs import ArraySpec
from offgraph.steps.declaration import step
from offgraph.steps.kinds import FilterStep
from offgraph.steps.parameters import AxisCount, Mode, Number, along_axes

__all__ = ["WhiteTopHat"]


@step
class WhiteTopHat(FilterStep):
    """Keep what is bright and smaller than a window, and take the background away; the dtype stays.

    A filter step: the image minus its grey opening; channels never mix. Exactness: the bytes of `scipy.ndimage.white_tophat`
    on each channel.

    Parameters
    ----------
    size : int, or one for each axis by name
        Edge of the square (in volumes cubic) window, in pixels, at least 1: larger than what is to stay. The window is 1 pixel
        along axes that are not named.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> image = np.full((9, 9), 100, np.uint8)
    >>> image[4, 4] = 130
    >>> out = og.Compose([og.WhiteTopHat(3)])(image=image).image
    >>> int(out[4, 4]), int(out.sum())
    (30, 30)
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
        return ndimage.white_tophat(array, sizes, axes=spec.spatial, mode=self.mode, cval=self.cval)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.white_tophat`."""
        return ndi.white_tophat(image, self._sizes(SPATIAL[-image.ndim :]), mode=self.mode, cval=self.cval)

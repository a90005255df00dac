"""Blur probabilities before a decision."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph import ndimage
from offgraph.core.axes import SPATIAL
from offgraph.postprocess._outputs import OutputStep
from offgraph.steps.declaration import step
from offgraph.steps.parameters import AxisSize, along_axes
from offgraph.targets.image import Image

__all__ = ["SmoothProbabilities"]


@step
class SmoothProbabilities(OutputStep):
    """Average probabilities with their neighbours by a Gaussian, each channel by itself.

    A result step on a model's output, floats: a single sure pixel among unsure ones no longer decides. Beyond the border the
    image goes on as its edge, so that probabilities there do not fall; what sums to 1 over the channels still does, but for
    rounding. NaN is refused: it would spread. Exactness: `scipy.ndimage.gaussian_filter` with ``mode="nearest"``.

    Parameters
    ----------
    sigma : float or mapping
        Standard deviation in pixels, above 0; one for all spatial axes, or one for each by its name, such as
        ``{"Z": 0.5, "YX": 1}``.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> speck = np.zeros((9, 9), np.float32)
    >>> speck[4, 4] = 0.9
    >>> og.Compose([og.SmoothProbabilities(1), og.Threshold(0.5)])(image=speck).image.max()
    np.uint8(0)
    """

    per_channel = True
    sigma: AxisSize = 1.0

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """One call over the spatial axes."""
        spec = self.output_spec(image.spec)
        array = self.numbers(image)
        if array.size:
            sigma = along_axes("sigma", self.sigma, spec.spatial_names, 0)
            array = ndimage.gaussian_filter(array, sigma, mode="nearest", axes=spec.spatial)
        return Image(np.ascontiguousarray(array), image.axes)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """SciPy's filter, on one channel."""
        sigma = along_axes("sigma", self.sigma, SPATIAL[-image.ndim :], 0)
        return ndi.gaussian_filter(image, sigma, mode="nearest")

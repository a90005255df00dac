"""Sharpen by what a blur takes away."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.axes import SPATIAL
from offgraph.core.specs import ArraySpec
from offgraph.steps.declaration import step
from offgraph.steps.kinds import FilterStep
from offgraph.steps.parameters import Mode, NaturalAxisRange, NaturalRange, Number, along_axes
from offgraph.steps.values import limited

__all__ = ["UnsharpMask"]


@step
class UnsharpMask(FilterStep):
    """Sharpen: add the difference between the image and a blurred one; the dtype stays.

    A filter step: ``value + amount * (value - blurred)`` with a Gaussian blur; channels never mix. Integers are rounded half to
    even and limited to what the dtype holds. Exactness: the bytes of this expression in float64 with
    `scipy.ndimage.gaussian_filter` on each channel.

    Parameters
    ----------
    amount : float or (low, high)
        At least 0: 0 leaves the image as it is, 1 doubles fine detail.
    sigma : float or (low, high), or one of them for each axis by name
        Standard deviation of the blur in pixels, at least 0: the size of the detail. Axes that are not named are not blurred.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> edge = np.repeat(np.array([[100, 150]], np.uint8), 4, axis=1)
    >>> og.Compose([og.UnsharpMask(1.0, sigma=1)])(image=edge).image
    array([[100, 100,  97,  85, 165, 153, 150, 150]], dtype=uint8)
    """

    amount: NaturalRange = 1.0
    sigma: NaturalAxisRange = 1.0
    mode: Mode = "reflect"
    cval: Number = 0.0

    @property
    def averages(self) -> bool:
        """Always."""
        return True

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """Four standard deviations to each side."""
        return 8 * max(along_axes("sigma", params["sigma"], spec.spatial_names, 0.0)) + 1

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.gaussian_filter` and one NumPy expression."""
        sigmas = along_axes("sigma", params["sigma"], SPATIAL[-image.ndim :], 0.0)
        values = image.astype(np.float64)
        blurred = ndi.gaussian_filter(values, sigmas, mode=self.mode, cval=self.cval)
        return limited(values + params["amount"] * (values - blurred), image.dtype)

"""Correlation with weights that lie in the plane of rows and columns, of images and of each slice of a volume."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.engine.values import correlate_plane, takes_levels
from offgraph.steps.kinds import FilterStep
from offgraph.steps.values import limited

__all__ = ["PlaneKernelStep"]


class PlaneKernelStep(FilterStep):
    """A filter that is defined by weights of neighbours; its fields `mode` and `cval` say what lies beyond the border."""

    def border(self) -> tuple[str, float]:
        """Return the fields."""
        return vars(self)["mode"], vars(self)["cval"]

    @property
    def averages(self) -> bool:
        """Always."""
        return True

    def kernel(self, params: dict[str, Any]) -> np.ndarray:
        """Return the weights: of two axes, or of all that the image has."""
        raise NotImplementedError(f"{self.name} has no `kernel`")

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.correlate` in float64; integers are rounded half to even and limited to what the dtype holds."""
        weights = self.kernel(params)
        lying = weights.reshape((1,) * (image.ndim - weights.ndim) + weights.shape)
        mode, cval = self.border()
        found = ndi.correlate(image.astype(np.float64), lying, mode=mode, cval=cval)
        return limited(found, image.dtype)

    def filter(self, array: np.ndarray, axes: str, params: dict[str, Any]) -> np.ndarray:
        """All channels of an image of 8 or 16 bits or float32 at once, else one after another."""
        weights = self.kernel(params)
        is_own = type(self).reference is PlaneKernelStep.reference
        if not is_own or axes not in ("YX", "YXC") or weights.ndim != 2 or not takes_levels(array):
            return super().filter(array, axes, params)
        image = array[..., np.newaxis] if axes == "YX" else array
        found = correlate_plane(image, weights.astype(np.float64), *self.border())
        return found.reshape(array.shape)

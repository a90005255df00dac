"""Correlation with weights that lie in the plane of rows and columns, of images and of each slice of a volume."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.engine.image_ops import correlate_op, has_levels
from offgraph.engine.native_plan import NativeOp
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

    def work(self, params: dict[str, Any], spec: ArraySpec) -> NativeOp | None:
        """Sums of all channels at once, of images of 8 or 16 bits or float32."""
        if spec.axes not in ("YX", "YXC") or not has_levels(spec.dtype):
            return None
        weights = self.kernel(params)
        return correlate_op(weights.astype(np.float64), *self.border()) if weights.ndim == 2 else None

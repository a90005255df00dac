"""Blur by a Gaussian."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph import ndimage
from offgraph.core.axes import SPATIAL
from offgraph.core.specs import ArraySpec
from offgraph.engine.filter_passes import FilterPass
from offgraph.ndimage.filters.passes import gaussian_passes
from offgraph.steps.compiled import CompiledStep
from offgraph.steps.declaration import step
from offgraph.steps.kinds import FilterStep
from offgraph.steps.parameters import Mode, NaturalAxisRange, Number, PositiveNumber, along_axes

__all__ = ["GaussianFilter"]


@step
class GaussianFilter(FilterStep):
    """Blur by a Gaussian along every spatial axis.

    A filter step: channels never mix. Exactness: the bytes of `scipy.ndimage.gaussian_filter` on each channel, which
    for integer images truncates after every axis.

    Parameters
    ----------
    sigma : float or (low, high), or one of them for each axis by name
        Standard deviation in pixels, at least 0; 0 leaves the image unchanged. ``{"Z": 1, "YX": (1, 2)}`` gives each axis
        of a volume its own value; axes that are not named are not blurred.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.
    truncate : float
        Width of the window to each side, in standard deviations.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> dot = np.zeros((5, 5), np.float32)
    >>> dot[2, 2] = 1
    >>> bool(og.Compose([og.GaussianFilter(1)])(image=dot).image[2, 1] > 0.05)
    True
    """

    sigma: NaturalAxisRange
    mode: Mode = "reflect"
    cval: Number = 0.0
    truncate: PositiveNumber = 4.0

    @property
    def averages(self) -> bool:
        """Always."""
        return True

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """`truncate` standard deviations to each side."""
        return 2 * self.truncate * max(self._sigmas(params, spec.spatial_names)) + 1

    def _sigmas(self, params: dict[str, Any], axes: str) -> list[float]:
        return along_axes("sigma", params["sigma"], axes, 0.0)

    def filter(self, array: np.ndarray, axes: str, params: dict[str, Any]) -> np.ndarray:
        """Filter all channels in one call."""
        spec = ArraySpec.of(array, axes)
        return ndimage.gaussian_filter(
            array, self._sigmas(params, spec.spatial_names), mode=self.mode, cval=self.cval, truncate=self.truncate,
            axes=spec.spatial,
        )  # fmt: skip

    def passes(self, params: dict[str, Any], spec: ArraySpec) -> tuple[FilterPass, ...]:
        """One correlation along each axis."""
        sigmas = self._sigmas(params, spec.spatial_names)
        return gaussian_passes(sigmas, mode=self.mode, cval=self.cval, truncate=self.truncate)

    def compiled(self) -> CompiledStep | None:
        """The operation depends on dtype and axes alone."""
        return None if self.varies else ("values", True, False)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.gaussian_filter`."""
        sigmas = self._sigmas(params, SPATIAL[-image.ndim :])
        return ndi.gaussian_filter(image, sigmas, mode=self.mode, cval=self.cval, truncate=self.truncate)

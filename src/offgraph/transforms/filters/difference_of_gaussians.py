"""What lies between two blurs."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec, SpecT
from offgraph.steps.declaration import step
from offgraph.steps.kinds import FilterStep
from offgraph.steps.parameters import Mode, NaturalRange, Number, PositiveNumber

__all__ = ["DifferenceOfGaussians"]


@step
class DifferenceOfGaussians(FilterStep):
    """Subtract a wide blur from a narrow one: detail of a size is left, noise and background go; gives float32.

    A filter step: channels never mix, and unsigned values do not wrap. Exactness: the difference of two
    `scipy.ndimage.gaussian_filter` on each channel in float64, rounded once to float32.

    Parameters
    ----------
    sigma : float or (low, high)
        Standard deviation of the narrow blur in pixels, at least 0; 0 does not blur.
    ratio : float
        Width of the other blur as a multiple of this one, above 1; of `sigma` 0 it is the standard deviation itself.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> flat = np.full((9, 9), 200, np.uint8)
    >>> float(np.abs(og.Compose([og.DifferenceOfGaussians(1.0)])(image=flat).image).max().round(3))
    0.0
    """

    sigma: NaturalRange = 1.0
    ratio: PositiveNumber = 1.6
    mode: Mode = "reflect"
    cval: Number = 0.0

    def __post_init__(self) -> None:
        if self.ratio <= 1:
            raise ValueError(f"ratio={self.ratio:g}: expected a number above 1")

    @property
    def averages(self) -> bool:
        """Always."""
        return True

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """float32."""
        return spec.cast("float32")

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """Four standard deviations of the wide blur to each side."""
        return 8 * self._wide(params) + 1

    def _wide(self, params: dict[str, Any]) -> float:
        return (params["sigma"] or 1.0) * self.ratio

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.gaussian_filter` twice."""
        values, border = image.astype(np.float64), {"mode": self.mode, "cval": self.cval}
        narrow = ndi.gaussian_filter(values, params["sigma"], **border)
        return (narrow - ndi.gaussian_filter(values, self._wide(params), **border)).astype(np.float32)

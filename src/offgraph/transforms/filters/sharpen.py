"""Sharpen by a blend with a kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.steps.declaration import step
from offgraph.steps.parameters import Mode, NaturalRange, Number, ShareRange
from offgraph.transforms.filters._plane_kernel import PlaneKernelStep

__all__ = ["Sharpen"]


@step
class Sharpen(PlaneKernelStep):
    """Sharpen by a blend of the image with its edges, as Albumentations and imgaug do; the dtype stays.

    A filter step: a mean of the image and of what the weights 8 + `lightness` for a pixel and -1 for each of its eight neighbours
    make of it, in the plane of rows and columns; channels never mix. Plain areas are multiplied by
    ``1 + alpha * (lightness - 1)``. `UnsharpMask` leaves them as they are, and has a size. Exactness: `scipy.ndimage.correlate` with these nine
    weights on each channel in float64, integers rounded half to even and limited to what the dtype holds.

    Parameters
    ----------
    alpha : float or (low, high)
        Share of the edges, 0 to 1.
    lightness : float or (low, high)
        At least 0; 1 keeps the brightness.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> edge = np.repeat(np.array([[100, 100, 120, 120]], np.uint8), 3, axis=0)
    >>> og.Compose([og.Sharpen(0.2, lightness=1)])(image=edge).image[1].tolist()
    [100, 88, 132, 120]
    """

    alpha: ShareRange = (0.2, 0.5)
    lightness: NaturalRange = 1.0
    mode: Mode = "reflect"
    cval: Number = 0.0

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """Three by three."""
        return 9

    def kernel(self, params: dict[str, Any]) -> np.ndarray:
        """The mean of both."""
        weights = np.full((3, 3), -params["alpha"])
        weights[1, 1] = 1 + params["alpha"] * (7 + params["lightness"])
        return weights

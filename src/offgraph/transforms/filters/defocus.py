"""Blur by a disk."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.steps.declaration import step
from offgraph.steps.parameters import Mode, NaturalRange, Number
from offgraph.transforms.filters._plane_kernel import PlaneKernelStep

__all__ = ["Defocus"]


@step
class Defocus(PlaneKernelStep):
    """Blur by a disk, as a lens out of focus does; the dtype stays.

    A filter step: each value becomes the mean of a disk around its pixel, in the plane of rows and columns; channels never mix. A
    pixel at a distance d has the weight ``clip(radius + 0.5 - d, 0, 1)``, and all sum to 1. Exactness:
    `scipy.ndimage.correlate` with these weights on each channel in float64, integers rounded half to even.

    Parameters
    ----------
    radius : float or (low, high)
        Of the disk in pixels, at least 0; up to 0.5 the image stays as it is.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> dot = np.zeros((5, 5), np.float32)
    >>> dot[2, 2] = 10
    >>> (og.Compose([og.Defocus(1.0)])(image=dot).image * 100).astype(int).tolist()[1]
    [0, 25, 149, 25, 0]
    """

    radius: NaturalRange
    mode: Mode = "reflect"
    cval: Number = 0.0

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """The square around the disk."""
        return (2 * params["radius"] + 3) ** 2

    def kernel(self, params: dict[str, Any]) -> np.ndarray:
        """The disk."""
        radius = params["radius"]
        reach = max(int(np.ceil(radius - 0.5)), 0)
        rows, columns = np.ogrid[-reach : reach + 1, -reach : reach + 1]
        weights = np.clip(radius + 0.5 - np.sqrt(rows * rows + columns * columns), 0, 1)
        return weights / weights.sum()

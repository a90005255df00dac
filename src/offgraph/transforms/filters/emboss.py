"""Emboss."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.steps.declaration import step
from offgraph.steps.parameters import Mode, NaturalRange, Number, ShareRange
from offgraph.transforms.filters._plane_kernel import PlaneKernelStep

__all__ = ["Emboss"]


@step
class Emboss(PlaneKernelStep):
    """Make edges look raised, as if lit from the upper left; the dtype stays.

    A filter step: a mean of the image and of what ``[[-1 - s, -s, 0], [-s, 1, s], [0, s, 1 + s]]`` makes of it, in the plane
    of rows and columns; channels never mix. Exactness: `scipy.ndimage.correlate` with these nine weights on each channel
    in float64, integers rounded half to even and limited to what the dtype holds.

    Parameters
    ----------
    alpha : float or (low, high)
        Share of the embossed image, 0 to 1.
    strength : float or (low, high)
        The `s` of the weights, at least 0.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> edge = np.repeat(np.array([[10, 10, 50, 50]], np.uint8), 3, axis=0)
    >>> og.Compose([og.Emboss(0.5, 0.5)])(image=edge).image[1].tolist()
    [10, 50, 90, 50]
    """

    alpha: ShareRange = (0.2, 0.5)
    strength: NaturalRange = (0.2, 0.7)
    mode: Mode = "reflect"
    cval: Number = 0.0

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """Three by three."""
        return 9

    def kernel(self, params: dict[str, Any]) -> np.ndarray:
        """The mean of both."""
        s, alpha = params["strength"], params["alpha"]
        raised = np.array([[-1 - s, -s, 0], [-s, 1, s], [0, s, 1 + s]])
        same = np.array([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]])
        return (1 - alpha) * same + alpha * raised

"""Blur along a line."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.steps.declaration import step
from offgraph.steps.parameters import Mode, NaturalRange, Number, Range
from offgraph.transforms.filters._plane_kernel import PlaneKernelStep

__all__ = ["MotionBlur"]

_POINTS = 16
"""Points of the line per pixel."""


@step
class MotionBlur(PlaneKernelStep):
    """Blur along a line, as a moving camera or object does; the dtype stays.

    A filter step: each value becomes the mean along a line through its pixel, in the plane of rows and columns; channels never
    mix. The line is drawn into a square of weights by 16 points per pixel, each shared among the four pixels around it.
    Exactness: `scipy.ndimage.correlate` with these weights on each channel in float64, integers rounded half to even.

    Parameters
    ----------
    length : float or (low, high)
        Of the line in pixels, at least 0; up to 1 the image stays nearly as it is.
    angle : float or (low, high)
        Direction in degrees, from the columns' axis (to the right) towards the top. 0 blurs along rows, 90 along columns.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> dot = np.zeros((3, 7), np.float32)
    >>> dot[1, 3] = 1
    >>> og.Compose([og.MotionBlur(4, angle=0)])(image=dot).image[1].round(3)
    array([0.   , 0.125, 0.25 , 0.25 , 0.25 , 0.125, 0.   ], dtype=float32)
    """

    length: NaturalRange
    angle: Range = (0.0, 180.0)
    mode: Mode = "reflect"
    cval: Number = 0.0

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """The square around the line."""
        return (params["length"] + 3) ** 2

    def kernel(self, params: dict[str, Any]) -> np.ndarray:
        """The line."""
        return _line(params["length"], params["angle"])


def _line(length: float, angle: float) -> np.ndarray:
    """The weights of a line through the centre of an odd square."""
    from scipy.special import cosdg, sindg  # exact at right angles

    reach = int(np.ceil(length / 2)) + 1
    count = max(round(length * _POINTS), 1)
    along = ((np.arange(count) + 0.5) / count - 0.5) * length
    rows, columns = reach - along * sindg(angle), reach + along * cosdg(angle)
    weights = np.zeros((2 * reach + 1,) * 2)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    below, right = rows - top, columns - left
    for row, share_of_row in ((top, 1 - below), (top + 1, below)):
        for column, share in ((left, 1 - right), (left + 1, right)):
            np.add.at(weights, (row, column), share_of_row * share)
    return weights / weights.sum()

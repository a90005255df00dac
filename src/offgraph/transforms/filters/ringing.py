"""Ring at edges, as a sharp low-pass does."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.steps.counts import CountRange
from offgraph.steps.declaration import step
from offgraph.steps.parameters import Mode, Number, PositiveRange
from offgraph.transforms.filters._plane_kernel import PlaneKernelStep

__all__ = ["Ringing"]


@step
class Ringing(PlaneKernelStep):
    """Blur by a sharp low-pass, which overshoots and rings at edges, as strong compression does; the dtype stays.

    A filter step: the kernel is that of the circular low-pass, ``cutoff * J1(cutoff * r) / (2 * pi * r)`` with the Bessel function
    J1 and the distance r in pixels, cut to a square and divided by its sum, in the plane of rows and columns; channels never mix.
    Exactness: `scipy.ndimage.correlate` with `scipy.special.j1` on each channel in float64, integers rounded half to even and limited to
    what the dtype holds.

    Parameters
    ----------
    radius : int or (low, high)
        Pixels from the middle of the kernel to its sides, from 1 to 50.
    cutoff : float or (low, high)
        The highest frequency that is left, in radians per pixel, above 0 to pi; pi / 4 is a wave of 8 pixels.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> edge = np.repeat(np.repeat([[50, 150]], 12, axis=1), 9, axis=0).astype(np.uint8)
    >>> out = og.Compose([og.Ringing(7, cutoff=0.8)])(image=edge).image
    >>> bool(out.max() > 150), bool(out.min() < 50)
    (True, True)
    """

    radius: Annotated[int | tuple[int, int], CountRange(1, 50)] = (3, 7)
    cutoff: PositiveRange = (math.pi / 4, math.pi / 2)
    mode: Mode = "reflect"
    cval: Number = 0.0

    def __post_init__(self) -> None:
        if np.max(self.cutoff) > math.pi:
            raise ValueError(
                f"cutoff={self.cutoff}: write radians per pixel, at most pi; a pixel holds no more"
            )

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """The square."""
        return (2 * params["radius"] + 1) ** 2

    def kernel(self, params: dict[str, Any]) -> np.ndarray:
        """The low-pass on the pixels of the square; a fourth of the squared cutoff over pi in its middle."""
        from scipy.special import j1  # loaded where it computes

        radius, cutoff = params["radius"], params["cutoff"]
        along = np.arange(-radius, radius + 1) ** 2
        r = np.sqrt(np.add.outer(along, along))
        r[radius, radius] = 1
        weights = cutoff * j1(cutoff * r) / (2 * np.pi * r)
        weights[radius, radius] = cutoff**2 / (4 * np.pi)
        return weights / weights.sum()

"""Largest value over a window."""

from __future__ import annotations

from typing import ClassVar

from offgraph.steps.declaration import step
from offgraph.transforms.filters._window import ExtremeFilter

__all__ = ["MaxFilter"]


@step
class MaxFilter(ExtremeFilter):
    """Replace each value by the largest of its neighbourhood: grey dilation by a square.

    A filter step: the window lies on the spatial axes, channels never mix. Exactness: the bytes of
    `scipy.ndimage.maximum_filter` on each channel.

    Parameters
    ----------
    size : int, or one for each axis by name
        Edge of the square (in volumes cubic) window, in pixels, at least 1. Odd sizes have a centre.
        ``{"Z": 1, "YX": 3}`` gives each axis its own size; the window is 1 pixel along axes that are not named.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.MaxFilter(3)])(image=np.array([[5, 9, 7, 8]], np.uint8)).image
    array([[9, 9, 9, 8]], dtype=uint8)
    """

    largest: ClassVar[bool] = True

"""Blank a grid of squares."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.counts import CountOrRange, drawn_count
from offgraph.steps.declaration import step
from offgraph.steps.parameters import PerChannel, ShareRange
from offgraph.transforms.noise._fill import FilledStep, fill_of

__all__ = ["GridDropout"]


@step
class GridDropout(FilledStep):
    """Fill a square in each cell of a grid with one value: GridMask; the dtype stays.

    A noise step; in volumes cells and squares are cubes. A pixel is filled where ``(i + offset) % unit < round(ratio * unit)`` holds
    for its place i along every spatial axis. Exactness: whole pixels; all other values are copied.

    Parameters
    ----------
    unit : int or (low, high)
        Edge of a cell in pixels, at least 1.
    ratio : float or (low, high)
        Edge of the squares as a share of the cell's, from 0 to 1.
    fill : float or one float per channel
        In the image's own units; an integer image takes whole numbers that its dtype holds.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> out = og.Compose([og.GridDropout(4, ratio=0.5)])(image=np.ones((16, 16), np.uint8), key=og.Key(seed=1)).image
    >>> float(out.mean())
    0.75
    """

    unit: CountOrRange = (16, 64)
    ratio: ShareRange = 0.5
    fill: PerChannel = 0.0

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw unit and ratio, and where the grid begins along each axis."""
        unit, ratio = drawn_count(draw, self.unit), draw.value(self.ratio)
        return {"unit": unit, "ratio": ratio, "offset": [draw.integer(0, unit - 1) for _ in spec.size]}

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One assignment."""
        unit, edge = params["unit"], round(params["ratio"] * params["unit"])
        inside = [(np.arange(n) + offset) % unit < edge for n, offset in zip(image.shape, params["offset"])]
        out = image.copy()
        out[np.ix_(*inside)] = fill_of(self.fill, image)
        return out

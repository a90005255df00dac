"""Blank rectangles."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.engine.image_ops import blank_op
from offgraph.engine.native_plan import NativeOp
from offgraph.steps.compiled import CompiledStep, compiled_extent, compiled_values
from offgraph.steps.counts import CountOrRange, drawn_count
from offgraph.steps.declaration import step
from offgraph.steps.parameters import Extent, PerAxis, PerChannel, Whole, in_pixels
from offgraph.targets.mask import Mask
from offgraph.transforms.noise._fill import FilledObjectStep, fill_labels, fill_of

__all__ = ["CoarseDropout"]

MAX_HOLES = 1000
"""Most rectangles: a record holds them all."""


@step
class CoarseDropout(FilledObjectStep):
    """Fill rectangles with one value: cutout, random erasing; the dtype stays.

    A noise step; in volumes the rectangles are boxes. Each lies within the image, and they may overlap. Exactness: whole pixels;
    all other values are copied. A record holds the rectangles.

    Parameters
    ----------
    holes : int or (low, high)
        How many, from 1 to 1,000.
    size : float, str or (low, high), or one of them for each axis by name
        Length of a rectangle along each axis, in pixels or as a share of the axis such as ``"10%"``, rounded, at least one pixel
        and at most the axis; of a pair each rectangle and each axis draws its own. The whole axis where one is not named.
    fill : float or one float per channel
        In the image's own units; an integer image takes whole numbers that its dtype holds.
    mask_fill : int, optional
        Label of the rectangles in masks, such as one that a loss ignores. By default masks stay as they are.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.CoarseDropout(1, size=2, fill=7)])
    >>> out = recipe(image=np.zeros((20, 20), np.uint8), key=og.Key(seed=1))
    >>> int((out.image == 7).sum()), out.record["steps"][0]["params"]
    (4, {'holes': [[[16, 18], [2, 4]]]})
    """

    holes: CountOrRange = (1, 8)
    size: Extent = ("10%", "20%")
    fill: PerChannel = 0.0
    mask_fill: Whole | None = None

    def __post_init__(self) -> None:
        if np.max(self.holes) > MAX_HOLES:
            raise ValueError(f"holes={self.holes}: expected at most {MAX_HOLES:,}; a record holds them all")

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw how many, then of each rectangle along each axis length and start: `holes`, [start, stop] of each axis."""
        given = self.size if isinstance(self.size, PerAxis) else PerAxis({spec.spatial_names: self.size})
        if unknown := set("".join(given)) - set(spec.spatial_names):
            raise ValueError(f"size names {', '.join(sorted(unknown))}, the image has axes {spec.axes}")
        settings = {name: setting for axes, setting in given.items() for name in axes}
        holes = []
        for _ in range(drawn_count(draw, self.holes)):
            hole = []
            for name, n in zip(spec.spatial_names, spec.size):
                length = n if name not in settings else round(draw.value(in_pixels(settings[name], n)))
                length = min(max(length, 1), n)
                start = draw.integer(0, n - length)
                hole.append([start, start + length])
            holes.append(hole)
        return {"holes": holes}

    def apply_mask(self, mask: Mask, params: dict[str, Any]) -> Mask:
        """Fill the same rectangles with `mask_fill`; by default the same mask."""
        if self.mask_fill is None:
            return mask
        holes = (tuple(slice(*ends) for ends in hole) for hole in params["holes"])
        return fill_labels(mask, self.mask_fill, holes)

    def work(self, params: dict[str, Any], spec: ArraySpec, frame: int = 0) -> NativeOp:
        """One copy, and each rectangle row by row."""
        return blank_op(params["holes"], self.fill)

    def compiled(self) -> CompiledStep | None:
        """Their number, and the lengths along rows and columns."""
        given = self.size if isinstance(self.size, PerAxis) else PerAxis({"YX": self.size})
        if not set("".join(given)) <= set("YX"):
            return None
        settings = {name: setting for axes, setting in given.items() for name in axes}
        rows, columns = (compiled_extent(settings.get(name)) for name in "YX")
        fill = self.fill if isinstance(self.fill, tuple) else (self.fill,)
        return compiled_values("blank", self.holes, rows, columns, fill)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One assignment for each rectangle."""
        out, fill = image.copy(), fill_of(self.fill, image)
        for hole in params["holes"]:
            out[tuple(slice(*ends) for ends in hole)] = fill
        return out

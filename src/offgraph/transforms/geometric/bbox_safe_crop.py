"""Crop without cutting into boxes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.engine.resize import Kernel
from offgraph.steps.declaration import step
from offgraph.steps.parameters import Share, Size
from offgraph.transforms.geometric._resized_window import ResizedWindowStep, resize_step
from offgraph.transforms.geometric.resize import Resize

__all__ = ["BBoxSafeCrop"]

_SLACK = 1e-9
"""Of an edge that steps before this one have moved, in pixels: rounding is to take no further pixel in."""


@step
class BBoxSafeCrop(ResizedWindowStep):
    """Crop at random around all boxes, so that none is cut, and resize the window if a size is given.

    A geometric step that draws from the boxes, as they are after the steps before this one: `boxes`, or the only ones by another
    name. Each side of the window is drawn evenly from all whole pixels between the rectangle around all boxes and the border
    of the image. Where there are no boxes the middle half of each axis stands for them. A sample
    without the target is refused; put the step into `Augment`, for there is none at prediction. Its record holds the
    rectangle and the window, and replays without the boxes. With `size` it is Albumentations' `RandomSizedBBoxSafeCrop`,
    without it `BBoxSafeRandomCrop`.

    Exactness: whole pixels for the crop, then the bytes of `Resize` on the cropped image.

    Parameters
    ----------
    size : int or tuple of int, optional
        (height, width), or (depth, height, width), after the step, in pixels; one number is the length of every side, None in place
        of one keeps the aspect of the window. By default the window is not resized, so each image gets a size of its own.
    erosion : float
        By how much of its lengths the rectangle around the boxes is made smaller, evenly on both sides, 0 to 1: boxes
        at its edge may then be cut.
    kernel : str
        'triangle' (linear), 'box', 'cubic' (Keys, a = -0.5), 'cubic75' (a = -0.75), 'lanczos3', 'lanczos4', 'lanczos5', 'area'
        (the mean of what a pixel covers) or 'nearest'; the last two are the same with and without `antialias`.
    antialias : bool
        Widen the kernel when shrinking.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.BBoxSafeCrop()])
    >>> out = recipe(image=np.zeros((60, 80), np.uint8), boxes=[[20, 10, 30, 25], [50, 30, 60, 40]], key=og.Key(seed=7))
    >>> out.record["steps"][0]["params"]
    {'around': [[10, 40], [20, 60]], 'start': [8, 5], 'window': [48, 59]}
    >>> out.boxes.array.tolist()
    [[15.0, 2.0, 25.0, 17.0], [45.0, 22.0, 55.0, 32.0]]
    """

    draws_from = "boxes"

    size: Size | None = None
    erosion: Share = 0.0
    kernel: Kernel = "triangle"
    antialias: bool = True

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw the window: its first pixel and its size, around the rectangle that all boxes lie in."""
        boxes = draw.target(self.draws_from)
        around = None if boxes is None or not len(boxes.edges) else self._around(boxes.edges, spec.size)
        starts, lengths = [], []
        for low, high, n in (
            (*ends, n) for ends, n in zip(around or [[n // 4, n - n // 4] for n in spec.size], spec.size)
        ):
            start = draw.integer(0, low)
            starts.append(start)
            lengths.append(draw.integer(max(high, start + 1), n) - start)
        return {"around": around, "start": starts, "window": lengths}

    def _around(self, edges: np.ndarray, size: tuple[int, ...]) -> list[list[int]]:
        """First pixel of each axis that a box covers, and the one after the last, within the image."""
        found = []
        for axis, n in enumerate(size):
            low, high = float(edges[:, axis].min()), float(edges[:, len(size) + axis].max())
            inset = (high - low) * self.erosion / 2
            first = min(max(math.floor(low + inset + 0.5 + _SLACK), 0), n - 1)
            found.append([first, min(max(math.ceil(high - inset + 0.5 - _SLACK), first + 1), n)])
        return found

    def resize(self) -> Resize | None:
        """To the given size, if any."""
        return None if self.size is None else resize_step(self.size, self.kernel, self.antialias)

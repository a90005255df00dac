"""Let it rain."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from offgraph import ndimage
from offgraph.engine.values import shine, takes_levels
from offgraph.steps.counts import CountRange
from offgraph.steps.declaration import step
from offgraph.steps.parameters import NaturalRange, PerChannel, PositiveNumber, Range, ShareRange, WholeNumber
from offgraph.steps.values import as_dtype, held_range, working_dtype
from offgraph.transforms.noise._light import ColoredStep, color_of
from offgraph.transforms.noise._random_pixels import SeededStep, happens

__all__ = ["Rain"]

_STEEPEST = 80.0
"""Degrees from the vertical."""


@step
class Rain(ColoredStep, SeededStep):
    """Draw streaks of rain and darken the image, as under clouds; the dtype stays.

    A noise step for images: each pixel begins a drop with the same probability, a drop leaves a streak of `length` pixels
    along one direction, `width` pixels wide, and the streaks are averaged over windows of `blur` pixels. Values become
    ``(value + color * range * streaks) * brightness``, limited to 0 to `range`; all channels have the same drops.
    Exactness: `scipy.ndimage.maximum_filter1d` and `uniform_filter` and this expression by NumPy in float32, in float64 for images of
    float64 and of more than 16 bits; integers are rounded half to even. A record holds a seed, which gives the same drops anywhere.

    Parameters
    ----------
    density : float or (low, high)
        Drops per 1,000 pixels, at least 0.
    length : int or (low, high)
        Of a streak in pixels along the steeper axis, the rows, from 1 to 500.
    angle : float or (low, high)
        In degrees from the vertical, -80 to 80; above 0 streaks lead from the upper left to the lower right.
    width : int
        Pixels, from 1 to 50.
    blur : int
        Side of the averaging window in pixels, from 1 to 50; 1 leaves streaks sharp.
    brightness : float or (low, high)
        Factor of the whole image, from 0 to 1.
    color : float or one float per channel
        Of the drops, in shares of the range.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.Rain(20, length=5, angle=0, blur=1, brightness=1, color=1)])
    >>> out = recipe(image=np.zeros((40, 60), np.uint8), key=og.Key(seed=1)).image
    >>> np.unique(out).tolist(), bool(0.06 < (out > 0).mean() < 0.12)
    ([0, 255], True)
    """

    dimensions = (2,)

    density: NaturalRange = (0.5, 2.0)
    length: Annotated[int | tuple[int, int], CountRange(1, 500)] = (10, 30)
    angle: Range = (-15.0, 15.0)
    width: Annotated[int, WholeNumber(1, 50)] = 1
    blur: Annotated[int, WholeNumber(1, 50)] = 3
    brightness: ShareRange = (0.6, 0.9)
    color: PerChannel = 0.8
    range: PositiveNumber | None = None

    def __post_init__(self) -> None:
        if np.max(np.abs(self.angle)) > _STEEPEST:
            raise ValueError(
                f"angle={self.angle}: write degrees from the vertical, -{_STEEPEST:g} to {_STEEPEST:g}"
            )

    def _streaks(self, ndi: Any, size: tuple[int, ...], params: dict[str, Any], frame: int) -> np.ndarray:
        """Where a streak lies, 0 or 1: the pixels where drops begin, moved along their way."""
        height, width = size
        length, slope = params["length"], math.tan(math.radians(params["angle"]))
        down = np.arange(length)
        across = np.rint(down * slope).astype(int)
        left, right = int(across.max()), -int(across.min())
        canvas = (height + length - 1, width + left + right)  # drops begin outside the image too
        begins = np.flatnonzero(happens(params["seed"], frame, canvas, params["density"] / 1000))
        rows = begins[:, np.newaxis] // canvas[1] + (down - (length - 1))
        columns = begins[:, np.newaxis] % canvas[1] + (across - left)
        seen = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        covered = np.zeros(size, np.uint8)
        covered[rows[seen], columns[seen]] = 1
        return (
            ndi.maximum_filter1d(covered, self.width, axis=1, mode="nearest") if self.width > 1 else covered
        )

    def compute(self, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray | None:
        """The streaks by NumPy, what they do to values by the core."""
        if not takes_levels(image):
            return None
        top, number = held_range(image.dtype.name, self.range), working_dtype(image.dtype)
        light = self._light(ndimage, image.shape[:-1], params, channel, number)
        return shine(
            image, light, color_of(self.color, top, number), top, float(number(params["brightness"]))
        )

    def _light(
        self, ndi: Any, size: tuple[int, ...], params: dict[str, Any], frame: int, number: Any
    ) -> np.ndarray:
        """The streaks, averaged."""
        streaks = self._streaks(ndi, size, params, frame).astype(number)
        return ndi.uniform_filter(streaks, self.blur, mode="nearest")

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.uniform_filter` of the streaks, and one NumPy expression."""
        top, number = held_range(image.dtype.name, self.range), working_dtype(image.dtype)
        light = self._light(ndi, image.shape[:-1], params, channel, number)[..., np.newaxis]
        values = np.clip(image.astype(number), 0, top) + color_of(self.color, top, number) * light
        return as_dtype(np.minimum(values, number(top)) * number(params["brightness"]), image.dtype, top)

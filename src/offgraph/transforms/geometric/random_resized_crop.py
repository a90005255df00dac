"""Crop a random share of the image and resize it."""

from __future__ import annotations

import math
from typing import Any

from offgraph.core.distributions import Distribution, drawn_log_uniform
from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.engine.resize import Kernel
from offgraph.steps.compiled import CompiledStep, compiled_resize
from offgraph.steps.declaration import step
from offgraph.steps.parameters import PositiveRange, Size
from offgraph.transforms.geometric._resized_window import ResizedWindowStep, resize_step
from offgraph.transforms.geometric.resize import Resize

__all__ = ["RandomResizedCrop"]

_TRIES = 10
"""Draws of area and aspect ratio, as in torchvision and Albumentations, before the central crop is taken."""


@step
class RandomResizedCrop(ResizedWindowStep):
    """Crop a random area of a random aspect ratio, and resize it to a fixed size without aliasing.

    A geometric step that always draws: the crop with which ImageNet classifiers are trained, as in torchvision and Albumentations.
    An area is drawn evenly, an aspect ratio evenly on a logarithmic scale, then the place evenly among all places where
    such a window fits. If ten windows do not fit, the largest central one within `ratio` is taken. Only images of two
    spatial axes have an aspect ratio.

    Exactness: whole pixels for the crop, then the bytes of `Resize` on the cropped image: no pixel outside the window is read. Masks
    take the nearest pixel, as in `Resize`. Draws are equal in every bit on every machine: the logarithmic
    scale is made by square roots and products, which IEEE 754 rounds correctly.

    Parameters
    ----------
    size : int or tuple of int
        (height, width) after the step, in pixels; one number is the length of both sides. With None in place of one
        of them the aspect of the window is kept.
    scale : float or (low, high)
        Area of the window as a share of the image's area, above 0 and at most 1.
    ratio : float or (low, high)
        Aspect ratio of the window, width divided by height, before it is resized.
    kernel : str
        'triangle' (linear), 'box', 'cubic' (Keys, a = -0.5), 'cubic75' (a = -0.75), 'lanczos3', 'lanczos4', 'lanczos5', 'area'
        (the mean of what a pixel covers) or 'nearest'; the last two are the same with and without `antialias`.
    antialias : bool
        Widen the kernel when shrinking. Without it pixels are skipped, and fine patterns alias into false coarse ones.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> image = np.zeros((90, 120, 3), np.uint8)
    >>> out = og.Compose([og.RandomResizedCrop(64, scale=(0.3, 1))])(image=image, key=og.Key(seed=7))
    >>> out.image.shape
    (64, 64, 3)
    """

    dimensions = (2,)

    size: Size
    scale: PositiveRange = (0.08, 1.0)
    ratio: PositiveRange = (3 / 4, 4 / 3)
    kernel: Kernel = "triangle"
    antialias: bool = True

    def __post_init__(self) -> None:
        if _bounds(self.scale)[1] > 1:
            raise ValueError(f"scale={self.scale} is a share of the image's area: expected at most 1")
        if isinstance(self.size, tuple) and len(self.size) != 2:
            raise ValueError(f"size={self.size} has {len(self.size)} lengths: expected (height, width)")

    @property
    def varies(self) -> bool:
        """Always: the place is drawn."""
        return True

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw the window: its first pixel and its size."""
        height, width = spec.size
        area = float(height * width)
        for _ in range(_TRIES):
            share, aspect = draw.value(self.scale), _ratio(draw, self.ratio)
            wide, high = round(math.sqrt(area * share * aspect)), round(math.sqrt(area * share / aspect))
            if 0 < high <= height and 0 < wide <= width:
                start = [draw.integer(0, height - high), draw.integer(0, width - wide)]
                return {"start": start, "window": [high, wide]}
        high, wide = self._largest(height, width)
        return {"start": [(height - high) // 2, (width - wide) // 2], "window": [high, wide]}

    def _largest(self, height: int, width: int) -> tuple[int, int]:
        """Lengths of the largest window whose aspect ratio is allowed."""
        low, high = _bounds(self.ratio)
        if width < height * low:
            return min(height, max(1, round(width / low))), width
        if width > height * high:
            return height, min(width, max(1, round(height * high)))
        return height, width

    def resize(self) -> Resize:
        """To the given size."""
        return resize_step(self.size, self.kernel, self.antialias)

    def compiled(self) -> CompiledStep | None:
        """All parameters."""
        resize = compiled_resize(self.size, None, self.kernel, self.antialias)
        return None if resize is None else ("resized crop", resize[1], self.scale, self.ratio, *resize[3:])


def _bounds(setting: float | tuple[float, float]) -> tuple[float, float]:
    return setting if isinstance(setting, tuple) else (setting, setting)


def _ratio(draw: Draw, setting: float | tuple[float, float]) -> float:
    """Draw from (low, high) such that the logarithm is uniform; a distribution says for itself how."""
    if not isinstance(setting, tuple) or isinstance(setting, Distribution):
        return draw.value(setting)
    return drawn_log_uniform(draw, *setting)

"""Resize by the shorter side."""

from __future__ import annotations

from offgraph.steps.counts import SideLengths
from offgraph.steps.declaration import step
from offgraph.steps.parameters import Count
from offgraph.transforms.geometric._aspect import AspectStep, scaled_sides

__all__ = ["ResizeShorter"]


@step
class ResizeShorter(AspectStep):
    """Resize so that the shortest side has a given length, and the aspect stays.

    A geometric step: torchvision's ``Resize(256)``, Albumentations' `SmallestMaxSize`. The other sides are rounded to
    whole pixels, half to even, at least 1. Exactness: the bytes of `Resize` to that size, without aliasing; masks take
    the nearest pixel.

    Parameters
    ----------
    size : int or (low, high)
        Pixels of the shortest side. Of a pair each image draws a whole number, both ends included.
    longest : int, optional
        Most pixels of the longest side: an image that would become longer is made smaller.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.ResizeShorter(20)])(image=np.zeros((60, 90, 3), np.uint8)).image.shape
    (20, 30, 3)
    """

    size: SideLengths
    longest: Count | None = None

    def resized(self, size: tuple[int, ...], length: int) -> tuple[int, ...]:
        """By the shortest side, or by the longest where that would be too long."""
        made = scaled_sides(size, length, min(size))
        if self.longest is not None and max(made) > self.longest:
            return scaled_sides(size, self.longest, max(size))
        return made

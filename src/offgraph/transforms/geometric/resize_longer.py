"""Resize by the longer side."""

from __future__ import annotations

from offgraph.steps.counts import SideLengths
from offgraph.steps.declaration import step
from offgraph.transforms.geometric._aspect import AspectStep, scaled_sides

__all__ = ["ResizeLonger"]


@step
class ResizeLonger(AspectStep):
    """Resize so that the longest side has a given length, and the aspect stays.

    A geometric step: Albumentations' `LongestMaxSize`. The other sides are rounded to whole pixels, half to even, at
    least 1. `LetterBox` also fills what is missing to a fixed size. Exactness: the bytes of `Resize` to that size,
    without aliasing; masks take the nearest pixel.

    Parameters
    ----------
    size : int or (low, high)
        Pixels of the longest side. Of a pair each image draws a whole number, both ends included.
    enlarge : bool
        Whether an image whose longest side is shorter is enlarged; otherwise it stays as it is.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.ResizeLonger(30)])(image=np.zeros((60, 90, 3), np.uint8)).image.shape
    (20, 30, 3)
    """

    size: SideLengths
    enlarge: bool = True

    def resized(self, size: tuple[int, ...], length: int) -> tuple[int, ...]:
        """By the longest side."""
        longest = max(size)
        return scaled_sides(size, length if self.enlarge else min(length, longest), longest)

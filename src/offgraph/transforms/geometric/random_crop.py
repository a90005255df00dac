"""Crop somewhere."""

from __future__ import annotations

from typing import Any

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.compiled import CompiledStep, compiled_lengths
from offgraph.steps.declaration import step
from offgraph.steps.parameters import CropSize
from offgraph.transforms.geometric._window import DrawnCrop, crop_size

__all__ = ["RandomCrop"]


@step
class RandomCrop(DrawnCrop):
    """Keep a window at a random place, drawn for every image.

    A geometric step that always draws. Exactness: whole pixels, equal to slicing.

    Parameters
    ----------
    size : int, str or tuple of them
        (height, width), or (depth, height, width) for a volume, in pixels; one number is the length of every side. ``"80%"`` is a
        share of that side of the image, rounded to whole pixels, half up.
    pad : bool
        Add pixels evenly around an image that is smaller, as `mode` says. By default that is an error.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> out = og.Compose([og.RandomCrop((2, 2))])(image=np.zeros((5, 5), np.uint8), key=og.Key(seed=7))
    >>> out.image.shape
    (2, 2)
    """

    size: CropSize
    pad: bool = False

    @property
    def varies(self) -> bool:
        """Always."""
        return True

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw the window's first pixel; an axis that is too short is centred."""
        wanted = crop_size(self.size, spec.size, pad=self.pad)
        too_much = [n - want for want, n in zip(wanted, spec.size)]
        return {"start": [draw.integer(0, more) if more >= 0 else more // 2 for more in too_much]}

    def compiled(self) -> CompiledStep | None:
        """The size."""
        lengths = compiled_lengths(self.size)
        return None if lengths is None else ("crop", lengths, self.pad, True)

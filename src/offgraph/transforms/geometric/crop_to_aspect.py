"""Crop to an aspect ratio."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.geometry.grid_map import GridMap
from offgraph.geometry.resampling import Resampling
from offgraph.steps.declaration import step
from offgraph.steps.kinds import GeometricStep, resampling_rule
from offgraph.steps.parameters import PositiveNumber
from offgraph.transforms.geometric._window import Position, placed

__all__ = ["CropToAspect"]


@step
class CropToAspect(GeometricStep):
    """Keep the largest window of a given aspect ratio.

    A geometric step: Keras' ``crop_to_aspect_ratio=True``, before a `Resize`. In volumes it works on the last two axes.
    Exactness: whole pixels, equal to slicing.

    Parameters
    ----------
    aspect : float
        Width divided by height, above 0; 1 keeps a square. The length that is cut is rounded to whole pixels, half to
        even, at least 1.
    position : str
        Which part is kept: 'centre', 'start' (the upper or left one), 'end', or 'random', drawn evenly. Of an odd number
        of pixels the smaller half is cut off at the start.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.CropToAspect()])(image=np.arange(10, dtype=np.uint8).reshape(2, 5)).image
    array([[1, 2],
           [6, 7]], dtype=uint8)
    """

    aspect: PositiveNumber = 1.0
    position: Position = "centre"

    @property
    def varies(self) -> bool:
        """Where the position is drawn."""
        return self.position == "random"

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw the window's first pixel."""
        kept = self.output_size(spec.size, {})
        return {"start": [placed(self.position, n - length, draw) for n, length in zip(spec.size, kept)]}

    def output_size(self, size: tuple[int, ...], params: dict[str, Any]) -> tuple[int, ...]:
        """The one length that is too long becomes what the other asks for."""
        if 0 in size:
            raise ValueError(f"an image of {size} has no pixels to crop")
        aspect = Fraction(self.aspect)
        *others, height, width = size
        return (
            *others,
            min(height, max(1, round(width / aspect))),
            min(width, max(1, round(height * aspect))),
        )

    def open_size(self, size: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The lengths that those of the image decide."""
        *others, height, width = size
        if height is None or width is None:
            return (*others, None, None)
        return (*others, *self.output_size((height, width), {}))

    def map(self, params: dict[str, Any], spec: ArraySpec) -> GridMap:
        """Shift by whole pixels."""
        return GridMap.crop(params["start"], self.output_size(spec.size, params), spec.size)

    def resampling(self, params: dict[str, Any]) -> Resampling:
        """Nothing is read beyond the border, or between pixels."""
        return resampling_rule(0, "constant", 0.0, 0)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """A slice."""
        size = self.output_size(image.shape, params)
        return image[tuple(slice(first, first + n) for first, n in zip(params["start"], size))]

"""Lay fog over an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph import ndimage
from offgraph.engine.values import shine, takes_levels
from offgraph.steps.declaration import step
from offgraph.steps.parameters import PerChannel, PositiveNumber, Share, ShareRange
from offgraph.steps.values import as_dtype, held_range, working_dtype
from offgraph.transforms.noise._light import ColoredStep, color_of
from offgraph.transforms.noise._random_pixels import SeededStep, words

__all__ = ["Fog"]

_NODES = 6
"""Of the grid that the density is drawn on, along each axis."""


@step
class Fog(ColoredStep, SeededStep):
    """Mix values with the colour of fog, in drifts of uneven density; the dtype stays.

    A noise step: ``value + (color * range - value) * density`` with ``density = amount * (1 - patchiness * u)``, where u is
    a grid of 6 numbers along each axis, drawn evenly from 0 to 1, enlarged linearly to the image; all channels and frames
    lie in the same fog. Values are limited to 0 to `range`. Exactness: `scipy.ndimage.zoom` and this expression by NumPy in
    float32, in float64 for images of float64 and of more than 16 bits; integers are rounded half to even. A record holds a
    seed, which gives the same fog anywhere.

    Parameters
    ----------
    amount : float or (low, high)
        Largest density from 0 to 1: 1 hides the image where the fog is densest.
    patchiness : float
        By which share the density varies, from 0 to 1: 0 is the same everywhere.
    color : float or one float per channel
        In shares of the range: 1 is white.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> night = np.zeros((40, 60, 3), np.uint8)
    >>> og.Compose([og.Fog(0.4, patchiness=0)])(image=night, key=og.Key(seed=1)).image[0, 0]
    array([102, 102, 102], dtype=uint8)
    """

    amount: ShareRange = (0.3, 0.7)
    patchiness: Share = 0.5
    color: PerChannel = 1.0
    range: PositiveNumber | None = None

    def compute(self, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray | None:
        """The density by `ndimage`, what it does to values by the core."""
        if not takes_levels(image):
            return None
        top, number = held_range(image.dtype.name, self.range), working_dtype(image.dtype)
        density = self._density(ndimage, image.shape[:-1], params, number)
        return shine(image, density, color_of(self.color, top, number), top)

    def _density(self, ndi: Any, size: tuple[int, ...], params: dict[str, Any], number: Any) -> np.ndarray:
        """How much of the fog lies before each pixel."""
        drawn = words(params["seed"], 0, (_NODES,) * len(size), 16).astype(number) / number(65535)
        drifts = ndi.zoom(drawn, [n / _NODES for n in size], order=1, mode="nearest")
        return number(params["amount"]) * (1 - number(self.patchiness) * drifts)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.zoom`, and one NumPy expression."""
        top, number = held_range(image.dtype.name, self.range), working_dtype(image.dtype)
        density = self._density(ndi, image.shape[:-1], params, number)
        values = np.clip(image.astype(number), 0, top)
        values += (color_of(self.color, top, number) - values) * density[..., np.newaxis]
        return as_dtype(values, image.dtype, top)

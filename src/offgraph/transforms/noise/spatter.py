"""Spatter a lens with drops or mud."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from offgraph import ndimage
from offgraph.engine.values import shine, takes_levels
from offgraph.steps.declaration import step
from offgraph.steps.parameters import PerChannel, PositiveNumber, PositiveRange, ShareRange
from offgraph.steps.values import as_dtype, held_range, working_dtype
from offgraph.transforms.noise._light import ColoredStep, color_of
from offgraph.transforms.noise._normal import native_normal, normal
from offgraph.transforms.noise._random_pixels import SeededStep

__all__ = ["Spatter"]


@step
class Spatter(ColoredStep, SeededStep):
    """Cover a share of the image with blots, as drops or mud on a lens do; the dtype stays.

    A noise step: normally distributed noise is smoothed by a Gaussian of `sigma`, the largest `amount` of it are the blots, whose
    edges a Gaussian of one pixel softens; values are mixed with the colour, ``value + (color * range - value) * opacity * blots``.
    Values are limited to 0 to `range`; all channels have the same blots. Exactness: `scipy.ndimage.gaussian_filter`, `numpy.quantile` and this expression by NumPy in
    float32, in float64 for images of float64 and of more than 16 bits; integers are rounded half to even. A record holds a seed,
    which gives the same blots anywhere.

    Parameters
    ----------
    amount : float or (low, high)
        Share of the image that is covered, from 0 to 1.
    sigma : float or (low, high)
        Size of the blots in pixels, above 0.
    opacity : float or (low, high)
        From 0 to 1: 1 hides what is covered.
    color : float or one float per channel
        In shares of the range; ``(0.25, 0.16, 0.08)`` is mud, ``(0.93, 0.93, 0.69)`` drops in the sun.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.Spatter(0.2, sigma=4, opacity=1, color=0)])
    >>> out = recipe(image=np.full((200, 200), 250, np.uint8), key=og.Key(seed=1)).image
    >>> bool(abs(out.mean() / 250 - 0.8) < 0.01)
    True
    """

    version: ClassVar[int] = 2

    amount: ShareRange = (0.05, 0.15)
    sigma: PositiveRange = (2.0, 4.0)
    opacity: ShareRange = (0.5, 0.9)
    color: PerChannel = 0.2
    range: PositiveNumber | None = None

    def compute(self, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray | None:
        """The blots by `ndimage` and NumPy, what they do to values by the core."""
        if not takes_levels(image):
            return None
        top, number = held_range(image.dtype.name, self.range), working_dtype(image.dtype)
        noise = native_normal(params["seed"], channel, image.shape[:-1])
        covered = self._covered(ndimage, noise, params, number)
        return shine(image, covered, color_of(self.color, top, number), top)

    def _covered(self, ndi: Any, noise: np.ndarray, params: dict[str, Any], number: Any) -> np.ndarray:
        """How much of the blots lies before each pixel."""
        smooth = ndi.gaussian_filter(noise, params["sigma"], mode="nearest")
        blots = (smooth > np.quantile(smooth, 1 - params["amount"])).astype(number)
        return ndi.gaussian_filter(blots, 1.0, mode="nearest") * number(params["opacity"])

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Smoothed noise above one of its quantiles, softened, and one NumPy expression."""
        top, number = held_range(image.dtype.name, self.range), working_dtype(image.dtype)
        noise = normal(params["seed"], channel, image.shape[:-1])
        covered = self._covered(ndi, noise, params, number)
        values = np.clip(image.astype(number), 0, top)
        values += (color_of(self.color, top, number) - values) * covered[..., np.newaxis]
        return as_dtype(values, image.dtype, top)

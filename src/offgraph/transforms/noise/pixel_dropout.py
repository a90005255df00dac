"""Blank single pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.engine.native_plan import NativeOp
from offgraph.steps.declaration import step
from offgraph.steps.parameters import PerChannel, ShareRange
from offgraph.transforms.noise._fill import FilledStep, fill_of
from offgraph.transforms.noise._random_pixels import SeededStep, chosen, chosen_values

__all__ = ["PixelDropout"]


@step
class PixelDropout(FilledStep, SeededStep):
    """Fill single pixels, each with the same probability, with one value; the dtype stays.

    A noise step. Exactness: all other values are copied. A record holds a seed, which chooses the same pixels anywhere.

    Parameters
    ----------
    amount : float or (low, high)
        Share of the pixels that are filled, from 0 to 1.
    per_channel : bool
        Whether each channel is filled at places of its own, or all at the same.
    fill : float or one float per channel
        In the image's own units; an integer image takes whole numbers that its dtype holds.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> out = og.Compose([og.PixelDropout(0.1)])(image=np.ones((200, 200), np.uint8), key=og.Key(seed=1)).image
    >>> bool(abs(out.mean() - 0.9) < 0.01)
    True
    """

    amount: ShareRange = 0.01
    per_channel: bool = False
    fill: PerChannel = 0.0

    def work(self, params: dict[str, Any], spec: ArraySpec, frame: int = 0) -> NativeOp:
        """One pass."""
        values = [self.fill if isinstance(self.fill, tuple) else (self.fill,)]
        return chosen_values(
            spec, values, params["seed"], frame, [params["amount"]], per_channel=self.per_channel
        )

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`numpy.where`."""
        shape = image.shape if self.per_channel else (*image.shape[:-1], 1)
        (gone,) = chosen(params["seed"], channel, shape, params["amount"])
        return np.where(gone, fill_of(self.fill, image), image)

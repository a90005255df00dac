"""Make single pixels white or black."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.engine.native_plan import NativeOp
from offgraph.steps.declaration import step
from offgraph.steps.parameters import PositiveNumber, Share, ShareRange
from offgraph.steps.values import KnownRange, held_range
from offgraph.transforms.noise._random_pixels import SeededStep, chosen, chosen_values

__all__ = ["SaltAndPepper"]


@step
class SaltAndPepper(KnownRange, SeededStep):
    """Make some pixels white and some black, as dead and hot pixels of a sensor are; the dtype stays.

    A noise step: each pixel is white with probability ``amount * salt``, and black with ``amount * (1 - salt)``. Exactness: all
    other values are copied. A record holds a seed, which chooses the same pixels anywhere.

    Parameters
    ----------
    amount : float or (low, high)
        Share of the pixels that are changed, from 0 to 1.
    salt : float
        Share of these that become white, from 0 to 1.
    per_channel : bool
        Whether each channel is changed at places of its own, or all at the same.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> out = og.Compose([og.SaltAndPepper(0.1)])(image=np.full((200, 200), 9, np.uint8), key=og.Key(seed=1)).image
    >>> np.unique(out).tolist(), bool(abs((out != 9).mean() - 0.1) < 0.01)
    ([0, 9, 255], True)
    """

    amount: ShareRange
    salt: Share = 0.5
    per_channel: bool = False
    range: PositiveNumber | None = None

    @property
    def averages(self) -> bool:
        """Never."""
        return False

    def work(self, params: dict[str, Any], spec: ArraySpec, frame: int = 0) -> NativeOp:
        """One pass."""
        values = [[held_range(spec.dtype, self.range)], [0]]
        return chosen_values(
            spec, values, params["seed"], frame, self._shares(params), per_channel=self.per_channel
        )

    def _shares(self, params: dict[str, Any]) -> tuple[float, float]:
        """Of white and of black pixels."""
        return params["amount"] * self.salt, params["amount"] * (1 - self.salt)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Two calls of `numpy.where`."""
        top = image.dtype.type(held_range(image.dtype.name, self.range))
        shape = image.shape if self.per_channel else (*image.shape[:-1], 1)
        white, black = chosen(params["seed"], channel, shape, *self._shares(params))
        return np.where(black, image.dtype.type(0), np.where(white, top, image))

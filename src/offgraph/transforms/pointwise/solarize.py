"""Invert what is bright."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.steps.compiled import CompiledStep, compiled_values
from offgraph.steps.declaration import step
from offgraph.steps.kinds import PointwiseStep
from offgraph.steps.parameters import PositiveNumber, ShareRange
from offgraph.steps.values import KnownRange, as_dtype, held_range

__all__ = ["Solarize"]


@step
class Solarize(KnownRange, PointwiseStep):
    """Subtract values from white where they are at or above a threshold; the dtype stays.

    A pointwise step: ``range - value`` where ``value >= threshold * range``, else the value; first limited to 0 to `range`.
    Exactness: the bytes of this expression in float64 by NumPy, for uint8 those of Pillow's `ImageOps.solarize`, whose
    threshold of 128 is 0.5 here.

    Parameters
    ----------
    threshold : float or (low, high)
        From 0 to 1, in shares of the range: 0 inverts the whole image, 1 white alone.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Solarize(0.5)])(image=np.array([[0, 100, 200]], np.uint8)).image
    array([[  0, 100,  55]], dtype=uint8)
    """

    same_in_all_channels = True

    threshold: ShareRange = 0.5
    range: PositiveNumber | None = None

    @property
    def averages(self) -> bool:
        """Always: a bool image has nothing between black and white."""
        return True

    def compiled(self) -> CompiledStep:
        """One setting."""
        return compiled_values("solarize", self.threshold, range=self.range, pointwise=True)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Two NumPy expressions."""
        top = held_range(image.dtype.name, self.range)
        values = np.clip(image.astype(np.float64), 0, top)
        return as_dtype(np.where(values >= params["threshold"] * top, top - values, values), image.dtype, top)

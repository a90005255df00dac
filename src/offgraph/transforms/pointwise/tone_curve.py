"""Bend the tone curve."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.steps.declaration import step
from offgraph.steps.kinds import PointwiseStep, value_range
from offgraph.steps.parameters import PositiveNumber, ShareRange
from offgraph.steps.values import KnownRange, as_dtype

__all__ = ["ToneCurve"]


@step
class ToneCurve(KnownRange, PointwiseStep):
    """Bend the tone curve by its shadows and its lights, as in a photo editor; the dtype stays.

    A pointwise step: with t = value / range, limited to 0 to 1, ``3 * low * t * (1 - t)**2 + 3 * high * t**2 * (1 - t) + t**3`` times the range,
    a Bézier curve from black to white; low = 1/3 and high = 2/3 leave all values as they are, apart gives contrast. Exactness:
    the bytes of this expression in float64 by NumPy, for integers rounded half to even.

    Parameters
    ----------
    low : float or (low, high)
        Height of the first control point, 0 to 1: below 1/3 darkens shadows.
    high : float or (low, high)
        Height of the second, 0 to 1: above 2/3 brightens lights.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.ToneCurve(0.2, 0.8)])(image=np.array([[0, 64, 128, 192, 255]], np.uint8)).image
    array([[  0,  54, 128, 202, 255]], dtype=uint8)
    """

    same_in_all_channels = True

    low: ShareRange = (0.15, 0.45)
    high: ShareRange = (0.55, 0.85)
    range: PositiveNumber | None = None

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One NumPy expression."""
        top = value_range(image.dtype.name, self.range)
        t = np.clip(image.astype(np.float64), 0, top) / top
        curve = 3 * params["low"] * t * (1 - t) ** 2 + 3 * params["high"] * t**2 * (1 - t) + t**3
        return as_dtype(top * curve, image.dtype, None if image.dtype.kind == "f" else top)

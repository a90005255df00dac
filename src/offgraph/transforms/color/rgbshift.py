"""Add a number of its own to each of red, green and blue."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.engine.native_plan import NativeOp, lookup_op, lookup_table
from offgraph.steps.declaration import step
from offgraph.steps.kinds import ColorStep
from offgraph.steps.parameters import PositiveNumber, Range
from offgraph.steps.values import KnownRange, as_dtype, held_range

__all__ = ["RGBShift"]

_BYTES = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 256, 3)


@step
class RGBShift(KnownRange, ColorStep):
    """Add a number to red, to green and to blue, each drawn by itself; the dtype stays.

    A color step: ``value + shift * range`` per channel, limited to 0 to `range`. Exactness: the bytes of this expression in
    float64 by NumPy, for integers rounded half to even.

    Parameters
    ----------
    red, green, blue : float or (low, high)
        What is added, in shares of the range: 0.1 adds 25.5 to an image of uint8. Albumentations' 20 is (-20 / 255, 20 / 255)
        here.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> grey = np.full((1, 1, 3), 100, np.uint8)
    >>> og.Compose([og.RGBShift(0.2, 0, -0.2)])(image=grey).image
    array([[[151, 100,  49]]], dtype=uint8)
    """

    needs_rgb = True

    red: Range = (-0.08, 0.08)
    green: Range = (-0.08, 0.08)
    blue: Range = (-0.08, 0.08)
    range: PositiveNumber | None = None

    def work(self, params: dict[str, Any], spec: ArraySpec, frame: int = 0) -> NativeOp | None:
        """A table for each channel, of 8 bits."""
        if spec.dtype != "uint8":
            return None
        made = self.reference(None, _BYTES, params)
        return lookup_op(lookup_table(np.ascontiguousarray(made[0].T)), len(spec.axes) - 1)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One NumPy expression."""
        top = held_range(image.dtype.name, self.range)
        shifts = np.array([params["red"], params["green"], params["blue"]]) * top
        return as_dtype(image.astype(np.float64) + shifts, image.dtype, top)

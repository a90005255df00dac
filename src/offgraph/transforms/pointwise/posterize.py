"""Leave few levels of each channel."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.steps.compiled import CompiledStep, compiled_values
from offgraph.steps.counts import CountOrRange
from offgraph.steps.declaration import step
from offgraph.steps.kinds import PointwiseStep
from offgraph.steps.parameters import PositiveNumber
from offgraph.steps.values import KnownRange, as_dtype, held_range

__all__ = ["Posterize"]


@step
class Posterize(KnownRange, PointwiseStep):
    """Keep the highest bits of values: few levels are left; the dtype stays.

    A pointwise step: values, limited to 0 to `range`, are rounded down to a multiple of ``step``, the range over 2**bits;
    of whole numbers the range is ``range + 1``, so that `bits` of them are kept and the others are 0. Exactness: the bytes
    of this expression in float64 by NumPy, for uint8 those of Pillow's `ImageOps.posterize`.

    Parameters
    ----------
    bits : int or (low, high)
        At least 1. 8 leaves an image of uint8 as it is, 1 leaves black and half of white.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Posterize(2)])(image=np.array([[63, 64, 200, 255]], np.uint8)).image
    array([[  0,  64, 192, 192]], dtype=uint8)
    """

    same_in_all_channels = True

    bits: CountOrRange = 4
    range: PositiveNumber | None = None

    @property
    def averages(self) -> bool:
        """Always: a bool image has one bit."""
        return True

    def compiled(self) -> CompiledStep:
        """One setting."""
        return compiled_values("posterize", self.bits, range=self.range, pointwise=True)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Three NumPy expressions."""
        top, whole = held_range(image.dtype.name, self.range), image.dtype.kind in "ui"
        levels = 2.0 ** params["bits"]
        size = max((top + 1) / levels, 1.0) if whole else top / levels
        steps = np.floor(np.clip(image.astype(np.float64), 0, top) / size)
        return as_dtype(np.minimum(steps, levels - 1) * size if not whole else steps * size, image.dtype, top)

"""Make an image brighter or darker."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.steps.compiled import CompiledStep, compiled_values
from offgraph.steps.declaration import step
from offgraph.steps.kinds import PointwiseStep
from offgraph.steps.parameters import NaturalRange, PositiveNumber, Range
from offgraph.steps.values import KnownRange, as_dtype, held_range

__all__ = ["Brightness"]


@step
class Brightness(KnownRange, PointwiseStep):
    """Multiply values by a factor and add a share of the range; the dtype stays.

    A pointwise step: ``value * factor + shift * range``, limited to 0 to `range`. With `factor` alone it is torchvision's
    and Pillow's brightness, with `shift` alone that of Keras and Albumentations. Exactness: the bytes of this expression
    in float64 by NumPy, for integers rounded half to even.

    Parameters
    ----------
    factor : float or (low, high)
        At least 0: 1 leaves the image as it is, 0 makes it black, 2 twice as bright.
    shift : float or (low, high)
        What is added, in shares of the range: 0.1 adds 25.5 to an image of uint8.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Brightness(1.5, shift=0.1)])(image=np.array([[0, 100, 200]], np.uint8)).image
    array([[ 26, 176, 255]], dtype=uint8)
    """

    same_in_all_channels = True

    factor: NaturalRange = 1.0
    shift: Range = 0.0
    range: PositiveNumber | None = None

    @property
    def averages(self) -> bool:
        """Always."""
        return True

    def compiled(self) -> CompiledStep:
        """Two settings."""
        return compiled_values("brightness", self.factor, self.shift, range=self.range, pointwise=True)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One NumPy expression."""
        top = held_range(image.dtype.name, self.range)
        return as_dtype(image.astype(np.float64) * params["factor"] + params["shift"] * top, image.dtype, top)

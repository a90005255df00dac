"""Spread values about a grey, or draw them together."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.steps.compiled import CompiledStep, compiled_values
from offgraph.steps.declaration import step
from offgraph.steps.kinds import PointwiseStep
from offgraph.steps.parameters import NaturalRange, PositiveNumber, Share
from offgraph.steps.values import KnownRange, as_dtype, held_range

__all__ = ["Contrast"]


@step
class Contrast(KnownRange, PointwiseStep):
    """Multiply the distances of values from a grey by a factor; the dtype stays.

    A pointwise step: ``(value - centre * range) * factor + centre * range``, limited to 0 to `range`. The grey is the same
    for all images; `ColorJitter` takes the mean of each, as torchvision and Pillow do. Exactness: the bytes of this
    expression in float64 by NumPy, for integers rounded half to even.

    Parameters
    ----------
    factor : float or (low, high)
        At least 0: 1 leaves the image as it is, 0 makes it grey, 2 doubles the contrast.
    centre : float
        The grey that stays as it is, in shares of the range: 0.5 is halfway to white.
    range : float, optional
        The value of white. By default the largest of the dtype, 255 for uint8 and 65535 for uint16; a 12-bit image
        stored in uint16 says ``range=4095``. A float or signed image must say its range.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Contrast(2.0)])(image=np.array([[0, 100, 200]], np.uint8)).image
    array([[  0,  72, 255]], dtype=uint8)
    """

    same_in_all_channels = True

    factor: NaturalRange
    centre: Share = 0.5
    range: PositiveNumber | None = None

    @property
    def averages(self) -> bool:
        """Always."""
        return True

    def compiled(self) -> CompiledStep:
        """A setting and a grey."""
        return compiled_values("contrast", self.factor, self.centre, range=self.range, pointwise=True)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """One NumPy expression."""
        top = held_range(image.dtype.name, self.range)
        grey = self.centre * top
        return as_dtype((image.astype(np.float64) - grey) * params["factor"] + grey, image.dtype, top)

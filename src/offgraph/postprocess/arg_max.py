"""The likeliest class of each pixel."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import SpecT
from offgraph.postprocess._outputs import OutputStep, without_channels
from offgraph.steps.declaration import step
from offgraph.targets.image import Image

__all__ = ["ArgMax"]


@step
class ArgMax(OutputStep):
    """Give each pixel the number of its highest channel, of equal ones the first.

    A result step on a model's output, floats with one channel per class: probabilities, or logits, whose order is the
    same. Gives uint8, or uint16 above 256 classes, on the spatial axes. `Threshold` asks for a probability besides. NaN
    is refused. Exactness: `numpy.argmax` over the channels.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.ArgMax()])(image=np.array([[[-3, 1.5, 1], [2, 0, 2]]], np.float32)).image
    array([[1, 0]], dtype=uint8)
    """

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """Whole numbers on the axes without the channels."""
        spec = super().output_spec(spec, params)
        place = spec.axes.find("C")
        if place < 0 or spec.shape[place] == 1:
            raise ValueError("takes a channel for each of several classes; for one per pixel write Threshold")
        return without_channels(spec)

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Compare over the channels, wherever they are."""
        made = self.output_spec(image.spec)
        best = self.numbers(image).argmax(axis=image.axes.index("C"))
        return Image(np.ascontiguousarray(best, made.dtype), made.axes)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """NumPy's function; takes all channels, last."""
        return image.argmax(axis=-1).astype(np.uint8 if image.shape[-1] <= 256 else np.uint16)

"""Probabilities to labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import SpecT
from offgraph.steps.declaration import step
from offgraph.steps.kinds import ResultStep
from offgraph.steps.parameters import Probability
from offgraph.targets.image import Image

__all__ = ["Threshold"]

_SLACK = 1e-3
"""How far float arithmetic may carry a probability out of 0 to 1."""


@step
class Threshold(ResultStep):
    """Decide on a label for every pixel of a map of probabilities.

    A result step. Without a channel axis, or with one channel, a pixel is 1 where the probability is above `value`.
    With several channels, one per class, a pixel takes the most probable class, of equal ones the first, if its
    probability is above `value`, else 0, the background. Gives uint8, or uint16 above 256 classes, on the spatial
    axes. Exactness: comparisons in the image's own dtype.

    Parameters
    ----------
    value : float
        Probability from 0 to 1. With several channels, 0 takes the most probable class wherever it is above 0.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Threshold(0.5)])(image=np.array([[0.2, 0.5, 0.9]], np.float32)).image
    array([[0, 0, 1]], dtype=uint8)
    """

    value: Probability = 0.5

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """Whole numbers on the axes without the channels."""
        if np.dtype(spec.dtype).kind != "f":
            raise ValueError(f"takes probabilities, floats from 0 to 1, got {spec.dtype}")
        place = spec.axes.find("C")
        if place < 0:
            return spec.cast("uint8")
        channels = spec.shape[place]
        if channels == 0:
            raise ValueError("the image has no channels to choose from")
        shape = spec.shape[:place] + spec.shape[place + 1 :]
        return type(spec)(
            shape,  # type: ignore[arg-type]  # of the same spec, without one axis
            "uint16" if channels is not None and channels > 256 else "uint8",
            spec.axes.replace("C", ""),
        )

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Compare, with the channels last."""
        result = self.output_spec(image.spec)
        array = image.array
        if array.size and not (array.min() >= -_SLACK and array.max() <= 1 + _SLACK):
            raise ValueError(
                f"takes probabilities from 0 to 1, got values from {array.min():g} to {array.max():g}; "
                "end the model with a sigmoid or a softmax"
            )
        if "C" in image.axes:
            array = np.moveaxis(array, image.axes.index("C"), -1)
            if array.shape[-1] == 1:
                array = array[..., 0]
            else:
                best = array.argmax(axis=-1)
                sure = np.take_along_axis(array, best[..., np.newaxis], -1)[..., 0] > array.dtype.type(
                    self.value
                )
                return Image(np.where(sure, best, 0).astype(result.dtype), result.axes)
        return Image((array > array.dtype.type(self.value)).astype(result.dtype), result.axes)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """Two NumPy expressions; takes all channels, last: one for a volume without, while two axes are an image."""
        value = image.dtype.type(self.value)
        if image.ndim == 2 or image.shape[-1] == 1:
            return ((image if image.ndim == 2 else image[..., 0]) > value).astype(np.uint8)
        return np.where(image.max(axis=-1) > value, image.argmax(axis=-1), 0).astype(np.uint8)

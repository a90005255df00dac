"""Probabilities to labels."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from offgraph import ndimage
from offgraph.core.specs import SpecT
from offgraph.postprocess._otsu import otsu
from offgraph.postprocess._outputs import without_channels
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
    axes. Exactness: comparisons in the image's own dtype; the methods 'otsu' and 'hysteresis' are those of scikit-image's
    `threshold_otsu`, with its sums in float64, and `apply_hysteresis_threshold`.

    Parameters
    ----------
    value : float
        Probability from 0 to 1. With several channels, 0 takes the most probable class wherever it is above 0.
    method : str
        'fixed': above `value`. 'hysteresis': above `low`, and connected by sides, over such pixels, to one above `value`: faint
        ends of sure objects stay, faint specks do not. 'otsu': above the value that splits the image's own
        probabilities best in two, of 256 steps from their least to their greatest; `value` does not count. The last two take
        one probability per pixel.
    low : float, optional
        Of the method 'hysteresis' alone: probability from 0 to `value`.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Threshold(0.5)])(image=np.array([[0.2, 0.5, 0.9]], np.float32)).image
    array([[0, 0, 1]], dtype=uint8)
    >>> faint = np.array([[0.4, 0.8, 0.3, 0.1, 0.4]], np.float32)
    >>> og.Compose([og.Threshold(0.5, method="hysteresis", low=0.25)])(image=faint).image
    array([[1, 1, 1, 0, 0]], dtype=uint8)
    """

    value: Probability = 0.5
    method: Literal["fixed", "otsu", "hysteresis"] = "fixed"
    low: Probability | None = None

    def __post_init__(self) -> None:
        if (self.low is None) == (self.method == "hysteresis"):
            needed = "is needed" if self.low is None else "is taken"
            raise ValueError(
                f"low={self.low}, method={self.method!r}: low {needed} by the method 'hysteresis'"
            )
        if self.low is not None and self.low > self.value:
            raise ValueError(f"low={self.low} is above value={self.value}: expected low <= value")

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """Whole numbers on the axes without the channels."""
        if np.dtype(spec.dtype).kind != "f":
            raise ValueError(f"takes probabilities, floats from 0 to 1, got {spec.dtype}")
        place = spec.axes.find("C")
        if place < 0:
            return spec.cast("uint8")
        if self.method != "fixed" and spec.shape[place] not in (None, 0, 1):
            raise ValueError(
                f"method={self.method!r} takes one probability per pixel, got {spec.shape[place]} channels"
            )
        return without_channels(spec)

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Compare, with the channels last."""
        result = self.output_spec(image.spec)
        array = image.array
        if array.size and not (array.min() >= -_SLACK and array.max() <= 1 + _SLACK):
            raise ValueError(
                f"takes probabilities from 0 to 1, got values from {array.min():g} to {array.max():g}; "
                "end the model with a sigmoid or a softmax, or begin with og.Sigmoid() or og.Softmax()"
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
        return Image(self._split(array).astype(result.dtype), result.axes)

    def _split(self, array: np.ndarray) -> np.ndarray:
        """Compare one probability per pixel."""
        value = otsu(array) if self.method == "otsu" and array.size else self.value
        above = array > array.dtype.type(value)
        if self.method != "hysteresis":
            return above
        numbered: Any = ndimage.label(array > array.dtype.type(self.low))
        kept = np.zeros(numbered[1] + 1, np.bool_)
        kept[numbered[0][above]] = True  # above the higher value is above the lower one
        return kept[numbered[0]]

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """A few NumPy expressions; takes all channels, last: one for a volume without, while two axes are an image."""
        value = image.dtype.type(self.value)
        if image.ndim > 2 and image.shape[-1] > 1:
            return np.where(image.max(axis=-1) > value, image.argmax(axis=-1), 0).astype(np.uint8)
        one = image if image.ndim == 2 else image[..., 0]
        if self.method == "otsu":
            value = image.dtype.type(otsu(one))
        found = one > value
        if self.method == "hysteresis":
            found = ndi.binary_propagation(found, mask=one > image.dtype.type(self.low))
        return found.astype(np.uint8)

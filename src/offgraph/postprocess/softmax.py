"""Logits of several classes to probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import SpecT
from offgraph.postprocess._outputs import OutputStep
from offgraph.steps.declaration import step
from offgraph.targets.image import Image

__all__ = ["Softmax"]


@step
class Softmax(OutputStep):
    """Turn the logits of each pixel's classes into probabilities that sum to 1: exp(x) / sum(exp(x)) over the channels.

    A result step on a model's output, floats with one channel per class, for models that end without a softmax. A logit
    of minus infinity rules a class out; plus infinity, NaN, and pixels whose classes are all ruled out are refused.
    Exactness: `scipy.special.softmax` over the channels, in the image's own dtype.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> logits = np.log(np.array([[[1, 1, 2]]], np.float32))
    >>> og.Compose([og.Softmax()])(image=logits).image.round(3)
    array([[[0.25, 0.25, 0.5 ]]], dtype=float32)
    """

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same; at least two channels."""
        place = spec.axes.find("C")
        if place < 0 or spec.shape[place] in (0, 1):
            raise ValueError(
                "takes a channel for each of several classes; for one logit per pixel write Sigmoid"
            )
        return super().output_spec(spec, params)

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """Channels last, and back."""
        self.output_spec(image.spec)
        place = image.axes.index("C")
        logits = np.ascontiguousarray(np.moveaxis(self.numbers(image), place, -1))
        highest = logits.max(axis=-1)
        if not np.isfinite(highest).all():
            found = "infinite" if (highest == np.inf).any() else "minus infinity for all classes of a pixel"
            raise ValueError(f"logits are {found}: probabilities cannot be told")
        out = self.reference(None, logits, params)
        return Image(np.ascontiguousarray(np.moveaxis(out, -1, place)), image.axes)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """SciPy's function; takes all channels, last."""
        from scipy.special import softmax

        return np.asarray(softmax(image, axis=-1), image.dtype)

"""Logits to probabilities, each by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.postprocess._outputs import OutputStep
from offgraph.steps.declaration import step
from offgraph.targets.image import Image

__all__ = ["Sigmoid"]


@step
class Sigmoid(OutputStep):
    """Turn logits into probabilities, each by itself: 1 / (1 + exp(-x)).

    A result step on a model's output, floats of any axes, for models that end without a sigmoid. Infinite logits give
    0 and 1; NaN is refused. Exactness: `scipy.special.expit` in the image's own dtype.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Sigmoid()])(image=np.array([[-np.inf, 0, 800]], np.float32)).image
    array([[0. , 0.5, 1. ]], dtype=float32)
    """

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """One call."""
        self.output_spec(image.spec)
        return Image(self.reference(None, self.numbers(image), params), image.axes)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """SciPy's function, which does not overflow."""
        from scipy.special import expit

        return np.asarray(expit(np.ascontiguousarray(image)), image.dtype)

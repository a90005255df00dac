"""Shared by the steps that say what is written of objects, and leave them as they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.postprocess._labels import LabelStep
from offgraph.targets.image import Image

__all__ = ["DescribingStep"]


class DescribingStep(LabelStep):
    """A result step that describes the labels of the finished mask: it stands after those that change them."""

    describes = True

    def apply(self, image: Image, params: dict[str, Any]) -> Image:
        """The labels as they are."""
        self.output_spec(image.spec)
        return image

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """The labels as they are."""
        return image

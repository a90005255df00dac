"""One change of random strength for each image."""

from __future__ import annotations

from typing import Any

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.declaration import step
from offgraph.transforms.structure._policy import PolicyStep, Strength

__all__ = ["TrivialAugment"]

_WIDE = Strength(0.99, 32.0, 135.0, 0.99, (2, 8), (0.0, 1.0), drawn=True)
"""The wide ranges of Müller and Hutter (2021), as torchvision's `TrivialAugmentWide` has them."""


@step
class TrivialAugment(PolicyStep):
    """Apply one change of random strength: TrivialAugment, which has nothing to tune.

    A structure step, for images of uint8 and uint16, after which nothing else need be drawn but a crop and a flip. Each
    image draws one of fourteen ways, evenly, and its strength, evenly: none; shear and shift along either axis (up to
    0.99, 32 pixels); rotation (135 degrees); brightness, contrast, saturation (factors from 0.01 to 1.99), blurred or
    sharpened; posterized (2 to 8 bits), solarized, contrast stretched, equalized. Images of other than
    three channels have no saturation, and a contrast about the middle of the range. Exactness: that of the step that is
    chosen; Pillow's blending for sharpness, and its whole-number levels, are replaced by `UnsharpMask`, `GaussianFilter`
    and ranges.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.Augment(og.TrivialAugment())])
    >>> out = recipe(image=np.zeros((32, 32, 3), np.uint8), key=og.Key(seed=7))
    >>> out.record["steps"][0]["params"]["steps"][0]["step"]
    'ColorJitter'
    """

    @property
    def strength(self) -> Strength:
        """The wide ranges."""
        return _WIDE

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Choose a way, then draw its values."""
        return self.chosen(1, draw, spec)

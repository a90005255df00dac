"""A few changes of one strength for each image."""

from __future__ import annotations

from typing import Any

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.counts import Changes, Magnitude, drawn_count
from offgraph.steps.declaration import step
from offgraph.transforms.structure._policy import PolicyStep, Strength

__all__ = ["RandAugment"]


@step
class RandAugment(PolicyStep):
    """Apply a few changes of one strength, drawn for each image: RandAugment.

    A structure step, for images of uint8 and uint16. Each image draws `n` of fourteen ways, evenly and with repetition,
    and applies them in that order, each with the strength `magnitude` of 30: shear up to 0.3, shift up to 45 % of the
    side, rotation up to 30 degrees, factors of brightness, contrast and saturation up to 0.9 from 1, blurred or
    sharpened; posterized to 8 down to 4 bits, solarized above a threshold of 1 down to 0; with either sign where there is
    one. Contrast is stretched, and the image equalized, without a strength. Images of other than three
    channels have no saturation, and a contrast about the middle of the range. Exactness: that of the steps that are chosen;
    Pillow's blending for sharpness is replaced by `UnsharpMask` and `GaussianFilter`.

    Parameters
    ----------
    n : int or (low, high)
        Changes of each image, 1 to 14; torchvision's `num_ops`.
    magnitude : int
        1 to 30; torchvision's, of its 31 bins.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.Augment(og.RandAugment(2, magnitude=9))])
    >>> out = recipe(image=np.zeros((32, 32, 3), np.uint8), key=og.Key(seed=7))
    >>> len(out.record["steps"][0]["params"]["steps"])
    2
    """

    n: Changes = 2
    magnitude: Magnitude = 9

    @property
    def strength(self) -> Strength:
        """By the magnitude."""
        share = self.magnitude / 30
        shift = f"{100 * share * 150 / 331:.4f}%"
        return Strength(
            0.3 * share, shift, 30 * share, 0.9 * share, 8 - round(4 * share), 1 - share, drawn=False
        )

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw how many ways, which, then their values."""
        return self.chosen(drawn_count(draw, self.n), draw, spec)

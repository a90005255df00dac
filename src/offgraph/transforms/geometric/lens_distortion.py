"""Barrel and pincushion: an image as a lens distorts it."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.geometry.radial_map import RadialMap
from offgraph.steps.declaration import step
from offgraph.steps.kinds import ResampledStep
from offgraph.steps.parameters import Range

__all__ = ["LensDistortion"]


@step
class LensDistortion(ResampledStep):
    """Bend straight lines about the centre, as a lens does: barrel or pincushion.

    A geometric step for images; the size stays. An output pixel at the distance r from the centre shows what lies at
    ``r * (1 + k1 * r**2 + k2 * r**4)``, the model of Brown and Conrady; r is 1 in the corners. Exactness: the bytes of
    `scipy.ndimage.map_coordinates` on each channel, at these coordinates.

    Parameters
    ----------
    k1 : float or (low, high)
        Above 0 the image is drawn in as on a barrel, and what lies outside of it is seen in the corners; below 0 it is
        drawn out as on a pincushion. 0.1 moves what is seen in the corners by a tenth of the half diagonal.
    k2 : float or (low, high)
        The same for the fourth power: it acts near the corners.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.LensDistortion(0.3)])
    >>> out = recipe(image=np.ones((41, 41))).image
    >>> out[20, 20], out[0, 0]
    (np.float64(1.0), np.float64(0.0))
    """

    keeps_size = True

    k1: Range
    k2: Range = 0.0

    dimensions: ClassVar[tuple[int, ...]] = (2,)

    def hints(self) -> list[str]:
        """Coefficients with which the image folds before its corners."""
        k1, k2 = (float(np.min(k)) for k in (self.k1, self.k2))
        # 1 + 3 k1 q + 5 k2 q**2 is how fast the distance grows; q reaches 1 in the corners.
        ends = [1 + 3 * k1 + 5 * k2]
        if k2 > 0 and 0 < -3 * k1 / (10 * k2) < 1:
            ends.append(1 - 9 * k1 * k1 / (20 * k2))
        if min(ends) > 0:
            return super().hints()
        return [
            *super().hints(),
            f"k1={self.k1}, k2={self.k2} fold the image before its corners: what lies near them is seen twice; "
            "write k1 above -1/3, with k2=0",
        ]

    def map(self, params: dict[str, Any], spec: ArraySpec) -> RadialMap:
        """About the centre of the image; the distance 1 is half its diagonal, from edge to edge."""
        size = spec.size
        centre = [(n - 1) / 2 for n in size]
        return RadialMap(
            np.array([params["k1"], params["k2"]]),
            np.array(centre),
            max(math.hypot(*size), 1) / 2,
            size,
            size,
        )

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.map_coordinates` at the distorted coordinates."""
        height, width = image.shape
        y, x = np.indices(image.shape) - np.reshape([(height - 1) / 2, (width - 1) / 2], (2, 1, 1))
        radius = max(math.hypot(height, width), 1) / 2
        q = (y * y + x * x) / (radius * radius)
        factor = (params["k2"] * q + params["k1"]) * q + 1
        places = np.stack([(height - 1) / 2 + y * factor, (width - 1) / 2 + x * factor])
        return ndi.map_coordinates(image, places, order=self.order, mode=self.mode, cval=self.cval)

"""Take an uneven background away."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.steps.declaration import step
from offgraph.steps.kinds import FilterStep
from offgraph.steps.parameters import NumberOrRange, PositiveRange
from offgraph.steps.values import limited

__all__ = ["BackgroundSubtract"]


@step
class BackgroundSubtract(FilterStep):
    """Subtract the background by a rolling ball (Sternberg 1983): uneven light goes, small bright things stay; the dtype stays.

    A filter step: under the image, seen as a landscape of grey levels, a ball rolls that touches it from below, and the height of
    its top is the background. Channels never mix; beyond the border there is nothing for the ball to touch. In volumes the ball is
    one of four dimensions. Integers are rounded half to even. Exactness: in float64, `scipy.ndimage.grey_erosion` by the upper
    half of the ball on each channel.

    Parameters
    ----------
    radius : float or (low, high)
        Of the ball, in pixels and in grey levels, at least 1: larger than what is to stay.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> image = np.full((9, 9), 100, np.uint8)
    >>> image[4, 4] = 130
    >>> out = og.Compose([og.BackgroundSubtract(3)])(image=image).image
    >>> int(out[4, 4]), int(out.sum())
    (30, 30)
    """

    radius: PositiveRange

    def __post_init__(self) -> None:
        NumberOrRange(at_least=1).parse(self.radius)

    @property
    def averages(self) -> bool:
        """Always: a bool image has no grey levels."""
        return True

    def window(self, params: dict[str, Any], spec: ArraySpec) -> float:
        """The square around the ball, in volumes the cube."""
        return (2 * int(params["radius"]) + 1) ** len(spec.spatial)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.grey_erosion`."""
        radius = params["radius"]
        reach = int(radius)
        places = np.ogrid[(slice(-reach, reach + 1),) * image.ndim]
        room = radius * radius - np.sum(np.broadcast_arrays(*(place * place for place in places)), axis=0)
        heights = np.sqrt(np.maximum(room, 0)) - radius
        values = image.astype(np.float64)
        background = ndi.grey_erosion(
            values, footprint=room >= 0, structure=heights, mode="constant", cval=np.inf
        )
        return limited(values - background, image.dtype)

"""View an image through a tilted camera."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.geometry.projective_map import ProjectiveMap
from offgraph.steps.compiled import CompiledStep
from offgraph.steps.declaration import step
from offgraph.steps.kinds import ResampledStep
from offgraph.steps.parameters import NaturalRange

__all__ = ["Perspective"]


@step
class Perspective(ResampledStep):
    """Move the four corners of an image, as if a tilted camera saw it.

    A geometric step for images; the size stays. Each corner of the output is read near that corner of the
    image, displaced by its own draw along each axis; straight lines stay straight. Exactness: the bytes of
    `scipy.ndimage.map_coordinates` on each channel, at the coordinates of the projective map.

    Parameters
    ----------
    distortion : float or (low, high)
        How far a corner may move, as a share of each side, from 0 to below 0.25. A pair is a range, drawn from for each image.
    inwards : bool
        Whether corners move into the image only, so that nothing outside of it is seen. By default they move either way.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.Perspective(0.1, inwards=True)])
    >>> out = recipe(image=np.ones((40, 60)), key=og.Key(seed=2)).image
    >>> float(out.min().round(6))
    1.0
    """

    keeps_size = True

    distortion: NaturalRange = 0.1
    inwards: bool = False

    dimensions: ClassVar[tuple[int, ...]] = (2,)

    def __post_init__(self) -> None:
        if np.max(self.distortion) >= 0.25:
            raise ValueError(
                f"distortion={self.distortion} must be below 0.25: a corner may not pass between its neighbours"
            )

    @property
    def varies(self) -> bool:
        """Unless no corner moves."""
        return bool(np.max(self.distortion) > 0)

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw `corners`: where the upper left, upper right, lower left and lower right corner of the output are read.

        Each is (row, column), as shares of the height and the width.
        """
        share = draw.value(self.distortion)
        low = 0.0 if self.inwards else -share
        corners = []
        for row in (0.0, 1.0):
            for column in (0.0, 1.0):
                steps = [draw.uniform(low, share) if share else 0.0 for _ in range(2)]
                corners.append([end - far if end else far for end, far in zip((row, column), steps)])
        return {"corners": corners}

    def compiled(self) -> CompiledStep:
        """How far corners move, and where to."""
        return ("perspective", self.distortion, self.inwards)

    def map(self, params: dict[str, Any], spec: ArraySpec) -> ProjectiveMap:
        """The projective map of the four corners, which lie at the outer edges of the corner pixels."""
        size = spec.size
        sides = np.maximum(size, 1)
        output = np.array([(0, 0), (0, 1), (1, 0), (1, 1)]) * sides - 0.5
        return ProjectiveMap.from_points(output, np.array(params["corners"]) * sides - 0.5, size, size)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.map_coordinates` at ``(a + b * row + c * column) / (d + e * row + f * column)``."""
        row, column = np.indices(image.shape)
        matrix = self.map(params, ArraySpec(image.shape, "float64", "YX")).matrix
        y, x, scale = (last + first * row + second * column for first, second, last in matrix.tolist())
        return ndi.map_coordinates(
            image, np.stack([y / scale, x / scale]), order=self.order, mode=self.mode, cval=self.cval
        )

"""Bend an image as if it were printed on rubber."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from offgraph.core.counting import number_text
from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.geometry.displacement_map import DisplacementMap
from offgraph.steps.declaration import hint_once, step
from offgraph.steps.kinds import ResampledStep
from offgraph.steps.parameters import AxisCount, Extent, PerAxis, along_axes
from offgraph.transforms.geometric._field import drawn_reach, reaches, read_displaced

__all__ = ["Elastic"]

MAX_NODES = 1000
"""Most nodes of the grid: a record holds one number per node and axis."""

_SAFE = {2: 0.48, 3: 0.40}
"""Largest displacement of control points, in distances between them, with which a cubic spline cannot fold (Choi, Lee 2000)."""


@step
class Elastic(ResampledStep):
    """Bend an image smoothly, as if it were printed on rubber: elastic deformation.

    A geometric step; the size stays. A coarse grid of nodes is laid over the image, each node is moved at random, and a
    cubic B-spline through them moves every pixel. No pixel moves further than `magnitude` on any axis. Exactness: the
    bytes of `scipy.ndimage.map_coordinates` on each channel, at the pixels plus the field enlarged by
    `scipy.ndimage.zoom`.

    Parameters
    ----------
    magnitude : float, str or (low, high), or one of them for each axis by name
        Largest displacement in pixels, or as a share of the axis such as ``"5%"``; of a pair each image draws its own.
        ``{"YX": 8}`` leaves the slices of a volume where they are. As far as 0.48 of the distance between nodes (0.40
        in volumes) the image cannot fold.
    nodes : int, or one for each axis by name
        Nodes along each axis, the outermost on the image's border: few bend it as a whole, many ripple it. At most
        1,000 in all, 31 x 31 or 10 x 10 x 10: a record holds the drawn grid.
    fixed_border : bool
        Whether the image's border stays where it is.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.Elastic("6%", mode="mirror")])
    >>> out = recipe(image=np.zeros((64, 64, 3), np.uint8), key=og.Key(seed=1))
    >>> moved = out.frame.map.coordinates() - np.indices((64, 64))
    >>> bool(0 < np.abs(moved).max() <= 0.06 * 64)
    True
    """

    keeps_size = True

    magnitude: Extent
    nodes: AxisCount = 5
    fixed_border: bool = False

    def __post_init__(self) -> None:
        counts = dict(self.nodes).values() if isinstance(self.nodes, PerAxis) else [self.nodes] * 2
        if math.prod(counts) > MAX_NODES:
            raise ValueError(
                f"nodes={self.nodes} makes more than {MAX_NODES:,} nodes; a record holds them all"
            )

    @property
    def varies(self) -> bool:
        """Unless nothing is moved."""
        return reaches(self.magnitude)

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw the magnitude, then a displacement for each node: `field`, in pixels, n x nodes."""
        size, names = spec.size, spec.spatial_names
        reach = drawn_reach(self.magnitude, draw, spec)
        grid = tuple(along_axes("nodes", self.nodes, names, 1))
        if math.prod(grid) > MAX_NODES:
            raise ValueError(
                f"nodes={self.nodes} makes {number_text(math.prod(grid))} nodes of {len(grid)} axes, more than {MAX_NODES:,}"
            )
        self._hint(reach, size, grid)
        count = math.prod(grid)
        control = [[draw.uniform(-far, far) for _ in range(count)] if far else [0.0] * count for far in reach]
        field = np.array(control).reshape(len(grid), *grid)
        for axis in range(1, field.ndim):
            field = _through(field, axis, self.fixed_border)
        return {"field": field.tolist()}

    def _hint(self, reach: list[float], size: tuple[int, ...], grid: tuple[int, ...]) -> None:
        for far, n, count in zip(reach, size, grid):
            apart = (n - 1) / (count - 1) if count > 1 else math.inf
            if n > 1 and far > _SAFE[len(size)] * apart:
                hint_once(
                    self,
                    "folds",
                    f"magnitude={self.magnitude} moves a pixel up to {far:.3g} pixels where nodes are {apart:.3g} apart: "
                    "the image may fold over itself; give a smaller magnitude, or fewer nodes",
                )
                return

    def map(self, params: dict[str, Any], spec: ArraySpec) -> DisplacementMap:
        """The drawn field, by cubic splines."""
        size = spec.size
        return DisplacementMap(params["field"], size, size, order=3)

    def reference(self, ndi: Any, image: np.ndarray, params: dict[str, Any], channel: int = 0) -> np.ndarray:
        """`ndimage.map_coordinates` at the pixels plus the field, enlarged by `ndimage.zoom`."""
        return read_displaced(ndi, image, np.array(params["field"]), 3, self.order, self.mode, self.cval)


def _through(control: np.ndarray, axis: int, fixed_border: bool) -> np.ndarray:
    """The cubic B-spline of control points along an axis, mirrored at both ends, at the points themselves.

    With a fixed border the outermost control points are chosen so that it is 0 there: minus half their neighbours.
    """
    points = np.moveaxis(control, axis, 0)
    n = len(points)
    if n == 1 or (fixed_border and n == 2):
        return np.zeros_like(control) if fixed_border else control
    if fixed_border:
        points = np.concatenate([points[1:2] / -2, points[1:-1], points[-2:-1] / -2])
    before, after = np.concatenate([points[1:2], points[:-1]]), np.concatenate([points[1:], points[-2:-1]])
    through = (before + 4 * points + after) / 6
    if fixed_border:
        through[0] = through[-1] = 0
    return np.moveaxis(through, 0, axis)

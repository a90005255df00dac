"""Bend an image as a thin plate bends over a few points."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from offgraph.core.counting import number_text
from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.declaration import step
from offgraph.steps.parameters import AxisCount, Extent, PerAxis, along_axes
from offgraph.transforms.geometric._field import LinearFieldStep, drawn_reach, reaches

__all__ = ["ThinPlateSpline"]

MAX_POINTS = 125
"""Most control points: each pulls at all of the image, and a record holds them all."""
_FINER = {2: 8, 3: 4}
"""Nodes at which the spline is worked out, for each distance between control points, in images and volumes."""


@step
class ThinPlateSpline(LinearFieldStep):
    """Bend an image smoothly over a few points, each moved at random: as a thin plate of metal bends.

    A geometric step; the size stays. A grid of control points is laid over the image, each is moved, and of all ways
    through them the one that bends least moves the pixels in between; `Elastic` bends each part for itself. The spline
    is worked out on a grid eight times as fine, in volumes four times, and is linear in between: which is within
    0.03 of the magnitude of the spline itself, in volumes within a tenth. Exactness: the bytes of
    `scipy.ndimage.map_coordinates` on each channel, at the pixels plus that field enlarged by `scipy.ndimage.zoom`.

    Parameters
    ----------
    magnitude : float, str or (low, high), or one of them for each axis by name
        Largest displacement of a control point in pixels, or as a share of the axis such as ``"5%"``; of a pair each
        image draws its own. ``{"YX": 8}`` leaves the slices of a volume where they are.
    points : int, or one for each axis by name
        Control points along each axis, from 2, the outermost on the image's border; at most 125 in all.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.ThinPlateSpline("6%", mode="mirror")])
    >>> out = recipe(image=np.zeros((64, 64, 3), np.uint8), key=og.Key(seed=1))
    >>> bool(0 < np.abs(out.frame.map.coordinates() - np.indices((64, 64))).max() < 8)
    True
    """

    magnitude: Extent
    points: AxisCount = 4

    def __post_init__(self) -> None:
        counts = list(dict(self.points).values() if isinstance(self.points, PerAxis) else [self.points] * 2)
        if min(counts) < 2:
            raise ValueError(f"points={self.points}: expected 2 or more along each axis, one at each end")
        _check_count(math.prod(counts), self.points)

    @property
    def varies(self) -> bool:
        """Unless nothing is moved."""
        return reaches(self.magnitude)

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw the magnitude, then for each control point a displacement along each axis: `shifts`, in pixels."""
        reach = drawn_reach(self.magnitude, draw, spec)
        counts = tuple(along_axes("points", self.points, spec.spatial_names, 2))
        _check_count(math.prod(counts), self.points)
        number = math.prod(counts)
        return {
            "counts": list(counts),
            "shifts": [
                [draw.uniform(-far, far) for _ in range(number)] if far else [0.0] * number for far in reach
            ],
        }

    def field(self, params: dict[str, Any], size: tuple[int, ...]) -> np.ndarray:
        """The displacement in pixels at each node, n x nodes."""
        counts = tuple(params["counts"])
        weights = _weights(counts, size)
        finer = _FINER[len(size)]
        nodes = tuple(finer * (count - 1) + 1 for count in counts)
        shifts = np.array(params["shifts"], np.float64)
        field = (weights @ shifts.T).T.reshape(len(size), *nodes)
        field[(slice(None), *(slice(None, None, finer),) * len(size))] = shifts.reshape(len(size), *counts)
        return field


def _check_count(count: int, given: Any) -> None:
    if count > MAX_POINTS:
        raise ValueError(f"points={given} makes {number_text(count)} control points, more than {MAX_POINTS}")


@functools.lru_cache(maxsize=32)
def _weights(counts: tuple[int, ...], size: tuple[int, ...]) -> np.ndarray:
    """How much each control point's displacement counts at each node, shape (nodes, points).

    The spline of values v at points p is the sum of w[i] * U(|x - p[i]|) and a plane, with U(r) = r² log r in a plane
    and r in space (Duchon 1977, Bookstein 1989). It is linear in v: the values that are 1 at one point and 0 at the
    others give the column of that point.
    """
    n, longest = len(size), max(*size, 2) - 1
    sides = [max(length - 1, 1) / longest for length in size]
    points, nodes = (
        np.stack(
            np.meshgrid(*(np.linspace(0, side, m) for side, m in zip(sides, grid)), indexing="ij"), -1
        ).reshape(-1, n)
        for grid in (counts, [_FINER[n] * (count - 1) + 1 for count in counts])
    )
    bent = np.block([[_kernel(points, points), _plane(points)], [_plane(points).T, np.zeros((n + 1, n + 1))]])
    values = np.concatenate([np.eye(len(points)), np.zeros((n + 1, len(points)))])
    found = np.concatenate([_kernel(nodes, points), _plane(nodes)], axis=1) @ np.linalg.solve(bent, values)
    found.flags.writeable = False
    return found


def _kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    squares = ((one[:, np.newaxis] - other) ** 2).sum(-1)
    if one.shape[1] == 3:
        return np.sqrt(squares)
    return squares * np.log(np.where(squares == 0, 1, squares)) / 2


def _plane(points: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones((len(points), 1)), points], axis=1)

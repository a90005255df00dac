"""Polygons in the plane and convex hulls in space: cut by half-planes, measured, filled.

A polygon is a float64 array of shape (m, 2), one corner per row, without the first corner again at its end. Sutherland
and Hodgman's cut keeps what lies on one side of a line: the corners there, and a new corner on each edge that crosses.
Of a polygon that is not convex the cut may join separate pieces along the line; its area and its bounds stay right.
In space a convex body is the set of its corners: the crossings of all pairs of a kept and a lost corner lie in the
cut body, and the corners of the cut body are among them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["area", "clipped", "contains", "corners_of", "cut", "densified", "volume"]

_MOST_CORNERS = 24
"""Corners of a body in space beyond which those inside its hull are dropped."""


def corners_of(edges: np.ndarray) -> np.ndarray:
    """Return the corners of boxes: in the plane in order around each box, so that they are polygons.

    Parameters
    ----------
    edges : ndarray, shape (n, 2 d)
        Lower edges, then upper edges.

    Returns
    -------
    ndarray, shape (n, 2**d, d)

    Examples
    --------
    >>> corners_of(np.array([[0, 1, 2, 4]])).tolist()
    [[[0, 1], [0, 4], [2, 4], [2, 1]]]
    """
    d = edges.shape[1] // 2
    order = [(0, 0), (0, 1), (1, 1), (1, 0)] if d == 2 else list(np.ndindex(*(2,) * d))
    columns = np.array([[axis + d * side for axis, side in enumerate(corner)] for corner in order])
    return edges[:, columns]


def cut(corners: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Return what lies where a linear function is not negative.

    Parameters
    ----------
    corners : ndarray, shape (m, 2) or (m, 3)
        A polygon, or the corners of a convex body.
    distance : ndarray, shape (m,)
        The function at each corner.

    Returns
    -------
    ndarray, shape (k, 2) or (k, 3)
        Empty where nothing is left.
    """
    kept = distance >= 0
    if kept.all():
        return corners
    if not kept.any():
        return corners[:0]
    if corners.shape[1] == 2:
        after, distance_after = np.roll(corners, -1, axis=0), np.roll(distance, -1)
        crossing = kept != np.roll(kept, -1)
        gap = np.where(crossing, distance - distance_after, 1.0)
        points = corners + (distance / gap)[:, np.newaxis] * (after - corners)
        return np.stack([corners, points], axis=1)[np.stack([kept, crossing], axis=1)]
    inside, outside = corners[kept][:, np.newaxis], corners[~kept][np.newaxis]
    near, far = distance[kept][:, np.newaxis], distance[~kept][np.newaxis]
    points = inside + (near / (near - far))[..., np.newaxis] * (outside - inside)
    return _hull(np.concatenate([corners[kept], points.reshape(-1, corners.shape[1])]))


def _hull(corners: np.ndarray) -> np.ndarray:
    """Drop corners inside the hull where there are many; of a flat body, those between the bounds."""
    if len(corners) <= _MOST_CORNERS:
        return corners
    hull = _convex_hull(corners)
    if hull is None:
        edges = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
        return corners_of(edges[np.newaxis])[0]  # flat: its bounds hold it
    return corners[hull.vertices]


def _convex_hull(corners: np.ndarray) -> Any:
    """SciPy's hull, or None for corners that all lie in one plane."""
    from scipy.spatial import ConvexHull, QhullError  # loaded where a box in space is cut, and not before

    try:
        return ConvexHull(corners)
    except QhullError:
        return None


def clipped(corners: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the part of a polygon or convex body inside an axis-aligned box.

    Examples
    --------
    >>> clipped(np.array([[0.0, 0.0], [0.0, 4.0], [4.0, 0.0]]), np.array([0, 0]), np.array([9, 2])).tolist()
    [[0.0, 0.0], [0.0, 2.0], [2.0, 2.0], [4.0, 0.0]]
    """
    for axis in range(corners.shape[1]):
        for sign, bound in ((1.0, low[axis]), (-1.0, high[axis])):
            if not len(corners):
                return corners
            distance = sign * (corners[:, axis] - bound)
            if (distance >= 0).all():
                continue
            corners = cut(corners, distance)
            # The crossings are rounded: put them back on the side that is kept.
            corners[:, axis] = (
                np.maximum(corners[:, axis], bound) if sign > 0 else np.minimum(corners[:, axis], bound)
            )
    return corners


def area(polygon: np.ndarray) -> float:
    """Return the area of a polygon, whichever way round its corners run.

    Examples
    --------
    >>> area(np.array([[0, 0], [0, 4], [2, 4], [2, 0]]))
    8.0
    """
    if len(polygon) < 3:
        return 0.0
    y, x = (polygon - polygon[0]).T
    return float(abs(np.dot(y, np.roll(x, -1)) - np.dot(x, np.roll(y, -1))) / 2)


def volume(corners: np.ndarray) -> float:
    """Return the area of a polygon, or the volume of a convex body."""
    if corners.shape[1] == 2:
        return area(corners)
    if len(corners) <= corners.shape[1]:
        return 0.0
    hull = _convex_hull(corners)
    return 0.0 if hull is None else float(hull.volume)


def contains(polygon: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Say for each point, shape (k, 2), whether it lies in a polygon, by the even-odd rule."""
    y, x = points[:, 0], points[:, 1]
    inside = np.zeros(len(points), bool)
    for (y0, x0), (y1, x1) in zip(polygon, np.roll(polygon, -1, axis=0)):
        if y0 == y1:
            continue
        crosses = np.flatnonzero((y0 <= y) != (y1 <= y))
        inside[crosses] ^= x[crosses] < x0 + (y[crosses] - y0) / (y1 - y0) * (x1 - x0)
    return inside


def densified(polygon: np.ndarray, spacing: float = 1.0, most: int = 4096) -> np.ndarray:
    """Return the polygon with corners at most `spacing` apart, as long as they are not more than `most`."""
    after = np.roll(polygon, -1, axis=0)
    lengths = np.linalg.norm(after - polygon, axis=1)
    spacing = max(spacing, float(lengths.sum()) / most)
    counts = np.maximum(1, np.ceil(lengths / spacing)).astype(int)
    share = np.concatenate([np.arange(count) / count for count in counts])
    start = np.repeat(polygon, counts, axis=0)
    return start + share[:, np.newaxis] * (np.repeat(after, counts, axis=0) - start)

"""What is left of objects where something else is pasted over a part of their image.

The part is a window W of whole pixels. What lies outside it is cut into pieces, each with straight sides: for axis k, what
lies within W on the axes before k, and before or after W on axis k. They do not overlap and together are all but W.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from offgraph.targets.outlines import Carried
from offgraph.targets.polygons import area, clipped

__all__ = ["uncovered_boxes", "uncovered_polygons"]


def uncovered_boxes(edges: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of what a window leaves of boxes, and the share of each that it leaves.

    Parameters
    ----------
    edges : ndarray of float64, shape (n, 2 d)
    low, high : ndarray of float64, shape (d,)
        Edges of the window.

    Returns
    -------
    edges : ndarray of float64, shape (n, 2 d)
        NaN where nothing is left.
    share : ndarray of float64, shape (n,)

    Examples
    --------
    >>> uncovered_boxes(np.array([[0.0, 0.0, 4.0, 4.0]]), np.array([-1, 1]), np.array([9, 9]))
    (array([[0., 0., 4., 1.]]), array([0.25]))
    """
    d = len(low)
    first, last = edges[:, :d], edges[:, d:]
    covered = np.minimum(last, high) - np.maximum(first, low)
    hidden = np.prod(np.maximum(covered, 0), axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 1 - hidden / np.prod(last - first, axis=1)
    spanned = (low <= first) & (high >= last)
    left = np.concatenate([first, last], axis=1)
    for axis in range(d):
        # Only a window as wide as the box on all other axes takes an end off.
        cuts = np.delete(spanned, axis, axis=1).all(axis=1) & (covered > 0).all(axis=1)
        from_low = cuts & (low[axis] <= first[:, axis])
        from_high = cuts & (high[axis] >= last[:, axis])
        left[from_low, axis] = high[axis]
        left[from_high, d + axis] = low[axis]
    gone = spanned.all(axis=1)
    left[gone], share[gone] = np.nan, 0.0
    return left, share


def uncovered_polygons(objects: Sequence[Sequence[np.ndarray]], low: np.ndarray, high: np.ndarray) -> Carried:
    """Return what a window leaves of objects in the plane, each of one polygon or more.

    Parameters
    ----------
    objects : sequence of sequence of ndarray, shape (m, 2)
    low, high : ndarray of float64, shape (2,)
        Edges of the window.
    """
    nowhere = np.full(2, np.inf)
    pieces = (
        (-nowhere, np.array([low[0], np.inf])),
        (np.array([high[0], -np.inf]), nowhere),
        (np.array([low[0], -np.inf]), np.array([high[0], low[1]])),
        (np.array([low[0], high[1]]), np.array([high[0], np.inf])),
    )
    result = Carried(len(objects), 2)
    for number, parts in enumerate(objects):
        left: list[np.ndarray] = []
        for part in parts:
            if (part.max(axis=0) <= low).any() or (part.min(axis=0) >= high).any():
                left.append(part)
                continue
            cut = (clipped(part, start, stop) for start, stop in pieces)
            left += [piece for piece in cut if area(piece) > 0]
        before = sum(map(area, parts))
        share = min(1.0, sum(map(area, left)) / before) if before > 0 else float(bool(left))
        result.bound(number, left, share)
    return result

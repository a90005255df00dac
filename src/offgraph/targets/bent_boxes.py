"""Boxes through maps that bend their edges: few points per edge, and a proof of what lies between them.

An edge is moved by points along it. Between two points h apart the true curve leaves their chord by no more than

    d = h * h / 8 * L**3 * S + h / 4 * L**2 * K

in the maximum norm: L bounds the derivative of the way back, S the second derivatives of the map, K what its derivative
jumps by where a field has kinks. A map after it stretches that to L * d. So all that an object is lies within the sum of
these of the polygon through the points, and bounds hold every pixel centre if they hold those that near to them:

    error = 0
    for each map of each step:
        points on edges no further apart than keeps d small; move them
        error = L * error + d
        a step's output cuts the object: the polygon is cut that much outside it
    bounds of the points, and of pixel centres up to `error` beyond them
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.base import CoordinateMap
from offgraph.geometry.chain_map import ChainMap
from offgraph.geometry.displacement_map import DisplacementMap
from offgraph.geometry.radial_map import RadialMap
from offgraph.geometry.resampling import Leg
from offgraph.targets.polygons import clipped

__all__ = ["bounds_of_cut", "bounds_of_uncut", "is_bounded", "maps_of", "widens"]

_ERROR = 0.1
"""Distance in pixels from the true edge that the spacing of points is chosen for."""

_SPACING = 0.75, 24.0
"""Least and largest spacing of points in pixels."""

_MOST_ERROR = 0.5
"""Error in pixels above which all pixels are asked instead."""

_MOST_STRETCHED = 12.0
"""The derivative of the way back above which all pixels are asked instead."""


def maps_of(step: CoordinateMap) -> Sequence[CoordinateMap]:
    """Return the maps of a chain, or the map itself."""
    return step.maps if isinstance(step, ChainMap) else (step,)


def widens(leg: Leg) -> bool:
    """Whether a step after the first reads its input's border pixels as far as their edges, by its border mode."""
    return not leg.resampling.is_constant and not leg.map.is_exact


def is_bounded(legs: Sequence[Leg]) -> bool:
    """Whether what a chain does to the edges of boxes in the plane is bounded, so that this module applies."""
    return all(_is_known(step) for leg in legs for step in maps_of(leg.map))


def _is_known(step: CoordinateMap) -> bool:
    if step.ndim != 2:
        return False
    if isinstance(step, DisplacementMap):
        return not step.may_fold and step.steepest_back < _MOST_STRETCHED
    return step.preserves_lines or isinstance(step, RadialMap)


def bounds_of_uncut(
    points: np.ndarray, ends: np.ndarray, legs: Sequence[Leg], *, are_boxes: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of objects that no step cuts, and which these are.

    Parameters
    ----------
    points : ndarray of float64, shape (count, 2)
        The corners of all polygons, one after another, in order around each.
    ends : ndarray of int, shape (n + 1,)
        Where each polygon begins, and the last one ends.
    legs : sequence of Leg
    are_boxes : bool
        Whether each is a box of four corners.

    Returns
    -------
    edges : ndarray of float64, shape (n, 4)
        Lower edges, then upper edges.
    is_uncut : ndarray of bool, shape (n,)
    """
    outlines = _Outlines(points, ends, are_boxes)
    uncut = outlines.all_inside(*_edges(legs[0].map.input_size))
    for number, leg in enumerate(legs):
        if number and widens(leg):
            uncut &= outlines.all_inside(0.0, np.array(leg.map.input_size) - 1.0)
        for step in maps_of(leg.map):
            has_place = outlines.move(step)
            uncut &= outlines.of_each(np.logical_and, has_place)
            if isinstance(step, DisplacementMap) and not outlines.are_boxes:
                # Outside its output a field goes on as it ends, with a kink.
                uncut &= outlines.all_inside(0.0, np.array(step.output_size) - 1.0)
        uncut &= outlines.all_inside(*_edges(leg.map.output_size))
    uncut &= outlines.error <= _MOST_ERROR  # else each is bounded by itself, with points as near as they go
    low, high = outlines.of_each(np.minimum, outlines.points), outlines.of_each(np.maximum, outlines.points)
    return np.concatenate(_to_pixels(low, high, outlines.error), axis=1), uncut


def bounds_of_cut(corners: np.ndarray, legs: Sequence[Leg], *, is_box: bool) -> np.ndarray | None:
    """Return bounds of what the steps of a chain leave of a polygon, shape (4,): NaN where that is certainly nothing.

    None where a map has no place for some of it, so that this module does not know.

    Parameters
    ----------
    corners : ndarray of float64, shape (m, 2)
        In order around it.
    legs : sequence of Leg
        None after the first widens its input.
    is_box : bool
        Whether it is a box of four corners.
    """
    corners = clipped(corners, *_edges(legs[0].map.input_size))
    if not len(corners):
        return np.full(4, np.nan)
    outline = _Outlines(corners, np.array([0, len(corners)]), is_box)
    for leg in legs:
        for step in maps_of(leg.map):
            if not outline.move(step, finest=True).all() or outline.error > _MOST_ERROR:
                return None
        low, high = _edges(leg.map.output_size)
        outline.points = clipped(outline.points, low - outline.error, high + outline.error)
        outline.ends = np.array([0, len(outline.points)])
        if not len(outline.points):
            return np.full(4, np.nan)
    low, high = _edges(legs[-1].map.output_size)
    least, most = _to_pixels(outline.points.min(axis=0), outline.points.max(axis=0), outline.error)
    return np.concatenate([np.clip(least, low, high), np.clip(most, low, high)])


def _edges(size: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Edges of an image."""
    return np.full(len(size), -0.5), np.array(size, np.float64) - 0.5


def _inside(points: np.ndarray, low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray(((points >= low) & (points <= high)).all(axis=-1))


def _to_pixels(low: np.ndarray, high: np.ndarray, error: float) -> tuple[np.ndarray, np.ndarray]:
    """Widen bounds to the pixel centres up to `error` outside them."""
    return np.fmin(low, np.ceil(low - error)), np.fmax(high, np.floor(high + error))


class _Outlines:
    """Polygons around objects, one after another, and how far from them their objects may reach.

    Attributes
    ----------
    points : ndarray of float64, shape (count, 2)
    ends : ndarray of int, shape (n + 1,)
        Where the polygon of each object begins, and the last one ends.
    error : float
        In the maximum norm.
    are_boxes : bool
        Whether each polygon still is a box of four corners, with edges along the axes.
    """

    def __init__(self, points: np.ndarray, ends: np.ndarray, are_boxes: bool) -> None:
        self.points, self.ends, self.are_boxes = points, ends, are_boxes
        self.error = 0.0

    def of_each(self, ufunc: np.ufunc, values: np.ndarray) -> np.ndarray:
        """Reduce the values of each polygon's points."""
        return ufunc.reduceat(values, self.ends[:-1], axis=0)

    def all_inside(self, low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
        """Return which objects certainly lie between two corners."""
        return self.of_each(np.logical_and, _inside(self.points, low + self.error, high - self.error))

    def move(self, step: CoordinateMap, *, finest: bool = False) -> np.ndarray:
        """Move the outlines through a map; return which points have a place.

        `finest` is for outlines that reach beyond the output of a displacement, where it has a kink.
        """
        keeps = step.is_exact or (isinstance(step, AffineMap) and _is_diagonal(step.matrix))
        if isinstance(step, DisplacementMap):
            keeps = step.is_separable and self.are_boxes and step.steepness < 1
        self.are_boxes &= keeps
        if step.preserves_lines or self.are_boxes:
            spacing = 0.0
        else:
            spacing = _SPACING[0] if finest else _spacing(step)
            self._divide(spacing)
        places, has_place = step.forward(self.points)
        self.points = places
        steepest, smooth, kinks = _bends(step, places, has_place, spacing, finest)
        bend = spacing**2 / 8 * steepest**3 * smooth + spacing / 4 * steepest**2 * kinks
        self.error = (steepest * self.error if self.error else 0.0) + (bend if spacing else 0.0)
        return has_place

    def _divide(self, spacing: float) -> None:
        """Add points to edges so that none are further apart; all but the first of an edge are new."""
        following = np.arange(1, len(self.points) + 1)
        following[self.ends[1:] - 1] = self.ends[:-1]
        way = self.points[following] - self.points
        with np.errstate(invalid="ignore"):
            lengths = np.nan_to_num(np.abs(way).max(axis=1, initial=0.0), posinf=0.0)
        counts = np.clip(np.ceil(lengths / spacing), 1, 4096).astype(np.intp)
        first = np.concatenate([[0], np.cumsum(counts)])
        share = (np.arange(first[-1]) - np.repeat(first[:-1], counts)) / np.repeat(counts, counts)
        self.points = np.repeat(self.points, counts, axis=0) + share[:, np.newaxis] * np.repeat(
            way, counts, axis=0
        )
        self.ends = first[self.ends]


def _is_diagonal(matrix: np.ndarray) -> bool:
    return bool(
        (np.count_nonzero(matrix, axis=0) <= 1).all() and (np.count_nonzero(matrix, axis=1) <= 1).all()
    )


def _spacing(step: CoordinateMap) -> float:
    """The spacing of points with which a map's bend stays about `_ERROR`."""
    steepest, smooth = 1.5, 0.0
    if isinstance(step, DisplacementMap):
        (smooth, kinks), steepest = step.curvature, step.steepest_back
        if kinks:
            return _SPACING[0]
    elif isinstance(step, RadialMap):
        smooth = step.curvature_within(math.hypot(*step.output_size) / 2)
    wanted = math.sqrt(8 * _ERROR / max(steepest**3 * smooth, 1e-9))
    return min(max(wanted, _SPACING[0]), _SPACING[1])


def _bends(
    step: CoordinateMap, places: np.ndarray, has_place: np.ndarray, spacing: float, finest: bool
) -> tuple[float, float, float]:
    """Bounds on the derivative of the way back, on the second derivatives, and on jumps of the derivative."""
    if step.is_exact:
        return 1.0, 0.0, 0.0
    if isinstance(step, DisplacementMap):
        smooth, kinks = step.curvature
        return step.steepest_back, smooth, kinks + (step.steepness if finest else 0.0)
    if isinstance(step, RadialMap):
        far = np.linalg.norm(places[has_place] - step.centre, axis=-1).max(initial=0.0)
        smooth, kinks = step.curvature_within(float(far) + spacing), 0.0
    else:
        smooth, kinks = 0.0, 0.0
    least = _steepest_back(step, places[has_place])
    if isinstance(step, AffineMap):
        return least, 0.0, 0.0
    steepest = least = 1.1 * least
    for _ in range(4):  # between the samples the derivative changes by its own bound
        left = 1 - least * smooth * spacing * steepest
        steepest = least / left if left > 0.2 else math.inf
    return steepest, smooth, kinks


def _steepest_back(step: CoordinateMap, places: np.ndarray) -> float:
    """The largest derivative of the way back at places, in the maximum norm."""
    if not len(places):
        return 1.0
    jacobian = step.jacobian(places[:1] if isinstance(step, AffineMap) else places)
    (a, b), (c, d) = jacobian[..., 0, :].T, jacobian[..., 1, :].T
    with np.errstate(divide="ignore"):
        sizes = np.maximum(np.abs(d) + np.abs(b), np.abs(c) + np.abs(a)) / np.abs(a * d - b * c)
    return float(sizes.max())

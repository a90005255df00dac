"""Move outlines of objects, such as the corners of boxes, through a chain of geometric steps; bound what is left of them.

Where all maps keep lines straight, corners are moved and the outline is cut at each step's output, which is exact; boxes that
stay boxes, as under crops, flips and resizes, are cut all at once. Other maps bend edges. `bent_boxes` bounds how far, for boxes in the plane and the maps it knows; in all other cases corners are
set at most a pixel apart, and since that alone does not bound the edge, every output pixel is asked where it comes from.
The bounds hold each pixel whose centre comes from inside the object, as its mask shows it, and every corner that was
moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.base import CoordinateMap
from offgraph.geometry.grid_map import GridMap
from offgraph.geometry.projective_map import ProjectiveMap
from offgraph.geometry.resampling import Leg
from offgraph.geometry.tile_map import TileMap
from offgraph.targets.bent_boxes import bounds_of_cut, bounds_of_uncut, is_bounded, maps_of, widens
from offgraph.targets.composed import border_rule, forward_through, output_slabs
from offgraph.targets.polygons import clipped, contains, corners_of, cut, densified, volume

__all__ = ["NOTHING", "Carried", "carry_boxes", "carry_polygons", "uncut_bounds"]

_NEARLY_HORIZON = 1e-9
"""A projected point whose scale is below this fraction of the largest counts as behind the horizon."""

_LATTICE = 5
"""Samples of a box along each axis, where its share that is left cannot be measured as an area."""

NOTHING = 1e-9
"""Bounds thinner than this in pixels, or less than this share of an object, are nothing."""


class Carried:
    """Bounds, shares and outlines of objects after a chain.

    Attributes
    ----------
    edges : ndarray of float64, shape (n, 2 d)
        Of what is left; NaN where nothing is.
    share : ndarray of float64, shape (n,)
        Of each object's area or volume that is left: 0 to 1.
    outlines : list of list of ndarray
        Polygons that are left of each object; none of boxes that stay boxes.
    """

    def __init__(self, count: int, dimensions: int) -> None:
        self.edges = np.full((count, 2 * dimensions), np.nan)
        self.share = np.zeros(count)
        self.outlines: list[list[np.ndarray]] = [[] for _ in range(count)]

    def bound(self, number: int, parts: Sequence[np.ndarray], share: float) -> None:
        """Set what is left of one object."""
        self.share[number], self.outlines[number] = share, list(parts)
        if parts:
            corners = np.concatenate(parts)
            self.edges[number] = np.concatenate([corners.min(axis=0), corners.max(axis=0)])

    def hold(self, number: int, edges: np.ndarray) -> None:
        """Widen the bounds of one object until they hold others, NaN where there are none."""
        if np.isnan(edges).any():
            return
        d = len(edges) // 2
        self.edges[number, :d] = np.fmin(self.edges[number, :d], edges[:d])
        self.edges[number, d:] = np.fmax(self.edges[number, d:], edges[d:])
        self.share[number] = max(self.share[number], 2 * NOTHING)


def carry_boxes(edges: np.ndarray, legs: Sequence[Leg]) -> Carried:
    """Carry boxes through a chain.

    Parameters
    ----------
    edges : ndarray of float64, shape (n, 2 d)
    legs : sequence of Leg
        At least one.
    """
    count, d = edges.shape[0], edges.shape[1] // 2
    result = Carried(count, d)
    if not count:
        return result
    if _keeps_axes(legs):
        result.edges, result.share = _carry_aligned(edges, legs)
        return result
    corners = corners_of(edges)
    straight = all(leg.map.preserves_lines for leg in legs)
    bounded = not straight and is_bounded(legs)
    if straight:
        easy = _carry_uncut(corners, legs, result)
    elif bounded:
        ends = np.arange(count + 1) * 4
        bounds, easy = bounds_of_uncut(corners.reshape(-1, 2), ends, legs, are_boxes=True)
        result.edges[easy], result.share[easy] = bounds[easy], 1.0
    else:
        easy = np.zeros(count, bool)
    rest = np.flatnonzero(~easy)
    if straight or d == 2:
        for number, left in zip(rest.tolist(), _carry_parts([[corners[number]] for number in rest], legs)):
            result.bound(number, *left)
    else:
        for number, left in zip(rest.tolist(), _carry_samples(edges[rest], legs)):
            result.bound(number, *left)
    if not straight:
        asked = rest.tolist()
        if bounded:
            asked = _hold_bounds(
                result, [(number, corners[number]) for number in asked], legs, are_boxes=True
            )
        _hold_pixels(result, edges, legs, asked)
    return result


def carry_polygons(polygons: Sequence[Sequence[np.ndarray]], legs: Sequence[Leg]) -> Carried:
    """Carry objects, each of one polygon or more, through a chain in the plane."""
    result = Carried(len(polygons), 2)
    for number, left in enumerate(_carry_parts(polygons, legs)):
        result.bound(number, *left)
    if polygons and not all(leg.map.preserves_lines for leg in legs):
        asked: Iterable[int] = range(len(polygons))
        if is_bounded(legs):
            parts = [(number, part) for number, group in enumerate(polygons) for part in group if len(part)]
            points, ends = np.concatenate([part for _, part in parts]), [len(part) for _, part in parts]
            bounds, easy = bounds_of_uncut(points, np.cumsum([0, *ends]), legs, are_boxes=False)
            for (number, _), edges, is_easy in zip(parts, bounds, easy):
                if is_easy:
                    result.hold(number, edges)
            cut = [part for part, is_easy in zip(parts, easy) if not is_easy]
            asked = _hold_bounds(result, cut, legs, are_boxes=False)
        edges = np.array([_bounds(parts) for parts in polygons])
        _hold_pixels(result, edges, legs, asked, polygons)
    return result


def _hold_bounds(
    result: Carried, parts: Sequence[tuple[int, np.ndarray]], legs: Sequence[Leg], *, are_boxes: bool
) -> list[int]:
    """Widen bounds until they hold what may be left of parts of objects; return the objects of which that is not known."""
    if any(widens(leg) for leg in legs[1:]):
        return sorted({number for number, _ in parts})
    unknown = set()
    for number, part in parts:
        bounds = bounds_of_cut(part, legs, is_box=are_boxes)
        if bounds is None:
            unknown.add(number)
        else:
            result.hold(number, bounds)
    return sorted(unknown)


def _bounds(parts: Sequence[np.ndarray]) -> np.ndarray:
    corners = np.concatenate(parts)
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])


def _limits(size: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Edges of an image."""
    return np.full(len(size), -0.5), np.array(size, np.float64) - 0.5


def _carry_uncut(corners: np.ndarray, legs: Sequence[Leg], result: Carried) -> np.ndarray:
    """Carry the boxes that no step cuts, all at once; return which these are."""
    low, high = _limits(legs[0].map.input_size)
    easy: Any = ((corners >= low) & (corners <= high)).all(axis=(1, 2))
    for number, leg in enumerate(legs):
        if number and widens(leg):
            last = np.array(leg.map.input_size) - 1.0
            with np.errstate(invalid="ignore"):
                easy &= ((corners >= 0) & (corners <= last)).all(axis=(1, 2))
        corners, has_place = leg.map.forward(corners)
        low, high = _limits(leg.map.output_size)
        with np.errstate(invalid="ignore"):
            easy &= has_place.all(axis=1) & ((corners >= low) & (corners <= high)).all(axis=(1, 2))
    result.edges[easy] = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)[easy]
    result.share[easy] = 1.0
    return easy


def _keeps_axes(legs: Sequence[Leg]) -> bool:
    """Whether boxes stay boxes all along a chain, and no step reads its input's border pixels as far as their edges."""
    for position, leg in enumerate(legs):
        if position and widens(leg):
            return False
        affine = leg.map.affine() if isinstance(leg.map, GridMap) else leg.map
        if not isinstance(affine, AffineMap):
            return False
        moved = affine.matrix != 0
        if not ((moved.sum(axis=0) == 1).all() and (moved.sum(axis=1) == 1).all()):
            return False
    return True


def _carry_aligned(edges: np.ndarray, legs: Sequence[Leg]) -> tuple[np.ndarray, np.ndarray]:
    """Carry boxes that stay boxes, all at once: cut at each output's limits, which leaves a share of each length."""
    d = edges.shape[1] // 2
    low, high = _limits(legs[0].map.input_size)
    first, last = np.maximum(edges[:, :d], low), np.minimum(edges[:, d:], high)
    share: Any = (last > first).all(axis=1).astype(np.float64)
    for leg in legs:
        ends, has_place = leg.map.forward(np.stack([first, last]))
        first, last = ends.min(axis=0), ends.max(axis=0)
        low, high = _limits(leg.map.output_size)
        kept_first, kept_last = np.maximum(first, low), np.minimum(last, high)
        with np.errstate(invalid="ignore", divide="ignore"):
            kept = np.maximum(kept_last - kept_first, 0) / (last - first)
        share *= np.where(has_place.all(axis=0), np.prod(kept, axis=1), 0.0)
        share = np.where(np.isfinite(share), share, 0.0)
        first, last = kept_first, kept_last
    carried = np.concatenate([first, last], axis=1)
    share[share <= NOTHING] = 0.0
    carried[share == 0] = np.nan
    return carried, share


def _through(step: CoordinateMap, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Move the corners of polygons or bodies through one map; what has no place is cut off."""
    if not parts:
        return []
    if isinstance(step, ProjectiveMap):
        row = step.inverse().matrix[-1]
        scales = [part @ row[:-1] + row[-1] for part in parts]
        near = [_NEARLY_HORIZON * max(float(np.abs(scale).max(initial=0.0)), 1e-300) for scale in scales]
        parts = [cut(part, scale - least) for part, scale, least in zip(parts, scales, near)]
    elif not step.preserves_lines:
        parts = [densified(part) for part in parts]
    ends = np.cumsum([len(part) for part in parts])[:-1]
    places, has_place = step.forward(np.concatenate(parts))  # one search for all where it is numeric
    return [place[there] for place, there in zip(np.split(places, ends), np.split(has_place, ends))]


def _through_tiles(
    step: TileMap, parts: Sequence[tuple[int, np.ndarray]]
) -> tuple[list[tuple[int, np.ndarray]], list[np.ndarray]]:
    """Cut polygons along the cells of a grid, and move each piece with its cell; return the pieces before and after."""
    starts, stops = step.starts.T, step.stops.T
    pieces, places = [], []
    for to, of in enumerate(step.order):
        low, high = starts[of] - 0.5, stops[of] - 0.5
        for number, part in parts:
            if (part.max(axis=0) <= low).any() or (part.min(axis=0) >= high).any():
                continue
            piece = clipped(part, low, high)
            if len(piece):
                pieces.append((number, piece))
                places.append(piece + (starts[to] - starts[of]))
    return pieces, places


def _widened(corners: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Continue a polygon or body from the centres of an image's border pixels to their edges, as the image is continued there."""
    for axis, n in enumerate(size):
        for sign, bound, edge in ((1.0, 0.0, -0.5), (-1.0, n - 1.0, n - 0.5)):
            distance = sign * (corners[:, axis] - bound)
            if not len(corners) or (distance > 0).all():
                continue
            corners = cut(corners, distance).copy()
            at = np.abs(corners[:, axis] - bound) < NOTHING
            corners[at, axis] = bound
            beyond = corners.copy()
            beyond[:, axis] = edge
            if corners.shape[1] == 2:
                # In order around the polygon: a corner on the bound, its copy at the edge, the next copy, that corner.
                lines = []
                for i in range(len(corners)):
                    before, after = at[i - 1], at[(i + 1) % len(corners)]
                    if at[i] and before:
                        lines.append(beyond[i])
                    lines.append(corners[i])
                    if at[i] and (after or not before):
                        lines.append(beyond[i])
                corners = np.array(lines).reshape(-1, 2)
            else:
                corners = np.concatenate([corners, beyond[at]])
    return corners


def _carry_parts(
    objects: Sequence[Sequence[np.ndarray]], legs: Sequence[Leg]
) -> list[tuple[list[np.ndarray], float]]:
    """Carry objects, each of one polygon or more; return what is left of each, and which share of its area."""
    low, high = _limits(legs[0].map.input_size)
    parts = [(number, clipped(part, low, high)) for number, group in enumerate(objects) for part in group]
    shares = np.ones(len(objects))
    for position, leg in enumerate(legs):
        if position and widens(leg):
            parts = [(number, _widened(part, leg.map.input_size)) for number, part in parts]
        parts = [(number, part) for number, part in parts if len(part)]
        if isinstance(leg.map, TileMap):
            parts, places = _through_tiles(leg.map, parts)
        else:
            places = [part for _, part in parts]
            for step in maps_of(leg.map):
                places = _through(step, places)
        low, high = _limits(leg.map.output_size)
        kept = [clipped(place, low, high) for place in places]
        cropped = {
            number for (number, part), place, left in zip(parts, places, kept)
            if left is not place or len(place) < len(part)
        }  # fmt: skip
        _take_shares(shares, cropped, parts, kept, leg.map)
        parts = [(number, left) for (number, _), left in zip(parts, kept)]
    result: list[tuple[list[np.ndarray], float]] = [([], float(share)) for share in shares]
    for number, part in parts:
        if len(part) and shares[number] > NOTHING:
            result[number][0].append(part)
    return [(group, share if group else 0.0) for group, share in result]


def _take_shares(
    shares: np.ndarray,
    cropped: set[int],
    parts: Sequence[tuple[int, np.ndarray]],
    kept: Sequence[np.ndarray],
    step: CoordinateMap,
) -> None:
    """Multiply the shares of objects that a step cut by how much of their area before it is left."""
    before, after = np.zeros(len(shares)), np.zeros(len(shares))
    for (number, part), left in zip(parts, kept):
        if number in cropped:
            before[number] += volume(part)
            if len(left):
                back = step(left if step.preserves_lines else densified(left))
                after[number] += volume(back[np.isfinite(back).all(axis=1)])
    for number in cropped:
        if before[number] > 0:
            shares[number] *= min(1.0, after[number] / before[number])
        elif not any(len(left) for (owner, _), left in zip(parts, kept) if owner == number):
            shares[number] = 0.0


def _carry_samples(edges: np.ndarray, legs: Sequence[Leg]) -> list[tuple[list[np.ndarray], float]]:
    """Carry lattices of points of boxes in space through maps that bend them, all boxes in one search."""
    d = edges.shape[1] // 2
    middles = np.stack(np.meshgrid(*[(np.arange(_LATTICE) + 0.5) / _LATTICE] * d, indexing="ij"), -1)
    around = np.stack(np.meshgrid(*[np.linspace(0, 1, _LATTICE)] * d, indexing="ij"), -1)
    around = around.reshape(-1, d)
    surface = around[((around == 0) | (around == 1)).any(axis=1)]
    low, lengths = edges[:, np.newaxis, :d], edges[:, np.newaxis, d:] - edges[:, np.newaxis, :d]
    _, seen_inside = forward_through(legs, low + middles.reshape(-1, d) * lengths)
    places, seen = forward_through(legs, low + surface * lengths)
    return [
        ([place[there]] if there.any() else [], float(inside.mean()))
        for place, there, inside in zip(places, seen, seen_inside)
    ]


def _hold_pixels(
    result: Carried,
    edges: np.ndarray,
    legs: Sequence[Leg],
    numbers: Iterable[int],
    polygons: Sequence[Sequence[np.ndarray]] | None = None,
) -> None:
    """Widen bounds of some objects until they hold every output pixel that comes from inside the object."""
    numbers = list(numbers)
    if not numbers:
        return
    size = legs[-1].map.output_size
    d = len(size)
    for coordinates, pixels in _blocks_of(legs):
        least, most = np.fmin.reduce(coordinates, axis=-1), np.fmax.reduce(coordinates, axis=-1)
        for number in numbers:
            low, high = edges[number, :d], edges[number, d:]
            with np.errstate(invalid="ignore"):
                near = ((most >= low[:, np.newaxis]) & (least <= high[:, np.newaxis])).all(axis=0)
                if not near.any():
                    continue
                here = coordinates[:, near]
                bound = (here >= low[:, np.newaxis, np.newaxis]) & (here <= high[:, np.newaxis, np.newaxis])
            hit = np.asarray(bound.all(axis=0))
            if polygons is not None and hit.any():
                points = here[:, hit].T
                hit[hit] = np.any([contains(part, points) for part in polygons[number]], axis=0)
            if not hit.any():
                continue
            places = pixels[:, near][:, hit]
            held = np.concatenate([places.min(axis=1), places.max(axis=1)])
            if d == 3:  # no edges are followed there: to the edges of the pixels
                held = np.clip(held + np.repeat([-0.5, 0.5], d), -0.5, np.tile(np.array(size) - 0.5, 2))
            result.hold(number, held)


def _blocks_of(legs: Sequence[Leg], side: int = 16) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield source coordinates and pixels, shape (n, blocks, pixels of a block): most blocks have nothing of a box."""
    for _, grid, pulled in output_slabs(legs[-1].map):
        yield _in_blocks(_seen(legs, pulled), side), _in_blocks(grid, side)


def _in_blocks(values: np.ndarray, side: int) -> np.ndarray:
    """Cut the last two axes into blocks; what is missing at the ends is NaN."""
    *lead, rows, columns = values.shape
    more = [(0, 0)] * len(lead) + [(0, -rows % side), (0, -columns % side)]
    padded = np.pad(values, more, constant_values=np.nan)
    down, along = padded.shape[-2] // side, padded.shape[-1] // side
    cells = padded.reshape(*lead, down, side, along, side).swapaxes(-3, -2)
    return cells.reshape(values.shape[0], -1, side * side)


def _seen(legs: Sequence[Leg], pulled: np.ndarray) -> np.ndarray:
    """Where output pixels come from in the first input: NaN where they show nothing of it, or a border repeated.

    `pulled` are their coordinates in the last step's input.
    """
    for number in range(len(legs) - 1, -1, -1):
        leg, read = legs[number], np.empty(pulled.shape)
        for axis, n in enumerate(leg.map.input_size):
            along = pulled[axis]
            with np.errstate(invalid="ignore"):
                outside = ~((along >= -0.5 - NOTHING) & (along <= n - 0.5 + NOTHING))
            if number:
                along, _ = border_rule(along, n, leg.resampling.mode, whole_pixels=leg.map.is_exact)
            read[axis] = np.where(outside, np.nan, along)
        pulled = legs[number - 1].map.pull(read) if number else read
    return pulled


def uncut_bounds(parts: Sequence[np.ndarray], legs: Sequence[Leg]) -> np.ndarray | None:
    """Return the bounds of an object as if no step had cut it, or None where a map has no place for all of it."""
    for leg in legs:
        for step in maps_of(leg.map):
            moved = [step.forward(part if step.preserves_lines else densified(part)) for part in parts]
            if not all(has_place.all() for _, has_place in moved):
                return None
            parts = [places for places, _ in moved]
    return _bounds(parts)

"""Boxes of overlapping tiles made those of one image: each object once, from the tile in which it lies farthest inside.

::

    alike   boxes of two tiles, of one class, that cover for the most part the same of what both tiles see
    object  boxes that are alike, by falling likeness, never two of one tile: that tile says they are two objects
    cut     a box that ends at an inner edge of its tile, or so near that it may go on beyond it, or of an object that does
    its box of those that are not cut the one farthest from the inner edges of its tile; of cut ones alone, all they cover together
    rest    dropped are slivers: an object of cut boxes alone of which another tile sees all and does not say it; and one of which a
            box lies for the most part in a larger object, if no tile of its own has that one, and none sees all of it or all its
            boxes are cut

An object that is no larger than the overlap is whole in one tile at least, and has the box that this tile gives it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from offgraph.inference.detections import Detections
from offgraph.inference.tiling.grid import TileGrid

__all__ = ["joined_tiles", "placed", "tiles_of"]

_ALIKE = 0.5
"""IoU above which boxes of two tiles are one object, and the share of a cut box that lies in one."""

_NEAR = 1.0
"""Pixels from an inner edge within which a box is cut: box edges are seldom exact."""

_NEAR_SHARE = 0.05
"""The same as a share of the box's side, where that is more."""

_AT_ONCE = 1 << 20
"""Pairs of boxes that are compared at a time."""


@dataclass(frozen=True, eq=False)
class _Boxes:
    """The boxes of all tiles, in the coordinates of the image, and of each its tile: number and edges."""

    edges: np.ndarray
    within: np.ndarray
    labels: np.ndarray
    tile: np.ndarray
    depth: np.ndarray
    cut: np.ndarray


def tiles_of(grid: TileGrid) -> list[tuple[slice, ...]]:
    """The windows of all tiles, in C order."""
    return [window for row in range(len(grid.axes[0])) for window in grid.windows(row)]


def joined_tiles(found: Sequence[Detections], grid: TileGrid) -> Detections:
    """Make one of what a detector says of each tile.

    Parameters
    ----------
    found : sequence of Detections
        For each tile, in C order, as `placed` returns it.
    grid : TileGrid

    Returns
    -------
    Detections
        By falling score.
    """
    windows = tiles_of(grid)
    several = _gathered(found)
    boxes = _described(several, [len(one.scores) for one in found], windows, grid)
    groups = _Groups(boxes.tile)
    alike, inside = _compared(boxes, grid, windows)
    for _, one, other in alike:
        groups.unite(one, other)
    objects = groups.all()
    made, parts = _objects(several, boxes, objects)
    stray = _inside_larger(made, parts, boxes, objects, inside) | _unconfirmed(
        made, parts, boxes, objects, grid
    )
    order = [row for row in np.argsort(-made.scores, kind="stable").tolist() if row not in stray]
    return made.rows(np.array(order, np.int64))


def placed(found: Detections, window: tuple[slice, ...]) -> Detections:
    """Bring a tile's boxes into the coordinates of the image, each up to the tile's border; what lies outside is dropped."""
    assert found.edges is not None, "keypoints alone are of a whole image"
    limits = np.array([one.stop - one.start for one in window]) - 0.5
    offset = np.array([one.start for one in window], np.float64)
    edges = np.clip(found.edges, -0.5, np.tile(limits, 2)) + np.tile(offset, 2)
    points = None if found.points is None else found.points + offset
    axes = len(window)
    return replace(found, edges=edges, points=points).rows(
        np.flatnonzero((edges[:, axes:] > edges[:, :axes]).all(axis=1))
    )


def _gathered(several: Sequence[Detections]) -> Detections:
    """The boxes of several answers, one after the other."""

    def all_of(name: str) -> np.ndarray | None:
        parts = [getattr(one, name) for one in several]
        return None if any(part is None for part in parts) else np.concatenate(parts)

    scores, labels = all_of("scores"), all_of("labels")
    assert scores is not None and labels is not None, "every answer has them"
    return Detections(all_of("edges"), scores, labels, all_of("points"), all_of("point_scores"))


def _described(
    several: Detections, counts: Sequence[int], windows: Sequence[tuple[slice, ...]], grid: TileGrid
) -> _Boxes:
    """Of which tile each box is, how far inside it, and whether it is cut."""
    assert several.edges is not None
    edges = several.edges
    tile = np.repeat(np.arange(len(windows)), counts)
    depth, cut, within = np.full(len(edges), np.inf), np.zeros(len(edges), bool), np.empty_like(edges)
    axes = len(grid.axes)
    for k, axis in enumerate(grid.axes):
        start = np.array([one[k].start for one in windows])
        stop = start + axis.size
        low, high = edges[:, k], edges[:, axes + k]
        near = np.maximum(_NEAR, _NEAR_SHARE * (high - low))
        before = np.where(start[tile] > 0, low - (start[tile] - 0.5), np.inf)
        after = np.where(stop[tile] < axis.padded, stop[tile] - 0.5 - high, np.inf)
        inside = np.minimum(before, after)
        depth = np.minimum(depth, inside)
        cut |= inside <= near
        within[:, k], within[:, axes + k] = start[tile] - 0.5, stop[tile] - 0.5
    return _Boxes(edges, within, several.labels, tile, depth, cut)


def _neighbours(grid: TileGrid) -> Iterator[tuple[int, int]]:
    """Each pair of tiles that share pixels, the earlier one first."""
    counts = [len(axis) for axis in grid.axes]
    numbers = np.arange(len(grid)).reshape(counts)
    reaches = [
        max(b - a for a in range(len(axis)) for b in range(a, len(axis)) if axis.starts[b] < axis.starts[a] + axis.size)
        for axis in grid.axes
    ]  # fmt: skip
    for place in itertools.product(*map(range, counts)):
        for step in itertools.product(*(range(-most, most + 1) for most in reaches)):
            other = tuple(a + b for a, b in zip(place, step))
            if step <= (0,) * len(step) or any(not 0 <= at < n for at, n in zip(other, counts)):
                continue
            shares = all(
                abs(axis.starts[a] - axis.starts[b]) < axis.size
                for axis, a, b in zip(grid.axes, place, other)
            )
            if shares:
                yield int(numbers[place]), int(numbers[other])


def _compared(
    boxes: _Boxes, grid: TileGrid, windows: Sequence[tuple[slice, ...]]
) -> tuple[list[tuple[float, int, int]], list[tuple[int, int]]]:
    """Pairs of boxes of different tiles that are alike, each after minus its likeness; and pairs of which the first lies in the other."""
    begins = np.searchsorted(boxes.tile, np.arange(len(windows) + 1))
    alike: list[tuple[float, int, int]] = []
    inside: list[tuple[int, int]] = []
    for a, b in _neighbours(grid):
        low = np.array([max(one.start, two.start) for one, two in zip(windows[a], windows[b])]) - 0.5
        high = np.array([min(one.stop, two.stop) for one, two in zip(windows[a], windows[b])]) - 0.5
        ours, theirs = (
            begins[n] + np.flatnonzero(_meets(boxes.edges[begins[n] : begins[n + 1]], low, high))
            for n in (a, b)
        )
        along = int(np.argmax(high - low))
        for one, other in _meeting(boxes.edges, ours, theirs, along):
            same = boxes.labels[one] == boxes.labels[other]
            one, other = one[same], other[same]
            first, second = boxes.edges[one], boxes.edges[other]
            share = _overlap(_seen(first, low, high), _seen(second, low, high))
            found = np.flatnonzero(share > _ALIKE)
            alike += zip((-share[found]).tolist(), one[found].tolist(), other[found].tolist())
            for part, whole, of, more in ((first, second, one, other), (second, first, other, one)):
                found = np.flatnonzero(_overlap(part, whole, of_first=True) > _ALIKE)
                inside += zip(of[found].tolist(), more[found].tolist())
    return sorted(alike), inside


def _meeting(
    edges: np.ndarray, ours: np.ndarray, theirs: np.ndarray, along: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of boxes that may meet, by their places along one axis: some at a time."""
    if not len(ours) or not len(theirs):
        return
    axes = edges.shape[1] // 2
    theirs = theirs[np.argsort(edges[theirs, along], kind="stable")]
    starts = edges[theirs, along]
    longest = (edges[theirs, axes + along] - starts).max()
    first = np.searchsorted(starts, edges[ours, along] - longest)
    count = np.searchsorted(starts, edges[ours, axes + along]) - first
    ends = np.cumsum(count)
    begin = 0
    while begin < len(ours):
        before = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + _AT_ONCE, side="right")))
        some = count[begin:end]
        within = np.arange(some.sum()) - np.repeat(np.cumsum(some) - some, some)
        yield np.repeat(ours[begin:end], some), theirs[np.repeat(first[begin:end], some) + within]
        begin = end


def _meets(edges: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    axes = len(low)
    meets: Any = (edges[:, axes:] > low) & (edges[:, :axes] < high)
    return meets.all(axis=1)


def _seen(edges: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The parts of boxes within limits that they meet."""
    axes = len(low)
    return np.concatenate([np.maximum(edges[:, :axes], low), np.minimum(edges[:, axes:], high)], axis=1)


def _overlap(edges: np.ndarray, others: np.ndarray, *, of_first: bool = False) -> np.ndarray:
    """Shared volume of each box with its partner, over what both cover, or over the first alone."""
    axes = edges.shape[1] // 2
    sides = np.minimum(edges[:, axes:], others[:, axes:]) - np.maximum(edges[:, :axes], others[:, :axes])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    one, two = (np.prod(given[:, axes:] - given[:, :axes], axis=1) for given in (edges, others))
    of = one if of_first else one + two - shared
    return np.divide(shared, of, out=np.zeros_like(shared), where=of > 0)


class _Groups:
    """Boxes that are one object: each at first its own; no group has two of one tile."""

    def __init__(self, tile: np.ndarray) -> None:
        self._whose = list(range(len(tile)))
        self._members = {number: [number] for number in range(len(tile))}
        self._tiles = {number: {of} for number, of in enumerate(tile.tolist())}

    def unite(self, one: int, other: int) -> None:
        a, b = sorted((self._whose[one], self._whose[other]))
        if a == b or self._tiles[a] & self._tiles[b]:
            return
        for number in self._members[b]:
            self._whose[number] = a
        self._members[a] += self._members.pop(b)
        self._tiles[a] |= self._tiles.pop(b)

    def all(self) -> list[list[int]]:
        """All groups, by their first member."""
        return [sorted(self._members[number]) for number in sorted(self._members)]


def _objects(
    several: Detections, boxes: _Boxes, objects: Sequence[list[int]]
) -> tuple[Detections, np.ndarray]:
    """What stands for each group, and whether all its boxes are cut."""
    chosen, parts = np.zeros(len(objects), np.int64), np.zeros(len(objects), bool)
    edges = boxes.edges.copy()
    axes = edges.shape[1] // 2
    depth, score = boxes.depth.tolist(), several.scores.tolist()
    for at, members in enumerate(objects):
        if len(members) == 1:
            chosen[at], parts[at] = members[0], boxes.cut[members[0]]
            continue
        own, within = boxes.edges[members], boxes.within[members]
        low, high = own[:, :axes].min(axis=0), own[:, axes:].max(axis=0)
        beyond = (low < within[:, :axes] - _NEAR) | (high > within[:, axes:] + _NEAR)
        cut = (boxes.cut[members] | beyond.any(axis=1)).tolist()
        whole = [number for number, part in zip(members, cut) if not part]
        if whole:
            chosen[at] = max(whole, key=lambda number: (depth[number], score[number], -number))
            continue
        best = max(members, key=lambda number: (score[number], -number))
        chosen[at], edges[best], parts[at] = best, np.concatenate([low, high]), True
    return replace(several, edges=edges).rows(chosen), parts


def _inside_larger(
    made: Detections,
    parts: np.ndarray,
    boxes: _Boxes,
    objects: Sequence[list[int]],
    inside: Sequence[tuple[int, int]],
) -> set[int]:
    """Objects that lie in a larger one that none of their tiles has, and that none of them sees all of."""
    assert made.edges is not None
    whose = np.zeros(len(boxes.tile), np.int64)
    for at, members in enumerate(objects):
        whose[members] = at
    axes = made.edges.shape[1] // 2
    volume = np.prod(made.edges[:, axes:] - made.edges[:, :axes], axis=1)
    stray: set[int] = set()
    for at, of in sorted({(int(whose[part]), int(whose[other])) for part, other in inside}):
        members, others = objects[at], objects[of]
        known = set(boxes.tile[members].tolist()) & set(boxes.tile[others].tolist())
        if (parts[of] and len(others) == 1) or known or at in stray or not volume[at] < volume[of]:
            continue
        within, edges = boxes.within[members], made.edges[of]
        beyond = (edges[:axes] < within[:, :axes] - _NEAR) | (edges[axes:] > within[:, axes:] + _NEAR)
        if (boxes.cut[members] | beyond.any(axis=1)).all():
            stray.add(at)
    return stray


def _unconfirmed(
    made: Detections, parts: np.ndarray, boxes: _Boxes, objects: Sequence[list[int]], grid: TileGrid
) -> set[int]:
    """Objects of cut boxes alone that lie inside another tile, which does not say them."""
    assert made.edges is not None
    rows = np.flatnonzero(parts)
    axes = len(grid.axes)
    low, high = made.edges[rows, :axes], made.edges[rows, axes:]
    near = np.maximum(_NEAR, _NEAR_SHARE * (high - low))
    holds = np.ones((len(rows), *map(len, grid.axes)), bool)
    for k, axis in enumerate(grid.axes):
        start = np.array(axis.starts)
        stop = start + axis.size
        after = low[:, k, np.newaxis] - near[:, k, np.newaxis] > start - 0.5
        before = high[:, k, np.newaxis] + near[:, k, np.newaxis] < stop - 0.5
        along = (after | (start == 0)) & (before | (stop == axis.padded))
        holds &= along.reshape(len(rows), *(len(axis) if i == k else 1 for i in range(axes)))
    return {
        row
        for row, tiles in zip(rows.tolist(), holds.reshape(len(rows), len(grid)))
        if not set(np.flatnonzero(tiles).tolist()) <= set(boxes.tile[objects[row]].tolist())
    }

"""Fusion: neighbouring operations that move pixels are joined into one that reads the image once.

The contract: a fused run equals one exact resample by the composed map, and every output pixel agrees with the chain
of steps within the interpolation error. What a border rule or a cut-off region decides has to come out the same:

    for each operation, after crops have been moved in front of pointwise operations:
        it changes values, or is a Resize or ResizeLike → the group ends
        it copies whole pixels that are all there       → joins
        the group ended in a displacement               → the group ends
        it has another spline order                     → the group ends
        it reads only inside the image before it        → joins: its border rule is never asked
        its border rule is not that of the group        → the group ends
        that image shows all of the group's input       → joins: its border is the input's border, or lies further out
        the rule is 'constant'                          → joins, and the rectangle of the image before it becomes a
                                                          clip: outside it an output pixel is the fill value
        any other rule                                  → the group ends: it would be seen

A group of one operation is that operation unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from offgraph.core.specs import held_by
from offgraph.geometry import AffineMap, CoordinateMap, GridMap, Resampling
from offgraph.plan.lower import PlannedOp
from offgraph.steps.ops import Clip, Filter, GeometricOp, Grid, Pointwise, Resample, Resize, ResizeLike, Zoom

__all__ = ["copies_inside", "fuse"]

_SLACK = 1e-9
"""Pixels by which rounding may carry a coordinate over the border of an image that it lies on."""


def fuse(ops: Sequence[PlannedOp]) -> tuple[PlannedOp, ...]:
    """Join operations under the contract of this module.

    Parameters
    ----------
    ops : sequence of PlannedOp
        As lowered, in order.

    Returns
    -------
    tuple of PlannedOp
    """
    if sum(isinstance(planned.op, GeometricOp) for planned in ops) < 2 and not _crops_after_values(ops):
        return tuple(ops)
    fused: list[PlannedOp] = []
    group: _Group | None = None
    between = ""  # what stands between the last operation that moves pixels and the next one
    for planned in _crops_first(ops):
        op = planned.op
        joins = (
            isinstance(op, GeometricOp)
            and not isinstance(op, Resize | ResizeLike)
            and bool(planned.after.pixels)
        )
        if group is not None:
            reason = planned.reason or (group.refuses(op) if joins else _separates(planned))  # type: ignore[arg-type]
            if not reason:
                group.join(planned)
                continue
            fused.append(group.planned())
            group = None
            if joins:
                planned = planned._replace(reason=reason)
            else:
                between = reason
        elif joins and between:
            planned = planned._replace(reason=between)
        if joins:
            group, between = _Group(planned), ""
        else:
            fused.append(planned)
    if group is not None:
        fused.append(group.planned())
    return tuple(fused)


def _separates(planned: PlannedOp) -> str:
    """Return why an operation keeps those that move pixels before and after it apart."""
    names = ", ".join(dict.fromkeys(each.step.name for each in planned.steps))
    match planned.op:
        case Filter():
            return f"{names} mixes neighbours in between"
        case Pointwise():
            return f"{names} changes values in between"
        case Resize() | ResizeLike():
            return f"{names} weighs pixels in between"
    return f"{names} stands in between"


def _crops_after_values(ops: Sequence[PlannedOp]) -> bool:
    return any(
        isinstance(before.op, Pointwise) and copies_inside(after.op) for before, after in pairwise(ops)
    )


def _crops_first(ops: Iterable[PlannedOp]) -> list[PlannedOp]:
    """Move copies of whole pixels in front of pointwise operations, and crops into the Resize before them.

    Both orders give the same bytes: a pointwise operation treats each value independently, and a Resize each output
    pixel.
    """
    moved: list[PlannedOp] = []
    for planned in ops:
        if not copies_inside(planned.op):
            moved.append(planned)
            continue
        later: list[PlannedOp] = []
        while moved and isinstance(moved[-1].op, Pointwise):
            later.append(moved.pop())
        size = planned.after.size
        if later:
            before = later[-1].before
            planned = planned._replace(
                before=before, after=before.resized(size), reason=_stored_before(later)
            )
        windowed = _windowed(moved[-1], planned) if moved else None
        if windowed is None:
            moved.append(planned)
        else:
            moved[-1] = windowed
        for each in reversed(later):
            moved.append(each._replace(before=each.before.resized(size), after=each.after.resized(size)))
    return moved


def _stored_before(later: Sequence[PlannedOp]) -> str:
    """Say what keeps a crop from joining a resampling: what follows makes floats of integers, and a dataset ends there.

    A run that begins with stored images gives the same bytes as one that begins with files.
    """
    for each in later:
        if np.dtype(each.after.dtype).kind == "f" and np.dtype(each.before.dtype).kind != "f":
            return f"a dataset may store what {each.steps[0].step.name} is given"
    return ""


def _windowed(resized: PlannedOp, cropped: PlannedOp) -> PlannedOp | None:
    """A Resize that makes only what the crop after it keeps; None for anything else."""
    op, crop = resized.op, cropped.op
    if not (isinstance(op, Resize) and isinstance(crop, Grid)):
        return None
    grid = crop.map
    if grid.axes != tuple(range(len(grid.axes))) or any(grid.flips) or 0 in grid.output_size:
        return None
    window = op.window or tuple((0, n) for n in op.size)
    cut = tuple(
        (start + first, length) for (start, _), first, length in zip(window, grid.start, grid.output_size)
    )
    narrowed = replace(op, map=op.map.then(grid), window=cut)
    return resized._replace(op=narrowed, steps=resized.steps + cropped.steps, after=cropped.after)


class _Group:
    """Operations that become one.

    Attributes
    ----------
    map : CoordinateMap
        From the last output to the group's input.
    rule : Resampling or None
        Of its resampling operations; None while it only copies whole pixels.
    border : Resampling or None
        What it reads outside its input; None while it can read nothing outside.
    clips : list of (CoordinateMap, size)
        Rectangles of images inside the group, each with the map from the last output to it.
    resampled_axes : set of int or None
        The spatial axes that its resampling operations work on; None for all. In volumes others may be carried along.
    """

    def __init__(self, first: PlannedOp) -> None:
        op = first.op
        assert isinstance(op, GeometricOp)
        self.members = [first]
        self.map = op.map
        self.rule = None if isinstance(op, Grid) else op.resampling
        self.border = None if copies_inside(op) else op.resampling
        self.clips: list[tuple[CoordinateMap, tuple[int, ...]]] = []
        self.resampled_axes = _resampled_axes(op)

    def refuses(self, op: GeometricOp) -> str:
        """Return why an operation cannot join, or nothing."""
        if reason := self._other_axes(op):
            return reason
        if copies_inside(op):
            return ""
        if self.map.generality is None:
            return "a displacement is the last map of a group"
        rule, copies = op.resampling, isinstance(self.map, GridMap) and self.rule is None
        if not isinstance(op, Grid):
            if self.rule is not None and rule.order != self.rule.order:
                return f"order={rule.order} after order={self.rule.order}"
            if copies and isinstance(op, Zoom):
                return "a zoom alone is cheaper, axis by axis"
            if copies and rule.order > 1 and not _shows(self.map, exactly=False):
                return "splines are made of the cropped image alone"
        if op.map.reads_inside(_SLACK):
            return ""
        if self.border is not None and rule.mode != self.border.mode:
            return f"mode={rule.mode!r} after mode={self.border.mode!r}"
        if self.border is not None and rule.is_constant and rule.cval != self.border.cval:
            return f"cval={rule.cval:g} after cval={self.border.cval:g}"
        if copies and _shows(self.map, exactly=rule.mode != "constant"):
            return ""
        if copies:
            return "the border of the cropped image is seen"
        if rule.mode != "constant":
            return f"mode={rule.mode!r} repeats the border of the image before it"
        return ""

    def _other_axes(self, op: GeometricOp) -> str:
        """Return why an operation cannot join in a volume: a resampling of some axes must leave the others alone."""
        own = _resampled_axes(op)
        if own is None and self.resampled_axes is None:
            return ""
        if self.rule is not None and not isinstance(op, Grid):
            return "" if own == self.resampled_axes else "it resamples other axes"
        resampled, copied = (self.resampled_axes, op.map) if own is None else (own, self.map)
        if resampled is not None and isinstance(copied, GridMap) and not _moved_axes(copied) <= resampled:
            return "it moves an axis that the resampling carries along"
        return ""

    def join(self, planned: PlannedOp) -> None:
        """Take an operation that is not refused."""
        op = planned.op
        assert isinstance(op, GeometricOp)
        before = self.map
        self.clips = [(grid.then(op.map), size) for grid, size in self.clips]
        if not (copies_inside(op) or self.rule is None or op.map.reads_inside(_SLACK)):
            self.clips.append((op.map, before.output_size))
        self.map = before.then(op.map)
        if not isinstance(op, Grid) and self.rule is None:
            self.rule = op.resampling
            self.resampled_axes = _resampled_axes(op)
        if not copies_inside(op) and self.border is None:
            self.border = op.resampling
        self.members.append(planned)

    def planned(self) -> PlannedOp:
        """Return the group as one operation."""
        first, last = self.members[0], self.members[-1]
        if len(self.members) == 1:
            return first
        steps = tuple(step for member in self.members for step in member.steps)
        return PlannedOp(self._op(), steps, first.before, last.after, first.reason)

    def _op(self) -> GeometricOp:
        border = self.border or Resampling(order=0)
        if self.rule is None:
            assert isinstance(self.map, GridMap)
            return Grid(self.map, border)
        rule = self.rule
        if (rule.mode, rule.cval) != (border.mode, border.cval):
            rule = replace(rule, mode=border.mode, cval=border.cval)
        clips = tuple(
            Clip(grid.affine() if isinstance(grid, GridMap) else grid, size)
            for grid, size in self.clips
            if not grid.reads_inside(_SLACK)
        )
        whole = _whole_pixels(self.map)
        if whole is not None and not clips and (not whole.reaches_outside or self._holds(rule)):
            return Grid(whole, rule)
        moved = whole or self.map
        if isinstance(moved, GridMap):
            moved = moved.affine()
        moved_axes = None if self.resampled_axes is None else tuple(sorted(self.resampled_axes))
        return Resample(moved, rule, clips, moved_axes)

    def _holds(self, rule: Resampling) -> bool:
        """Whether the image's dtype holds the fill value, as a copy demands; a resampling casts it."""
        try:
            held_by(np.dtype(self.members[0].before.dtype), cval=rule.cval)
        except ValueError:
            return not rule.is_constant
        return True


def copies_inside(op: object) -> bool:
    """Whether an operation copies whole pixels that are all there: a flip, a turn, a crop."""
    return isinstance(op, Grid) and not op.map.reaches_outside


def _resampled_axes(op: GeometricOp) -> set[int] | None:
    """The spatial axes that a resampling works on where it carries others along, else None."""
    return set(op.moved_axes) if isinstance(op, Resample) and op.moved_axes is not None else None


def _moved_axes(grid: GridMap) -> set[int]:
    """The spatial axes on which a grid map moves or drops pixels."""
    return {
        i
        for i, size in enumerate(grid.output_size)
        if (grid.axes[i], grid.flips[i], grid.start[i], size) != (i, False, 0, grid.input_size[i])
    }


def _shows(grid: CoordinateMap, *, exactly: bool) -> bool:
    """Whether a grid map shows all of its input; exactly: and nothing beyond it."""
    if not isinstance(grid, GridMap):
        return False
    for axis, flip, first, length in zip(grid.axes, grid.flips, grid.start, grid.output_size):
        low, high = (first - length + 1, first) if flip else (first, first + length - 1)
        last = grid.input_size[axis] - 1
        if low > 0 or high < last or (exactly and (low, high) != (0, last)):
            return False
    return True


def _whole_pixels(grid: CoordinateMap) -> GridMap | None:
    """An affine map as the grid map that it is but for the rounding of its composition, as turns that cancel are."""
    if isinstance(grid, GridMap):
        return grid
    if not isinstance(grid, AffineMap):
        return None
    if any(_off(factor) > _SLACK for row, _ in grid.rows for factor in row):
        return None
    for row, first in grid.rows:
        reach = 0.0
        for factor, length in zip(row, grid.output_size):
            reach += _off(factor) * length
        if reach + _off(first) > _SLACK:
            return None
    matrix, offset = np.round(grid.matrix), np.round(grid.offset)
    return GridMap.from_affine(AffineMap(matrix, offset, grid.input_size, grid.output_size))


def _off(number: float) -> float:
    """How far a number is from a whole one."""
    return abs(number - round(number))

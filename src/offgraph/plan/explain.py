"""A plan in words: what became of each step, what was fused, why a group ended, what each operation costs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.engine.library_resize import LIBRARIES
from offgraph.engine.resize import weight_table
from offgraph.geometry import (
    AffineMap,
    ChainMap,
    CoordinateMap,
    DisplacementMap,
    GridMap,
    ProjectiveMap,
    RadialMap,
)
from offgraph.plan.lower import PlannedOp
from offgraph.plan.native import native_op
from offgraph.plan.placed import AppliedStep, PlacedStep
from offgraph.plan.refusals import named
from offgraph.steps.kinds import ImageStep
from offgraph.steps.ops import Filter, Grid, Op, Pointwise, PythonStep, Resample, Resize, ResizeLike, Zoom

__all__ = ["explain", "spec_text"]

_MAPS: dict[type[CoordinateMap], str] = {
    AffineMap: "one affine map",
    ProjectiveMap: "one projective map",
    DisplacementMap: "one displacement field",
    RadialMap: "one radial map",
    ChainMap: "several maps, composed",
}


def explain(placed: Sequence[PlacedStep], applied: Sequence[AppliedStep], ops: Sequence[PlannedOp]) -> str:
    """Return a plan in words.

    Parameters
    ----------
    placed, applied : sequence of PlacedStep, sequence of AppliedStep
        The steps and what they drew.
    ops : sequence of PlannedOp
        The operations that run.

    Returns
    -------
    str
        Three or four lines per operation, and one per step that is not applied.
    """
    lines: list[str] = []
    for number, planned in enumerate(ops, 1):
        titles = ", ".join(dict.fromkeys(f"{step.number} {step.name}" for step in planned.steps))
        word = "steps" if len({step.number for step in planned.steps}) > 1 else "step"
        lines.append(f"{number}. {_does(planned.op)}  [{word} {titles}]")
        if planned.reason:
            lines.append(f"   begins anew: {planned.reason}")
        lines.append(f"   {_costs(planned)}")
        with named(planned.steps, planned.before):
            if native_op(planned.op, planned.before) is None:
                lines.append("   called from Python by itself: it splits the native call of the others")
        lines.append(f"   gives {spec_text(planned.after)}")
    if not ops:
        lines.append("no operation: the image is copied")
    for step, drawn in zip(placed, applied):
        if not drawn.applied:
            lines.append(f"not applied: step {step.number} {step.step.name} (p={step.step.p:g})")
    return "\n".join(lines)


def spec_text(spec: ArraySpec) -> str:
    """Return a spec for people: ``"300 x 400 x 3 YXC uint8"``."""
    return f"{' x '.join(map(str, spec.shape))} {spec.axes} {spec.dtype}"


def _does(op: Op) -> str:
    """What an operation does, in one clause."""
    match op:
        case Grid():
            return f"copy whole pixels ({_grid(op.map)})"
        case Resample():
            rule = op.resampling
            images = "image" if len(op.clips) == 1 else f"{len(op.clips)} images"
            clips = f", clipped by the {images} in between" if op.clips else ""
            return f"resample through {_MAPS.get(type(op.map), 'one map')}: order {rule.order}, mode {rule.mode!r}{clips}"
        case Zoom():
            return f"zoom axis by axis: order {op.resampling.order}, mode {op.resampling.mode!r}"
        case Resize():
            size = " x ".join(map(str, op.size))
            part = ""
            if op.window is not None:
                part = (
                    f", of it only {' x '.join(str(length) for _, length in op.window)}, which the crop keeps"
                )
            antialias = "antialiased" if op.antialias else "not antialiased"
            return f"resize to {size}: kernel {op.kernel!r}, {antialias}{part}"
        case ResizeLike():
            size = " x ".join(map(str, op.map.output_size))
            library = LIBRARIES[op.like]
            antialias = ", antialiased" if op.antialias and library.chooses else ""
            return f"resize to {size} as {library.title} does: {library.kernels[op.kernel]}{antialias}"
        case Pointwise():
            return f"change each value: {op.step.name}"
        case Filter():
            return f"filter: {op.step.name}"
        case PythonStep() if isinstance(op.step, ImageStep):
            return f"change the image: {op.step.name}"
        case PythonStep():
            return f"run {op.step.name}'s own Python code"
    return type(op).__name__


def _grid(grid: GridMap) -> str:
    """A grid map in words."""
    words = []
    if grid.axes != tuple(range(len(grid.axes))):
        words.append("axes swapped")
    if any(grid.flips):
        words.append("mirrored")
    if grid.reaches_outside:
        words.append("padded")
    if any(length < grid.input_size[axis] for axis, length in zip(grid.axes, grid.output_size)):
        words.append("cropped")
    return ", ".join(words) or "all of them"


def _costs(planned: PlannedOp) -> str:
    """Pixels read and written and taps per value, of all channels."""
    op, before, after = planned.op, planned.before, planned.after
    read, written = math.prod(before.shape), math.prod(after.shape)
    reads, writes = f"reads {read:,} values", f"writes {written:,}"
    match op:
        case Grid():
            return f"reads and {writes} values"
        case Resample() | Zoom():
            axes = len(op.map.output_size)
            if isinstance(op, Resample) and op.moved_axes is not None:
                axes = len(op.moved_axes)
            taps = (
                (op.resampling.order + 1) ** axes
                if isinstance(op, Resample)
                else (op.resampling.order + 1) * axes
            )
            first = f"makes {read:,} spline coefficients, " if op.resampling.order > 1 else ""
            return f"{first}{writes} values of {taps} tap{'s' * (taps > 1)} each"
        case Resize():
            taps = [
                int(weight_table(n, length, op.kernel, op.antialias)[1].max())
                for n, length in zip(before.size, op.size)
            ]
            return (
                f"{reads}, {writes} values; up to {' + '.join(map(str, taps))} weights each, axis after axis"
            )
        case Pointwise():
            table = op.has_table(before)
            how = (
                f"looked up in a table of {1 << 8 * np.dtype(before.dtype).itemsize:,}"
                if table
                else "computed"
            )
            return f"reads and {writes} values, {how}"
        case Filter():
            samples = op.step.window(op.params, before)
            window = f"; its window has up to {samples:,.0f} samples" if samples > 1 else ""
            return f"reads and {writes} values{window}"
    return f"{reads}, {writes} values"

"""Run a plan in the native core: all operations of a sample in one call, with the bytes of the Python runner.

An operation that only Python can run splits the plan. What is left to Python besides: arrays without elements, and
numbers that float64 does not hold.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from offgraph.core.errors import StepError
from offgraph.core.specs import ArraySpec, held_by
from offgraph.engine.calls import is_native
from offgraph.engine.image_ops import takes_images
from offgraph.engine.native_plan import (
    LookupTable,
    NativeClip,
    NativeOp,
    NativeStage,
    NativeTarget,
    affine_op,
    affine_pull,
    arithmetic_op,
    border_stage,
    clip_box,
    displacement_pull,
    field_pull,
    filter_op,
    grid_op,
    lookup_op,
    lookup_table,
    native_target,
    on_border,
    projective_pull,
    radial_pull,
    resize_op,
    run_plan,
    warp_op,
    zoom_op,
)
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.base import CoordinateMap
from offgraph.geometry.chain_map import ChainMap
from offgraph.geometry.displacement_map import DisplacementMap
from offgraph.geometry.grid_map import GridMap
from offgraph.geometry.projective_map import ProjectiveMap
from offgraph.geometry.radial_map import RadialMap
from offgraph.geometry.resampling import Leg
from offgraph.plan.lower import PlannedOp
from offgraph.plan.refusals import refuse
from offgraph.steps.base import Step
from offgraph.steps.kinds import Arithmetic, ImageStep, PointwiseStep
from offgraph.steps.ops import (
    Clip,
    Filter,
    Grid,
    Op,
    Pointwise,
    PythonStep,
    Resample,
    Resize,
    Zoom,
    value_table,
)
from offgraph.targets.composed import (
    SLACK,
    check_grid,
    compose_affine,
    fill_bounds,
    is_mirrored,
    reads_inside,
)
from offgraph.targets.heatmap import Heatmap
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask

__all__ = ["Companion", "companion", "lone_companion", "native_op", "run_image"]

_MOST_KEPT_ENTRIES = 1 << 20
"""A table that is kept from image to image may have more entries than one image has values, up to this many."""


def native_op(op: Op, spec: ArraySpec) -> NativeOp | None:
    """Return an operation for the native core, or None where only Python can run it.

    Parameters
    ----------
    op : Op
    spec : ArraySpec
        Of the image before it.
    """
    if 0 in spec.shape:
        return None
    rule: Any = getattr(op, "resampling", None)
    match op:
        case Grid():
            return _grid(op.map, rule.mode, rule.cval, np.dtype(spec.dtype))
        case Zoom():
            return zoom_op(
                spec.size, op.map.output_size, grid_mode=op.grid_mode, order=rule.order, mode=rule.mode, cval=rule.cval
            )  # fmt: skip
        case Resize():
            return resize_op(spec.size, op.size, kernel=op.kernel, antialias=op.antialias, window=op.window)
        case Resample() if isinstance(op.map, AffineMap):
            return _resample(op, op.map)
        case Resample():
            return _warp(op)
        case Pointwise():
            return _pointwise(op, spec)
        case Filter():
            return _filter(op, spec)
        case PythonStep():
            return _image(op, spec)
    return None


def _grid(grid: GridMap, mode: str, value: float, dtype: np.dtype[Any]) -> NativeOp:
    """A copy of whole pixels; a value outside that is needed must fit the dtype."""
    if mode in ("constant", "grid-constant") and grid.reaches_outside:
        held_by(dtype, cval=value)
    return grid_op(grid.axes, grid.flips, grid.start, grid.output_size, mode, value)


def _resample(op: Resample, grid: AffineMap) -> NativeOp | None:
    rule, moved_axes, clips = op.resampling, op.moved_axes, _clips(op)
    if clips is None:
        return None
    matrix, offset = _numbers(grid if moved_axes is None else grid.on_axes(moved_axes))
    return affine_op(
        matrix, offset, grid.output_size, order=rule.order, mode=rule.mode, cval=rule.cval, moved_axes=moved_axes or (),
        clips=clips,
    )  # fmt: skip


def _numbers(grid: AffineMap) -> tuple[list[float], list[float]]:
    """Matrix and offset, in order, without an array."""
    return [factor for row, _ in grid.rows for factor in row], [first for _, first in grid.rows]


def _warp(op: Resample) -> NativeOp | None:
    """A resampling at coordinates, in rectangles of earlier images."""
    rule, first = op.resampling, _maps(op.map)[-1]
    stages = _stages(op.map, at_pixels=True)
    if stages is None:
        return None
    windows, boxes = [], []
    for clip in op.clips:
        if isinstance(clip.map, AffineMap):
            boxes.append(clip)
            continue
        maps = _maps(clip.map)
        # The rectangle's coordinates begin as those of the image do.
        shared = isinstance(first, DisplacementMap)
        if shared and maps[-1] is not first:
            return None
        way = _stages_of(maps[:-1] if shared else maps, at_pixels=False)
        if way is None:
            return None
        windows.append((way, clip.size))
    return warp_op(
        [*stages, on_border(op.map.input_size)], op.map.output_size, order=rule.order, mode=rule.mode, cval=rule.cval,
        clips=_boxes(boxes, rule.cval), windows=windows,
    )  # fmt: skip


def _maps(whole: CoordinateMap) -> Sequence[CoordinateMap]:
    return whole.maps if isinstance(whole, ChainMap) else (whole,)


def _stages(whole: CoordinateMap, *, at_pixels: bool) -> list[NativeStage] | None:
    return _stages_of(_maps(whole), at_pixels=at_pixels)


def _stages_of(maps: Sequence[CoordinateMap], *, at_pixels: bool) -> list[NativeStage] | None:
    """The maps of a chain, from the last to the first; None where one is not known.

    A displacement that takes output pixels is enlarged to one value per pixel; elsewhere it is sampled point by point.
    """
    stages: list[NativeStage] = []
    for each in reversed(maps):
        step = each.affine() if isinstance(each, GridMap) else each
        match step:
            case AffineMap():
                stages.append(affine_pull(*_numbers(step)))
            case ProjectiveMap():
                stages.append(projective_pull(step.matrix))
            case RadialMap():
                stages.append(radial_pull(step.coefficients, step.centre, step.radius))
            case DisplacementMap() if at_pixels and not stages:
                field = step.field if step.grid == step.output_size else step.field.astype(np.float32)
                stages.append(displacement_pull(field, step.output_size, step.order, step.nothing))
            case DisplacementMap():
                stages.append(field_pull(step.padded_coefficients, step.scale, step.order, step.nothing))
            case _:
                return None
    return stages


def _clips(op: Resample) -> list[NativeClip] | None:
    if not all(isinstance(clip.map, AffineMap) for clip in op.clips):
        return None
    return _boxes(op.clips, op.resampling.cval)


def _boxes(clips: Sequence[Clip], value: float) -> list[NativeClip]:
    return [
        clip_box(*_numbers(clip.map), (0.0,) * len(clip.size), [n - 1.0 for n in clip.size], value)
        for clip in clips
        if isinstance(clip.map, AffineMap)
    ]


def _pointwise(op: Pointwise, spec: ArraySpec) -> NativeOp | None:
    channel, kind = _channel(spec.axes), np.dtype(spec.dtype)
    if kind.kind in "ui" and kind.itemsize <= 2:
        entries = _channels(spec) << 8 * kind.itemsize
        if not op.params and entries <= max(_MOST_KEPT_ENTRIES, math.prod(spec.shape)):
            return lookup_op(_kept_table(op.step, spec.dtype, _channels(spec), op.dtype), channel)
        if not op.has_table(spec):
            return None
        return lookup_op(_table(op.step, spec.dtype, _channels(spec), op.dtype, op.params), channel)
    own = _declares(type(op.step), "arithmetic", "reference")
    steps = op.step.arithmetic(op.params, spec.dtype) if own else None
    if steps is None or op.dtype not in ("float32", "float64"):
        return None
    return arithmetic_op(steps, op.dtype, channel)


def _filter(op: Filter, spec: ArraySpec) -> NativeOp | None:
    cls = type(op.step)
    if not is_native(spec.dtype):
        return None
    if _declares(cls, "passes", "filter", "reference"):
        passes = op.step.passes(op.params, spec)
        return None if passes is None else filter_op(passes)
    is_own = _declares(cls, "work", "filter", "reference") and takes_images(spec.axes, spec.dtype)
    return op.step.work(op.params, spec) if is_own and op.output_spec(spec) == spec else None


def _image(op: PythonStep, spec: ArraySpec) -> NativeOp | None:
    """The work of a step on a whole image, which leaves the shape."""
    step = op.step
    same_shape = op.spec == spec.cast(op.spec.dtype)
    if not isinstance(step, ImageStep) or not takes_images(spec.axes, spec.dtype) or not same_shape:
        return None
    return (
        step.work(op.params, spec) if _declares(type(step), "work", "compute", "reference", "apply") else None
    )


@functools.cache
def _declares(cls: type[Step], method: str, *others: str) -> bool:
    """Whether `method` belongs to the step's definition; a class with other `others` inherits a wrong one."""
    first = next(base for base in cls.__mro__ if {method, *others} & vars(base).keys())
    return method in vars(first)


def _table(
    step: PointwiseStep, dtype: str, channels: int, result: str, params: dict[str, Any]
) -> LookupTable:
    """The results for every value, and the arithmetic that may give the same."""
    steps = step.arithmetic(params, dtype) if result == "float32" else None
    linear = [_linear(steps, channel) for channel in range(channels)] if steps is not None else ()
    entries = value_table(step, dtype, channels, result, params)
    return lookup_table(entries, linear, signed=np.dtype(dtype).kind == "i")


@functools.lru_cache(maxsize=16)
def _kept_table(step: PointwiseStep, dtype: str, channels: int, result: str) -> LookupTable:
    return _table(step, dtype, channels, result, {})


def _linear(steps: Arithmetic, channel: int) -> tuple[float, float]:
    """Operations one after another as one scale and one offset; the effect of rounding is tried, not assumed."""
    scale, offset = 1.0, 0.0
    for name, numbers in steps:
        number = numbers[channel % len(numbers)]
        if name == "add":
            offset += number
        elif name == "subtract":
            offset -= number
        elif name == "multiply":
            scale, offset = scale * number, offset * number
        else:
            scale, offset = scale / number, offset / number
    return scale, offset


def _channels(spec: ArraySpec) -> int:
    return spec.shape[spec.axes.index("C")] if "C" in spec.axes else 1


@functools.cache
def _channel(axes: str) -> int | None:
    """The axis of the channels, of an array whose axes are brought into order: outer, spatial, inner."""
    if "C" not in axes:
        return None
    last = max(i for i, name in enumerate(axes) if name not in "CT")
    others = [name for i, name in enumerate(axes) if name in "CT"]
    outer = [name for name in axes[:last] if name in "CT"]
    spatial = len(axes) - len(others)
    place = others.index("C")
    return place if place < len(outer) else place + spatial


class Companion(NamedTuple):
    """A target that moves with the image, in the same native call.

    Parameters
    ----------
    native : NativeTarget
    result : Mask or Heatmap
        Holds the array that the call fills.
    exchanged : bool
        Whether labels of a mirrored mask are exchanged afterwards.
    legs : sequence of Leg
        For densities, which are scaled afterwards.
    """

    native: NativeTarget
    result: Mask | Heatmap
    exchanged: bool = False
    legs: Sequence[Leg] = ()

    def finished(self) -> Mask | Heatmap:
        """Return the target after the call."""
        if isinstance(self.result, Heatmap):
            return self.result.scaled(self.legs) if self.legs else self.result
        return self.result.exchanged() if self.exchanged else self.result


def companion(target: Mask | Heatmap, legs: Sequence[Leg]) -> Companion | None:
    """Return how a target is moved by a native call, as `target.moved(legs)` moves it; or None where Python has to.

    Raises
    ------
    StepError
        As `moved` does.
    """
    if not legs:
        return None
    is_mask = isinstance(target, Mask)
    check_grid("a mask" if is_mask else "a heatmap", target.size, legs)
    if 0 in target.array.shape or any(0 in leg.map.output_size for leg in legs):
        return None
    values = [target.fill if isinstance(target, Heatmap) else leg.resampling.mask_cval for leg in legs]
    if not all(float(value) == value and abs(value) < 2**53 for value in values):
        return None
    try:
        ops = _moves(legs, target.array.dtype, values, is_mask)
    except ValueError as error:
        raise StepError(str(error)) from None
    if ops is None:
        return None
    spec = target.spec
    output = np.empty(spec.resized(legs[-1].map.output_size).shape, target.array.dtype)
    native = native_target(target.array, output, spec.spatial, ops)
    swaps = isinstance(target, Mask) and bool(target.swap) and is_mirrored(legs)
    is_density = isinstance(target, Heatmap) and target.density and not all(leg.map.is_exact for leg in legs)
    return Companion(native, target.with_array(output), swaps, legs if is_density else ())


def lone_companion(mask: Mask, op: Op, leg: Leg) -> Companion | None:
    """Return how a native call moves a mask by its only operation, as `op.run_labels`; or None where Python has to.

    Raises
    ------
    StepError
        As `run_labels` does.
    """
    if not isinstance(op, Grid | Resample) or (isinstance(op, Resample) and op.clips):
        return None
    if mask.array.dtype.itemsize == 8 or 0 in leg.map.output_size:
        return None
    check_grid("a mask", mask.size, (leg,))
    rule, spec = op.resampling.for_labels(), mask.spec
    if float(rule.cval) != rule.cval:
        return None
    try:
        if isinstance(op, Resample) or op.map.reaches_outside:
            held_by(mask.array.dtype, mask_cval=rule.cval)
    except ValueError as error:
        raise StepError(str(error)) from None
    native = native_op(replace(op, resampling=rule), spec)
    if native is None:
        return None
    output = np.empty(spec.resized(leg.map.output_size).shape, mask.array.dtype)
    swaps = bool(mask.swap) and is_mirrored((leg,))
    return Companion(
        native_target(mask.array, output, spec.spatial, (native,)), mask.with_array(output), swaps
    )


def _moves(
    legs: Sequence[Leg], dtype: np.dtype[Any], values: Sequence[float], is_mask: bool
) -> list[NativeOp] | None:
    """The operations of a chain: copies of whole pixels, or one reading through the composed map."""
    if all(leg.map.is_exact for leg in legs):
        grids = [(leg.map, leg.resampling.mode, value) for leg, value in zip(legs, values)]
        return [_grid(grid, mode, value, dtype) for grid, mode, value in grids if isinstance(grid, GridMap)]
    first = legs[0]
    for leg, value in zip(legs, values):
        if is_mask and leg.resampling.is_constant:
            held_by(dtype, mask_cval=value)
    maps = compose_affine(legs)
    mode, later = "nearest", 0
    if not is_mask:
        mode = (
            "grid-constant" if first.map.is_exact and first.resampling.is_constant else first.resampling.mode
        )
        later = 0 if mode == "constant" else 1
        mode = "nearest" if mode == "constant" else mode
    if maps is None or (is_mask and not reads_inside(maps[0], first)):
        return _moves_by_rules(legs, values, is_mask, mode, later)
    clips = []
    for leg, grid, value in list(zip(legs, maps, values))[later:]:
        if not leg.resampling.is_constant:
            continue
        axes, start, after = fill_bounds(grid, leg)
        if axes:
            last = np.nextafter(after[axes], -np.inf).tolist()
            clips.append(clip_box(grid.matrix[axes], grid.offset[axes], [start] * len(axes), last, value))
    whole = maps[0]
    offset = whole.offset + SLACK if is_mask else whole.offset
    return [
        affine_op(
            whole.matrix,
            offset,
            whole.output_size,
            order=0 if is_mask else 1,
            mode=mode,
            cval=0.0 if is_mask else values[0],
            clips=clips,
            labels=is_mask,
        )
    ]


def _moves_by_rules(
    legs: Sequence[Leg], values: Sequence[float], is_mask: bool, mode: str, later: int
) -> list[NativeOp] | None:
    """One reading at coordinates that the border rule of each step has changed, as `pull_through` gives them."""
    stages: list[NativeStage] = []
    last = len(legs) - 1
    for number in range(last, -1, -1):
        leg = legs[number]
        maps = _stages(leg.map, at_pixels=number == last)
        if maps is None:
            return None
        stages += maps
        if number == last:
            stages.append(on_border(leg.map.input_size))
        if number >= later:
            rule = leg.resampling.mode
            stages.append(border_stage(leg.map.input_size, rule, leg.map.is_exact, values[number]))
    return [
        warp_op(
            stages,
            legs[-1].map.output_size,
            order=0 if is_mask else 1,
            mode=mode,
            cval=values[0],
            labels=is_mask,
        )
    ]


def run_image(ops: Sequence[PlannedOp], image: Image, companions: Sequence[Companion] = ()) -> Image:
    """Run operations on an image: those that stand together in one native call, the others in Python.

    Parameters
    ----------
    ops : sequence of PlannedOp
    image : Image
        Left as it is.
    companions : sequence of Companion
        Run in the first native call; in one of their own if the image needs none.

    Returns
    -------
    Image
        The bytes of `offgraph.plan.run.run_image`.

    Raises
    ------
    StepError
        Naming step, cause, shape, dtype and axes.
    """
    waiting: list[tuple[PlannedOp, NativeOp]] = []
    for planned in ops:
        try:
            native = native_op(planned.op, planned.before)
        except Exception as error:
            refuse(planned.steps, planned.before, error)
        if native is not None:
            waiting.append((planned, native))
            continue
        if waiting:
            image = _run_waiting(waiting, image, companions)
            waiting, companions = [], ()
        image = planned.run(image)
    if waiting:
        return _run_waiting(waiting, image, companions)
    if companions:
        run_plan([companion.native for companion in companions])
    return image


def _run_waiting(
    waiting: Sequence[tuple[PlannedOp, NativeOp]], image: Image, companions: Sequence[Companion]
) -> Image:
    first, last = waiting[0][0], waiting[-1][0]
    output = np.empty(last.after.shape, last.after.dtype)
    try:
        own = native_target(image.array, output, first.before.spatial, [op for _, op in waiting])
        run_plan([own, *(companion.native for companion in companions)])
    except Exception as error:
        refuse(tuple(step for planned, _ in waiting for step in planned.steps), first.before, error)
    return image.with_array(output) if image.axes == last.after.axes else Image(output, last.after.axes)

"""Draw: what each step does to one image, decided from specs alone (and from a target where a step says so), and checked against limits before anything runs."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from offgraph.core.counting import number_text
from offgraph.core.random import Draw, Key, TargetView
from offgraph.core.specs import MAX_PIXELS, ArraySpec, OpenSpec
from offgraph.plan.placed import AppliedStep, PlacedStep
from offgraph.plan.refusals import named, refuse
from offgraph.steps.base import Step
from offgraph.steps.kinds import FilterStep, PointwiseStep
from offgraph.steps.structure import StructureStep, check_input, open_spec_after

__all__ = [
    "MAX_SIDE",
    "MAX_WINDOW",
    "chance_address",
    "check_input",
    "draw",
    "drawn_at",
    "drawn_spec",
    "fixed",
    "size_text",
]

MAX_SIDE = 1 << 24
"""Most pixels along an axis that a step makes longer: tables of positions and weights are as long."""
MAX_WINDOW = 1 << 20
"""Most samples in the window of a filter: 1024 x 1024 pixels, or a line a thousand times as wide as most images."""

_LONG = 10**12
"""Lengths and drawn numbers from here on are told by their first digits."""

_MOST_SAID = 8
"""Entries of a drawn list that a message names."""


def draw(
    placed: Sequence[PlacedStep],
    spec: ArraySpec,
    key: Key,
    recorded: Sequence[AppliedStep] | None = None,
    max_pixels: int = MAX_PIXELS,
    view: TargetView | None = None,
) -> tuple[tuple[AppliedStep, ...], tuple[ArraySpec, ...]]:
    """Draw the values of every step for one image, without a look at its pixels.

    A step that draws from a target sees the mask or the boxes, as they are where it stands, and nothing else.

    Parameters
    ----------
    placed : sequence of PlacedStep
    spec : ArraySpec
        Of the image at the start.
    key : Key
        Address of the image.
    recorded : sequence of AppliedStep, optional
        Take these values, one for each step, instead of drawing.
    max_pixels : int
        Most pixels that a step may make of an image that has fewer, channels not counted; memory is limited to 8 bytes
        for each.
    view : TargetView, optional
        Where steps that draw from a target look it up; without one they draw as from an empty target.

    Returns
    -------
    applied : tuple of AppliedStep
    specs : tuple of ArraySpec
        Before the first step and after each.

    Raises
    ------
    StepError
        Naming step, cause, shape, dtype and axes.
    """
    applied: list[AppliedStep] = []
    specs = [spec]
    for position, here in enumerate(placed):
        step = here.step
        view = view and view.at(here)
        try:
            if recorded is None and here.is_fixed:
                params, after = fixed(here, spec)
                drawn = AppliedStep(here.address, True, _copied(params))
            else:
                check_input(step, spec)
                drawn = _draw(here, key, spec, view) if recorded is None else recorded[position]
                after = _spec_after(step, spec, drawn.params) if drawn.applied else spec
            if after is not spec or isinstance(step, StructureStep):
                _check_limits(step, spec, after, drawn, max_pixels)
        except Exception as error:
            refuse((here,), spec, error)
        applied.append(drawn)
        if view is not None and drawn.applied:
            view = view.after(step, drawn.params, spec)
        specs.append(spec := after)
    return tuple(applied), tuple(specs)


@functools.lru_cache(maxsize=256)
def fixed(here: PlacedStep, spec: ArraySpec) -> tuple[dict[str, Any], ArraySpec]:
    """Return the values of a step that draws nothing, and the spec after it: the same for all images of a spec."""
    check_input(here.step, spec)
    params = here.step.sample(Draw(Key(), here.address), spec)
    return params, _spec_after(here.step, spec, params)


def drawn_at(here: PlacedStep, key: Key, spec: ArraySpec) -> tuple[dict[str, Any], ArraySpec]:
    """Return what a step that is applied and moves nothing draws for one image, and the spec after it."""
    check_input(here.step, spec)
    params = here.step.sample(Draw(key, here.address), spec)
    return params, _spec_after(here.step, spec, params)


def _copied(params: Any) -> Any:
    """Copy plain JSON: a record belongs to whoever gets it."""
    if isinstance(params, dict):
        return {name: _copied(value) for name, value in params.items()} if params else {}
    return [_copied(value) for value in params] if isinstance(params, list) else params


def _draw(here: PlacedStep, key: Key, spec: ArraySpec, view: TargetView | None) -> AppliedStep:
    """Draw whether the step applies at a separate address, so that another `p` leaves the other values alone."""
    if here.step.p < 1 and not Draw(key, chance_address(here)).chance(here.step.p):
        return AppliedStep(here.address, False, {})
    return AppliedStep(here.address, True, here.step.sample(Draw(key, here.address, view), spec))


def chance_address(here: PlacedStep) -> str:
    """Return the address at which it is drawn whether a step applies."""
    return f"p of {here.address}"


def _spec_after(step: Step, spec: ArraySpec, params: dict[str, Any]) -> ArraySpec:
    """Return the spec after a step; refuse a filter whose window would take memory without bound."""
    if isinstance(step, FilterStep) and (samples := step.window(params, spec)) > MAX_WINDOW:
        raise ValueError(
            f"{step!r}{_drew(params)} has a window of {number_text(samples)} samples, more than the limit of {MAX_WINDOW:,}"
        )
    return step.output_spec(spec, params)


def _check_limits(step: Step, spec: ArraySpec, after: ArraySpec, drawn: AppliedStep, max_pixels: int) -> None:
    """Refuse what would take memory without bound, in the middle of a step that is made of others too."""
    if not isinstance(step, StructureStep):
        _check_memory(step, spec, after, drawn.params, max_pixels)
        return
    for part, values in step.parts(drawn.params) if drawn.applied else ():
        check_input(part, spec)
        between = _spec_after(part, spec, values)
        _check_limits(part, spec, between, AppliedStep(drawn.address, True, values), max_pixels)
        spec = between


def _check_memory(
    step: Step, spec: ArraySpec, after: ArraySpec, params: dict[str, Any], max_pixels: int
) -> None:
    """Refuse a step that makes more pixels than the limit, or an endless side."""
    if after.shape == spec.shape or isinstance(step, FilterStep | PointwiseStep):
        return
    if 0 < math.prod(after.shape) <= min(max_pixels // 2, MAX_SIDE):
        return  # whatever the dtype: no value takes more than 16 bytes
    pixels, given = after.pixels, spec.pixels
    side = max(after.shape, default=0)
    if (pixels > given and (pixels > max_pixels or after.nbytes > 8 * max_pixels)) or (
        side > MAX_SIDE and side > max(spec.shape)
    ):
        raise ValueError(
            f"{step!r}{_drew(params)} would make {size_text(after)} pixels ({number_text(after.nbytes)} bytes), more than the "
            f"limit of {max_pixels:,} pixels of 8 bytes, {MAX_SIDE:,} to a side; make it smaller, or pass max_pixels="
        )


def _drew(params: dict[str, Any]) -> str:
    said = ", ".join(f"{name}={_value_text(value)}" for name, value in params.items())
    return f" with {said}" if said else ""


def _value_text(value: Any) -> str:
    """A drawn value for a message: numbers of a readable length, and the first of many."""
    if isinstance(value, list):
        parts = [_value_text(part) for part in value[:_MOST_SAID]]
        return f"[{', '.join([*parts, '…'] if len(value) > _MOST_SAID else parts)}]"
    is_long = isinstance(value, int) and abs(value) >= _LONG
    return number_text(value) if is_long else str(value)


def drawn_spec(placed: Sequence[PlacedStep], spec: OpenSpec) -> list[OpenSpec]:
    """Return the spec before the first step and after each: ``None`` for lengths that the drawing decides.

    Raises
    ------
    StepError
        Where a step cannot take what the steps before it give, or may or may not change the dtype.
    """
    specs = [spec]
    for here in placed:
        before = specs[-1]
        with named((here,), before):
            specs.append(open_spec_after(here.step, before))
    return specs


def size_text(spec: ArraySpec) -> str:
    """Return spatial lengths for a message: ``"4 x 6"``."""
    return " x ".join(str(length) if length < _LONG else number_text(length) for length in spec.size)

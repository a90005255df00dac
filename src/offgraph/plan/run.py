"""Run steps one after the other: draw, apply, and say where an error happened."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from offgraph.core.errors import MachineError, OffgraphError, StepError
from offgraph.core.machine import machine_error
from offgraph.core.random import Draw, Key
from offgraph.core.specs import MAX_PIXELS, ArraySpec
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.frame import Frame
from offgraph.plan.placed import AppliedStep, PlacedStep
from offgraph.steps.base import Step
from offgraph.steps.kinds import FilterStep, GeometricStep, PointwiseStep
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask

__all__ = ["MAX_SIDE", "MAX_WINDOW", "TransformHistory", "check_input", "drawn_spec", "run"]


MAX_SIDE = 1 << 24
"""Most pixels along an axis that a step makes longer: tables of positions and weights are as long."""
MAX_WINDOW = 1 << 20
"""Most samples in the window of a filter: 1024 x 1024 pixels, or a line a thousand times as wide as most images."""


@dataclass(frozen=True)
class TransformHistory:
    """The steps that moved an image, each with what it drew and what it was given.

    Parameters
    ----------
    size : tuple of int
        Spatial lengths at the start.
    moves : list of (GeometricStep, dict, ArraySpec)
    """

    size: tuple[int | None, ...]
    moves: list[tuple[GeometricStep, dict[str, Any], ArraySpec]] = field(default_factory=list)

    def frame(self) -> Frame:
        """Work out the way back: training never asks for it."""
        start = AffineMap.identity(tuple(n or 0 for n in self.size))
        return Frame((start, *(step.map(params, spec) for step, params, spec in self.moves)))


def run(
    placed: Sequence[PlacedStep],
    image: Image,
    mask: Mask | None,
    key: Key,
    recorded: Sequence[AppliedStep] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> tuple[Image, Mask | None, tuple[AppliedStep, ...], TransformHistory]:
    """Apply placed steps to an image and its mask.

    Parameters
    ----------
    placed : sequence of PlacedStep
    image : Image
    mask : Mask or None
        On the image's own grid.
    key : Key
        Address of the image.
    recorded : sequence of AppliedStep, optional
        Apply these values, one for each step, instead of drawing.
    max_pixels : int
        Most pixels that a step may make of an image that has fewer, channels not counted; memory is limited to 8 bytes
        for each. Checked on what was drawn, before anything is allocated.

    Raises
    ------
    StepError
        Naming step, cause, shape, dtype and axes.
    MachineError
        Where there is not enough memory.
    """
    if mask is not None and mask.spec.size != image.spec.size:
        raise StepError(
            f"image and mask have different sizes: the image's is {_size(image.spec)}, the mask's {_size(mask.spec)}"
        )
    way = TransformHistory(image.spec.size)
    log: list[AppliedStep] = []
    for position, here in enumerate(placed):
        step, spec = here.step, image.spec
        with _named(here, spec):
            check_input(step, spec)
            drawn = _draw(here, key, spec) if recorded is None else recorded[position]
            log.append(drawn)
            if not drawn.applied:
                continue
            _check_limits(step, spec, drawn.params, max_pixels)
            image = step.apply(image, drawn.params)
            if mask is not None:
                mask = step.apply_mask(mask, drawn.params)
            if isinstance(step, GeometricStep):
                way.moves.append((step, drawn.params, spec))
    return _contiguous(image), None if mask is None else _contiguous(mask), tuple(log), way


def _draw(here: PlacedStep, key: Key, spec: ArraySpec) -> AppliedStep:
    """Decide on `p` at an address of its own, so that another `p` leaves the drawn values alone."""
    if here.step.p < 1 and not Draw(key, f"p of {here.address}").chance(here.step.p):
        return AppliedStep(here.address, False, {})
    return AppliedStep(here.address, True, here.step.sample(Draw(key, here.address), spec))


@contextmanager
def _named(here: PlacedStep, spec: ArraySpec) -> Iterator[None]:
    """Say step, shape, dtype and axes with what a step refuses; a mistake in the step's own code passes through."""
    try:
        yield
    except MemoryError as error:
        raise machine_error(f"{here.where} [{spec.shape}, {spec.dtype}]", error) from error
    except MachineError:
        raise
    except (ValueError, RuntimeError, OverflowError, OffgraphError) as error:
        says = str(error) or type(error).__name__
        raise StepError(
            f"{here.where}: {says} [picture of shape {spec.shape}, dtype {spec.dtype}, axes {spec.axes}]"
        ) from error


def _check_limits(step: Step, spec: ArraySpec, params: dict[str, Any], max_pixels: int) -> None:
    """Refuse what would take memory without bound: more pixels than the limit, an endless side, a window like that."""
    if isinstance(step, FilterStep):
        if (samples := step.window(params, spec)) > MAX_WINDOW:
            raise ValueError(
                f"{step!r}{_drew(params)} has a window of {samples:,.0f} samples, more than the limit of {MAX_WINDOW:,}"
            )
        return
    if isinstance(step, PointwiseStep):
        return
    after = step.output_spec(spec, params)
    if after.shape == spec.shape:
        return
    if 0 < math.prod(n or 0 for n in after.shape) <= min(max_pixels // 2, MAX_SIDE):
        return  # whatever the dtype: no value takes more than 16 bytes
    pixels, given = after.pixels or 0, spec.pixels or 0
    side = max((n or 0 for n in after.shape), default=0)
    if (pixels > given and (pixels > max_pixels or (after.nbytes or 0) > 8 * max_pixels)) or (
        side > MAX_SIDE and side > max(n or 0 for n in spec.shape)
    ):
        raise ValueError(
            f"{step!r}{_drew(params)} would make {_size(after)} pixels ({after.nbytes or 0:,} bytes), more than the "
            f"limit of {max_pixels:,} pixels of 8 bytes, {MAX_SIDE:,} to a side; make it smaller, or pass max_pixels="
        )


def _drew(params: dict[str, Any]) -> str:
    return f" with {', '.join(f'{name}={value}' for name, value in params.items())}" if params else ""


def drawn_spec(placed: Sequence[PlacedStep], spec: ArraySpec) -> list[ArraySpec]:
    """Return the spec before the first step and after each: ``None`` for lengths that the drawing decides.

    Raises
    ------
    StepError
        Where a step cannot take what the steps before it give, or may or may not change the dtype.
    """
    specs = [spec]
    for here in placed:
        before = specs[-1]
        with _named(here, before):
            specs.append(_after(here.step, before))
    return specs


def _after(step: Step, before: ArraySpec) -> ArraySpec:
    check_input(step, before)
    after = step.output_spec(before)
    if step.p == 1 or after == before:
        return after
    if step.p == 0:
        return before
    if after.dtype != before.dtype or after.axes != before.axes:
        raise ValueError(
            f"p={step.p} would leave some images {before.dtype} and make others {after.dtype}: "
            "a step that changes the dtype needs p=1"
        )
    lengths = (a if a == b else None for a, b in zip(after.shape, before.shape))
    return ArraySpec(tuple(lengths), after.dtype, after.axes)


def check_input(step: Step, spec: ArraySpec) -> None:
    """Refuse an image with a number of spatial axes that the step does not take, or of bool where it would average."""
    if spec.dtype == "bool" and step.averages:
        order = " or use order=0," if hasattr(step, "order") else ""
        raise ValueError(
            f"cannot average a bool image, whose averages are neither true nor false;{order} "
            "write image.astype('uint8') * 255, or pass it as mask="
        )
    if len(spec.spatial) not in step.dimensions:
        taken = " or ".join(map(str, step.dimensions))
        raise ValueError(f"takes {taken} spatial axes, the image has {len(spec.spatial)} (axes {spec.axes})")


def _size(spec: ArraySpec) -> str:
    return " x ".join(map(str, spec.size))


def _contiguous(target: Any) -> Any:
    """Return the target with an array in C order; an array that no step touched stays the caller's own."""
    if target.array.flags.c_contiguous:
        return target
    return type(target)(np.ascontiguousarray(target.array), target.axes)

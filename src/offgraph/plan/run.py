"""Run a plan in Python, operation by operation: the oracle of every faster way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from offgraph.core.errors import StepError
from offgraph.core.random import Key
from offgraph.core.specs import MAX_PIXELS
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.frame import Frame
from offgraph.geometry.resampling import Leg
from offgraph.plan.draw import REFUSALS, draw, named, refuse, size_text
from offgraph.plan.fuse import fuse
from offgraph.plan.lower import PlannedOp, lower
from offgraph.plan.placed import AppliedStep, PlacedStep
from offgraph.steps.kinds import GeometricStep
from offgraph.steps.ops import GeometricOp, PythonStep
from offgraph.targets.image import Image
from offgraph.targets.mask import Mask

__all__ = ["TransformHistory", "run"]


@dataclass(frozen=True, eq=False)
class TransformHistory:
    """The operations that an image went through, before fusion.

    Parameters
    ----------
    size : tuple of int
        Spatial lengths at the start.
    chain : tuple of PlannedOp
    """

    size: tuple[int, ...]
    chain: tuple[PlannedOp, ...] = ()

    def frame(self) -> Frame:
        """Work out the way back: training never asks for it.

        Raises
        ------
        StepError
            Where a geometric step tells no map.
        """
        legs = [leg for planned in self.chain if (leg := leg_of(planned)) is not None]
        return Frame((AffineMap.identity(self.size), *(leg.map for leg in legs)))


def leg_of(planned: PlannedOp) -> Leg | None:
    """Return how an operation moves targets, None where it moves nothing.

    Raises
    ------
    StepError
        For a geometric step with Python code of its own that tells no map.
    """
    op = planned.op
    if isinstance(op, GeometricOp):
        return op.leg
    if isinstance(op, PythonStep):
        if op.leg is None and isinstance(op.step, GeometricStep):
            raise StepError(
                f"{planned.steps[0].where}: it has no `map`, so nothing tells where its pixels came from"
            )
        return op.leg
    return None


def run(
    placed: Sequence[PlacedStep],
    image: Image,
    mask: Mask | None,
    key: Key,
    recorded: Sequence[AppliedStep] | None = None,
    max_pixels: int = MAX_PIXELS,
    *,
    fused: bool = False,
) -> tuple[Image, Mask | None, tuple[AppliedStep, ...], TransformHistory]:
    """Draw, lower and run placed steps on an image and its mask.

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
        As for `draw`.
    fused : bool
        Whether operations are joined, and labels read once; else each step runs alone.

    Raises
    ------
    StepError
        Naming step, cause, shape, dtype and axes.
    MachineError
        Where there is not enough memory.
    """
    if mask is not None and mask.spec.size != image.spec.size:
        raise StepError(
            f"image and mask have different sizes: the image's is {size_text(image.spec)}, "
            f"the mask's {size_text(mask.spec)}"
        )
    spec = image.spec
    applied, specs = draw(placed, spec, key, recorded, max_pixels)
    chain = lower(placed, applied, specs)
    history = TransformHistory(spec.size, chain)
    image = run_image(fuse(chain) if fused else chain, image)
    if mask is not None:
        mask = _contiguous(run_labels(chain, mask, once=fused))
    return _contiguous(image), mask, applied, history


def run_image(ops: Sequence[PlannedOp], image: Image) -> Image:
    """Run operations on an image, one after the other."""
    for planned in ops:
        try:
            image = planned.op.run(image)
            if image.array.shape != planned.after.shape or image.spec != planned.after:
                raise ValueError(f"made {image.spec}, output_spec promised {planned.after}")
        except REFUSALS as error:
            refuse(planned.steps, planned.before, error)
    return image


def run_labels(chain: Sequence[PlannedOp], mask: Mask, *, once: bool) -> Mask:
    """Move labels through a chain of operations: all at once, or one operation after the other.

    At once they are read through the composed map, so that they are rounded to whole pixels once. Only Python code that
    moves labels itself comes in between.
    """
    waiting: list[PlannedOp] = []
    for planned in chain:
        op = planned.op
        if isinstance(op, GeometricOp) or (isinstance(op, PythonStep) and not op.moves_labels and op.leg):
            waiting.append(planned)
            if once:
                continue
        mask, waiting = _moved(waiting, mask), []
        if isinstance(op, PythonStep) and op.moves_labels:
            with named(planned.steps, planned.before):
                mask = op.run_labels(mask)
    return _moved(waiting, mask)


def _moved(ops: Sequence[PlannedOp], mask: Mask) -> Mask:
    if not ops:
        return mask
    steps = tuple(step for planned in ops for step in planned.steps)
    with named(steps, ops[0].before):
        if len(ops) == 1:
            return ops[0].op.run_labels(mask)
        return mask.moved([leg for planned in ops if (leg := leg_of(planned)) is not None])


def _contiguous(target: Any) -> Any:
    """Return the target with an array in C order; an array that no step touched stays the caller's own."""
    if target.array.flags.c_contiguous:
        return target
    return type(target)(np.ascontiguousarray(target.array), target.axes)

"""Run a plan in Python, operation by operation: the oracle of every faster way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from offgraph.core.random import Key
from offgraph.core.specs import MAX_PIXELS, ArraySpec
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.frame import Frame
from offgraph.plan import native
from offgraph.plan.draw import check_input, draw
from offgraph.plan.fuse import fuse
from offgraph.plan.lower import PlannedOp, lower
from offgraph.plan.move import companions, finish, leg_of
from offgraph.plan.placed import AppliedStep, PlacedStep
from offgraph.plan.refusals import named
from offgraph.plan.scaled import begin_scaled
from offgraph.plan.target_view import view_of
from offgraph.targets import Image, Target, Targets
from offgraph.targets.gridded import GriddedTarget

__all__ = ["TransformHistory", "run", "run_image"]


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
            Where a geometric step has no map.
        """
        legs = [leg for planned in self.chain if (leg := leg_of(planned)) is not None]
        return Frame((AffineMap.identity(self.size), *(leg.map for leg in legs)))


def run(
    placed: Sequence[PlacedStep],
    targets: Targets,
    key: Key,
    recorded: Sequence[AppliedStep] | None = None,
    max_pixels: int = MAX_PIXELS,
    *,
    fused: bool = False,
    scaled: bool = False,
) -> tuple[Targets, tuple[AppliedStep, ...], TransformHistory]:
    """Draw, lower and run placed steps on an image and the targets beside it.

    Parameters
    ----------
    placed : sequence of PlacedStep
    targets : Targets
        ``image``, whose spec the draws are made for, and others on its grid. Further images go through the same steps
        with the same draws; targets that are not images are moved by the maps alone.
    key : Key
        Address of the image.
    recorded : sequence of AppliedStep, optional
        Apply these values, one for each step, instead of drawing.
    max_pixels : int
        As for `draw`.
    fused : bool
        Whether operations are joined, and labels read once; else each step runs alone.
    scaled : bool
        Whether a resize at the beginning may read an image that is decoded at another scale.

    Raises
    ------
    StepError
        Naming step, cause, shape, dtype and axes.
    MachineError
        Where there is not enough memory.
    """
    lead = targets.image
    spec = lead.spec
    view = view_of(placed, targets) if recorded is None else None
    applied, specs = draw(placed, spec, key, recorded, max_pixels, view)
    chain = lower(placed, applied, specs)
    history = TransformHistory(spec.size, chain)
    if not chain:
        return targets.mapped(_in_order), applied, history
    beside = companions(chain, targets, fused)
    made: dict[str, Target] = {}
    for name, target in targets.items():
        if isinstance(target, Image):
            own = chain if target is lead else lower(placed, applied, _specs_of(placed, applied, target.spec))
            with_it = list(beside.values()) if target is lead else []
            ops: Sequence[PlannedOp] = fuse(own) if fused else own
            if scaled:
                ops, target = begin_scaled(ops, target)
            made[name] = native.run_image(ops, target, with_it).contiguous()
    return finish(chain, targets, made, beside, fused), applied, history


def _in_order(target: Target) -> Target:
    return target.contiguous() if isinstance(target, GriddedTarget) else target


def _specs_of(
    placed: Sequence[PlacedStep], applied: Sequence[AppliedStep], spec: ArraySpec
) -> list[ArraySpec]:
    """Specs of a further image before the first step and after each: draws are those of the first image."""
    specs = [spec]
    for here, drawn in zip(placed, applied):
        with named((here,), spec):
            if drawn.applied:
                check_input(here.step, spec)
                spec = here.step.output_spec(spec, drawn.params)
        specs.append(spec)
    return specs


def run_image(ops: Sequence[PlannedOp], image: Image) -> Image:
    """Run operations on an image in Python, one after the other: what the native runner is tested equal to."""
    for planned in ops:
        image = planned.run(image)
    return image

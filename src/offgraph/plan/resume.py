"""Go on from an image that was kept in the middle of a recipe, with the bytes of a run from its file.

Steps are drawn and lowered from the beginning: that takes specs alone. Of the operations that a whole run has, only
those that follow the kept image are run. Targets beside the image, such as masks and boxes, go through all of them.

Fusion decides whether such operations exist. With the operations of the kept part marked:

    for each operation of the whole run, after fusion:
        all of it is marked                      → done
        none of it is marked                     → left
        a marked Resize, cropped by later steps  → the crop is left: each pixel of a Resize is made by itself
        marked and later copies of whole pixels  → the later ones are left
        anything else                            → there is no image to go on from: both are one resampling
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from offgraph.core.random import Key
from offgraph.core.specs import ArraySpec
from offgraph.engine.native_plan import native_target
from offgraph.plan import native
from offgraph.plan.batch import Pending, Place, lowered
from offgraph.plan.draw import draw
from offgraph.plan.fuse import copies_inside, fuse
from offgraph.plan.lower import PlannedOp, lower
from offgraph.plan.move import companions, finish
from offgraph.plan.placed import AppliedStep, PlacedStep
from offgraph.plan.run import TransformHistory
from offgraph.plan.target_view import view_of
from offgraph.steps.base import Step
from offgraph.steps.ops import Filter, Grid, PythonStep, Resize, ResizeLike
from offgraph.targets import Image, Targets
from offgraph.targets.gridded import GriddedTarget

__all__ = ["ResumedPlan", "Resumer"]

_MOST_KEPT = 1024
"""Specs whose kept part is remembered."""


class ResumedPlan(NamedTuple):
    """What is left to run on a kept image.

    Parameters
    ----------
    applied : tuple of AppliedStep
        What each step of the whole recipe drew.
    chain : tuple of PlannedOp
        Operations of the whole recipe, before fusion.
    left : tuple of PlannedOp or None
        Those that follow the kept image; None where there is no image to go on from.
    after : ArraySpec
        Of the image at the end.
    reason : str
        Why there is none.
    """

    applied: tuple[AppliedStep, ...]
    chain: tuple[PlannedOp, ...]
    left: tuple[PlannedOp, ...] | None
    after: ArraySpec
    reason: str = ""


class _Mark(NamedTuple):
    """Stands for a step while operations are fused: the place of its operation in the chain."""

    place: int
    step: Step


class Resumer:
    """Runs the rest of a recipe on images that were kept after its first steps.

    Parameters
    ----------
    placed : sequence of PlacedStep
        The whole recipe.
    done : int
        How many steps are done; none of them draws.
    fused : bool
        Whether operations are joined.
    """

    def __init__(self, placed: Sequence[PlacedStep], done: int, *, fused: bool) -> None:
        self._placed, self._done, self._fused = placed, done, fused
        self._draws = any(here.step.draws or here.draws_from for here in placed)
        self._prepare()

    def _prepare(self) -> None:
        """Create what is not pickled."""
        self._parts: dict[ArraySpec, tuple[tuple[int, ...], ...]] = {}
        self._plans: dict[ArraySpec, ResumedPlan] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_parts", "_plans")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._prepare()

    def plan(self, spec: ArraySpec, key: Key, targets: Targets | None = None) -> ResumedPlan:
        """Say what is left to run.

        Parameters
        ----------
        spec : ArraySpec
            Of the image at the start of the recipe.
        key : Key
        targets : Targets, optional
            At the start of the recipe, for steps that draw from one; without them these draw as from an empty one.

        Raises
        ------
        StepError
            As for a run from the start.
        """
        if not self._draws and (known := self._plans.get(spec)) is not None:
            return known
        view = None if targets is None else view_of(self._placed, targets)
        applied, specs = draw(self._placed, spec, key, view=view)
        chain = lower(self._placed, applied, specs)
        left = self._left(chain, spec, specs[self._done])
        if isinstance(left, str):
            return ResumedPlan(applied, chain, None, specs[-1], left)
        plan = ResumedPlan(applied, chain, left, specs[-1])
        if not self._draws and len(self._plans) < _MOST_KEPT:
            self._plans[spec] = plan
        return plan

    def prepare(self, given: Targets, kept: Image, key: Key, place: Place) -> Pending | None:
        """Prepare one sample for a call with others; None where it has to be run alone.

        Parameters
        ----------
        given : Targets
            As at the start of the recipe. The pixels of the image are not read.
        kept : Image
            After the steps that are done.
        key : Key
        place : Place
            Of the shape and dtype that the image is to get; else the sample has to be run alone.
        """
        try:
            plan = self.plan(given.image.spec, key, given)
            if plan.left is None:
                return None
            made = lowered(plan.applied, plan.chain, plan.left, kept.spec, plan.after)
            if made.rest or made.after.shape != place.shape or made.dtype != place.dtype:
                return None
            beside: dict[str, native.Companion] = {}
            if len(given) > 1 and plan.chain:
                beside = companions(plan.chain, given, self._fused)
            output = place.array()
            own = native_target(kept.array, output, kept.spec.spatial, made.ops)
        except Exception:  # whatever it is, it is raised again where the sample is run alone
            return None
        natives = [own, *(companion.native for companion in beside.values())]
        return Pending(given, output, output, made, self._fused, natives, beside)

    def run(
        self, given: Targets, kept: Image, key: Key
    ) -> tuple[Targets, tuple[AppliedStep, ...], TransformHistory] | None:
        """Run one sample alone; None where there is no image to go on from. Parameters as for `prepare`.

        Raises
        ------
        StepError
            As for a run from the start.
        """
        plan = self.plan(given.image.spec, key, given)
        if plan.left is None:
            return None
        history = TransformHistory(given.size, plan.chain)
        if not plan.chain:
            others = {
                name: target.contiguous() if isinstance(target, GriddedTarget) else target
                for name, target in given.items()
            }
            return Targets({**others, "image": kept}, given.metadata), plan.applied, history
        beside = companions(plan.chain, given, self._fused)
        image = native.run_image(plan.left, kept, list(beside.values())).contiguous()
        return finish(plan.chain, given, {"image": image}, beside, self._fused), plan.applied, history

    def _left(
        self, chain: Sequence[PlannedOp], spec: ArraySpec, kept: ArraySpec
    ) -> tuple[PlannedOp, ...] | str:
        """Operations that follow the kept image, or why there is none."""
        done = sum(planned.steps[0].number <= self._done for planned in chain)
        if not self._fused:
            return tuple(chain[done:])
        if not done:
            return fuse(chain)
        if isinstance(chain[done - 1].op, Resize | ResizeLike | Filter | PythonStep) and not any(
            copies_inside(planned.op) for planned in chain[done:]
        ):
            return fuse(chain[done:])  # a group ended, and nothing is moved in front of it
        left = _rest(chain, done, kept)
        if isinstance(left, str):
            return left
        parts = self._parts.get(spec)
        if parts is None:
            parts = tuple(_places(planned) for planned in fuse(_marked(chain[:done])))
            if len(self._parts) < _MOST_KEPT:
                self._parts[spec] = parts
        if left.parts != parts:
            return _joined(chain, done - 1, done)
        return left.ops


class _Rest(NamedTuple):
    """Operations that are left, and which operations of the kept part are joined."""

    ops: tuple[PlannedOp, ...]
    parts: tuple[tuple[int, ...], ...]


def _rest(chain: Sequence[PlannedOp], done: int, spec: ArraySpec) -> _Rest | str:
    left: list[PlannedOp] = []
    parts: list[tuple[int, ...]] = []
    for planned in fuse(_marked(chain)):
        places = _places(planned)
        before = tuple(place for place in places if place < done)
        later = tuple(place for place in places if place >= done)
        if before:
            parts.append(before)
        if not later:
            continue
        following = [planned._replace(steps=tuple(step for place in later for step in chain[place].steps))]
        if before:
            copied = all(copies_inside(chain[place].op) for place in later)
            copies = copied and all(copies_inside(chain[place].op) for place in before)
            if not (copies or (copied and isinstance(planned.op, Resize))):
                return _joined(chain, before[-1], later[0])
            following = [chain[place] for place in later]
        for each in following:
            if each.before != spec:
                # A crop that fusion moved in front of pointwise operations which are done here.
                if not isinstance(each.op, Grid) or each.op.map.input_size != spec.size:
                    return _joined(chain, done - 1, later[0])
                each = each._replace(before=spec, after=spec.resized(each.op.map.output_size))
            left.append(each)
            spec = each.after
    return _Rest(tuple(left), tuple(parts))


def _marked(chain: Sequence[PlannedOp]) -> list[PlannedOp]:
    marks: list[Any] = [(_Mark(place, planned.steps[0].step),) for place, planned in enumerate(chain)]
    return [planned._replace(steps=mark) for planned, mark in zip(chain, marks)]


def _places(planned: PlannedOp) -> tuple[int, ...]:
    marks: Any = planned.steps
    return tuple(mark.place for mark in marks)


def _joined(chain: Sequence[PlannedOp], before: int, later: int) -> str:
    one, other = chain[before].steps[0], chain[min(later, len(chain) - 1)].steps[0]
    return f"{one.where}, and {other.where}, are joined into one operation"

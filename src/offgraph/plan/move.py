"""Targets through the operations of a chain: masks and heatmaps beside their image, boxes and points by maps alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from offgraph.core.errors import StepError
from offgraph.geometry.resampling import Leg
from offgraph.plan import native
from offgraph.plan.lower import PlannedOp
from offgraph.plan.refusals import named
from offgraph.steps.kinds import GeometricStep, ResultStep
from offgraph.steps.ops import GeometricOp, PythonStep
from offgraph.targets import Boxes, Heatmap, Image, Mask, Target, Targets

__all__ = ["companions", "finish", "leg_of", "run_labels"]


def leg_of(planned: PlannedOp) -> Leg | None:
    """Return how an operation moves targets, None where it moves nothing.

    Raises
    ------
    StepError
        For a geometric step with its own Python code and without a map.
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


def finish(
    chain: Sequence[PlannedOp],
    targets: Targets,
    images: Mapping[str, Target],
    beside: Mapping[str, native.Companion],
    fused: bool,
) -> Targets:
    """Return all targets of a sample: its images are made, and what moved with them; the others are moved here.

    Parameters
    ----------
    chain : sequence of PlannedOp
        Before fusion.
    targets : Targets
        As they were given.
    images, beside : mapping by name
        What is made, and what moved in the same call.
    fused : bool
        Whether labels are read once.
    """
    made = dict(images)
    labels: dict[int, Mask] = {}  # by the mask they were: boxes may be taken from one
    for name, target in targets.items():
        if name in made:
            continue
        if name in beside:
            made[name] = beside[name].finished()
        elif isinstance(target, Mask):
            made[name] = run_labels(chain, target, once=fused).contiguous()
        if isinstance(target, Mask):
            labels[id(target)] = made[name]  # type: ignore[assignment]  # a Mask stays one
    for name, target in targets.items():
        if name in made:
            continue
        if isinstance(target, Boxes) and target.mask is not None:
            own_mask = labels.get(id(target.mask)) or run_labels(chain, target.mask, once=fused)
            made[name] = _moved_by_maps(chain, target, own_mask)
        else:
            made[name] = _moved_by_maps(chain, target)
    return Targets({name: made[name] for name in targets}, targets.metadata)


def _moved_by_maps(chain: Sequence[PlannedOp], target: Target, *more: Mask) -> Target:
    """Move boxes, points and other targets without pixels through all maps of a chain; result steps refine boxes on their way."""
    if isinstance(target, Boxes):
        places = [at for at, planned in enumerate(chain) if _refines_boxes(planned)]
        if places:
            before, planned, after = chain[: places[0]], chain[places[0]], chain[places[0] + 1 :]
            moved = _moved_by_maps(before, target)
            assert isinstance(moved, Boxes)
            with named(planned.steps, planned.before):
                moved = planned.op.step.apply_boxes(moved, planned.op.params)  # type: ignore[attr-defined]  # a ResultStep's
            return _moved_by_maps(after, moved)
    moving = [(planned, leg) for planned in chain if (leg := leg_of(planned)) is not None]
    if not moving:
        return target
    with named(tuple(step for planned, _ in moving for step in planned.steps), moving[0][0].before):
        return target.moved([leg for _, leg in moving], *more)


def _refines_boxes(planned: PlannedOp) -> bool:
    step = planned.op.step if isinstance(planned.op, PythonStep) else None
    return isinstance(step, ResultStep) and step.refines_boxes


def companions(chain: Sequence[PlannedOp], targets: Targets, fused: bool) -> dict[str, native.Companion]:
    """The targets that move in the image's own native call, read once through all maps.

    A mask moves step by step where operations are not joined, and by the rule of its only operation.
    """
    found: dict[str, native.Companion] = {}
    for name, target in targets.items():
        if isinstance(target, Image) or not isinstance(target, Mask | Heatmap):
            continue
        if isinstance(target, Mask) and any(map(_moves_labels, chain)):
            continue
        moving = [(planned, leg) for planned in chain if (leg := leg_of(planned)) is not None]
        legs = [leg for _, leg in moving]
        is_alone = isinstance(target, Mask) and len(moving) == 1
        if not moving or (isinstance(target, Mask) and not (fused or is_alone)):
            continue
        with named(tuple(step for planned, _ in moving for step in planned.steps), moving[0][0].before):
            beside = (
                native.lone_companion(target, moving[0][0].op, legs[0])
                if isinstance(target, Mask) and is_alone
                else native.companion(target, legs)
            )
        if beside is not None:
            found[name] = beside
    return found


def _moves_labels(planned: PlannedOp) -> bool:
    return isinstance(planned.op, PythonStep) and planned.op.moves_labels


def run_labels(chain: Sequence[PlannedOp], mask: Mask, *, once: bool) -> Mask:
    """Move labels through a chain of operations: all at once, or one operation after the other.

    At once they are read through the composed map, so that they are rounded to whole pixels once. Only Python code that
    moves labels itself comes in between.
    """
    waiting: list[PlannedOp] = []
    for planned in chain:
        op = planned.op
        if isinstance(op, PythonStep) and op.moves_labels:
            mask, waiting = _moved(waiting, mask), []
            with named(planned.steps, planned.before):
                mask = op.run_labels(mask)
        elif isinstance(op, GeometricOp) or (isinstance(op, PythonStep) and op.leg):
            waiting.append(planned)
            if not once:
                mask, waiting = _moved(waiting, mask), []
    return _moved(waiting, mask)


def _moved(ops: Sequence[PlannedOp], mask: Mask) -> Mask:
    if not ops:
        return mask
    steps = tuple(step for planned in ops for step in planned.steps)
    with named(steps, ops[0].before):
        if len(ops) > 1:
            return mask.moved([leg for planned in ops if (leg := leg_of(planned)) is not None])
        moved = ops[0].op.run_labels(mask)
        return moved.mirrored_by([leg]) if mask.swap and (leg := leg_of(ops[0])) is not None else moved

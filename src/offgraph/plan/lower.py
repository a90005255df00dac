"""Lower: placed steps and what they drew → operations, each with the steps whose work it does."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

from offgraph.core.specs import ArraySpec
from offgraph.plan.draw import fixed
from offgraph.plan.placed import AppliedStep, PlacedStep
from offgraph.plan.refusals import refuse
from offgraph.steps.ops import Op
from offgraph.steps.structure import StructureStep
from offgraph.targets.image import Image

__all__ = ["PlannedOp", "lower"]


class PlannedOp(NamedTuple):
    """An operation at its place in a plan.

    Parameters
    ----------
    op : Op
    steps : tuple of PlacedStep
        Whose work it does, in their order; several after fusion.
    before, after : ArraySpec
        Of the image.
    reason : str
        Why it did not join the operation before it; empty where there was nothing to join.
    """

    op: Op
    steps: tuple[PlacedStep, ...]
    before: ArraySpec
    after: ArraySpec
    reason: str = ""

    def run(self, image: Image) -> Image:
        """Run the operation alone, in Python.

        Raises
        ------
        StepError
            Naming step, cause, shape, dtype and axes; also where the image is not what was promised.
        """
        try:
            image = self.op.run(image)
            if image.array.shape != self.after.shape or image.spec != self.after:
                raise ValueError(
                    f"made {image.spec}, output_spec promised {self.after}{_advice(image, self.after)}"
                )
        except Exception as error:
            refuse(self.steps, self.before, error)
        return image


def _advice(image: Image, promised: ArraySpec) -> str:
    """What to write where only the dtype is not the promised one."""
    made = image.spec.dtype
    if image.spec.cast(promised.dtype) != promised:
        return ""
    return f"; round, clip and cast the values to {promised.dtype}, or promise {made} by `output_spec`"


def lower(
    placed: Sequence[PlacedStep], applied: Sequence[AppliedStep], specs: Sequence[ArraySpec]
) -> tuple[PlannedOp, ...]:
    """Return the operations of the steps that are applied: the chain, before fusion.

    Parameters
    ----------
    placed, applied : sequence of PlacedStep, sequence of AppliedStep
    specs : sequence of ArraySpec
        Before the first step and after each, as `draw` gave them.

    Raises
    ------
    StepError
        Naming the step, where its operations give another spec than it promised.
    """
    ops: list[PlannedOp] = []
    for here, drawn, given, promised in zip(placed, applied, specs, specs[1:]):
        if not drawn.applied:
            continue
        try:
            if here.is_fixed and drawn.params == fixed(here, given)[0]:
                ops += _fixed_ops(here, given)
            else:
                ops += _planned(here, drawn.params, given, promised)
        except Exception as error:
            refuse((here,), given, error)
    return tuple(ops)


@functools.lru_cache(maxsize=256)
def _fixed_ops(here: PlacedStep, spec: ArraySpec) -> list[PlannedOp]:
    """What draws nothing is the same for all images of a spec."""
    params, after = fixed(here, spec)
    return _planned(here, params, spec, after)


def _planned(
    here: PlacedStep, params: dict[str, Any], before: ArraySpec, promised: ArraySpec
) -> list[PlannedOp]:
    ops: list[PlannedOp] = []
    if isinstance(here.step, StructureStep):
        for step, values in here.step.parts(params):
            after = step.output_spec(before, values)
            ops += _planned(here.part(step), values, before, after)
            before = after
    else:
        for op in here.step.operations(params, before):
            after = op.output_spec(before)
            ops.append(PlannedOp(op, (here,), before, after))
            before = after
    if before is not promised and before != promised:
        raise ValueError(
            f"its operations give {before.shape}, {before.dtype}, but output_spec says {promised.shape}, "
            f"{promised.dtype}; correct output_size or output_spec"
        )
    return ops

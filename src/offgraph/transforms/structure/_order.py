"""What steps share whose parts are applied in an order that is drawn."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from offgraph.core.specs import OpenSpec
from offgraph.steps.base import Step
from offgraph.steps.structure import either, member_spec_after

__all__ = ["after_any_order"]


_FEW = 4


def after_any_order(steps: Sequence[Step], spec: OpenSpec, *, chosen: bool, all_of_them: bool) -> OpenSpec:
    """Return what is known of the spec after some steps in any order.

    The orders of few steps are all looked at. Else lengths that a step changes are not known; as more of them become
    unknown, fewer can change, so this ends.

    Parameters
    ----------
    steps : sequence of Step
    spec : OpenSpec
    chosen : bool
        Whether steps are applied whatever their `p`.
    all_of_them : bool
        Whether none is left out.
    """
    if all_of_them and len(steps) <= _FEW:
        ends = []
        for order in itertools.permutations(steps):
            ends.append(spec)
            for each in order:
                ends[-1] = member_spec_after(each, ends[-1], chosen=chosen)
        return either(*ends)
    while True:
        after = either(spec, *(member_spec_after(each, spec, chosen=chosen) for each in steps))
        if after == spec:
            return after
        spec = after

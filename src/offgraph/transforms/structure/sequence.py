"""Apply steps one after the other, as one step."""

from __future__ import annotations

from typing import Any

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec, OpenSpec
from offgraph.steps.declaration import step
from offgraph.steps.structure import Steps, StructureStep, member_spec_after

__all__ = ["Sequence"]


@step
class Sequence(StructureStep):
    """Apply steps one after the other, as one step: with a `p` for all of them, or as one of the steps of `OneOf`.

    A structure step; each of its steps keeps its own `p`. Neighbours are joined across it as if its steps stood there
    alone. Exactness: that of its steps.

    Parameters
    ----------
    steps : list of Step
        In their order.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> turned = og.Sequence([og.Flip("X"), og.Flip("Y")])
    >>> out = og.Compose([turned])(image=np.array([[1, 2], [3, 4]], np.uint8))
    >>> out.image, [part["step"] for part in out.record["steps"][0]["params"]["steps"]]
    (array([[4, 3],
           [2, 1]], dtype=uint8), ['Flip', 'Flip'])
    """

    steps: Steps

    @property
    def members(self) -> tuple[Any, ...]:
        """All of them."""
        return tuple(self.steps)

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw each step's values, and whether it applies."""
        return self.drawn_parts(range(len(self.steps)), draw, spec, chosen=False)

    def open_spec(self, spec: OpenSpec) -> OpenSpec:
        """What the last step leaves."""
        for each in self.steps:
            spec = member_spec_after(each, spec)
        return spec

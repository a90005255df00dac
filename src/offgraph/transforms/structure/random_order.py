"""Apply steps in an order that is drawn."""

from __future__ import annotations

from typing import Any

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec, OpenSpec
from offgraph.steps.declaration import step
from offgraph.steps.structure import Steps, StructureStep
from offgraph.transforms.structure._order import after_any_order

__all__ = ["RandomOrder"]


@step
class RandomOrder(StructureStep):
    """Apply all steps in an order that is drawn for each image, as torchvision does.

    A structure step; each of its steps keeps its own `p`. All orders are as likely. Exactness: that of its steps.

    Parameters
    ----------
    steps : list of Step
        In any order.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> both = og.RandomOrder([og.Flip("X"), og.Rotate90(1)])
    >>> out = og.Compose([both])(image=np.zeros((4, 4), np.uint8), key=og.Key(seed=1))
    >>> [part["step"] for part in out.record["steps"][0]["params"]["steps"]]
    ['Flip', 'Rotate90']
    """

    steps: Steps

    @property
    def members(self) -> tuple[Any, ...]:
        """All of them."""
        return tuple(self.steps)

    @property
    def varies(self) -> bool:
        """Where there are two steps, or the only one draws."""
        return len(self.steps) > 1 or any(each.draws for each in self.steps)

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw the order, as Fisher and Yates do, then each step's values, and whether it applies."""
        order = list(range(len(self.steps)))
        for last in range(len(order) - 1, 0, -1):
            other = draw.integer(0, last)
            order[last], order[other] = order[other], order[last]
        return self.drawn_parts(order, draw, spec, chosen=False)

    def open_spec(self, spec: OpenSpec) -> OpenSpec:
        """What any order would leave."""
        return after_any_order(self.steps, spec, chosen=False, all_of_them=True)

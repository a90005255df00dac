"""The two layers of a recipe: steps for every image, and random steps for training only."""

from __future__ import annotations

from offgraph.core.errors import StepError
from offgraph.steps.base import Step

__all__ = ["Augment"]


class Augment:
    """Steps that only training applies; `Compose.eval` leaves them out.

    Parameters
    ----------
    *steps : Step

    Examples
    --------
    >>> import offgraph as og
    >>> og.Augment(og.Rotate((-15, 15)), og.Flip("X", p=0.5)).steps[1].p
    0.5
    """

    def __init__(self, *steps: Step) -> None:
        for step in steps:
            if not isinstance(step, Step):
                raise StepError(
                    f"Augment takes steps, one after the other: Augment(Rotate(5), …); got {step!r:.80}"
                )
        self.steps = tuple(steps)

    def __eq__(self, other: object) -> bool:
        return self.steps == other.steps if isinstance(other, Augment) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.steps)

    def __repr__(self) -> str:
        return f"Augment({', '.join(map(repr, self.steps))})"

"""The two layers of a recipe: steps for every image, and random steps for training only."""

from __future__ import annotations

from typing import Any

from offgraph.core.errors import StepError
from offgraph.steps.alone import RunsAlone
from offgraph.steps.base import Step

__all__ = ["Augment", "advice_for", "is_of_the_loader"]


def is_of_the_loader(name: str) -> bool:
    """Whether a name is that of something which mixes the images of a batch, and so is no step of one image."""
    return name in ("CutMix", "MixUp", "Mosaic")


def advice_for(item: Any) -> str:
    """What to write in place of something that is no step, where that is known."""
    name = type(item).__name__
    if isinstance(item, type) and issubclass(item, Step):
        return f"; write {item.__name__}(…), with its parameters"
    if is_of_the_loader(name):
        return f"; {name} mixes images of a batch: give it to the loader, Loader(…, mix={name}(…))"
    return ""


class Augment(RunsAlone):
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
                    f"Augment takes steps, one after the other: Augment(Rotate(5), …); got {step!r:.80}{advice_for(step)}"
                )
        self.steps = tuple(steps)

    def __eq__(self, other: object) -> bool:
        return self.steps == other.steps if isinstance(other, Augment) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.steps)

    def __repr__(self) -> str:
        return f"Augment({', '.join(map(repr, self.steps))})"

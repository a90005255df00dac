"""Steps at their places in a recipe, and what they drew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from offgraph.core.errors import StepError
from offgraph.core.lazy import lazy_property
from offgraph.steps.base import Step
from offgraph.steps.structure import draws_from, with_members

__all__ = ["AppliedStep", "PlacedStep", "place"]


@dataclass(frozen=True, eq=False)
class PlacedStep:
    """A step at its place in a recipe; each is itself alone, so that caches find it by identity.

    Parameters
    ----------
    step : Step
    address : str
        The step's part of the address of its draws: its id, or its class name and how many of that class stand
        before it in the same layer. Other steps around it change nothing.
    augment : bool
        Whether it stands inside `Augment`.
    number : int
        Position among all steps of the recipe, from 1, for messages.
    within : str
        Name of the step that it is a part of, where it is.
    """

    step: Step
    address: str
    augment: bool
    number: int
    within: str = ""

    @lazy_property
    def draws(self) -> bool:
        """Whether the outcome depends on the key."""
        return self.step.draws

    @lazy_property
    def is_fixed(self) -> bool:
        """Whether the step is applied to every image, with values that depend on its spec alone."""
        return self.step.p == 1 and not self.draws and not self.draws_from

    @lazy_property
    def draws_from(self) -> str:
        """The target that it, or a step that it is made of, looks at when it draws, or ``"file"``; empty for none."""
        return draws_from(self.step)

    @property
    def name(self) -> str:
        """The step's name, and of what it is a part."""
        return f"{self.step.name} in {self.within}" if self.within else self.step.name

    @property
    def where(self) -> str:
        """How messages call it."""
        layer = " of Augment" if self.augment else ""
        named = f" ({self.step.id})" if self.step.id else ""
        within = f" in {self.within}" if self.within else ""
        return f"step {self.number}{layer}, {self.step.name}{named}{within}"

    def part(self, step: Step) -> PlacedStep:
        """Return a step that this one is made of, at the same place."""
        within = " in ".join(filter(None, (self.step.name, self.within)))
        return PlacedStep(step, self.address, self.augment, self.number, within)


class AppliedStep(NamedTuple):
    """One line of a record: what a step drew for one image.

    Parameters
    ----------
    address : str
    applied : bool
        Whether the step was applied, as its `p` decides.
    params : dict
        Its drawn values, plain JSON; empty where it was not applied.
    """

    address: str
    applied: bool
    params: dict[str, Any]


def place(steps: Iterable[tuple[Step, bool]]) -> tuple[PlacedStep, ...]:
    """Give every step its address; `steps` are pairs (step, inside Augment)."""
    steps = tuple(steps)
    counts: Counter[str] = Counter()
    placed: list[PlacedStep] = []
    for number, (step, augment) in enumerate(steps, 1):
        layer = "augment" if augment else "prepare"
        if step.id is not None:
            address = f"#{step.id}"
        else:
            address = f"{layer}/{step.name}.{counts[f'{layer}/{step.name}']}"
            counts[f"{layer}/{step.name}"] += 1
        placed.append(PlacedStep(step, address, augment, number))
    ids = Counter(each.id for step, _ in steps for each in with_members(step) if each.id is not None)
    twice = [name for name, n in ids.items() if n > 1]
    if twice:
        raise StepError(f"id={twice[0]!r} is given to more than one step; an id names one")
    return tuple(placed)

"""Apply some of several steps."""

from __future__ import annotations

from typing import Any

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec, OpenSpec
from offgraph.steps.base import varies
from offgraph.steps.counts import PartCount, drawn_count
from offgraph.steps.declaration import step
from offgraph.steps.structure import Steps, StructureStep, either, member_spec_after
from offgraph.transforms.structure._choice import choose
from offgraph.transforms.structure._order import after_any_order

__all__ = ["SomeOf"]


@step
class SomeOf(StructureStep):
    """Apply some of several steps, drawn for each image without repetition.

    A structure step. As in Albumentations the `p` of a step inside is its weight, and those that are chosen are applied.
    Exactness: that of the steps that are chosen.

    Parameters
    ----------
    steps : list of Step
        Of which some are applied.
    n : int or (low, high)
        How many, from 0 to the number of steps whose `p` is above 0. Of a pair each image draws its own, both ends
        included.
    shuffle : bool
        Whether those that are chosen are applied in the order in which they were drawn; else in that of the list.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> some = og.SomeOf([og.Flip("X"), og.Flip("Y"), og.Rotate90(1)], n=(1, 2))
    >>> out = og.Compose([some])(image=np.zeros((4, 4), np.uint8), key=og.Key(seed=1))
    >>> [part["number"] for part in out.record["steps"][0]["params"]["steps"]]
    [1, 3]
    """

    steps: Steps
    n: PartCount = 1
    shuffle: bool = False

    def __post_init__(self) -> None:
        possible = sum(each.p > 0 for each in self.steps)
        if max(self._counts) > possible:
            raise ValueError(
                f"n={self.n} is more than the {possible} steps that can be chosen, those with p above 0"
            )

    @property
    def members(self) -> tuple[Any, ...]:
        """All of them."""
        return tuple(self.steps)

    @property
    def _counts(self) -> tuple[int, int]:
        return self.n if isinstance(self.n, tuple) else (self.n, self.n)

    @property
    def _possible(self) -> list[Any]:
        return [each for each in self.steps if each.p > 0]

    @property
    def varies(self) -> bool:
        """Where there is a choice, or one of the steps draws."""
        possible = self._possible
        is_all = (
            not varies(self.n)
            and self._counts[0] == len(possible)
            and not (self.shuffle and len(possible) > 1)
        )
        return self._counts[1] > 0 and (not is_all or any(each.varies for each in possible))

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw how many, then one after the other of those that are left, then their values."""
        weights = [each.p for each in self.steps]
        order = []
        for _ in range(drawn_count(draw, self.n)):
            place = choose(weights, draw)
            weights[place] = 0.0
            order.append(place)
        return self.drawn_parts(order if self.shuffle else sorted(order), draw, spec, chosen=True)

    def open_spec(self, spec: OpenSpec) -> OpenSpec:
        """What any such steps would leave."""
        possible, (low, high) = self._possible, self._counts
        if high == 0:
            return spec
        if low < len(possible):
            return after_any_order(possible, spec, chosen=True, all_of_them=False)
        if self.shuffle:
            return after_any_order(possible, spec, chosen=True, all_of_them=True)
        for each in possible:
            spec = member_spec_after(each, spec, chosen=True)
        return either(spec)

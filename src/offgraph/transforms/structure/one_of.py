"""Apply one of several steps."""

from __future__ import annotations

from typing import Any

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec, OpenSpec
from offgraph.steps.declaration import step
from offgraph.steps.structure import Steps, StructureStep, either, member_spec_after
from offgraph.transforms.structure._choice import choose

__all__ = ["OneOf"]


@step
class OneOf(StructureStep):
    """Apply one of several steps, drawn for each image.

    A structure step. As in Albumentations the `p` of a step inside is its weight: with 0.3 and 0.1 the one is three
    times as likely as the other, and the one that is chosen is applied. `Identity` among them stands for none. The draws
    of a step do not depend on which others there are. Exactness: that of the step that is chosen.

    Parameters
    ----------
    steps : list of Step
        Of which one is applied.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.OneOf([og.Rotate90(1), og.Flip("X"), og.Identity()])])
    >>> out = recipe(image=np.array([[1, 2, 3]], np.uint8), key=og.Key(seed=1))
    >>> out.record["steps"][0]["params"]["steps"][0]["step"]
    'Identity'
    """

    steps: Steps

    def __post_init__(self) -> None:
        if not any(each.p > 0 for each in self.steps):
            raise ValueError("expected a step with p above 0: it is the weight with which it is chosen")

    @property
    def members(self) -> tuple[Any, ...]:
        """All of them."""
        return tuple(self.steps)

    @property
    def _possible(self) -> list[Any]:
        return [each for each in self.steps if each.p > 0]

    @property
    def varies(self) -> bool:
        """Where there is a choice, or the only step draws."""
        return len(self._possible) > 1 or self._possible[0].varies

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Choose a step, then draw its values."""
        only = len(self._possible) == 1
        place = self.steps.index(self._possible[0]) if only else choose([each.p for each in self.steps], draw)
        return self.drawn_parts([place], draw, spec, chosen=True)

    def open_spec(self, spec: OpenSpec) -> OpenSpec:
        """What all of the steps would leave."""
        return either(*(member_spec_after(each, spec, chosen=True) for each in self._possible))

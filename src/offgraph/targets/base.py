"""What a target is: something that lies on an image's grid and says how coordinate maps move it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from offgraph.geometry.frame import Frame
    from offgraph.geometry.resampling import Leg

__all__ = ["Target"]


class Target(ABC):
    """Base of all targets.

    A new target is one file with a class like this, and its line in `offgraph.targets.KINDS`.
    """

    kind: ClassVar[str]
    """The keyword under which recipes take it untyped, such as ``"mask"``."""

    @property
    @abstractmethod
    def size(self) -> tuple[int, ...]:
        """Spatial lengths of the grid that the target lies on."""

    @property
    def value(self) -> Any:
        """What `Result` gives under the target's name: the array of a target with pixels, else the target."""
        return self

    @abstractmethod
    def moved(self, legs: Sequence[Leg]) -> Self:
        """Return the target after the geometric steps of a chain, moved through all of them at once.

        Parameters
        ----------
        legs : sequence of Leg
            In the order of the steps. The first begins on this target's grid.
        """

    @abstractmethod
    def restored(self, frame: Frame) -> Self:
        """Return the target on the frame's original grid; this target lies on its output grid."""

    @classmethod
    @abstractmethod
    def given(cls, value: Any, size: tuple[int, ...], axes: str) -> Self:
        """Return the target that a bare value means, beside an image of this spatial size and these axes."""

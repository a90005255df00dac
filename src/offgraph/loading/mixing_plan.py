"""What is done to one image of a batch when it is mixed: plain numbers, from which pixels, labels and objects follow."""

from __future__ import annotations

from typing import NamedTuple

from offgraph.loading.mixes import Mix

__all__ = ["MixPart", "MixPlan"]


class MixPart(NamedTuple):
    """What one image of the batch gives to a mixed one.

    Parameters
    ----------
    source : int
        Its row.
    share : float
        Of the mixed image.
    box : tuple of slice, or None
        Where it stands, on the spatial axes; None where it is averaged with another.
    shown : tuple of slice, or None
        Which part of it is shown there, resized where the lengths differ.
    """

    source: int
    share: float
    box: tuple[slice, ...] | None = None
    shown: tuple[slice, ...] | None = None

    @property
    def placed(self) -> tuple[slice, ...]:
        """Where it stands; not for one that is averaged."""
        assert self.box is not None
        return self.box

    @property
    def seen(self) -> tuple[slice, ...]:
        """Which part of it is shown; not for one that is averaged."""
        assert self.shown is not None
        return self.shown

    @property
    def lengths(self) -> tuple[int, ...]:
        """Pixels that it takes on each axis."""
        return tuple(side.stop - side.start for side in self.placed)

    @property
    def is_empty(self) -> bool:
        """Whether it has no pixels."""
        return 0 in self.lengths

    @property
    def is_resized(self) -> bool:
        """Whether it is shown in another size."""
        return self.lengths != tuple(side.stop - side.start for side in self.seen)


class MixPlan(NamedTuple):
    """What is done to one image of a batch.

    Parameters
    ----------
    mix : MixUp, CutMix or Mosaic
    lam : float
        Share of the image itself.
    own : MixPart or None
        Of a mosaic, what it keeps.
    parts : tuple of MixPart
        What others give, later ones over earlier ones.
    """

    mix: Mix
    lam: float
    own: MixPart | None
    parts: tuple[MixPart, ...]

    @property
    def keeps_place(self) -> bool:
        """Whether what is left of the image stays where it was."""
        return self.own is None or self.own.shown == self.own.box

    @property
    def resizes(self) -> bool:
        """Whether a part is resized."""
        parts = self.parts if self.own is None else (self.own, *self.parts)
        return any(part.box is not None and not part.is_empty and part.is_resized for part in parts)

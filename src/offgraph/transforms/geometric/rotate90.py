"""Turn by quarters."""

from __future__ import annotations

from typing import Any

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.steps.base import varies
from offgraph.steps.counts import QuarterTurns, drawn_count
from offgraph.steps.declaration import step
from offgraph.transforms.geometric._plane import TURNS, PlaneStep

__all__ = ["Rotate90"]


@step
class Rotate90(PlaneStep):
    """Turn by a number of quarters, without resampling.

    A geometric step. By an odd number the two lengths of the plane change places. Exactness: whole pixels, equal to
    `numpy.rot90`.

    Parameters
    ----------
    times : int or (low, high)
        Quarters. Positive turns counter-clockwise on the screen, as `Rotate` and `numpy.rot90` do. Of a pair each image
        draws a whole number, both ends included; by default each of the four turns is as likely.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> og.Compose([og.Rotate90(1)])(image=np.array([[1, 2, 3], [4, 5, 6]], np.uint8)).image
    array([[3, 6],
           [2, 5],
           [1, 4]], dtype=uint8)
    """

    times: QuarterTurns = (0, 3)

    @property
    def varies(self) -> bool:
        """Where `times` is a range."""
        return varies(self.times)

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw `times`, as a number from 0 to 3."""
        return {"times": drawn_count(draw, self.times) % 4}

    def symmetry(self, params: dict[str, Any]) -> str:
        """The turn."""
        return TURNS[params["times"]]

    def possible(self) -> tuple[str, ...]:
        """The turns within the range."""
        low, high = self.times if isinstance(self.times, tuple) else (self.times, self.times)
        return tuple(TURNS[times % 4] for times in range(low, min(high, low + 3) + 1))

"""What steps share that mix values with a colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.core.specs import SpecT
from offgraph.steps.values import KnownRange, channel_count

__all__ = ["ColoredStep", "color_of", "inside"]


class ColoredStep(KnownRange):
    """A step that mixes values with its `color`: one number in shares of the range, or one for each channel."""

    if TYPE_CHECKING:  # each class declares it, in its place among its parameters
        color: float | tuple[float, ...]

    def output_spec(self, spec: SpecT, params: dict[str, Any] | None = None) -> SpecT:
        """The same, once color and range fit the image."""
        values = self.color if isinstance(self.color, tuple) else (self.color,)
        if not all(0 <= value <= 1 for value in values):
            raise ValueError(f"color={self.color}: write shares of the range, from 0 to 1; 1 is white")
        count = channel_count(spec)
        if len(values) > 1 and count not in (None, len(values)):
            raise ValueError(
                f"color={self.color} has {len(values)} values, the image has {count} channels (axes {spec.axes})"
            )
        return super().output_spec(spec, params)


def color_of(color: float | tuple[float, ...], top: float, number: type[np.floating[Any]]) -> np.ndarray:
    """Return the value of each channel, or one for all."""
    return np.atleast_1d(np.array(color, np.float64) * top).astype(number)


def inside(drawn: float, n: int) -> float:
    """Return the coordinate of a share of an axis of `n` pixels, from its one edge to the other."""
    return drawn * n - 0.5

"""What steps share that mix values with a colour."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.core.specs import OpenSpec
from offgraph.steps.values import channel_count

__all__ = ["check_color", "color_of", "inside"]


def check_color(spec: OpenSpec, color: float | tuple[float, ...]) -> None:
    """Refuse a colour that is not in shares of the range, or not one number for each channel."""
    values = color if isinstance(color, tuple) else (color,)
    if not all(0 <= value <= 1 for value in values):
        raise ValueError(f"color={color}: write shares of the range, from 0 to 1; 1 is white")
    count = channel_count(spec)
    if len(values) > 1 and count not in (None, len(values)):
        raise ValueError(
            f"color={color} has {len(values)} values, the image has {count} channels (axes {spec.axes})"
        )


def color_of(color: float | tuple[float, ...], top: float, number: type[np.floating[Any]]) -> np.ndarray:
    """Return the value of each channel, or one for all."""
    return np.atleast_1d(np.array(color, np.float64) * top).astype(number)


def inside(drawn: float, n: int) -> float:
    """Return the coordinate of a share of an axis of `n` pixels, from its one edge to the other."""
    return drawn * n - 0.5

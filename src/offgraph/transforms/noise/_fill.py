"""What fills the gaps that a step makes."""

from __future__ import annotations

import numpy as np

from offgraph.core.specs import OpenSpec, held_by
from offgraph.steps.values import channel_count

__all__ = ["check_fill", "fill_of"]


def check_fill(spec: OpenSpec, fill: float | tuple[float, ...]) -> None:
    """Refuse values that the dtype does not hold, or that are not one for each channel."""
    values = fill if isinstance(fill, tuple) else (fill,)
    count = channel_count(spec)
    if len(values) > 1 and count not in (None, len(values)):
        raise ValueError(
            f"fill={fill} has {len(values)} values, the image has {count} channels (axes {spec.axes})"
        )
    for value in values:
        held_by(np.dtype(spec.dtype), fill=value)


def fill_of(fill: float | tuple[float, ...], image: np.ndarray) -> np.ndarray:
    """Return the value of each channel, or one for all, of the image's dtype."""
    return np.atleast_1d(np.array(fill)).astype(image.dtype)

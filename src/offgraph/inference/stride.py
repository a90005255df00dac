"""The lengths that a model takes: of poolings and upsamplings that must meet again, only multiples of their product."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from offgraph.tensors.keras import SavedModel

__all__ = ["stride_of"]

_TRIED = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_ODD = (5, 7, 5)  # times the multiple: lengths that no larger multiple divides


def stride_of(saved: SavedModel) -> int | None:
    """Smallest multiple that the spatial lengths of a model's input must be, or None where none was found.

    It is tried, on small images of zeros, and not read off the layers: a layer of somebody's own tells nothing, and a
    model that pads and crops for itself takes every size.
    """
    spec = saved.input_spec
    for multiple in _TRIED:
        lengths = list(spec.shape)
        for axis, odd in zip(spec.spatial, _ODD):
            if lengths[axis] is None:
                lengths[axis] = multiple * odd
        given = tuple(length or 1 for length in lengths)
        try:
            made = np.shape(saved.model(np.zeros((1, *given), spec.dtype), training=False))[1:-1]
        except Exception:  # whatever a layer raises for a size it does not take
            continue
        size = tuple(given[axis] for axis in spec.spatial)
        if saved.task != "segment":
            return multiple
        if (
            len(made) == len(size)
            and 0 not in made
            and not any(max(a, b) % min(a, b) for a, b in zip(size, made))
        ):
            return multiple
    return None

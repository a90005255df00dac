"""The lengths that a model takes, and the grid that it outputs.

Where poolings and upsamplings must match, only multiples of their product fit. Where a pooling drops the remainder of a
length, the pixels of a mask lie elsewhere than their number suggests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from offgraph.frameworks.keras import SavedModel

__all__ = ["Grid", "grid_of"]

_TRIED = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
# Factors of the multiple: lengths that no larger multiple divides; two per axis, so that no ratio holds by chance.
_ODD = ((5, 7, 5), (11, 13, 7))

_MOST_PIXELS = (
    1 << 22
)  # of an image that is tried; a volume of large multiples would take gigabytes inside the model


@dataclass(frozen=True)
class Grid:
    """The spatial lengths that a model takes and gives.

    Parameters
    ----------
    multiple : int
        Lengths that are free must be multiples of it; 1 where every length will do.
    ratio : tuple of float
        Of a segmentation model: input pixels per output pixel, along each axis. Empty for others.
    """

    multiple: int
    ratio: tuple[float, ...] = ()


def grid_of(saved: SavedModel) -> Grid | None:
    """Find the smallest multiple that a model takes, or None where no multiple up to 64 fits.

    It is found by trial, on small images of zeros, and not from the layers: a custom layer reveals nothing, and a model
    that pads and crops internally takes every size.
    """
    for multiple in _TRIED:
        first = _ratio(saved, multiple, _ODD[0])
        if first is None:
            continue
        if saved.task != "segment":
            return Grid(multiple)
        if first == _ratio(saved, multiple, _ODD[1]):
            return Grid(multiple, first)
    return None


def _ratio(saved: SavedModel, multiple: int, odd: tuple[int, ...]) -> tuple[float, ...] | None:
    """Input pixels per output pixel of an image of zeros; None where the model does not take it."""
    spec = saved.input_spec
    lengths = list(spec.shape)
    for axis, factor in zip(spec.spatial, odd):
        if lengths[axis] is None:
            lengths[axis] = multiple * factor
    given = tuple(length or 1 for length in lengths)
    if None in spec.size and math.prod(given[axis] for axis in spec.spatial) > _MOST_PIXELS:
        return None
    try:
        made = np.shape(saved.main(np.zeros((1, *given), spec.dtype), training=False))[1:-1]
    except Exception:  # whatever a layer raises for a size it does not take
        return None
    if saved.task != "segment":
        return ()
    size = tuple(given[axis] for axis in spec.spatial)
    if len(made) != len(size) or 0 in made or any(max(a, b) % min(a, b) for a, b in zip(size, made)):
        return None
    return tuple(a / b for a, b in zip(size, made))

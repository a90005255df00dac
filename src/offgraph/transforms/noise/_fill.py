"""What fills the gaps that a step makes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from offgraph.core.specs import OpenSpec, held_by
from offgraph.steps.values import channel_count
from offgraph.targets.mask import Mask

__all__ = ["check_fill", "fill_labels", "fill_of"]


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


def fill_labels(mask: Mask, label: int, places: Iterable[Any]) -> Mask:
    """Return a mask with one label at some places.

    Parameters
    ----------
    mask : Mask
    label : int
        Refused where the dtype of the mask does not hold it.
    places : iterable
        What NumPy takes as an index of the spatial axes, each.
    """
    dtype = mask.array.dtype
    held = np.can_cast(np.min_scalar_type(label), dtype, "safe")
    if not held and not np.array(label).astype(dtype) == label:
        raise ValueError(f"mask_fill={label} cannot be held by a mask of dtype {dtype}")
    labels = mask.array.copy()
    spatial_first = np.moveaxis(labels, mask.spec.spatial, range(len(mask.spec.spatial)))
    for place in places:
        spatial_first[place] = label
    return mask.with_array(labels)

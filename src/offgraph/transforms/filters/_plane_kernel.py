"""Correlation with weights that lie in the plane of rows and columns, of images and of each slice of a volume."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.steps.values import limited

__all__ = ["correlate_plane"]


def correlate_plane(ndi: Any, image: np.ndarray, weights: np.ndarray, mode: str, cval: float) -> np.ndarray:
    """`ndimage.correlate` in float64; integers are rounded half to even and limited to what the dtype holds.

    Parameters
    ----------
    ndi : module
        `scipy.ndimage` or `offgraph.ndimage`.
    image : ndarray
        One channel, spatial axes only.
    weights : ndarray
        Of two axes, or of all that the image has.
    mode, cval
        Border of the image.
    """
    lying = weights.reshape((1,) * (image.ndim - weights.ndim) + weights.shape)
    return limited(ndi.correlate(image.astype(np.float64), lying, mode=mode, cval=cval), image.dtype)

"""What steps share that displace pixels by a field on a coarse grid of nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.geometry.base import on_border
from offgraph.geometry.displacement_map import ROUNDING

__all__ = ["read_displaced"]


def read_displaced(
    ndi: Any, image: np.ndarray, field: np.ndarray, field_order: int, order: int, mode: str, cval: float
) -> np.ndarray:
    """`ndimage.map_coordinates` at the pixels plus the field, which `ndimage.zoom` enlarges to one value per pixel.

    The field is enlarged in single precision: a ten-millionth of a displacement. Where it is 0 but for rounding a pixel
    stays exactly, and rounding carries no coordinate over the image's border.

    Parameters
    ----------
    ndi : module
        `scipy.ndimage` or `offgraph.ndimage`.
    image : ndarray
        One channel, spatial axes only.
    field : ndarray of float64, shape (n, *nodes)
        Displacement in pixels along each axis; the outermost nodes lie on the centres of the outermost pixels.
    field_order, order : int
        Spline orders of the field and of the image.
    mode, cval
        Border of the image.
    """
    dense = field
    if field.shape[1:] != image.shape:
        factors = np.divide(image.shape, field.shape[1:])
        dense = np.stack(
            [ndi.zoom(f, factors, order=field_order, mode="mirror") for f in field.astype(np.float32)]
        )
        dense[np.abs(dense) < np.float32(ROUNDING * np.abs(field).max())] = 0
    places = on_border(np.indices(image.shape) + dense, image.shape)
    return ndi.map_coordinates(image, places, order=order, mode=mode, cval=cval)

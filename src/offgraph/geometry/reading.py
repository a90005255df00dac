"""Read an array through a coordinate map: one resampling, in the bytes of `scipy.ndimage`.

| map | bytes of |
|---|---|
| GridMap | the pixels themselves, moved |
| AffineMap | `affine_transform` of each plane |
| every other | `map_coordinates` of each plane at `CoordinateMap.coordinates()`; the fill value where nothing maps |
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from offgraph.core.errors import OffgraphError
from offgraph.core.specs import held_by
from offgraph.engine.coordinates import coordinates_planes
from offgraph.engine.resample import affine_planes, stored_value
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.base import CoordinateMap
from offgraph.geometry.grid_map import GridMap
from offgraph.geometry.resampling import Resampling

__all__ = ["read", "read_at", "read_labels"]


def read(array: np.ndarray, step: CoordinateMap, resampling: Resampling, axes: Sequence[int]) -> np.ndarray:
    """Return measured values after one step.

    Parameters
    ----------
    array : ndarray
        On the map's input grid; any real dtype, any further axes.
    step : CoordinateMap
    resampling : Resampling
        Order, border mode and value outside.
    axes : sequence of int
        Spatial axes of the array, counted from 0, in rising order. The others are carried along.

    Returns
    -------
    ndarray
        Of the same dtype; a new array.

    Raises
    ------
    OffgraphError
        Where the array does not lie on the map's input grid.

    Examples
    --------
    >>> from offgraph.geometry import ProjectiveMap
    >>> corners = [(0, 0), (0, 3), (3, 0), (3, 3)]
    >>> turned = ProjectiveMap.from_points(corners, [(0, 3), (3, 3), (0, 0), (3, 0)], (4, 4), (4, 4))
    >>> image = np.arange(16.0).reshape(4, 4)
    >>> bool(np.allclose(read(image, turned, Resampling(mode="nearest"), (0, 1)), np.rot90(image)))
    True
    """
    if tuple(array.shape[axis] for axis in axes) != step.input_size:
        raise OffgraphError(
            f"an array of shape {array.shape} does not lie on this map's input grid of size {step.input_size}"
        )
    rule = resampling
    if isinstance(step, GridMap):
        return step.take(array, axes, rule.mode, rule.cval)
    if isinstance(step, AffineMap):
        return affine_planes(
            array, step.matrix, step.offset, step.output_size, axes=axes,
            order=rule.order, mode=rule.mode, cval=rule.cval,
        )  # fmt: skip
    return read_at(array, step.coordinates(), rule, axes)


def read_at(
    array: np.ndarray, coordinates: np.ndarray, resampling: Resampling, axes: Sequence[int]
) -> np.ndarray:
    """Return measured values at coordinates of shape (n, *size), and the value outside where these are NaN."""
    rule = resampling
    nowhere = ~np.isfinite(coordinates).all(axis=0)
    some = bool(nowhere.any())
    if some:
        coordinates = np.where(nowhere, 0.0, coordinates)
    out = coordinates_planes(array, coordinates, axes=axes, order=rule.order, mode=rule.mode, cval=rule.cval)
    if some:
        np.moveaxis(out, axes, range(len(axes)))[nowhere] = stored_value(out.dtype, rule.cval)
    return out


def read_labels(
    array: np.ndarray, step: CoordinateMap, resampling: Resampling, axes: Sequence[int]
) -> np.ndarray:
    """Return labels after one step: the nearest one, whole numbers of any width untouched.

    Parameters
    ----------
    array, step, resampling, axes
        As for `read`; read at order 0 with `mask_cval` outside.

    Raises
    ------
    ValueError
        For a label outside that the dtype cannot hold, where one is needed.
    """
    rule = resampling.for_labels()
    if not (isinstance(step, GridMap) and not step.reaches_outside):
        held_by(array.dtype, mask_cval=rule.cval)
    if isinstance(step, GridMap) or array.dtype.itemsize < 8:
        return read(array, step, rule, axes)
    # SciPy reads through float64, which holds whole numbers to 2**53 only: move indices, then look up.
    index = np.arange(array.size, dtype=np.float64).reshape(array.shape)
    moved = read(index, step, Resampling(order=0, mode=rule.mode, cval=-1), axes).astype(np.int64)
    found = array.ravel()[np.maximum(moved, 0)] if array.size else np.zeros(moved.shape, array.dtype)
    return np.where(moved < 0, np.array(rule.cval, array.dtype), found)

"""Segmentation that SciPy lacks: floods, reconstruction and maxima of landscapes, and images of many labels at once."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from offgraph.core.arguments import plain_array
from offgraph.core.errors import ArgumentError
from offgraph.engine.calls import is_native, native_input
from offgraph.engine.native import core

__all__ = [
    "h_maxima",
    "label_distances",
    "label_regions",
    "pixel_sides",
    "reconstruction",
    "regional_maxima",
    "watershed",
]


def watershed(
    height: ArrayLike, markers: ArrayLike, mask: ArrayLike | None = None, connectivity: int = 1
) -> np.ndarray:
    """Flood a landscape of any numbers from its markers: each pixel gets the label that reaches it over the lowest way.

    Exact: the labels of scikit-image's `segmentation.watershed`, without its lines and compactness. Pixels leave one queue, the
    lowest first and of equally low ones the first that entered; a pixel is no lower than the one that it was reached from.

    Parameters
    ----------
    height : array_like of numbers
        The landscape, of at least one axis; compared as float64.
    markers : array_like of int
        Labels to start from, 0 elsewhere, within the range of int32; those outside the mask do not count.
    mask : array_like, optional
        Where it is not zero the flood goes; everywhere if not given.
    connectivity : int
        How many axes a step to a neighbour may cross: 1 for sides, up to the number of axes.

    Returns
    -------
    ndarray of int32
        Labels, 0 where no flood comes.

    Raises
    ------
    ArgumentError
        For another shape, a height that is not a number, markers that are not whole numbers of 32 bits, or a connectivity that
        the array does not have.

    See Also
    --------
    offgraph.ndimage.watershed_ift : SciPy's, by the steps between pixels of 8 or 16 bits.

    Examples
    --------
    >>> watershed([0.0, 0.1, 0.9, 0.2, 0.0], [1, 0, 0, 0, 2])
    array([1, 1, 1, 2, 2], dtype=int32)
    """
    height = _levels("height", height)
    markers = plain_array("markers=", markers)
    inside = np.ones(height.shape, bool) if mask is None else plain_array("mask=", mask).astype(bool)
    for name, array in (("markers", markers), ("mask", inside)):
        if array.shape != height.shape:
            raise ArgumentError(f"{name}: expected the shape of height, {height.shape}, got {array.shape}")
    if markers.dtype.kind not in "bui":
        raise ArgumentError(f"markers: expected whole numbers, got {markers.dtype}")
    limits = np.iinfo(np.int32)
    if markers.size and not (limits.min <= int(markers.min()) and int(markers.max()) <= limits.max):
        raise ArgumentError("markers: expected labels within the range of int32")
    structure = _structure(height.ndim, connectivity)
    if np.isnan(height).any():
        raise ArgumentError("height: expected numbers, got NaN")
    labels = np.array(markers, np.int32, order="C")
    if labels.size:
        core.priority_flood(labels, height, np.ascontiguousarray(inside), structure)
    return labels


def reconstruction(seed: ArrayLike, mask: ArrayLike, connectivity: int = 1) -> np.ndarray:
    """Dilate a seed below a mask until nothing changes.

    Exact: the one fixed point that there is, which scikit-image's `morphology.reconstruction` gives by the same neighbours.

    Parameters
    ----------
    seed : array_like of numbers
        Where levels start: nowhere above `mask`.
    mask : array_like of numbers
        What levels do not rise above, in the shape of `seed`. Computed in float32 where both arrays are, else in float64.
    connectivity : int
        How many axes a step to a neighbour may cross: 1 for sides, up to the number of axes.

    Returns
    -------
    ndarray of float32 or float64
        At each pixel the highest level from which a way leads there that stays below the mask.

    Raises
    ------
    ArgumentError
        For different shapes, NaN, or a seed above the mask.

    Examples
    --------
    >>> reconstruction([0.0, 0.0, 2.0, 0.0, 0.0], [0.0, 3.0, 3.0, 1.0, 3.0])
    array([0., 2., 2., 1., 1.])
    """
    below, levels = _levels("mask", mask), _levels("seed", seed)
    dtype = np.result_type(below, levels)
    below, levels = below.astype(dtype, copy=False), np.array(levels, dtype, order="C")
    if below.shape != levels.shape:
        raise ArgumentError(f"seed: expected the shape of mask, {below.shape}, got {levels.shape}")
    structure = _structure(below.ndim, connectivity)
    if not (levels <= below).all():
        raise ArgumentError("seed: expected numbers nowhere above the mask")
    if levels.size:
        core.reconstruct(levels, below, structure)
    return levels


def h_maxima(height: ArrayLike, h: float, connectivity: int = 1) -> np.ndarray:
    """Mark the summits that stand out by more than `h`.

    Every summit is cut off by `h`, by `reconstruction` of the landscape lowered by that, and the plateaus that are left are
    marked. Summits with a way between them that leads down by no more than `h` are one. Exact: the definition in these words, by
    float arithmetic of the landscape's own type.

    Parameters
    ----------
    height : array_like of numbers
        The landscape. Other numbers than float32 are taken as float64.
    h : float
        At least 0; 0 marks every summit.
    connectivity : int
        How many axes a step to a neighbour may cross: 1 for sides, up to the number of axes.

    Returns
    -------
    ndarray of bool
        Nothing is marked where all heights are equal.

    Raises
    ------
    ArgumentError
        For NaN or infinite heights, or an `h` below 0.

    Examples
    --------
    >>> h_maxima([0.0, 3.0, 1.0, 5.0, 4.5, 4.75, 0.0], 1).astype(int)
    array([0, 1, 0, 1, 1, 1, 0])
    """
    levels = _levels("height", height)
    if not np.isfinite(levels).all():
        raise ArgumentError("height: expected finite numbers")
    if not isinstance(h, numbers.Real) or not h >= 0:
        raise ArgumentError(f"h: expected a number of at least 0, got {h!r}")
    return regional_maxima(
        reconstruction(levels - levels.dtype.type(h), levels, connectivity) if h else levels, connectivity
    )


def regional_maxima(height: ArrayLike, connectivity: int = 1) -> np.ndarray:
    """Mark the pixels of summits: plateaus of equal pixels, all of whose neighbours are lower.

    Exact: scikit-image's `morphology.local_maxima`, with summits at the border.

    Parameters
    ----------
    height : array_like of numbers
        The landscape. Other numbers than float32 are taken as float64.
    connectivity : int
        How many axes a step to a neighbour may cross: 1 for sides, up to the number of axes.

    Returns
    -------
    ndarray of bool
        Nothing is marked where all heights are equal.

    Raises
    ------
    ArgumentError
        For NaN.

    Examples
    --------
    >>> regional_maxima([1, 3, 3, 2, 4]).astype(int)
    array([0, 1, 1, 0, 1])
    """
    levels = _levels("height", height)
    structure = _structure(levels.ndim, connectivity)
    if np.isnan(levels).any():
        raise ArgumentError("height: expected numbers, got NaN")
    marks = np.zeros(levels.shape, bool)
    if levels.size:
        core.regional_maxima(marks, levels, structure)
    return marks


def pixel_sides(sampling: float | Sequence[float], axes: int) -> list[float]:
    """Return the size of a pixel along each axis.

    Raises
    ------
    ArgumentError
        Where it is not positive and finite, or there is another number of them.
    """
    try:
        sides = np.broadcast_to(np.asarray(sampling, float), (axes,)).tolist()
    except (TypeError, ValueError):
        sides = [np.nan]
    if not all(0 < side < np.inf for side in sides):
        raise ArgumentError(
            f"sampling: expected a positive number, or one for each of {axes} axes, got {sampling!r:.80}"
        )
    return sides


def label_distances(labels: ArrayLike, sampling: Any = 1.0, *, edges: bool = False) -> np.ndarray:
    """Return how far each pixel lies from the nearest one of another label, the background among them.

    All labels are done at once: the distance transforms of each label by itself, put together. Exact: squared distances of
    whole spacings are whole numbers, so that the distance is the float32 next to the true one; other spacings are rounded
    in float64. As the function `edt` of the package of that name has it.

    Parameters
    ----------
    labels : array_like of numbers or bool
        Labels; 0 is the background.
    sampling : float or sequence of float
        Size of a pixel along all axes, or one per axis, above 0.
    edges : bool
        Whether what lies outside of the image counts as another label.

    Returns
    -------
    ndarray of float32
        0 on the background; infinite where the image holds nothing but one label.

    Raises
    ------
    ArgumentError
        For labels without an axis or of other types, a sampling that is not positive or has another length, or `edges` that is
        neither True nor False.

    Examples
    --------
    >>> label_distances([0, 1, 1, 1, 2, 2])
    array([0., 1., 2., 1., 1., 2.], dtype=float32)
    """
    labels = _labels(labels)
    spacings = pixel_sides(sampling, labels.ndim)
    if not isinstance(edges, bool | np.bool_):
        raise ArgumentError(f"edges={edges!r:.80}: give True or False")
    distances = np.zeros(labels.shape, np.float32)
    if labels.size:
        core.label_distances(distances, labels, spacings, bool(edges))
    return distances


def label_regions(labels: ArrayLike, connectivity: int = 1) -> tuple[np.ndarray, int]:
    """Number the connected components of all labels at once: pixels of one component have equal labels.

    Exact: the components of `scipy.ndimage.label` of each label by itself, numbered by their first pixels in C order.

    Parameters
    ----------
    labels : array_like of numbers or bool
        Labels; 0 is the background.
    connectivity : int
        How many axes a step to a neighbour may cross: 1 for sides, up to the number of axes.

    Returns
    -------
    tuple of (ndarray of int32, int)
        The numbers, from 1, and how many components there are.

    Raises
    ------
    ArgumentError
        For labels without an axis or of other types, or a connectivity that the array does not have.

    Examples
    --------
    >>> label_regions([[7, 7, 0], [5, 7, 5]])
    (array([[1, 1, 0],
           [2, 1, 3]], dtype=int32), 3)
    """
    labels = _labels(labels)
    _structure(labels.ndim, connectivity)
    numbers = np.zeros(labels.shape, np.int32)
    count = core.label_regions(numbers, labels, connectivity) if labels.size else 0
    return numbers, count


def _levels(name: str, values: ArrayLike) -> np.ndarray:
    """A C-contiguous array of float32 or float64."""
    array = plain_array(f"{name}=", values)
    if array.dtype.kind not in "buif" or array.dtype.itemsize > 8:
        raise ArgumentError(f"{name}: expected real numbers of up to 64 bits, got {array.dtype}")
    if array.ndim == 0:
        raise ArgumentError(f"{name}: expected an array with at least one axis")
    return np.ascontiguousarray(array, np.float32 if array.dtype == np.float32 else np.float64)


def _labels(labels: ArrayLike) -> np.ndarray:
    """A C-contiguous array of a type that the native module takes."""
    array = plain_array("labels=", labels)
    if array.ndim == 0 or not is_native(array.dtype):
        raise ArgumentError(f"labels: expected an array of numbers, got {array.dtype} of shape {array.shape}")
    return np.ascontiguousarray(native_input(array))


def _structure(axes: int, connectivity: int) -> list[bool]:
    """Which of three elements along each axis are neighbours."""
    if isinstance(connectivity, bool) or connectivity not in range(1, axes + 1):
        raise ArgumentError(
            f"connectivity: expected a whole number from 1 to {axes}, the axes, got {connectivity!r:.80}"
        )
    return (np.abs(np.indices((3,) * axes) - 1).sum(0) <= connectivity).ravel().tolist()

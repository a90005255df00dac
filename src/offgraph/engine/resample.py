"""Resampling by the native core: over given spatial axes, for every position of the other axes.

The public functions of :mod:`offgraph.ndimage.interpolation` and the geometric steps both end here. A plane is the
image at one position of the other axes; each is treated as SciPy treats it alone, and all share their coordinates.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from offgraph.engine.calls import (
    as_double,
    call_native,
    check_output,
    mode_code,
    native_input,
    output_array,
    parts,
)
from offgraph.engine.native import core
from offgraph.engine.splines import prefiltered, to_prefilter

__all__ = [
    "AxisMaps",
    "affine_into",
    "affine_planes",
    "arranged",
    "planes_at_once",
    "stored_value",
    "zoom_factors",
    "zoom_into",
    "zoom_planes",
]


_MOST_COEFFICIENTS = 1 << 20
"""Largest number of spline coefficients (8 MB) held for all planes at once; beyond it, one plane at a time as in SciPy."""

AxisMaps = Sequence[tuple[float | None, float | None]]


def arranged(image: np.ndarray, axes: Sequence[int]) -> tuple[np.ndarray, int]:
    """The image with its axes as ``[outer…, spatial…, inner…]``, and the number of outer ones."""
    order, outer = _arrangement(image.ndim, tuple(axes))
    return (image if order is None else image.transpose(order)), outer


@functools.cache
def _arrangement(ndim: int, axes: tuple[int, ...]) -> tuple[tuple[int, ...] | None, int]:
    """Axis order that makes the spatial axes adjacent (``None`` if they are already), and the number of outer axes."""
    last = max(axes)
    others = [axis for axis in range(ndim) if axis not in axes]
    outer = [axis for axis in others if axis < last]
    order = (*outer, *axes, *others[len(outer) :])
    return (None if order == tuple(range(ndim)) else order), len(outer)


def _resample(
    kernel: Any,
    coefficients: np.ndarray,
    output: np.ndarray,
    axes: Sequence[int] | None,
    maps: tuple[Any, ...],
    order: int,
    mode: int,
    cval: Any,
    pad: int,
    prefilter: bool = False,
) -> None:
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    order, fill = operator.index(order), as_double(cval)
    if output.size == 0:
        return
    source = native_input(coefficients)
    check_output(output)
    if np.may_share_memory(source, output):
        source = source.copy()
    outer = 0
    if axes is not None:
        source, outer = arranged(source, axes)
        output, _ = arranged(output, axes)
    if kernel is core.affine_each:
        outer -= 1  # It counts them on an image.
    if prefilter:
        maps = (*maps, np.empty(source.shape))
    elif kernel is core.zoom_shift:
        maps = (*maps, None)
    call_native(kernel, output, source, outer, *maps, order, mode, fill, pad)


def affine_into(
    output: np.ndarray,
    coefficients: np.ndarray,
    matrix: np.ndarray,
    offset: np.ndarray | list[float],
    *,
    axes: Sequence[int] | None = None,
    order: int,
    mode: int,
    cval: Any,
    pad: int = 0,
) -> None:
    """Write the image at ``matrix @ o + offset`` to every position ``o`` of `output`.

    Without `axes`, all are spatial, and the two arrays may have different numbers of them. With one axis more, matrix
    and offset hold one for each position of the first axis, which is then not spatial.
    """
    kernel = core.affine_each if matrix.ndim == 3 else core.affine
    maps = (matrix.ravel().tolist(), offset if isinstance(offset, list) else offset.ravel().tolist())
    _resample(kernel, coefficients, output, axes, maps, order, mode, cval, pad)


def zoom_into(
    output: np.ndarray,
    image: np.ndarray,
    maps: AxisMaps,
    *,
    axes: Sequence[int] | None = None,
    grid: bool = False,
    prefilter: bool = False,
    order: int,
    mode: int,
    cval: Any,
    pad: int = 0,
) -> None:
    """Write the image at ``(o + shift) * zoom`` on each spatial axis to every position ``o`` of `output`.

    With `prefilter` it is turned into spline coefficients first (orders 2 to 5).
    """
    maps_and_grid = (list(maps), grid)
    _resample(core.zoom_shift, image, output, axes, maps_and_grid, order, mode, cval, pad, prefilter)


def affine_planes(
    image: np.ndarray,
    matrix: np.ndarray,
    offset: Sequence[float] | np.ndarray,
    output_size: Sequence[int] | np.ndarray,
    *,
    axes: Sequence[int],
    order: int,
    mode: str,
    cval: float = 0.0,
    prefilter: bool = True,
    output: np.ndarray | None = None,
) -> np.ndarray:
    """``affine_transform`` of every plane over the spatial `axes`.

    Parameters
    ----------
    image : ndarray
        Any number of axes, any type of :mod:`offgraph.ndimage`.
    matrix : ndarray, shape (k, k) or (n, k, k)
        From output to input positions, rows and columns in the order of `axes`; or one for each position of axis 0.
    offset : sequence of float, length k, or ndarray, shape (n, k)
        Added to the product.
    output_size : sequence of int, length k
        Length of each spatial axis of the result.
    axes : sequence of int
        The spatial axes, counted from 0.
    order, mode, cval, prefilter
        As for :func:`offgraph.ndimage.affine_transform`.
    output : ndarray, optional
        Where to write; by default a new array of the image's type.

    Returns
    -------
    ndarray
        Each plane has the bytes of ``scipy.ndimage.affine_transform(plane, matrix, offset, output_size, ...)``.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    >>> turned = affine_planes(
    ...     image, np.array([[0, 1], [1, 0]]), [0, 0], (2, 2), axes=(0, 1), order=1, mode="constant"
    ... )
    >>> bool((turned == image.transpose(1, 0, 2)).all())
    True
    """
    if output is None:
        shape = list(image.shape)
        for axis, size in zip(axes, output_size):
            shape[axis] = int(size)
        output = output_array(None, image, tuple(shape), image.dtype.kind == "c")
    code = mode_code(mode)
    matrix = np.asarray(matrix, dtype=np.float64)
    is_list = isinstance(offset, list) and matrix.ndim == 2
    vector: Any = offset if is_list else np.asarray(offset, dtype=np.float64)
    for whole, all_planes, fill in parts(image, output, cval):
        if not (prefilter and order > 1):
            affine_into(all_planes, whole, matrix, vector, axes=axes, order=order, mode=code, cval=fill)
            continue
        coefficients = None
        for some in planes_at_once(whole, all_planes, axes):
            part, target = whole[some], all_planes[some]
            coefficients, pad = prefiltered(part, axes, order, mode, fill, coefficients)
            maps = (matrix[some[0]], vector[some[0]]) if matrix.ndim == 3 else (matrix, vector)
            affine_into(target, coefficients, *maps, axes=axes, order=order, mode=code, cval=fill, pad=pad)
    return output


def planes_at_once(image: np.ndarray, output: np.ndarray, axes: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """Parts of an image whose coefficients are held at once: all planes, or one plane at a time if the image is large."""
    whole = (slice(None),) * image.ndim
    if image.size <= _MOST_COEFFICIENTS or np.may_share_memory(image, output):
        yield whole
        return
    counts = [1 if axis in axes else length for axis, length in enumerate(image.shape)]
    for index in np.ndindex(*counts):
        yield tuple(slice(None) if axis in axes else slice(i, i + 1) for axis, i in enumerate(index))


@functools.lru_cache(maxsize=256)
def stored_value(dtype: np.dtype[Any], cval: float) -> Any:
    """Return `cval` as interpolation stores it outside an image of this type: rounded and clipped, not cut off.

    Examples
    --------
    >>> int(stored_value(np.dtype("uint8"), 7.5)), int(stored_value(np.dtype("uint8"), 300))
    (8, 255)
    """
    pixel, outside = np.zeros((1, 1), dtype), np.array([2.0, 2.0])
    return affine_planes(pixel, np.eye(2), outside, (1, 1), axes=(0, 1), order=0, mode="constant", cval=cval)[
        0, 0
    ]


def zoom_planes(
    image: np.ndarray,
    output_size: Sequence[int] | np.ndarray,
    *,
    axes: Sequence[int],
    order: int,
    mode: str,
    cval: float = 0.0,
    prefilter: bool = True,
    grid_mode: bool = False,
) -> np.ndarray:
    """``zoom`` of every plane over the spatial `axes`, to `output_size`.

    Parameters
    ----------
    image : ndarray
        Any number of axes, any type of :mod:`offgraph.ndimage`.
    output_size : sequence of int
        Length of each spatial axis of the result; `scipy.ndimage.zoom` makes it ``round(n * factor)``.
    axes : sequence of int
        The spatial axes, counted from 0.
    order, mode, cval, prefilter, grid_mode
        As for :func:`offgraph.ndimage.zoom`.

    Returns
    -------
    ndarray
        Each plane has the bytes of ``scipy.ndimage.zoom(plane, factors, ...)``, except that factors of exactly 1
        make SciPy copy the image while a size equal to the image's is resampled here, to the same values for
        orders 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((4, 6, 3), np.float32)
    >>> zoom_planes(image, (8, 3), axes=(0, 1), order=1, mode="nearest").shape
    (8, 3, 3)
    """
    shape = list(image.shape)
    for axis, size in zip(axes, output_size):
        shape[axis] = int(size)
    output = output_array(None, image, tuple(shape), image.dtype.kind == "c")
    factors = zoom_factors([image.shape[axis] for axis in axes], [shape[axis] for axis in axes], grid_mode)
    code = mode_code(mode)
    for part, target, fill in parts(image, output, cval):
        source, pad, splines = part, 0, prefilter and order > 1
        if splines:
            source, pad = to_prefilter(part, axes, order, mode, fill)
        maps = [(None, factor) for factor in factors]
        zoom_into(
            target,
            source,
            maps,
            axes=axes,
            grid=grid_mode,
            prefilter=splines,
            order=order,
            mode=code,
            cval=fill,
            pad=pad,
        )
    return output


def zoom_factors(input_size: Sequence[int], output_size: Sequence[int], grid_mode: bool) -> list[float]:
    """Input pixels per output pixel: n_in / n_out, or (n_in − 1) / (n_out − 1) between corners; 1 where undefined."""
    less = 0 if grid_mode else 1
    return [
        (before - less) / (after - less) if after != less else 1.0
        for before, after in zip(input_size, output_size)
    ]

"""Warps of many images of one size in one call: SciPy has no such functions.

Every function takes images stacked along the first axis, and returns for each the bytes that the function of the same
name in :mod:`offgraph.ndimage` returns for it alone; threads share the images. For small images this takes a fraction of
the time of separate calls.

Axes are counted on an image, so that ``axes=(0, 1)`` is height and width of images of shape ``(n, height, width,
channels)``; the other axes of an image are carried along, neither filtered nor resampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from offgraph.engine.resample import affine_planes, zoom_planes
from offgraph.ndimage.arguments import check_axes, normalize_sequence
from offgraph.ndimage.interpolation.warps import rotation_plane

__all__ = ["affine_transform", "rotate", "zoom"]


def rotate(
    images: Any,
    angle: Any,
    axes: Sequence[int] = (1, 0),
    *,
    order: int = 3,
    mode: str = "constant",
    cval: Any = 0.0,
    prefilter: bool = True,
) -> np.ndarray:
    """Rotate each image in the plane of two of its axes, by its own angle; sizes stay.

    Parameters
    ----------
    images : array_like, shape (n, ...)
        The images, of two axes or more each.
    angle : float or array_like of float, shape (n,)
        In degrees: one for all images, or one for each.
    axes : tuple of two int, optional
        The plane.
    order, mode, cval, prefilter
        As for :func:`offgraph.ndimage.rotate`.

    Returns
    -------
    ndarray
        Of the shape and type of `images`. Each image has the bytes of ``rotate(image, angle, axes,
        reshape=False, ...)``.

    Raises
    ------
    ValueError
        For `axes` that are not two axes of an image, and for another number of angles than images.
    RuntimeError
        For an order, a mode or an element type that is not supported.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.array([[[1, 2], [3, 4]], [[1, 2], [3, 4]]])
    >>> rotate(images, [90, 180], order=1).tolist()
    [[[2, 4], [1, 3]], [[4, 3], [2, 1]]]
    """
    from scipy.special import cosdg, sindg  # takes a quarter of a second to import

    images = _images(images, order)
    down, right = rotation_plane(axes, images.ndim - 1)
    count = len(images)
    angles = np.asarray(angle)
    if angles.shape not in ((), (count,)):
        raise ValueError(f"angles of shape {angles.shape} for {count} images: give one, or one for each")
    c, s = cosdg(angles), sindg(angles)
    matrices = np.empty((count, 2, 2))
    matrices[:, 0, 0] = matrices[:, 1, 1] = c
    matrices[:, 0, 1], matrices[:, 1, 0] = s, -s
    plane = (down + 1, right + 1)
    size = [images.shape[axis] for axis in plane]
    centre = np.array([(n - 1) / 2 for n in size])
    offsets = centre - matrices @ centre
    return affine_planes(
        images, matrices, offsets, size, axes=plane, order=order, mode=mode, cval=cval, prefilter=prefilter
    )


def affine_transform(
    images: Any,
    matrix: Any,
    offset: Any = 0.0,
    output_shape: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    *,
    order: int = 3,
    mode: str = "constant",
    cval: Any = 0.0,
    prefilter: bool = True,
) -> np.ndarray:
    """Resample each image at ``matrix @ o + offset`` for every output position ``o`` on `axes`, by its own map.

    Parameters
    ----------
    images : array_like, shape (n, ...)
        The images.
    matrix : array_like, shape (k, k) or (n, k, k)
        From output to input positions: one for all images, or one for each; k is the number of `axes`.
    offset : float or array_like, shape (k,) or (n, k), optional
        Added to the product.
    output_shape : sequence of int, optional
        Length of each of `axes` in the results; by default that of the images.
    axes : sequence of int, optional
        The axes of an image that are resampled; by default all of them.
    order, mode, cval, prefilter
        As for :func:`offgraph.ndimage.affine_transform`.

    Returns
    -------
    ndarray
        Of the type of `images`. Each plane over `axes` has the bytes of ``affine_transform(plane, matrix, offset,
        output_shape, ...)``.

    Raises
    ------
    ValueError
        For shapes that do not fit.
    RuntimeError
        For an order, a mode or an element type that is not supported.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.array([[[1, 2], [3, 4]], [[1, 2], [3, 4]]])
    >>> turned, mirrored = [[0, 1], [1, 0]], [[1, 0], [0, -1]]
    >>> affine_transform(images, [turned, mirrored], [[0, 0], [0, 1]], order=1).tolist()
    [[[1, 3], [2, 4]], [[2, 1], [4, 3]]]
    """
    images = _images(images, order)
    chosen = check_axes(axes, images.ndim - 1)
    count, rank = len(images), len(chosen)
    matrices, offsets = np.asarray(matrix, dtype=np.float64), np.asarray(offset, dtype=np.float64)
    if matrices.shape not in ((rank, rank), (count, rank, rank)):
        raise ValueError(f"matrices of shape {matrices.shape} for {rank} axes of {count} images")
    if offsets.shape not in ((), (rank,), (count, rank)):
        raise ValueError(f"offsets of shape {offsets.shape} for {rank} axes of {count} images")
    inside = [axis + 1 for axis in chosen]
    size = [images.shape[axis] for axis in inside] if output_shape is None else list(output_shape)
    if len(size) != rank:
        raise ValueError(f"output_shape has {len(size)} entries for {rank} axes")
    return affine_planes(
        images,
        np.broadcast_to(matrices, (count, rank, rank)),
        np.broadcast_to(offsets, (count, rank)),
        size,
        axes=inside,
        order=order,
        mode=mode,
        cval=cval,
        prefilter=prefilter,
    )


def zoom(
    images: Any,
    zoom: Any,
    axes: Sequence[int] | None = None,
    *,
    order: int = 3,
    mode: str = "constant",
    cval: Any = 0.0,
    prefilter: bool = True,
    grid_mode: bool = False,
) -> np.ndarray:
    """Resample each image on a finer or coarser grid, the same for all.

    Parameters
    ----------
    images : array_like, shape (n, ...)
        The images.
    zoom : float or sequence of float
        The factor, one number for all of `axes` or one for each.
    axes : sequence of int, optional
        The axes of an image that are resampled; by default all of them.
    order, mode, cval, prefilter, grid_mode
        As for :func:`offgraph.ndimage.zoom`.

    Returns
    -------
    ndarray
        Of the type of `images`. Each plane over `axes` has the bytes of ``zoom(plane, zoom, ...)``.

    Raises
    ------
    RuntimeError
        For an order, a mode, a length of `zoom` or an element type that is not supported.

    Examples
    --------
    >>> import numpy as np
    >>> zoom(np.array([[0.0, 2.0], [4.0, 6.0]]), 1.5, order=1).tolist()
    [[0.0, 1.0, 2.0], [4.0, 5.0, 6.0]]
    """
    images = _images(images, order)
    inside = [axis + 1 for axis in check_axes(axes, images.ndim - 1)]
    factors = normalize_sequence(zoom, len(inside))
    size = [int(round(images.shape[axis] * factor)) for axis, factor in zip(inside, factors)]  # noqa: RUF046
    if prefilter and all(factor == 1 for factor in factors):
        return images.astype(images.dtype.newbyteorder("="))
    return zoom_planes(
        images,
        size,
        axes=inside,
        order=order,
        mode=mode,
        cval=cval,
        prefilter=prefilter,
        grid_mode=grid_mode,
    )


def _images(images: Any, order: int) -> np.ndarray:
    """Return the images as an array, after the checks that all functions share."""
    if order < 0 or order > 5:
        raise RuntimeError("spline order not supported")
    images = np.asarray(images)
    if images.ndim < 2:
        raise RuntimeError("images need another axis after the first, which counts them")
    return images

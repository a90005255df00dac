"""Affine transforms, rotations, shifts and zooms."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np

from offgraph.engine.calls import mode_code, output_array
from offgraph.engine.resample import affine_into, affine_planes, zoom_factors, zoom_into
from offgraph.ndimage.arguments import normalize_sequence
from offgraph.ndimage.interpolation.splines import (
    coefficients_of,
    for_each_part,
    source_of,
)

__all__ = ["affine_transform", "rotate", "rotation_plane", "shift", "zoom"]


def affine_transform(
    input,
    matrix,
    offset=0.0,
    output_shape=None,
    output=None,
    order=3,
    mode="constant",
    cval=0.0,
    prefilter=True,
):
    """The image at ``matrix @ o + offset`` for every output position ``o``.

    Parameters
    ----------
    input : array_like
        The image.
    matrix : array_like
        From output to input positions: shape ``(n, m)``, homogeneous ``(n, n + 1)`` or ``(n + 1, n + 1)`` (then
        `offset` is not used), or ``(n,)`` for a diagonal.
    offset : float or sequence, optional
        Added to the product.
    output_shape : tuple of int, optional
        Shape of the result; by default that of `output` if it is an array, else that of `input`.
    output : ndarray or dtype, optional
        Where to write, or the type of the result.
    order : int, optional
        Spline order, 0 to 5.
    mode : str, optional
        What lies outside; see the module.
    cval : float, optional
        The fill value of the constant modes.
    prefilter : bool, optional
        Whether to make spline coefficients first (orders 2 to 5).

    Returns
    -------
    ndarray
        The resampled image. Equal to SciPy's bytes.

    Raises
    ------
    RuntimeError
        For an order, a mode, a shape, an element type or an output that is not supported.
    ValueError
        For a homogeneous matrix whose last row is not that of one.

    Examples
    --------
    >>> import numpy as np
    >>> affine_transform(np.array([[1.0, 2.0], [3.0, 4.0]]), [[0, 1], [1, 0]], order=1)
    array([[1., 3.],
           [2., 4.]])
    """
    if order < 0 or order > 5:
        raise RuntimeError("spline order not supported")
    input = np.asarray(input)
    if output_shape is None:
        output_shape = output.shape if isinstance(output, np.ndarray) else input.shape
    if input.ndim < 1 or len(output_shape) < 1:
        raise RuntimeError("input and output rank must be > 0")
    complex_output = input.dtype.kind == "c"
    output = output_array(output, input, output_shape, complex_output)
    if complex_output:
        options = {
            "offset": offset,
            "output_shape": output_shape,
            "order": order,
            "mode": mode,
            "prefilter": prefilter,
        }
        for_each_part(affine_transform, input, matrix, output, cval, **options)
        return output
    coefficients, pad, code = coefficients_of(input, order, mode, cval, prefilter)
    matrix, offset = _affine_arguments(matrix, offset, input, output)
    if matrix.ndim == 1:
        factors, shifts = matrix.tolist(), (np.asarray(offset) / matrix).tolist()
        maps = list(zip(shifts, factors))
        source = _spread(coefficients, output)
        zoom_into(output, source, maps, axes=range(input.ndim), order=order, mode=code, cval=cval, pad=pad)
    else:
        affine_into(output, coefficients, matrix, offset, order=order, mode=code, cval=cval, pad=pad)
    return output


def _affine_arguments(matrix, offset, input, output):
    """The matrix as an array, the offset as one or as a list, after SciPy's checks; a homogeneous matrix taken apart."""
    rank = input.ndim
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.ndim not in (1, 2) or matrix.shape[0] < 1:
        raise RuntimeError("no proper affine matrix provided")
    if matrix.ndim == 2 and matrix.shape[1] == rank + 1 and matrix.shape[0] in (rank, rank + 1):
        last_row = [0] * rank + [1]
        if matrix.shape[0] == rank + 1 and not np.all(matrix[rank] == last_row):
            raise ValueError(
                f"Expected homogeneous transformation matrix with shape {matrix.shape} for image shape "
                f"{input.shape}, but bottom row was not equal to {last_row}"
            )
        offset = matrix[:rank, rank]
        matrix = matrix[:rank, :rank]
    if matrix.shape[0] != rank:
        raise RuntimeError("affine matrix has wrong number of rows")
    if matrix.ndim == 2 and matrix.shape[1] != output.ndim:
        raise RuntimeError("affine matrix has wrong number of columns")
    if type(offset) is float:
        return matrix, [offset] * rank
    offset = np.asarray(normalize_sequence(offset, rank), dtype=np.float64)
    if offset.ndim != 1 or offset.shape[0] < 1:
        raise RuntimeError("no proper offset provided")
    return matrix, offset


def _spread(image, output):
    """The image repeated along the axes that an output has beyond its own: what a diagonal matrix means there."""
    extra = output.ndim - image.ndim
    if extra == 0:
        return image
    if extra < 0:
        # SciPy reads sizes from after the end of the output's shape here.
        raise RuntimeError("output rank must not be smaller than input rank for a diagonal matrix")
    return np.broadcast_to(image[(..., *[None] * extra)], image.shape + output.shape[image.ndim :])


def shift(input, shift, output=None, order=3, mode="constant", cval=0.0, prefilter=True):
    """The image moved by `shift` pixels on each axis.

    Parameters
    ----------
    input : array_like
        The image.
    shift : float or sequence
        How far content moves towards higher indices, one number for all axes or one for each.
    output : ndarray or dtype, optional
        Where to write, or the type of the result.
    order : int, optional
        Spline order, 0 to 5.
    mode : str, optional
        What lies outside; see the module.
    cval : float, optional
        The fill value of the constant modes.
    prefilter : bool, optional
        Whether to make spline coefficients first (orders 2 to 5).

    Returns
    -------
    ndarray
        Of the shape of `input`. Equal to SciPy's bytes.

    Raises
    ------
    RuntimeError
        For an order, a mode, a length of `shift`, an element type or an output that is not supported.

    Examples
    --------
    >>> import numpy as np
    >>> shift(np.array([1.0, 2.0, 3.0]), 1, order=1)
    array([0., 1., 2.])
    """
    if order < 0 or order > 5:
        raise RuntimeError("spline order not supported")
    input = np.asarray(input)
    if input.ndim < 1:
        raise RuntimeError("input and output rank must be > 0")
    complex_output = input.dtype.kind == "c"
    output = output_array(output, input, input.shape, complex_output)
    if complex_output:
        for_each_part(_shift, input, shift, output, cval, order=order, mode=mode, prefilter=prefilter)
        return output
    source, pad, splines = source_of(input, order, mode, cval, prefilter)
    code = mode_code(mode)
    shifts = np.asarray([-move for move in normalize_sequence(shift, input.ndim)], dtype=np.float64)
    maps = [(move, None) for move in shifts.tolist()]
    zoom_into(output, source, maps, prefilter=splines, order=order, mode=code, cval=cval, pad=pad)
    return output


def zoom(input, zoom, output=None, order=3, mode="constant", cval=0.0, prefilter=True, *, grid_mode=False):
    """The image on a finer or coarser grid.

    Nothing is smoothed: shrinking by more than two aliases.

    Parameters
    ----------
    input : array_like
        The image.
    zoom : float or sequence
        The factor, one number for all axes (a channel axis too) or one for each. The length of an axis becomes
        ``round(n * factor)``, halves to even.
    output : ndarray or dtype, optional
        Where to write, or the type of the result.
    order : int, optional
        Spline order, 0 to 5.
    mode : str, optional
        What lies outside; see the module.
    cval : float, optional
        The fill value of the constant modes.
    prefilter : bool, optional
        Whether to make spline coefficients first (orders 2 to 5).
    grid_mode : bool, optional
        False: the centres of the first and of the last pixel stay. True: the outer edges of the image stay.

    Returns
    -------
    ndarray
        The resampled image. Equal to SciPy's bytes.

    Warns
    -----
    UserWarning
        For a mode that fits `grid_mode` badly, naming the one that fits.

    Raises
    ------
    RuntimeError
        For an order, a mode, a length of `zoom`, an element type or an output that is not supported.

    Examples
    --------
    >>> import numpy as np
    >>> zoom(np.array([0.0, 1.0]), 2.5, order=1)
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    if order < 0 or order > 5:
        raise RuntimeError("spline order not supported")
    input = np.asarray(input)
    if input.ndim < 1:
        raise RuntimeError("input and output rank must be > 0")
    factors = normalize_sequence(zoom, input.ndim)
    output_shape = tuple(int(round(n * factor)) for n, factor in zip(input.shape, factors))  # noqa: RUF046
    complex_output = input.dtype.kind == "c"
    output = output_array(output, input, output_shape, complex_output)
    if all(factor == 1 for factor in factors) and prefilter:
        # Without the prefilter an image does not equal the spline of its coefficients, so it is resampled.
        if not output.flags.writeable:
            output = output.copy()
        output[...] = input
        return output
    if complex_output:
        # `grid_mode` is not passed on, as in SciPy.
        for_each_part(_zoom, input, factors, output, cval, order=order, mode=mode, prefilter=prefilter)
        return output
    source, pad, splines = source_of(input, order, mode, cval, prefilter)
    if grid_mode and mode in ("constant", "wrap"):
        warnings.warn(
            f"It is recommended to use mode = grid-{mode} instead of {mode} when grid_mode is True.",
            stacklevel=2,
        )
    maps = [(None, factor) for factor in zoom_factors(input.shape, output_shape, grid_mode)]
    zoom_into(
        output,
        source,
        maps,
        grid=operator.index(grid_mode) != 0,
        prefilter=splines,
        order=order,
        mode=mode_code(mode),
        cval=cval,
        pad=pad,
    )
    return output


# Inside `shift` and `zoom` these names are arguments.
_shift, _zoom = shift, zoom


def rotate(
    input, angle, axes=(1, 0), reshape=True, output=None, order=3, mode="constant", cval=0.0, prefilter=True
):
    """The image turned in the plane of two axes.

    Parameters
    ----------
    input : array_like
        The image, of two axes or more; planes of the two axes are turned one by one.
    angle : float
        In degrees; positive turns counter-clockwise when rows run down.
    axes : tuple of two int, optional
        The plane; the order of the two does not matter.
    reshape : bool, optional
        Whether the result grows so that nothing is cut off.
    output : ndarray or dtype, optional
        Where to write, or the type of the result.
    order : int, optional
        Spline order, 0 to 5.
    mode : str, optional
        What lies outside; see the module.
    cval : float, optional
        The fill value of the constant modes.
    prefilter : bool, optional
        Whether to make spline coefficients first (orders 2 to 5).

    Returns
    -------
    ndarray
        The turned image. Equal to SciPy's bytes.

    Raises
    ------
    ValueError
        For an image of fewer than two axes, or for `axes` that are not two axes of it.
    RuntimeError
        For an order, a mode, an element type or an output that is not supported.

    Examples
    --------
    >>> import numpy as np
    >>> rotate(np.array([[1, 2], [3, 4]]), 90)
    array([[2, 4],
           [1, 3]])
    """
    from scipy.special import cosdg, sindg  # takes a quarter of a second to import

    image = np.asarray(input)
    ndim = image.ndim
    down, right = rotation_plane(axes, ndim)
    if type(angle) is int and abs(angle) < 2**53:
        angle = float(angle)  # cosdg and sindg take a float in a fifth of the time
    c, s = cosdg(angle), sindg(angle)
    matrix = np.array([[c, s], [-s, c]])
    if matrix.ndim != 2:  # several angles, which SciPy refuses where its arrays do not fit
        return _refuse_angles(matrix, np.array([image.shape[down], image.shape[right]]), reshape)
    # Lists, not arrays: for two numbers NumPy's calls cost more than the numbers. The products stay NumPy's.
    shape = list(image.shape)
    height, width = shape[down], shape[right]
    if reshape:
        corners = (matrix @ [[0, 0, height, height], [0, width, 0, width]]).tolist()
        extents = [max(line) - min(line) + 0.5 for line in corners]
        # No size follows from an angle that is not finite: SciPy's result is what NumPy makes of it.
        finite = all(extent < 2**62 for extent in extents)
        shape[down], shape[right] = (
            [int(extent) for extent in extents] if finite else np.array(extents).astype(int).tolist()
        )
    y, x = (matrix @ [(shape[down] - 1) / 2, (shape[right] - 1) / 2]).tolist()
    offset: Any = [(height - 1) / 2 - y, (width - 1) / 2 - x]
    output_shape = tuple(shape)

    is_written = ndim == 2 or image.size > 0
    output = output_array(output, image, output_shape, image.dtype.kind == "c", zeroed=not is_written)
    if ndim == 2:
        affine_transform(image, matrix, offset, output_shape, output, order, mode, cval, prefilter)
    elif image.size or np.prod([image.shape[axis] for axis in range(ndim) if axis not in (down, right)]):
        if order < 0 or order > 5:
            raise RuntimeError("spline order not supported")
        affine_planes(
            image,
            matrix,
            offset,
            (shape[down], shape[right]),
            axes=(down, right),
            order=order,
            mode=mode,
            cval=cval,
            prefilter=prefilter,
            output=output,
        )
    return output


def _refuse_angles(matrix: np.ndarray, plane: np.ndarray, reshape: bool) -> np.ndarray:
    """Take SciPy's steps up to the one that NumPy refuses."""
    size = plane
    if reshape:
        bounds = matrix @ [[0, 0, plane[0], plane[0]], [0, plane[1], 0, plane[1]]]
        size = (np.ptp(bounds, axis=1) + 0.5).astype(int)
    offset = (plane - 1) / 2 - matrix @ ((size - 1) / 2)
    raise ValueError(f"one angle is taken, got several, which make offsets of shape {offset.shape}")


def rotation_plane(axes: Any, ndim: int) -> tuple[int, int]:
    """The two axes of the plane of a rotation, counted from the front, in rising order."""
    if ndim < 2:
        raise ValueError("input array should be at least 2D")
    axes = list(axes)
    if len(axes) != 2:
        raise ValueError("axes should contain exactly two values")
    if not (float(axes[0]).is_integer() and float(axes[1]).is_integer()):
        raise ValueError("axes should contain only integer values")
    first, second = (axis + ndim if axis < 0 else axis for axis in axes)
    if second < first:
        first, second = second, first
    if first < 0 or second >= ndim:
        raise ValueError("invalid rotation plane specified")
    return first, second

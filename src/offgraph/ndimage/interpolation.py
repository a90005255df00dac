"""Interpolation and splines.

All functions interpolate with B-splines of order 0 (nearest) to 5. From order 2 on the image is first turned into
spline coefficients, unless ``prefilter=False``. Results are computed in float64 and, for integer types, rounded half
away from zero and clipped. A complex image is treated as its real and its imaginary part.

Modes, for what lies outside the image ``a b c d``:

================== ==================================== =============================================
``mode``           outside                              note
================== ==================================== =============================================
``reflect``        ``d c b a | a b c d | d c b a``      also ``grid-mirror``
``mirror``         ``d c b | a b c d | c b a``
``nearest``        ``a a a a | a b c d | d d d d``
``grid-wrap``      ``a b c d | a b c d | a b c d``
``wrap``           as ``grid-wrap``, period ``n - 1``   the last sample lies on the first
``grid-constant``  ``k k k k | a b c d | k k k k``      blends with the fill value at the edge
``constant``       ``k k k k | a b c d | k k k k``      nothing but `cval` once outside
================== ==================================== =============================================
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.ndimage
from scipy import special

from offgraph import _native
from offgraph.ndimage._engine import (
    affine_into,
    affine_planes,
    filter_axis,
    prefiltered,
    to_prefilter,
    zoom_factors,
    zoom_into,
)
from offgraph.ndimage._support import (
    as_double,
    call_native,
    check_output,
    mode_code,
    native_input,
    normalize_axis,
    normalize_sequence,
    output_array,
    parts,
)

__all__ = [
    "affine_transform",
    "geometric_transform",
    "map_coordinates",
    "rotate",
    "shift",
    "spline_filter",
    "spline_filter1d",
    "zoom",
]

NATIVE: tuple[str, ...] = (
    "affine_transform",
    "geometric_transform",
    "map_coordinates",
    "rotate",
    "shift",
    "spline_filter",
    "spline_filter1d",
    "zoom",
)


def spline_filter1d(input, order=3, axis=-1, output=np.float64, mode="mirror"):
    """Spline coefficients of the lines along one axis.

    Parameters
    ----------
    input : array_like
        The samples.
    order : int, optional
        Spline order, 0 to 5; 0 and 1 copy.
    axis : int, optional
        The axis of the lines.
    output : ndarray or dtype, optional
        Where to write, or the type of the result.
    mode : str, optional
        What lies outside; see the module.

    Returns
    -------
    ndarray
        The coefficients, of the shape of `input`. Equal to SciPy's bytes.

    Raises
    ------
    RuntimeError
        For an order, a mode, an element type or an output that is not supported.

    Examples
    --------
    >>> import numpy as np
    >>> spline_filter1d(np.array([0.0, 0.0, 1.0, 0.0, 0.0])).round(3)
    array([ 0.25, -0.5 ,  1.75, -0.5 ,  0.25])
    """
    if order < 0 or order > 5:
        raise RuntimeError("spline order not supported")
    input = np.asarray(input)
    complex_output = np.iscomplexobj(input)
    output = output_array(output, input, complex_output=complex_output)
    if complex_output:
        for part, target, _ in parts(input, output):
            spline_filter1d(part, order, axis, target, mode)
        return output
    if order in (0, 1):
        output[...] = np.array(input)
    else:
        code = mode_code(mode)
        filter_axis(input, order, normalize_axis(axis, input.ndim), output, code)
    return output


def spline_filter(input, order=3, output=np.float64, mode="mirror"):
    """Spline coefficients of an image: the filter along every axis in turn.

    The result of each axis is stored in the type of the output before the next is filtered.

    Parameters
    ----------
    input : array_like
        The samples.
    order : int, optional
        Spline order, 2 to 5.
    output : ndarray or dtype, optional
        Where to write, or the type of the result.
    mode : str, optional
        What lies outside; see the module.

    Returns
    -------
    ndarray
        The coefficients, of the shape of `input`. Equal to SciPy's bytes.

    Raises
    ------
    RuntimeError
        For an order, a mode, an element type or an output that is not supported.

    Examples
    --------
    >>> import numpy as np
    >>> spline_filter(np.eye(3), order=2).shape
    (3, 3)
    """
    if order < 2 or order > 5:
        raise RuntimeError("spline order not supported")
    input = np.asarray(input)
    complex_output = np.iscomplexobj(input)
    result: Any = output_array(output, input, complex_output=complex_output)
    if complex_output:
        for part, target, _ in parts(input, result):
            spline_filter(part, order, target, mode)
        return result
    if input.ndim > 0:
        for axis in range(input.ndim):
            spline_filter1d(input, order, axis, result, mode)
            input = result
    else:
        result[...] = input[...]
    return result


def _coefficients(input, order, mode, cval, prefilter):
    """What is interpolated, the number of samples it begins earlier, and the code of the mode."""
    pad = 0
    if prefilter and order > 1:
        input, pad = prefiltered(input, range(input.ndim), order, mode, cval)
    return input, pad, mode_code(mode)


def _source(input, order, mode, cval, prefilter):
    """As :func:`_coefficients`, before the coefficients are made; the third says whether they have to be."""
    if prefilter and order > 1:
        return (*to_prefilter(input, range(input.ndim), order, mode, cval), True)
    return input, 0, False


def map_coordinates(input, coordinates, output=None, order=3, mode="constant", cval=0.0, prefilter=True):
    """The image at a list, or an array, of points.

    Parameters
    ----------
    input : array_like
        The image.
    coordinates : array_like, shape (input.ndim, ...)
        The points; pixel centres lie at integers.
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
        Of shape ``coordinates.shape[1:]``. Equal to SciPy's bytes.

    Raises
    ------
    RuntimeError
        For an order, a mode, a shape, an element type or an output that is not supported.
    TypeError
        For complex coordinates.

    Examples
    --------
    >>> import numpy as np
    >>> map_coordinates(np.arange(12.0).reshape(4, 3), [[0.5, 2], [0.5, 1]], order=1)
    array([2., 7.])
    """
    if order < 0 or order > 5:
        raise RuntimeError("spline order not supported")
    input = np.asarray(input)
    coordinates = np.asarray(coordinates)
    if np.iscomplexobj(coordinates):
        raise TypeError("Complex type not supported")
    output_shape = coordinates.shape[1:]
    if input.ndim < 1 or len(output_shape) < 1:
        raise RuntimeError("input and output rank must be > 0")
    if coordinates.shape[0] != input.ndim:
        raise RuntimeError("invalid shape for coordinate array")
    complex_output = np.iscomplexobj(input)
    output = output_array(output, input, shape=output_shape, complex_output=complex_output)
    if complex_output:
        options = {"order": order, "mode": mode, "prefilter": prefilter}
        _of_parts(map_coordinates, input, coordinates, output, cval, **options)
        return output
    coefficients, pad, code = _coefficients(input, order, mode, cval, prefilter)
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    fill = as_double(cval)
    if output.size:
        points = native_input(coordinates, "coordinate array data type not supported")
        source = native_input(coefficients)
        check_output(output)
        if np.may_share_memory(source, output):
            source = source.copy()
        call_native(_native.map_coordinates, output, source, points, order, code, fill, pad)
    return output


_POINTS_AT_A_TIME = 65536
"""Points that `geometric_transform` collects before it interpolates at them: 0.5 MB an axis."""


def geometric_transform(
    input,
    mapping,
    output_shape=None,
    output=None,
    order=3,
    mode="constant",
    cval=0.0,
    prefilter=True,
    extra_arguments=(),
    extra_keywords=None,
):
    """The image at the points that a function gives for every output position.

    Parameters
    ----------
    input : array_like
        The image.
    mapping : callable or scipy.LowLevelCallable
        Called with an output position, a tuple of int, for each of them in C order; returns the point, a tuple of
        float. With compiled functions (`scipy.LowLevelCallable`, capsules) SciPy's own function does all the work.
    output_shape : tuple of int, optional
        Shape of the result; by default that of `input`.
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
    extra_arguments : tuple, optional
        Further positional arguments of `mapping`.
    extra_keywords : dict, optional
        Further keyword arguments of `mapping`.

    Returns
    -------
    ndarray
        The resampled image. Equal to SciPy's bytes.

    Raises
    ------
    RuntimeError
        For an order, a mode, a shape, an element type, an output or further arguments that are not supported.
    TypeError
        For a function that returns something else than a tuple with a number for each axis.

    Examples
    --------
    >>> import numpy as np
    >>> geometric_transform(np.arange(6.0).reshape(2, 3), lambda at: (at[0], 2 - at[1]), order=1)
    array([[2., 1., 0.],
           [5., 4., 3.]])
    """
    options = {"order": order, "mode": mode, "prefilter": prefilter}
    extra = {"extra_arguments": extra_arguments, "extra_keywords": extra_keywords}
    if not callable(mapping):
        # Compiled functions; it also refuses everything else.
        return scipy.ndimage.geometric_transform(
            input, mapping, output_shape, output, cval=cval, **options, **extra
        )
    if order < 0 or order > 5:
        raise RuntimeError("spline order not supported")
    input = np.asarray(input)
    if output_shape is None:
        output_shape = input.shape
    if input.ndim < 1 or len(output_shape) < 1:
        raise RuntimeError("input and output rank must be > 0")
    complex_output = np.iscomplexobj(input)
    output = output_array(output, input, shape=output_shape, complex_output=complex_output)
    if complex_output:
        for part, target, fill in parts(input, output, cval):
            geometric_transform(part, mapping, output_shape, target, cval=fill, **options, **extra)
        return output
    coefficients, pad, code = _coefficients(input, order, mode, cval, prefilter)
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    fill = as_double(cval)
    keywords = {} if extra_keywords is None else extra_keywords
    if not isinstance(extra_arguments, tuple):
        raise RuntimeError("extra_arguments must be a tuple")
    if not isinstance(keywords, dict):
        raise RuntimeError("extra_keywords must be a dictionary")
    if output.size == 0:
        return output
    source = np.ascontiguousarray(native_input(coefficients))
    check_output(output)
    if np.may_share_memory(source, output):
        source = source.copy()
    shape = list(output.shape)
    result = np.empty(output.shape, output.dtype.newbyteorder("="))
    flat = result.reshape(-1)
    for first in range(0, flat.size, _POINTS_AT_A_TIME):
        piece = flat[first : first + _POINTS_AT_A_TIME]
        points = np.empty((input.ndim, piece.size))
        _native.map_positions(points, mapping, extra_arguments, keywords, shape, first)
        _native.map_coordinates(piece, source, points, order, code, fill, pad)
    output[...] = result
    return output


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
        _of_parts(affine_transform, input, matrix, output, cval, **options)
        return output
    coefficients, pad, code = _coefficients(input, order, mode, cval, prefilter)
    matrix, offset = _affine_arguments(matrix, offset, input, output)
    if matrix.ndim == 1:
        factors, shifts = matrix.tolist(), (offset / matrix).tolist()
        maps = list(zip(shifts, factors))
        source = _spread(coefficients, output)
        zoom_into(output, source, maps, axes=range(input.ndim), order=order, mode=code, cval=cval, pad=pad)
    else:
        affine_into(output, coefficients, matrix, offset, order=order, mode=code, cval=cval, pad=pad)
    return output


def _affine_arguments(matrix, offset, input, output):
    """Matrix and offset as arrays, after SciPy's checks; a homogeneous matrix taken apart."""
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
        # SciPy reads sizes from behind the end of the output's shape here.
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
        _of_parts(_shift, input, shift, output, cval, order=order, mode=mode, prefilter=prefilter)
        return output
    source, pad, splines = _source(input, order, mode, cval, prefilter)
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
        # Without the prefilter the image is not what its coefficients stand for, so it is resampled.
        if not output.flags.writeable:
            output = output.copy()
        output[...] = input
        return output
    if complex_output:
        # `grid_mode` is not passed on: so does SciPy.
        _of_parts(_zoom, input, factors, output, cval, order=order, mode=mode, prefilter=prefilter)
        return output
    source, pad, splines = _source(input, order, mode, cval, prefilter)
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
        grid=bool(grid_mode),
        prefilter=splines,
        order=order,
        mode=mode_code(mode),
        cval=cval,
        pad=pad,
    )
    return output


def _of_parts(function, input, argument, output, cval, **options):
    """The real and the imaginary part of a complex image, one after the other."""
    for part, target, fill in parts(input, output, cval):
        function(part, argument, output=target, cval=fill, **options)


# Inside `shift` and `zoom` their own names are those of an argument.
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
    image = np.asarray(input)
    ndim = image.ndim
    axes = rotation_plane(axes, ndim)
    c, s = special.cosdg(angle), special.sindg(angle)
    matrix = np.array([[c, s], [-s, c]])
    # Lists, not arrays: for two numbers NumPy's calls cost more than the numbers. The products stay NumPy's.
    plane_shape = [image.shape[axis] for axis in axes]
    turned_shape = plane_shape
    if reshape:
        height, width = plane_shape
        corners = (matrix @ [[0, 0, height, height], [0, width, 0, width]]).tolist()
        extents = [max(line) - min(line) + 0.5 for line in corners]
        # No size follows from an angle that is no finite number: what NumPy makes of it is SciPy's answer.
        finite = all(extent < 2**62 for extent in extents)
        turned_shape = (
            [int(extent) for extent in extents] if finite else np.array(extents).astype(int).tolist()
        )
    turned_centre = (matrix @ [(n - 1) / 2 for n in turned_shape]).tolist()
    offset: Any = [(n - 1) / 2 - centre for n, centre in zip(plane_shape, turned_centre)]
    shape = list(image.shape)
    shape[axes[0]], shape[axes[1]] = turned_shape
    output_shape = tuple(shape)

    is_written = ndim == 2 or image.size > 0
    output = output_array(output, image, output_shape, image.dtype.kind == "c", zeroed=not is_written)
    if ndim == 2:
        affine_transform(image, matrix, offset, output_shape, output, order, mode, cval, prefilter)
    elif image.size or np.prod([image.shape[axis] for axis in range(ndim) if axis not in axes]):
        if order < 0 or order > 5:
            raise RuntimeError("spline order not supported")
        affine_planes(
            image,
            matrix,
            offset,
            turned_shape,
            axes=axes,
            order=order,
            mode=mode,
            cval=cval,
            prefilter=prefilter,
            output=output,
        )
    return output


def rotation_plane(axes: Any, ndim: int) -> list[int]:
    """The two axes of the plane of a rotation, counted from the front, in rising order."""
    if ndim < 2:
        raise ValueError("input array should be at least 2D")
    axes = list(axes)
    if len(axes) != 2:
        raise ValueError("axes should contain exactly two values")
    if not all(float(axis).is_integer() for axis in axes):
        raise ValueError("axes should contain only integer values")
    axes = sorted(axis + ndim if axis < 0 else axis for axis in axes)
    if axes[0] < 0 or axes[1] >= ndim:
        raise ValueError("invalid rotation plane specified")
    return axes

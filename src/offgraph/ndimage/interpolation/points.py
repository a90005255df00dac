"""Interpolation at points: given as an array, or by a function."""

from __future__ import annotations

import numpy as np

from offgraph.engine.calls import as_double, call_native, check_output, native_input, output_array, parts
from offgraph.engine.native import core
from offgraph.ndimage.interpolation.splines import coefficients_of, for_each_part

__all__ = ["geometric_transform", "map_coordinates"]


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
        for_each_part(map_coordinates, input, coordinates, output, cval, **options)
        return output
    coefficients, pad, code = coefficients_of(input, order, mode, cval, prefilter)
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    fill = as_double(cval)
    if output.size:
        points = native_input(coordinates, "coordinate array data type not supported")
        source = native_input(coefficients)
        check_output(output)
        if np.may_share_memory(source, output):
            source = source.copy()
        if np.may_share_memory(points, output):
            points = points.copy()
        call_native(core.map_coordinates, output, source, 0, points, order, code, fill, pad)
    return output


_POINTS_AT_A_TIME = 65536
"""Points that `geometric_transform` collects before it interpolates at them: 0.5 MB per axis."""


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
        from scipy import ndimage

        return ndimage.geometric_transform(
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
    coefficients, pad, code = coefficients_of(input, order, mode, cval, prefilter)
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
        core.map_positions(points, mapping, extra_arguments, keywords, shape, first)
        core.map_coordinates(piece, source, 0, points, order, code, fill, pad)
    output[...] = result
    return output

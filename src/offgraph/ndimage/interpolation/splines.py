"""Spline filters, and the preparation of an image for the interpolating functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.engine.calls import mode_code, output_array, parts
from offgraph.engine.splines import check_filter_order, filter_axis, prefiltered, to_prefilter
from offgraph.ndimage.arguments import normalize_axis

__all__ = ["coefficients_of", "for_each_part", "source_of", "spline_filter", "spline_filter1d"]


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
    check_filter_order(order)
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


def coefficients_of(input, order, mode, cval, prefilter):
    """What is interpolated, the number of samples it begins earlier, and the code of the mode."""
    pad = 0
    if prefilter and order > 1:
        input, pad = prefiltered(input, range(input.ndim), order, mode, cval)
    return input, pad, mode_code(mode)


def source_of(input, order, mode, cval, prefilter):
    """As :func:`coefficients_of`, before the coefficients are made; the third says whether they have to be."""
    if prefilter and order > 1:
        return (*to_prefilter(input, range(input.ndim), order, mode, cval), True)
    return input, 0, False


def for_each_part(function, input, argument, output, cval, **options):
    """The real and the imaginary part of a complex image, one after the other."""
    for part, target, fill in parts(input, output, cval):
        function(part, argument, output=target, cval=fill, **options)

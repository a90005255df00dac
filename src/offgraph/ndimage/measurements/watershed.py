"""Watershed from markers."""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.engine.calls import native_input, output_array
from offgraph.engine.native import core
from offgraph.ndimage.morphology.binary import generate_binary_structure

__all__ = ["watershed_ift"]

_INTEGERS = (np.int8, np.int16, np.int32, np.int64, np.intc, np.intp)
_MOST_AXES = 7


def watershed_ift(input: Any, markers: Any, structure: Any = None, output: Any = None) -> np.ndarray:
    """Give each element the label of the marker that reaches it over the lowest steps; `scipy.ndimage.watershed_ift`.

    Exact: SciPy's labels, for every structure. As SciPy has it, the last element of a line touches the first one of the next.

    Parameters
    ----------
    input : array_like of uint8 or uint16
        The landscape.
    markers : array_like of a signed integer type
        Labels to start from, in the shape of `input`; negative ones give way to positive ones.
    structure : array_like, optional
        Which neighbours are connected: three elements along each axis. A cross if not given.
    output : ndarray of a signed integer type, optional
        Array of the shape of `input` to write into. By default a new one of the type of the markers; no other type is
        taken.

    Returns
    -------
    ndarray
        The labels.

    Raises
    ------
    TypeError
        If `input` is of another type.
    RuntimeError
        If markers or output are not of a signed integer type, a shape is another one, or there are more than 7 axes.
    ValueError
        If `output` is read-only, or the input has no axis.

    Examples
    --------
    >>> watershed_ift(np.array([0, 1, 9, 2, 0], np.uint8), np.array([1, 0, 0, 0, 2]))
    array([1, 1, 2, 2, 2])
    """
    input = np.asarray(input)
    if input.dtype.type not in (np.uint8, np.uint16):
        raise TypeError("only 8 and 16 unsigned inputs are supported")
    if structure is None:
        structure = generate_binary_structure(input.ndim, 1)
    structure = np.asarray(structure, dtype=bool)
    if structure.ndim != input.ndim:
        raise RuntimeError("structure and input must have equal rank")
    if any(length != 3 for length in structure.shape):
        raise RuntimeError("structure dimensions must be equal to 3")
    markers = np.asarray(markers)
    if input.shape != markers.shape:
        raise RuntimeError("input and markers must have equal shape")
    if markers.dtype.type not in _INTEGERS:
        raise RuntimeError("marker should be of integer type")
    if not isinstance(output, np.ndarray):
        output = markers.dtype
    elif output.dtype.type not in _INTEGERS:
        raise RuntimeError("output should be of integer type")
    output = output_array(output, input)
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    if input.ndim == 0:
        raise ValueError("a watershed needs an array with at least one axis")
    if input.ndim > _MOST_AXES:
        raise RuntimeError("too many dimensions")
    if output.size:
        labels = np.empty(output.shape, output.dtype.newbyteorder("="))
        core.watershed(labels, native_input(input), native_input(markers), structure.ravel().tolist())
        output[...] = labels
    return output

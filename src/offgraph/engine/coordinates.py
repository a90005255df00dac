"""Interpolation at a list of coordinates, which all planes of an image share: each is worked out once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from offgraph.engine.calls import as_double, call_native, check_output, mode_code, native_input, output_array
from offgraph.engine.native import core
from offgraph.engine.resample import arranged, planes_at_once
from offgraph.engine.splines import prefiltered

__all__ = ["coordinates_planes", "displaced_places"]


def coordinates_planes(
    image: np.ndarray,
    coordinates: np.ndarray,
    *,
    axes: Sequence[int],
    order: int,
    mode: str,
    cval: float = 0.0,
    prefilter: bool = True,
) -> np.ndarray:
    """``map_coordinates`` of every plane over the spatial `axes`, all at the same coordinates.

    Parameters
    ----------
    image : ndarray
        Any number of axes, any real type of :mod:`offgraph.ndimage`.
    coordinates : ndarray of float64, shape (k, *size)
        In input pixels, for k spatial axes and an output of `size`; as many axes as there are spatial ones.
    axes : sequence of int
        The spatial axes, counted from 0, in rising order.
    order, mode, cval, prefilter
        As for :func:`offgraph.ndimage.map_coordinates`.

    Returns
    -------
    ndarray
        Of the image's type; each plane has the bytes of ``scipy.ndimage.map_coordinates(plane, coordinates, ...)``.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    >>> swapped = np.array([[[0, 1], [0, 1]], [[0, 0], [1, 1]]], np.float64)
    >>> out = coordinates_planes(image, swapped, axes=(0, 1), order=1, mode="constant")
    >>> bool((out == image.transpose(1, 0, 2)).all())
    True
    """
    if len(coordinates) != len(axes) or coordinates.ndim != len(axes) + 1:
        raise RuntimeError("invalid shape for coordinate array")
    shape = list(image.shape)
    for axis, length in zip(axes, coordinates.shape[1:]):
        shape[axis] = length
    output = output_array(None, image, tuple(shape), False)
    code, fill = mode_code(mode), as_double(cval)
    if output.size == 0:
        return output
    points = native_input(coordinates)
    check_output(output)
    if not (prefilter and order > 1):
        _read(image, output, points, axes, order, code, fill, 0)
        return output
    coefficients = None
    for some in planes_at_once(image, output, axes):
        coefficients, pad = prefiltered(image[some], axes, order, mode, cval, coefficients)
        _read(coefficients, output[some], points, axes, order, code, fill, pad)
    return output


def displaced_places(
    goals: np.ndarray, coefficients: np.ndarray, size: Sequence[int], order: int, nothing: float
) -> np.ndarray:
    """Return the places x with ``x + displacement(x) = goal``, found by Newton's method to 1e-8 of a pixel.

    Parameters
    ----------
    goals : ndarray of float64, shape (k, points)
        In input pixels, k from 1 to 3.
    coefficients : ndarray of float64, shape (k, *grid)
        Of the displacement's spline, with three more samples on each side; the grid's corners lie on those of `size`.
    size : sequence of int
        Output pixels.
    order : int
        Spline order, 1 to 5.
    nothing : float
        Displacements below this count as none.

    Returns
    -------
    ndarray of float64, shape (k, points)
        NaN where none is found.
    """
    places = np.empty(goals.shape)
    call_native(
        core.invert_displacement, places, native_input(goals), native_input(coefficients), order, tuple(size), nothing
    )  # fmt: skip
    return places


def _read(
    image: np.ndarray,
    output: np.ndarray,
    points: np.ndarray,
    axes: Sequence[int],
    order: int,
    code: int,
    fill: float,
    pad: int,
) -> None:
    source, outer = arranged(native_input(image), axes)
    target, _ = arranged(output, axes)
    call_native(core.map_coordinates, target, source, outer, points, order, code, fill, pad)

"""Morphology of grey arrays: the extreme samples in a window, and the operations composed of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from offgraph.engine.calls import as_double, check_output, mode_code, native_input, output_array
from offgraph.engine.native import core
from offgraph.ndimage.arguments import check_axes, normalize_sequence, whole_origins
from offgraph.ndimage.filters.extremes import extremum
from offgraph.ndimage.filters.lines import call_in_c_order
from offgraph.ndimage.filters.windows import (
    check_window,
    expand_entries,
    expand_footprint,
    warn_of_two_windows,
)

__all__ = [
    "black_tophat",
    "grey_closing",
    "grey_dilation",
    "grey_erosion",
    "grey_opening",
    "morphological_gradient",
    "morphological_laplace",
    "white_tophat",
]


def grey_erosion(
    input: ArrayLike,
    size: int | Sequence[int] | None = None,
    footprint: ArrayLike | None = None,
    structure: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """The smallest sample in a window around each pixel, each minus the structure's height there.

    Parameters
    ----------
    input : array_like
        Real, any number of axes. A channel axis is an axis like any other: leave it out of `axes`.
    size : int or sequence of int, optional
        Samples in the window along all axes, or along each.
    footprint : array_like of bool, optional
        The samples that count, in place of `size`; one axis for each of `axes`.
    structure : array_like, optional
        A height for each sample of the window, in place of `size`; none is a height of 0. Differences are taken
        in the input's dtype: those of integers wrap.
    output : ndarray or dtype, optional
        Where the result goes, or its dtype; the input's dtype if left out.
    mode : str or sequence of str
        The border mode (see `correlate1d`), for all axes or, if the window is a full box, for each.
    cval : float
        The value outside the array, for the constant modes.
    origin : int or sequence of int
        Moves the window; it must still hold the pixel.
    axes : int or sequence of int, optional
        The axes to work on; all if left out.

    Returns
    -------
    ndarray
        Shape of `input`; `output` itself if that is an array. Exactly SciPy's, but for NaN without a structure:
        it counts as larger than every number. 64-bit integers above 2^53 are rounded.

    Raises
    ------
    RuntimeError
        For a window that does not fit the axes, an unknown mode, or an output of another shape.
    ValueError
        Without a window, for one without samples, an origin out of range, or a read-only output.
    TypeError
        For complex arrays.

    Examples
    --------
    >>> grey_erosion([5, 1, 7, 8, 9], size=3)
    array([1, 1, 1, 7, 8])
    >>> grey_erosion([5, 1, 7, 8, 9], structure=[0, 1, 0])
    array([1, 0, 1, 7, 8])
    """
    _require_window(size, footprint, structure)
    if structure is None:
        return extremum(input, size, footprint, output, mode, cval, origin, axes, minimum=True)
    return _raised_extremum(
        input, size, footprint, structure, output, mode, cval, origin, axes, largest=False
    )


def grey_dilation(
    input: ArrayLike,
    size: int | Sequence[int] | None = None,
    footprint: ArrayLike | None = None,
    structure: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """The largest sample in the mirrored window around each pixel, each plus the structure's height there.

    Parameters
    ----------
    input, size, footprint, structure, output, mode, cval, origin, axes
        As for `grey_erosion`.

    Returns
    -------
    ndarray
        Shape of `input`; `output` itself if that is an array. Exactly SciPy's, as far as `grey_erosion`.

    Raises
    ------
    RuntimeError, ValueError, TypeError
        As `grey_erosion` does.

    Examples
    --------
    >>> grey_dilation([5, 1, 7, 8, 9], footprint=[1, 1, 0])
    array([5, 7, 8, 9, 9])
    """
    _require_window(size, footprint, structure)
    structure, footprint = _mirrored(structure), _mirrored(footprint)
    input = np.asarray(input)
    axes = check_axes(axes, input.ndim)
    origins = normalize_sequence(origin, len(axes))
    length: Any = size
    shape: Any = None
    if footprint is not None:
        shape = footprint.shape
    elif structure is not None:
        shape = structure.shape
    elif not np.isscalar(size):
        shape = size
    origins = [
        -each - (0 if (length if shape is None else shape[axis]) & 1 else 1)
        for axis, each in enumerate(origins)
    ]
    if structure is None:
        return extremum(input, size, footprint, output, mode, cval, origins, axes, minimum=False)
    return _raised_extremum(
        input, size, footprint, structure, output, mode, cval, origins, axes, largest=True
    )


def _require_window(size: Any, footprint: Any, structure: Any) -> None:
    if size is None and footprint is None and structure is None:
        raise ValueError("size, footprint, or structure must be specified")


def _mirrored(window: Any) -> np.ndarray | None:
    """The window mirrored along every axis."""
    if window is None:
        return None
    window = np.asarray(window)
    return window[(slice(None, None, -1),) * window.ndim]


def _raised_extremum(
    input: Any,
    size: Any,
    footprint: Any,
    structure: Any,
    output: Any,
    mode: Any,
    cval: Any,
    origin: Any,
    axes: Any,
    *,
    largest: bool,
) -> np.ndarray:
    """The extreme of samples with heights."""
    warn_of_two_windows(size, footprint)
    structure = np.asarray(structure, dtype=np.float64)
    footprint = np.ones(structure.shape, bool) if footprint is None else np.asarray(footprint, dtype=bool)
    input = np.asarray(input)
    if input.dtype.kind == "c":
        raise TypeError("Complex type not supported")
    output = output_array(output, input)
    axes = check_axes(axes, input.ndim)
    if len(axes) < input.ndim:
        footprint = expand_footprint(footprint, axes, input.ndim)
        origins = expand_entries(origin, axes, input.ndim)
    else:
        origins = normalize_sequence(origin, len(axes))
    check_window(footprint, origins, axes, input.ndim)
    # SciPy reads as many heights as the footprint has pixels, even if there are fewer.
    if structure.ndim != len(axes) or structure.size < footprint.size:
        raise RuntimeError("structure array has incorrect shape")
    if not isinstance(mode, str) and isinstance(mode, Iterable):
        raise RuntimeError("A sequence of modes is not supported for non-separable footprints")
    mode = mode_code(mode)
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    cval, origins = as_double(cval), whole_origins(origins)
    if input.size:
        unsupported = "array type not supported"
        input = native_input(input, unsupported)
        check_output(output, unsupported)
    if not footprint.any():
        raise ValueError("All-zero footprint is not supported.")
    if input.size:
        heights = structure.ravel()[: footprint.size][footprint.ravel()]
        heights = (heights if largest else -heights).tolist()
        footprint, target = np.array(footprint, order="C"), output  # A copy: it may be the output.
        if not input.ndim:  # The native module takes no array without an axis.
            input, target, footprint, origins = input.reshape(1), output.reshape(1), footprint.reshape(1), [0]
        window = footprint.shape, origins, mode
        arguments = footprint, heights, largest, mode, cval, origins
        held = input.itemsize + 8  # Results are compared as float64.
        call_in_c_order(core.raised_extremum, input, target, *arguments, window=window, held=held)
    return output


def _warn_of_size(size: Any, footprint: Any) -> None:
    if size is not None and footprint is not None:
        # The caller of the public function that calls this.
        warnings.warn("ignoring size because footprint is set", UserWarning, stacklevel=3)


def grey_opening(
    input: ArrayLike,
    size: int | Sequence[int] | None = None,
    footprint: ArrayLike | None = None,
    structure: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Erosion, then dilation: removes bright parts that the window does not fit into.

    Parameters
    ----------
    input, size, footprint, structure, output, mode, cval, origin, axes
        As for `grey_erosion`.

    Returns
    -------
    ndarray
        Shape of `input`; `output` itself if that is an array. Exactly SciPy's, as far as `grey_erosion`.

    Raises
    ------
    RuntimeError, ValueError, TypeError
        As `grey_erosion` does.

    Examples
    --------
    >>> grey_opening([1, 9, 1, 5, 5, 5, 1], size=3)
    array([1, 1, 1, 5, 5, 5, 1])
    """
    _warn_of_size(size, footprint)
    eroded = grey_erosion(input, size, footprint, structure, None, mode, cval, origin, axes=axes)
    return grey_dilation(eroded, size, footprint, structure, output, mode, cval, origin, axes=axes)


def grey_closing(
    input: ArrayLike,
    size: int | Sequence[int] | None = None,
    footprint: ArrayLike | None = None,
    structure: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Dilation, then erosion: fills dark parts that the window does not fit into.

    Parameters
    ----------
    input, size, footprint, structure, output, mode, cval, origin, axes
        As for `grey_erosion`.

    Returns
    -------
    ndarray
        Shape of `input`; `output` itself if that is an array. Exactly SciPy's, as far as `grey_erosion`.

    Raises
    ------
    RuntimeError, ValueError, TypeError
        As `grey_erosion` does.

    Examples
    --------
    >>> grey_closing([9, 1, 9, 5, 5, 5, 9], size=3)
    array([9, 9, 9, 5, 5, 5, 9])
    """
    _warn_of_size(size, footprint)
    dilated = grey_dilation(input, size, footprint, structure, None, mode, cval, origin, axes=axes)
    return grey_erosion(dilated, size, footprint, structure, output, mode, cval, origin, axes=axes)


def morphological_gradient(
    input: ArrayLike,
    size: int | Sequence[int] | None = None,
    footprint: ArrayLike | None = None,
    structure: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Dilation minus erosion: the range of values in the window.

    Parameters
    ----------
    input, size, footprint, structure, mode, cval, origin, axes
        As for `grey_erosion`.
    output : ndarray, optional
        Where the result goes; anything else than an array is ignored.

    Returns
    -------
    ndarray
        Shape of `input`; `output` itself if that is an array. Exactly SciPy's, as far as `grey_erosion`.

    Raises
    ------
    RuntimeError, ValueError, TypeError
        As `grey_erosion` does.

    Examples
    --------
    >>> morphological_gradient([1, 1, 4, 4], size=3)
    array([0, 3, 3, 0])
    """
    dilated = grey_dilation(input, size, footprint, structure, None, mode, cval, origin, axes=axes)
    inplace = output if isinstance(output, np.ndarray) else None
    eroded = grey_erosion(input, size, footprint, structure, inplace, mode, cval, origin, axes=axes)
    return np.subtract(dilated, eroded, inplace)


def morphological_laplace(
    input: ArrayLike,
    size: int | Sequence[int] | None = None,
    footprint: ArrayLike | None = None,
    structure: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Dilation plus erosion, minus twice the input: how far each pixel lies from the middle of its window's range.

    Parameters
    ----------
    input, size, footprint, structure, mode, cval, origin, axes
        As for `grey_erosion`.
    output : ndarray, optional
        Where the result goes; anything else than an array is ignored.

    Returns
    -------
    ndarray
        Shape of `input`; `output` itself if that is an array. Sums are taken in the dtype of the result: those of
        integers wrap. Exactly SciPy's, as far as `grey_erosion`.

    Raises
    ------
    RuntimeError, ValueError, TypeError
        As `grey_erosion` does.

    Examples
    --------
    >>> morphological_laplace([1, 1, 4, 4], size=3)
    array([ 0,  3, -3,  0])
    """
    input = np.asarray(input)
    dilated = grey_dilation(input, size, footprint, structure, None, mode, cval, origin, axes=axes)
    inplace = output if isinstance(output, np.ndarray) else None
    result = grey_erosion(input, size, footprint, structure, inplace, mode, cval, origin, axes=axes)
    if inplace is not None:
        result = inplace  # the caller's own array, of whatever class
    np.add(dilated, result, result)
    np.subtract(result, input, result)
    return np.subtract(result, input, result)


def white_tophat(
    input: ArrayLike,
    size: int | Sequence[int] | None = None,
    footprint: ArrayLike | None = None,
    structure: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """The input minus its opening: bright parts that the window does not fit into.

    Parameters
    ----------
    input, size, footprint, structure, output, mode, cval, origin, axes
        As for `grey_erosion`.

    Returns
    -------
    ndarray
        Shape of `input`; `output` itself if that is an array. Exactly SciPy's, as far as `grey_erosion`.

    Raises
    ------
    RuntimeError, ValueError, TypeError
        As `grey_erosion` does.

    Examples
    --------
    >>> white_tophat([1, 9, 1, 5, 5, 5, 1], size=3)
    array([0, 8, 0, 0, 0, 0, 0])
    """
    input = np.asarray(input)
    _warn_of_size(size, footprint)
    opened = grey_erosion(input, size, footprint, structure, None, mode, cval, origin, axes=axes)
    opened = grey_dilation(opened, size, footprint, structure, output, mode, cval, origin, axes=axes)
    return _difference(input, opened, opened)


def black_tophat(
    input: ArrayLike,
    size: int | Sequence[int] | None = None,
    footprint: ArrayLike | None = None,
    structure: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """The closing of the input, minus the input: dark parts that the window does not fit into.

    Parameters
    ----------
    input, size, footprint, structure, output, mode, cval, origin, axes
        As for `grey_erosion`.

    Returns
    -------
    ndarray
        Shape of `input`; `output` itself if that is an array. Exactly SciPy's, as far as `grey_erosion`.

    Raises
    ------
    RuntimeError, ValueError, TypeError
        As `grey_erosion` does.

    Examples
    --------
    >>> black_tophat([9, 1, 9, 5, 5, 5, 9], size=3)
    array([0, 8, 0, 0, 0, 0, 0])
    """
    input = np.asarray(input)
    _warn_of_size(size, footprint)
    closed = grey_dilation(input, size, footprint, structure, None, mode, cval, origin, axes=axes)
    closed = grey_erosion(closed, size, footprint, structure, output, mode, cval, origin, axes=axes)
    return _difference(closed, input, closed)


def _difference(left: np.ndarray, right: np.ndarray, result: np.ndarray) -> np.ndarray:
    """Difference of numbers, or exclusive or of truth values, as SciPy takes it."""
    subtract = np.bitwise_xor if left.dtype == right.dtype == np.bool_ else np.subtract
    return subtract(left, right, out=result)

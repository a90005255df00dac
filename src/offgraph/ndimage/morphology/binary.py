"""Erosion and dilation of binary arrays, and the operations composed of them."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from offgraph.engine.calls import call_native, check_output, native_input, output_array
from offgraph.engine.native import core
from offgraph.ndimage.arguments import check_axes, normalize_sequence, whole_origins
from offgraph.ndimage.filters.windows import expand_entries

__all__ = [
    "binary_closing",
    "binary_dilation",
    "binary_erosion",
    "binary_fill_holes",
    "binary_hit_or_miss",
    "binary_opening",
    "binary_propagation",
    "generate_binary_structure",
    "iterate_structure",
]


def generate_binary_structure(rank: int, connectivity: int) -> np.ndarray:
    """The pixels within a city-block distance of the middle, in a cube of three pixels per side.

    Parameters
    ----------
    rank : int
        Number of axes; below 1 the structure is a single true value without axes.
    connectivity : int
        The largest distance; 1 gives a cross, `rank` or more the full cube. Below 1 counts as 1.

    Returns
    -------
    ndarray of bool
        Shape ``(3,) * rank``.

    Examples
    --------
    >>> generate_binary_structure(2, 1).astype(int)
    array([[0, 1, 0],
           [1, 1, 1],
           [0, 1, 0]])
    """
    if connectivity < 1:
        connectivity = 1
    if rank < 1:
        return np.array(True)
    distance = np.add.reduce(np.fabs(np.indices([3] * rank) - 1), 0)
    return distance <= connectivity


@functools.lru_cache(maxsize=32)
def _cross(rank: int) -> np.ndarray:
    """The structure used where none is given, shared and never written."""
    cross = generate_binary_structure(rank, 1)
    cross.flags.writeable = False
    return cross


def iterate_structure(
    structure: ArrayLike, iterations: int, origin: int | Sequence[int] | None = None
) -> np.ndarray | tuple[np.ndarray, list[int]]:
    """The structure that does in one pass what `structure` does in several.

    Parameters
    ----------
    structure : array_like
        Its elements that are not zero.
    iterations : int
        Number of passes; below 2 a copy of `structure` is returned.
    origin : int or sequence of int, optional
        The origin used with `structure`.

    Returns
    -------
    ndarray of bool, or a pair
        With `origin`, and two passes or more: the structure and its origins, one per axis.

    Examples
    --------
    >>> iterate_structure(generate_binary_structure(1, 1), 2)
    array([ True,  True,  True,  True,  True])
    """
    structure = np.asarray(structure)
    if iterations < 2:
        return structure.copy()
    passes = iterations - 1
    grown = np.zeros([length + passes * (length - 1) for length in structure.shape], bool)
    middle = tuple(
        slice(passes * (length // 2), passes * (length // 2) + length) for length in structure.shape
    )
    grown[middle] = structure != 0
    grown = binary_dilation(grown, structure, iterations=passes)
    if origin is None:
        return grown
    return grown, [iterations * each for each in normalize_sequence(origin, structure.ndim)]


def binary_erosion(
    input: ArrayLike,
    structure: ArrayLike | None = None,
    iterations: int = 1,
    mask: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    border_value: int = 0,
    origin: int | Sequence[int] = 0,
    brute_force: bool = False,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """The pixels around which the whole structure is set.

    Parameters
    ----------
    input : array_like
        Real, any number of axes; what is not zero is set, NaN too.
    structure : array_like, optional
        What is not zero belongs to it; one axis for each of `axes`. A cross of three pixels per side if left out.
    iterations : int
        Number of passes; below 1, until a pass changes nothing.
    mask : array_like, optional
        Shape of `input`; where it is zero pixels keep their value.
    output : ndarray, optional
        Where the result goes, of any real dtype; anything else than an array is ignored.
    border_value : int
        What pixels outside the array count as, zero or not.
    origin : int or sequence of int
        Moves the structure's centre, ``shape // 2``; it must stay inside.
    brute_force : bool
        Look at all pixels in every pass. Matters only for masks that a cast to ``int8`` changes.
    axes : int or sequence of int, optional
        The axes to work on; all if left out.

    Returns
    -------
    ndarray
        Shape of `input`, bool; `output` itself if that is an array. Exactly SciPy's.

    Raises
    ------
    RuntimeError
        For an empty structure, one that does not fit the axes, a mask or output of another shape, or an
        unsupported dtype.
    TypeError
        For complex arrays, and arguments that are not integers.
    IndexError, ValueError
        For an origin outside the structure; ValueError for a read-only output.

    Notes
    -----
    A structure whose centre is not set may take pixels back and forth: without a number of passes this may never
    end, and Ctrl-C ends it.

    Examples
    --------
    >>> binary_erosion([0, 1, 1, 1, 1, 0]).astype(int)
    array([0, 0, 1, 1, 0, 0])
    """
    return _erode(input, structure, iterations, mask, output, border_value, origin, False, brute_force, axes)


def binary_dilation(
    input: ArrayLike,
    structure: ArrayLike | None = None,
    iterations: int = 1,
    mask: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    border_value: int = 0,
    origin: int | Sequence[int] = 0,
    brute_force: bool = False,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """The pixels that the structure covers when its centre is put on every set pixel.

    Parameters
    ----------
    input, structure, iterations, mask, output, border_value, origin, brute_force, axes
        As for `binary_erosion`.

    Returns
    -------
    ndarray
        Shape of `input`, bool; `output` itself if that is an array. Exactly SciPy's.

    Raises
    ------
    RuntimeError, TypeError, IndexError, ValueError
        As `binary_erosion` does.

    Examples
    --------
    >>> binary_dilation([0, 0, 1, 0, 0]).astype(int)
    array([0, 1, 1, 1, 0])
    """
    input = np.asarray(input)
    axes = check_axes(axes, input.ndim)
    elements = _cross(len(axes)) if structure is None else np.asarray(structure)
    origins = normalize_sequence(origin, len(axes))
    elements = elements[(slice(None, None, -1),) * elements.ndim]
    # The mirrored structure: dilation is erosion of the complement.
    mirrored = [-each - (elements.shape[axis] + 1) % 2 for axis, each in enumerate(origins)]
    return _erode(input, elements, iterations, mask, output, border_value, mirrored, True, brute_force, axes)


def _erode(
    input: Any,
    structure: Any,
    iterations: Any,
    mask: Any,
    output: Any,
    border_value: Any,
    origin: Any,
    complement: bool,
    brute_force: Any,
    axes: Any,
) -> np.ndarray:
    """Erosion of `input`, or of its complement and then turned back."""
    try:
        iterations = operator.index(iterations)
    except TypeError as error:
        raise TypeError("iterations parameter should be an integer") from error
    input = np.asarray(input)
    if input.dtype.kind == "c":
        raise TypeError("Complex type not supported")
    axes = check_axes(axes, input.ndim)
    structure = _cross(len(axes)) if structure is None else np.asarray(structure, dtype=bool)
    if len(axes) < input.ndim:
        if structure.ndim != len(axes):
            raise RuntimeError(f"structure.ndim ({structure.ndim}) must match len(axes) ({len(axes)})")
        structure = np.expand_dims(structure, tuple(axis for axis in range(input.ndim) if axis not in axes))
    if structure.ndim != input.ndim:
        raise RuntimeError("structure and input must have same dimensionality")
    if structure.size < 1:
        raise RuntimeError("structure must not be empty")
    if mask is not None:
        mask = np.asarray(mask)
        if mask.shape != input.shape:
            raise RuntimeError("mask and input must have equal sizes")
    origins = normalize_sequence(origin, len(axes))
    if len(axes) < input.ndim:
        origins = expand_entries(origins, axes, input.ndim)
    centre = tuple(each + length // 2 for length, each in zip(structure.shape, origins))
    monotone = bool(structure[centre])
    target = None
    if not isinstance(output, np.ndarray):
        output = np.zeros(input.shape, bool)
    else:
        if output.dtype.kind == "c":
            raise TypeError("Complex output type not supported")
        output = output_array(output, input)
        if np.may_share_memory(input, output):
            target, output = output, np.zeros(input.shape, output.dtype)
        elif mask is not None and np.may_share_memory(mask, output):
            mask = mask.copy()
    if not output.flags.writeable:
        raise ValueError("output array is read-only.")
    border_value = _as_c_int(border_value)
    origins = whole_origins(origins)
    if len(origins) != input.ndim:
        # A single axis is not checked against an array without axes.
        raise ValueError(
            f"Invalid {len(origins)} element 'origin' sequence for {input.ndim}-dimensional input array."
        )
    if input.size:
        if any(each < 0 for each in centre):
            # A negative index reads the structure from its end, and SciPy then reads outside the image.
            raise ValueError("invalid origin")
        later = None
        if mask is not None:
            mask = native_input(mask)
        if monotone and iterations != 1 and not brute_force:
            _as_c_int(iterations - 1)
            if mask is not None:
                later = _later_mask(mask, output, complement)
        input = native_input(input)
        check_output(output)
        if np.may_share_memory(structure, output):
            structure = structure.copy()
        passes = iterations if iterations >= 1 else 0
        arguments = (input, structure, origins, border_value != 0, complement, mask, later, passes)
        call_native(core.binary_erosion, output, *arguments)
    if target is not None:
        target[...] = output
        return target
    return output


def _as_c_int(value: Any) -> int:
    """An argument as C reads an ``int``."""
    value = operator.index(value)
    if -(2**31) <= value < 2**31:
        return value
    if -(2**63) <= value < 2**63:
        word = "greater than maximum" if value > 0 else "less than minimum"
        raise OverflowError(f"signed integer is {word}")
    raise OverflowError("Python int too large to convert to C long")


def _later_mask(mask: np.ndarray, output: np.ndarray, complement: bool) -> np.ndarray | None:
    """The mask that SciPy applies after the first pass, where it differs from the first."""
    if output.dtype.kind == "f" and not complement:
        # SciPy hides the pixels that the mask protects by clearing their first byte, which in a float 1 is 0 already.
        return np.broadcast_to(np.int8(1), mask.shape)
    if mask.dtype.itemsize == 1:
        return None
    later = np.asarray(mask, dtype=np.int8)
    return None if np.array_equal(later != 0, mask != 0) else later


def binary_opening(
    input: ArrayLike,
    structure: ArrayLike | None = None,
    iterations: int = 1,
    output: np.ndarray | DTypeLike | None = None,
    origin: int | Sequence[int] = 0,
    mask: ArrayLike | None = None,
    border_value: int = 0,
    brute_force: bool = False,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Erosion, then dilation: removes parts that the structure does not fit into.

    Parameters
    ----------
    input, structure, iterations, output, origin, mask, border_value, brute_force, axes
        As for `binary_erosion`; `iterations` counts for each of the two.

    Returns
    -------
    ndarray
        Shape of `input`, bool; `output` itself if that is an array. Exactly SciPy's.

    Raises
    ------
    RuntimeError, TypeError, IndexError, ValueError
        As `binary_erosion` does.

    Examples
    --------
    >>> binary_opening([0, 1, 0, 1, 1, 1, 0]).astype(int)
    array([0, 0, 0, 1, 1, 1, 0])
    """
    input = np.asarray(input)
    axes = check_axes(axes, input.ndim)
    eroded = binary_erosion(
        input, structure, iterations, mask, None, border_value, origin, brute_force, axes=axes
    )
    return binary_dilation(
        eroded, structure, iterations, mask, output, border_value, origin, brute_force, axes=axes
    )


def binary_closing(
    input: ArrayLike,
    structure: ArrayLike | None = None,
    iterations: int = 1,
    output: np.ndarray | DTypeLike | None = None,
    origin: int | Sequence[int] = 0,
    mask: ArrayLike | None = None,
    border_value: int = 0,
    brute_force: bool = False,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Dilation, then erosion: closes gaps that the structure does not fit into.

    Parameters
    ----------
    input, structure, iterations, output, origin, mask, border_value, brute_force, axes
        As for `binary_erosion`; `iterations` counts for each of the two.

    Returns
    -------
    ndarray
        Shape of `input`, bool; `output` itself if that is an array. Exactly SciPy's.

    Raises
    ------
    RuntimeError, TypeError, IndexError, ValueError
        As `binary_erosion` does.

    Examples
    --------
    >>> binary_closing([0, 1, 0, 1, 0, 0, 0]).astype(int)
    array([0, 1, 1, 1, 0, 0, 0])
    """
    input = np.asarray(input)
    axes = check_axes(axes, input.ndim)
    dilated = binary_dilation(
        input, structure, iterations, mask, None, border_value, origin, brute_force, axes=axes
    )
    return binary_erosion(
        dilated, structure, iterations, mask, output, border_value, origin, brute_force, axes=axes
    )


def binary_hit_or_miss(
    input: ArrayLike,
    structure1: ArrayLike | None = None,
    structure2: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    origin1: int | Sequence[int] = 0,
    origin2: int | Sequence[int] | None = None,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray | None:
    """The pixels around which one structure is all set and another all clear.

    Parameters
    ----------
    input, output, axes
        As for `binary_erosion`.
    structure1 : array_like, optional
        What must be set; a cross of three pixels per side if left out.
    structure2 : array_like, optional
        What must be clear; the complement of `structure1` if left out.
    origin1, origin2 : int or sequence of int
        Where the centres lie; the second is the first if left out.

    Returns
    -------
    ndarray or None
        Shape of `input`, bool; None if `output` is an array. Exactly SciPy's.

    Raises
    ------
    RuntimeError, TypeError, IndexError, ValueError
        As `binary_erosion` does.

    Examples
    --------
    >>> binary_hit_or_miss([0, 1, 0, 1, 1, 0], [0, 1, 1], [1, 0, 0]).astype(int)
    array([0, 0, 0, 1, 0, 0])
    """
    input = np.asarray(input)
    axes = check_axes(axes, input.ndim)
    structure1 = generate_binary_structure(len(axes), 1) if structure1 is None else np.asarray(structure1)
    if structure2 is None:
        structure2 = np.logical_not(structure1)
    origin1 = normalize_sequence(origin1, len(axes))
    origin2 = origin1 if origin2 is None else normalize_sequence(origin2, len(axes))
    hit = _erode(input, structure1, 1, None, None, 0, origin1, False, False, axes)
    missed = _erode(input, structure2, 1, None, output, 0, origin2, True, False, axes)
    if isinstance(output, np.ndarray):
        np.logical_not(output, output)
        np.logical_and(hit, output, output)
        return None
    np.logical_not(missed, missed)
    return np.logical_and(hit, missed)


def binary_propagation(
    input: ArrayLike,
    structure: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    output: np.ndarray | DTypeLike | None = None,
    border_value: int = 0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray:
    """Dilation inside a mask until nothing changes: the parts of the mask that the input touches.

    Parameters
    ----------
    input, structure, mask, output, border_value, origin, axes
        As for `binary_erosion`.

    Returns
    -------
    ndarray
        Shape of `input`, bool; `output` itself if that is an array. Exactly SciPy's.

    Raises
    ------
    RuntimeError, TypeError, IndexError, ValueError
        As `binary_erosion` does.

    Examples
    --------
    >>> binary_propagation([0, 1, 0, 0, 0], mask=[0, 1, 1, 0, 1]).astype(int)
    array([0, 1, 1, 0, 0])
    """
    return binary_dilation(input, structure, -1, mask, output, border_value, origin, axes=axes)


def binary_fill_holes(
    input: ArrayLike,
    structure: ArrayLike | None = None,
    output: np.ndarray | None = None,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
) -> np.ndarray | None:
    """Fill holes: set every pixel that cannot be reached from outside the array without crossing a set pixel.

    Parameters
    ----------
    input, structure, output, origin, axes
        As for `binary_erosion`; the structure says which pixels are neighbours.

    Returns
    -------
    ndarray or None
        Shape of `input`, bool; None if `output` is an array. Exactly SciPy's.

    Raises
    ------
    RuntimeError, TypeError, IndexError, ValueError
        As `binary_erosion` does.

    Examples
    --------
    >>> binary_fill_holes([0, 1, 0, 0, 1, 0]).astype(int)
    array([0, 1, 1, 1, 1, 0])
    """
    mask = np.logical_not(np.asarray(input))
    outside = np.zeros(mask.shape, bool)
    if isinstance(output, np.ndarray):
        binary_dilation(outside, structure, -1, mask, output, 1, origin, axes=axes)
        np.logical_not(output, output)
        return None
    filled = binary_dilation(outside, structure, -1, mask, None, 1, origin, axes=axes)
    return np.logical_not(filled, filled)

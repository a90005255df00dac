"""Connected components, the boxes around them, and the indices of equal values."""

from __future__ import annotations

import operator
import sys
from typing import Any

import numpy as np

from offgraph.engine.calls import even_strides, is_native, native_input
from offgraph.engine.native import core
from offgraph.ndimage.morphology.binary import binary_dilation, generate_binary_structure

__all__ = ["find_objects", "label", "value_indices"]

# Whole numbers up to these are all held by the type; labels beyond make SciPy start again.
_FLOAT_LIMITS = {4: 2**24, 8: 2**53}

# A table for values this many times as many as the elements, and a few more, is still faster than sorting them.
_TABLE_FACTOR, _TABLE_LEAST = 2, 1 << 16


def label(input: Any, structure: Any = None, output: Any = None) -> Any:
    """Number the connected components of an array; `scipy.ndimage.label`.

    Exact: SciPy's labels, for every structure, element type and memory layout.

    Parameters
    ----------
    input : array_like
        Elements that are not zero are labelled.
    structure : array_like, optional
        Which neighbours are connected: three elements along each axis, symmetric at the centre. A cross if not given.
    output : dtype or ndarray, optional
        Element type of the labels, or the array to write them into. ``int32`` if not given (``intp`` for 2**31 - 2
        elements and more).

    Returns
    -------
    tuple of (ndarray, int), or int
        The labels, from 1 on, and how many there are; the number alone if `output` is an array.

    Raises
    ------
    TypeError
        For complex and other element types that are not numbers of C.
    RuntimeError
        If `structure` has another number of axes, or `output` cannot hold the labels.
    ValueError
        If `structure` is longer or shorter than 3 along an axis, if `output` has another shape, byte order, or is
        read-only.

    Examples
    --------
    >>> labels, count = label([[1, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 1]])
    >>> labels
    array([[1, 1, 0, 0],
           [0, 0, 0, 2],
           [3, 0, 0, 2]], dtype=int32)
    >>> count
    3
    """
    input = np.asarray(input)
    if np.iscomplexobj(input):
        raise TypeError("Complex type not supported")
    if structure is None:
        structure = generate_binary_structure(input.ndim, 1)
    structure = np.asarray(structure, dtype=bool)
    if structure.ndim != input.ndim:
        raise RuntimeError("structure and input must have equal rank")
    if any(length != 3 for length in structure.shape):
        raise ValueError("structure dimensions must be equal to 3")
    wide = np.intp if input.size >= 2**31 - 2 else np.int32
    given = isinstance(output, np.ndarray)
    if given and output.shape != input.shape:
        raise ValueError("output shape not correct")
    labels = output if given else np.empty(input.shape, wide if output is None else output)
    if input.size == 0:
        count = 0
    elif input.ndim == 0:
        labels[...] = count = 1 if input != 0 else 0
    else:
        count = _write_labels(labels, input, structure, wide)
    return count if given else (labels, count)


def _write_labels(labels: np.ndarray, input: np.ndarray, structure: np.ndarray, wide: Any) -> int:
    """Label into an array of any type; return how many components there are."""
    if not np.array_equal(structure, structure[(slice(None, None, -1),) * structure.ndim]):
        raise AssertionError("Structuring element is not symmetric")
    for array in (input, labels):
        if not is_native(array.dtype):
            raise TypeError("No matching signature found")
        if not array.dtype.isnative:
            raise ValueError("Big-endian buffer not supported on little-endian compiler")
    if not labels.flags.writeable:
        raise ValueError("output array is read-only.")
    input = native_input(input)
    axis = _line_axis(labels.strides)
    flags, separate = labels.flags, not np.may_share_memory(input, labels)
    direct = flags.c_contiguous and flags.aligned and even_strides(labels) and separate
    if labels.dtype == wide and direct:
        return _label_along(axis, labels, input, structure)
    plain = np.empty(input.shape, wide)
    count = _label_along(axis, plain, input, structure)
    if not _overflows(labels.dtype, count, input, structure, axis):
        stored = labels.view(np.uint8) if labels.dtype == bool else labels
        stored[...] = plain
        return count
    # SciPy starts again with an array of its own, whose order in memory decides the numbers.
    again = _line_axis(plain.strides)
    if again != axis:
        count = _label_along(again, plain, input, structure)
    labels[...] = plain
    if not np.all(labels == plain):
        raise RuntimeError("insufficient bit-depth in requested output type")
    return count


def _label_along(axis: int, labels: np.ndarray, input: np.ndarray, structure: np.ndarray) -> int:
    """Label with lines along this axis, in whose order components are numbered."""
    if axis != input.ndim - 1:
        labels, input, structure = (np.moveaxis(array, axis, -1) for array in (labels, input, structure))
    return core.label(labels, input, structure)


def _line_axis(strides: tuple[int, ...]) -> int:
    """The axis along which NumPy's iterator "over all but one axis" leaves the lines: that of the smallest step."""
    axis, shortest = 0, next((stride for stride in strides if stride), 0)
    for other, stride in enumerate(strides[1:], 1):
        if 0 < stride < shortest:
            axis, shortest = other, stride
    return axis


def _overflows(dtype: Any, count: int, input: np.ndarray, structure: np.ndarray, axis: int) -> bool:
    """Whether a working label of SciPy's first pass does not fit the type.

    They count from 2, one for each element without a connected element before it.
    """
    if dtype.kind == "f":
        limit = _FLOAT_LIMITS[dtype.itemsize]
    else:
        limit = 255 if dtype.kind == "b" else int(np.iinfo(dtype).max)
    if input.size < limit or count >= limit:
        return count >= limit
    later = np.moveaxis(np.zeros_like(structure), axis, -1).copy()
    elements = np.moveaxis(structure, axis, -1).ravel()
    later.ravel()[structure.size // 2 + 1 :] = elements[structure.size // 2 + 1 :]
    # A dilation moves the elements: those before an element lie after it in the structure.
    before = binary_dilation(input, np.moveaxis(later, -1, axis))
    return bool(np.count_nonzero((input != 0) & ~before) + 1 > limit)


def find_objects(input: Any, max_label: Any = 0) -> list[tuple[slice, ...] | None]:
    """Return the box around the elements of each label; `scipy.ndimage.find_objects`.

    Exact: SciPy's slices. Labels that are not whole are cut to whole numbers as SciPy cuts them.

    Parameters
    ----------
    input : array_like
        Labels; numbers below 1 belong to no object.
    max_label : int, optional
        The last label looked for; the largest in `input` if it is below 1.

    Returns
    -------
    list of (tuple of slice, or None)
        An entry per label from 1 on: a slice per axis, or ``None`` where no element has the label.

    Raises
    ------
    TypeError
        If `input` is complex, or the last label is no integer.
    RuntimeError
        For element types that are not numbers of C.
    OverflowError
        If the last label does not fit 63 bits.

    Examples
    --------
    >>> find_objects([[0, 1, 1], [0, 0, 1], [3, 0, 0]])
    [(slice(0, 2, None), slice(1, 3, None)), None, (slice(2, 3, None), slice(0, 1, None))]
    """
    input = np.asarray(input)
    if np.iscomplexobj(input):
        raise TypeError("Complex type not supported")
    if max_label < 1:
        boxes = core.all_box_slices(native_input(input)) if input.size and input.dtype.kind in "iu" else None
        if boxes is not None:
            return boxes
        max_label = input.max()
    count = operator.index(max_label)
    if abs(count) > sys.maxsize:
        raise OverflowError("Python int too large to convert to C ssize_t")
    count = max(count, 0)
    if input.size == 0:
        return [None] * count
    input = native_input(input)
    if count == 0:
        return []
    labels = input.reshape(1) if input.ndim == 0 else input
    try:
        bounds = np.empty((count, 2 * labels.ndim), np.int64)
    except ValueError as error:
        raise MemoryError(f"no memory for the boxes of {count} labels") from error
    core.find_objects(bounds, labels)
    if input.ndim == 0:
        return [() if first >= 0 else None for first in bounds[:, 0].tolist()]
    return core.box_slices(bounds)


def value_indices(arr: Any, *, ignore_value: Any = None) -> dict[Any, tuple[np.ndarray, ...]]:
    """Return where each value of an array of integers occurs; `scipy.ndimage.value_indices`.

    Exact: SciPy's indices, in its order. Values of any range are taken.

    Parameters
    ----------
    arr : array_like
        Integers.
    ignore_value : int, optional
        A value that is left out.

    Returns
    -------
    dict
        From each value, in rising order, to its indices: an array per axis, as ``numpy.where`` gives them.

    Raises
    ------
    ValueError
        If `arr` does not hold integers.

    Examples
    --------
    >>> value_indices([[7, 5, 7], [5, 5, 9]], ignore_value=5)
    {np.int64(7): (array([0, 0]), array([0, 2])), np.int64(9): (array([1]), array([2]))}
    """
    arr = np.asarray(arr)
    ignored = np.zeros(1, arr.dtype)
    if ignore_value is not None:
        ignored[0] = ignored.dtype.type(ignore_value)
    if arr.dtype.kind not in "iu":
        raise ValueError("Parameter 'arr' must be an integer array")
    if arr.size == 0:
        return {}
    if arr.ndim == 0:
        value: Any = native_input(arr)[()]
        return {} if ignore_value is not None and value == ignored[0] else {value: ()}
    labels = native_input(arr)
    first, last = int(labels.min()), int(labels.max())
    if last - first < _TABLE_FACTOR * labels.size + _TABLE_LEAST:
        values = None
        span = last - first + 1
    else:
        values, labels = np.unique(labels, return_inverse=True)
        labels, first, span = labels.reshape(arr.shape), 0, len(values)
    # Modulo 2^64, as the native module subtracts it.
    base = first - (first >> 63 << 64) if first >= 2**63 else first
    counts = np.zeros(span, np.int64)
    core.label_counts(counts, labels, base)
    skipped = None
    if ignore_value is not None:
        place = int(ignored[0]) - first if values is None else int(np.searchsorted(values, ignored[0]))
        if 0 <= place < span and (values is None or values[place] == ignored[0]):
            skipped = place
            counts[place] = 0
    ends = np.cumsum(counts)
    present = np.flatnonzero(counts)
    indices = np.empty((arr.ndim, int(ends[-1])), np.int64)
    core.group_by_value(indices, ends - counts, labels, base, skipped)
    dtype = arr.dtype.newbyteorder("=")
    keys = (
        np.array([first + place for place in present.tolist()], dtype) if values is None else values[present]
    )
    spans = zip((ends - counts)[present].tolist(), ends[present].tolist())
    return {key: tuple(row[start:end].copy() for row in indices) for key, (start, end) in zip(keys, spans)}

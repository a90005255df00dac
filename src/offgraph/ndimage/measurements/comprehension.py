"""Any function of the values of each label, histograms and medians among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from offgraph.ndimage.measurements.rows import table_of

__all__ = ["histogram", "labeled_comprehension", "median"]

# NumPy sorts integers of 16 bits in linear time.
_SHORT = 1 << 16


def labeled_comprehension(
    input: Any,
    labels: Any,
    index: Any,
    func: Callable[..., Any],
    out_dtype: Any,
    default: Any,
    pass_positions: Any = False,
) -> Any:
    """Return what a function gives for the values of each label; `scipy.ndimage.labeled_comprehension`.

    Exact: the function gets the values in SciPy's order, which is that of ``numpy.argsort`` of the labels.

    Parameters
    ----------
    input : array_like
        Values.
    labels : array_like or None
        Labels of the values, of a shape that broadcasts with theirs; without, all values are one region.
    index : int, sequence of int, or None
        The labels to call `func` for; without, once for all above 0.
    func : callable
        Takes the values of a label as an array of one axis.
    out_dtype : dtype
        Type of the result for a given `index`.
    default : number
        The result for labels that do not occur.
    pass_positions : bool, optional
        Whether `func` also takes the positions of the values in C order.

    Returns
    -------
    ndarray or number
        A result, or one per label of a sequence.

    Raises
    ------
    ValueError
        If there is an `index` without labels, shapes do not broadcast, or `index` does not fit the type of the labels.

    Examples
    --------
    >>> labeled_comprehension([1, 2, 3, 5], [1, 1, 2, 2], [1, 2, 3], np.max, int, -1)
    array([ 2,  5, -1])
    """
    is_one = np.isscalar(index)
    arrays: list[Any] = [np.asarray(input)]
    if pass_positions:
        arrays.append(np.arange(arrays[0].size).reshape(arrays[0].shape))
    if labels is None:
        if index is not None:
            raise ValueError("index without defined labels")
        return func(*(array.ravel() for array in arrays))
    labels = np.asarray(labels)
    try:
        arrays[0], labels = np.broadcast_arrays(arrays[0], labels)
    except ValueError as error:
        raise ValueError(
            "input and labels must have the same shape (excepting dimensions with width 1)"
        ) from error
    if index is None:
        return func(*(array[labels > 0] for array in arrays))
    index = np.atleast_1d(index)
    wanted = index.astype(labels.dtype)
    if np.any(wanted.astype(index.dtype) != index):
        raise ValueError(
            f"Cannot convert index values from <{index.dtype}> to <{labels.dtype}> (labels' type) without loss of"
            " precision"
        )
    # Only the labels between the first and the last one that is wanted are sorted.
    is_between = (labels >= wanted.min()) & (labels <= wanted.max())
    labels = labels[is_between]
    order = labels.argsort()
    labels = labels[order]
    arrays = [array[is_between][order] for array in arrays]
    index_order = wanted.argsort()
    wanted = wanted[index_order]
    found = np.empty(wanted.shape, out_dtype)
    found[:] = default
    starts, ends = (np.searchsorted(labels, wanted, side=side) for side in ("left", "right"))
    for place, (start, end) in enumerate(zip(starts, ends)):
        if start != end:
            found[place] = func(*(array[start:end] for array in arrays))
    results = np.zeros(wanted.shape, out_dtype)
    results[index_order] = found
    return results[0] if is_one else results


def histogram(input: Any, min: Any, max: Any, bins: Any, labels: Any = None, index: Any = None) -> Any:
    """Return the histogram of each label's values; `scipy.ndimage.histogram`.

    Exact: those of ``numpy.histogram``.

    Parameters
    ----------
    input : array_like
        Values.
    min, max : number
        The edges of the first and the last bin; the last bin contains its edge.
    bins : int
        Number of bins.
    labels, index
        As of `labeled_comprehension`.

    Returns
    -------
    ndarray
        A histogram (``int64``), or an array of them (``object``), ``None`` for labels that do not occur.

    Examples
    --------
    >>> histogram([0, 1, 1, 3], 0, 4, 2)
    array([3, 1])
    """
    edges = np.linspace(min, max, bins + 1)
    return labeled_comprehension(
        input, labels, index, lambda values: np.histogram(values, edges)[0], object, None
    )


def median(input: Any, labels: Any = None, index: Any = None) -> Any:
    """Return the median of each label's values; `scipy.ndimage.median`.

    Exact: SciPy's mean of the two values in the middle, which overflows for float types as SciPy's does.

    Parameters
    ----------
    input : array_like
        Values.
    labels : array_like, optional
        Labels of the values, of a shape that broadcasts with theirs; all values are one region if not given.
    index : int or sequence of int, optional
        The labels to look at; all above 0 together if not given.

    Returns
    -------
    number or ndarray
        A median, or one per label of a sequence.

    Raises
    ------
    ValueError
        If the shapes do not broadcast.

    Examples
    --------
    >>> median([1, 2, 4, 3, 9], [1, 1, 2, 2, 2], [1, 2])
    array([1.5, 4. ])
    """
    values = np.asanyarray(input)
    if labels is None:
        return np.median(values)
    values, labels = np.broadcast_arrays(values, np.asarray(labels))
    if index is None or np.isscalar(index):
        return np.median(values[labels > 0 if index is None else labels == index])
    rows = table_of(labels)
    chosen, found = rows.rows(np.asarray(index))
    # In the type of the labels, as SciPy has it: it may overflow, and so may the length of the tables.
    last = rows.labels.max()
    chosen[~found] = last + 1
    values, labels = _sorted_by_label(values.ravel(), rows.labels.ravel())
    places = np.arange(len(labels))
    first_of, last_of = (np.zeros(last + 2, np.int_) for _ in range(2))
    first_of[labels[::-1]] = places[::-1]
    last_of[labels] = places
    first, beyond = first_of[chosen], last_of[chosen]
    half = (beyond - first) // 2
    low, high = values[first + half], values[beyond - half]
    if values.dtype.kind in "iub":
        low, high = low.astype("d"), high.astype("d")
    return (low + high) / 2.0


def _sorted_by_label(values: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in the order of ``numpy.lexsort``: by labels, equal ones by values."""
    if labels.dtype.kind in "iu" and labels.size and labels.min() >= 0 and labels.max() < _SHORT:
        order = values.argsort(kind="stable")
        order = order[labels[order].astype(np.uint16).argsort(kind="stable")]
    else:
        order = np.lexsort((values, labels))
    return values[order], labels[order]

"""Smallest and largest values of labelled regions, and where they are.

SciPy sorts the whole array, by NumPy's default method, which is not stable: which of several equal values it names depends
on all of the array. So the native module finds one smallest and one largest value per label, and says where they are tied;
only where the answer depends on a tie, or on NaN, is the array sorted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.engine.native import core
from offgraph.ndimage.measurements.rows import LabelTable, table_of

__all__ = ["extrema", "maximum", "maximum_position", "minimum", "minimum_position"]


def minimum(input: Any, labels: Any = None, index: Any = None) -> Any:
    """Return the smallest value of each label; `scipy.ndimage.minimum`.

    Exact: SciPy's value, of the element type of `input`.

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
        A value, or one per label of a sequence: 0 where no value has the label.

    Raises
    ------
    ValueError
        If the shapes do not broadcast, or a single region has no values.

    Examples
    --------
    >>> minimum([[1, 2], [3, 4]], [[1, 2], [2, 2]], [1, 2])
    array([1, 2])
    """
    return _select(input, labels, index, ("min",))[0]


def maximum(input: Any, labels: Any = None, index: Any = None) -> Any:
    """Return the largest value of each label; `scipy.ndimage.maximum`.

    Exact: SciPy's value, of the element type of `input`.

    Parameters
    ----------
    input, labels, index
        As of `minimum`.

    Returns
    -------
    number or ndarray
        A value, or one per label of a sequence: 0 where no value has the label.

    Examples
    --------
    >>> maximum([[1, 2], [3, 4]], [[1, 2], [2, 2]], [1, 2])
    array([1, 4])
    """
    return _select(input, labels, index, ("max",))[0]


def minimum_position(input: Any, labels: Any = None, index: Any = None) -> Any:
    """Return where the smallest value of each label is; `scipy.ndimage.minimum_position`.

    Exact: of several smallest values the one that SciPy names. Finding it takes SciPy's time.

    Parameters
    ----------
    input, labels, index
        As of `minimum`.

    Returns
    -------
    tuple of int, or list of them
        An index, or one per label of a sequence: that of the first element where no value has the label.

    Examples
    --------
    >>> minimum_position([[5, 2], [3, 4]])
    (np.int64(0), np.int64(1))
    """
    return _indices(input, _select(input, labels, index, ("min at",))[0])


def maximum_position(input: Any, labels: Any = None, index: Any = None) -> Any:
    """Return where the largest value of each label is; `scipy.ndimage.maximum_position`.

    Exact: of several largest values the one that SciPy names. Finding it takes SciPy's time.

    Parameters
    ----------
    input, labels, index
        As of `minimum`.

    Returns
    -------
    tuple of int, or list of them
        An index, or one per label of a sequence: that of the first element where no value has the label.

    Examples
    --------
    >>> maximum_position([[5, 2], [3, 4]])
    (np.int64(0), np.int64(0))
    """
    return _indices(input, _select(input, labels, index, ("max at",))[0])


def extrema(input: Any, labels: Any = None, index: Any = None) -> tuple[Any, Any, Any, Any]:
    """Return the smallest and largest value of each label, and where they are; `scipy.ndimage.extrema`.

    Exact: as `minimum`, `maximum`, `minimum_position` and `maximum_position`.

    Parameters
    ----------
    input, labels, index
        As of `minimum`.

    Returns
    -------
    minimums, maximums : number or ndarray
        As of `minimum` and `maximum`.
    min_positions, max_positions : tuple of int, or list of them
        As of `minimum_position` and `maximum_position`.

    Examples
    --------
    >>> extrema([[5, 2], [3, 4]])
    (np.int64(2), np.int64(5), (np.int64(0), np.int64(1)), (np.int64(0), np.int64(0)))
    """
    least, least_at, largest, largest_at = _select(input, labels, index, ("min", "min at", "max", "max at"))
    if np.isscalar(least):
        return least, largest, _indices(input, least_at), _indices(input, largest_at)
    return least, largest, _index_list(input, least_at), _index_list(input, largest_at)


def _indices(input: Any, positions: Any) -> Any:
    """Positions in C order as indices along the axes."""
    if np.isscalar(positions):
        lengths, steps = _lengths_and_steps(input)
        return tuple((positions // steps) % lengths)
    return _index_list(input, positions)


def _index_list(input: Any, positions: Any) -> list[tuple[Any, ...]]:
    lengths, steps = _lengths_and_steps(input)
    return [tuple(index) for index in (positions.reshape(-1, 1) // steps) % lengths]


def _lengths_and_steps(input: Any) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array(np.asarray(input).shape)
    return lengths, np.cumprod([1, *lengths[:0:-1]])[::-1]


def _select(input: Any, labels: Any, index: Any, wanted: tuple[str, ...]) -> list[Any]:
    """What is wanted of one region, or of each label of a sequence: "min", "max", and where they are, "min at", "max at"."""
    input = np.asanyarray(input)
    has_positions = any(what.endswith("at") for what in wanted)
    positions = np.arange(input.size).reshape(input.shape) if has_positions else None
    if labels is None:
        return _of_one(input, positions, wanted)
    labels = np.asarray(labels)
    input, labels = np.broadcast_arrays(input, labels)
    if index is None or np.isscalar(index):
        mask = labels > 0 if index is None else labels == index
        return _of_one(input[mask], None if positions is None else positions[mask], wanted)
    rows = table_of(labels)
    chosen, found = rows.rows(np.asarray(index))
    # In the type of the labels, as SciPy has it: it may overflow, and so may the length of the tables.
    beyond = rows.labels.max() + 1
    asked = chosen[found]
    chosen[~found] = beyond
    overflows = beyond != rows.size or rows.size >= np.iinfo(rows.labels.dtype).max
    native = None if overflows else _native_extremes(rows, asked, input, wanted)
    return [table[chosen] for table in native or _sorted_extremes(rows, input, positions, wanted)]


def _of_one(values: np.ndarray, positions: Any, wanted: tuple[str, ...]) -> list[Any]:
    found = []
    for what in wanted:
        extreme = values.min() if what.startswith("min") else values.max()
        found.append(positions[values == extreme][0] if what.endswith("at") else extreme)
    return found


def _native_extremes(
    rows: LabelTable, chosen: np.ndarray, values: np.ndarray, wanted: tuple[str, ...]
) -> list[np.ndarray] | None:
    """A table for each thing wanted, with a row per label and one of zeros; None where SciPy's answer depends on its sort.

    `chosen` holds the rows that are asked for.
    """
    lines = rows.lines(values)
    if lines is None:
        return None
    places = {end: np.empty(rows.size, np.int64) for end in ("min", "max")}
    tied = {end: np.empty(rows.size, np.uint8) for end in ("min", "max")}
    if core.label_extremes(places["min"], tied["min"], places["max"], tied["max"], *lines):
        return None
    flat = values.ravel()
    asked = np.zeros(rows.size, bool)
    asked[chosen] = True
    tables = []
    for what in wanted:
        end = what[:3]
        place = places[end]
        present = place >= 0
        doubtful = asked & (tied[end] != 0)
        if what.endswith("at"):
            if doubtful.any():
                return None
            table = np.zeros(rows.size + 1, int)
            table[:-1][present] = place[present]
        else:
            # Zeros of both signs are equal; all other values that are have the same bytes.
            if flat.dtype.kind == "f" and (flat[place[doubtful]] == 0).any():
                return None
            table = np.zeros(rows.size + 1, flat.dtype)
            table[:-1][present] = flat[place[present]]
        tables.append(table)
    return tables


def _sorted_extremes(
    rows: LabelTable, values: np.ndarray, positions: Any, wanted: tuple[str, ...]
) -> list[np.ndarray]:
    """The same tables by SciPy's way: of equal labels, the one stored last stays."""
    order = values.ravel().argsort()
    values, labels = values.ravel()[order], rows.labels.ravel()[order]
    if positions is not None:
        positions = positions.ravel()[order]
    tables = []
    for what in wanted:
        source: Any = positions if what.endswith("at") else values
        table = np.zeros(labels.max() + 2, int if what.endswith("at") else values.dtype)
        step = -1 if what.startswith("min") else 1
        table[labels[::step]] = source[::step]
        tables.append(table)
    return tables

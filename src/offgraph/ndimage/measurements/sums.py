"""Sums, means, variances and centres of mass of labelled regions.

Per label, elements are added one after another in C order, as `numpy.bincount` does; all at once, NumPy adds them in pairs.
Where a square or a product is not finite, NumPy makes it again: it warns as SciPy does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.engine.calls import is_native, native_input
from offgraph.engine.native import core
from offgraph.ndimage.measurements.rows import LabelTable, fits_int, table_of

__all__ = ["center_of_mass", "mean", "standard_deviation", "sum", "sum_labels", "variance"]

# Squares of numbers below this, and of their differences, are finite, and so are their products with any index.
_SAFE = 1e150


def sum(input: Any, labels: Any = None, index: Any = None) -> Any:
    """Return the sum of each label's values: `sum_labels` by its old name; `scipy.ndimage.sum`.

    Parameters
    ----------
    input, labels, index
        As of `sum_labels`.

    Returns
    -------
    number or ndarray
        As of `sum_labels`.

    Examples
    --------
    >>> sum([1, 2, 3, 4], [1, 1, 2, 2], [1, 2])
    array([3., 7.])
    """
    return sum_labels(input, labels, index)


def sum_labels(input: Any, labels: Any = None, index: Any = None) -> Any:
    """Return the sum of each label's values; `scipy.ndimage.sum_labels`.

    Exact: SciPy's order of additions.

    Parameters
    ----------
    input : array_like
        Values.
    labels : array_like, optional
        Labels of the values, of a shape that broadcasts with theirs; all values are one region if not given.
    index : int or sequence of int, optional
        The labels to sum over; all above 0 together if not given.

    Returns
    -------
    number or ndarray
        A sum, or one (``float64``) per label of a sequence: 0 where no value has the label.

    Raises
    ------
    ValueError
        If the shapes do not broadcast, or there are no labels.

    Examples
    --------
    >>> sum_labels([[1, 2], [3, 4]], [[1, 2], [2, 2]], [1, 2, 3])
    array([1., 9., 0.])
    """
    return _statistics(input, labels, index)[1]


def mean(input: Any, labels: Any = None, index: Any = None) -> Any:
    """Return the mean of each label's values; `scipy.ndimage.mean`.

    Exact: SciPy's order of additions.

    Parameters
    ----------
    input, labels, index
        As of `sum_labels`.

    Returns
    -------
    number or ndarray
        A mean, or one per label of a sequence: NaN, with a warning, where no value has the label.

    Examples
    --------
    >>> mean([1, 2, 3, 5], [1, 1, 2, 2], [1, 2])
    array([1.5, 4. ])
    """
    count, total = _statistics(input, labels, index, counted=True)[:2]
    return total / np.asanyarray(count).astype(np.float64)


def variance(input: Any, labels: Any = None, index: Any = None) -> Any:
    """Return the variance of each label's values; `scipy.ndimage.variance`.

    Exact: SciPy's order of additions, of squares of differences from the mean.

    Parameters
    ----------
    input, labels, index
        As of `sum_labels`.

    Returns
    -------
    number or ndarray
        A variance, or one per label of a sequence: NaN, with a warning, where no value has the label.

    Examples
    --------
    >>> variance([1, 2, 3, 5], [1, 1, 2, 2], [1, 2])
    array([0.25, 1.  ])
    """
    count, _, squares = _statistics(input, labels, index, counted=True, squared=True)
    return squares / np.asanyarray(count).astype(float)


def standard_deviation(input: Any, labels: Any = None, index: Any = None) -> Any:
    """Return the standard deviation of each label's values; `scipy.ndimage.standard_deviation`.

    Exact: the square root of `variance`.

    Parameters
    ----------
    input, labels, index
        As of `sum_labels`.

    Returns
    -------
    number or ndarray
        A standard deviation, or one per label of a sequence.

    Examples
    --------
    >>> standard_deviation([1, 2, 3, 5], [1, 1, 2, 2], [1, 2])
    array([0.5, 1. ])
    """
    return np.sqrt(variance(input, labels, index))


def center_of_mass(input: Any, labels: Any = None, index: Any = None) -> Any:
    """Return the centre of mass of each label's values; `scipy.ndimage.center_of_mass`.

    Exact: SciPy's order of additions.

    Parameters
    ----------
    input : array_like
        Masses, of any sign.
    labels, index
        As of `sum_labels`.

    Returns
    -------
    tuple of float, or list of them
        Coordinates in pixels, one per axis; for a sequence of labels a tuple per label. Not finite, with a warning, where
        the masses add up to 0.

    Examples
    --------
    >>> center_of_mass(np.array([[0, 1, 1], [0, 0, 2]]), np.array([[0, 1, 1], [0, 0, 1]]), [1])
    [(np.float64(0.5), np.float64(1.75))]
    """
    input = np.asarray(input)
    total = sum_labels(input, labels, index)
    moments = _native_moments(input, labels, index)
    if moments is None:
        grids = np.ogrid[tuple(slice(0, length) for length in input.shape)]
        weighted = (input * grids[axis].astype(float) for axis in range(input.ndim))
        moments = (sum_labels(products, labels, index) for products in weighted)
    centres = [moment / total for moment in moments]
    if np.isscalar(centres[0]):
        return tuple(centres)
    if centres[0].ndim == 1:
        return list(zip(*centres, strict=True))
    return [tuple(centre) for centre in np.array(centres).T]


def _native_moments(input: np.ndarray, labels: Any, index: Any) -> list[np.ndarray] | None:
    """The sums of values times indices along each axis; None where NumPy has to make them."""
    if labels is None or index is None or np.isscalar(index) or input.ndim == 0:
        return None
    labels = np.asarray(labels)
    if labels.shape != input.shape:
        return None
    rows = table_of(labels)
    lines = rows.lines(input)
    if lines is None:
        return None
    table = np.zeros((input.ndim, rows.size))
    least = rows.least_row(index)
    core.label_moments(table, *lines, least if least and _is_safe(input) else 0)
    asked = rows.rows(index)
    return [_chosen(asked, moments) for moments in table] if np.isfinite(table).all() else None


def _statistics(
    input: Any, labels: Any, index: Any, *, counted: bool = False, squared: bool = False
) -> tuple[Any, ...]:
    """How many values each label has, their sum, and the sum of their squared differences from the mean if `squared`.

    The numbers of values are those of a sequence of labels only if `counted`.
    """
    input = np.asarray(input)
    if labels is None:
        return _of_one(input, squared)
    labels = np.asarray(labels)
    if input.shape != labels.shape:
        input, labels = np.broadcast_arrays(input, labels)
    if index is None:
        return _of_one(input[labels > 0], squared)
    if np.isscalar(index):
        return _of_one(input[labels == index], squared)
    if not squared:
        found = _native_sums(input, labels, index, counted)
        if found is not None:
            return found
    rows = table_of(labels)
    least = rows.least_row(index)
    if squared and least and not _is_safe(input):
        least = 0
    counts, sums = _counts_and_sums(rows, input, counted, least)
    tables = [counts, sums]
    if squared:
        tables.append(_squares(rows, input, sums / counts, least))
    # Not before: SciPy computes, with warnings, before it reads an index that it refuses.
    asked = rows.rows(index)
    return tuple(_chosen(asked, table) for table in tables)


def _native_sums(
    values: np.ndarray, labels: np.ndarray, index: Any, counted: bool
) -> tuple[np.ndarray | None, np.ndarray] | None:
    """How many values each label has, if `counted`, and their sum; None where labels or index are unusual."""
    if not (
        fits_int(labels.dtype) and is_native(values.dtype) and labels.ndim and 0 < labels.size < 2**32 - 1
    ):
        return None
    try:
        asked = np.asanyarray(index)
    except ValueError:
        return None
    if type(asked) is not np.ndarray or asked.dtype.kind not in "iu" or not asked.ndim:
        return None
    sums = np.empty(asked.shape)
    counts = np.empty(asked.shape, np.int64) if counted else None
    asked = np.ascontiguousarray(asked, np.int64)
    fits = core.asked_sums(sums, counts, native_input(labels), native_input(values), asked)
    return (counts, sums) if fits else None


def _is_safe(values: np.ndarray) -> bool:
    """Whether no square and no product with an index is infinite or not a number, so that NumPy has nothing to warn of."""
    if values.dtype.kind != "f":
        return values.dtype.kind in "biu"
    return bool(values.size and float(values.min()) > -_SAFE and float(values.max()) < _SAFE)


def _of_one(values: np.ndarray, squared: bool) -> tuple[Any, ...]:
    """The statistics of one region."""
    if not squared:
        return values.size, values.sum()
    centred = values - values.mean()
    return values.size, values.sum(), (centred * centred.conjugate()).sum()


def _chosen(asked: tuple[Any, Any], table: np.ndarray) -> Any:
    """The rows asked for; 0 for those that are not there."""
    rows, are_there = asked
    rows = rows.copy()
    rows[~are_there] = 0
    found = table[rows]
    found[~are_there] = 0
    return found


def _counts_and_sums(
    rows: LabelTable, values: np.ndarray, counted: bool, least: int
) -> tuple[np.ndarray, np.ndarray]:
    """How many values each row has, zeros unless `counted`, and their sums: of rows before `least`, any number."""
    lines = rows.lines(values)
    counts = np.zeros(rows.size, np.int64)
    if lines is not None:
        sums = np.zeros(rows.size)
        core.label_sums(sums, counts if counted else None, *lines, None, least)
        return counts, sums
    if counted:
        counts = np.bincount(rows.labels.ravel())
    return counts, np.bincount(rows.labels.ravel(), weights=values.ravel())


def _squares(rows: LabelTable, values: np.ndarray, means: np.ndarray, least: int) -> np.ndarray:
    """The sums of squared differences from the means: of rows before `least`, any number."""
    lines = rows.lines(values)
    if lines is not None:
        sums = np.zeros(rows.size)
        core.label_sums(sums, None, *lines, means, least)
        if np.isfinite(sums).all():
            return sums
    centred = values - means[rows.labels]
    return np.bincount(rows.labels.ravel(), weights=(centred * centred.conjugate()).ravel())

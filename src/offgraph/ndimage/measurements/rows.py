"""Labels as rows of a table, by SciPy's rules of which label of `index` is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from offgraph.engine.calls import is_native, native_input

__all__ = ["LabelTable", "fits_int", "table_of"]


@dataclass(frozen=True)
class LabelTable:
    """A table with a row per label: `labels` holds the row of each element."""

    labels: np.ndarray
    size: int
    """Rows of the table."""
    known: np.ndarray | None
    """The label of each row, in order; None if that is its number."""

    def rows(self, index: Any) -> tuple[Any, Any]:
        """The row of each label that is asked for, and whether there is one; by SciPy's steps, which fail for some indices."""
        if self.known is None:
            chosen = np.asanyarray(index, np.int_).copy()
            return chosen, (chosen >= 0) & (chosen < self.size)
        chosen = np.searchsorted(self.known, index)
        chosen[chosen >= self.known.size] = 0
        return chosen, self.known[chosen] == index

    def least_row(self, index: Any) -> int:
        """A row that no row of a label that is asked for lies before."""
        try:
            asked = np.asarray(index)
        except ValueError:
            return 0
        if self.known is not None or asked.dtype.kind not in "iu" or not asked.size:
            return 0
        return min(max(int(asked.min()), 0), self.size)

    def lines(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Labels and values as the native module takes them; None where it does not."""
        labels = self.labels
        if not (labels.size and self.size < 2**32 and is_native(labels.dtype) and is_native(values.dtype)):
            return None
        labels, values = native_input(labels), native_input(values)
        return (labels, values) if labels.ndim else (labels.reshape(1), values.reshape(1))


def table_of(labels: np.ndarray) -> LabelTable:
    """The table for these labels: a row per integer if they are few and not negative, else one per label that occurs."""
    if fits_int(labels.dtype) and labels.min() >= 0:
        largest = labels.max()
        if largest <= labels.size:
            return LabelTable(labels, int(largest) + 1, None)
    known, rows = np.unique(labels, return_inverse=True)
    return LabelTable(rows.reshape(labels.shape), known.size, known)


def fits_int(dtype: Any) -> bool:
    """Whether labels of this type are numbers of rows, if they are few and not negative."""
    return (dtype.kind == "i" and dtype.itemsize <= 8) or (dtype.kind == "u" and dtype.itemsize < 8)

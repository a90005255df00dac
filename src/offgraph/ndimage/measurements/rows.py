"""Labels as rows of a table, by SciPy's rules of which label of `index` is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from offgraph.engine.calls import is_native, native_input

__all__ = ["LabelRows", "rows_of"]


@dataclass(frozen=True)
class LabelRows:
    """A table with a row per label: `labels` holds the row of each element."""

    labels: np.ndarray
    size: int
    """Rows of the table."""
    chosen: Any
    """The row of each label that was asked for."""
    found: Any
    """Whether there is one."""

    def lines(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Labels and values as the native module takes them; None where it does not."""
        labels = self.labels
        if not (labels.size and self.size < 2**32 and is_native(labels.dtype) and is_native(values.dtype)):
            return None
        labels, values = native_input(labels), native_input(values)
        return (labels, values) if labels.ndim else (labels.reshape(1), values.reshape(1))


def rows_of(labels: np.ndarray, index: Any) -> LabelRows:
    """The table for these labels: a row per integer if they are few and not negative, else one per label that occurs."""
    if not _fits_int(labels.dtype) or labels.min() < 0 or labels.max() > labels.size:
        known, rows = np.unique(labels, return_inverse=True)
        chosen = np.searchsorted(known, index)
        chosen[chosen >= known.size] = 0
        return LabelRows(rows.reshape(labels.shape), known.size, chosen, known[chosen] == index)
    size = int(labels.max()) + 1
    chosen = np.asanyarray(index, np.int_).copy()
    return LabelRows(labels, size, chosen, (chosen >= 0) & (chosen < size))


def _fits_int(dtype: Any) -> bool:
    return (dtype.kind == "i" and dtype.itemsize <= 8) or (dtype.kind == "u" and dtype.itemsize < 8)

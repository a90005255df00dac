"""Columns of boxes and points: their classes, and further columns that are carried along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from offgraph.core.errors import ArgumentError

__all__ = ["Columns", "parse_size"]


def parse_size(size: Any) -> tuple[int, ...]:
    """Return the spatial lengths that `size` gives.

    Raises
    ------
    ArgumentError
        Where they are not two or three whole numbers.
    """
    try:
        lengths = tuple(int(n) for n in size)
        whole = lengths == tuple(size)
    except (TypeError, ValueError):
        lengths, whole = (), False
    if not whole or len(lengths) not in (2, 3) or min(lengths) < 0:
        raise ArgumentError(f"size={size!r:.80}: give (height, width) or (depth, height, width) of the image")
    return lengths


@dataclass(frozen=True, eq=False)
class Columns:
    """Classes and further columns, one entry per row.

    Parameters
    ----------
    labels : ndarray, shape (n,), or None
    extra : dict of str to ndarray of n rows
    """

    labels: np.ndarray | None = None
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def parse(cls, kind: str, count: int, labels: Any, extra: Mapping[str, Any] | None) -> Self:
        """Check that every column has a row for each of `count` boxes or points.

        Raises
        ------
        ArgumentError
            Naming the column.
        """
        parsed = None if labels is None else _column("labels", labels, kind, count)
        if parsed is not None and parsed.ndim != 1:
            raise ArgumentError(f"labels of shape {parsed.shape}: give one class per {kind}")
        if extra is not None and not isinstance(extra, Mapping):
            raise ArgumentError(f"extra={extra!r:.80}: give a mapping of column names to columns")
        return cls(
            parsed,
            {
                str(name): _column(f"extra[{name!r}]", column, kind, count)
                for name, column in (extra or {}).items()
            },
        )

    def rows(self, kept: np.ndarray) -> Columns:
        """Return some of the rows."""
        labels = None if self.labels is None else self.labels[kept]
        return Columns(labels, {name: column[kept] for name, column in self.extra.items()})


def _column(name: str, values: Any, kind: str, count: int) -> np.ndarray:
    try:
        column = np.asarray(values)
    except ValueError:
        column = np.array(None)
    if column.ndim < 1 or len(column) != count:
        given = len(column) if column.ndim else repr(values)[:80]
        raise ArgumentError(f"{name} has {given} entries for {count}: give one per {kind}")
    return column

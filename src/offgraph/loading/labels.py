"""The labels of a batch as an array: class numbers, rows of 0 and 1, or numbers to learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from offgraph.core.choices import Task
from offgraph.core.errors import StepError

__all__ = ["BatchLabels"]


@dataclass(frozen=True)
class BatchLabels:
    """The labels of a loader: what they mean, and how a batch holds them as an array.

    Parameters
    ----------
    task : {"classify", "multilabel", "regress", "segment"} or None
    class_names : tuple of str
    target_names : tuple of str
    one_hot : bool
        Whether a class number becomes a row of 0 and 1.
    """

    task: Task | None
    class_names: tuple[str, ...]
    target_names: tuple[str, ...]
    one_hot: bool = False

    @property
    def present(self) -> bool:
        """Whether batches have labels."""
        return self.shape is not None

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of one label in a batch: () for a class number or one number to learn; None without labels."""
        if self.task == "classify":
            return (len(self.class_names),) if self.one_hot else ()
        if self.task == "multilabel":
            return (len(self.class_names),)
        if self.task == "regress":
            return () if len(self.target_names) == 1 else (len(self.target_names),)
        return None

    @property
    def dtype(self) -> str:
        """float32, or int64 for class numbers."""
        return "int64" if self.task == "classify" and not self.one_hot else "float32"

    def check(self, label: Any) -> None:
        """Refuse a label that does not say what the task asks for.

        Raises
        ------
        StepError
        """
        if not self.present:
            return
        if label is None:
            raise StepError("has no label, and others of its source have one")
        if self.task == "regress":
            with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
                values = np.asarray(label, np.float64).astype(np.float32)
            fits = values.shape == (len(self.target_names),) and bool(np.isfinite(values).all())
        else:
            numbers = label if isinstance(label, tuple) else (label,)
            fits = isinstance(label, tuple) is (self.task == "multilabel") and all(
                isinstance(n, int | np.integer) and 0 <= n < len(self.class_names) for n in numbers
            )
        if not fits:
            wanted = {
                "classify": f"a class number below {len(self.class_names)}",
                "multilabel": f"class numbers below {len(self.class_names)}",
                "regress": f"a finite float32 for each of {', '.join(self.target_names)}",
            }
            raise StepError(
                f"its label is {label!r:.80}; the task {self.task!r} takes {wanted[str(self.task)]}"
            )

    def fit(self, labels: Sequence[Any]) -> bool:
        """Whether `check` takes all labels of a list."""
        if self.shape is None:
            return True
        if self.task == "classify" and all(type(label) is int for label in labels):
            return not labels or 0 <= min(labels) <= max(labels) < len(self.class_names)
        return all(map(self.fits, labels))

    def fits(self, label: Any) -> bool:
        """Whether `check` takes a label."""
        try:
            self.check(label)
        except StepError:
            return False
        return True

    def stack(self, labels: Sequence[Any]) -> np.ndarray | None:
        """Array of the labels of a batch: what `shape` and `dtype` say for each."""
        if self.shape is None:
            return None
        if self.task == "regress":
            return np.array(labels, np.float64).astype(np.float32).reshape(-1, *self.shape)
        if self.dtype == "int64":
            return np.array(labels, np.int64)
        rows = np.zeros((len(labels), *self.shape), np.float32)
        for row, label in zip(rows, labels):
            row[list(label) if isinstance(label, tuple) else label] = 1
        return rows

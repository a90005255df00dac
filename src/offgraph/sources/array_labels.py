"""What an array of labels says: classes, several classes, numbers. A task is inferred only where it is certain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from offgraph.core.arguments import refuse_masked
from offgraph.core.choices import Task
from offgraph.core.counting import count_of
from offgraph.core.errors import SourceError
from offgraph.sources.classes import refuse_classes
from offgraph.sources.items import Label
from offgraph.sources.labels import Labels
from offgraph.sources.names import class_order, named, nfc, parse_class_names

__all__ = ["labels_of_array"]

_MOST_CLASSES = 100_000


def labels_of_array(
    labels: Any, count: int, task: Task | None = None, class_names: Sequence[str] | None = None
) -> Labels:
    """Read the labels of images that are in memory.

    Parameters
    ----------
    labels : array_like or None
        As `offgraph.array_source` takes them.
    count : int
        Of the images.
    task, class_names
        As given to `offgraph.array_source`; None where not given.

    Raises
    ------
    SourceError
        Naming the first label that cannot be what the task wants; or asking, where the task is in doubt.
    """
    names = None if class_names is None else parse_class_names(class_names)
    if labels is None or task == "segment":
        _check_unlabelled(labels, task, names)
        return Labels((None,) * count)
    refuse_masked("labels=", labels)
    try:
        values = np.asarray(labels)
    except ValueError as error:
        raise SourceError(f"labels=: rows of different lengths ({error}); {_SEVERAL}") from error
    if values.ndim == 2 and values.shape[1] == 1:  # Keras' datasets have a column of class numbers
        values = values[:, 0]
    if values.ndim not in (1, 2) or len(values) != count:
        raise SourceError(
            f"labels=: an array of shape {values.shape} for {count_of(count, 'image')}: give one label, or one row of numbers, "
            "for each"
        )
    if values.dtype.kind == "O":
        values = _texts(values)
    if values.dtype.kind in "US":
        return _classify_texts(values, task, names)
    if values.dtype.kind not in "buif":
        raise SourceError(f"labels=: {values.dtype}; give class numbers, class names, or numbers to learn")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise SourceError(f"labels[{row}]: {values[row]} is not finite")
    task = task or (_task_of_numbers(values, names) if values.ndim == 1 else _task_of_rows(values))
    if task == "regress":
        rows = values.reshape(count, -1).astype(np.float64)
        columns = rows.shape[1]
        targets = ("label",) if columns == 1 else tuple(f"label {number}" for number in range(columns))
        return Labels(tuple(map(tuple, rows.tolist())), task, target_names=targets)
    return _one_hot(values, task, names) if values.ndim == 2 else _classify(values, task, names)


_SEVERAL = "of several classes per image, give a row of 0 and 1 for each, with task='multilabel'"


def _check_unlabelled(labels: Any, task: Task | None, names: Sequence[str] | None) -> None:
    if labels is not None:
        raise SourceError("labels= with task='segment': leave one of them out")
    if task not in (None, "segment"):
        raise SourceError(f"task={task!r}: give labels= as well")
    if names:
        raise SourceError("class_names= without labels=: leave them out, or give labels=")


def _texts(values: np.ndarray) -> np.ndarray:
    """Texts of an array of Python objects, such as a column of pandas."""
    if values.ndim != 1:
        raise SourceError(f"labels=: rows of objects; {_SEVERAL}")
    for row, value in enumerate(values):
        if not isinstance(value, str):
            raise SourceError(
                f"labels[{row}]: {value!r:.80}; give class names as texts, or numbers throughout"
            )
    return values.astype(str)


def _classify_texts(values: np.ndarray, task: Task | None, names: tuple[str, ...] | None) -> Labels:
    if task not in (None, "classify"):
        raise SourceError(
            f"labels=: texts with task={task!r}; texts are class names"
            + f"; {_SEVERAL}" * (task == "multilabel")
        )
    if values.ndim == 2:
        raise SourceError(f"labels=: rows of texts; {_SEVERAL}")
    cells = [nfc(text) for text in values.astype(str).tolist()]
    if names is None:
        names = tuple(class_order(set(cells)))
    else:
        refuse_classes("labels=", set(cells), names, "name all classes")
    number = {name: at for at, name in enumerate(names)}
    return Labels(tuple(number[cell] for cell in cells), "classify", names)


def _task_of_numbers(values: np.ndarray, names: tuple[str, ...] | None) -> Task:
    whole = values.dtype.kind != "f" or bool((values == np.floor(values)).all())
    if names is not None and whole:
        return "classify"
    ask = "write task='classify' if each number is a class, or task='regress' to learn the numbers"
    if values.dtype.kind == "f":
        raise SourceError(f"labels=: floats; {ask}")
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    found = len(np.unique(values))
    if low < 0 or found <= high / 2 or (found == len(values) > 2):
        raise SourceError(f"labels=: {found:,} different whole numbers from {low:,} to {high:,}; {ask}")
    return "classify"


def _task_of_rows(values: np.ndarray) -> Task:
    if np.isin(values, (0, 1)).all():
        raise SourceError(
            f"labels=: rows of {values.shape[1]} that hold 0 and 1; write task='classify' if each has a 1 for its class, "
            "task='multilabel' if it may have several, or task='regress' for numbers"
        )
    return "regress"


def _classify(values: np.ndarray, task: Task, names: tuple[str, ...] | None) -> Labels:
    if task == "multilabel":
        raise SourceError(f"labels=: one number per image with task='multilabel'; {_SEVERAL}")
    most = _MOST_CLASSES if names is None else len(names)
    wrong = (values != np.floor(values)) | (values < 0) | (values >= most)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        allowed = f"0 to {most - 1}" + ("" if names is None else f", as there are {most} class_names")
        raise SourceError(f"labels[{row}]: {values[row]} is not a class number from {allowed}")
    numbers = values.astype(np.int64)
    if names is None:
        names = tuple(map(str, range(int(numbers.max(initial=-1)) + 1)))
    return Labels(tuple(numbers.tolist()), "classify", names)


def _one_hot(values: np.ndarray, task: Task, names: tuple[str, ...] | None) -> Labels:
    columns = values.shape[1]
    if names is None:
        names = tuple(map(str, range(columns)))
    if len(names) != columns:
        raise SourceError(
            f"labels=: rows of {columns} for {len(names)} class_names ({named(names)}); give a number for each"
        )
    wrong = ~np.isin(values, (0, 1)).all(1)
    if task == "classify":
        wrong |= values.sum(1) != 1
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        wanted = "one 1 and else 0" if task == "classify" else "only 0 and 1"
        shown = ", ".join(f"{value:g}" for value in values[row, :8].tolist())
        more = ", …" if columns > 8 else ""
        raise SourceError(f"labels[{row}]: [{shown}{more}]; with task={task!r} a row holds {wanted}")
    if task == "classify":
        return Labels(tuple(values.argmax(1).tolist()), task, names)
    rows: list[Label] = [tuple(np.flatnonzero(row).tolist()) for row in values]
    return Labels(tuple(rows), task, names)

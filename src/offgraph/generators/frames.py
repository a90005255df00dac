"""Which rows of a table a generator takes, and what their labels are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.errors import ArgumentError
from offgraph.generators.listing import SUFFIXES
from offgraph.sources.names import warn_caller

__all__ = ["Rows", "rows_of"]

_NUMBERED = ("binary", "categorical", "sparse")


@dataclass
class Rows:
    """Rows of a table.

    Parameters
    ----------
    filenames : list of str
    class_indices : dict of str to int, or None
        None where labels are no classes.
    classes : list of int, or of list of int
        Class number, or numbers, of each row.
    targets : ndarray, list of ndarray, or None
        What `class_mode` "raw" and "multi_output" learn.
    weights : ndarray or None
        Of each row.
    """

    filenames: list[str]
    class_indices: dict[str, int] | None = None
    classes: list[Any] = field(default_factory=list)
    targets: Any = None
    weights: np.ndarray | None = None


def rows_of(
    dataframe: Any,
    *,
    directory: str,
    x_col: str,
    y_col: str | Sequence[str] | None,
    weight_col: str | None,
    class_mode: str | None,
    classes: Sequence[str] | None,
    part: tuple[float, float] | None,
    validate_filenames: bool,
) -> Rows:
    """Read a table as Keras does: files that are there, classes by name, then a part of the rows.

    Parameters
    ----------
    dataframe : DataFrame or mapping of str to sequence
        Whatever gives a column by its name.
    directory : str
        What file names are relative to; may be empty.
    x_col, y_col, weight_col, class_mode, classes
        As in `ImageDataGenerator.flow_from_dataframe`.
    part : (float, float), optional
        Shares of the rows, from and to.
    validate_filenames : bool
        Whether rows whose file is not there are left out, with a warning.

    Raises
    ------
    ArgumentError
        For a column that is missing, or values that it may not hold; names it.
    """
    names = _column(dataframe, "x_col", x_col)
    if not all(isinstance(name, str) for name in names):
        raise ArgumentError(f"x_col={x_col!r}: all values of the column must be texts, the files' names")
    kept = list(range(len(names)))
    labels = _labels(dataframe, y_col, class_mode)
    if class_mode in _NUMBERED:
        _check_classes(labels[0], str(y_col), class_mode, classes)
    weights = None if weight_col is None else np.asarray(_column(dataframe, "weight_col", weight_col))
    if weights is not None and weights.dtype.kind not in "iufb":
        raise ArgumentError(f"weight_col={weight_col!r}: the column must hold numbers")
    if validate_filenames:
        kept = [row for row in kept if _is_image(Path(directory, names[row]))]
        if len(kept) < len(names):
            warn_caller(
                f"{len(names) - len(kept)} of {len(names)} files in {x_col!r} are not there, or no images; left out"
            )
    rows = Rows([])
    if class_mode in _NUMBERED:
        found = _class_names(labels[0], kept, classes)
        rows.class_indices = {name: number for number, name in enumerate(found)}
        kept = [row for row in kept if _kept_label(labels[0][row], rows.class_indices)]
    if part is not None:
        kept = kept[int(part[0] * len(kept)) : int(part[1] * len(kept))]
    rows.filenames = [names[row] for row in kept]
    rows.weights = None if weights is None else weights[kept]
    if rows.class_indices is not None:
        numbers = rows.class_indices
        rows.classes = [_numbered(labels[0][row], numbers) for row in kept]
    elif class_mode == "raw":
        columns = [np.asarray(column)[kept] for column in labels]
        rows.targets = columns[0] if isinstance(y_col, str) else np.stack(columns, axis=1)
    elif class_mode == "multi_output":
        rows.targets = [np.array([column[row] for row in kept]) for column in labels]
    return rows


def _column(dataframe: Any, argument: str, name: str) -> list[Any]:
    try:
        return list(dataframe[name])
    except (KeyError, TypeError, IndexError, ValueError) as error:
        known = list(dataframe) if isinstance(dataframe, Mapping) else list(getattr(dataframe, "columns", ()))
        has = f"; it has {', '.join(map(str, known))[:200]}" if known else ""
        raise ArgumentError(f"{argument}={name!r:.80}: the table has no such column{has}") from error


def _labels(dataframe: Any, y_col: Any, class_mode: str | None) -> list[list[Any]]:
    if class_mode in (None, "input"):
        return []
    if class_mode == "multi_output" and not isinstance(y_col, list | tuple):
        raise ArgumentError(f"y_col={y_col!r:.80}: with class_mode='multi_output' give a list of columns")
    if class_mode in _NUMBERED and not isinstance(y_col, str):
        raise ArgumentError(
            f"y_col={y_col!r:.80}: with class_mode={class_mode!r} give the name of one column"
        )
    columns = [y_col] if isinstance(y_col, str) else list(y_col or ())
    return [_column(dataframe, "y_col", name) for name in columns]


def _check_classes(labels: list[Any], y_col: str, class_mode: str, classes: Sequence[str] | None) -> None:
    several = class_mode == "categorical"
    for row, label in enumerate(labels):
        fits = isinstance(label, str) or (several and isinstance(label, list | tuple))
        if not fits:
            expected = "a text, or a list or tuple of texts" if several else "a text"
            raise ArgumentError(
                f"y_col={y_col!r}: row {row} holds {label!r:.40}; with class_mode={class_mode!r} a label is {expected}: "
                "convert the column by .astype(str), or use class_mode='raw' for numbers"
            )
    if class_mode == "binary":
        count = len(set(classes)) if classes else len(set(labels))
        if count != 2:
            raise ArgumentError(f"class_mode='binary' takes two classes; y_col={y_col!r} has {count}")


def _class_names(labels: list[Any], kept: Sequence[int], classes: Sequence[str] | None) -> list[str]:
    if classes:
        return list(dict.fromkeys(classes))
    found: set[str] = set()
    for row in kept:
        found.update([labels[row]] if isinstance(labels[row], str) else labels[row])
    return sorted(found)


def _kept_label(label: Any, numbers: Mapping[str, int]) -> bool:
    return label in numbers if isinstance(label, str) else any(each in numbers for each in label)


def _numbered(label: Any, numbers: Mapping[str, int]) -> Any:
    if isinstance(label, str):
        return numbers[label]
    return [numbers[each] for each in label if each in numbers]


def _is_image(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES) and path.is_file()

"""Which rows of a table a generator takes, and what their labels are."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.errors import ArgumentError
from offgraph.generators.listing import SUFFIXES
from offgraph.sources.names import warn_caller

__all__ = ["Rows", "rows_of"]

_NUMBERED = ("binary", "categorical", "sparse")
_DROPPED = "leave such rows out by .dropna(subset=[{!r}]), or fill them in"


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
    x_col: Hashable,
    y_col: Hashable | Sequence[Hashable],
    weight_col: Hashable,
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
    names = list(_column(dataframe, "x_col", x_col))
    for row, name in enumerate(names):
        if not isinstance(name, str):
            raise ArgumentError(
                f"x_col={x_col!r}: row {row} holds {name!r:.40}; all values of the column must be texts, the files' names"
                + (f": {_DROPPED.format(x_col)}" if _is_missing(name) else "")
            )
    kept = list(range(len(names)))
    columns = _learnt_columns(dataframe, y_col, class_mode)
    labels = list(columns[0]) if class_mode in _NUMBERED else []
    if class_mode in _NUMBERED:
        _check_classes(labels, y_col, class_mode, classes)
    elif classes:
        warn_caller(f"classes={classes!r:.80} is not used with class_mode={class_mode!r}")
    weights = (
        None if weight_col is None else _weights(_column(dataframe, "weight_col", weight_col), weight_col)
    )
    if validate_filenames:
        kept = [row for row in kept if _is_image(Path(directory, names[row]))]
        if len(kept) < len(names):
            warn_caller(
                f"{len(names) - len(kept)} of {len(names)} files in {x_col!r} are not there, or no images; left out"
            )
    rows = Rows([])
    if class_mode in _NUMBERED:
        found = _class_names(labels, kept, classes)
        rows.class_indices = {name: number for number, name in enumerate(found)}
        if (
            classes
        ):  # else an empty list of labels stays, as in Keras: an image that shows none of the classes
            kept = [row for row in kept if _kept_label(labels[row], rows.class_indices)]
    if part is not None:
        kept = kept[int(part[0] * len(kept)) : int(part[1] * len(kept))]
    rows.filenames = [names[row] for row in kept]
    rows.weights = None if weights is None else weights[kept]
    if rows.class_indices is not None:
        numbers = rows.class_indices
        rows.classes = [_numbered(labels[row], numbers) for row in kept]
    elif class_mode == "raw":
        arrays = [_array(column)[kept] for column in columns]
        rows.targets = _beside(arrays) if isinstance(y_col, list | tuple) else arrays[0]
    elif class_mode == "multi_output":
        rows.targets = [_array(list(column))[kept] for column in columns]  # float64 and int64, as in Keras
    return rows


def _column(dataframe: Any, argument: str, name: Any) -> Any:
    """Return a column as the table has it: a list, an array, a Series."""
    try:
        column = dataframe[name]
        if getattr(column, "ndim", 1) == 1:
            list(column)
            return column
    except (KeyError, TypeError, IndexError, ValueError) as error:
        known = list(dataframe) if isinstance(dataframe, Mapping) else list(getattr(dataframe, "columns", ()))
        has = f"; it has {', '.join(map(str, known))[:200]}" if known else ""
        raise ArgumentError(f"{argument}={name!r:.80}: the table has no such column{has}") from error
    raise ArgumentError(
        f"{argument}={name!r:.80}: the table has several columns of that name; rename all but one"
    )


def _learnt_columns(dataframe: Any, y_col: Any, class_mode: str | None) -> list[Any]:
    if class_mode in (None, "input"):
        return []
    several = isinstance(y_col, list | tuple)
    if class_mode == "multi_output" and not several:
        raise ArgumentError(f"y_col={y_col!r:.80}: with class_mode='multi_output' give a list of columns")
    if class_mode in _NUMBERED and several:
        raise ArgumentError(
            f"y_col={y_col!r:.80}: with class_mode={class_mode!r} give the name of one column"
        )
    return [_column(dataframe, "y_col", name) for name in (y_col if several else [y_col])]


def _is_missing(value: Any) -> bool:
    """Whether a cell is empty: None, NaN, or the NA and NaT of pandas, which this package does not need."""
    return (
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, float | np.floating) and value != value)
    )


def _array(column: Any) -> np.ndarray:
    """Return a column as an array of its own dtype; texts beside other values stay what they are."""
    cells = list(column)
    texts = sum(isinstance(cell, str) for cell in cells)
    if 0 < texts < len(cells):
        return np.fromiter(cells, object, len(cells))
    try:
        array = np.asarray(column)
        if array.dtype != object:
            return array
        if not texts:
            cells = [np.nan if _is_missing(cell) else cell for cell in cells]
        return np.array(cells)
    except ValueError:  # lists of several lengths
        return np.fromiter(cells, object, len(cells))


def _beside(arrays: list[np.ndarray]) -> np.ndarray:
    """Columns as one array of rows; of texts and numbers, an array of objects."""
    if len({array.dtype.kind in "OUS" for array in arrays}) > 1:
        arrays = [array.astype(object) for array in arrays]
    return np.stack(arrays, axis=1)


def _weights(column: Any, name: Any) -> np.ndarray:
    weights = _array(column)
    if weights.dtype.kind not in "iufb":
        raise ArgumentError(f"weight_col={name!r}: the column must hold numbers")
    if weights.dtype.kind == "f" and (missing := int(np.isnan(weights).sum())):
        warn_caller(
            f"weight_col={name!r}: {missing} of {len(weights)} weights are missing; a loss with one of them is NaN: "
            + _DROPPED.format(name)
        )
    return weights


def _check_classes(labels: list[Any], y_col: Any, class_mode: str, classes: Sequence[str] | None) -> None:
    several = class_mode == "categorical"
    for row, label in enumerate(labels):
        fits = isinstance(label, str) or (several and isinstance(label, list | tuple))
        if not fits:
            expected = "a text, or a list or tuple of texts" if several else "a text"
            mend = "convert the column by .astype(str), or use class_mode='raw' for numbers"
            raise ArgumentError(
                f"y_col={y_col!r}: row {row} holds {label!r:.40}; with class_mode={class_mode!r} a label is {expected}: "
                + (_DROPPED.format(y_col) if _is_missing(label) else mend)
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

"""What the cells of a table say: classes, several classes, numbers. A task is inferred only where it is certain."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, overload

from offgraph.core.choices import Task
from offgraph.core.errors import SourceError
from offgraph.sources.classes import refuse_classes
from offgraph.sources.items import Label
from offgraph.sources.names import class_order, named, nfc, printable, warn_caller, warn_of_likeness

__all__ = ["Labels", "Row", "Rows", "read_labels"]

_FEW = 20  # up to this many different whole numbers are classes without a question, unless each row has another one
_FEW_WITH_GAPS = (
    10  # counts and ages have gaps; up to this many class numbers may be absent from a small part
)
_A_FEW = 5  # of this many different numbers with gaps each occurs in two rows or more, if they are classes
_NO_NUMBER = frozenset({"nan", "na", "n/a", "none", "null", "inf", "+inf", "-inf", "-", "?"})
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+")
_SEPARATORS = "|;,"
_LIKE_LABEL = frozenset(
    {"label", "labels", "class", "classes", "category", "categories", "target", "targets", "tag", "tags", "y"}
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its line in the file, and its cells by column."""

    line: int
    cells: dict[str, str]


class Rows(Sequence[Row]):
    """The rows of a table, in columns; each row is made when it is asked for.

    Parameters
    ----------
    lines : sequence of int
        The line of each row in the file.
    columns : dict of list of str
        Cells by column.
    """

    def __init__(self, lines: Sequence[int], columns: dict[str, list[str]]) -> None:
        self.lines, self.columns = lines, columns

    def __len__(self) -> int:
        return len(self.lines)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return self.taken(range(*index.indices(len(self))))
        return Row(self.lines[index], {name: cells[index] for name, cells in self.columns.items()})

    def taken(self, indices: Sequence[int]) -> Rows:
        """Return some of them."""
        columns = {name: [cells[i] for i in indices] for name, cells in self.columns.items()}
        return Rows([self.lines[i] for i in indices], columns)


@dataclass(frozen=True)
class Labels:
    """The labels of all rows, and what they mean."""

    values: tuple[Label | None, ...]
    task: Task | None = None
    class_names: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Columns:
    """The columns that hold what there is to learn, and where they stand, for messages."""

    table: str
    rows: Rows
    names: tuple[str, ...]

    @property
    def cells(self) -> list[str]:
        return self.rows.columns[self.names[0]]

    @property
    def first_empty(self) -> Row | None:
        """The first row without a label."""
        cells = self.cells
        return self.rows[cells.index("")] if "" in cells else None

    def error(self, row: Row, text: str) -> SourceError:
        return SourceError(f"{self.table}, row {row.line}: {text}")

    def question(self, text: str, *choices: str) -> SourceError:
        plural = "columns" if len(self.names) > 1 else "column"
        return SourceError(
            f"{self.table}: the {plural} {named(self.names)} {text}: write {', or '.join(choices)}"
        )


def read_labels(
    table: str,
    rows: Rows,
    others: tuple[str, ...],
    *,
    task: Task | None,
    class_names: tuple[str, ...] | None,
    targets: tuple[str, ...] | None,
) -> Labels:
    """Read the labels of a table.

    Parameters
    ----------
    table : str
        For messages.
    rows : Rows
    others : tuple of str
        Columns with names that mean nothing here: all but path, label, mask and group.
    task, class_names, targets
        As given to `offgraph.open_source`; None where not given.

    Raises
    ------
    SourceError
        Naming row and column where a cell cannot be what the task wants; or asking, where the task is in doubt.
    """
    if task == "segment":
        return Labels((None,) * len(rows))
    header = rows.columns
    if targets is None:
        targets = ("label",) if "label" in header else _unnamed_targets(table, rows, others, task)
    if not targets:
        return Labels((None,) * len(rows))
    unknown = [name for name in targets if name not in header or name in ("path", "mask", "group")]
    if unknown:
        raise SourceError(
            f"{table}: targets: there is no column {named(unknown)} of labels; columns are {named(header, 20)}"
        )
    if len(set(targets)) < len(targets):
        raise SourceError(f"{table}: targets={list(targets)!r:.200}: name each column once")
    columns = _Columns(table, rows, targets)
    if len(targets) > 1:
        task = task or _task_of_several(columns)
        return _regress(columns) if task == "regress" else _one_hot(columns, task, class_names)
    task = task or _task_of_one(columns, class_names)
    reads: dict[str, Callable[[], Labels]] = {
        "classify": lambda: _classify(columns, class_names),
        "multilabel": lambda: _multilabel(columns, class_names),
        "regress": lambda: _regress(columns),
    }
    return reads[task]()


def _unnamed_targets(table: str, rows: Rows, others: tuple[str, ...], task: Task | None) -> tuple[str, ...]:
    """Columns to learn where none is called label: none, unless a task is asked for that all the others fit."""
    columns = _Columns(table, rows, others)
    values = {cell for name in others for cell in rows.columns[name]}
    flags = len(others) > 1 and values <= {"0", "1"}
    numbers = bool(others) and all(map(_NUMBER.fullmatch, values))
    if task is None:
        leave_out = "labels=None to leave them out"
        if flags:
            raise columns.question(
                "hold only 0 and 1, and there is no column label",
                "task='classify' if each row has a 1 for its class",
                "task='multilabel' if a row may have several",
                leave_out,
            )
        if numbers and not all(map(_WHOLE.fullmatch, values)):
            raise columns.question(
                "hold numbers, and there is no column label",
                "task='regress' to learn them",
                leave_out,
            )
        like = [name for name in others if name.casefold() in _LIKE_LABEL]
        if not like and len(others) == 1 and not any(row.cells.get("mask") for row in rows):
            like = list(others)  # such as age or breed: what else is the table for
        if like:
            warn_caller(
                f"{table}: there is no column label, and the column {printable(like[0])} is left out: write "
                f"targets=['{printable(like[0])}'] to learn it, or labels=None if not"
            )
        return ()
    if (flags and task != "regress") or (numbers and task == "regress"):
        return others
    like = [name for name in others if name.casefold() in _LIKE_LABEL]
    example = (like or [*others, "age"])[0]
    known = f"; columns are {named(rows.columns, 20)}" if others else ""
    raise SourceError(
        f"{table}: task={task!r}, but there is no column label: say which columns to learn, such as "
        f"targets=['{printable(example)}']{known}"
    )


# which task


def _task_of_several(columns: _Columns) -> Task:
    values = {cell for name in columns.names for cell in columns.rows.columns[name]}
    if values <= {"0", "1"}:
        raise columns.question(
            "hold only 0 and 1",
            "task='classify' if each row has a 1 for its class",
            "task='multilabel' if a row may have several",
            "task='regress' for numbers",
        )
    return "regress"  # several columns are not a single class, and _regress refuses what is not a number


def _task_of_one(columns: _Columns, class_names: tuple[str, ...] | None) -> Task:
    empty = columns.first_empty
    if empty is not None:
        raise columns.error(
            empty,
            f"no label for {printable(empty.cells['path'])} (with task='multilabel', an empty cell means none of the "
            "classes)",
        )
    cells = columns.cells
    distinct = set(cells)
    if class_names is not None:
        return _task_by_names(distinct, class_names)
    if all(_NUMBER.fullmatch(cell) or _COMMA.fullmatch(cell) for cell in distinct):
        return _task_of_numbers(columns, distinct)
    _refuse_a_stray(columns, distinct)
    if len(distinct) == len(cells) > _FEW:
        raise columns.question(
            f"holds another text in each of {len(cells):,} rows",
            "task='classify' if each is a class",
            "task='multilabel' if they are several labels",
            "labels=None to leave them out",
        )
    separator = _separator(distinct)
    if separator is None or not _looks_several(distinct, separator):
        return "classify"
    if separator in "|;":
        return "multilabel"
    several = min((cell for cell in distinct if len(_parts(cell, separator)) > 1), key=lambda c: (len(c), c))
    raise columns.question(
        f"holds cells such as {several!r:.80}, and their words in other cells too",
        "task='multilabel' if they are several labels",
        "task='classify' if each cell is one class",
    )


def _task_by_names(cells: set[str], class_names: tuple[str, ...]) -> Task:
    """With the classes known there is no doubt: a cell is one of them, or all its parts are."""
    known = set(class_names)
    if all(nfc(cell) in known for cell in cells):
        return "classify"
    separator = _separator(cells)
    parts = {nfc(part) for cell in cells for part in _parts(cell, separator)} if separator else set()
    return "multilabel" if parts and parts <= known else "classify"


def _task_of_numbers(columns: _Columns, distinct: set[str]) -> Task:
    if all(map(_WHOLE.fullmatch, distinct)):
        # the numbers 0 to n - 1 (or 1 to n) number classes; ages have gaps
        values = {int(cell) for cell in distinct} if all(len(cell) < 20 for cell in distinct) else set()
        first = min(values, default=-1)
        dense = first in (0, 1) and values == set(range(first, first + len(distinct)))
        rows = len(columns.rows)
        few = len(distinct) <= (_FEW if dense else _FEW_WITH_GAPS) and (
            dense or len(distinct) < _A_FEW or rows >= 2 * len(distinct)
        )
        if few or (dense and rows >= 2 * len(distinct)):
            return "classify"
        text = f"holds {len(distinct):,} different numbers"
    else:
        text = f"holds {len(distinct):,} different numbers, some with a decimal point"
    raise columns.question(
        text, "task='regress' to learn their values", "task='classify' if each number is a class"
    )


def _refuse_a_stray(columns: _Columns, distinct: set[str]) -> None:
    """Ask where a few cells among numbers are none: taken for classes, one slip of the pen makes classes of all."""
    numbers = {cell for cell in distinct if _NUMBER.fullmatch(cell) or _COMMA.fullmatch(cell)}
    others = distinct - numbers
    if not numbers or not (
        len(others) < len(numbers) or all(cell.casefold() in _NO_NUMBER for cell in others)
    ):
        return
    row = next(row for row in columns.rows if row.cells[columns.names[0]] in others)
    raise columns.error(
        row,
        f"{row.cells[columns.names[0]]!r:.80} in the column {named(columns.names)}, where most are numbers: correct the "
        "table, or write task='classify' if each of them is a class",
    )


def _separator(cells: set[str]) -> str | None:
    for separator in _SEPARATORS:
        if any(separator in cell for cell in cells):
            return separator
    return " " if any(len(cell.split()) > 1 for cell in cells) else None


def _looks_several(distinct: set[str], separator: str) -> bool:
    """Whether cells are made of parts that stand in other cells too, alone or in another order."""
    parts = {cell: frozenset(_parts(cell, separator)) for cell in distinct}
    alone = {next(iter(these)) for these in parts.values() if len(these) == 1}
    joined = [these for these in parts.values() if len(these) > 1]
    words = set[str]().union(*parts.values())
    return bool(joined) and (
        any(these <= alone for these in joined)
        or len(set(joined)) < len(joined)
        or len(distinct) > len(words)
        or (separator in "|;" and sum(map(len, parts.values())) > len(words))
    )


def _parts(cell: str, separator: str | None) -> list[str]:
    pieces = cell.split() if separator == " " else cell.split(separator) if separator else [cell]
    return [piece.strip() for piece in pieces if piece.strip()]


# the labels of a task


def _numbered(columns: _Columns, found: set[str], class_names: tuple[str, ...] | None) -> dict[str, int]:
    if class_names is None:
        names = class_order(found)
        warn_of_likeness(columns.table, names)
        return {name: number for number, name in enumerate(names)}
    refuse_classes(columns.table, found, class_names)
    return {name: number for number, name in enumerate(class_names)}


def _classify(columns: _Columns, class_names: tuple[str, ...] | None) -> Labels:
    row = columns.first_empty
    if row is not None:
        raise columns.error(row, f"no label for {printable(row.cells['path'])}")
    cells = [nfc(cell) for cell in columns.cells]
    number = _numbered(columns, set(cells), class_names)
    return Labels(tuple(number[cell] for cell in cells), "classify", tuple(number))


def _multilabel(columns: _Columns, class_names: tuple[str, ...] | None) -> Labels:
    distinct = set(columns.cells)
    used = [separator for separator in _SEPARATORS if any(separator in cell for cell in distinct)]
    if len(used) > 1:
        raise columns.question(
            f"separates labels by {used[0]!r} and by {used[1]!r}", "one of them throughout, such as 'cat|dog'"
        )
    separator = used[0] if used else " "
    if class_names is not None and not used and set(map(nfc, distinct - {""})) <= set(class_names):
        separator = None  # names with spaces, one a cell
    parts = [[nfc(part) for part in _parts(cell, separator)] for cell in columns.cells]
    number = _numbered(columns, {part for these in parts for part in these}, class_names)
    if not number:
        raise SourceError(f"{columns.table}: not one label in the column {named(columns.names)}")
    values = tuple(tuple(sorted({number[part] for part in these})) for these in parts)
    return Labels(values, "multilabel", tuple(number))


def _one_hot(columns: _Columns, task: Task, class_names: tuple[str, ...] | None) -> Labels:
    if class_names is not None:
        refuse_classes(columns.table, set(columns.names), class_names)
    names = tuple(nfc(name) for name in columns.names) if class_names is None else class_names
    place = [names.index(nfc(name)) for name in columns.names]
    values: list[Any] = []
    for row in columns.rows:
        cells = [row.cells[name] for name in columns.names]
        for name, cell in zip(columns.names, cells, strict=True):
            if cell not in ("0", "1"):
                raise columns.error(
                    row, f"{cell!r:.80} in the column {printable(name)}: a 0 or a 1 is wanted"
                )
        shown = tuple(sorted(number for number, cell in zip(place, cells, strict=True) if cell == "1"))
        if task == "classify" and len(shown) != 1:
            raise columns.error(
                row,
                f"{len(shown)} of the columns {named(columns.names)} hold a 1, and one is wanted; if a row may have "
                "several, write task='multilabel'",
            )
        values.append(shown[0] if task == "classify" else shown)
    return Labels(tuple(values), task, names)


def _regress(columns: _Columns) -> Labels:
    values = []
    for row in columns.rows:
        numbers = []
        for name in columns.names:
            cell = row.cells[name]
            number = float(cell) if _NUMBER.fullmatch(cell) else math.nan
            if not math.isfinite(number):
                hint = "; write a decimal point, and no separator of thousands" if "," in cell else ""
                problem = f"{cell!r:.80} is not a finite number{hint}" if cell else "no value"
                raise columns.error(row, f"{problem} in the column {printable(name)}")
            numbers.append(number)
        values.append(tuple(numbers))
    return Labels(tuple(values), "regress", target_names=columns.names)

"""A CSV file with a path and a label a row."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from offgraph.core.errors import SourceError
from offgraph.core.tables import delimiter_of, restored
from offgraph.sources.base import MASK_ADVICE, Item, Source, printable
from offgraph.sources.labels import Labels, Row, read_labels
from offgraph.sources.names import warn_caller
from offgraph.sources.paths import Place
from offgraph.sources.reading import LabelOptions, Reading
from offgraph.sources.walk import LeftOut, refused

__all__ = ["open_table"]

_KNOWN = ("path", "label", "mask", "group")


def open_table(table: Path, reading: Reading, wanted: LabelOptions, root: Path | None = None) -> Source:
    """Open a CSV with the columns ``path`` and, if there are any, ``label``, ``mask`` and ``group``.

    The first row names the columns; the separator is a comma, a semicolon or a tab. Paths are relative to `root`, or
    to the CSV's folder, and must stay in it: a table may come from somebody else, so a path, or a link on it, that
    leads out is an error. `offgraph.sources.labels` decides what the labels mean. Columns of other names are kept
    for ``split(group_by=…)``.

    A path may stand in several rows, to balance classes: each further item is called ``name#2``, ``name#3``, ….

    Raises
    ------
    SourceError
        Naming the row and what is wrong with it.
    """
    header, rows = _read_rows(table)
    where = printable(table)
    if not rows:
        raise SourceError(f"{where}: no rows below the header")
    place = Place.of(root or table.parent, "root=" if root is not None else "the table's folder ")
    found: list[tuple[str, Path, str, Path | None]] = []
    for row in rows:
        here = f"{where}, row {row.line}"
        name, path, real = place.find(row.cells["path"], here)
        mask = place.find(row.cells["mask"], here)[1] if row.cells.get("mask") else None
        found.append((name, path, real, mask))
    place.must_hold_one_of(where, [(name, real) for name, _, real, _ in found])
    left_out = LeftOut()
    if any(mask is not None for *_, mask in found):
        bare = [row.line for row, (*_, mask) in zip(rows, found, strict=True) if mask is None]
        if bare and reading.missing_mask == "error":
            raise SourceError(f"{where}, {_in_rows(bare)}: no mask, and other rows have one; {MASK_ADVICE}")
        if bare and reading.missing_mask == "skip":
            left_out.add("without a mask", *(one[0] for one in found if one[-1] is None))
            kept = [i for i, (*_, mask) in enumerate(found) if mask is not None]
            rows, found = [rows[i] for i in kept], [found[i] for i in kept]
    others = tuple(name for name in header if name not in _KNOWN)
    parsed = (
        Labels((None,) * len(rows))
        if wanted.labels is None
        else read_labels(
            where, rows, others, task=wanted.task, class_names=wanted.class_names, targets=wanted.targets
        )
    )
    names, copies = _identities(where, rows, [(one[0], one[2]) for one in found], parsed, wanted.repeats)
    items = tuple(
        Item(name, path, label, mask, row.cells.get("group") or None, copy_of)
        for name, (_, path, _, mask), label, row, copy_of in zip(
            names, found, parsed.values, rows, copies, strict=True
        )
    )
    if parsed.task is None:
        wanted.check_task(where, has_classes=False, has_masks=any(item.mask is not None for item in items))
    return Source(
        items,
        parsed.class_names,
        place.root,
        reading,
        left_out.counts,
        columns={name: tuple(row.cells[name] for row in rows) for name in others},
        table=table,
        task=parsed.task or wanted.task,
        target_names=parsed.target_names,
        left_out=left_out.names,
    )


def _identities(
    where: str, rows: Sequence[Row], paths: Sequence[tuple[str, str]], parsed: Labels, repeats: bool | None
) -> tuple[list[str], list[str | None]]:
    """Give each row a name of its own, and say which other name has the same file; `paths` are names and real paths."""
    first: dict[str, int] = {}
    of_file: dict[str, str] = {}
    taken = {path for path, _ in paths}
    number: dict[str, int] = {}  # of the next copy
    names: list[str] = []
    copies: list[str | None] = []
    again: list[int] = []
    for i, (path, real) in enumerate(paths):
        original = of_file.setdefault(real, path)
        if path not in first:
            first[path] = i
            names.append(path)
            copies.append(None if original == path else original)
            continue
        other = first[path]
        stands = f"{where}, row {rows[i].line}: {printable(path)} stands in row {rows[other].line} already"
        if parsed.task in ("classify", "multilabel") and parsed.values[i] != parsed.values[other]:
            raise SourceError(
                f"{stands}, with another label; several labels of one image are one row, 'cat|dog', read with "
                "task='multilabel'"
            )
        if repeats is False:
            raise SourceError(f"{stands}; remove one, or write repeats=True")
        following = number.get(path, 2)
        while f"{path}#{following}" in taken:
            following += 1
        number[path] = following + 1
        names.append(f"{path}#{following}")
        taken.add(names[-1])
        copies.append(original)
        again.append(rows[i].line)
    if again and repeats is None:
        warn_caller(
            f"{where}, {_in_rows(again)}: paths that stand in earlier rows already; each row is taken as an item, and "
            "copies stay together in a split; write repeats=True if this is meant, as for balancing classes, or "
            "repeats=False to refuse it"
        )
    return names, copies


def _in_rows(lines: list[int]) -> str:
    shown = ", ".join(map(str, lines[:5]))
    more = f" and {len(lines) - 5:,} more" if len(lines) > 5 else ""
    return f"row{'' if len(lines) == 1 else 's'} {shown}{more}"


def _read_rows(table: Path) -> tuple[list[str], list[Row]]:
    """Column names, and the rows; those without any text are left out."""
    where = printable(table)
    try:
        text = table.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{where}: not UTF-8 text at byte {error.start}; save the table as UTF-8"
        ) from error
    except OSError as error:
        raise refused(table, error) from error
    first = text.partition("\n")[0]
    delimiter = delimiter_of(first)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        lines = [(reader.line_num, values) for values in reader if any(value.strip() for value in values)]
    except csv.Error as error:
        raise SourceError(f"{where}, row {reader.line_num}: {error}") from error
    if "path" not in header or len(set(header)) < len(header):
        raise SourceError(
            f"{where}: the first row must name the columns, each once, one of them 'path' "
            f"(and 'label', if there is one); it is {first.strip()[:200]!r}"
        )
    rows = []
    for line, values in lines:
        if len(values) != len(header):
            raise SourceError(f"{where}, row {line}: {len(values)} values for {len(header)} columns")
        cells = dict(zip(header, (value.strip() for value in values), strict=True))
        rows.append(
            Row(line, {name: v if name in ("path", "mask") else restored(v) for name, v in cells.items()})
        )
    return header, rows

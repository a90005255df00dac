"""A CSV file with a path and a label a row."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from offgraph.errors import SourceError
from offgraph.sources.base import Item, Reading, Source

__all__ = ["open_table"]

_KNOWN = ("path", "label", "mask", "group")


def open_table(table: Path, reading: Reading) -> Source:
    """Open a CSV with the columns ``path`` and, if there are any, ``label``, ``mask`` and ``group``.

    The first row names the columns; the separator is a comma, a semicolon or a tab. Paths are relative to the
    CSV's folder and must stay in it: a table may come from somebody else, so a path, or a link on it, that leads
    out is an error. Classes are the labels, sorted (as numbers where all are whole numbers). Columns of other
    names are kept for ``split(group_by=…)``.

    Raises
    ------
    SourceError
        Naming the row and what is wrong with it.
    """
    header, rows = _read_rows(table)
    if not rows:
        raise SourceError(f"{table}: no rows beneath the header")
    root = table.parent
    home = os.path.realpath(root)
    seen: dict[str, int] = {}
    cells: list[dict[str, str]] = []
    placed: list[tuple[str, Path, Path | None]] = []
    for line, values in rows:
        where = f"{table}, row {line}"
        if len(values) != len(header):
            raise SourceError(f"{where}: {len(values)} values for {len(header)} columns")
        row = dict(zip(header, (value.strip() for value in values), strict=True))
        name, path = _place(row["path"], home, root, where)
        if name in seen:
            raise SourceError(f"{where}: {name} stands in row {seen[name]} already")
        if "label" in row and not row["label"]:
            raise SourceError(f"{where}: no label for {name}")
        seen[name] = line
        mask = _place(row["mask"], home, root, where)[1] if row.get("mask") else None
        placed.append((name, path, mask))
        cells.append(row)
    class_names = _classes({row["label"] for row in cells}) if "label" in header else ()
    index = {label: i for i, label in enumerate(class_names)}
    items = tuple(
        Item(name, path, index.get(row.get("label", "")), mask, row.get("group") or None)
        for (name, path, mask), row in zip(placed, cells, strict=True)
    )
    columns = {name: tuple(row[name] for row in cells) for name in header if name not in _KNOWN}
    return Source(items, class_names, root, reading, columns=columns, table=table)


def _read_rows(table: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Column names, and the rows with their line numbers; rows without any text are left out."""
    try:
        text = table.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{table}: not UTF-8 text at byte {error.start}; save the table as UTF-8"
        ) from error
    except OSError as error:
        raise SourceError(f"{table}: {error.strerror or error}") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        rows = [(reader.line_num, values) for values in reader if any(value.strip() for value in values)]
    except csv.Error as error:
        raise SourceError(f"{table}, row {reader.line_num}: {error}") from error
    if "path" not in header or len(set(header)) < len(header):
        raise SourceError(
            f"{table}: the first row must name the columns, each once, one of them 'path' "
            f"(and 'label', if there is one); it is {first.strip()[:200]!r}"
        )
    return header, rows


def _place(value: str, home: str, root: Path, where: str) -> tuple[str, Path]:
    """Name relative to the table's folder, and path, of what a row says; an error where it leads out."""
    if not value:
        raise SourceError(f"{where}: an empty path")
    if "\0" in value:
        raise SourceError(f"{where}: {value!r} is not a path")
    plain = os.path.normpath(os.path.join(home, value))  # noqa: PTH118  # pathlib keeps the ..
    try:
        real = os.path.realpath(plain)
    except OSError as error:
        raise SourceError(f"{where}: {value!r}: {error.strerror or error}") from error
    for candidate in (plain, real):
        if os.path.commonpath((home, candidate)) != home or candidate == home:
            raise SourceError(f"{where}: {value!r} leads out of the table's folder {root}")
    name = Path(plain).relative_to(home).as_posix()
    return name, root / name


def _classes(labels: set[str]) -> tuple[str, ...]:
    whole = all(label.removeprefix("-").isascii() and label.removeprefix("-").isdigit() for label in labels)
    short = whole and all(len(label) < 20 for label in labels)
    return tuple(sorted(labels, key=lambda label: (int(label), label)) if short else sorted(labels))

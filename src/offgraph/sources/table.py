"""A CSV file with a path and a label a row."""

from __future__ import annotations

import csv
import itertools
import os
import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from offgraph.core.errors import SourceError
from offgraph.core.tables import delimiter_of, restored
from offgraph.sources.base import MASK_ADVICE, Source
from offgraph.sources.columns import Names
from offgraph.sources.items import Item, ItemColumns
from offgraph.sources.labels import Labels, Rows, read_labels
from offgraph.sources.names import printable, warn_caller
from offgraph.sources.paths import Place
from offgraph.sources.reading import LabelOptions, Reading
from offgraph.sources.walk import LeftOut, refused

__all__ = ["open_table", "parse_columns", "read_rows"]

_TEXTS_KEPT = 100_000
_SHOWN = 60
_KNOWN = ("path", "label", "mask", "group")
_FIELD = re.compile(r"\{([^{}]+)\}")


def parse_columns(given: Any) -> dict[str, str]:
    """Check what the columns ``path``, ``label``, ``mask`` and ``group`` are called in a table.

    Raises
    ------
    SourceError
        Where it is not a mapping from these to names of columns, or to texts with such names in braces.
    """
    if given is None:
        return {}
    if (
        not isinstance(given, Mapping)
        or not given
        or not all(name in _KNOWN and isinstance(theirs, str) and theirs for name, theirs in given.items())
    ):
        raise SourceError(
            f"columns={given!r:.80}: say what path, label, mask and group are called in the table, such as "
            "{'path': 'images/{id}.png', 'label': 'diagnosis'}"
        )
    return dict(given)


def open_table(
    table: Path,
    reading: Reading,
    wanted: LabelOptions,
    root: Path | None = None,
    columns: Mapping[str, str] | None = None,
) -> Source:
    """Open a CSV with the columns ``path`` and, if there are any, ``label``, ``mask`` and ``group``.

    The first row names the columns; the separator is a comma, a semicolon or a tab. Paths are relative to `root`, or
    to the CSV's folder, and must stay in it: a table may come from somebody else, so a path, or a link on it, that
    leads out is an error. `columns` says what these are called, as `parse_columns` gave it. `offgraph.sources.labels` decides what the labels mean. Columns of other names are kept
    for ``split(group_by=…)``.

    A path may stand in several rows, to balance classes: each further item is called ``name#2``, ``name#3``, ….

    Raises
    ------
    SourceError
        Naming the row and what is wrong with it.
    """
    header, rows = read_rows(table, columns)
    where = printable(table)
    if not rows:
        raise SourceError(f"{where}: no rows below the header")
    place = Place.of(root or table.parent, "root=" if root is not None else "the table's folder ")
    names: list[str] = []
    files = array("q")  # hashes of real paths: the paths themselves would take as much as all else
    missing: list[tuple[str, str]] = []
    absent: list[tuple[str, str]] = []
    there = False
    for line, path in zip(rows.lines, rows.columns["path"]):
        name, real = place.locate(path, f"{where}, row {line}")
        names.append(path if name == path else name)  # one text where they are the same
        files.append(hash(real))
        if real in place.absent:
            absent.append((name, real))
        if not there:
            there = os.path.lexists(real)
            missing.append((name, real))
    if not there:
        place.must_hold_one_of(where, missing, len(names))
    place.tell_absent(where, "images", absent, len(names))
    masks = _masks(where, rows, place)
    left_out = LeftOut()
    if masks is not None:
        bare = [line for line, mask in zip(rows.lines, masks) if mask is None]
        if bare and reading.missing_mask == "error":
            raise SourceError(f"{where}, {_in_rows(bare)}: no mask, and other rows have one; {MASK_ADVICE}")
        if bare and reading.missing_mask == "skip":
            left_out.add("without a mask", *(name for name, mask in zip(names, masks) if mask is None))
            kept = [i for i, mask in enumerate(masks) if mask is not None]
            names, masks = [names[i] for i in kept], [masks[i] for i in kept]
            files = array("q", [files[i] for i in kept])
            rows = rows.taken(kept)
    others = tuple(name for name in header if name not in _KNOWN)
    parsed = (
        Labels((None,) * len(rows))
        if wanted.labels is None
        else read_labels(
            where, rows, others, task=wanted.task, class_names=wanted.class_names, targets=wanted.targets
        )
    )
    groups = rows.columns.get("group", ())
    items: Sequence[Item]
    if (
        masks is None
        and not any(groups)
        and parsed.task in ("classify", None)
        and _distinct(map(hash, names))
    ):
        labels = None if parsed.task is None else np.array(parsed.values, np.int32)
        links = _links(place, names, files)
        items = ItemColumns(place.root, Names(names), labels, links)
    else:
        reals = [place.locate(path, where)[1] for path in names]
        own_names, copies = _identities(where, rows, list(zip(names, reals)), parsed, wanted.repeats)
        items = tuple(
            Item(
                name,
                place.root / path,
                label,
                None if masks is None else masks[i],
                (groups[i] or None) if groups else None,
                copies[i],
            )
            for i, (name, path, label) in enumerate(zip(own_names, names, parsed.values, strict=True))
        )
    if parsed.task is None:
        wanted.check_task(where, has_classes=False, has_masks=masks is not None)
    return Source(
        items,
        parsed.class_names,
        place.root,
        reading,
        left_out.counts,
        columns={name: tuple(rows.columns[name]) for name in others},
        table=table,
        task=parsed.task or wanted.task,
        target_names=parsed.target_names,
        left_out=left_out.names,
    )


def _distinct(hashes: Iterable[int]) -> bool:
    """Whether all differ."""
    found = np.sort(np.fromiter(hashes, np.int64))
    return bool((found[1:] != found[:-1]).all())


def _links(place: Place, names: Sequence[str], files: Sequence[int]) -> np.ndarray | None:
    """For each name the number of the first one with the same real path, -1 where it is the first; None without any."""
    if _distinct(files):
        return None
    found = np.array(files, np.int64)
    _, group, counts = np.unique(found, return_inverse=True, return_counts=True)
    again = np.flatnonzero(counts[group] > 1)
    if not again.size:
        return None
    copies = np.full(len(names), -1, np.int32)
    first: dict[str, int] = {}
    for number in again.tolist():
        original = first.setdefault(place.locate(names[number], "")[1], number)
        if original != number:
            copies[number] = original
    return copies


def _masks(where: str, rows: Rows, place: Place) -> list[Path | None] | None:
    """The mask of each row; None where no row has one."""
    cells = rows.columns.get("mask")
    if cells is None or not any(cells):
        return None
    found = [
        place.find(cell, f"{where}, row {line}") if cell else None for line, cell in zip(rows.lines, cells)
    ]
    listed = [(one[0], one[2]) for one in found if one is not None]
    place.tell_absent(where, "masks", listed, len(listed))
    return [None if one is None else one[1] for one in found]


def _identities(
    where: str, rows: Rows, paths: Sequence[tuple[str, str]], parsed: Labels, repeats: bool | None
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
        stands = f"{where}, row {rows.lines[i]}: {printable(path)} stands in row {rows.lines[other]} already"
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
        again.append(rows.lines[i])
    if again and repeats is None:
        warn_caller(
            f"{where}, {_in_rows(again)}: paths that stand in earlier rows already; each row is taken as an item, and "
            "copies stay together in a split; write repeats=True if this is meant, as for balancing classes, or "
            "repeats=False to refuse it"
        )
    return names, copies


def _in_rows(lines: Sequence[int]) -> str:
    shown = ", ".join(map(str, lines[:5]))
    more = f" and {len(lines) - 5:,} more" if len(lines) > 5 else ""
    return f"row{'' if len(lines) == 1 else 's'} {shown}{more}"


def read_rows(table: Path, columns: Mapping[str, str] | None = None) -> tuple[list[str], Rows]:
    """Column names, and the rows; those without any text are left out."""
    where = printable(table)
    try:
        with table.open(encoding="utf-8-sig") as file:
            return _parsed_rows(where, file, columns or {})
    except UnicodeDecodeError:
        try:
            table.read_text("utf-8-sig")  # as a whole, to know the byte
        except UnicodeDecodeError as error:
            raise SourceError(
                f"{where}: not UTF-8 text at byte {error.start}; save the table as UTF-8"
            ) from error
        raise
    except OSError as error:
        raise refused(table, error) from error


def _renamed(
    where: str, header: Sequence[str], columns: Mapping[str, str]
) -> tuple[list[str], dict[str, list[str]]]:
    """The header with our names, and for each column that is put together the names that its text has in braces."""
    names = list(header)
    made: dict[str, list[str]] = {}
    for ours, theirs in columns.items():
        fields = _FIELD.findall(theirs)
        unknown = [field for field in fields or [theirs] if field not in header]
        if unknown:
            raise SourceError(
                f"{where}: columns={{{ours!r}: {theirs!r}}}: there is no column {unknown[0]!r}; there are "
                f"{', '.join(map(repr, header))}"
            )
        if ours in header and theirs != ours:
            raise SourceError(f"{where}: columns={{{ours!r}: {theirs!r}}}: there is a column {ours!r}, too")
        if fields:
            made[ours] = fields
        else:
            names[names.index(theirs)] = ours
    return names, made


def _put_together(
    made: Mapping[str, list[str]],
    columns: Mapping[str, str],
    cells: Mapping[str, list[str]],
    ours: Mapping[str, str],
) -> dict[str, list[str]]:
    """The columns whose texts hold others; `ours` are the names under which those stand in `cells`."""
    texts: dict[str, list[str]] = {}
    for name, fields in made.items():
        parts = _FIELD.split(columns[name])  # texts and names in turn
        rows = zip(*(cells[ours.get(field, field)] for field in fields))
        texts[name] = [
            "".join([text + value for text, value in zip(parts[::2], row)]) + parts[-1] for row in rows
        ]
    return texts


def _parsed_rows(where: str, file: TextIO, columns: Mapping[str, str]) -> tuple[list[str], Rows]:
    first = file.readline()
    reader = csv.reader(
        itertools.chain([first], file), delimiter=delimiter_of(first.rstrip("\n")), strict=True
    )
    problem = None
    lines = array("q")
    cells: list[list[str]] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        own, made = header, dict[str, list[str]]()
        sound = len(set(header)) == len(header)
        if sound and columns:
            header, made = _renamed(where, own, columns)
        sound = sound and ("path" in header or "path" in made)
        cells = [[] for _ in header]
        known: list[dict[str, str]] = [{} for _ in header]
        plain = [name in ("path", "mask") for name in header]
        for values in reader:
            values = [value.strip() for value in values]
            if not any(values) or not sound or problem:
                continue
            if len(values) != len(header):
                problem = f"{where}, row {reader.line_num}: {len(values)} values for {len(header)} columns"
                continue
            lines.append(reader.line_num)
            for column, value, texts, as_it_is in zip(cells, values, known, plain):
                if as_it_is:
                    column.append(value)
                else:  # a text that stands in many rows is kept once
                    text = texts.get(value)
                    if text is None:
                        text = restored(value)
                        if len(texts) < _TEXTS_KEPT:
                            texts[value] = text
                    column.append(text)
    except csv.Error as error:
        raise SourceError(f"{where}, row {reader.line_num}: {error}") from error
    if not sound:
        raise SourceError(
            f"{where}: the first row must name the columns, each once, one of them 'path' "
            f"(and 'label', if there is one); it is {first.strip()[:200]!r}{_advice(header)}"
        )
    if problem:
        raise SourceError(problem)
    found = dict(zip(header, cells))
    found |= _put_together(made, columns, found, dict(zip(own, header)))
    return list(found), Rows(lines, found)


def _advice(header: Sequence[str]) -> str:
    """How to name the columns of a table that calls them otherwise."""
    shown = header[:2]
    if len(set(header)) < len(header) or len(shown) < 2 or "path" in header:
        return ""
    if not all(name.isprintable() and 0 < len(name) <= _SHOWN for name in shown):
        return ""
    label = "" if "label" in header else f", 'label': {header[1]!r}"
    return (
        f"; where they are called otherwise, say so: columns={{'path': {header[0]!r}{label}}}, or 'images/{{{header[0]}}}.png' "
        "for paths that hold it"
    )

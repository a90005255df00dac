"""Boxes of images and volumes in a CSV, a row per box."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from offgraph.core.errors import SourceError
from offgraph.sources.base import Source
from offgraph.sources.classes import refuse_classes
from offgraph.sources.items import Item
from offgraph.sources.labels import Rows
from offgraph.sources.names import natural_key, nfc, printable
from offgraph.sources.objects import ObjectRow, ObjectsKept, number_of
from offgraph.sources.paths import Place
from offgraph.sources.reading import LabelOptions, Reading
from offgraph.sources.table import read_rows

__all__ = ["open_box_table"]

_CORNERS = {
    3: ("x0", "y0", "z0", "x1", "y1", "z1"),
    2: ("x0", "y0", "x1", "y1"),
}
"""Columns of edges by the number of axes; more axes first."""

_MEASURED = {
    3: ("bbox-2", "bbox-1", "bbox-0", "bbox-5", "bbox-4", "bbox-3"),
    2: ("bbox-1", "bbox-0", "bbox-3", "bbox-2"),
}
"""The same of `offgraph.measure` and of scikit-image's `regionprops_table`, which name them in the order of the axes."""

_ONE_CLASS = "object"


def open_box_table(
    table: Path, reading: Reading, wanted: LabelOptions, kept: ObjectsKept, root: Path | None = None
) -> Source:
    """Open a CSV with a row per box: the columns ``path``, its edges, and if there is one ``class``.

    Edges are ``x0, y0, x1, y1`` in images and ``x0, y0, z0, x1, y1, z1`` in volumes, in pixels from the image's own edge; or
    ``bbox-0`` and so on, as measured tables have them. A row without numbers is an image without boxes.

    Parameters
    ----------
    table : Path
    reading : Reading
    wanted : LabelOptions
        Its ``class_names``.
    kept : ObjectsKept
    root : Path, optional
        Folder that the paths are relative to; by default the table's.

    Raises
    ------
    SourceError
        Naming the row and what is wrong with it.
    """
    header, rows = read_rows(table)
    where = printable(table)
    if not rows:
        raise SourceError(f"{where}: no rows below the header")
    names, axes, measured = _edges_in(where, header)
    if "mask" in header:
        raise SourceError(
            f"{where}: a column mask, and a table of boxes has none; open the masks by themselves"
        )
    kinds = "class" if "class" in header else "label" if "label" in header and not measured else None
    others = [name for name in header if name not in (*names, "path", "group", kinds)]
    place = Place.of(root or table.parent, "root=" if root is not None else "the table's folder ")
    found: dict[str, list[int]] = {}
    reals: dict[str, str] = {}
    for number, (line, path) in enumerate(zip(rows.lines, rows.columns["path"])):
        name, reals_of = place.locate(path, f"{where}, row {line}")
        found.setdefault(name, []).append(number)
        reals[name] = reals_of
    place.must_hold_one_of(where, reals.items(), len(reals))
    place.tell_absent(where, "images", reals.items(), len(reals))
    listed = {name: _objects(where, rows, numbers, names, kinds, others) for name, numbers in found.items()}
    used = {str(row.category) for of_one in listed.values() for row in of_one}
    class_names = wanted.class_names or tuple(sorted(used, key=natural_key)) or (_ONE_CLASS,)
    refuse_classes(where, used, class_names, "add it to class_names, or correct the table")
    classes = {name: i for i, name in enumerate(class_names)}
    groups = rows.columns.get("group")
    first_of: dict[str, str] = {}
    items = []
    for name in sorted(found, key=natural_key):
        original = first_of.setdefault(reals[name], name)
        objects = kept.gather(
            table, table.name, "xyxy", listed[name], lambda one: classes[str(one)], None, axes=axes
        )
        group = None if groups is None else groups[found[name][0]] or None
        copy_of = None if original == name else original
        items.append(Item(name, place.root / name, None, None, group, copy_of, objects))
    return Source(
        tuple(items),
        class_names,
        place.root,
        reading,
        table=table,
        task="detect",
        skipped_boxes=kept.left_out.counts,
        left_out_boxes=kept.left_out.names,
    )


def _edges_in(where: str, header: Sequence[str]) -> tuple[tuple[str, ...], int, bool]:
    """Names of the columns of edges, in the order of the format xyxy, the number of axes, and whether they are measured."""
    for measured, known in ((False, _CORNERS), (True, _MEASURED)):
        for axes, names in known.items():
            if set(names) <= set(header):
                return names, axes, measured
    raise SourceError(
        f"{where}: task='detect' takes a table with a row per box and its edges, in pixels from the image's own edge: the "
        "columns x0, y0, x1, y1, in volumes x0, y0, z0, x1, y1, z1; or bbox-0, bbox-1, …, as og.measure gives them; and class. "
        f"It has {', '.join(map(printable, header))}"
    )


def _objects(
    where: str,
    rows: Rows,
    numbers: Sequence[int],
    names: Sequence[str],
    kinds: str | None,
    others: Sequence[str],
) -> list[ObjectRow]:
    """The boxes of one image; none of a single row without numbers."""
    made = []
    for number in numbers:
        cells = [rows.columns[name][number] for name in names]
        if not any(cells) and len(numbers) == 1:
            return []
        here = f"{where}, row {rows.lines[number]}"
        edges = tuple(map(number_of, cells))
        for name, cell, edge in zip(names, cells, edges):
            if edge is None:
                raise SourceError(f"{here}: {name} is {cell!r:.80}, not a number")
        category = _ONE_CLASS if kinds is None else nfc(rows.columns[kinds][number])
        if not category:
            raise SourceError(f"{here}: no {kinds}")
        columns = {name: rows.columns[name][number] for name in others}
        made.append(ObjectRow(f"row {rows.lines[number]}", category, edges, columns))  # type: ignore[arg-type]  # all are numbers
    return made

"""Where pictures come from: folders, tables, pairs. A new kind is a file here and a line in `open_source`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from offgraph.decode import MAX_PIXELS, Alpha, Color
from offgraph.errors import SourceError
from offgraph.sources.base import Item, Reading, Sample, Source
from offgraph.sources.folder import is_built, open_folder
from offgraph.sources.paired import open_paired
from offgraph.sources.split import split
from offgraph.sources.table import open_table

__all__ = ["Item", "Reading", "Sample", "Source", "is_built", "open_source", "split"]


def open_source(
    source: Source | str | os.PathLike[str],
    *,
    color: Color = "rgb",
    labels: Literal["auto", "folders"] | None = "auto",
    masks: str | os.PathLike[str] | None = None,
    axes: str | None = None,
    alpha: Alpha = "drop",
    max_pixels: int = MAX_PIXELS,
) -> Source:
    """Open pictures as a `Source`. Only names are looked at; files are read when asked for.

    Parameters
    ----------
    source : path or Source
        - a folder of class folders: the first folder below is the class, files may lie deeper;
        - a flat folder: no labels;
        - with `masks`, a folder of pictures paired with masks by relative name, suffix aside;
        - a ``.csv`` or ``.tsv`` with the columns ``path`` and ``label`` (and ``mask``, ``group``), paths relative to
          it and inside its folder;
        - one picture file;
        - a `Source`, returned as it is.
    color, axes, alpha, max_pixels
        How files are read, see `offgraph.decode.read`.
    labels : {"auto", "folders", None}
        Whether the folders are classes. ``"auto"`` decides by where the pictures lie, and asks where they lie both
        in the folder and in folders below it.
    masks : path, optional
        Folder of label masks.

    Returns
    -------
    Source
        Items in natural order of their names. Hidden files and what is not a picture are left out and counted in
        ``Source.skipped``; pictures of formats that cannot be read (``.heic``) are listed, and fail by name.

    Raises
    ------
    SourceError
        Where the path or an option cannot be used; says why.
    """
    if isinstance(source, Source):
        return source
    if labels not in ("auto", "folders", None):
        raise SourceError(f"labels={labels!r}: use 'auto', 'folders' or None")
    if not isinstance(source, str | os.PathLike):
        raise SourceError(f"source={source!r:.80}: give a path, or a Source that is open already")
    path = Path(source)
    reading = Reading(color, axes, alpha, max_pixels)
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder")
    if masks is not None:
        partner = Path(masks)
        if not path.is_dir() or not partner.is_dir():
            raise SourceError(f"{path} with masks {partner}: both must be folders")
        return open_paired(path, partner, reading)
    if path.is_dir():
        return open_folder(path, reading, labels)
    if path.suffix.lower() in (".csv", ".tsv"):
        return open_table(path, reading)
    if not path.is_file():
        raise SourceError(f"{path}: neither a folder nor a regular file")
    return Source((Item(path.name, path),), (), path.parent, reading)

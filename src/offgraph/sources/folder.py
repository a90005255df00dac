"""Folders of images: one folder per class, or flat."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from offgraph.core.errors import SourceError
from offgraph.sources.base import Source
from offgraph.sources.classes import refuse_classes
from offgraph.sources.items import ItemColumns
from offgraph.sources.layout import look, nothing_found
from offgraph.sources.names import class_order, nfc, printable, warn_of_likeness
from offgraph.sources.reading import LabelOptions, Reading
from offgraph.sources.walk import list_images

__all__ = ["folders_as_classes", "is_built", "open_folder"]


SPLIT_FILE = "split.json"
"""Beside the datasets that ``offgraph.build`` makes of the parts of a source."""


def is_built(path: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a dataset made by `offgraph.build`, finished or not, whole or damaged."""
    if not isinstance(path, str | os.PathLike):
        return False
    job, manifest = (Path(path) / name for name in ("build.json", "manifest.json"))
    try:
        return _ours(job) or _ours(manifest) or (job.is_file() and manifest.is_file())
    except (OSError, ValueError):
        return False  # opening a path that cannot be looked at reports the error


def _ours(path: Path) -> bool:
    try:
        return path.is_file() and b'"offgraph":' in path.read_bytes()
    except OSError:
        return False


def open_folder(root: Path, reading: Reading, wanted: LabelOptions) -> Source:
    """Open a folder of images.

    Parameters
    ----------
    root : Path
        The folder.
    reading : Reading
        How files are read.
    wanted : LabelOptions
        Its ``labels``: with ``"folders"``, the first folder below `root` is the class; with ``None`` there are no
        classes; with ``"auto"``, the one or the other, by whether images lie in folders or in `root` itself; both
        is an error.

    Raises
    ------
    SourceError
        Where there are no images, `labels` leaves a doubt, or a class is not among the class names given.
    """
    labels = wanted.labels
    where = printable(root)
    if _ours(root / SPLIT_FILE):
        raise SourceError(
            f"{printable(root)}: parts of a source that offgraph.build made datasets of: give one of them, such as "
            f"offgraph.Loader({str(root / 'train')!r})"
        )
    if is_built(root):
        raise SourceError(
            f"{where}: a dataset made by offgraph.build, and no folder of images: offgraph.Loader({where!r}) reads "
            "it; split and preview the images it was made of"
        )
    listing = list_images(root)
    found, left_out = listing.found, listing.left_out
    if not found:
        raise nothing_found(root, listing)
    left_out.warn(where)
    names = listing.names
    direct = [name for name in names if "/" not in name]
    if labels == "auto":
        look(root, listing, wanted)
        labels = None if direct else "folders"
    class_names: tuple[str, ...] = ()
    label_of, rows = None, None
    if labels == "folders":
        left_out.add("in no class folder", *direct)
        if direct:
            rows = np.array([i for i, name in enumerate(names) if "/" in name], np.int64)
        below = names if rows is None else names.taken(rows)
        class_names, numbers = folders_as_classes(where, below, listing.classes, wanted)
        label_of = numbers
        if rows is not None:
            label_of = np.full(len(names), -1, np.int32)
            label_of[rows] = numbers
    wanted.check_task(where, has_classes=labels == "folders", has_masks=False)
    items = ItemColumns(root, names, label_of, found.copies(), rows)
    return Source(items, class_names, root, reading, left_out.counts, walked=True, left_out=left_out.names)


def folders_as_classes(
    where: str, names: Iterable[str], classes: Collection[str], wanted: LabelOptions
) -> tuple[tuple[str, ...], np.ndarray]:
    """Class names, and the class number of each name, that of its first folder, as an array of int32.

    Parameters
    ----------
    where : str
        For messages.
    names : iterable of str
        Paths with at least one folder.
    classes : collection of str
        All folders that are classes, those without an image among them.
    wanted : LabelOptions
        Its ``class_names``.

    Raises
    ------
    SourceError
        Where a folder is not among the class names given.
    """
    seen: dict[str, int] = {}
    places = np.fromiter((seen.setdefault(name[: name.index("/")], len(seen)) for name in names), np.int32)
    folders = [nfc(folder) for folder in seen]
    if wanted.class_names is not None:
        refuse_classes(where, set(folders), wanted.class_names)
        class_names = wanted.class_names
    else:
        class_names = class_order(map(nfc, classes))
        warn_of_likeness(where, class_names)
    number = {name: i for i, name in enumerate(class_names)}
    return class_names, np.array([number[name] for name in folders], np.int32)[places]

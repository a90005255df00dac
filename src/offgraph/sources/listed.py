"""Open images that are given as a list of paths, with their labels or masks in lists beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from offgraph.core.arguments import path_of
from offgraph.core.counting import count_of
from offgraph.core.errors import SourceError
from offgraph.sources.array_labels import labels_of_array
from offgraph.sources.base import Source
from offgraph.sources.items import Item
from offgraph.sources.names import first_repeated, printable
from offgraph.sources.reading import LabelOptions, Reading

__all__ = ["is_list_of_paths", "open_listed", "paths_in"]

_NAMED = 3


def is_list_of_paths(source: object) -> bool:
    """Whether images are given as a list or tuple of texts and paths."""
    return (
        isinstance(source, list | tuple)
        and len(source) > 0
        and all(isinstance(one, str | os.PathLike) for one in source)
    )


def paths_in(what: str, given: Sequence[Any]) -> list[Path]:
    """Return the files of a list.

    Parameters
    ----------
    what : str
        The argument, for messages.
    given : sequence of path

    Raises
    ------
    SourceError
        For folders, files that are not there and files that are there twice; says where in the list, from 0.
    """
    paths = [path_of(f"{what}[{place}]", one, SourceError) for place, one in enumerate(given)]
    missing = [(place, path) for place, path in enumerate(paths) if not path.exists()]
    if missing:
        said = ", ".join(f"{printable(path)!r} ({what}[{place}])" for place, path in missing[:_NAMED])
        more = f" and {len(missing) - _NAMED:,} more" if len(missing) > _NAMED else ""
        raise SourceError(f"{count_of(len(missing), 'file')} of {len(paths):,} not found: {said}{more}")
    for place, path in enumerate(paths):
        if path.is_dir():
            raise SourceError(
                f"{what}[{place}], {printable(path)!r}, is a folder; a list holds files: open the folder by itself, "
                "or list its files"
            )
    return paths


def open_listed(
    given: Sequence[Any], labels: Any, masks: Any, reading: Reading, wanted: LabelOptions
) -> Source:
    """Open a list of image files, in the order of the list.

    Parameters
    ----------
    given : sequence of path
    labels : array_like, "auto", or None
        Those of each file, as `array_source` takes them; none where it is a text.
    masks : sequence of path, or None
        The mask of each.
    reading : Reading
    wanted : LabelOptions
        For the class names and the task.

    Raises
    ------
    SourceError
        For lists of another length, for what `paths_in` refuses, and for an image that is there twice.
    """
    paths = paths_in("source", given)
    absolute = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100  # links are not followed
    twice = first_repeated([path.as_posix() for path in absolute])
    if twice is not None:
        places = [place for place, path in enumerate(absolute) if path.as_posix() == twice]
        raise SourceError(
            f"{printable(twice)!r} is in the list twice: source[{places[0]}] and source[{places[1]}]"
        )
    beside = None if masks is None else paths_in("masks", masks)
    for name, values in (("labels", labels), ("masks", beside)):
        if isinstance(values, Sequence) and not isinstance(values, str) and len(values) != len(paths):
            raise SourceError(
                f"{name}= has {len(values):,} entries, the list has {count_of(len(paths), 'file')}"
            )
    root = Path(os.path.commonpath([path.parent for path in absolute]))
    has_labels = labels is not None and not isinstance(labels, str)
    if not has_labels:
        wanted.check_task(
            f"a list of {count_of(len(paths), 'file')}", has_classes=False, has_masks=beside is not None
        )
    found = labels_of_array(labels if has_labels else None, len(paths), wanted.task, wanted.class_names)
    items = tuple(
        Item(
            path.relative_to(root).as_posix(),
            path,
            found.values[place],
            mask=None if beside is None else beside[place],
        )
        for place, path in enumerate(absolute)
    )
    task = found.task or wanted.task
    return Source(items, found.class_names, root, reading, task=task, target_names=found.target_names)

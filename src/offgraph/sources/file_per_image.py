"""Annotations in a file per image: those files, and the source that comes of them and their images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from offgraph.sources.base import Source
from offgraph.sources.items import Item
from offgraph.sources.layout import nothing_found
from offgraph.sources.names import printable
from offgraph.sources.objects import Keypoints, Objects, ObjectsKept
from offgraph.sources.reading import Reading
from offgraph.sources.walk import Found, Listing, list_images

__all__ = ["annotated_source", "annotation_files", "images_of"]


def annotation_files(folder: Path, ending: str) -> Iterator[str]:
    """Names of the files below a folder that have an ending, relative to it with ``/``; without hidden ones."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith(ending) and not name.startswith("."):
                yield Path(here, name).relative_to(folder).as_posix()


def images_of(folder: Path, leave_out: Path | None = None) -> Listing:
    """List the images below a folder, and warn of files that were left out.

    Raises
    ------
    SourceError
        Where there are none.
    """
    listing = list_images(folder, leave_out)
    if not listing.found:
        raise nothing_found(folder, listing)
    listing.left_out.warn(printable(folder))
    return listing


def annotated_source(
    images: Path,
    listing: Listing,
    annotated: Iterable[tuple[Found, Objects]],
    class_names: tuple[str, ...],
    reading: Reading,
    kept: ObjectsKept,
    keypoints: Keypoints | None = None,
) -> Source:
    """Return the source of images with their objects.

    Parameters
    ----------
    images : Path
        Their folder.
    listing : Listing
        Of the folder.
    annotated : iterable of (Found, Objects)
        In the order of the items.
    class_names : tuple of str
    reading : Reading
    kept : ObjectsKept
        What was left out of the objects.
    keypoints : Keypoints, optional
        Of each object.
    """
    copies = listing.copies()
    items = tuple(
        Item(one.name, one.path, copy_of=copies.get(one.name), objects=objects) for one, objects in annotated
    )
    return Source(
        items,
        class_names,
        images,
        reading,
        listing.left_out.counts,
        walked=True,
        task="detect",
        left_out=listing.left_out.names,
        skipped_boxes=kept.left_out.counts,
        left_out_boxes=kept.left_out.names,
        keypoints=keypoints,
    )

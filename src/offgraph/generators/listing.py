"""Which files Keras' generators take, in which order, and with which classes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from offgraph.core.errors import ArgumentError, SourceError

__all__ = ["SUFFIXES", "Listing", "list_classes", "masks_beside", "part_of"]

SUFFIXES = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")
"""Endings of the files that are taken."""


@dataclass(frozen=True)
class Listing:
    """Files in class folders.

    Parameters
    ----------
    names : list of str
        Relative to the directory, class by class.
    classes : list of int
        Class number of each.
    class_indices : dict of str to int
    """

    names: list[str]
    classes: list[int]
    class_indices: dict[str, int]


def part_of(subset: str | None, validation_split: float) -> tuple[float, float] | None:
    """Return the shares of a list between which a subset lies: validation is its beginning.

    Raises
    ------
    ArgumentError
        For any other name.
    """
    if subset is None:
        return None
    if subset == "validation":
        return 0.0, validation_split
    if subset == "training":
        return validation_split, 1.0
    raise ArgumentError(f"subset={subset!r:.80}: choose 'training', 'validation' or None")


def list_classes(
    directory: Path, classes: Sequence[str] | None, part: tuple[float, float] | None, follow_links: bool
) -> Listing:
    """List the images of a directory with a folder per class.

    Classes are in the order of `classes`, else that of their names' characters; the files of a class folder, with all
    folders below it, by folder and name. A part is taken of each class by itself.

    Parameters
    ----------
    directory : Path
    classes : sequence of str, optional
        Folders to take, in the order of their numbers.
    part : (float, float), optional
        Shares of each class' files, from and to.
    follow_links : bool
        Whether linked folders are walked.

    Raises
    ------
    SourceError
        Where the directory cannot be listed.
    """
    try:
        names = list(classes or sorted(each.name for each in directory.iterdir() if each.is_dir()))
    except OSError as error:
        raise SourceError(f"{directory}: {error.strerror or error}") from error
    found, numbers = [], []
    for number, name in enumerate(names):
        files = list(_images(directory, name, follow_links))
        if part is not None:
            files = files[int(part[0] * len(files)) : int(part[1] * len(files))]
        found += files
        numbers += [number] * len(files)
    return Listing(found, numbers, {name: number for number, name in enumerate(names)})


def _images(directory: Path, name: str, follow_links: bool) -> Iterator[str]:
    for folder, _, files in sorted(os.walk(directory / name, followlinks=follow_links)):
        relative = Path(folder).relative_to(directory)
        yield from (str(relative / each) for each in sorted(files) if each.lower().endswith(SUFFIXES))


def masks_beside(names: Sequence[str], directory: Path) -> list[Path]:
    """Return the mask of each image: the file of the same name, whatever its ending, below another directory.

    Raises
    ------
    SourceError
        For images without a mask, or with several; names the first.
    """
    known: dict[str, list[Path]] = {}
    for folder, _, files in os.walk(directory):
        for each in files:
            if each.lower().endswith(SUFFIXES):
                path = Path(folder, each)
                known.setdefault(str(path.relative_to(directory).with_suffix("")), []).append(path)
    masks = []
    for name in names:
        found = known.get(str(Path(name).with_suffix("")), [])
        if len(found) != 1:
            what = "no mask" if not found else f"{len(found)} masks"
            raise SourceError(f"{name}: {what} of that name below {directory}")
        masks += found
    return masks

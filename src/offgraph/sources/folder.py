"""Folders of pictures: one folder a class, or flat."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from offgraph.errors import SourceError
from offgraph.formats import FORMATS
from offgraph.sources.base import Item, Meant, Reading, Source, refuse_classes
from offgraph.sources.names import class_order, natural_key, nfc, printable

__all__ = ["Found", "find_pictures", "is_built", "open_folder"]

_READABLE = {suffix for known in FORMATS for suffix in known.suffixes}
# Pictures too, though not readable here: they are listed and fail by name, instead of being lost without a word.
_OTHERS = frozenset(
    {
        ".ico",
        ".tga",
        ".jp2",
        ".j2k",
        ".jpx",
        ".jxl",
        ".heic",
        ".heif",
        ".psd",
        ".exr",
        ".hdr",
        ".dng",
        ".cr2",
        ".nef",
    }
)
_HIDDEN = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


@dataclass(frozen=True, slots=True)
class Found:
    """A picture file under a folder, and its path relative to that folder with ``/``."""

    name: str
    path: Path


def find_pictures(root: Path, skipped: Counter[str], leave_out: Path | None = None) -> list[Found]:
    """List the picture files under a folder, at any depth, in natural order.

    Links are followed, to files and to folders: what lies in the user's own folder was put there by the user.
    A link back to a folder that contains it is not entered.

    Parameters
    ----------
    root : Path
        An existing folder.
    skipped : Counter
        Counts what is left out, by reason.
    leave_out : Path, optional
        A folder inside that is not entered.
    """
    found = [
        Found(path.relative_to(root).as_posix(), path)
        for path in _walk(root, skipped, (os.path.realpath(root),), leave_out and os.path.realpath(leave_out))
    ]
    return sorted(found, key=lambda one: natural_key(one.name))


def _walk(
    folder: Path, skipped: Counter[str], above: tuple[str, ...], leave_out: str | None
) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            listing = list(entries)
    except OSError as error:
        raise SourceError(f"{folder}: {error.strerror or error}") from error
    for entry in listing:
        if entry.name.startswith(".") or entry.name in _HIDDEN:
            skipped["hidden"] += 1
        elif entry.is_dir():
            real = os.path.realpath(entry.path)
            if real in above:
                skipped["link to a folder around it"] += 1
            elif real != leave_out:
                yield from _walk(Path(entry.path), skipped, (*above, real), leave_out)
        elif not entry.is_file():
            skipped["broken link" if entry.is_symlink() else "not a regular file"] += 1
        elif _is_picture(entry):
            yield Path(entry.path)
        else:
            skipped["not a picture"] += 1


def _is_picture(entry: os.DirEntry[str]) -> bool:
    suffix = PurePosixPath(entry.name).suffix.lower()
    if suffix:
        return suffix in _READABLE or suffix in _OTHERS
    try:
        with Path(entry.path).open("rb") as file:
            begin = file.read(16)
    except OSError:
        return False
    return any(known.matches(begin) for known in FORMATS)


def is_built(path: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a dataset made by `offgraph.build`, finished or not, whole or damaged."""
    if not isinstance(path, str | os.PathLike):
        return False
    job, manifest = (Path(path) / name for name in ("build.json", "manifest.json"))
    return _ours(job) or _ours(manifest) or (job.is_file() and manifest.is_file())


def _ours(path: Path) -> bool:
    try:
        return path.is_file() and b'"offgraph":' in path.read_bytes()
    except OSError:
        return False


def open_folder(root: Path, reading: Reading, meant: Meant) -> Source:
    """Open a folder of pictures.

    Parameters
    ----------
    root : Path
        The folder.
    reading : Reading
        How files are read.
    meant : Meant
        Its ``labels``: with ``"folders"``, the first folder below `root` is the class; with ``None`` there are no
        classes; with ``"auto"``, the one or the other, by whether pictures lie in folders or in `root` itself; both
        is an error.

    Raises
    ------
    SourceError
        Where there are no pictures, `labels` leaves a doubt, or a class is not among the class names given.
    """
    labels = meant.labels
    if is_built(root):
        raise SourceError(
            f"{root}: a dataset made by offgraph.build, and no folder of pictures: offgraph.Loader({str(root)!r}) reads "
            "it; split and preview the pictures it was made of"
        )
    skipped: Counter[str] = Counter()
    found = find_pictures(root, skipped)
    direct = [one for one in found if "/" not in one.name]
    if labels == "auto":
        if direct and len(direct) < len(found):
            folders = sorted({one.name.split("/")[0] for one in found if "/" in one.name})
            raise SourceError(
                f"{root}: pictures such as {direct[0].name} lie beside folders with pictures such as {folders[0]}/; "
                "say labels='folders' to take the folders as classes, or labels=None to take all without classes"
            )
        labels = None if direct else "folders"
    if labels == "folders":
        if direct:
            skipped["in no class folder"] += len(direct)
        found = [one for one in found if "/" in one.name]
        folders = [nfc(one.name.split("/")[0]) for one in found]
        if meant.class_names is not None:
            refuse_classes(printable(root), set(folders), meant.class_names)
        class_names = class_order(folders) if meant.class_names is None else meant.class_names
        meant.needs(printable(root), has_classes=True, has_masks=False)
        index = {name: i for i, name in enumerate(class_names)}
        items = tuple(Item(one.name, one.path, index[name]) for one, name in zip(found, folders, strict=True))
        return Source(items, class_names if items else (), root, reading, dict(skipped), walked=True)
    meant.needs(printable(root), has_classes=False, has_masks=False)
    return Source(
        tuple(Item(one.name, one.path) for one in found), (), root, reading, dict(skipped), walked=True
    )

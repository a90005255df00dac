"""List the images below a folder. One entry that cannot be listed is left out with its reason, and the rest is listed."""

from __future__ import annotations

import errno
import os
import stat
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os.path import splitext
from pathlib import Path
from typing import overload

import numpy as np

from offgraph.core.errors import MachineError, SourceError
from offgraph.core.file_names import split_suffix
from offgraph.core.machine import is_machine, machine_error
from offgraph.formats import FORMATS
from offgraph.sources.columns import Names
from offgraph.sources.names import natural_key, natural_text, printable, warn_caller

__all__ = ["Found", "FoundFiles", "LeftOut", "Listing", "is_folder", "is_image", "list_images", "refused"]

_READABLE = {suffix for known in FORMATS for suffix in known.suffixes}
# Images too, though not readable here: they are listed and fail by name, instead of being lost without a word.
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
# What systems and tools put into folders of images, in lower case; names with a leading dot are left out besides.
_TOOLS = frozenset(
    {
        "@eadir",
        "@tmp",
        "@recycle",
        "@recently-snapshot",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "recycler",
        "system volume information",
        "lost+found",
        "found.000",
        "__macosx",
        "__pycache__",
        "network trash folder",
        "temporary items",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
    }
)
_REASONS = {
    errno.ELOOP: "link loop",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.ENOENT: "gone while it was listed",
    errno.ENOTDIR: "gone while it was listed",
    errno.ENAMETOOLONG: "path too long",
}
_HARMLESS = frozenset({"link loop"})  # nothing lies there
_NAMES_KEPT = 1000
_SHOWN = 3


class LeftOut:
    """What was left out: how many entries for each reason, and the names of the first 1,000."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.lost: dict[str, str] = {}
        """Reasons by name of what could not be looked at, which may hold images: the first 1,000."""
        self._names: dict[str, list[str]] = defaultdict(list)

    def add(self, reason: str, *names: str) -> None:
        """Count entries of a reason; names are kept as they may be shown."""
        if names:
            self.counts[reason] = self.counts.get(reason, 0) + len(names)
            kept = self._names[reason]
            kept += [printable(name) for name in names[: _NAMES_KEPT - len(kept)]]

    def lose(self, reason: str, name: str) -> None:
        """Count an entry that could not be looked at."""
        self.add(reason, name)
        if reason not in _HARMLESS and len(self.lost) < _NAMES_KEPT:
            self.lost[printable(name)] = reason

    def warn(self, where: str) -> None:
        """Warn of what may have been lost.

        Warns
        -----
        OffgraphWarning
        """
        if self.lost:
            some = [f"{name} ({reason})" for name, reason in list(self.lost.items())[:_SHOWN]]
            more = f" and {len(self.lost) - _SHOWN:,} more" if len(self.lost) > _SHOWN else ""
            warn_caller(
                f"{where}: what lies here could not be listed and is left out: {', '.join(some)}{more}; "
                "Source.left_out names all"
            )

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """The names by reason, in natural order."""
        return {
            reason: tuple(sorted(names, key=natural_key)) for reason, names in sorted(self._names.items())
        }


@dataclass(frozen=True, slots=True)
class Found:
    """An image file under a folder, its path relative to that folder with ``/``, and its inode's number."""

    name: str
    path: Path
    inode: int
    is_link: bool = False


class FoundFiles(Sequence[Found]):
    """The files that were found, each made when it is asked for.

    Parameters
    ----------
    root : Path
    names : Names
    inodes, devices : ndarray of uint64
        Of the file that a link leads to; of other files, the device is 0, as it takes a call to know it.
    links : ndarray of bool
        Which are links.
    """

    def __init__(
        self, root: Path, names: Names, inodes: np.ndarray, devices: np.ndarray, links: np.ndarray
    ) -> None:
        self.root, self.names, self.inodes, self.devices, self.links = root, names, inodes, devices, links

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Found: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Found]: ...
    def __getitem__(self, index: int | slice) -> Found | Sequence[Found]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._found(index, self.names[index])

    def __iter__(self) -> Iterator[Found]:
        return (self._found(index, name) for index, name in enumerate(self.names))

    def _found(self, index: int, name: str) -> Found:
        return Found(name, self.root / name, int(self.inodes[index]), bool(self.links[index]))

    def copies(self) -> np.ndarray | None:
        """For each file the number of the one that it is a link to, under the first of its names; -1 for others.

        None where there is no link.
        """
        links = np.flatnonzero(self.links)
        if not links.size:
            return None
        files = np.flatnonzero(~self.links)
        files = files[np.isin(self.inodes[files], np.unique(self.inodes[links]))]
        devices = self.devices.copy()
        kept = np.ones(len(files), bool)
        for place, number in enumerate(files.tolist()):  # few need a call
            try:
                devices[number] = (self.root / self.names.text(number)).stat().st_dev
            except OSError:
                kept[place] = False  # it vanished; reading it will say so
        rows = np.concatenate([files[kept], links])  # a file is the original of links, wherever it stands
        by_file = np.lexsort((np.arange(len(rows)), devices[rows], self.inodes[rows]))
        ordered = rows[by_file]
        begins = np.ones(len(rows), bool)
        begins[1:] = (np.diff(self.inodes[ordered]) != 0) | (np.diff(devices[ordered]) != 0)
        originals = ordered[np.maximum.accumulate(np.where(begins, np.arange(len(rows)), 0))]
        copies = np.full(len(self), -1, np.int32)
        copies[ordered] = np.where(self.links[ordered] & (originals != ordered), originals, -1)
        return copies


@dataclass(frozen=True)
class Listing:
    """The images below a folder.

    Parameters
    ----------
    found : FoundFiles
        In natural order of their names.
    left_out : LeftOut
        What was not taken, by reason.
    folders : set of str
        The first folders below.
    classes : set of str
        Those of them that hold images, or no files of any other kind: an empty folder is a class of which there is no
        image yet, and so is one whose images could not be listed.
    """

    found: FoundFiles
    left_out: LeftOut
    folders: set[str] = field(default_factory=set)
    classes: set[str] = field(default_factory=set)

    @property
    def names(self) -> Names:
        """Names of the images."""
        return self.found.names

    def copies(self) -> Mapping[str, str]:
        """Links to files that are listed under another name too, and that name."""
        copies, names = self.found.copies(), self.found.names
        if copies is None:
            return {}
        return {names.text(i): names.text(copies[i]) for i in np.flatnonzero(copies >= 0).tolist()}


@dataclass(slots=True)
class _Folder:
    """A folder, the first folder below the root that it lies in, and the key that its files' keys begin with."""

    name: str
    path: str
    top: str
    key: str
    is_link: bool = False


def list_images(root: Path, leave_out: Path | None = None) -> Listing:
    """List the image files under a folder, at any depth, in natural order.

    Links are followed, to files and to folders: what lies in the user's own folder was put there by the user. Every
    real folder is entered once, by its shortest path; of equally short ones by one that is not a link, and then by the
    first in natural order. What cannot be listed is left out: link loops, folders without permission, paths that are
    too long, what vanishes meanwhile. Names that are not UTF-8 are names like others.

    Parameters
    ----------
    root : Path
        An existing folder.
    leave_out : Path, optional
        A folder inside that is not entered.

    Raises
    ------
    SourceError
        Where `root` itself cannot be listed.
    MachineError
        Where the machine fails, and not the entry: no file handles, a stale mount.
    """
    return _Walk(root, leave_out).run()


class _Walk:
    def __init__(self, root: Path, leave_out: Path | None) -> None:
        self.root = root
        self.left_out = LeftOut()
        self.names = Names()
        self.keys: list[str] = []
        self.inodes, self.devices, self.links = array("Q"), array("Q"), bytearray()
        self.holding: set[str] = set()  # first folders with images, or with images that were lost
        self.others: set[str] = set()  # first folders with files of other kinds
        self.tops: set[str] = set()
        self.entered: set[tuple[int, int]] = set()
        if leave_out is not None:
            status = leave_out.stat()
            self.entered.add((status.st_dev, status.st_ino))
        self.unlisted = frozenset(self.entered)

    def run(self) -> Listing:
        """Walk level by level: without recursion, and so that the shortest path to a folder is met first."""
        status = self.root.stat()
        self.entered.add((status.st_dev, status.st_ino))
        level = [_Folder("", os.fspath(self.root), "", "")]
        while level:
            below: list[_Folder] = []
            for folder in level:  # in their order, so that only the last parts of names are compared
                inside: list[_Folder] = []
                self.scan(folder, inside)
                below += sorted(inside, key=lambda one: natural_key(one.name.rpartition("/")[2]))
            below.sort(key=lambda one: one.is_link)
            level = [folder for folder in below if self.enters(folder)]
        order = self.in_order()
        found = FoundFiles(
            self.root,
            self.names.taken(order),
            np.frombuffer(self.inodes, np.uint64)[order],
            np.frombuffer(self.devices, np.uint64)[order],
            np.frombuffer(self.links, bool)[order],
        )
        return Listing(found, self.left_out, self.tops, self.tops - (self.others - self.holding))

    def in_order(self) -> np.ndarray:
        """Numbers of the files, as they were found, in natural order of their names."""
        keys, self.keys = self.keys, []
        keys.sort()
        before = None
        for key in keys:  # if any begin alike, neighbours do
            this = key[: key.rindex("\0")]
            if before is not None and (this.startswith(before) or before.startswith(this)):
                numbers = sorted(range(len(keys)), key=lambda i: natural_key(self.names[i]))
                return np.array(numbers, np.int64)
            before = this
        return np.fromiter((int(key[key.rindex("\0") + 1 :]) for key in keys), np.int64, len(keys))

    def enters(self, folder: _Folder) -> bool:
        """Whether a folder is to be scanned: under another name it has not been."""
        try:
            status = os.stat(folder.path)  # noqa: PTH116  # no Path for each folder
        except OSError as error:
            self.fail(folder.name, folder.top or folder.name, error)
            return False
        real = (status.st_dev, status.st_ino)
        if real in self.entered:
            if real not in self.unlisted:
                self.left_out.add("link to a folder that is listed already", folder.name)
            return False
        self.entered.add(real)
        if not folder.top:
            folder.top = folder.name
            self.tops.add(folder.name)
        return True

    def scan(self, folder: _Folder, below: list[_Folder]) -> None:
        listed = self.entries(folder)
        for entry in listed:
            name = f"{folder.name}/{entry.name}" if folder.name else entry.name
            try:
                self.sort_in(entry, name, folder, below)
            except OSError as error:
                self.fail(name, folder.top, error)

    def entries(self, folder: _Folder) -> Iterator[os.DirEntry[str]]:
        """Entries of a folder, one by one; a folder that cannot be listed to its end is left out from there on."""
        try:
            with os.scandir(folder.path) as entries:
                yield from entries
        except OSError as error:
            if not folder.name:
                raise refused(self.root, error) from error
            self.fail(folder.name, folder.top, error)

    def sort_in(self, entry: os.DirEntry[str], name: str, folder: _Folder, below: list[_Folder]) -> None:
        last, top = entry.name, folder.top
        if last[0] == ".":
            self.left_out.add("hidden", name)
            return
        if last.lower() in _TOOLS:
            self.left_out.add("of a system or a tool", name)
            return
        is_link = entry.is_symlink()
        if entry.is_dir():
            below.append(_Folder(name, entry.path, top, folder.key + natural_text(last), is_link))
        elif not entry.is_file():
            self.holding.add(top)
            self.left_out.add("broken link" if is_link else "not a regular file", name)
        elif _is_image(entry):
            status = entry.stat() if is_link else None
            self.holding.add(top)
            self.keys.append(f"{folder.key}{natural_text(last)}\0{len(self.names)}")
            self.names.append(name)
            self.inodes.append(entry.inode() if status is None else status.st_ino)
            self.devices.append(0 if status is None else status.st_dev)
            self.links.append(is_link)
        else:
            self.others.add(top)
            self.left_out.add("not an image", name)

    def fail(self, name: str, top: str, error: OSError) -> None:
        """Leave out an entry that cannot be looked at; what it holds counts as lost images of its class."""
        if is_machine(error):
            raise machine_error(printable(name), error) from error
        self.holding.add(top)
        self.left_out.lose(_REASONS.get(error.errno or 0, (error.strerror or str(error)).lower()), name)


def is_folder(path: Path) -> bool:
    """Whether a path is a folder.

    Raises
    ------
    SourceError, MachineError
        Where it cannot be looked at.
    """
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise refused(path, error) from error
    except ValueError as error:
        raise SourceError(f"{printable(path)}: {error}") from error


def is_image(path: Path) -> bool:
    """Whether a file is taken for an image: by its ending, or else by its first bytes."""
    suffix = _suffix(path.name)
    return suffix in _READABLE or suffix in _OTHERS or _begins_as_image(path)


def refused(root: Path, error: OSError) -> SourceError | MachineError:
    """Return the error for a source that cannot be looked at: its own fault, or the machine's."""
    where = printable(root)
    if is_machine(error):
        return machine_error(where, error)
    return SourceError(f"{where}: {error.strerror or error}")


def _suffix(name: str) -> str:
    suffix = splitext(name)[1].lower()  # noqa: PTH122  # no Path for each file
    return split_suffix(name)[1].lower() if suffix == ".gz" else suffix


def _is_image(entry: os.DirEntry[str]) -> bool:
    suffix = _suffix(entry.name)
    return suffix in _READABLE or suffix in _OTHERS if suffix else _begins_as_image(Path(entry.path))


def _begins_as_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            begin = file.read(16)
    except OSError as error:
        if is_machine(error):
            raise
        return False
    return any(known.matches(begin) for known in FORMATS)

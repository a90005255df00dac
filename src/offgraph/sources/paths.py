"""Paths that a table or an annotation file names: they lead into one folder, and never out of it."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from offgraph.core.errors import SourceError
from offgraph.core.tables import restored
from offgraph.sources.names import named, printable, warn_caller

__all__ = ["Place"]

_ROOT_ADVICE = "write root='...' with the folder that these paths lie in"


@dataclass(frozen=True)
class Place:
    """A folder that paths lead into: its real path, the folder as it was given, and what it is called in messages."""

    home: str
    root: Path
    called: str
    folders: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Real paths of the folders met so far."""
    absent: set[str] = field(default_factory=set, repr=False, compare=False)
    """Real paths met so far where nothing is."""

    @classmethod
    def of(cls, root: Path, called: str) -> Place:
        """Return the place of a folder; `called` stands before it in messages: ``"root="``."""
        return cls(os.path.realpath(root), root, called)

    def find(self, value: str, where: str) -> tuple[str, Path, str]:
        """Name relative to the folder, path, and real path of what a file says.

        Parameters
        ----------
        value : str
            With ``/``, relative to the folder, or absolute.
        where : str
            The file and the entry, for messages.

        Raises
        ------
        SourceError
            Where it is not a path, or it, or a link on it, leads out of the folder.
        """
        name, real = self.locate(value, where)
        return name, self.root / name, real

    def locate(self, value: str, where: str) -> tuple[str, str]:
        """Name and real path, as `find` gives them."""
        if not value:
            raise SourceError(f"{where}: an empty path")
        if "\0" in value:
            raise SourceError(f"{where}: {value!r:.200} is not a path")
        if restored(value) != value and not os.path.lexists(os.path.join(self.home, value)):  # noqa: PTH118
            value = restored(value)  # as Offgraph writes the names that not every program can read
        value = _as_on_disk(self.home, value)
        plain = os.path.normpath(os.path.join(self.home, value))  # noqa: PTH118  # pathlib keeps the ..
        try:
            real = self._real(plain)
        except OSError as error:
            raise SourceError(f"{where}: {value!r:.200}: {error.strerror or error}") from error
        begin = self.home if self.home.endswith(os.sep) else self.home + os.sep
        if not (plain.startswith(begin) and real.startswith(begin)):
            raise SourceError(
                f"{where}: {value!r:.200} leads out of {self.shown}; if the images lie elsewhere, {_ROOT_ADVICE}"
            )
        return plain[len(begin) :].replace(os.sep, "/"), real

    def _real(self, path: str) -> str:
        """The real path, with one call per file for all but links: folders are looked at once."""
        folder, name = os.path.split(path)
        if folder not in self.folders:
            self.folders[folder] = os.path.realpath(folder)
        beside = self.folders[folder]
        here = beside + name if beside.endswith(os.sep) else f"{beside}{os.sep}{name}"
        try:
            status = os.lstat(here)  # no Path for each of many
        except (FileNotFoundError, NotADirectoryError):
            real = os.path.realpath(path)
            self.absent.add(real)
            return real
        except (OSError, ValueError):
            return os.path.realpath(path)
        return here if not _may_lead_elsewhere(status) else os.path.realpath(here)

    def must_hold_one_of(self, where: str, found: Iterable[tuple[str, str]], count: int) -> None:
        """Refuse names and real paths of which not one is there: they are relative to another folder.

        Raises
        ------
        SourceError
        """
        first = None
        for one in found:
            if os.path.lexists(one[1]):  # the first, of all but a few files
                return
            first = first or one
        what = "the image" if count == 1 else f"not one of the {count:,} images"
        there = "is not there" if count == 1 else "is there"
        raise SourceError(
            f"{where}: {what} {there}, such as {printable((first or ('',))[0])!r} in {self.shown}; {_ROOT_ADVICE}"
        )

    def tell_absent(self, where: str, what: str, found: Iterable[tuple[str, str]], count: int) -> None:
        """Warn of names and real paths, of so many, where nothing is: each would be told when it is read, one by one.

        Warns
        -----
        OffgraphWarning
        """
        if not self.absent:
            return
        lost = [name for name, real in found if real in self.absent]
        if lost:
            are = "is" if len(lost) == 1 else "are"
            warn_caller(
                f"{where}: {len(lost):,} of {count:,} {what} {are} not in {self.shown}: {named(lost)}; whatever reads one of them ends "
                f"with an error, unless it is told on_error='skip'. Correct the list, or {_ROOT_ADVICE}"
            )

    @property
    def shown(self) -> str:
        """The folder, for messages."""
        return self.called + printable(self.root)


def _may_lead_elsewhere(status: os.stat_result) -> bool:
    """Whether a file is a link; on Windows, a reparse point of any kind."""
    return stat.S_ISLNK(status.st_mode) or bool(getattr(status, "st_reparse_tag", 0))


def _as_on_disk(home: str, value: str) -> str:
    """A path in the Unicode form of the file system: a file written on another may have the other one."""
    if value.isascii():
        return value
    for other in (value, unicodedata.normalize("NFC", value), unicodedata.normalize("NFD", value)):
        if os.path.lexists(os.path.join(home, other)):  # noqa: PTH118
            return other
    return value

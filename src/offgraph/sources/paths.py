"""Paths that a table or an annotation file names: they lead into one folder, and never out of it."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from offgraph.core.errors import SourceError
from offgraph.core.tables import restored
from offgraph.sources.names import printable

__all__ = ["Place"]

_ROOT_ADVICE = "write root='...' with the folder that these paths lie in"


@dataclass(frozen=True)
class Place:
    """A folder that paths lead into: its real path, the folder as it was given, and what it is called in messages."""

    home: str
    root: Path
    called: str

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
        if not value:
            raise SourceError(f"{where}: an empty path")
        if "\0" in value:
            raise SourceError(f"{where}: {value!r:.200} is not a path")
        if restored(value) != value and not os.path.lexists(os.path.join(self.home, value)):  # noqa: PTH118
            value = restored(value)  # as Offgraph writes the names that not every program can read
        value = _as_on_disk(self.home, value)
        plain = os.path.normpath(os.path.join(self.home, value))  # noqa: PTH118  # pathlib keeps the ..
        try:
            real = os.path.realpath(plain)
        except OSError as error:
            raise SourceError(f"{where}: {value!r:.200}: {error.strerror or error}") from error
        for candidate in (plain, real):
            if os.path.commonpath((self.home, candidate)) != self.home or candidate == self.home:
                raise SourceError(
                    f"{where}: {value!r:.200} leads out of {self.shown}; if the images lie elsewhere, {_ROOT_ADVICE}"
                )
        name = Path(plain).relative_to(self.home).as_posix()
        return name, self.root / name, real

    @property
    def shown(self) -> str:
        """The folder, for messages."""
        return self.called + printable(self.root)

    def must_hold_one_of(self, where: str, found: Sequence[tuple[str, str]]) -> None:
        """Refuse names and real paths of which not one is there: they are relative to another folder.

        Raises
        ------
        SourceError
        """
        if any(os.path.lexists(real) for _, real in found):  # the first, of all but a few files
            return
        what = "the image" if len(found) == 1 else f"not one of the {len(found):,} images"
        there = "is not there" if len(found) == 1 else "is there"
        raise SourceError(
            f"{where}: {what} {there}, such as {printable(found[0][0])!r} in {self.shown}; {_ROOT_ADVICE}"
        )


def _as_on_disk(home: str, value: str) -> str:
    """A path in the Unicode form of the file system: a file written on another may have the other one."""
    if value.isascii():
        return value
    for other in (value, unicodedata.normalize("NFC", value), unicodedata.normalize("NFD", value)):
        if os.path.lexists(os.path.join(home, other)):  # noqa: PTH118
            return other
    return value

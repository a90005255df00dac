"""The list of quarantined images in a file: JSON lines, each with a name relative to the source's root and a reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from offgraph.core.errors import ArgumentError
from offgraph.core.tables import dumps, unescaped
from offgraph.formats.encoding import write_bytes

__all__ = ["read_quarantine", "write_quarantine"]

_MOST_BYTES = 1 << 28
_LONGEST_NAME = 4096 * 6
"""Characters. A path of 4096 bytes, each written as an escape."""


def read_quarantine(path: Path) -> dict[str, str]:
    """Read a list; of a file that is not there, an empty one.

    Raises
    ------
    ArgumentError
        Where the file cannot be read or is not such a list; names the line.
    """
    where = f"quarantine={str(path)!r:.300}"
    try:
        if not path.exists():
            return {}
        if not path.is_file():
            raise ArgumentError(
                f"{where}: not a regular file; give the path of a file, such as 'quarantine.jsonl'"
            )
        if path.stat().st_size > _MOST_BYTES:
            raise ArgumentError(f"{where}: more than {_MOST_BYTES:,} bytes; give a list that a loader wrote")
        data = path.read_bytes()
    except OSError as error:
        raise ArgumentError(f"{where}: cannot be read ({error.strerror or error})") from error
    found: dict[str, str] = {}
    for number, line in enumerate(data.splitlines(), 1):
        name, reason = _entry(line, f"{where}, line {number}")
        found[name] = reason
    return found


def _entry(line: bytes, where: str) -> tuple[str, str]:
    """Name and reason of a line; refuse whatever a loader does not write."""
    try:
        entry = json.loads(line.decode())
    except (ValueError, RecursionError) as error:
        raise ArgumentError(
            f'{where}: not a line such as {{"name": "cat/1.png", "reason": "truncated"}}'
        ) from error
    if not isinstance(entry, dict) or set(entry) != {"name", "reason"}:
        raise ArgumentError(f'{where}: give an object with "name" and "reason"')
    name, reason = entry["name"], entry["reason"]
    if not isinstance(name, str) or not isinstance(reason, str):
        raise ArgumentError(f"{where}: name and reason are texts")
    if not _is_relative(name):
        raise ArgumentError(
            f"{where}: name={name!r:.200}: give a name as the loader has it, relative to the source, with /"
        )
    return unescaped(name), unescaped(reason)


def _is_relative(name: str) -> bool:
    """Whether a name stays in the folder that it is relative to, on every system."""
    plain = PurePosixPath(name)
    return (
        0 < len(name) <= _LONGEST_NAME
        and "\0" not in name
        and not plain.is_absolute()
        and not PureWindowsPath(name).drive
        and not {"..", "."} & set(name.split("/"))
        and plain.parts != ()
    )


def write_quarantine(path: Path, entries: Mapping[str, str]) -> None:
    """Replace the file by a list, joined with what another loader wrote there meanwhile; sorted by name.

    Raises
    ------
    ArgumentError
        Where the file is there and is not such a list.
    WriteError
        Where it cannot be written; the old one is then as it was.
    """
    joined = read_quarantine(path) | dict(entries)
    lines = [dumps({"name": name, "reason": reason}) for name, reason in sorted(joined.items())]
    write_bytes(path, "".join(f"{line}\n" for line in lines).encode())

"""Names of files and classes: one order, one Unicode form, and nothing in them that a terminal would act on."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from offgraph.core.errors import OffgraphWarning, SourceError

__all__ = [
    "class_order",
    "first_repeated",
    "named",
    "natural_key",
    "natural_text",
    "nfc",
    "parse_class_names",
    "printable",
    "warn_caller",
    "warn_of_likeness",
]

_PACKAGE = str(Path(__file__).parents[1]) + os.sep

_DIGITS = re.compile(r"([0-9]+)")
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_SHOWN = 5


def nfc(name: str) -> str:
    """Compose a name: the same letters are written in two ways by different file systems (``é`` as one or two)."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def natural_key(name: str) -> tuple:
    """Sort key by which ``img2`` comes before ``img10``, folder by folder; equal only for equal names."""

    def split(part: str) -> tuple:
        pieces = _DIGITS.split(part)
        # digits compare by value, as (length, digits) without leading zeros, so that no length is too long
        return tuple(
            (len(piece.lstrip("0")), piece.lstrip("0")) if i % 2 else (0, piece)
            for i, piece in enumerate(pieces)
        )

    return (*(split(part) for part in name.split("/")), (((0, name),)))


def natural_text(part: str) -> str:
    """Text that sorts as a part of a path does in `natural_key`; those of all parts, joined, sort as the path does.

    A text ends with NUL, which no name holds and which sorts before everything: so the shorter one comes first. A run of
    digits begins with its length. The end of a part is another NUL, where a run of digits would begin. Paths of which one
    is the beginning of the other, as far as this order sees, are the exception: there `natural_key` decides by the names.
    """
    pieces = _DIGITS.split(part)
    for i in range(1, len(pieces), 2):
        digits = pieces[i].lstrip("0")
        pieces[i] = f"\0{chr(1 + len(digits))}{digits}"
    return "".join(pieces) + "\0\0"


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Class names in the one order that folders and tables share: by value if all are whole numbers, else natural.

    Examples
    --------
    >>> class_order(["10", "9", "-1"]), class_order(["b10", "b9", "a"])
    (('-1', '9', '10'), ('a', 'b9', 'b10'))
    """
    distinct = set(names)
    if all(_WHOLE.fullmatch(name) for name in distinct):
        return tuple(sorted(distinct, key=lambda name: (int(name), name)))
    return tuple(sorted(distinct, key=natural_key))


def warn_of_likeness(where: str, class_names: Iterable[str]) -> None:
    """Warn of classes whose names differ by case alone; single letters may be meant.

    Warns
    -----
    OffgraphWarning
    """
    alike: dict[str, list[str]] = {}
    for name in class_names:
        if len(name) > 1:
            alike.setdefault(name.casefold(), []).append(name)
    for names in alike.values():
        if len(names) > 1:
            warn_caller(
                f"{where}: {' and '.join(map(printable, names))} are classes of their own, though their names differ "
                "by case alone: rename them if they are one, or give class_names if they are not"
            )


def parse_class_names(given: Sequence[str]) -> tuple[str, ...]:
    """Check the class names that a caller gives, and return them in NFC.

    Raises
    ------
    SourceError
        Where they are not a list of distinct texts.
    """
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise SourceError(f"class_names={given!r:.80}: give a list of names, such as ['cat', 'dog']")
    for name in given:
        if not isinstance(name, str) or not name.strip():
            raise SourceError(f"class_names: {name!r:.80} is not a name; give texts, such as ['cat', 'dog']")
    names = tuple(nfc(name.strip()) for name in given)
    twice = first_repeated(names)
    if twice is not None:
        raise SourceError(f"class_names: {printable(twice)} is in it twice")
    if not names:
        raise SourceError("class_names=[]: give at least one name, or leave it out to take what is there")
    return names


def first_repeated(names: Sequence[str]) -> str | None:
    """Return a name that stands in a list more than once; None where each stands there once."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


def printable(text: object) -> str:
    """Text without characters that a terminal would act on, which names may hold: each is written as its escape."""
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in shown)


def named(names: Iterable[str], most: int = _SHOWN) -> str:
    """Name the first few in natural order: ``"a, b, c, d, e and 12 more"``."""
    ordered = sorted(names, key=natural_key)
    more = f" and {len(ordered) - most:,} more" if len(ordered) > most else ""
    return ", ".join(printable(name) for name in ordered[:most]) + more


def warn_caller(text: str) -> None:
    """Warn at the line that called into the package, through however many functions of it.

    Warns
    -----
    OffgraphWarning
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, OffgraphWarning, stacklevel=level)

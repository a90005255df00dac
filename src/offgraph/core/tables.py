r"""CSV tables and JSON that every program can read, whatever file names hold, and without spreadsheet formulas.

A table is UTF-8 with a comma between cells and ``\n`` after each row. Two things that names may hold are written
differently, and `restored` gives the name back:

- What is not text or acts on a terminal: a byte that is not UTF-8 and a control character become ``\xNN``, such as
  ``caf\xe9.png``; a lone surrogate and U+0080 to U+009F become ``\uNNNN``. A backslash that would be taken for the
  beginning of one of these becomes ``\x5c``. Every other backslash stays.
- What a spreadsheet would run: a cell that begins with ``=``, ``+``, ``-`` or ``@`` gets an apostrophe in front, as in
  the spreadsheet itself, and so does one that looks like that already. Numbers, such as ``-1.5``, stay numbers.

In JSON only what is not text is written so, since most readers refuse a lone surrogate; JSON escapes the rest itself.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

__all__ = [
    "TableWriter",
    "cell",
    "delimiter_of",
    "dumps",
    "escaped",
    "header_of",
    "line",
    "open_table_file",
    "restored",
    "unescaped",
]

_ALIKE = (
    r"\\(?=x(?:[01][0-9a-f]|7f|5c|[89a-f][0-9a-f])|u(?:00[89][0-9a-f]|d[89a-f][0-9a-f]{2}))"  # like an escape
)
_ODD = re.compile(rf"[\x00-\x1f\x7f-\x9f\ud800-\udfff]|{_ALIKE}")
_NO_TEXT = re.compile(rf"[\ud800-\udfff]|{_ALIKE}")
_SUSPECT = re.compile(
    r"\\ud|\\\\[xu]"
)  # in JSON: half of a surrogate pair, or a backslash that may look like an escape
_ESCAPE = re.compile(r"\\x([01][0-9a-f]|7f|5c|[89a-f][0-9a-f])|\\u(00[89][0-9a-f]|d[89a-f][0-9a-f]{2})")
_RUN = "=+-@＝＋－＠"  # full-width signs begin a formula in some spreadsheets
_GUARDED = re.compile(rf"'+[{re.escape(_RUN)}]")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|nan)", re.ASCII)


def cell(value: Any) -> Any:
    r"""Return the table cell of a value: a text safe for every reader; numbers and None as they are.

    Examples
    --------
    >>> cell("cat.png"), cell("=1+1"), cell("-1.5"), cell("caf\udce9.png"), cell("a\x1b[2J.png")
    ('cat.png', "'=1+1", '-1.5', 'caf\\xe9.png', 'a\\x1b[2J.png')
    """
    if not isinstance(value, str):
        return value
    text = _ODD.sub(_escape, value)
    if text[:1] in ("", *_RUN, "'") and text and (text[0] != "'" or _GUARDED.match(text)):
        return text if _NUMBER.fullmatch(text) else f"'{text}"
    return text


def restored(text: str) -> str:
    r"""Return the value that `cell` was given for this text.

    Examples
    --------
    >>> [restored(cell(name)) for name in ("=1+1", "'=1", "caf\udce9", r"a\x5c")] == ["=1+1", "'=1", "caf\udce9", r"a\x5c"]
    True
    """
    return unescaped(text[1:] if text.startswith("'") and _GUARDED.match(text) else text)


def unescaped(text: str) -> str:
    """Return the text that `dumps` was given where this stands in its JSON."""
    return _ESCAPE.sub(_unescape, text) if "\\" in text else text


def dumps(value: Any, **options: Any) -> str:
    r"""Return a value as JSON, like ``json.dumps``; characters that are not valid Unicode are escaped.

    Examples
    --------
    >>> dumps(["caf\udce9.png", "\n"])
    '["caf\\\\xe9.png", "\\n"]'
    """
    text = json.dumps(value, **options)
    return json.dumps(escaped(value), **options) if _SUSPECT.search(text) else text


def line(value: Any) -> str:
    """Return a value as `dumps` does, on one line: the same text for the same value."""
    text = _LINE.encode(value)
    return _LINE.encode(escaped(value)) if _SUSPECT.search(text) else text


_LINE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def escaped(value: Any) -> Any:
    """Return a value with characters escaped that are not valid Unicode, in all its texts: what `dumps` writes."""
    if isinstance(value, str):
        return _NO_TEXT.sub(_escape, value)
    if isinstance(value, dict):
        return {escaped(key): escaped(entry) for key, entry in value.items()}
    return [escaped(entry) for entry in value] if isinstance(value, list | tuple) else value


def delimiter_of(first: str) -> str:
    """Return what separates the cells of a table, by its first line: a comma, a semicolon or a tab."""
    return max(",;\t", key=first.count)


def header_of(table: Path) -> set[str]:
    """Names of the columns of another program's table, read from its first line.

    Raises
    ------
    OSError
        Where it cannot be read.
    """
    with table.open(encoding="utf-8-sig", errors="replace") as file:
        first = file.readline(1 << 16)
    try:
        row = next(csv.reader([first], delimiter=delimiter_of(first)), [])
    except csv.Error:
        return set()
    return {name.strip() for name in row}


def open_table_file(path: Any) -> IO[str]:
    """Open a file for a `TableWriter`: UTF-8, and line ends left alone."""
    return open(path, "w", encoding="utf-8", newline="")  # noqa: PTH123  # whoever opens it closes it


class TableWriter:
    """Writes rows of a CSV.

    Parameters
    ----------
    file : text file
        As `open_table_file` opens it, or an ``io.StringIO(newline="")``.
    header : iterable of str
        Names of the columns.
    """

    def __init__(self, file: Any, header: Iterable[Any]) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self.writerow(header)

    def writerow(self, values: Iterable[Any]) -> None:
        """Write one row."""
        self._writer.writerow([cell(value) for value in values])

    def writerows(self, rows: Iterable[Iterable[Any]]) -> None:
        """Write rows."""
        for row in rows:
            self.writerow(row)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is not UTF-8, as Python keeps it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"


def _unescape(found: re.Match[str]) -> str:
    if found[2]:
        return chr(int(found[2], 16))
    code = int(found[1], 16)
    return chr(code if code < 0x80 else 0xDC00 + code)

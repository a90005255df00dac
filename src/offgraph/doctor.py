"""What is wrong with these files: each is decoded once, and what is broken or odd is listed with its reason."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.decode import MAX_PIXELS, read
from offgraph.errors import DecodeError
from offgraph.sources import Item, open_source

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["KINDS", "DoctorReport", "Finding", "doctor"]

KINDS = {
    "bad": "cannot be read",
    "suffix": "the name says another format than the bytes",
    "duplicate": "the same bytes as another file",
    "rotated": "turned or mirrored by its EXIF orientation",
    "frames": "more than one picture in the file",
    "deep": "more than 8 bits a value",
    "cmyk": "stored as ink, read as RGB",
    "alpha": "has opacity",
    "colour": "grey among colour pictures, or the other way round",
    "size": "far larger or smaller than the median, or far longer",
    "values": "holds values that are not finite",
    "note": "other remarks of the decoder",
}
"""Kinds of findings, in the order in which they are shown. Only ``"bad"`` files cannot be used."""

_AREA_FACTOR = 16
_ASPECT_FACTOR = 4
_ENOUGH_TO_COMPARE = 5
_GREY = {"grey", "grey+alpha", "bilevel"}
_COLOUR = {"rgb", "rgba", "palette", "cmyk"}


@dataclass(frozen=True)
class Finding:
    """One remark on one file.

    Parameters
    ----------
    file : str
        Path relative to the folder that was looked at, with ``/``.
    kind : str
        A key of `KINDS`.
    said : str
        What it is, in a few words.
    """

    file: str
    kind: str
    said: str


@dataclass(frozen=True)
class DoctorReport:
    """What `doctor` found.

    Parameters
    ----------
    path : str
        What was looked at.
    files : int
        Pictures that were decoded or failed to.
    skipped : mapping of str to int
        Files that are not pictures, by reason.
    findings : tuple of Finding
        By kind, in the order of `KINDS`, then by file.
    """

    path: str
    files: int
    skipped: dict[str, int]
    findings: tuple[Finding, ...]

    @property
    def bad(self) -> tuple[Finding, ...]:
        """Files that cannot be read."""
        return tuple(finding for finding in self.findings if finding.kind == "bad")

    @property
    def counts(self) -> dict[str, int]:
        """Findings of each kind; kinds without any are left out."""
        return dict(Counter(finding.kind for finding in self.findings))

    def to_json(self) -> dict[str, Any]:
        """Return the report as values that ``json.dumps`` takes."""
        return {
            "path": self.path,
            "files": self.files,
            "skipped": self.skipped,
            "counts": self.counts,
            "findings": [{"file": one.file, "kind": one.kind, "said": one.said} for one in self.findings],
        }

    def render(self, console: Console) -> None:
        """Print the report as tables, one for each kind of finding, and a summary."""
        from rich.table import Table
        from rich.text import Text

        for kind, meaning in KINDS.items():
            rows = [finding for finding in self.findings if finding.kind == kind]
            if not rows:
                continue
            title = Text(f"{kind}: {meaning} ({len(rows)})", style="bold red" if kind == "bad" else "bold")
            table = Table(
                title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0)
            )
            table.add_column(overflow="fold")
            table.add_column(overflow="fold")
            for finding in rows:
                table.add_row(Text(_printable(finding.file), style="cyan"), Text(_printable(finding.said)))
            console.print(table)
            console.print()
        console.print(Text(self._summary()))

    def _summary(self) -> str:
        left_out = "".join(f", {count} left out ({reason})" for reason, count in self.skipped.items())
        odd = len({finding.file for finding in self.findings if finding.kind != "bad"})
        return f"{self.files} pictures: {len(self.bad)} cannot be read, {odd} are odd{left_out}"


@dataclass
class _Examined:
    """What one file turned out to be; `shape` is (height, width) or None where it could not be read."""

    item: Item
    shape: tuple[int, int] | None = None
    layout: str = ""
    findings: list[Finding] = field(default_factory=list)

    def find(self, kind: str, said: str) -> None:
        self.findings.append(Finding(self.item.name, kind, said))


def doctor(
    path: str | os.PathLike[str],
    *,
    workers: int = 2,
    max_pixels: int = MAX_PIXELS,
    on_progress: Callable[[int, int], None] | None = None,
) -> DoctorReport:
    """Decode every picture of a folder, a CSV or a file, and list what is broken or odd.

    Parameters
    ----------
    path : path
        A folder at any depth, a CSV with a column ``path``, or one file.
    workers : int
        Threads.
    max_pixels : int
        Pictures above this limit are listed as unreadable.
    on_progress : callable, optional
        Called with the number of files done and of all.

    Returns
    -------
    DoctorReport

    Raises
    ------
    SourceError
        Where there is nothing to look at.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from offgraph.doctor import doctor
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a.jpg").write_bytes(b"no picture")
    ...     report = doctor(folder)
    >>> report.files, report.counts
    (1, {'bad': 1})
    """
    if workers < 1:
        raise ValueError(f"workers={workers}: use at least 1")
    source = open_source(path, labels=None)
    examined: list[_Examined] = []
    with ThreadPoolExecutor(workers) as pool:
        for one in pool.map(lambda item: _examine(item, max_pixels), source.items):
            examined.append(one)
            if on_progress is not None:
                on_progress(len(examined), len(source))
    _find_duplicates(examined)
    _find_odd_sizes(examined)
    _find_mixed_colour(examined)
    order = list(KINDS)
    findings = [finding for one in examined for finding in one.findings]
    findings.sort(key=lambda finding: order.index(finding.kind))  # stable: files stay in the source's order
    return DoctorReport(os.fspath(path), len(source), dict(source.skipped), tuple(findings))


def _examine(item: Item, max_pixels: int) -> _Examined:
    one = _Examined(item)
    try:
        picture = read(item.path, max_pixels=max_pixels)
    except DecodeError as error:
        one.find("bad", str(error).removeprefix(f"{item.path}: "))
        return one
    array = picture.array
    y, x = picture.axes.index("Y"), picture.axes.index("X")
    one.shape, one.layout = (array.shape[y], array.shape[x]), picture.layout
    if picture.orientation != 1:
        one.find("rotated", f"EXIF orientation {picture.orientation}")
    if picture.frames > 1:
        one.find("frames", f"{picture.frames} pictures, axes {picture.axes}")
    if array.dtype.itemsize > 1:
        one.find("deep", f"{array.dtype}, from {array.min()} to {array.max()}")
    if picture.layout == "cmyk":
        one.find("cmyk", "CMYK")
    if picture.layout in ("rgba", "grey+alpha") or (picture.layout == "palette" and array.shape[-1] == 4):
        one.find("alpha", _describe_alpha(array[..., -1]))
    if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
        one.find(
            "values", f"{array.size - np.count_nonzero(finite)} of {array.size} values are NaN or infinite"
        )
    for note in picture.notes:
        if note.startswith("the name ends in"):
            one.find("suffix", note)
        elif picture.frames == 1 and picture.layout != "cmyk":  # what is said above is not said twice
            one.find("note", note)
    return one


def _describe_alpha(opacity: np.ndarray) -> str:
    full = np.iinfo(opacity.dtype).max if opacity.dtype.kind in "ui" else 1
    return "opaque everywhere" if (opacity == full).all() else "partly transparent"


def _find_duplicates(examined: Iterable[_Examined]) -> None:
    """Compare contents, of files of equal length only."""
    by_length: dict[int, list[_Examined]] = defaultdict(list)
    for one in examined:
        try:
            by_length[one.item.path.stat().st_size].append(one)
        except OSError:
            continue  # a broken link has been listed as bad
    for same_length in by_length.values():
        first: dict[str, str] = {}
        for one in same_length if len(same_length) > 1 else ():
            digest = _digest(one.item.path)
            if digest is None:
                continue
            if digest in first:
                one.find("duplicate", f"the same bytes as {first[digest]}")
            first.setdefault(digest, one.item.name)


def _digest(path: Path) -> str | None:
    if not path.is_file():  # a pipe would wait for a writer
        return None
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _find_odd_sizes(examined: Iterable[_Examined]) -> None:
    sized = [(one, *one.shape) for one in examined if one.shape is not None]
    if len(sized) < _ENOUGH_TO_COMPARE:
        return
    usual_area = median(height * width for _, height, width in sized)
    usual_aspect = median(max(height, width) / min(height, width) for _, height, width in sized)
    for one, height, width in sized:
        area, aspect = height * width / usual_area, max(height, width) / min(height, width)
        if area > _AREA_FACTOR or area < 1 / _AREA_FACTOR:
            times = f"{area:.0f} times" if area > 1 else f"1/{1 / area:.0f} of"
            one.find("size", f"{height} × {width}: {times} the median area")
        if aspect > _ASPECT_FACTOR * usual_aspect:
            one.find(
                "size",
                f"{height} × {width}: {aspect:.1f} times as long as wide, the median is {usual_aspect:.1f}",
            )


def _find_mixed_colour(examined: Iterable[_Examined]) -> None:
    readable = [one for one in examined if one.layout in _GREY | _COLOUR]
    grey = [one for one in readable if one.layout in _GREY]
    colour = [one for one in readable if one.layout in _COLOUR]
    if not grey or not colour:
        return
    few, said = (grey, "grey among colour") if len(grey) <= len(colour) else (colour, "colour among grey")
    for one in few:
        one.find("colour", f"{said} ({one.layout})")


def _printable(text: str) -> str:
    """Text without control characters, which file names may hold to fool a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)

"""Images, text and tables as one self-contained HTML file, without network requests.

File names, class names and messages are untrusted text: Jinja2 escapes all of it, and the page's content security
policy allows only its own script, by hash, and no image from outside.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.core.arguments import path_of
from offgraph.core.errors import OffgraphError
from offgraph.formats.encoding import encode_png, write_bytes
from offgraph.views.text import clean, shorten

if TYPE_CHECKING:
    from jinja2 import Template

    from offgraph.views.charts import Chart

__all__ = ["NONE", "Figure", "Report", "Share"]

NONE = "–"
"""What a table shows for a missing number."""


@dataclass(frozen=True)
class Figure:
    """An image on a page.

    Parameters
    ----------
    image : ndarray
        uint8, (H, W) or (H, W, 3): what the functions of `offgraph.views.draw` give.
    caption : str
        Shown under the image.
    details : str
        A second, quieter line, such as the values that were drawn.
    alt : str
        Alternative text for readers who do not see the image; by default caption and details.
    mark : str
        ``"wrong"`` frames the image and puts a cross before the caption, ``"right"`` a tick.
    on_white : bool
        The image is drawn on white, as what `offgraph.views.draw.difference` gives; a dark page shows it on black.
    """

    image: np.ndarray
    caption: str = ""
    details: str = ""
    alt: str = ""
    mark: str = ""
    on_white: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.image.shape[1], self.image.shape[0]

    @property
    def picture(self) -> np.ndarray:
        """Former name of `image`."""
        return self.image

    @property
    def source(self) -> str:
        """The image as a ``data:`` address."""
        return "data:image/png;base64," + base64.b64encode(encode_png(self.image)).decode("ascii")

    @property
    def description(self) -> str:
        """The alternative text; never empty."""
        return self.alt or ", ".join(part for part in (self.caption, self.details) if part) or "image"


class Share(float):
    """A fraction that tables write as a percentage, such as 0.25 as 25.0%."""


@dataclass
class _Block:
    """One block of a section: its kind, and the values that the template needs for it."""

    kind: str
    content: dict[str, Any]


@dataclass
class _Section:
    heading: str
    anchor: str
    blocks: list[_Block] = field(default_factory=list)


class Report:
    """A page, assembled from top to bottom and written as one HTML file.

    Parameters
    ----------
    title : str
    summary : str
        A line or two under the title.

    Examples
    --------
    >>> import numpy as np
    >>> import offgraph as og
    >>> page = og.Report("Digits", "1,797 images")
    >>> page.section("Before and after")
    >>> page.figures([og.Figure(np.zeros((8, 8), np.uint8), "zero.png")])
    >>> page.table(["class", "count"], [["zero", 178]])
    >>> "data:image/png" in page.html()
    True
    """

    def __init__(self, title: str, summary: str = "") -> None:
        self.title = title
        self.summary = summary
        self._sections: list[_Section] = []

    def section(self, heading: str, text: str = "") -> None:
        """Begin a section; what is added after it belongs to it."""
        self._sections.append(_Section(heading, f"section-{len(self._sections) + 1}"))
        if text:
            self.text(text)

    def text(self, text: str) -> None:
        """Add a paragraph of plain text; an empty line in it begins another paragraph."""
        self._add("text", paragraphs=[part.strip() for part in text.split("\n\n") if part.strip()])

    def code(self, text: str) -> None:
        """Add text as it is, in a fixed-width font: a recipe, a command."""
        self._add("code", text=text.rstrip("\n"))

    def facts(self, facts: Iterable[tuple[str, object]]) -> None:
        """Add a row of large numbers, each with its label."""
        self._add("facts", facts=[(name, _cell(value)) for name, value in facts])

    def figures(
        self,
        figures: Iterable[Figure],
        *,
        columns: int | None = None,
        linked: bool = False,
        flip: bool = True,
        pixels: bool = False,
    ) -> None:
        """Add a grid of images.

        Parameters
        ----------
        figures : iterable of Figure
        columns : int, optional
            How many stand side by side on a wide screen, 1 to 8; otherwise as many as fit.
        linked : bool
            Zoom and pan all images of the page's linked grids together, by mouse, touch or keyboard.
        flip : bool
            Offer to show a linked grid's first image in place of each of the others, for flicker comparison.
        pixels : bool
            Show single pixels where an image is enlarged, instead of smoothing.
        """
        if columns is not None and not 1 <= columns <= 8:
            raise OffgraphError(f"columns={columns}: a grid has 1 to 8 columns")
        shown = list(figures)
        self._add("figures", figures=shown, columns=columns, linked=linked, flip=flip, pixels=pixels)

    pictures = figures  # former name

    def charts(self, charts: Iterable[Chart]) -> None:
        """Add charts, side by side where there is room: what the functions of `offgraph.views.charts` give."""
        self._add("charts", charts=list(charts))

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> None:
        """Add a table; numbers are right-aligned, floats with four digits, a `Share` as a percentage."""
        header = list(header)
        rows = [list(row) for row in rows]
        for row in rows:
            if len(row) != len(header):
                raise OffgraphError(f"a row of {len(row)} cells in a table of {len(header)} columns: {row}")
        cells = [
            [(_cell(value), isinstance(value, (int, float, np.number)) or value == NONE) for value in row]
            for row in rows
        ]
        self._add("table", header=header, rows=cells, caption=caption)

    def html(self) -> str:
        """Return the whole page."""
        style, script = _part("report.css"), _part("report.js")
        linked = any(b.content.get("linked") for s in self._sections for b in s.blocks)
        return _template().render(
            title=self.title,
            summary=self.summary,
            sections=self._sections,
            style=style,
            style_hash=_policy_hash(style),
            script=script if linked else "",
            script_hash=_policy_hash(script) if linked else "",
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page under a temporary name, then rename it: a half-written page never has its name.

        Raises
        ------
        OffgraphError
            Where the file cannot be written; names the file and the cause.
        """
        path = path_of("path", path)
        page = self.html().encode("utf-8", "replace")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, page)
        except OSError as error:
            raise OffgraphError(f"{path}: the page cannot be written ({error.strerror or error})") from error
        return path

    def _add(self, kind: str, **content: Any) -> None:
        if not self._sections:
            self._sections.append(_Section("", "section-0"))
        self._sections[-1].blocks.append(_Block(kind, content))


def _cell(value: object) -> str:
    """A value as text: thousands separated, floats with four significant digits."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{int(value):,}"
    if isinstance(value, Share):
        return f"{value:.1%}"
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.4g}"
    return "" if value is None else str(value)


def _short(text: str, most: int) -> str:
    """One line of printable text, shortened in the middle; whole in the image's alternative text."""
    return shorten(clean(text), most)


def _part(name: str) -> str:
    return files("offgraph.views").joinpath("templates").joinpath(name).read_text("utf-8")


def _policy_hash(text: str) -> str:
    """Hash by which a content security policy knows an inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["clean"] = clean
    environment.filters["short"] = _short
    return environment.from_string(_part("report.html"))

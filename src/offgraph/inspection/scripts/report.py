"""What an audit found, as data and as text for a terminal."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from offgraph.sources.names import printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["TRAPS", "AuditReport", "ScriptFinding"]

TRAPS = {
    "gone": "a name that current SciPy, TensorFlow or Keras no longer has",
    "exif": "the EXIF orientation of the file is not applied",
    "depth": "16-bit values are cut to 8 bits without a word",
    "bgr": "OpenCV's channels are blue, green, red",
    "unsorted": "files come in an order that the file system chooses",
    "channels-filtered": "a filter's window reaches across the channels",
    "channels-derived": "a derivative along the channel axis",
    "channels-zoomed": "a single zoom factor changes the number of channels",
    "channels-shifted": "a single shift moves the channels as well",
    "channels-matrix": "a 3×3 matrix acts on row, column and channel",
    "batch-filtered": "a filter's window reaches across the images of a batch",
    "corner-grid": "zoom puts corner pixels onto each other, not pixel areas",
    "grid-border": "grid_mode=True with the border mode 'constant' darkens the edges",
    "spline": "order 3 leaves the range of its input and runs along the channels too",
    "aliasing": "pixels are thrown away without smoothing",
    "wrap-mode": "mode='wrap' repeats with one pixel less than the image has",
    "mask-interpolated": "labels are averaged into labels that nobody drew",
    "mask-filtered": "labels are smoothed into labels that nobody drew",
    "mask-lossy": "a mask is stored with losses",
    "radians": "radians where degrees are expected",
    "degrees": "degrees where radians, or a share of a turn, are expected",
    "reshape": "rotate enlarges the image, so that shapes differ",
    "corner-origin": "a matrix without an offset turns and shears about the corner pixel",
    "size-order": "height and width are given where width and height are expected",
    "unsigned-derivative": "a derivative of unsigned values wraps below zero",
    "uint8-wrap": "arithmetic on uint8 wraps at 255",
    "cast-wrap": "values outside 0 to 255 wrap when they are cast to uint8",
    "scaled-cast": "values from 0 to 1 become 0 or 1 when they are cast to uint8",
    "scaled-twice": "values are divided by 255 twice",
    "skew": "training and prediction scale values differently",
    "unseeded": "random numbers without a seed: no run can be repeated",
    "pairs-out-of-step": "images and masks are drawn with different seeds",
    "predictions-shuffled": "predictions in another order than the file names",
    "validation-augmented": "validation images are augmented",
    "py-function": "Python inside tf.data runs one image at a time",
}
"""Kinds of findings: what each is about, in the order of the documentation."""


@dataclass(frozen=True)
class ScriptFinding:
    """One trap in one line of a script.

    Parameters
    ----------
    file : str
        The script; ``"<source>"`` for a text.
    line, column : int
        Where the call or the expression begins, both counted from 1. In a notebook, the line of its cell.
    kind : str
        A key of `TRAPS`.
    said : str
        What happens there, with the names and numbers of the script.
    mend : str
        The Offgraph lines that do what was meant.
    sure : bool
        False where it depends on what the script does not say, such as whether a file holds a colour image.
    cell : int, optional
        Number of the notebook's cell, counted from 1, code or text.
    """

    file: str
    line: int
    column: int
    kind: str
    said: str
    mend: str
    sure: bool = True
    cell: int | None = None

    @property
    def place(self) -> str:
        """``file:line:column``, with the cell of a notebook."""
        cell = "" if self.cell is None else f"cell {self.cell}:"
        return f"{self.file}:{cell}{self.line}:{self.column}"


@dataclass(frozen=True)
class AuditReport:
    """What `audit` found.

    Parameters
    ----------
    path : str
        What was looked at; ``"<source>"`` for a text.
    scripts : int
        Scripts and notebooks that were read.
    findings : tuple of ScriptFinding
        By file and line.
    steps : tuple of str
        The script's transforms as steps of a recipe, in the order of its lines.
    refused : mapping of str to str
        Scripts of a folder that could not be read, with the reason.
    """

    path: str
    scripts: int
    findings: tuple[ScriptFinding, ...]
    steps: tuple[str, ...] = ()
    refused: dict[str, str] | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Findings of each kind; kinds without any are left out."""
        return dict(Counter(finding.kind for finding in self.findings))

    @property
    def recipe(self) -> str:
        """The transforms of the script as Offgraph lines; empty where it has none that a step stands for."""
        if not self.steps:
            return ""
        lines = "".join(f"    {step},\n" for step in self.steps)
        return f"import offgraph as og\n\nrecipe = og.Compose([\n{lines}])\n"

    def to_json(self) -> dict[str, Any]:
        """Return the report as values that ``json.dumps`` takes."""
        return {
            "path": self.path,
            "scripts": self.scripts,
            "counts": self.counts,
            "findings": [asdict(finding) for finding in self.findings],
            "recipe": self.recipe,
            "refused": self.refused or {},
        }

    def __str__(self) -> str:
        lines = []
        for finding in self.findings:
            perhaps = "" if finding.sure else " (perhaps)"
            lines.append(f"{finding.place}: {finding.kind}{perhaps}: {finding.said}")
            lines += [f"    {line}" for line in finding.mend.splitlines()]
        lines += [f"{file}: not read: {reason}" for file, reason in (self.refused or {}).items()]
        return "\n".join([*lines, self._summary()])

    def render(self, console: Console) -> None:
        """Print a line per finding, the Offgraph lines beneath it, and the recipe of the whole script."""
        from rich.text import Text

        for finding in self.findings:
            perhaps = "" if finding.sure else " (perhaps)"
            head = Text()
            head.append(printable(finding.place), style="cyan")
            head.append(f": {finding.kind}{perhaps}: ", style="bold")
            head.append(printable(finding.said))
            console.print(head, soft_wrap=True)
            for line in finding.mend.splitlines():
                console.print(Text(f"    {printable(line)}", style="green"), soft_wrap=True)
        for file, reason in (self.refused or {}).items():
            console.print(Text(printable(f"{file}: not read: {reason}"), style="bold red"), soft_wrap=True)
        if self.findings and self.recipe:
            console.print(
                Text(printable_lines(f"\nAll of it as one recipe:\n\n{self.recipe}")), soft_wrap=True
            )
        console.print(Text(printable(self._summary())))

    def _summary(self) -> str:
        scripts = "1 script" if self.scripts == 1 else f"{self.scripts} scripts"
        lines = len({(finding.file, finding.cell, finding.line) for finding in self.findings})
        if not lines:
            return f"{self.path}: {scripts}, no trap found"
        counts = ", ".join(f"{count} {kind}" for kind, count in self.counts.items())
        return f"{self.path}: {scripts}, traps in {lines} {'line' if lines == 1 else 'lines'}: {counts}"


def printable_lines(text: str) -> str:
    """Lines that are safe for a terminal."""
    return "\n".join(printable(line) for line in text.split("\n"))

"""What a benchmark of a loader found: the time of each part, and in words what limits the job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from offgraph.core.counting import count_of
from offgraph.core.display import NotebookView
from offgraph.pipeline.scaled_decoding import DecodingError
from offgraph.sources.names import printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["BenchmarkReport", "MeasuredPart", "ModelTiming"]

PartKind = Literal["read", "decode", "operation", "store", "hand over"]

_MODEL_WAITS = 0.05
"""Share of the time that a model may wait for batches before the loader is said to limit it."""
_MUCH = 0.4
"""Share of the time from which a part limits the job."""
_SCALES = 0.7
"""Speed of n threads divided by n times that of one, below which the threads are said to be in each other's way."""


@dataclass(frozen=True)
class MeasuredPart:
    """One part of the work on an image, measured by running it.

    Parameters
    ----------
    name : str
        Such as ``"decode"``, or the steps of an operation: ``"Rotate + Affine"``.
    kind : {"read", "decode", "operation", "store", "hand over"}
    one : float
        Milliseconds per image on one thread.
    many : float
        Milliseconds per image on all threads of the loader: elapsed time, during which each thread works on an image.
    python : bool
        Whether a step of it can only be called from Python, under the interpreter lock.
    drawn : bool
        Whether it, or an operation before it, differs from epoch to epoch, so that no dataset can store its outcome.
    """

    name: str
    kind: PartKind
    one: float
    many: float
    python: bool = False
    drawn: bool = False


@dataclass(frozen=True)
class ModelTiming:
    """How long a loop of batches and model steps takes, and waits for data.

    Parameters
    ----------
    images_per_second : float
        Of the loop.
    step : float
        Milliseconds that the model took per batch.
    waiting : float
        Share of the loop's time in which the model waited for a batch, from 0 to 1.
    """

    images_per_second: float
    step: float
    waiting: float


@dataclass(frozen=True)
class BenchmarkReport(NotebookView):
    """What :meth:`offgraph.Loader.benchmark` measured.

    Parameters
    ----------
    source : str
        What was read.
    stored : bool
        Whether it is a built dataset.
    images : int
        Images that each measurement ran over.
    batch_size, threads : int
    parts : tuple of MeasuredPart
        In the order of the work. Each is the time of all the work up to it less that up to the part before it.
    one, many : float
        Images per second of the loader as it is, in batches, with one thread and with all.
    framework : str
        What batches were handed over to; ``"numpy"`` for nothing.
    model : ModelTiming or None
        The loop with a model; None where no step was given.
    left_out : int
        Images of those measured that could not be used, with ``on_error="skip"``.
    decoding : DecodingError or None
        How far images are from full decoding, where the recipe decodes them at another scale.
    """

    source: str
    stored: bool
    images: int
    batch_size: int
    threads: int
    parts: tuple[MeasuredPart, ...]
    one: float
    many: float
    framework: str = "numpy"
    model: ModelTiming | None = None
    left_out: int = 0
    decoding: DecodingError | None = None

    @property
    def total(self) -> float:
        """Milliseconds per image of all parts, on all threads."""
        return sum(part.many for part in self.parts)

    def share(self, part: MeasuredPart) -> float:
        """Return a part's share of the time, from 0 to 1."""
        return part.many / self.total if self.total else 0.0

    @property
    def verdict(self) -> tuple[str, ...]:
        """What limits the job, and what to change: one or more sentences each."""
        said: list[str] = []
        if self.model is not None:
            waits = f"the model waits for batches {self.model.waiting:.0%} of the time"
            if self.model.waiting <= _MODEL_WAITS:
                return (f"The model is slower than the loader ({waits}): a faster loader gains nothing.",)
            said.append(f"The loader limits: {waits}.")
        said.append(self._limit())
        if self.threads > 1 and self.many < _SCALES * self.threads * self.one:
            said.append(
                f"{self.threads} threads are {self.many / self.one:.1f} times as fast as one: they wait for the interpreter "
                "lock or share processor cores. More threads gain little; look for Python steps, and for other programs."
            )
        return tuple(said)

    def _limit(self) -> str:
        """The part that takes most, and what to do about it."""
        part = max(self.parts, key=lambda part: part.many)
        share = f"{self.share(part):.0%} of the time"
        python = [each for each in self.parts if each.python]
        slowest = max(python, key=lambda each: each.many, default=None)
        if slowest is not None and self.share(slowest) >= _MUCH:
            share = f"{self.share(slowest):.0%} of the time"
            return f"The recipe's Python step limits: {slowest.name} takes {share}. " + (
                "Give it `passes` or write it with steps that Offgraph has, so that it runs without the interpreter lock."
                if slowest.drawn
                else "It draws nothing: build a dataset, and it runs once per image in place of once per epoch."
            )
        match part.kind:
            case "read":
                return (
                    f"Reading limits: {share}. Put the data on a faster or nearer drive, or build a dataset "
                    "(offgraph build), which reads few large files in place of many small ones."
                )
            case "decode" if self.stored:
                return (
                    f"Reading the stored images limits: {share}. If they are PNG, build the dataset with "
                    "--format arrow or --encoding raw, which need no decoding."
                )
            case "decode":
                return f"Decoding limits: {share}. Build a dataset (offgraph build --format arrow): {self._without_files()}."
            case "operation" if not part.drawn:
                return (
                    f"{part.name} limits: {share}. It gives the same in every epoch: build a dataset "
                    f"(offgraph build --format arrow), and it runs once; {self._without_files()}."
                )
            case "operation":
                return (
                    f"{part.name} limits: {share}, and is drawn anew in every epoch. Use a smaller image before it, order=1 in "
                    "place of a higher spline order, fuse=True, or more threads."
                )
            case "store":
                return f"Writing the batches limits: {share}. Use a smaller image, or leave it in uint8 and normalise in the model."
        return (
            f"Handing batches over to {self.framework} limits: {share}. Use larger batches, or leave the images in uint8 "
            "and normalise in the model."
        )

    def _without_files(self) -> str:
        """What a dataset may reach, by the parts that are left; reading it is a part that was not measured."""
        left = sum(
            part.many
            for part in self.parts
            if part.kind in ("store", "hand over") or (part.kind == "operation" and part.drawn)
        )
        if left <= 0:
            return "what is stored is not made again"
        return f"what is left takes {left:.2g} of {self.total:.2g} ms per image, besides reading the dataset"

    def to_json(self) -> dict[str, Any]:
        """Return the report as values that ``json.dumps`` takes; times in milliseconds per image."""
        parts = [{**asdict(part), "share": self.share(part)} for part in self.parts]
        return {**asdict(self), "parts": parts, "total": self.total, "verdict": list(self.verdict)}

    @property
    def summary(self) -> str:
        """What was measured, in a line."""
        return (
            f"{printable(self.source)}: {count_of(self.images, 'image')} measured"
            + (f" ({self.left_out:,} of them left out)" if self.left_out else "")
            + f" in batches of {self.batch_size}; "
            f"{self.one:,.0f} images/s on 1 thread"
            + (f", {self.many:,.0f} on {self.threads}" if self.threads > 1 else "")
        )

    def rows(self) -> list[tuple[MeasuredPart, float]]:
        """Return the parts, each with the images per second of all work up to it, on all threads."""
        found, spent = [], 0.0
        for part in self.parts:
            spent += part.many
            found.append((part, 1000 / spent if spent else 0.0))
        return found

    def render(self, console: Console) -> None:
        """Print the table and the verdict."""
        from rich.table import Table
        from rich.text import Text

        console.print(Text(self.summary, style="bold"))
        table = Table(box=None, pad_edge=False)
        table.add_column("part", overflow="fold")
        threads = f"{self.threads} threads" if self.threads > 1 else "1 thread"
        for heading in ("1 thread, ms", f"{threads}, ms", "images/s up to here", "share"):
            table.add_column(heading, justify="right")
        for part, speed in self.rows():
            table.add_row(
                Text(printable(self.label(part))), f"{part.one:.3f}", f"{part.many:.3f}",
                f"{speed:,.0f}" if speed else "", f"{self.share(part):.0%}",
            )  # fmt: skip
        console.print(table)
        if self.model is not None:
            console.print(
                Text(
                    f"with a model of {self.model.step:.1f} ms per batch: {self.model.images_per_second:,.0f} images/s, "
                    f"waiting {self.model.waiting:.0%} of the time"
                )
            )
        if self.decoding is not None:
            console.print(Text(str(self.decoding)))
        for sentence in self.verdict:
            console.print(Text(sentence))

    def label(self, part: MeasuredPart) -> str:
        """Return a part's name for a table."""
        return f"{part.name} (in Python)" if part.python else part.name

    def __str__(self) -> str:
        import io

        from rich.console import Console

        written = io.StringIO()
        self.render(Console(file=written, width=120))
        return written.getvalue().rstrip("\n")


def part_times(cumulative: Sequence[float]) -> list[float]:
    """Return the time of each part from those of all work up to each; a part that adds nothing measurable takes 0.

    Examples
    --------
    >>> part_times([1.0, 3.0, 2.5, 4.0])
    [1.0, 2.0, 0.0, 1.0]
    """
    found, before = [], 0.0
    for time in cumulative:
        found.append(max(0.0, time - before))
        before = max(before, time)
    return found

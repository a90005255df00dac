"""What `offgraph.skew` found, as data: a row for each way to prepare the images, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from offgraph.core.counting import count_of
from offgraph.sources.names import printable
from offgraph.targets.base import Target

if TYPE_CHECKING:
    from rich.console import Console

    from offgraph.sources import Source

__all__ = [
    "Absent",
    "Estimate",
    "Flip",
    "SkewReport",
    "SkewRow",
    "drawn_images",
    "estimate",
    "interval",
    "left_out",
]

_AT_ONCE = 1 << 20
"""Resampled values in memory at a time."""

_WIDE = 140
"""Columns of a console on which a row of the table is one line."""


class Estimate(NamedTuple):
    """A mean over images, and the interval that holds 95 % of the means of resampled images."""

    value: float
    low: float
    high: float

    def text(self, sign: str = "") -> str:
        """Return it in percent, with its interval."""
        return f"{100 * self.value:{sign}.1f} % ({100 * self.low:{sign}.1f} to {100 * self.high:{sign}.1f})"

    def lines(self, sign: str = "") -> str:
        """Return the same in two short lines."""
        return f"{100 * self.value:{sign}.1f} %\n{100 * self.low:{sign}.1f}…{100 * self.high:{sign}.1f}"


def estimate(values: np.ndarray, seed: int, resamples: int, coverage: float = 0.95) -> Estimate | None:
    """Return the mean of values and its bootstrap interval, by default from the 2.5th to the 97.5th percentile.

    Equal seeds draw the same images, so that the rows of a report are paired.

    Parameters
    ----------
    values : ndarray, shape (images,)
    seed : int
    resamples : int
    coverage : float
        Share of the resampled means that the interval holds.

    Returns
    -------
    Estimate or None
        None without values.

    Examples
    --------
    >>> estimate(np.zeros(5), 0, 100)
    Estimate(value=0.0, low=0.0, high=0.0)
    """
    if not len(values):
        return None
    numbers = np.asarray(values, np.float64)
    if (numbers == numbers[0]).all():
        return Estimate(*(float(numbers[0]),) * 3)
    means = [numbers[drawn].mean(axis=1) for drawn in drawn_images(len(numbers), seed, resamples)]
    return interval(float(numbers.mean()), np.concatenate(means), coverage)


def drawn_images(count: int, seed: int, resamples: int) -> Iterator[np.ndarray]:
    """Draw sets of as many images as there are, with replacement: some sets at a time, (sets, count)."""
    rng = np.random.default_rng(seed)
    chunk = max(1, _AT_ONCE // count)
    for start in range(0, resamples, chunk):
        yield rng.integers(0, count, (min(chunk, resamples - start), count))


def interval(value: float, resampled: np.ndarray, coverage: float) -> Estimate:
    """Return a value with the interval that holds this share of its resampled ones."""
    if not len(resampled):
        return Estimate(value, value, value)
    low, high = np.quantile(resampled, [(1 - coverage) / 2, (1 + coverage) / 2])
    return Estimate(value, float(low), float(high))


@dataclass(frozen=True)
class Flip:
    """An image whose answer is another one.

    Parameters
    ----------
    index : int
        In the source.
    name : str
    before, after : str
        What the model says, with its own recipe and with the other.
    truth : str
        Empty where it is not known.
    same : float
        How much of the answer stayed: 0 for another class, the share of pixels for masks, of boxes those that both answers have.
    drawable : tuple of (Boxes, Boxes) or (Mask, Mask), optional
        What can be drawn of both answers, on the original, boxes with class numbers as labels: of those that changed most.
    """

    index: int
    name: str
    before: str
    after: str
    truth: str
    same: float
    drawable: tuple[Target, Target] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class SkewRow:
    """What one other way to prepare images does to the model's answers.

    Parameters
    ----------
    name : str
    kind : {"vary", "resize", "decode", "both", "recipe"}
    images : int
        Images that both ways could be predicted for.
    score : Estimate or None
        Accuracy, of masks the mean IoU, of boxes the mean average precision; None where no truth is known.
    change : Estimate or None
        Score less that of the model's own recipe, on the same images.
    agreement : Estimate
        Share of images with the same answer; of masks the mean share of pixels, of boxes that of those that both answers have.
    flips : tuple of Flip
        Every image whose answer changed, those that changed most first.
    helped, hurt : int
        Flips of which the score rose, and fell; of boxes, the share of found ones among the found, missed and false.
    shift : float or None
        Mean over images of the largest change of a probability, of boxes that both answers have; None for masks.
    set_aside : tuple of (str, str)
        Images that could not be predicted in this way alone, with the reason.
    notes : tuple of str
        What is not quite what was asked for.
    """

    name: str
    kind: str
    images: int
    score: Estimate | None
    change: Estimate | None
    agreement: Estimate
    flips: tuple[Flip, ...]
    helped: int
    hurt: int
    shift: float | None
    set_aside: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "images": self.images,
            "score": _listed(self.score),
            "change": _listed(self.change),
            "agreement": _listed(self.agreement),
            "flipped": len(self.flips),
            "helped": self.helped,
            "hurt": self.hurt,
            "shift": self.shift,
            "flips": [
                {
                    "name": f.name,
                    "before": f.before,
                    "after": f.after,
                    "truth": f.truth or None,
                    "same": f.same,
                }
                for f in self.flips
            ],
            "set_aside": [list(one) for one in self.set_aside],
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Absent:
    """A way that could not be tried, and why."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class SkewReport:
    """What other preprocessing does to a model that was trained with its own.

    Parameters
    ----------
    model : str
    task : str
    source : Source
    score_name : str
        'accuracy', 'exact labels', 'mean IoU per image' or 'mean AP'.
    images : int
        Predicted with the model's own recipe.
    score : Estimate or None
        Of that.
    rows : tuple of SkewRow
        The worst first: by agreement, then by how far probabilities moved.
    absent : tuple of Absent
    set_aside : tuple of (str, str)
        Images that could not be predicted with the model's own recipe.
    recipe : str
        That recipe, as YAML.
    resamples, seed : int
        Of the intervals.
    class_names : tuple of str
        By class number.
    """

    model: str
    task: str
    source: Source
    score_name: str
    images: int
    score: Estimate | None
    rows: tuple[SkewRow, ...]
    absent: tuple[Absent, ...]
    set_aside: tuple[tuple[str, str], ...]
    recipe: str
    resamples: int
    seed: int
    class_names: tuple[str, ...] = ()
    header: tuple[str, ...] = field(
        default=("what is different", "score", "change", "agreement", "flipped", "helped", "hurt", "moved"),
        init=False,
        repr=False,
    )

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON; intervals are [value, low, high]."""
        return {
            "model": self.model,
            "task": self.task,
            "score_name": self.score_name,
            "images": self.images,
            "score": _listed(self.score),
            "resamples": self.resamples,
            "seed": self.seed,
            "rows": [row.to_json() for row in self.rows],
            "absent": [{"name": one.name, "reason": one.reason} for one in self.absent],
            "set_aside": [list(one) for one in self.set_aside],
            "recipe": self.recipe,
        }

    def cells(self, row: SkewRow) -> tuple[str, ...]:
        """Return a row as text, in the order of `header`."""
        return (
            row.name,
            "" if row.score is None else row.score.text(),
            "" if row.change is None else row.change.text("+"),
            row.agreement.text(),
            str(len(row.flips)),
            str(row.helped) if row.score is not None else "",
            str(row.hurt) if row.score is not None else "",
            "" if row.shift is None else f"{row.shift:.3g}",
        )

    @property
    def summary(self) -> str:
        """The result in a sentence."""
        own = f"{count_of(self.images, 'image')}"
        if self.score is not None:
            own += f", {self.score_name} {self.score.text()} with the model's own recipe"
        if not self.rows:
            return own
        worst = self.rows[0]
        if not worst.flips:
            return f"{own}; nothing that was tried changes an answer"
        return (
            f"{own}; worst is {worst.name}: {count_of(len(worst.flips), 'answer')} of {worst.images} changed"
        )

    def render(self, console: Console) -> None:
        """Print the report as a table, with what could not be tried; on a narrow console intervals have lines of their own."""
        from rich.table import Table
        from rich.text import Text

        wide = console.width >= _WIDE
        table = Table(box=None, padding=(0, 2 if wide else 1, 0, 0))
        headings = (self.header[0], self.score_name, *self.header[2:])
        for heading in headings if wide else (*headings[:4], "flipped", "moved"):
            table.add_column(heading, overflow="fold")
        for row in self.rows:
            cells = self.cells(row) if wide else _narrow(row)
            table.add_row(*(Text("\n".join(map(printable, cell.split("\n")))) for cell in cells))
        console.print(table)
        for line in left_out(self.set_aside):
            console.print(Text(printable(line), style="yellow"))
        for row in self.rows:
            for note in row.notes:
                console.print(Text(printable(f"{row.name}: {note}")))
            if row.set_aside:
                name, why = row.set_aside[0]
                console.print(
                    Text(
                        printable(
                            f"{row.name}: {count_of(len(row.set_aside), 'image')} set aside, {name}: {why}"
                        )
                    )
                )
        for one in self.absent:
            console.print(Text(printable(f"not tried: {one.name}: {one.reason}"), style="yellow"))
        console.print(Text(printable(self.summary)))


def left_out(set_aside: Sequence[tuple[str, str]]) -> list[str]:
    """Return what is said of images that could not be predicted: nothing where there is none."""
    if not set_aside:
        return []
    name, why = set_aside[0]
    return [f"{count_of(len(set_aside), 'image')} set aside, and in no number: the first, {name}: {why}"]


def _narrow(row: SkewRow) -> tuple[str, ...]:
    """A row for a console of 80 columns: under the number of flips, how many helped and hurt."""
    flipped = f"{len(row.flips)}" + ("" if row.score is None else f"\n+{row.helped} -{row.hurt}")
    return (
        row.name,
        "" if row.score is None else row.score.lines(),
        "" if row.change is None else row.change.lines("+"),
        row.agreement.lines(),
        flipped,
        "" if row.shift is None else f"{row.shift:.3g}",
    )


def _listed(value: Estimate | None) -> list[float] | None:
    return None if value is None else [float(f"{number:.6g}") for number in value]

"""What a recipe of another library became, step by step, and how far the two agree."""

from __future__ import annotations

import functools
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from offgraph.recipe.compose import Compose

__all__ = ["Measured", "Migration", "MigrationReport", "StepReport", "Verdict", "measured"]

Verdict = Literal["exact", "close", "differs", "none"]
"""How a step agrees with its origin, for the same drawn values:

'exact': the same pixels, floats but for their last bits; 'close': within the stated number of grey levels of uint8, or nearly, where none is stated;
'differs': visibly, for the reason that is given; 'none': nothing stands for it.
"""
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""From the best to the worst."""


class Measured(NamedTuple):
    """How far two libraries were apart on a photograph of uint8, in grey levels.

    Parameters
    ----------
    largest : float
        Of all pixels.
    mean : float
        Of all pixels.
    library : str
        Name and version of the other library.
    """

    largest: float
    mean: float
    library: str

    def __str__(self) -> str:
        return f"measured against {self.library}: at most {_levels(self.largest)}, {self.mean:.2g} on average"


@functools.cache
def _figures() -> dict[str, dict[str, list[Any]]]:
    return json.loads(Path(__file__).with_name("measured.json").read_text(encoding="utf-8"))


def measured(origin: str, name: str) -> Measured | None:
    """Return what was measured for a step of a library, or None where nothing was.

    Parameters
    ----------
    origin : str
        'albumentations', 'generator', 'keras'.
    name : str
        The library's name of the step.
    """
    found = _figures().get(origin, {}).get(name)
    return None if found is None else Measured(*found)


@dataclass(frozen=True)
class StepReport:
    """One step of the other library, and what stands for it.

    Parameters
    ----------
    place : str
        Where it stood, from 1: ``"3.1"`` is the first step inside the third.
    origin : str
        The library's name of the step.
    steps : tuple of str
        What stands for it, as it is written in Python; empty for 'none'.
    verdict : str
        'exact', 'close', 'differs' or 'none'.
    notes : tuple of str
        Why it differs, what is ignored, what to do instead.
    levels : float, optional
        Of 'close': largest difference in grey levels of uint8; None where it is one of places, by a part of a pixel, or of draws.
    """

    place: str
    origin: str
    steps: tuple[str, ...]
    verdict: Verdict
    notes: tuple[str, ...] = ()
    levels: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the line as plain values."""
        return {
            "place": self.place,
            "origin": self.origin,
            "steps": list(self.steps),
            "verdict": self.verdict,
            "levels": self.levels,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        says = {
            "exact": "the same",
            "close": "nearly the same" if self.levels is None else f"within {_levels(self.levels)}",
            "differs": "differs",
            "none": "no equal",
        }[self.verdict]
        head = f"{self.place:>5}  {self.origin} → {', '.join(self.steps) or 'nothing'}: {says}"
        return "\n".join([head, *(f"{'':7}- {note}" for note in self.notes)])


@dataclass(frozen=True)
class MigrationReport:
    """What became of each step of another library's pipeline; `print` it, or take `to_json`.

    Parameters
    ----------
    library : str
        Where the pipeline comes from.
    steps : tuple of StepReport
        In the order of the pipeline.
    notes : tuple of str
        What concerns the pipeline as a whole.

    Examples
    --------
    >>> import offgraph as og
    >>> report = og.from_tfa([("flip_left_right", {}), ("sparse_image_warp", {})]).report
    >>> report.counts
    {'exact': 1, 'close': 0, 'differs': 0, 'none': 1}
    >>> report.mapped
    0.5
    """

    library: str
    steps: tuple[StepReport, ...]
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many steps there are of each verdict."""
        found = Counter(step.verdict for step in self.steps)
        return {verdict: found[verdict] for verdict in VERDICTS}

    @property
    def mapped(self) -> float:
        """Share of the steps for which something stands, from 0 to 1; 1 where there are none."""
        return 1.0 - self.counts["none"] / len(self.steps) if self.steps else 1.0

    @property
    def levels(self) -> float:
        """Largest bound among the steps that have one, in grey levels of uint8."""
        return max((step.levels or 0.0 for step in self.steps if step.verdict == "close"), default=0.0)

    def summary(self) -> str:
        """Return the report in one line."""
        counts, n = self.counts, len(self.steps)
        parts = [f"{counts['exact']} the same"]
        within = sum(step.levels is not None for step in self.steps)
        if within:
            parts.append(f"{within} within {_levels(self.levels)}")
        if counts["close"] > within:
            parts.append(f"{counts['close'] - within} nearly the same")
        if counts["differs"]:
            parts.append(f"{counts['differs']} {'differ' if counts['differs'] > 1 else 'differs'}")
        if counts["none"]:
            parts.append(f"{counts['none']} {'have' if counts['none'] > 1 else 'has'} no equal")
        return f"{self.library}: {n} step{'s' * (n != 1)}: {', '.join(parts)}"

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "library": self.library,
            "counts": self.counts,
            "notes": list(self.notes),
            "steps": [step.to_json() for step in self.steps],
        }

    def __str__(self) -> str:
        return "\n".join([self.summary(), *map(str, self.steps), *(f"  Note: {note}" for note in self.notes)])


class Migration(NamedTuple):
    """A recipe made of another library's pipeline, and how far the two agree.

    Parameters
    ----------
    recipe : Compose
    report : MigrationReport

    Examples
    --------
    >>> import offgraph as og
    >>> recipe, report = og.from_keras(rotation_range=20, horizontal_flip=True)
    >>> print(recipe)
    Compose([Augment(Affine(rotate=(-20.0, 20.0), mode='nearest'), Flip(p=0.5))])
    """

    recipe: Compose
    report: MigrationReport


def _levels(value: float) -> str:
    return f"{value:g} grey level{'s' * (value != 1)}"

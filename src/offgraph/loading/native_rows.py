"""Many samples of a batch run in one native call, which writes each image into its row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from offgraph.core.random import Key
from offgraph.core.specs import ArraySpec
from offgraph.formats.ordinary import OrdinaryFile
from offgraph.loading.training_sample import Rules, TrainingSample
from offgraph.pipeline.rows import Row
from offgraph.recipe.compose import Compose
from offgraph.recipe.prepared import PreparedSample, run_prepared
from offgraph.sources.base import Label
from offgraph.targets import Image, Targets

__all__ = ["BegunSample", "MadeSample", "finish_row", "run_rows"]


class BegunSample(NamedTuple):
    """A sample that is read, and checked as far as is possible before its recipe runs.

    Parameters
    ----------
    number : int
        As in `TrainingSample`.
    targets : Targets
    label : int, tuple of int, tuple of float, or None
    key : Key
    start : int
        The first step of the recipe that is left.
    named : callable
        Gives the name of the file.
    recorded : callable
        Makes the record of the sample of that of the steps that were left.
    file : OrdinaryFile or None
        The file whose image the call decodes; the image among the targets then has no pixels.
    """

    number: int
    targets: Targets
    label: Label | None
    key: Key
    start: int
    named: Callable[[], str]
    recorded: Callable[[dict[str, Any]], dict[str, Any]]
    file: OrdinaryFile | None = None


class MadeSample(NamedTuple):
    """A sample that was made from where it is stored, without an object for its image; it holds on to no memory.

    Parameters
    ----------
    recipe : Compose
    key : tuple of int
        Seed, epoch and index.
    start : int
        The first step of the recipe that ran.
    spec : ArraySpec
        Of the image that it ran on.
    recorded : callable or None
        Makes the record of the sample of that of the steps that ran; the same unless given.
    """

    recipe: Compose
    key: tuple[int, int, int]
    start: int
    spec: ArraySpec
    recorded: Callable[[dict[str, Any]], dict[str, Any]] | None = None

    def targets(self, row: Row) -> Targets:
        """Return the image in its row."""
        return Targets({"image": Image(row.array(), self.spec.axes)})

    def record(self) -> dict[str, Any]:
        """Return what was drawn, drawn again."""
        record = self.recipe.drawn_record(self.spec, Key(*self.key), self.start)
        return record if self.recorded is None else self.recorded(record)


def run_rows(
    samples: Sequence[BegunSample | None], rows: Sequence[Row], recipe: Compose, rules: Rules
) -> list[TrainingSample | None]:
    """Run the rest of the recipe on many samples in one call.

    Returns
    -------
    list of TrainingSample or None
        None for a sample that was None, and for one that has to be run alone, which says why.
    """
    found = [_prepared(sample, row, recipe, rules) for sample, row in zip(samples, rows)]
    return [
        finish_row(sample, one, row, rules) if done and sample is not None and one is not None else None
        for sample, one, row, done in zip(samples, found, rows, run_prepared(found))
    ]


def _prepared(sample: BegunSample | None, row: Row, recipe: Compose, rules: Rules) -> PreparedSample | None:
    if sample is None or not rules.has_usual_depth(sample.targets.image.spec.dtype):
        return None
    array = sample.targets.image.array
    if array.dtype.kind == "f" and rules.non_finite == "error" and not np.isfinite(array).all():
        return None
    return recipe.prepare(sample.targets, sample.key, row, sample.start, file=sample.file)


def finish_row(
    sample: BegunSample, prepared: PreparedSample, row: Row, rules: Rules
) -> TrainingSample | None:
    """Make a sample whose image lies in its row; None where it is not finite, or has a mask unlike the others'."""
    if rules.non_finite == "error" and not (prepared.finite or np.isfinite(row.array()).all()):
        return None
    record = prepared.recorder()
    made: Targets | Callable[[], Targets] = prepared.released().targets  # kept until its batch is full
    mask = None
    if not prepared.is_alone:
        try:
            made = rules.fitted(prepared.targets())
        except Exception:  # whatever it is, it is raised again where the sample is run alone
            return None
        mask = made.mask
    recorded = sample.recorded
    return TrainingSample(
        sample.number,
        sample.named,
        made,
        mask,
        sample.label,
        lambda: recorded(record()),
        row=row,
    )

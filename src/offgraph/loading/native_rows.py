"""Many samples of a batch run in one native call, which writes each image into its row."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, overload

import numpy as np

from offgraph.core.random import Key
from offgraph.core.specs import ArraySpec
from offgraph.formats.ordinary import OrdinaryFile
from offgraph.loading.training_sample import Rules, TrainingSample
from offgraph.pipeline.rows import Row, RowBlock
from offgraph.recipe.compose import Compose
from offgraph.recipe.prepared import PreparedSample, run_prepared
from offgraph.sources.items import Label
from offgraph.targets import Image, Targets

__all__ = ["BegunSample", "MadeImages", "MadeRows", "finish_row", "run_rows"]


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


class MadeImages:
    """What images were made of that were made without an object for each; it holds on to no memory of a batch.

    Parameters
    ----------
    recipe : Compose
    numbers : sequence of int
        Of the samples.
    keys : sequence of tuple of int
        Seed, epoch and index of each.
    start : int
        The first step of the recipe that ran.
    spec_of : callable
        Gives the spec of the image that the recipe ran on for the one at a place among these.
    recorded : callable or None
        Makes the record of a sample of its number and the record of the steps that ran; the same unless given.
    """

    __slots__ = ("_keys", "_numbers", "_recipe", "_recorded", "_spec_of", "_start")

    def __init__(
        self,
        recipe: Compose,
        numbers: Sequence[int],
        keys: Sequence[tuple[int, int, int]],
        start: int,
        spec_of: Callable[[int], ArraySpec],
        recorded: Callable[[int, dict[str, Any]], dict[str, Any]] | None = None,
    ) -> None:
        self._recipe, self._numbers, self._keys, self._start = recipe, numbers, keys, start
        self._spec_of, self._recorded = spec_of, recorded

    def targets(self, place: int, row: Row) -> Targets:
        """Return an image in its row."""
        return Targets({"image": Image(row.array(), self._spec_of(place).axes)})

    def record(self, place: int) -> dict[str, Any]:
        """Return what was drawn for an image, drawn again."""
        spec = self._spec_of(place)
        record = self._recipe.drawn_record(spec, Key(*self._keys[place]), self._start)
        return record if self._recorded is None else self._recorded(self._numbers[place], record)

    def records(self, places: range) -> Iterable[dict[str, Any]]:
        """Return those of several."""
        return map(self.record, places)


class MadeRows(Sequence[TrainingSample]):
    """Samples of which one call made the images, each in its row, and that have a label and nothing else.

    A batch is put together of a few of these without looking at single samples, whose objects are made when they are
    asked for: they would take the interpreter lock for most of the time that a batch holds it.

    Parameters
    ----------
    numbers : sequence of int
    labels : sequence
        As in `TrainingSample.label`.
    rows : RowBlock
    named : callable
        Gives the name of the file of a number.
    made : MadeImages
    places : range
        Theirs among these.
    """

    __slots__ = ("_made", "_named", "labels", "numbers", "places", "rows")

    def __init__(
        self,
        numbers: Sequence[int],
        labels: Sequence[Label | None],
        rows: RowBlock,
        named: Callable[[int], str],
        made: MadeImages,
        places: range,
    ) -> None:
        self.numbers, self.labels, self.rows = numbers, labels, rows
        self._named, self._made, self.places = named, made, places

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> TrainingSample: ...
    @overload
    def __getitem__(self, place: slice) -> MadeRows: ...
    def __getitem__(self, place: int | slice) -> TrainingSample | MadeRows:
        if isinstance(place, slice):
            parts = self.numbers[place], self.labels[place], self.rows[place]
            return MadeRows(*parts, self._named, self._made, self.places[place])
        number, row, at = self.numbers[place], self.rows[place], self.places[place]
        return TrainingSample(
            number,
            functools.partial(self._named, number),
            functools.partial(self._made.targets, at, row),
            None,
            self.labels[place],
            functools.partial(self._made.record, at),
            row=row,
        )

    @property
    def recorded(self) -> Callable[[], Iterable[dict[str, Any]]]:
        """Gives what was drawn; it holds on to no memory of a batch."""
        return functools.partial(self._made.records, self.places)


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

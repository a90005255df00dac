"""Samples prepared to be run with others in one native call, and the record of what was drawn for one."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from offgraph.core.errors import StepError
from offgraph.core.random import Key
from offgraph.core.specs import ArraySpec
from offgraph.plan.batch import Pending, run_pending
from offgraph.plan.placed import AppliedStep, PlacedStep
from offgraph.targets import Targets

if TYPE_CHECKING:
    from offgraph.recipe.compose import Compose

__all__ = ["PreparedSample", "drawn_records", "read_record", "record_of", "run_prepared"]


class PreparedSample(NamedTuple):
    """A sample that `Compose.prepare` prepared; `run_prepared` runs it.

    Parameters
    ----------
    recipe : Compose
    key : Key
    start : int
    pending : Pending
    """

    recipe: Compose
    key: Key
    start: int
    pending: Pending

    @property
    def finite(self) -> bool:
        """Whether it is certain that the image will hold finite values."""
        return self.pending.finite

    @property
    def is_alone(self) -> bool:
        """Whether there is no target beside the image."""
        return len(self.pending.given) == 1

    def targets(self) -> Targets:
        """Return all targets, after the call."""
        return self.pending.finished()[0]

    def released(self) -> PreparedSample:
        """Return the same, after the call, without the memory of the targets that were given; see `Pending.released`."""
        return self._replace(pending=self.pending.released())

    def record(self) -> dict[str, Any]:
        """Return what was drawn, as in `Result.record`."""
        return self.recorder()()

    def recorder(self) -> Callable[[], dict[str, Any]]:
        """Return what gives the record and keeps no memory of images: a batch holds it until it is asked for."""
        recipe, key, start, lowered = self.recipe, self.key, self.start, self.pending.lowered
        return lambda: record_of(recipe.digest, key, start, recipe._placed[start:], lowered.applied)


def run_prepared(samples: Sequence[PreparedSample | None]) -> list[bool]:
    """Run prepared samples in one call, without the interpreter lock; return which of them are done.

    None is a sample that is not prepared. `Compose.run` says why others are not done.
    """
    done = iter(run_pending([sample.pending for sample in samples if sample is not None]))
    return [sample is not None and next(done) for sample in samples]


def record_of(
    digest: str, key: Key, start: int, part: Sequence[PlacedStep], applied: Sequence[AppliedStep]
) -> dict[str, Any]:
    """Return what was drawn as plain JSON: `Result.record`."""
    return {
        "recipe": digest,
        "key": _described_key(key),
        "start": start,
        "steps": [
            {
                "step": placed.step.name,
                "address": drawn.address,
                "applied": drawn.applied,
                "params": drawn.params,
            }
            for placed, drawn in zip(part, applied)
        ],
    }


def read_record(record: Mapping[str, Any], number: int) -> tuple[str, Key, int, list[AppliedStep]]:
    """Return the digest of the recipe that made a record, its key, the first step and what all of them drew.

    Parameters
    ----------
    record : mapping
        What `record_of` gave.
    number : int
        Of steps that the recipe has.

    Raises
    ------
    StepError
        Where it is not a record.
    """
    try:
        made_by, start = record["recipe"], operator.index(record["start"])
        key = Key(**record["key"])
        drawn = [
            AppliedStep(entry["address"], entry["applied"], dict(entry["params"]))
            for entry in record["steps"]
        ]
        if not 0 <= start <= number:
            raise ValueError(f"start={start} of {number} steps")
    except (KeyError, TypeError, ValueError) as error:
        raise StepError(f"this is not the record of a recipe's run: {error!r}") from None
    return made_by, key, start, drawn


def drawn_records(
    recipe: Compose, specs: Sequence[ArraySpec], keys: Sequence[Key], stop: int | None = None
) -> list[dict[str, Any]]:
    """Return what `Compose.drawn_record` does for each of several images; for plain reading, as they may share parts.

    Parameters
    ----------
    recipe : Compose
    specs : sequence of ArraySpec
        Of each image.
    keys : sequence of Key
    stop : int, optional
        Step before which the record ends.
    """
    if not all(here.is_fixed for here in recipe._placed[:stop]):
        return [recipe.drawn_record(spec, key, stop=stop) for spec, key in zip(specs, keys)]
    made = {spec: recipe.drawn_record(spec, Key(), stop=stop) for spec in set(specs)}
    return [{**made[spec], "key": _described_key(key)} for spec, key in zip(specs, keys)]


def _described_key(key: Key) -> dict[str, int]:
    return {"seed": key.seed, "epoch": key.epoch, "index": key.index}

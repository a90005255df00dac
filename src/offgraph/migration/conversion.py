"""From the steps of another library to a recipe and its report: the part that all libraries share."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from offgraph.core.errors import RecipeError, StepError
from offgraph.core.suggestions import did_you_mean
from offgraph.migration.arguments import Arguments
from offgraph.migration.report import Migration, MigrationReport, StepReport, measured
from offgraph.migration.tables import Equivalent, Table
from offgraph.recipe.compose import Compose
from offgraph.recipe.layers import Augment
from offgraph.steps.base import STEPS, Step

__all__ = ["EVALUATION", "Given", "assembled", "guarded", "migrate"]

MAX_DEPTH = 20
"""Steps inside steps."""
MAX_STEPS = 1000

EVALUATION = "steps that draw stand in Augment, which recipe.eval() leaves out; draws are distributed alike, but are not the same numbers"


@dataclass(frozen=True)
class Given:
    """A step as its library describes it.

    Parameters
    ----------
    name : str
    values : dict
        Its arguments.
    parts : tuple of Given
        The steps that it is made of.
    trouble : str
        Why its arguments are not known, where they are not.
    live : bool
        Whether `values` are all attributes of an object, so that others than arguments are among them.
    """

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    parts: tuple[Given, ...] = ()
    trouble: str = ""
    live: bool = False


def assembled(steps: Iterable[Step]) -> Compose:
    """Return a recipe of some steps, those that draw within `Augment`."""
    items: list[Step | Augment] = []
    for step in steps:
        if not step.draws:
            items.append(step)
        elif items and isinstance(last := items[-1], Augment):
            items[-1] = Augment(*last.steps, step)
        else:
            items.append(Augment(step))
    return Compose(items)


def guarded(a: Arguments, make: Callable[[], Sequence[Step]]) -> tuple[Step, ...]:
    """Return the steps that a function makes of arguments; their errors name the step, their warnings become notes."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            made = tuple(make())
        except RecipeError:
            raise
        except StepError as error:
            raise RecipeError(
                f"{a.where} ({a.name}): no step of Offgraph takes these arguments: {error}"
            ) from None
        except (ValueError, TypeError, OverflowError) as error:
            raise RecipeError(f"{a.where} ({a.name}): cannot be read: {error}") from None
    for warning in heard:
        a.tell(str(warning.message))
    return made


def migrate(
    table: Table,
    given: Sequence[Given],
    source: str,
    *,
    notes: Sequence[str] = (),
    old: bool = False,
    library: str | None = None,
) -> Migration:
    """Return the recipe and the report.

    Parameters
    ----------
    table : Table
    given : sequence of Given
        The pipeline.
    source : str
        What messages call it: the file's name.
    notes : sequence of str
        What is to be told of the pipeline as a whole.
    old : bool
        Whether defaults are those of an old version.
    library : str, optional
        Name and version of the library.

    Raises
    ------
    RecipeError
        Naming the step and its field.
    """
    work = _Conversion(table, source, old)
    steps = [step for n, part in enumerate(given, 1) for step in work.convert(part, str(n), 1)]
    recipe = assembled(steps)
    told = list(notes)
    if recipe.draws:
        told.append(EVALUATION)
    sized = sorted({step.name for step in steps if step.name in _RANDOM_SIZE and step.draws})
    if sized:
        told.append(
            f"{' and '.join(sized)} set{'s' * (len(sized) == 1)} the size of images and is left out by recipe.eval(): "
            "for evaluation put Resize or CenterCrop before or after the Augment"
        )
    return Migration(recipe, MigrationReport(library or table.library, tuple(work.lines), tuple(told)))


_RANDOM_SIZE = ("RandomCrop", "RandomResizedCrop")


class _Conversion:
    """Converts one pipeline, and keeps the lines of its report."""

    def __init__(self, table: Table, source: str, old: bool) -> None:
        self.table, self.source, self.old = table, source, old
        self.lines: list[StepReport] = []
        self.state: dict[str, Any] = {}

    def convert(self, given: Given, place: str, depth: int, *, choice: bool = False) -> tuple[Step, ...]:
        """Return our steps; as part of a choice exactly one, whose p is its weight."""
        where = f"{self.source}, step {place}"
        if depth > MAX_DEPTH:
            raise RecipeError(f"{where}: nested more than {MAX_DEPTH} deep")
        if len(self.lines) >= MAX_STEPS:
            raise RecipeError(f"{where}: more than {MAX_STEPS} steps")
        a = Arguments(given.name, given.values, where, old=self.old, state=self.state)
        number = len(self.lines)
        self.lines.append(StepReport(place, given.name, (), "none"))
        row = self._row(given, a)
        if row is None:
            return self._stand_in(a, 1.0, choice)
        p = row.p if not isinstance(given.values.get("p"), int | float | str) else a.number("p")
        if not 0 <= p <= 1:
            a.refuse("p", "a probability from 0 to 1", p)
        a.probability = p
        if row.kind == "step":
            made = guarded(a, lambda: row.convert(a))
        else:
            parts = [
                step
                for n, part in enumerate(given.parts, 1)
                for step in self.convert(part, f"{place}.{n}", depth + 1, choice=row.kind == "choice")
            ]
            made = guarded(a, lambda: row.convert(a, parts))
        for name in [] if given.live else a.unread():
            if a.values[name] is not None and name not in self.table.ignored:
                a.differs(
                    f"{name}={a.values[name]!r:.60} is left out: the meaning of this argument is not known here"
                )
        self._tell_row(a, row, bool(made))
        self.lines[number] = self._line(place, a, row, made)
        if not made:
            return self._stand_in(a, a.probability, choice)
        return _with_probability(made, a.probability, choice)

    def _row(self, given: Given, a: Arguments) -> Equivalent | None:
        if given.trouble:
            self.lines[-1] = replace(self.lines[-1], notes=(given.trouble,))
            return None
        if given.name not in self.table:
            near = did_you_mean(given.name, list(self.table))
            note = f"{self.table.library} step not known here{near}; write it as a step of your own (og.register) or a Lambda"
            self.lines[-1] = replace(self.lines[-1], notes=(note,))
            return None
        return self.table[given.name]

    def _tell_row(self, a: Arguments, row: Equivalent, stands: bool) -> None:
        if row.verdict == "none" or not stands:
            if row.why:
                a.notes.insert(0, row.why)
            if row.verdict == "none":
                a.verdict = "none"
            return
        a.tell("", row.verdict, row.levels)
        if row.why:
            a.notes.insert(0, row.why)
        figure = measured(self.table.origin, row.name)
        as_measured = a.verdict == row.verdict and a.has_levels and a.levels <= row.levels
        if figure is not None and figure.largest > 0 and as_measured:
            a.tell(str(figure))

    def _line(self, place: str, a: Arguments, row: Equivalent, made: Sequence[Step]) -> StepReport:
        shown = tuple(repr(step) if row.kind == "step" else step.name for step in made)
        return StepReport(
            place,
            a.name,
            shown,
            a.verdict,
            tuple(a.notes),
            (a.levels or None) if a.verdict == "close" and a.has_levels else None,
        )

    def _stand_in(self, a: Arguments, p: float, choice: bool) -> tuple[Step, ...]:
        """Nothing, or in a choice a step that does nothing, so that the others stay as likely as they were."""
        return (_step("Identity", p=p),) if choice else ()


def _with_probability(steps: tuple[Step, ...], p: float, choice: bool) -> tuple[Step, ...]:
    if p == 1 and not choice:
        return steps
    if len(steps) == 1:
        return (replace(steps[0], p=p * steps[0].p),)
    return (_step("Sequence", steps, p=p),)


def _step(name: str, *given: Any, p: float) -> Step:
    return STEPS[name](*given, p=p)

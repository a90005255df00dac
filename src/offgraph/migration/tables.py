"""A table per library: its name of a step → a function that gives ours, and how far the two agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from offgraph.migration.arguments import Arguments
from offgraph.migration.report import Verdict
from offgraph.steps.base import Step

__all__ = ["Convert", "Equivalent", "Table"]

Convert = Callable[..., Sequence[Step]]
"""Takes `Arguments` (and the steps inside, for a structure), gives our steps in their order, each with p=1."""


@dataclass(frozen=True)
class Equivalent:
    """A row of a table: what stands for one step of another library.

    Parameters
    ----------
    name : str
        The library's name of the step.
    ours : str
        Names of our steps; empty where nothing stands for it.
    verdict : str
        How well the two agree at best; the arguments of a step may make it worse.
    why : str
        Why they differ, or what to do where nothing stands for it.
    convert : callable
    levels : float
        Of 'close': largest difference in grey levels of uint8.
    kind : str
        'step', or of steps made of others 'sequence' and 'choice'.
    p : float
        Probability where none is given.
    """

    name: str
    ours: str
    verdict: Verdict
    why: str
    convert: Convert
    levels: float = 0.0
    kind: Literal["step", "sequence", "choice"] = "step"
    p: float = 1.0


class Table:
    """The steps of one library.

    Parameters
    ----------
    origin : str
        Key of what was measured.
    library : str
        As messages call it.
    p : float
        Probability of a step that does not say its own.
    ignored : tuple of str
        Arguments that any step may have, and that change no pixel.
    """

    def __init__(self, origin: str, library: str, *, p: float = 1.0, ignored: tuple[str, ...] = ()) -> None:
        self.origin, self.library, self.p, self.ignored = origin, library, p, ignored
        self._rows: dict[str, Equivalent] = {}

    def add(
        self, *names: str, ours: str, verdict: Verdict = "exact", why: str = "", levels: float = 0.0,
        kind: Literal["step", "sequence", "choice"] = "step", p: float | None = None,
    ) -> Callable[[Convert], Convert]:  # fmt: skip
        """Return a decorator that enters a function under some names."""

        def enter(convert: Convert) -> Convert:
            for name in names:
                chance = self.p if p is None else p
                self._rows[name] = Equivalent(name, ours, verdict, why, convert, levels, kind, chance)
            return convert

        return enter

    def none(self, *names: str, instead: str) -> None:
        """Enter steps for which nothing stands, and what to do."""

        def convert(a: Arguments, *_: Any) -> Sequence[Step]:
            for field in a.values:
                a.get(field)
            return ()

        self.add(*names, ours="", verdict="none", why=instead)(convert)

    def __getitem__(self, name: str) -> Equivalent:
        return self._rows[name]

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> list[Equivalent]:
        """Return all rows by name."""
        return [self._rows[name] for name in self]

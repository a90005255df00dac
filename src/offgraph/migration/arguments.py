"""The arguments of one step of another library: read once, by name and type, and what was not read is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from offgraph.core.arguments import finite_number
from offgraph.core.errors import RecipeError
from offgraph.core.suggestions import did_you_mean
from offgraph.migration.report import VERDICTS, Verdict

__all__ = ["MISSING", "Arguments", "one_or_all"]

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "<required>"})()
"""The default of an argument that must be there."""


def one_or_all(values: Sequence[float]) -> Any:
    """Return one number alone, and several as they are."""
    return values[0] if len(values) == 1 else tuple(values)


class Arguments:
    """What one step was given, under the names of its library.

    Parameters
    ----------
    name : str
        The library's name of the step.
    values : mapping of str to Any
    where : str
        What messages begin with: file and step.
    old : bool
        Whether the defaults are those of an old version of the library.
    state : dict, optional
        What earlier steps of the same pipeline left to know, such as that values are floats now.
    """

    def __init__(
        self,
        name: str,
        values: dict[str, Any],
        where: str,
        *,
        old: bool = False,
        state: dict[str, Any] | None = None,
    ) -> None:
        self.name, self.values, self.where, self.old = name, values, where, old
        self.state: dict[str, Any] = {} if state is None else state
        self.notes: list[str] = []
        self.verdict: Verdict = "exact"
        self.levels = 0.0
        self.has_levels = True
        self.probability = 1.0
        self._read: set[str] = set()

    # what is told

    def tell(self, note: str, verdict: Verdict = "exact", levels: float = 0.0) -> None:
        """Add a note to the report, and make the verdict at least as bad as one."""
        if note and note not in self.notes:
            self.notes.append(note)
        if VERDICTS.index(verdict) > VERDICTS.index(self.verdict):
            self.verdict = verdict
        self.levels = max(self.levels, levels)

    def nearly(self, note: str) -> None:
        """Say what differs a little, but by no number of grey levels: places, by a part of a pixel."""
        self.tell(note, "close")
        self.has_levels = False

    def differs(self, note: str) -> None:
        """Say what differs."""
        self.tell(note, "differs")

    def ignore(self, *names: str, neutral: Any = MISSING, why: str = "") -> None:
        """Leave arguments out: without a word where they are missing, None, or the neutral value."""
        for name in names:
            value = self.get(name)
            if value is None or value is MISSING or _same(value, neutral):
                continue
            self.differs(f"{name}={value!r:.60} is left out{': ' * bool(why)}{why}")

    def unread(self) -> list[str]:
        """Return the names of the arguments that nobody asked for."""
        return [name for name in self.values if name not in self._read]

    def refuse(self, field: str, expected: str, value: Any) -> NoReturn:
        """Raise for a value that an argument does not take."""
        raise RecipeError(
            f"{self.where} ({self.name}), field {field}: expected {expected}, got {value!r:.60}"
        )

    # what is read

    def has(self, name: str) -> bool:
        """Whether an argument is given, and not None."""
        return self.values.get(name) is not None

    def get(self, name: str, default: Any = None) -> Any:
        """Return an argument as it was given."""
        self._read.add(name)
        value = self.values.get(name, default)
        if value is MISSING:
            near = did_you_mean(name, list(self.values))
            raise RecipeError(f"{self.where} ({self.name}), field {name}: is missing{near}")
        return value

    def number(self, name: str, default: Any = MISSING) -> float:
        """Return a finite number."""
        value = self.get(name, default)
        number = finite_number(value)
        if number is None:
            self.refuse(name, "a number", value)
        return number

    def whole(self, name: str, default: Any = MISSING) -> int:
        """Return a whole number."""
        number = self.number(name, default)
        if number != int(number):
            self.refuse(name, "a whole number", number)
        return int(number)

    def flag(self, name: str, default: bool = False) -> bool:
        """Return true or false."""
        value = self.get(name, default)
        if isinstance(value, bool | np.bool_) or finite_number(value) in (0, 1):
            return bool(value)
        return self.refuse(name, "true or false", value)

    def text(self, name: str, default: Any = MISSING) -> str:
        """Return a text in lower case."""
        value = self.get(name, default)
        if not isinstance(value, str):
            self.refuse(name, "a text", value)
        return value.lower()

    def choice(self, name: str, known: dict[Any, Any], default: Any = MISSING) -> Any:
        """Return what one of some values stands for."""
        value = self.get(name, default)
        try:
            return known[value]
        except (KeyError, TypeError):
            self.refuse(name, f"one of {', '.join(map(str, known))}", value)

    def pair(self, name: str, default: Any = MISSING, *, about: float | None = None) -> tuple[float, float]:
        """Return a range: of one number x, from `about` - x to `about` + x, or from x to x without `about`."""
        value = self.get(name, default)
        number = finite_number(value)
        if number is not None:
            return (number, number) if about is None else (about - abs(number), about + abs(number))
        if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str) and len(value) == 2:
            low, high = map(finite_number, value)
            if low is not None and high is not None:
                return min(low, high), max(low, high)
        return self.refuse(name, "a number or a pair of them", value)

    def numbers(self, name: str, default: Any = MISSING) -> tuple[float, ...]:
        """Return one number or more."""
        value = self.get(name, default)
        if (number := finite_number(value)) is not None:
            return (number,)
        if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str) and 0 < len(value) <= 1000:
            found = [finite_number(part) for part in np.ravel(np.asarray(value, object)).tolist()]
            if None not in found:
                return tuple(found)  # type: ignore[arg-type]
        return self.refuse(name, "a number or a list of them", value)


def _same(value: Any, other: Any) -> bool:
    if isinstance(value, list | tuple) and isinstance(other, list | tuple):
        return len(value) == len(other) and all(_same(a, b) for a, b in zip(value, other))
    kinds = isinstance(value, bool) == isinstance(other, bool)
    return kinds and isinstance(value, int | float | str) and bool(value == other)

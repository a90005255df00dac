"""Whole numbers as step parameters: fixed, or drawn evenly from both ends of a pair and all between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from offgraph.core.distributions import Choice, Distribution, Integer, is_distribution, parse_distribution
from offgraph.core.random import Draw
from offgraph.steps.parameters import DISTRIBUTION_SCHEMA, Parsed, WholeNumber, whole

__all__ = ["CountOrRange", "CountRange", "QuarterTurns", "SideLengths", "drawn_count"]


@dataclass(frozen=True)
class CountRange(Parsed):
    """A whole number is fixed; a pair (low, high) is a range from which each image draws evenly, both ends included.

    Parameters
    ----------
    at_least, at_most : int, optional
        What is taken.
    """

    at_least: int | None = None
    at_most: int | None = None

    def parse(self, value: Any) -> int | tuple[int, int]:
        """Return an int, a tuple of two with low <= high, or a `Choice` of whole numbers."""
        if is_distribution(value):
            return self._distribution(parse_distribution(value))
        if isinstance(value, tuple | list | np.ndarray):
            pair = tuple(self._one(part) for part in value)
            if len(pair) == 2 and pair[0] is not None and pair[1] is not None and pair[0] <= pair[1]:
                return pair[0], pair[1]
        elif (number := self._one(value)) is not None:
            return number
        raise ValueError(
            f"expected a whole number{self._bounds()}, or a pair (low, high) with low <= high, got {value!r:.80}"
        )

    def _distribution(self, found: Any) -> Any:
        if isinstance(found, Choice):
            wrong = [number for number in found.numbers if number % 1 or self._one(int(number)) is None]
            if not wrong:
                return found.whole()
            raise ValueError(
                f"expected a whole number{self._bounds()}, and {found!r:.80} may give {wrong[0]:g}"
            )
        ends = [self._one(int(end)) if end % 1 == 0 else None for end in found]
        if None in ends or (isinstance(found, Distribution) and not isinstance(found, Integer)):
            raise ValueError(
                f"expected whole numbers{self._bounds()}, from Integer or Choice, got {found!r:.80}"
            )
        return tuple(ends)

    def _one(self, value: Any) -> int | None:
        number = whole(value)
        low, high = self.at_least, self.at_most
        if number is None or (low is not None and number < low) or (high is not None and number > high):
            return None
        return number

    def _bounds(self) -> str:
        if self.at_least is None:
            return ""
        return (
            f" of at least {self.at_least}"
            if self.at_most is None
            else f" from {self.at_least} to {self.at_most}"
        )

    def schema(self) -> dict[str, Any]:
        """JSON Schema of both forms."""
        bounds = {"minimum": self.at_least, "maximum": self.at_most}
        one = {"type": "integer"} | {name: bound for name, bound in bounds.items() if bound is not None}
        pair = {"type": "array", "prefixItems": [one, one], "minItems": 2, "maxItems": 2}
        return {"anyOf": [one, pair, DISTRIBUTION_SCHEMA]}


def drawn_count(draw: Draw, setting: int | tuple[int, int]) -> int:
    """Return a fixed number as it is (nothing is drawn), or draw: evenly from a pair, or one of a `Choice`."""
    if isinstance(setting, Distribution):
        return int(setting.drawn(draw))
    return draw.integer(*setting) if isinstance(setting, tuple) else setting


QuarterTurns = Annotated[int | tuple[int, int], CountRange(-1000, 1000)]
SideLengths = Annotated[int | tuple[int, int], CountRange(1)]
"""Pixels of a side, fixed or a range."""
CountOrRange = Annotated[int | tuple[int, int], CountRange(1)]
"""A whole number from 1, or a pair (low, high) to draw one from."""
PartCount = Annotated[int | tuple[int, int], CountRange(0, 1000)]
"""How many of some steps, fixed or a range."""
Changes = Annotated[int | tuple[int, int], CountRange(1, 14)]
"""How many of the changes of a policy, fixed or a range."""
Magnitude = Annotated[int, WholeNumber(1, 30)]
"""The strength of a policy, of 30."""


@dataclass(frozen=True)
class _Corner(Parsed):
    def parse(self, value: Any) -> int | tuple[int, ...]:
        parts = tuple(value) if isinstance(value, tuple | list | np.ndarray) else (value,)
        numbers = [number for part in parts if (number := whole(part)) is not None and number >= 0]
        if len(numbers) == len(parts) and (len(parts) in (2, 3) or not isinstance(value, tuple | list)):
            return tuple(numbers) if len(parts) > 1 else numbers[0]
        raise ValueError(
            f"expected a pixel from 0 for all axes, or (row, column) or (slice, row, column), got {value!r:.80}"
        )

    def schema(self) -> dict[str, Any]:
        one = {"type": "integer", "minimum": 0}
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 2, "maxItems": 3}]}


Corner = Annotated[int | tuple[int, ...], _Corner()]
"""A pixel counted from 0, one number for all spatial axes or one for each."""

"""The types of step parameters: each says in one sentence what it takes, and refuses the rest with it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = [
    "Count",
    "Matrix",
    "Mode",
    "Natural",
    "NaturalRange",
    "Number",
    "NumberOrRange",
    "Order",
    "Padding",
    "PerChannel",
    "PositiveNumber",
    "PositiveRange",
    "Probability",
    "Range",
    "RangePerAxis",
    "Size",
    "Whole",
]

Mode = Literal[
    "reflect", "grid-mirror", "constant", "grid-constant", "nearest", "mirror", "grid-wrap", "wrap"
]  # fmt: skip
"""SciPy's names for what lies beyond the border."""


def _number(value: object) -> float | None:
    """Return a finite float, or None for anything that is not a number; numbers in strings are not."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return (
        number + 0.0 if math.isfinite(number) else None
    )  # adding 0 makes 0 of -0: one value, one fingerprint


def _whole(value: object) -> int | None:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 1 << 31:
        return None
    return value


class _Parsed:
    """A pydantic annotation that parses with one function and describes itself in JSON Schema."""

    def parse(self, value: Any) -> Any:
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return self.schema()


@dataclass(frozen=True)
class _Number(_Parsed):
    above: float | None = None
    at_least: float | None = None

    def _says(self) -> str:
        if self.above is not None:
            return f"a number above {self.above:g}"
        return "a number" if self.at_least is None else f"a number of at least {self.at_least:g}"

    def parse(self, value: Any) -> Any:
        number = _number(value)
        too_low = number is not None and (
            (self.above is not None and number <= self.above)
            or (self.at_least is not None and number < self.at_least)
        )
        if number is None or too_low:
            raise ValueError(f"expected {self._says()}, got {value!r:.80}")
        return number

    def schema(self) -> dict[str, Any]:
        bounds = {"exclusiveMinimum": self.above, "minimum": self.at_least}
        return {"type": "number"} | {name: bound for name, bound in bounds.items() if bound is not None}


@dataclass(frozen=True)
class NumberOrRange(_Number):
    """A number is fixed; a pair (low, high) is a range from which each picture draws evenly."""

    def parse(self, value: Any) -> Any:
        """Return a float, or a tuple of two floats with low <= high."""
        if isinstance(value, tuple | list | np.ndarray):
            pair = [_number(part) for part in value]
            if len(pair) == 2 and pair[0] is not None and pair[1] is not None and pair[0] <= pair[1]:
                return (super().parse(pair[0]), super().parse(pair[1]))
        elif (number := _number(value)) is not None:
            return super().parse(number)
        raise ValueError(
            f"expected {self._says()}, or a pair (low, high) with low <= high, got {value!r:.80}"
        )

    def schema(self) -> dict[str, Any]:
        """JSON Schema of both forms."""
        one = super().schema()
        return {"anyOf": [one, {"type": "array", "prefixItems": [one, one], "minItems": 2, "maxItems": 2}]}


@dataclass(frozen=True)
class _RangePerAxis(_Parsed):
    def parse(self, value: Any) -> tuple[float | tuple[float, float], ...]:
        if not isinstance(value, tuple | list | np.ndarray) or len(value) not in (2, 3):
            raise ValueError(
                "expected one entry a spatial axis, such as (rows, columns), each a number or a pair (low, high), "
                f"got {value!r:.80}"
            )
        return tuple(NumberOrRange().parse(entry) for entry in value)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": NumberOrRange().schema(), "minItems": 2, "maxItems": 3}


@dataclass(frozen=True)
class _Whole(_Parsed):
    at_least: int | None = None
    at_most: int | None = None

    def parse(self, value: Any) -> int:
        number = _whole(value)
        low, high = self.at_least, self.at_most
        if number is None or (low is not None and number < low) or (high is not None and number > high):
            bounds = (
                f" from {low} to {high}" if high is not None else "" if low is None else f" of at least {low}"
            )
            raise ValueError(f"expected a whole number{bounds}, got {value!r:.80}")
        return number

    def schema(self) -> dict[str, Any]:
        bounds = {"minimum": self.at_least, "maximum": self.at_most}
        return {"type": "integer"} | {name: bound for name, bound in bounds.items() if bound is not None}


@dataclass(frozen=True)
class _Size(_Parsed):
    def parse(self, value: Any) -> tuple[int, ...]:
        if isinstance(value, tuple | list | np.ndarray) and len(value) in (2, 3):
            lengths = [_whole(part) for part in value]
            if all(length is not None and length > 0 for length in lengths):
                return tuple(length for length in lengths if length is not None)
        hint = f"; write ({value}, {value})" if _whole(value) is not None else ""
        raise ValueError(
            f"expected (height, width) or (depth, height, width) in pixels, got {value!r:.80}{hint}"
        )

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2, "maxItems": 3}


@dataclass(frozen=True)
class _PerChannel(_Parsed):
    def parse(self, value: Any) -> float | tuple[float, ...]:
        if isinstance(value, tuple | list | np.ndarray) and len(value) > 0:
            parts = [_number(part) for part in value]
            if None not in parts:
                return tuple(part for part in parts if part is not None)
        elif (number := _number(value)) is not None:
            return number
        raise ValueError(f"expected a number, or a list of one number a channel, got {value!r:.80}")

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}, "minItems": 1}]}


@dataclass(frozen=True)
class _Padding(_Parsed):
    def parse(self, value: Any) -> int | tuple[tuple[int, int], ...]:
        if (number := _whole(value)) is not None and number >= 0:
            return number
        if isinstance(value, tuple | list | np.ndarray) and len(value) in (2, 3):
            pairs: list[tuple[int, int]] = []
            for entry in value:
                sides = [
                    _whole(side) for side in (entry if isinstance(entry, tuple | list) else (entry, entry))
                ]
                if len(sides) == 2 and sides[0] is not None and sides[1] is not None and min(sides) >= 0:  # type: ignore[type-var]
                    pairs.append((sides[0], sides[1]))
            if len(pairs) == len(value):
                return tuple(pairs)
        raise ValueError(
            "expected pixels on every side, or one entry a spatial axis, each pixels on both sides or "
            f"(before, after), got {value!r:.80}"
        )

    def schema(self) -> dict[str, Any]:
        pixels = {"type": "integer", "minimum": 0}
        pair = {"type": "array", "items": pixels, "minItems": 2, "maxItems": 2}
        axes = {"type": "array", "items": {"anyOf": [pixels, pair]}, "minItems": 2, "maxItems": 3}
        return {"anyOf": [pixels, axes]}


@dataclass(frozen=True)
class _Matrix(_Parsed):
    def parse(self, value: Any) -> tuple[tuple[float, ...], ...]:
        says = "expected a matrix of 2 x 2, 2 x 3 or 3 x 3 numbers for pictures, 3 x 3, 3 x 4 or 4 x 4 for volumes"
        if not isinstance(value, tuple | list | np.ndarray):
            raise ValueError(f"{says}, got {value!r:.80}")
        rows: list[tuple[float, ...]] = []
        for row in value:
            numbers = (
                [_number(part) for part in row] if isinstance(row, tuple | list | np.ndarray) else [None]
            )
            rows.append(tuple(number for number in numbers if number is not None))
            if None in numbers:
                raise ValueError(f"{says}, got {value!r:.80}")
        shape = (len(rows), len(rows[0]) if rows else 0)
        if shape not in ((2, 2), (2, 3), (3, 3), (3, 4), (4, 4)) or {len(row) for row in rows} != {shape[1]}:
            raise ValueError(f"{says}, got {value!r:.80}")
        return tuple(rows)

    def schema(self) -> dict[str, Any]:
        row = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 4}
        return {"type": "array", "items": row, "minItems": 2, "maxItems": 4}


Number = Annotated[float, _Number()]
"""A finite number."""
PositiveNumber = Annotated[float, _Number(above=0)]
Range = Annotated[float | tuple[float, float], NumberOrRange()]
"""A fixed number, or a pair (low, high) to draw from."""
PositiveRange = Annotated[float | tuple[float, float], NumberOrRange(above=0)]
NaturalRange = Annotated[float | tuple[float, float], NumberOrRange(at_least=0)]
RangePerAxis = Annotated[tuple[float | tuple[float, float], ...], _RangePerAxis()]
"""A fixed number or a range for each spatial axis; each axis draws for itself."""
Padding = Annotated[int | tuple[int | tuple[int, int], ...], _Padding()]
"""Pixels on every side, or for each spatial axis; parsed to (before, after) for each."""
Matrix = Annotated[tuple[tuple[float, ...], ...], _Matrix()]
Whole = Annotated[int, _Whole()]
"""A whole number."""
Natural = Annotated[int, _Whole(at_least=0)]
Count = Annotated[int, _Whole(at_least=1)]
Order = Annotated[int, _Whole(at_least=0, at_most=5)]
"""Spline order: 0 nearest, 1 linear, 2 to 5 smoother."""
Size = Annotated[tuple[int, ...], _Size()]
"""Spatial lengths (H, W) or (D, H, W)."""
PerChannel = Annotated[float | tuple[float, ...], _PerChannel()]
"""One number for all channels, or one for each."""
Probability = Annotated[float, Field(ge=0, le=1, strict=True)]

"""The types of step parameters: each says in one sentence what it takes, and refuses anything else with it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from offgraph.core.arguments import finite_number
from offgraph.core.axes import SPATIAL
from offgraph.core.distributions import Distribution, is_distribution, parse_distribution

__all__ = [
    "DISTRIBUTION_SCHEMA",
    "AxisCount",
    "AxisRange",
    "AxisSize",
    "AxisSizeOrFile",
    "Count",
    "CropSize",
    "Extent",
    "Matrix",
    "Mode",
    "Natural",
    "NaturalAxisRange",
    "NaturalRange",
    "NonNegativeNumber",
    "Number",
    "NumberOrRange",
    "OrPerAxis",
    "Order",
    "Padding",
    "Parsed",
    "PerAxis",
    "PerChannel",
    "PositiveAxisRange",
    "PositiveNumber",
    "PositiveRange",
    "Probability",
    "Range",
    "Reach",
    "Share",
    "ShareRange",
    "Shift",
    "Size",
    "Whole",
    "WholeNumber",
    "along_axes",
    "in_pixels",
    "is_range",
    "whole",
]

DISTRIBUTION_SCHEMA: dict[str, Any] = {"distribution": True}
"""Stands for a distribution until the schema is made, as `STEP_SCHEMA` for a step."""

Mode = Literal[
    "reflect", "grid-mirror", "constant", "grid-constant", "nearest", "mirror", "grid-wrap", "wrap"
]  # fmt: skip
"""SciPy's names for what lies beyond the border."""


def _number(value: object) -> float | None:
    """Return a finite float, or None for anything that is not a number."""
    number = finite_number(value)
    return None if number is None else number + 0.0  # makes 0 of -0: one value, one fingerprint


def whole(value: object) -> int | None:
    """Return an int that fits 32 bits, or None for anything else; bool is not a number."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 1 << 31:
        return None
    return value


_PERCENT = re.compile(r"\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+))\s*%\s*")


def _percent(value: object) -> str | None:
    """Return a share of an axis, such as ``"10%"``, in its one form; None for anything else."""
    match = _PERCENT.fullmatch(value) if isinstance(value, str) and len(value) < 40 else None
    if match is None or abs(number := float(match[1]) + 0.0) > 1e6:
        return None
    return f"{number!r}%".replace(".0%", "%")


def in_pixels(setting: Any, n: int) -> Any:
    """Return a length, or a pair of them, in pixels: a share such as ``"10%"`` is one of an axis of `n`."""
    if isinstance(setting, Distribution):
        return setting
    if isinstance(setting, tuple):
        return tuple(in_pixels(part, n) for part in setting)
    return n * float(setting[:-1]) / 100 if isinstance(setting, str) else setting


class PerAxis(Mapping[str, Any]):
    """A value for each of some axes: ``{"Z": 1, "YX": 2}``; axes under one key share it, and what it draws.

    Parameters
    ----------
    entries : mapping or iterable of pairs
        Letters of Z, Y and X, each at most once, and the value.
    """

    def __init__(self, entries: Mapping[str, Any] | Sequence[tuple[str, Any]]) -> None:
        pairs = list(entries.items()) if isinstance(entries, Mapping) else list(entries)
        ordered = [("".join(sorted(key, key=SPATIAL.index)), value) for key, value in pairs]
        self._entries = dict(sorted(ordered, key=lambda pair: SPATIAL.index(pair[0][0])))

    def __getitem__(self, axes: str) -> Any:
        return self._entries[axes]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __hash__(self) -> int:
        return hash(tuple(self._entries.items()))

    def __repr__(self) -> str:
        return repr(self._entries)


def along_axes(name: str, value: Any, axes: str, otherwise: float) -> list[Any]:
    """Return one value for each of an image's spatial axes.

    Parameters
    ----------
    name : str
        What messages call the parameter.
    value : number or mapping
        One for all axes, or as `PerAxis` has them.
    axes : str
        The spatial axes, in order.
    otherwise : number
        For axes that a mapping does not name: what leaves them as they are.

    Raises
    ------
    ValueError
        For an axis that the image does not have.
    """
    if isinstance(value, int | float | tuple):
        return [value] * len(axes)
    missing = sorted(set("".join(value)) - set(axes), key=SPATIAL.index)
    if missing:
        raise ValueError(
            f"{name}={dict(value)} names the axis {', '.join(missing)}, the image has the spatial axes {axes}"
        )
    return [next((part for key, part in value.items() if axis in key), otherwise) for axis in axes]


_GROUPS = ["".join(group) for n in (1, 2, 3) for group in itertools.combinations(SPATIAL, n)]


def _parse_axes(value: Any, parse: Callable[[Any], Any], says: str) -> PerAxis:
    """Parse a mapping from axes to values, each by itself."""
    keys = list(value)
    letters = "".join(key for key in keys if isinstance(key, str))
    if (
        not keys
        or not all(isinstance(key, str) and key for key in keys)
        or not set(letters) <= set(SPATIAL)
        or len(set(letters)) != len(letters)
    ):
        raise ValueError(
            f"expected {says} for each axis by its name, such as {{'Z': …, 'YX': …}}, got {value!r:.80}"
        )
    return PerAxis({key: parse(value[key]) for key in keys})


def _named_axes(value: Any) -> str:
    """What to write in place of one number for each axis in a row, which SciPy takes; nothing for other values."""
    if not isinstance(value, tuple | list | np.ndarray) or len(value) not in (2, 3):
        return ""
    if any(_number(part) is None for part in value):
        return ""
    named = ", ".join(f"{axis!r}: {part!r:.20}" for axis, part in zip(SPATIAL[-len(value) :], value))
    return f"; for one value per axis write {{{named}}}"


def _axes_schema(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "propertyNames": {"enum": _GROUPS},
        "additionalProperties": one,
        "minProperties": 1,
    }


def _worked_out(value: object) -> str:
    """Say which number a fraction such as ``"1/255"`` is: recipe files hold numbers, not sums."""
    parts = value.split("/") if isinstance(value, str) and len(value) < 80 else []
    if len(parts) != 2:
        return ""
    try:
        return f"; write {float(parts[0]) / float(parts[1])!r}"
    except (ValueError, ZeroDivisionError):
        return ""


class Parsed:
    """A pydantic annotation that parses with one function and describes itself in JSON Schema."""

    def parse(self, value: Any) -> Any:
        """Return the canonical value.

        Raises
        ------
        ValueError
            Saying what is expected and what was given.
        """
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what is taken."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return self.schema()


@dataclass(frozen=True)
class _Number(Parsed):
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    def _says(self) -> str:
        if self.above is not None:
            return f"a number above {self.above:g}"
        if self.at_most is not None:
            return f"a number from {self.at_least:g} to {self.at_most:g}"
        return "a number" if self.at_least is None else f"a number of at least {self.at_least:g}"

    def parse(self, value: Any) -> Any:
        number = _number(value)
        outside = number is not None and (
            (self.above is not None and number <= self.above)
            or (self.at_least is not None and number < self.at_least)
            or (self.at_most is not None and number > self.at_most)
        )
        if number is None or outside:
            raise ValueError(f"expected {self._says()}, got {value!r:.80}{_worked_out(value)}")
        return number

    def schema(self) -> dict[str, Any]:
        bounds = {"exclusiveMinimum": self.above, "minimum": self.at_least, "maximum": self.at_most}
        return {"type": "number"} | {name: bound for name, bound in bounds.items() if bound is not None}


@dataclass(frozen=True)
class NumberOrRange(_Number):
    """A number is fixed; a pair (low, high) is a range from which each image draws evenly, a distribution says how."""

    def parse(self, value: Any) -> Any:
        """Return a float, a tuple of two floats with low <= high, or a distribution."""
        if is_distribution(value):
            return self._distribution(parse_distribution(value))
        if isinstance(value, tuple | list | np.ndarray):
            pair = [_number(part) for part in value]
            if len(pair) == 2 and pair[0] is not None and pair[1] is not None and pair[0] <= pair[1]:
                return (super().parse(pair[0]), super().parse(pair[1]))
        elif (number := _number(value)) is not None:
            return super().parse(number)
        raise ValueError(
            f"expected {self._says()}, or a pair (low, high) with low <= high, got {value!r:.80}{_worked_out(value)}"
        )

    def _distribution(self, found: Any) -> Any:
        for end in found:
            try:
                super().parse(end)
            except ValueError:
                raise ValueError(f"expected {self._says()}, and {found!r:.80} may give {end:g}") from None
        return found

    def schema(self) -> dict[str, Any]:
        """JSON Schema of both forms."""
        one = super().schema()
        pair = {"type": "array", "prefixItems": [one, one], "minItems": 2, "maxItems": 2}
        return {"anyOf": [one, pair, DISTRIBUTION_SCHEMA]}


@dataclass(frozen=True)
class OrPerAxis(Parsed):
    """One value for all spatial axes, or one for each axis by its name.

    Parameters
    ----------
    one : annotation
        What each value is.
    says : str
        That in words, for errors.
    """

    one: Parsed
    says: str

    def parse(self, value: Any) -> Any:
        """Return what `one` gives, or `PerAxis` of them."""
        if isinstance(value, Mapping) and not is_distribution(value):
            return _parse_axes(value, self.one.parse, self.says)
        try:
            return self.one.parse(value)
        except ValueError as error:
            raise ValueError(f"{error}{_named_axes(value)}") from None

    def schema(self) -> dict[str, Any]:
        """JSON Schema of all forms."""
        one = self.one.schema()
        return {"anyOf": [*one.get("anyOf", [one]), _axes_schema(one)]}


class _OrFile(OrPerAxis):
    """The same, or the word ``file``: each image's file declares it."""

    def parse(self, value: Any) -> Any:
        return "file" if isinstance(value, str) and value == "file" else super().parse(value)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [*super().schema()["anyOf"], {"const": "file"}]}


def is_range(annotation: Any) -> bool:
    """Whether values of a field with this annotation may be ranges, from which each image draws."""
    return isinstance(annotation.one if isinstance(annotation, OrPerAxis) else annotation, NumberOrRange)


def _range_per_axis(**bounds: float) -> OrPerAxis:
    return OrPerAxis(NumberOrRange(**bounds), "a number or a pair (low, high)")


@dataclass(frozen=True)
class _Shift(Parsed):
    """Pixels or shares of each spatial axis, fixed or drawn."""

    def parse(self, value: Any) -> tuple[Any, ...] | PerAxis:
        if isinstance(value, Mapping):
            return _parse_axes(value, self._entry, "a number, a share or a pair (low, high)")
        if not isinstance(value, tuple | list | np.ndarray) or len(value) not in (2, 3):
            raise ValueError(
                "expected one entry per spatial axis, such as (rows, columns), each a number or a pair (low, high), "
                f"got {value!r:.80}"
            )
        return tuple(self._entry(entry) for entry in value)

    def _entry(self, value: Any) -> Any:
        if (share := _percent(value)) is not None:
            return share
        if isinstance(value, tuple | list) and len(value) == 2:
            low, high = (_percent(part) for part in value)
            if low is not None and high is not None and float(low[:-1]) <= float(high[:-1]):
                return (low, high)
        if isinstance(value, str) or (
            isinstance(value, tuple | list) and any(isinstance(v, str) for v in value)
        ):
            raise ValueError(
                f"expected pixels, a share such as '10%', or a pair (low, high) of either, got {value!r:.80}"
            )
        return NumberOrRange().parse(value)

    def schema(self) -> dict[str, Any]:
        share = {"type": "string", "pattern": "%$"}
        pair = {"type": "array", "items": share, "minItems": 2, "maxItems": 2}
        one = {"anyOf": [*NumberOrRange().schema()["anyOf"], share, pair]}
        return {"anyOf": [{"type": "array", "items": one, "minItems": 2, "maxItems": 3}, _axes_schema(one)]}


@dataclass(frozen=True)
class _Extent(_Shift):
    """Pixels or a share of an axis, fixed or drawn, from 0."""

    def parse(self, value: Any) -> Any:
        entry = self._entry(value)
        low = in_pixels(entry[0] if isinstance(entry, tuple) else entry, 100)
        if low < 0:
            raise ValueError(f"expected pixels or a share of at least 0, got {value!r:.80}")
        return entry

    def schema(self) -> dict[str, Any]:
        share = {"type": "string", "pattern": "%$"}
        pair = {"type": "array", "items": share, "minItems": 2, "maxItems": 2}
        return {"anyOf": [*NumberOrRange(at_least=0).schema()["anyOf"], share, pair]}


@dataclass(frozen=True)
class WholeNumber(Parsed):
    """A whole number.

    Parameters
    ----------
    at_least, at_most : int, optional
        What is taken.
    """

    at_least: int | None = None
    at_most: int | None = None

    def parse(self, value: Any) -> int:
        number = whole(value)
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
class _Size(Parsed):
    """One length for all spatial axes, or one for each.

    Parameters
    ----------
    also : str
        What an entry may be besides pixels: 'None', one length left to the aspect, or '10%', a share of the axis.
    """

    also: Literal["None", "10%"]

    def parse(self, value: Any) -> int | str | tuple[int | str | None, ...]:
        length = self._length(value)
        if length is not None and length is not False:
            return length
        if isinstance(value, tuple | list | np.ndarray) and len(value) in (2, 3):
            lengths = tuple(self._length(part) for part in value)
            if False not in lengths and (
                self.also != "None" or None not in lengths or len(lengths) - lengths.count(None) == 1
            ):
                return lengths
        besides = {
            "None": "; one length alone, the others None, keeps the aspect",
            "10%": "; an entry may be a share of the axis, such as '10%'",
        }[self.also]
        raise ValueError(
            "expected one length for all axes, or (height, width) or (depth, height, width), in pixels of at least 1"
            f"{besides}; got {value!r:.80}"
        )

    def _length(self, value: Any) -> int | str | Literal[False] | None:
        """The canonical entry; False for what is none."""
        if value is None and self.also == "None":
            return None
        if self.also == "10%" and (share := _percent(value)) is not None and float(share[:-1]) > 0:
            return share
        number = whole(value)
        return number if number is not None and number > 0 else False

    def schema(self) -> dict[str, Any]:
        pixels = {"type": "integer", "minimum": 1}
        besides = {"type": "null"} if self.also == "None" else {"type": "string", "pattern": "%$"}
        sides = {"type": "array", "items": {"anyOf": [pixels, besides]}, "minItems": 2, "maxItems": 3}
        return {"anyOf": [pixels, sides, *([besides] if self.also == "10%" else [])]}


@dataclass(frozen=True)
class _PerChannel(Parsed):
    def parse(self, value: Any) -> float | tuple[float, ...]:
        if isinstance(value, tuple | list | np.ndarray) and len(value) > 0:
            parts = [_number(part) for part in value]
            if None not in parts:
                return tuple(part for part in parts if part is not None)
        elif (number := _number(value)) is not None:
            return number
        raise ValueError(f"expected a number, or a list of one number per channel, got {value!r:.80}")

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}, "minItems": 1}]}


@dataclass(frozen=True)
class _Padding(Parsed):
    def parse(self, value: Any) -> int | str | tuple[tuple[int | str, int | str], ...]:
        if (number := self._side(value)) is not None:
            return number
        if isinstance(value, tuple | list | np.ndarray) and len(value) in (2, 3):
            pairs: list[tuple[int | str, int | str]] = []
            for entry in value:
                sides = [
                    self._side(side)
                    for side in (entry if isinstance(entry, tuple | list) else (entry, entry))
                ]
                if len(sides) == 2 and sides[0] is not None and sides[1] is not None:
                    pairs.append((sides[0], sides[1]))
            if len(pairs) == len(value):
                return tuple(pairs)
        raise ValueError(
            "expected pixels on every side, or one entry per spatial axis, each pixels on both sides or "
            f"(before, after); pixels may be a share of the axis, such as '10%'; got {value!r:.80}"
        )

    def _side(self, value: Any) -> int | str | None:
        if (share := _percent(value)) is not None:
            return share if float(share[:-1]) >= 0 else None
        number = whole(value)
        return number if number is not None and number >= 0 else None

    def schema(self) -> dict[str, Any]:
        pixels = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "%$"}]}
        pair = {"type": "array", "items": pixels, "minItems": 2, "maxItems": 2}
        axes = {"type": "array", "items": {"anyOf": [pixels, pair]}, "minItems": 2, "maxItems": 3}
        return {"anyOf": [pixels, axes]}


@dataclass(frozen=True)
class _Matrix(Parsed):
    def parse(self, value: Any) -> tuple[tuple[float, ...], ...]:
        says = (
            "expected a matrix of 2 x 2, 2 x 3 or 3 x 3 numbers for images, 3 x 3, 3 x 4 or 4 x 4 for volumes"
        )
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
NonNegativeNumber = Annotated[float, _Number(at_least=0)]
NaturalRange = Annotated[float | tuple[float, float], NumberOrRange(at_least=0)]
Share = Annotated[float, _Number(at_least=0, at_most=1)]
"""A number from 0 to 1."""
ShareRange = Annotated[float | tuple[float, float], NumberOrRange(at_least=0, at_most=1)]
AxisRange = Annotated[float | tuple[float, float] | PerAxis, _range_per_axis()]
"""A `Range` for all spatial axes, or one for each by its name: ``{"Z": 1, "YX": (1, 2)}``."""
PositiveAxisRange = Annotated[float | tuple[float, float] | PerAxis, _range_per_axis(above=0)]
NaturalAxisRange = Annotated[float | tuple[float, float] | PerAxis, _range_per_axis(at_least=0)]
Shift = Annotated[tuple[Any, ...] | PerAxis, _Shift()]
"""Pixels or a share such as ``"10%"``, fixed or a range, for each spatial axis; each axis draws for itself."""
Extent = Annotated[
    float | str | tuple[Any, Any] | PerAxis, OrPerAxis(_Extent(), "pixels, a share or a pair (low, high)")
]
"""Pixels or a share of the axis such as ``"5%"``, from 0, fixed or a range; or one of them for each axis by its name."""
Reach = Annotated[float | str | tuple[Any, Any], _Extent()]
"""Pixels or a share of a side such as ``"5%"``, from 0, fixed or a range."""
Padding = Annotated[int | str | tuple[int | tuple[int, int], ...], _Padding()]
"""Pixels on every side, or for each spatial axis; parsed to (before, after) for each."""
Matrix = Annotated[tuple[tuple[float, ...], ...], _Matrix()]
Whole = Annotated[int, WholeNumber()]
"""A whole number."""
Natural = Annotated[int, WholeNumber(at_least=0)]
Count = Annotated[int, WholeNumber(at_least=1)]
AxisCount = Annotated[int | PerAxis, OrPerAxis(WholeNumber(at_least=1), "a whole number")]
"""A whole number from 1 for all spatial axes, or one for each by its name."""
AxisSize = Annotated[float | PerAxis, OrPerAxis(_Number(above=0), "a number above 0")]
"""A number above 0 for all spatial axes, or one for each by its name."""
AxisSizeOrFile = Annotated[float | str | PerAxis, _OrFile(_Number(above=0), "a number above 0")]
"""The same, or ``"file"``: what the file of each image declares."""
Order = Annotated[int, WholeNumber(at_least=0, at_most=5)]
"""Spline order: 0 nearest, 1 linear, 2 to 5 smoother."""
Size = Annotated[int | tuple[int | None, ...], _Size("None")]
"""One length for all spatial axes, or (H, W) or (D, H, W); all but one None keeps the aspect."""
CropSize = Annotated[int | str | tuple[int | str, ...], _Size("10%")]
"""One length for all spatial axes, or (H, W) or (D, H, W), each in pixels or a share of the axis."""
PerChannel = Annotated[float | tuple[float, ...], _PerChannel()]
"""One number for all channels, or one for each."""
Probability = Annotated[float, Field(ge=0, le=1, strict=True)]

"""What may stand beside a range (low, high) in a step's parameter: other ways to draw a number.

Each is a pair of its least and greatest value besides, so that whoever asks a setting for its ends need not know of them.
All draw from the words of a `Draw` by ``+ - * /`` and square roots, which IEEE 754 rounds correctly, so that a value is
equal in every bit on every machine; where a logarithm or a quantile is needed, the class says how.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from offgraph.core.errors import ArgumentError

if TYPE_CHECKING:
    from offgraph.core.random import Draw

__all__ = [
    "Beta",
    "Choice",
    "Distribution",
    "Integer",
    "LogUniform",
    "Normal",
    "Uniform",
    "distribution_schema",
    "drawn_log_uniform",
    "is_distribution",
    "parse_distribution",
]


class Distribution(tuple[float, float]):
    """A way to draw a number: a pair of its ends, (low, high), and what else it takes."""

    kind: ClassVar[str] = ""
    numbers: tuple[float, ...]
    """What it was made of, as plain numbers."""

    def __new__(cls, *args: Any, **options: Any) -> Self:
        """Parse the arguments; each class says which."""
        raise NotImplementedError

    @classmethod
    def _made(cls, low: float, high: float, numbers: Sequence[float]) -> Self:
        made = tuple.__new__(cls, (low, high))
        made.numbers = tuple(numbers)
        return made

    def drawn(self, draw: Draw) -> float:
        """Draw a number."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Return it as a recipe file holds it: the name of the kind, and its numbers."""
        return {self.kind: list(self.numbers)}

    def _identity(self) -> tuple[Any, ...]:
        return (self.kind, self.numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Distribution) and self._identity() == other._identity()

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.numbers))})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), self.numbers)


class Uniform:
    """Evenly from low to high: the pair (low, high), by a name.

    Parameters
    ----------
    low, high : float

    Returns
    -------
    tuple of float

    Raises
    ------
    ArgumentError
        For what is not a pair of numbers with low <= high.

    Examples
    --------
    >>> import offgraph as og
    >>> og.Uniform(-15, 15)
    (-15.0, 15.0)
    """

    def __new__(cls, low: float, high: float) -> Any:
        """Return the pair."""
        return _ends("Uniform", low, high)


class Integer(Distribution):
    """Evenly from the whole numbers low, low + 1, ..., high, both included.

    Parameters
    ----------
    low, high : int

    Raises
    ------
    ArgumentError
        For other than whole numbers with low <= high.

    Examples
    --------
    >>> import offgraph as og
    >>> og.Draw(og.Key(seed=7), "step").value(og.Integer(1, 6))
    3.0
    """

    kind = "integer"

    def __new__(cls, low: int, high: int) -> Self:
        """Parse both ends."""
        first, last = _ends("Integer", low, high)
        if first % 1 or last % 1 or max(abs(first), abs(last)) > 2**53:
            raise ArgumentError(f"Integer({low!r:.40}, {high!r:.40}): give whole numbers")
        return cls._made(first, last, (int(first), int(last)))

    def drawn(self, draw: Draw) -> float:
        """One word, as `Draw.integer`."""
        return draw.integer(int(self[0]), int(self[1]))


class LogUniform(Distribution):
    """From low to high such that the logarithm is even: each factor is as likely as the next.

    Parameters
    ----------
    low, high : float
        Above 0.

    Raises
    ------
    ArgumentError
        For other than numbers above 0 with low <= high.

    Notes
    -----
    ``low * (high / low) ** u`` with u of 32 bits. The power is a product, over the bits of u, of the square root of high / low,
    its square root, and so on: no `pow`, which C libraries round differently.

    Examples
    --------
    >>> import offgraph as og
    >>> round(og.Draw(og.Key(seed=7), "step").value(og.LogUniform(0.1, 10)), 6)
    2.397799
    """

    kind = "log_uniform"

    def __new__(cls, low: float, high: float) -> Self:
        """Parse both ends."""
        first, last = _ends("LogUniform", low, high)
        if first <= 0:
            raise ArgumentError(f"LogUniform: low={low!r:.40}: give a number above 0")
        return cls._made(first, last, (first, last))

    def drawn(self, draw: Draw) -> float:
        """One word."""
        return drawn_log_uniform(draw, self[0], self[1])


class Normal(Distribution):
    """Normally distributed about a mean, and limited: what falls outside is drawn again.

    Parameters
    ----------
    mean : float
    sd : float
        Standard deviation, above 0.
    low, high : float, optional
        By default five standard deviations from the mean, which one draw in two million is limited by. The mean lies
        between, and they are a quarter of `sd` apart at least: a narrower range is as good as even.

    Raises
    ------
    ArgumentError
        For other numbers.

    Notes
    -----
    Ratios of uniform numbers (Kinderman and Monahan 1977, with the bounds of Leva 1992). The value is a quotient of numbers
    that every machine has alike; a logarithm decides one time in a hundred whether it is taken, and nothing else.

    Examples
    --------
    >>> import offgraph as og
    >>> og.Normal(1, 0.1, low=0.75)
    Normal(1.0, 0.1, 0.75, 1.5)
    >>> round(og.Draw(og.Key(seed=7), "step").value(og.Normal(0, 5)), 6)
    9.587452
    """

    kind = "normal"

    def __new__(cls, mean: float, sd: float, low: float | None = None, high: float | None = None) -> Self:
        """Parse all."""
        centre, width = _number("Normal", "mean", mean), _number("Normal", "sd", sd)
        if width <= 0:
            raise ArgumentError(f"Normal: sd={sd!r:.40}: give a number above 0")
        first = centre - 5 * width if low is None else _number("Normal", "low", low)
        last = centre + 5 * width if high is None else _number("Normal", "high", high)
        if not first <= centre <= last or last - first < width / 4 or math.isinf(last - first):
            raise ArgumentError(
                f"Normal({centre:g}, {width:g}): low={first:g}, high={last:g}: give limits on both sides of the mean, a quarter of "
                "sd apart at least; a narrower range is as good as even: write (low, high)"
            )
        is_usual = (first, last) == (centre - 5 * width, centre + 5 * width)
        return cls._made(first, last, (centre, width) if is_usual else (centre, width, first, last))

    def drawn(self, draw: Draw) -> float:
        """Two words for each try; nearly three of four are taken, if nothing is limited."""
        mean, sd = self.numbers[:2]
        while True:
            value = mean + sd * _standard_normal(draw)
            if self[0] <= value <= self[1]:
                return value


class Beta(Distribution):
    """The distribution Beta(a, b), stretched from low to high.

    Parameters
    ----------
    a, b : float
        Above 0: 1 and 1 is even, larger ones crowd in the middle, smaller ones at the ends.
    low, high : float

    Raises
    ------
    ArgumentError
        For other numbers.

    Notes
    -----
    The quantile of one uniform number, from SciPy, rounded to 2**-24: what libraries give for it differs in its last bits.

    Examples
    --------
    >>> import offgraph as og
    >>> round(og.Draw(og.Key(seed=7), "step").value(og.Beta(2, 5, 0.5, 1.5)), 6)
    0.854833
    """

    kind = "beta"

    def __new__(cls, a: float, b: float, low: float = 0.0, high: float = 1.0) -> Self:
        """Parse all."""
        shapes = _number("Beta", "a", a), _number("Beta", "b", b)
        if min(shapes) <= 0:
            raise ArgumentError(f"Beta({a!r:.40}, {b!r:.40}): give numbers above 0")
        first, last = _ends("Beta", low, high)
        return cls._made(first, last, (*shapes, first, last) if (first, last) != (0, 1) else shapes)

    def drawn(self, draw: Draw) -> float:
        """One word."""
        from scipy.special import betaincinv  # takes 30 ms to import

        place = (draw.word() >> 11) * 2.0**-53
        share = round(float(betaincinv(*self.numbers[:2], place)) * 2**24) / 2**24
        return min(max(self[0] + (self[1] - self[0]) * share, self[0]), self[1])


class Choice(Distribution):
    """One of some numbers, all as likely, or by weights.

    Parameters
    ----------
    values : sequence of float
        From 1 to 1,000.
    weights : sequence of float, optional
        One for each, from 0.

    Raises
    ------
    ArgumentError
        For no values, and for weights that are not one for each and above 0 in sum.

    Examples
    --------
    >>> import offgraph as og
    >>> og.Draw(og.Key(seed=7), "step").value(og.Choice([0, 90, 180], weights=[0.5, 0.25, 0.25]))
    90.0
    """

    kind = "choice"
    weights: tuple[float, ...] | None

    def __new__(cls, values: Sequence[float], weights: Sequence[float] | None = None) -> Self:
        """Parse both."""
        if isinstance(values, str | bytes) or not isinstance(values, Sequence) or not 0 < len(values) <= 1000:
            raise ArgumentError(f"Choice: values={values!r:.60}: give a list of 1 to 1,000 numbers")
        numbers = [_number("Choice", "values", value) for value in values]
        made = cls._made(min(numbers), max(numbers), numbers)
        made.weights = None
        if weights is not None:
            shares = (
                tuple(_number("Choice", "weights", share) for share in weights)
                if isinstance(weights, Sequence) and not isinstance(weights, str | bytes)
                else ()
            )
            if len(shares) != len(numbers) or min(shares) < 0 or not 0 < sum(shares) < math.inf:
                raise ArgumentError(
                    f"Choice: weights={weights!r:.60}: give {len(numbers)} numbers from 0, one for each value"
                )
            made.weights = shares
        return made

    def whole(self) -> Self:
        """Return the same with values that are int, for a parameter that counts."""
        made = self._made(int(self[0]), int(self[1]), [int(number) for number in self.numbers])
        made.weights = self.weights
        return made

    def drawn(self, draw: Draw) -> float:
        """One word; two rarely, without weights."""
        if self.weights is None:
            return self.numbers[draw.integer(0, len(self.numbers) - 1)]
        aim, reached = draw.uniform(0.0, sum(self.weights)), 0.0
        last = 0.0
        for value, weight in zip(self.numbers, self.weights):
            reached += weight
            if weight > 0:
                last = value
                if aim < reached:
                    break
        return last

    def to_json(self) -> dict[str, Any]:
        """With the weights, where there are any."""
        found: dict[str, Any] = {self.kind: list(self.numbers)}
        return found if self.weights is None else {**found, "weights": list(self.weights)}

    def _identity(self) -> tuple[Any, ...]:
        return (self.kind, self.numbers, self.weights)

    def __repr__(self) -> str:
        weights = "" if self.weights is None else f", weights={list(self.weights)}"
        return f"Choice({list(self.numbers)}{weights})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Choice, (list(self.numbers), self.weights))


_KINDS: dict[str, Any] = {
    "uniform": Uniform,
    **{cls.kind: cls for cls in (Integer, LogUniform, Normal, Beta, Choice)},
}


def is_distribution(value: Any) -> bool:
    """Whether it is a distribution, or a mapping that would be one if it were right."""
    return isinstance(value, Distribution) or (isinstance(value, Mapping) and bool(set(value) & set(_KINDS)))


def parse_distribution(value: Any) -> Distribution | tuple[float, float]:
    """Return the distribution that a recipe file holds, such as ``{"normal": [0, 5]}``; `uniform` is a plain pair.

    Raises
    ------
    ArgumentError
        For other arguments than the kind takes.
    """
    if isinstance(value, Distribution):
        return value
    kind = next(name for name in value if name in _KINDS)
    others = {name: part for name, part in value.items() if name != kind}
    given = value[kind]
    is_choice = kind == "choice"
    if set(others) - ({"weights"} if is_choice else set()):
        raise ArgumentError(
            f"{kind}: expected no {', '.join(map(repr, others))} beside it, got {value!r:.80}"
        )
    try:
        if is_choice:
            return Choice(given, **others)
        if isinstance(given, Mapping):
            return _KINDS[kind](**given)
        if isinstance(given, Sequence) and not isinstance(given, str | bytes):
            return _KINDS[kind](*given)
    except TypeError:
        pass
    raise ArgumentError(f"{kind}: expected its numbers in a list, {_TAKES[kind]}, got {given!r:.80}")


_TAKES = {
    "uniform": "[low, high]",
    "integer": "[low, high]",
    "log_uniform": "[low, high]",
    "normal": "[mean, sd] or [mean, sd, low, high]",
    "beta": "[a, b] or [a, b, low, high]",
    "choice": "[value, value, …]",
}
_NAMES = {
    "uniform": ("low", "high"),
    "integer": ("low", "high"),
    "log_uniform": ("low", "high"),
    "normal": ("mean", "sd", "low", "high"),
    "beta": ("a", "b", "low", "high"),
}


def distribution_schema() -> dict[str, Any]:
    """Return the JSON Schema of distributions in a recipe file."""
    number, forms = {"type": "number"}, []
    for kind, names in _NAMES.items():
        row = {"type": "array", "items": number, "minItems": 2, "maxItems": len(names)}
        named = {
            "type": "object",
            "properties": dict.fromkeys(names, number),
            "required": list(names[:2]),
            "additionalProperties": False,
        }
        forms.append(_one_kind(kind, {"anyOf": [row, named]}))
    values = {"type": "array", "items": number, "minItems": 1, "maxItems": 1000}
    weights = {"type": "array", "items": {"type": "number", "minimum": 0}, "minItems": 1}
    forms.append(_one_kind("choice", values, {"weights": weights}))
    return {"description": "A distribution to draw from, in place of a range.", "anyOf": forms}


def _one_kind(kind: str, numbers: dict[str, Any], more: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {kind: numbers, **(more or {})},
        "required": [kind],
        "additionalProperties": False,
    }


def drawn_log_uniform(draw: Draw, low: float, high: float) -> float:
    """Draw from low to high such that the logarithm is uniform: low * (high / low) ** u, u a fraction of 32 bits.

    `pow` and `exp` round differently from one C library to the next. The power is the product, over the bits of u, of
    the square root of high / low, its square root, and so on.
    """
    word, value = draw.word() >> (64 - _BITS), low
    for place, root in enumerate(_roots(low, high), 1):
        if word >> (_BITS - place) & 1:
            value *= root
    return min(value, high)


_BITS = 32
"""Of the exponent of a log-uniform number."""


@functools.lru_cache(maxsize=64)
def _roots(low: float, high: float) -> tuple[float, ...]:
    """(high / low) to the powers 1/2, 1/4, ..., 2 ** -32."""
    roots = [math.sqrt(high / low)]
    while len(roots) < _BITS:
        roots.append(math.sqrt(roots[-1]))
    return tuple(roots)


def _standard_normal(draw: Draw) -> float:
    """A standard normal number v / u, for (u, v) even in a rectangle, taken where v² <= -4 u² log(u)."""
    while True:
        u = 1.0 - (draw.word() >> 11) * 2.0**-53  # above 0
        v = 1.7156 * ((draw.word() >> 11) * 2.0**-53 - 0.5)
        x, y = u - 0.449871, abs(v) + 0.386595
        bound = x * x + y * (0.196 * y - 0.25472 * x)
        if bound < 0.27597 or (bound <= 0.27846 and v * v <= -4.0 * u * u * math.log(u)):
            return v / u


def _number(kind: str, name: str, value: Any) -> float:
    if hasattr(value, "item"):
        value = value.item()
    number = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value) + 0.0
        except OverflowError:
            number = math.inf
    if not math.isfinite(number):
        raise ArgumentError(f"{kind}: {name}={value!r:.40}: give a finite number")
    return number


def _ends(kind: str, low: Any, high: Any) -> tuple[float, float]:
    first, last = _number(kind, "low", low), _number(kind, "high", high)
    if first > last:
        raise ArgumentError(f"{kind}: low={first:g} is above high={last:g}")
    return first, last

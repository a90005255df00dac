"""Rules about single parameters: angles in radians, shares written as grey levels, whatever a step says itself."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from offgraph.core.distributions import Distribution
from offgraph.recipe.lint_rules.base import LintedRecipe, RecipeFinding, likely_ends, rule
from offgraph.transforms import Brightness, GaussianNoise, MotionBlur, Speckle
from offgraph.transforms.geometric.rotate import angle_hints

_ANGLES = ("angle", "rotate")
_SHARES = {GaussianNoise: ("sigma", "mean"), Speckle: ("sigma",), Brightness: ("shift",)}
"""Parameters that are shares of the range, or of the value, and are given in grey levels elsewhere."""


@rule("radians", "angles in degrees that look like radians")
def radians(recipe: LintedRecipe) -> Iterator[RecipeFinding]:
    """A pi, a half of it, or less than one degree."""
    for here in recipe.steps:
        for name in _ANGLES:
            angle: Any = getattr(here.step, name, None)
            if not _is_numbers(angle) or not angle_hints(name, likely_ends(angle)):
                continue
            if isinstance(here.step, MotionBlur) and _largest(angle) < 1:
                continue  # a direction, and no small turn
            said = f"{name}={angle} is in degrees, hardly different from 0"
            if isinstance(angle, Distribution):
                yield here.finding(name, said, "if it is in radians, multiply its numbers by 57.3")
                continue
            degrees = _each(angle, lambda value: round(math.degrees(value), 6))
            mend = f"if it is in radians, write {name}={_text(degrees)}"
            yield here.finding(name, said, mend, instead=replace(here.step, **{name: degrees}))


@rule("levels", "grey levels where a step takes shares of the range")
def levels(recipe: LintedRecipe) -> Iterator[RecipeFinding]:
    """Noise of more than the whole range."""
    for here in recipe.steps:
        for name in _SHARES.get(type(here.step), ()):
            value = getattr(here.step, name)
            if not _is_numbers(value) or _largest(value) <= 1:
                continue
            white = 65535 if here.before is not None and here.before.dtype == "uint16" else 255
            said, mend = (
                f"{name}={value} is a share of the range: 1 is all of it",
                f"divide grey levels by {white}",
            )
            if isinstance(value, Distribution):
                yield here.finding(name, said, mend)
                continue
            shares = _each(value, lambda number: round(number / white, 6))  # noqa: B023  # called at once
            mend += f": {name}={_text(shares)}"
            yield here.finding(name, said, mend, instead=replace(here.step, **{name: shares}))


@rule("hint", "what steps themselves say about their parameters")
def hints(recipe: LintedRecipe) -> Iterator[RecipeFinding]:
    """`Step.hints`, apart from what another rule says."""
    for here in recipe.steps:
        for text in here.step.hints():
            named = re.match(r"(\w+)=", text)
            field = named[1] if named and hasattr(here.step, named[1]) else ""
            if field in _ANGLES and "radians" in text:
                continue
            said, _, mend = text.rpartition("; ")
            if not said:
                said, _, mend = text.partition(": ")
            yield here.finding(field, said, mend)


def _is_numbers(value: Any) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return all(isinstance(part, int | float) for part in parts)


def _largest(value: Any) -> float:
    return max(map(abs, likely_ends(value)))


def _each(value: Any, function: Any) -> Any:
    return tuple(map(function, value)) if isinstance(value, tuple) else function(value)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))})"
    return f"{value:.4g}"

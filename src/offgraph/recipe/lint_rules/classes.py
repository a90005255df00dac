"""A rule about classes whose names say on which side something is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from offgraph.recipe.lint_rules.base import LintedRecipe, RecipeFinding, rule
from offgraph.steps.base import Step
from offgraph.transforms import D4, Affine, Flip, Transpose

_SIDES = (
    ("left", "right"), ("l", "r"), ("lh", "rh"), ("sinister", "dexter"),
    ("clockwise", "counterclockwise"), ("clockwise", "anticlockwise"), ("cw", "ccw"),
)  # fmt: skip

_MIRRORS = ("v", "h", "t", "hvt")
"""Symmetries of a square that are no turn."""


@rule("left-right", "mirrored images of classes that are left and right")
def left_right(recipe: LintedRecipe) -> Iterator[RecipeFinding]:
    """A mirror makes a left hand a right one, whichever axis it is."""
    pairs = _pairs(recipe.class_names)
    if not pairs:
        return
    first, second = pairs[0]
    more = f" (and {len(pairs) - 1} pairs more)" if len(pairs) > 1 else ""
    for here in recipe.steps:
        if here.step.p > 0 and (field := _mirrors(here.step)) is not None:
            yield here.finding(
                field,
                f"it mirrors, which makes {first!r} look like {second!r}{more}, under the label that it had",
                "leave it out, or turn with Rotate instead; masks and points can say which labels change places: "
                "og.Mask(mask, swap=[(1, 2)]), og.Points(…, pairs=[(0, 1)])",
            )


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs of names that differ in the side alone."""
    words = {tuple(_words(name)): name for name in names}
    found: list[tuple[str, str]] = []
    for parts, name in words.items():
        for one, other in _SIDES:
            swapped = tuple(other if part == one else part for part in parts)
            if swapped != parts and swapped in words and (name, words[swapped]) not in found:
                found.append((name, words[swapped]))
    return found


def _words(name: str) -> list[str]:
    """``"leftHand_3"`` is left, hand and 3."""
    return re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


def _mirrors(step: Step) -> str | None:
    """Return the parameter by which a step mirrors, "" for the step as a whole; None where it does not."""
    match step:
        case Flip():
            return "axis"
        case Transpose():
            return ""
        case D4():
            return "element" if any(element in _MIRRORS for element in step.possible()) else None
        case Affine() if step.matrix is not None:
            rows = np.array(step.matrix)  # the homogeneous form has the same determinant
            return "matrix" if np.linalg.det(rows[:, : len(rows)]) < 0 else None
    return None

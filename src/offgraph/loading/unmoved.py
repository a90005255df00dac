"""Numbers to learn that look like places in the image, and stay where they were while a recipe moves the image."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from offgraph.recipe.compose import Compose
from offgraph.recipe.layers import Augment
from offgraph.sources.names import named, warn_caller
from offgraph.steps.base import Step
from offgraph.steps.kinds import GeometricStep

__all__ = ["warn_of_unmoved"]

_X = re.compile(r"(?<![a-z])x(?![a-z])|(?<=[a-z])x$|^x(?=[a-z])")
"""An x that stands alone in a name, or begins or ends it: ``x``, ``x1``, ``nose_x``, ``cx``, ``xmin``."""


def warn_of_unmoved(recipe: Compose, target_names: Sequence[str], where: str) -> None:
    """Warn where columns of numbers are pairs such as ``eye_x`` and ``eye_y``, and an augmentation moves pixels.

    Parameters
    ----------
    recipe : Compose
    target_names : sequence of str
        Columns that are learnt as numbers; empty where labels are no numbers.
    where : str
        The source, for the message.
    """
    pairs = _pairs(target_names)
    moving = next(_moving(recipe), None) if pairs else None
    if moving is not None:
        warn_caller(
            f"{where}: {named([name for pair in pairs for name in pair])} look like places in the image, and {moving} moves its pixels and "
            "not these numbers: give them as keypoints, in COCO's format or as og.Points, or leave such steps out; if they are no "
            "places, rename the columns"
        )


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    known = {name.lower(): name for name in names}
    found = []
    for low, name in known.items():
        for place in _X.finditer(low):
            other = low[: place.start()] + "y" + low[place.end() :]
            if other in known:
                found.append((name, known[other]))
                break
    return found


def _moving(recipe: Compose) -> Iterator[str]:
    """Names of the steps that move pixels in another way each time."""
    for item in recipe.items:
        if isinstance(item, Augment):
            for step in item.steps:
                if any(isinstance(part, GeometricStep) for part in _parts(step)):
                    yield type(step).__name__


def _parts(step: Step) -> Iterator[Step]:
    yield step
    for part in getattr(step, "steps", ()):
        yield from _parts(part)

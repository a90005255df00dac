"""Test-time augmentation: the variants of an image that a model is asked about besides the image itself."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, get_args

from offgraph.core.choices import TestTimeVariants
from offgraph.core.errors import ArgumentError, OffgraphError, StepError
from offgraph.core.specs import OpenSpec
from offgraph.recipe.compose import Compose, as_recipe
from offgraph.steps.base import Step
from offgraph.transforms import D4, Flip

__all__ = ["variants_of"]


def variants_of(tta: Any, taken: OpenSpec) -> tuple[Compose, ...]:
    """Parse ``tta=``: the recipes of all variants but the first, which is the image as it is.

    Parameters
    ----------
    tta : None, "mirrored", "flips", "d4", or sequence of recipes
        ``"mirrored"``: the image mirrored left to right, 2 variants. ``"flips"``: mirrored along every combination of the spatial axes, 4 variants, of volumes 8. ``"d4"``: the
        8 symmetries of a square, in the plane of rows and columns. A recipe is a step, a `Compose`, a list of steps
        or a file.
    taken : OpenSpec
        What the model takes.

    Raises
    ------
    ArgumentError
        For anything else.
    OffgraphError
        Where a variant cannot be applied to what the model takes, or makes an image that it does not take.
    """
    if tta is None:
        return ()
    if isinstance(tta, str) and tta in get_args(TestTimeVariants):
        found = _named(tta, [axis for axis in taken.axes if axis != "C"])
    elif isinstance(tta, Sequence) and not isinstance(tta, str | bytes) and tta:
        found = [Compose([entry]) if isinstance(entry, Step) else as_recipe(entry) for entry in tta]
    else:
        raise ArgumentError(
            f"tta={tta!r:.80}: choose 'mirrored', 'flips' or 'd4', or give a list of recipes, one for each variant"
        )
    for number, variant in enumerate(found, 1):
        _check(variant, taken, f"tta={tta!r}" if isinstance(tta, str) else f"tta=: recipe {number}")
    return tuple(found)


def _named(tta: str, axes: list[str]) -> list[Compose]:
    if tta == "mirrored":
        return [Compose([Flip("X")])]
    if tta == "d4":
        return [Compose([D4(element)]) for element in ("r90", "r180", "r270", "v", "h", "t", "hvt")]
    return [
        Compose([Flip(axis) for axis in some])  # type: ignore[arg-type]  # one of X, Y and Z
        for count in range(1, len(axes) + 1)
        for some in combinations(axes, count)
    ]


def _check(variant: Compose, taken: OpenSpec, named: str) -> None:
    try:
        made = variant.output_spec(taken)
    except StepError as error:
        raise OffgraphError(f"{named}: {error}") from error
    fits = len(made.shape) == len(taken.shape) and all(
        None in (have, want) or have == want for have, want in zip(made.shape, taken.shape)
    )
    if not fits:
        square = "; 'flips' keeps the size" if named == "tta='d4'" else ""
        raise OffgraphError(
            f"{named}: it makes images of {made.shape}, the model takes {taken.shape}{square}".replace(
                "None", "any"
            )
        )

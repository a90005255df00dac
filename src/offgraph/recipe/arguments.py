"""What a recipe is called with, parsed: the address of its draws, and the targets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from offgraph.core.errors import ArgumentError, StepError
from offgraph.core.random import Key
from offgraph.plan.placed import PlacedStep
from offgraph.targets import Target, Targets

__all__ = ["parsed_key", "parsed_targets"]

_NO_DRAWS = Key()
"""The key where nothing is drawn."""


def parsed_key(key: Key | None, seed: int | None, steps: Iterable[PlacedStep], *, draws: bool) -> Key:
    """Return the address of the draws of one call.

    Parameters
    ----------
    key : Key, optional
    seed : int, optional
        Short for ``Key(seed=seed)``.
    steps : iterable of PlacedStep
        The first that draws is named where neither is given.
    draws : bool
        Whether one of them does.

    Raises
    ------
    StepError
        Where the recipe draws and neither is given: a default would give all images the same draws.
    ArgumentError
        For both, and for an invalid one.
    """
    if seed is not None:
        if key is not None:
            raise ArgumentError(
                f"seed={seed!r:.40} stands for key=Key(seed={seed!r:.40}): give one of the two"
            )
        return Key(seed=seed)
    if key is None:
        if not draws:
            return _NO_DRAWS
        drawing = next(placed for placed in steps if placed.draws)
        leave_out = ", or use recipe.eval() to leave out Augment" if drawing.augment else ""
        raise StepError(
            f"{drawing.where} draws, so this recipe needs to know for which image: "
            f"pass key=Key(seed=…, epoch=…, index=…), seed=… for one image{leave_out}"
        )
    if not isinstance(key, Key):
        raise ArgumentError(f"key={key!r:.80}: write key=Key(seed=…, epoch=…, index=…), or seed={_seed(key)}")
    return key


def _seed(key: Any) -> str:
    return str(key) if type(key) is int and 0 <= key < 2**64 else "…"


def parsed_targets(
    image: Any,
    beside: tuple[Any, ...],
    others: Mapping[str, Target],
    axes: str | None,
    metadata: Mapping[str, Any] | None,
) -> Targets:
    """Return targets in the order of a call's keywords, `beside` those between the image and the ones by another name."""
    named = {"image": image}
    for name, value in zip(("mask", "heatmap", "boxes", "points"), beside):
        if value is not None:
            named[name] = value
    return Targets.parse({**named, **others} if others else named, axes, metadata)

"""Warn of recipes whose stored masks and boxes go through two chains of geometric steps in place of one."""

from __future__ import annotations

import warnings

from offgraph.core.errors import OffgraphWarning
from offgraph.pipeline.probe import Reference, look_at_source
from offgraph.recipe.compose import Compose
from offgraph.sources import Source
from offgraph.steps.structure import with_members

__all__ = ["warn_of_step_order"]


def warn_of_step_order(source: Source, recipe: Compose, threads: int, stacklevel: int) -> None:
    """Warn where masks or boxes of a stored dataset will differ from those that a loader of the files gives.

    A recipe moves the labels of a mask once through neighbouring and distant geometric steps alike (with ``fuse=False``
    through each), and bounds boxes after the last. What is stored ends one chain, and the loader begins another. Images
    do not differ: the step that makes floats ends their chain anyway.
    """
    kinds = ["masks"] if source.has_masks and recipe.fuse else []
    if source.task == "detect":
        kinds.append("boxes")
    moving = [
        number
        for number, step in enumerate(recipe.steps)
        if any(each.kind == "geometric" for each in with_members(step))
    ]
    if not kinds or len(moving) < 2:
        return
    probes, _ = look_at_source(source, recipe, threads)
    if not probes:
        return
    end = recipe.stored(Reference.of(probes).stored)
    late = next((number for number in moving if number >= end), None)
    if late is None or moving[0] >= end:
        return
    names = [f"step {number + 1}, {recipe.steps[number].name}" for number in (late, moving[0], end)]
    warnings.warn(
        f"{names[0]}, comes after the steps that are stored, and {names[1]}, is one of these: "
        f"{' and '.join(kinds)} are stored after the one and moved again by the other, so that they differ a little "
        "from those of a loader of the files (images do not). Put geometric steps before the step that makes floats "
        f"({names[2]}), or build with store='final'",
        OffgraphWarning,
        stacklevel=stacklevel + 1,
    )

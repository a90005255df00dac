"""Preview what a recipe does to images, before anything is built or trained."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.arguments import path_of, whole_number
from offgraph.core.counting import count_of
from offgraph.core.errors import OffgraphError, OffgraphWarning
from offgraph.core.random import Key
from offgraph.pipeline.failures import BAD_FILE, reason
from offgraph.recipe.compose import Compose, as_recipe
from offgraph.recipe.layers import Augment
from offgraph.sources import Source, open_source
from offgraph.steps.base import Step
from offgraph.steps.structure import StructureStep
from offgraph.targets import Targets
from offgraph.transforms import Normalize, Rescale
from offgraph.views import draw
from offgraph.views.html import Figure, Report
from offgraph.views.marks import mark

__all__ = ["describe_record", "preview"]

_DRAWS = 3
_SIDE = 320

_MOST_NUMBERS = 8
"""Numbers of one parameter that a caption lists: corners, a matrix of two rows."""

_UNKNOWN = object()


def preview(
    src: Source | str | os.PathLike[str],
    recipe: Compose | Sequence[Step | Augment] | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    n: int = 8,
    seed: int = 0,
) -> Path:
    """Write a page with images before and after a recipe, each with the values that were drawn.

    Draw k of image i is made with ``Key(seed, epoch=k, index=i)``: it is the image that training with that
    seed sees in epoch k. A recipe that draws nothing is shown once.

    Parameters
    ----------
    src : path or Source
        The `n` images are spread evenly over it, so that every part of it is seen. Masks, boxes and keypoints,
        where the source has them, are drawn over the images.
    recipe : Compose, list of steps or path of a recipe file
    out : path
        The HTML page.
    n : int
        How many images, at least 1.
    seed : int

    Returns
    -------
    Path
        The page. Images that cannot be read or do not fit the recipe are listed on it with the reason, and an
        `OffgraphWarning` says how many there are. Scaling to floats at a recipe's end (`Normalize`, `Rescale`) is
        left out of what is drawn, so that black stays black.

    Raises
    ------
    SourceError
        Where `src` is not a source.
    OffgraphError
        Where `n` is not positive, not one image can be drawn, or the page cannot be written.
    """
    n = whole_number("n", n)
    out = path_of("out", out)
    recipe = as_recipe(recipe)
    Key(seed)  # refuses an invalid seed before any file is read
    source = open_source(src)
    count = min(n, len(source))
    chosen = [(2 * part + 1) * len(source) // (2 * count) for part in range(count)]
    draws = _DRAWS if recipe.draws else 1
    scaling = ", ".join(step.name for step in recipe.steps[_seen(recipe) :])
    bad: list[tuple[str, str]] = []
    rows: list[list[Figure]] = []
    for index in chosen:
        try:
            rows.append(_row(source, index, recipe, draws, seed))
        except BAD_FILE as error:
            bad.append(
                (
                    source[index].name,
                    reason(error, source[index].path, source[index].name, source[index].mask),
                )
            )
    if not rows:
        name, why = bad[0]
        raise OffgraphError(f"not one of the {count} images looked at can be drawn; the first: {name}: {why}")
    images = "1 image" if len(source) == 1 else f"{len(source):,} images"
    page = Report("Before and after", f"{len(rows)} of {images} in {source.root.name}")
    page.section("Images")
    page.text(
        "The image as it is read, then what the recipe makes of it"
        + (f" in the first {draws} epochs with seed {seed}." if draws > 1 else ".")
        + (f" Drawn as it is before {scaling}." if scaling else "")
        + " Values beyond 8 bits are scaled to be seen, with one black and one white in each row."
    )
    page.figures([figure for row in rows for figure in row], columns=draws + 1)
    if bad:
        page.section("Images that failed")
        page.table(["file", "reason"], bad)
    page.section("The recipe")
    page.code(recipe.to_yaml())
    saved = page.save(out)
    if bad:
        warnings.warn(
            f"{len(bad)} of {count} images could not be drawn, the page lists them; the first: {bad[0][0]}: {bad[0][1]}",
            OffgraphWarning,
            stacklevel=2,
        )
    return saved


def _seen(recipe: Compose) -> int:
    """Number of steps before what the page shows: all but a scaling to floats at the end."""
    stop = len(recipe.steps)
    while stop and isinstance(recipe.steps[stop - 1], Normalize | Rescale):
        stop -= 1
    return stop


def _row(source: Source, index: int, recipe: Compose, draws: int, seed: int) -> list[Figure]:
    """The original and its draws."""
    sample = source.read(index)
    name = sample.item.name
    if sample.label is not None:
        name = f"{name} ({source.label_text(sample.label)})"
    about = " × ".join(map(str, sample.image.array.shape)) + f" {sample.image.array.dtype}"
    if sample.boxes is not None:
        about += f", {count_of(len(sample.boxes), 'box', 'boxes')}"
    names = source.class_names
    row = [Figure(_display(sample.targets, names, None), name, "; ".join((about, *sample.decoded.notes)))]
    keys = [Key(seed, epoch, index) for epoch in range(draws)]
    results = [recipe.run(sample.targets, key) for key in keys]
    drawn_up_to = _seen(recipe)
    seen = [recipe.run(sample.targets, key, stop=drawn_up_to).targets for key in keys]
    shown = draw.common_range(targets.image.array for targets in seen)
    for epoch, (result, targets) in enumerate(zip(results, seen)):
        after = _display(targets, names, shown)
        caption = f"epoch {epoch}" if draws > 1 else "after"
        size = " × ".join(map(str, result.image.shape))
        drawn = describe_record(result.record, recipe) or f"{size} {result.image.dtype}"
        row.append(Figure(after, caption, drawn, alt=f"{name}, {caption}: {drawn}"))
    return row


def _display(targets: Targets, class_names: Sequence[str], shown: tuple[float, float] | None) -> np.ndarray:
    image, mask = targets.image, targets.mask
    if mask is None or mask.array.ndim != 2:
        rgb = draw.to_rgb(image.array, image.axes, shown)
    else:
        rgb = draw.overlay(image.array, mask.array, axes=image.axes, range=shown)
    return mark(draw.fit(rgb, _SIDE), targets.values(), class_names=class_names)


def describe_record(record: dict[str, Any], recipe: Compose) -> str:
    """Say in one line what was drawn, such as ``"Rotate angle=-7.31; without Flip"``; empty where nothing was.

    Values that the recipe fixes are left out.

    Examples
    --------
    >>> import offgraph as og
    >>> recipe = og.Compose([og.Rotate((-15, 15), id="turn"), og.MedianFilter(3)])
    >>> describe_record(recipe(image=np.zeros((4, 4), np.uint8), key=og.Key(seed=1)).record, recipe)
    'Rotate angle=-8.3'
    """
    parts = []
    for step, entry in zip(recipe.steps[record["start"] :], record["steps"]):
        if not entry["applied"]:
            parts.append(f"without {step.name}")
        elif (told := _told(step, entry["params"])) != step.name:
            parts.append(told)
    return "; ".join(parts)


def _told(step: Step, params: dict[str, Any]) -> str:
    """A step's name and what it drew; the steps that were chosen in parentheses."""
    if isinstance(step, StructureStep):
        chosen = [_told(part, values) for part, values in step.parts(params)]
        return f"{step.name} ({', '.join(chosen)})" if chosen else step.name
    fixed = step.fields()
    drawn = {k: v for k, v in params.items() if not _is(v, fixed.get(k, _UNKNOWN))}
    return step.name + "".join(f" {name}={_short(value)}" for name, value in drawn.items())


def _is(value: Any, fixed: Any) -> bool:
    """Whether a value is the fixed one, or repeats it for each axis, or stands for a field that is not set."""
    return (
        fixed is None or value == fixed or (isinstance(value, list) and all(part == fixed for part in value))
    )


def _short(value: Any) -> str:
    if isinstance(value, list):
        numbers = _numbers(value)
        if (
            len(numbers) > _MOST_NUMBERS
        ):  # a field or a grid: a caption that is cut in it hides the steps after it
            return f"({len(numbers)} numbers from {_short(min(numbers))} to {_short(max(numbers))})"
        return "[" + ", ".join(map(_short, value)) + "]"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _numbers(value: Any) -> list[int | float]:
    """All numbers of lists within lists; none where anything else is in them."""
    if isinstance(value, list):
        parts = [_numbers(part) for part in value]
        return [number for part in parts for number in part] if all(parts) else []
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []

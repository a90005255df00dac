"""What a recipe does to one's own pictures, before anything is built or trained."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from offgraph import picture
from offgraph.compose import Compose
from offgraph.errors import OffgraphError
from offgraph.feeding import BAD_FILE, reason
from offgraph.random import Key
from offgraph.report import Figure, Report
from offgraph.sources import Source, open_source
from offgraph.targets import Image, Mask

__all__ = ["describe_record", "preview"]

_DRAWS = 3
_SIDE = 320


def preview(
    src: Source | str | os.PathLike[str],
    recipe: Compose,
    out: str | os.PathLike[str],
    *,
    n: int = 8,
    seed: int = 0,
) -> Path:
    """Write a page with pictures before and after a recipe, each with the values that were drawn.

    Draw k of picture i is made with ``Key(seed, epoch=k, index=i)``: it is the picture that training with that
    seed sees in epoch k. A recipe that draws nothing is shown once.

    Parameters
    ----------
    src : path or Source
        The `n` pictures are spread evenly over it, so that every part of it is seen. Masks, where the source has
        them, are drawn over the pictures.
    recipe : Compose
    out : path
        The HTML page.
    n : int
        How many pictures, at least 1.
    seed : int

    Returns
    -------
    Path
        The page. Pictures that cannot be read or do not fit the recipe are listed on it with the reason.

    Raises
    ------
    SourceError
        Where `src` is no source.
    OffgraphError
        Where `n` is not positive or the page cannot be written.
    """
    if n < 1:
        raise OffgraphError(f"n={n}: at least one picture is drawn")
    source = open_source(src)
    count = min(n, len(source))
    chosen = [(2 * part + 1) * len(source) // (2 * count) for part in range(count)]
    draws = _DRAWS if recipe.draws else 1
    bad: list[tuple[str, str]] = []
    rows: list[list[Figure]] = []
    for index in chosen:
        try:
            rows.append(_row(source, index, recipe, draws, seed))
        except BAD_FILE as error:
            bad.append((source[index].name, reason(error, source[index].path, source[index].name)))
    page = Report("Before and after", f"{len(rows)} of {len(source):,} pictures in {source.root.name}")
    page.section("Pictures")
    page.text(
        "The picture as it is read, then what the recipe makes of it"
        + (f" in the first {draws} epochs with seed {seed}." if draws > 1 else ".")
        + " Values beyond 8 bits are scaled to be seen, with one black and one white in each row."
    )
    page.pictures([figure for row in rows for figure in row], columns=draws + 1 if draws > 1 else 4)
    if bad:
        page.section("Pictures that failed")
        page.table(["file", "reason"], bad)
    page.section("The recipe")
    page.code(recipe.to_yaml())
    return page.save(out)


def _row(source: Source, index: int, recipe: Compose, draws: int, seed: int) -> list[Figure]:
    """The original and its draws."""
    sample = source.read(index)
    name = sample.item.name
    if sample.label is not None:
        name = f"{name} ({source.class_names[sample.label]})"
    about = " × ".join(map(str, sample.image.array.shape)) + f" {sample.image.array.dtype}"
    row = [Figure(_display(sample.image, sample.mask, None), name, "; ".join((about, *sample.picture.notes)))]
    results = [recipe.run(sample.image, sample.mask, Key(seed, epoch, index)) for epoch in range(draws)]
    shown = picture.common_range(result.image for result in results)
    for epoch, result in enumerate(results):
        after = _display(*result.targets, shown)
        caption = f"epoch {epoch}" if draws > 1 else "after"
        size = " × ".join(map(str, result.image.shape))
        drawn = describe_record(result.record, recipe) or f"{size} {result.image.dtype}"
        row.append(Figure(after, caption, drawn, alt=f"{name}, {caption}: {drawn}"))
    return row


def _display(image: Image, mask: Mask | None, shown: tuple[float, float] | None) -> np.ndarray:
    if mask is None or mask.array.ndim != 2:
        return picture.fit(picture.to_rgb(image.array, image.axes, shown), _SIDE)
    return picture.fit(picture.overlay(image.array, mask.array, axes=image.axes, range=shown), _SIDE)


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
        fixed = step.fields()
        drawn = {k: v for k, v in entry["params"].items() if not _is(v, fixed.get(k))}
        if not entry["applied"]:
            parts.append(f"without {step.name}")
        elif drawn:
            parts.append(step.name + "".join(f" {name}={_short(value)}" for name, value in drawn.items()))
    return "; ".join(parts)


def _is(value: Any, fixed: Any) -> bool:
    """Whether a value is the fixed one, or repeats it for each axis."""
    return value == fixed or (isinstance(value, list) and all(part == fixed for part in value))


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_short, value)) + "]"
    return f"{value:.3g}" if isinstance(value, float) else str(value)

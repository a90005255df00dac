"""What a loader is given: a source or a built dataset, and the recipe that belongs to it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from offgraph.core.choices import Color, Task
from offgraph.core.errors import ArgumentError, RecipeMismatch
from offgraph.dataset.built import BuiltDataset
from offgraph.dataset.job import explain_difference
from offgraph.loading.samples import DatasetSamples, FileSamples, Samples
from offgraph.loading.unmoved import warn_of_unmoved
from offgraph.recipe.compose import Compose
from offgraph.sources import Source, is_built, open_source

__all__ = ["Opened", "open_samples"]


@dataclass(frozen=True)
class Opened:
    """Samples, and what goes with them.

    Parameters
    ----------
    samples : Samples
    recipe : Compose
        The one given, or a dataset's own.
    seed : int
        The one given, or a dataset's own.
    """

    samples: Samples
    recipe: Compose
    seed: int


def open_samples(
    source: str | os.PathLike[str] | Source | BuiltDataset,
    recipe: Compose | None,
    *,
    seed: int | None,
    color: Color | None,
    task: Task | None,
    class_names: Sequence[str] | None,
    one_hot: bool,
    other_recipe: bool,
) -> Opened:
    """Open a source or a built dataset; the arguments are those of :class:`offgraph.Loader`.

    Raises
    ------
    RecipeMismatch
        For another recipe than the dataset was built with.
    ArgumentError, SourceError
        For an argument that does not fit to what is opened.
    """
    if isinstance(source, BuiltDataset) or (
        not isinstance(source, Source | list | tuple) and is_built(source)
    ):
        dataset = source if isinstance(source, BuiltDataset) else BuiltDataset(source)
        chosen = dataset.recipe if recipe is None else recipe
        own = chosen.digest == dataset.recipe.digest
        if not own and not other_recipe:
            raise RecipeMismatch(
                f"{dataset.path}: {explain_difference(dataset.recipe, chosen)}. Leave the recipe out to continue "
                "with the dataset's own, or pass other_recipe=True to run this one, whole, on the images as "
                "they are stored"
            )
        _check_color(color, dataset.color, "the dataset", "build it")
        samples: Samples = DatasetSamples(dataset, own, one_hot, class_names)
        return Opened(samples, chosen, dataset.seed if seed is None else seed)
    if isinstance(source, Source):
        _check_color(color, source.reading.color, "the source", "open it")
    reading = "rgb" if color is None else color
    opened = open_source(source, color=reading, task=task, class_names=class_names)
    samples = FileSamples(opened, one_hot)
    if recipe is not None:
        warn_of_unmoved(recipe, opened.target_names, opened.where)
    return Opened(samples, Compose([]) if recipe is None else recipe, 0 if seed is None else seed)


def _check_color(color: Color | None, own: str | None, what: str, again: str) -> None:
    """Refuse another colour policy than that of what is read already."""
    if color not in (None, own):
        was = "does not say how its images were read" if own is None else f"has color={own!r}"
        raise ArgumentError(
            f"color={color!r:.80}: {what} {was}; {again} with color={color!r:.80}, or leave it out"
        )

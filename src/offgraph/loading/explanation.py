"""One sample of an epoch, made again: what was read, what was drawn, and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offgraph.core.display import NotebookView
from offgraph.core.errors import OffgraphError
from offgraph.core.random import Key
from offgraph.loading.cached_samples import CachedSamples
from offgraph.loading.maker import SampleMaker
from offgraph.loading.samples import DatasetSamples, Samples
from offgraph.loading.training_sample import EpochRun, TrainingSample
from offgraph.pipeline.failures import name_file
from offgraph.recipe.compose import Compose
from offgraph.sources.items import Label
from offgraph.targets import Targets

__all__ = ["SampleExplanation", "explain_mix", "explain_sample"]


@dataclass(frozen=True, eq=False)
class SampleExplanation(NotebookView):
    """How a sample of a batch came about. ``print`` says it in words, a notebook shows the images before and after.

    Parameters
    ----------
    name : str
        Of its file, relative to the source's root.
    epoch, index : int
        Its address, as ``Batch.index`` says.
    label : int, tuple of int, tuple of float, or None
        As in `Item.label`.
    given : Targets
        Image and targets before the first step that is run: as read from the file, or as a built dataset stores them.
    targets : Targets
        After the recipe: what stands in the batch.
    record : dict
        What was drawn.
    plan : str
        How the recipe ran on this image.
    converted : str or None
        What was done to the image to bring it to the depth of the others.
    mixed : str
        What it was mixed with in its batch, and which objects came from where; "" where it was not.
    """

    name: str
    epoch: int
    index: int
    label: Label | None
    given: Targets
    targets: Targets
    record: dict[str, Any]
    plan: str
    converted: str | None
    mixed: str = ""

    def __str__(self) -> str:
        label = "" if self.label is None else f", label {self.label}"
        lines = [f"{self.name}: index {self.index} of epoch {self.epoch}{label}"]
        lines += [f"the image is {self.converted}"] if self.converted else []
        return "\n".join([*lines, self.plan, *([self.mixed] if self.mixed else [])])

    def __repr__(self) -> str:
        given, made = (f"{t.image.array.dtype} {t.image.array.shape}" for t in (self.given, self.targets))
        return f"<{self.name}, index {self.index} of epoch {self.epoch}: from {given} to {made}>"


def explain_sample(maker: SampleMaker, epoch: int, index: int) -> SampleExplanation:
    """Make a sample again, with what it was made of.

    Raises
    ------
    OffgraphError
        Where the image cannot be used; names it.
    """
    samples = maker.samples.files if isinstance(maker.samples, CachedSamples) else maker.samples
    made = _made(maker, samples, maker.recipe, epoch, index)
    if isinstance(samples, DatasetSamples):
        stored = samples.dataset.read(index)
        given = samples.given(stored, stored.image)
        start = stored.start if samples.own_recipe else 0
    else:
        given, start = _made(maker, samples, Compose([]), epoch, index).targets, 0
    key = Key(**made.record["key"])
    recipe = maker.recipe
    plan = recipe.explain(given.image.spec, key) if start == 0 else _drawn(made.record)
    return SampleExplanation(
        made.name, epoch, index, made.label, given, made.targets, made.record, plan, made.converted
    )


def explain_mix(record: dict[str, Any], batch: int, names: Mapping[tuple[Any, ...], str]) -> str:
    """Say in words what an image was mixed with.

    Parameters
    ----------
    record : dict
        Of the mixed image.
    batch : int
        Number of its batch.
    names : mapping
        Names of the images of the batch by their addresses (seed, epoch, index).
    """
    mix = record.get("mix")
    if mix is None:
        return f"not mixed with others of batch {batch}"
    if "left" in mix:
        return f"not mixed with others of batch {batch}: by {mix['step']} {mix['left']}"
    lines = [f"{mix['step']} with others of batch {batch}: {mix['lam']:.4g} of it is the image itself"]
    if "own" in mix:
        lines.append(f"   itself{_part_in_words(mix['own'])}")
    for part in mix.get("parts", [mix]):
        address = part["partner"]
        lines.append(
            f"   {names[tuple(address.values())]} (index {address['index']} of epoch {address['epoch']}){_part_in_words(part)}"
        )
    return "\n".join(lines)


def _part_in_words(part: dict[str, Any]) -> str:
    """Where a part stands, what it shows, and its objects."""
    said = ""
    if "box" in part:
        said += f": rows and columns {_window(part['box'])}"
    if "shown" in part:
        said += f", which show {_window(part['shown'])} of it"
    if "objects" in part:
        listed = ", ".join(map(str, part["objects"]))
        said += f"; objects {listed}" if listed else "; no objects"
    return said


def _window(ends: list[list[int]]) -> str:
    return ", ".join(f"{start}:{stop}" for start, stop in ends)


def _made(maker: SampleMaker, samples: Samples, recipe: Compose, epoch: int, index: int) -> TrainingSample:
    try:
        return samples.sample(index, EpochRun(recipe, maker.seed, epoch, maker.rules()))
    except OffgraphError as error:
        named = name_file(error, samples.name(index))
        if named is error:
            raise
        raise named from error


def _drawn(record: dict[str, Any]) -> str:
    """The steps of a record, with what was drawn for each."""
    lines = [
        f"{number}. {step['step']}: {', '.join(f'{name} {value}' for name, value in step['params'].items())}"
        for number, step in enumerate(record["steps"], 1)
    ]
    return "\n".join(lines)

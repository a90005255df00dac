"""Where a loader's samples come from: the files of a source, or a dataset that was built of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from offgraph.batching import NonFinite, Probe, Reference, fit_mask, run_checked, spread, to_depth
from offgraph.compose import Compose
from offgraph.dataset.built import BuiltDataset
from offgraph.errors import StepError
from offgraph.random import Key
from offgraph.sources import Source
from offgraph.sources.base import count_of
from offgraph.spec import ArraySpec
from offgraph.targets import Image, Mask

__all__ = ["DatasetSamples", "FileSamples", "Rules", "Samples", "TrainingSample"]


@dataclass(frozen=True, eq=False)
class TrainingSample:
    """One image after the recipe, with its targets, ready for a batch.

    Parameters
    ----------
    number : int
        Of the item in its source, or of the example in its dataset.
    name : str
        Of the file, relative to the source's root.
    image : Image
    mask : Mask or None
    label : int or None
        Class number.
    record : dict
        What was drawn.
    converted : str or None
        How the image was brought to the depth of the others.
    """

    number: int
    name: str
    image: Image
    mask: Mask | None
    label: int | None
    record: dict[str, Any]
    converted: str | None = None


@dataclass(frozen=True)
class Rules:
    """What a loader takes into a batch.

    Parameters
    ----------
    reference : Reference or None
        What most images look like; None where no image could be looked at.
    any_depth : bool
        Whether the recipe makes the same of every depth.
    non_finite : {"error", "allow"}
        What NaN and infinity do.
    """

    reference: Reference | None
    any_depth: bool
    non_finite: NonFinite


class Samples(Protocol):
    """What a loader asks of the place its samples come from."""

    class_names: tuple[str, ...]
    has_masks: bool

    def __len__(self) -> int: ...

    def name(self, number: int) -> str:
        """Name of a file, for messages."""
        ...

    def probes(self) -> list[int]:
        """Numbers of the samples to look at, to know what most are like."""
        ...

    def probe(self, number: int, recipe: Compose) -> Probe:
        """Look at one sample without running the recipe."""
        ...

    def mask_dtypes(self) -> tuple[str, ...]:
        """Dtypes of all masks, as far as they are known without reading them."""
        ...

    def sample(self, number: int, recipe: Compose, seed: int, epoch: int, rules: Rules) -> TrainingSample:
        """Read one sample and run the recipe on it, with the draws of (seed, epoch, number)."""
        ...


class FileSamples:
    """Samples read from the files of a source."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.class_names = tuple(source.class_names or ())
        self.has_masks = source.has_masks

    def __len__(self) -> int:
        return len(self.source)

    def __str__(self) -> str:
        return f"{self.source.root}, {count_of(len(self), 'picture')}"

    def name(self, number: int) -> str:
        """Name of a file, for messages."""
        return self.source[number].name

    def probes(self) -> list[int]:
        """Return a few: each is read."""
        return spread(len(self), 7)  # odd, so that two kinds cannot tie

    def probe(self, number: int, recipe: Compose) -> Probe:
        """Read one sample."""
        read = self.source.read(number)
        return _probe(read.item.name, read.image.spec, read.mask and read.mask.spec, recipe, 0)

    def mask_dtypes(self) -> tuple[str, ...]:
        """Return nothing: the files would have to be read."""
        return ()

    def sample(self, number: int, recipe: Compose, seed: int, epoch: int, rules: Rules) -> TrainingSample:
        """Read one sample and run the whole recipe on it."""
        read = self.source.read(number)
        _check_targets(read.mask, read.label, self)
        # Only the policy for photographs converts: elsewhere the numbers of a file may be measurements.
        image, converted = _admit(read.image, rules, scale=self.source.color == "rgb")
        key = Key(seed, epoch, number)
        done = run_checked(recipe, image, read.mask, key, non_finite=rules.non_finite)
        image, mask = done.targets
        mask = _fit(mask, rules)
        return TrainingSample(number, read.item.name, image, mask, read.label, done.record, converted)


class DatasetSamples:
    """Samples read from a built dataset, where the recipe goes on after the steps that are stored."""

    def __init__(self, dataset: BuiltDataset, *, own_recipe: bool) -> None:
        self.dataset = dataset
        self.own_recipe = own_recipe
        self.class_names = dataset.class_names
        self.has_masks = bool(dataset.mask_dtypes)

    def __len__(self) -> int:
        return len(self.dataset)

    def __str__(self) -> str:
        return f"{self.dataset.path}, {count_of(len(self), 'example')}"

    def name(self, number: int) -> str:
        """Name of the file an example was made of, for messages."""
        return self.dataset.line(number)["name"]

    def probes(self) -> list[int]:
        """Return many: only records are read."""
        return spread(len(self), 201)

    def probe(self, number: int, recipe: Compose) -> Probe:
        """Read the record of one example."""
        image, mask = self.dataset.specs(number)
        line = self.dataset.line(number)
        return _probe(line["name"], image, mask, recipe, line["start"] if self.own_recipe else 0)

    def mask_dtypes(self) -> tuple[str, ...]:
        """Return those of all examples."""
        return self.dataset.mask_dtypes

    def sample(self, number: int, recipe: Compose, seed: int, epoch: int, rules: Rules) -> TrainingSample:
        """Read one example and run the rest of the recipe on it."""
        stored = self.dataset.read(number)
        _check_targets(stored.mask, stored.label, self)
        image, _ = _admit(stored.image, rules, scale=False)
        # Copy k is what a loader over the files gives in epoch k; later passes go on counting from there.
        key = Key(seed, epoch * self.dataset.copies + stored.copy, stored.index)
        start = stored.start if self.own_recipe else 0
        done = run_checked(recipe, image, stored.mask, key, start=start, non_finite=rules.non_finite)
        record = done.record
        if self.own_recipe:
            # One record of the whole run: it replays on the image the example was made from.
            record = {**record, "start": 0, "steps": [*stored.record["steps"], *record["steps"]]}
        image, mask = done.targets
        return TrainingSample(number, stored.name, image, _fit(mask, rules), stored.label, record)


def _probe(name: str, stored: ArraySpec, mask: ArraySpec | None, recipe: Compose, start: int) -> Probe:
    after = recipe.output_spec(stored, start)
    return Probe(name, stored, after, None if mask is None else mask.resized(after.size))


def _check_targets(mask: Mask | None, label: int | None, samples: Samples) -> None:
    """Refuse a sample without the mask or label that others of its source have."""
    for kind, missing in (
        ("mask", samples.has_masks and mask is None),
        ("label", bool(samples.class_names) and label is None),
    ):
        if missing:
            raise StepError(f"has no {kind}, and others of its source have one")


def _admit(image: Image, rules: Rules, *, scale: bool) -> tuple[Image, str | None]:
    if rules.any_depth or rules.reference is None:
        return image, None
    return to_depth(image, rules.reference.stored, rules.reference.name, scale=scale)


def _fit(mask: Mask | None, rules: Rules) -> Mask | None:
    reference = rules.reference
    if mask is None or reference is None or reference.mask is None:
        return mask
    return fit_mask(mask, reference.mask.dtype, reference.name)

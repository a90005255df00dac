"""Where a loader's samples come from: the files of a source, or a dataset that was built of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from offgraph.compose import Compose
from offgraph.dataset.built import BuiltDataset
from offgraph.random import Key
from offgraph.sources import Source
from offgraph.sources.base import count_of
from offgraph.targets import Image, Mask

__all__ = ["DatasetSamples", "FileSamples", "Samples", "TrainingSample"]


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
    """

    number: int
    name: str
    image: Image
    mask: Mask | None
    label: int | None
    record: dict[str, Any]


class Samples(Protocol):
    """What a loader asks of the place its samples come from."""

    class_names: tuple[str, ...]
    has_masks: bool

    def __len__(self) -> int: ...

    def name(self, number: int) -> str:
        """Name of a file, for messages."""
        ...

    def sample(self, number: int, recipe: Compose, seed: int, epoch: int) -> TrainingSample:
        """Read one sample and run the recipe on it, with the draws of (seed, epoch, number)."""
        ...


class FileSamples:
    """Samples read from the files of a source."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.class_names = tuple(source.class_names or ())
        self.has_masks = any(item.mask is not None for item in source)

    def __len__(self) -> int:
        return len(self.source)

    def __str__(self) -> str:
        return f"{self.source.root}, {count_of(len(self), 'picture')}"

    def name(self, number: int) -> str:
        """Name of a file, for messages."""
        return self.source[number].name

    def sample(self, number: int, recipe: Compose, seed: int, epoch: int) -> TrainingSample:
        """Read one sample and run the whole recipe on it."""
        read = self.source.read(number)
        done = recipe.run(read.image, read.mask, Key(seed, epoch, number))
        image, mask = done.targets
        return TrainingSample(number, self.name(number), image, mask, read.label, done.record)


class DatasetSamples:
    """Samples read from a built dataset, where the recipe goes on after the steps that are stored."""

    def __init__(self, dataset: BuiltDataset, *, own_recipe: bool) -> None:
        self.dataset = dataset
        self.own_recipe = own_recipe
        self.class_names = dataset.class_names
        self.has_masks = len(dataset) > 0 and dataset.line(0)["mask"] is not None

    def __len__(self) -> int:
        return len(self.dataset)

    def __str__(self) -> str:
        return f"{self.dataset.path}, {count_of(len(self), 'example')}"

    def name(self, number: int) -> str:
        """Name of the file an example was made of, for messages."""
        return self.dataset.line(number)["name"]

    def sample(self, number: int, recipe: Compose, seed: int, epoch: int) -> TrainingSample:
        """Read one example and run the rest of the recipe on it."""
        stored = self.dataset.read(number)
        # Copy k is what a loader over the files gives in epoch k; later passes go on counting from there.
        key = Key(seed, epoch * self.dataset.copies + stored.copy, stored.index)
        start = stored.start if self.own_recipe else 0
        done = recipe.run(stored.image, stored.mask, key, start=start)
        record = done.record
        if self.own_recipe:
            # One record of the whole run: it replays on the image the example was made from.
            record = {**record, "start": 0, "steps": [*stored.record["steps"], *record["steps"]]}
        image, mask = done.targets
        return TrainingSample(number, stored.name, image, mask, stored.label, record)

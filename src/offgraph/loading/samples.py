"""Where a loader's samples come from: the files of a source, or a dataset built from them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from offgraph.core.counting import count_of, spread
from offgraph.core.errors import StepError
from offgraph.core.machine import READ_TIMEOUT
from offgraph.core.random import Key, KeysOfEpoch
from offgraph.dataset.built import BuiltDataset, StoredExample, StoredTargets
from offgraph.dataset.objects import label_of_line
from offgraph.formats.ordinary import OrdinaryFile, OrdinaryRows
from offgraph.loading.labels import BatchLabels
from offgraph.loading.native_rows import BegunSample, MadeImages, MadeRows, run_rows
from offgraph.loading.training_sample import EpochRun, Rules, TrainingSample
from offgraph.pipeline.buffers import Buffers
from offgraph.pipeline.checks import run_checked
from offgraph.pipeline.probe import Probe, look_at, look_at_source, probe_sample
from offgraph.pipeline.rows import BatchRows, Row, RowBlock, are_neighbours, as_block, block_of
from offgraph.plan.compiled import RecipePlanner
from offgraph.recipe.compose import Compose
from offgraph.sources import Source
from offgraph.sources.classes import refuse_classes
from offgraph.sources.items import Label
from offgraph.sources.names import nfc, parse_class_names
from offgraph.sources.sample import Sample
from offgraph.targets import Boxes, Image, Mask, Target, Targets

__all__ = ["DatasetSamples", "FileSamples", "Samples", "check_targets"]


_KEPT = 8
"""Unused buffers of single images that are kept."""


class Samples(Protocol):
    """What a loader needs from the source of its samples."""

    labels: BatchLabels
    has_masks: bool
    most_boxes: int | None
    """The largest number of boxes that an image has; None where there are none to learn."""
    keypoints: int | None
    """Keypoints of each object; None where there are none."""
    box_axes: int
    """Spatial axes of the images that boxes are for."""
    masks_number_objects: bool | None
    """Whether each label of a mask is an object's; None where that is not known."""

    @property
    def in_rows(self) -> bool:
        """Whether `rows` is worth a try."""
        ...

    @property
    def digest(self) -> str:
        """Digest of what the samples are, in their order."""
        ...

    def __len__(self) -> int: ...

    def name(self, number: int) -> str:
        """Name of a file, for messages."""
        ...

    def classes(self) -> np.ndarray | None:
        """Class number of each sample; None where not every one has one class."""
        ...

    def shown(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Classes that a sample shows, rising, and how much of each: pixels of its mask, or its objects."""
        ...

    def probes(
        self, recipe: Compose, threads: int, read_timeout: float | None = READ_TIMEOUT
    ) -> tuple[list[Probe], dict[str, str]]:
        """Look at a few samples, without running the recipe, to know what most are like."""
        ...

    def mask_dtypes(self) -> tuple[str, ...]:
        """Dtypes of all masks, as far as they are known without reading them."""
        ...

    def sample(self, number: int, run: EpochRun) -> TrainingSample:
        """Read one sample and run the recipe on it, with the draws of (seed, epoch, number)."""
        ...

    def rows(
        self, numbers: Sequence[int], rows: Sequence[Row], run: EpochRun
    ) -> Sequence[TrainingSample | None]:
        """Read samples and run the recipe on all of them in one call, which writes their images into rows.

        None stands for one that `sample` has to be asked for, whatever the reason.
        """
        ...

    def lone(self, number: int, run: EpochRun) -> TrainingSample | None:
        """Make one sample in one call, in an array of its own; None where `sample` has to be asked."""
        ...


class FileSamples:
    """Samples read from the files of a source."""

    def __init__(self, source: Source, one_hot: bool) -> None:
        self.source = source
        source.watch()
        self.labels = BatchLabels(source.task, source.class_names, source.target_names, one_hot)
        self.has_masks = source.has_masks
        self.most_boxes = source.most_objects if source.task == "detect" else None
        self.keypoints = None if source.keypoints is None else len(source.keypoints.names)
        self.box_axes = source.box_axes if source.task == "detect" else 2
        self.masks_number_objects: bool | None = source.reading.object_masks == "instances"
        self._prepare()

    def _prepare(self) -> None:
        """Create what belongs to this process and is not pickled."""
        self._buffers = Buffers(_KEPT)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_buffers"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._prepare()

    in_rows = True

    @property
    def digest(self) -> str:
        """Digest of the names, in their order."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        return self.source.digest

    def __len__(self) -> int:
        return len(self.source)

    def __str__(self) -> str:
        return f"{self.source.root}, {count_of(len(self), 'image')}"

    def name(self, number: int) -> str:
        """Name of a file, for messages."""
        return self.source[number].name

    def classes(self) -> np.ndarray | None:
        """Class number of each item."""
        return _classes(self.labels, (item.label for item in self.source))

    def shown(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Labels of the item, or those of its mask, for which no more than the header of an ordinary image is read."""
        item = self.source[number]
        if self.labels.task != "segment":
            labels = item.label if item.objects is None else item.objects.labels
            return np.unique(np.asarray(() if labels is None else labels, np.int64), return_counts=True)
        (begun,) = self.source.read_ordinary([number])
        mask = (self.source.read(number) if begun is None else begun[1]).mask
        return _labels_of(mask)

    def probes(
        self, recipe: Compose, threads: int, read_timeout: float | None = READ_TIMEOUT
    ) -> tuple[list[Probe], dict[str, str]]:
        """Read the typical items of the source."""
        return look_at_source(self.source, recipe, threads, read_timeout)

    def mask_dtypes(self) -> tuple[str, ...]:
        """Return nothing: the files would have to be read."""
        return ()

    def sample(self, number: int, run: EpochRun) -> TrainingSample:
        """Read one sample and run the whole recipe on it."""
        read = self.source.read(number)
        check_targets(read.mask, read.label, self)
        # Only the policy for photographs converts: elsewhere the numbers of a file may be measurements.
        recipe, rules = run.recipe, run.rules
        image, converted = rules.admit(read.image, scale=self.source.color == "rgb")
        rules.check_recipe(recipe, image)
        key = Key(run.seed, run.epoch, number)
        done = run_checked(recipe, read.targets.replaced(image=image), key, non_finite=rules.non_finite)
        targets, record = rules.fitted(done.targets), done.record
        return TrainingSample(
            number, lambda: read.item.name, targets, targets.mask, read.label, lambda: record, converted
        )

    def rows(
        self, numbers: Sequence[int], rows: Sequence[Row], run: EpochRun
    ) -> Sequence[TrainingSample | None]:
        """Make many samples in one call; where Python plans them, a first one reads, and a second one does the rest."""
        made = self._made(numbers, rows, run)
        if made is not None:
            return made
        read = self.source.read_ordinary(numbers)
        begun = [
            None if one is None else self._begun(number, *one, Key(run.seed, run.epoch, number))
            for number, one in zip(numbers, read)
        ]
        return run_rows(begun, rows, run.recipe, run.rules)

    def lone(self, number: int, run: EpochRun) -> TrainingSample | None:
        """Make one sample in one call: what its plan makes is known once its file is read."""
        planner, keys = self._planner(run), KeysOfEpoch(run.seed, run.epoch, [number])
        files = planner and self._files([number], planner, keys, run.rules)
        spec = None if files is None else files.plan()[0]
        if files is None or spec is None:
            return None
        row = RowBlock(BatchRows(self._buffers, 1, spec[0], np.dtype(spec[1])), 0, 1)
        return self._samples(files, files.run(block_of(row)), row, run.recipe, keys)[0]

    def _made(
        self, numbers: Sequence[int], rows: Sequence[Row], run: EpochRun
    ) -> Sequence[TrainingSample | None] | None:
        """Samples whose images alone are made, without Python; None where that is not possible."""
        planner = self._planner(run)
        if planner is None or not are_neighbours(rows):
            return None
        keys = KeysOfEpoch(run.seed, run.epoch, numbers)
        files = self._files(numbers, planner, keys, run.rules)
        if files is None:
            return None
        are_all = files.run(block_of(rows))
        if planner.in_vain:
            return None
        return self._samples(files, are_all, as_block(rows), run.recipe, keys)

    def _planner(self, run: EpochRun) -> RecipePlanner | None:
        is_usual = any(map(run.rules.has_usual_depth, self.source.row_dtypes))
        return run.recipe.planner() if is_usual else None

    def _files(
        self,
        numbers: Sequence[int],
        planner: RecipePlanner,
        keys: KeysOfEpoch,
        rules: Rules,
    ) -> OrdinaryRows | None:
        depths = [depth for depth in (8, 16) if rules.has_usual_depth(f"uint{depth}")]
        depth, finite = depths[0] if len(depths) == 1 else None, rules.non_finite == "error"
        return self.source.ordinary_rows(numbers, planner, keys, depth=depth, finite=finite)

    def _samples(
        self,
        files: OrdinaryRows,
        are_all: bool,
        rows: RowBlock,
        recipe: Compose,
        keys: KeysOfEpoch,
    ) -> Sequence[TrainingSample | None]:
        numbers = keys.numbers
        labels = self.source.labels(numbers)
        made = MadeImages(recipe, numbers, keys, 0, files.spec)
        samples = MadeRows(numbers, labels, rows, self.name, made, range(len(numbers)))
        if are_all and self.labels.fit(labels):
            return samples
        return [
            samples[place] if is_made and self.labels.fits(label) else None
            for place, (is_made, label) in enumerate(zip(files.are_made(), labels))
        ]

    def _begun(self, number: int, file: OrdinaryFile, sample: Sample, key: Key) -> BegunSample | None:
        try:
            check_targets(sample.mask, sample.label, self)
        except StepError:
            return None
        item = sample.item
        return BegunSample(number, sample.targets, sample.label, key, 0, lambda: item.name, _same, file)


class DatasetSamples:
    """Samples read from a built dataset, where the recipe continues after the steps that are stored."""

    def __init__(
        self, dataset: BuiltDataset, own_recipe: bool, one_hot: bool, class_names: Sequence[str] | None
    ) -> None:
        self.dataset = dataset
        self.own_recipe = own_recipe
        names, self.renumbered = _renumber(dataset, class_names)
        self.labels = BatchLabels(dataset.task, names, dataset.target_names, one_hot)
        self.has_masks = dataset.has_masks
        self.most_boxes = dataset.most_boxes if dataset.task == "detect" else None
        self.keypoints = None if dataset.keypoints is None else len(dataset.keypoints)
        self.box_axes = dataset.box_axes
        self.masks_number_objects: bool | None = (
            None if dataset.has_masks and self.most_boxes is not None else False
        )

    @property
    def in_rows(self) -> bool:
        """Whether nothing lies beside the arrays that only a record tells, such as boxes."""
        return self.most_boxes is None

    @property
    def digest(self) -> str:
        """Digest of the records."""
        return self.dataset.digest

    def __len__(self) -> int:
        return len(self.dataset)

    def __str__(self) -> str:
        return f"{self.dataset.path}, {count_of(len(self), 'example')}"

    def name(self, number: int) -> str:
        """Name of the file an example was made of, for messages."""
        return self.dataset.line(number)["name"]

    def classes(self) -> np.ndarray | None:
        """Class number of each example, among the loader's classes."""
        found = () if self.dataset.labels is None else self.dataset.labels.tolist()
        return _classes(self.labels, (None if label < 0 else self.renumbered(label) for label in found))

    def shown(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Labels of the example, or those of its stored mask."""
        if self.labels.task == "segment":
            return _labels_of(self.dataset.read(number).mask)
        given = label_of_line(self.dataset.line(number))
        labels = [self.renumbered(int(label)) for label in given or ()]
        return np.unique(np.array(labels, np.int64), return_counts=True)

    def probes(
        self, recipe: Compose, threads: int, read_timeout: float | None = READ_TIMEOUT
    ) -> tuple[list[Probe], dict[str, str]]:
        """Read the records of many examples."""

        def probe(number: int) -> Probe:
            image, mask = self.dataset.specs(number)
            line = self.dataset.line(number)
            return probe_sample(line["name"], image, mask, recipe, line["start"] if self.own_recipe else 0)

        chosen = spread(len(self), 201)
        return look_at(
            len(chosen), lambda i: probe(chosen[i]), len(self), probe, threads, self.name, read_timeout
        )

    def mask_dtypes(self) -> tuple[str, ...]:
        """Return those of all examples."""
        return self.dataset.mask_dtypes

    def sample(self, number: int, run: EpochRun) -> TrainingSample:
        """Read one example and run the rest of the recipe on it."""
        stored = self.dataset.read(number)
        label = self.renumbered(stored.label)
        check_targets(stored.mask, label, self)
        recipe, rules = run.recipe, run.rules
        image, converted = rules.admit(stored.image, scale=self.dataset.color == "rgb")
        # Copy k is what a loader over the files gives in epoch k; later passes count on from there.
        key = Key(run.seed, run.epoch * self.dataset.copies + stored.copy, stored.index)
        start = stored.start if self.own_recipe else 0
        rules.check_recipe(recipe, image, start)
        given = self.given(stored, image)
        done = run_checked(recipe, given, key, start=start, non_finite=rules.non_finite)
        record = done.record
        if self.own_recipe:
            record = {**record, "start": 0, "steps": [*stored.record["steps"], *record["steps"]]}
        targets = rules.fitted(done.targets)
        return TrainingSample(
            number, lambda: stored.name, targets, targets.mask, label, lambda: record, converted
        )

    def rows(
        self, numbers: Sequence[int], rows: Sequence[Row], run: EpochRun
    ) -> Sequence[TrainingSample | None]:
        """Make many samples in one call; those that it leaves are read by Python, and run in a second one."""
        found = self._made(numbers, rows, run)
        if isinstance(found, MadeRows):
            return found
        made = list(found)
        left = [place for place, one in enumerate(made) if one is None]
        if left:
            some = [numbers[place] for place in left]
            read = self.dataset.stored_many(some)
            begun = [self._begun(number, stored, run) for number, stored in zip(some, read)]
            asked = run_rows(begun, [rows[place] for place in left], run.recipe, run.rules)
            for place, one in zip(left, asked):
                made[place] = one
        return made

    def lone(self, number: int, run: EpochRun) -> TrainingSample | None:
        """Return nothing: an example is read in one call already."""
        return None

    def _made(
        self, numbers: Sequence[int], rows: Sequence[Row], run: EpochRun
    ) -> Sequence[TrainingSample | None]:
        """Samples whose images alone are made, without Python; None for each of which that is not possible."""
        none: list[TrainingSample | None] = [None] * len(numbers)
        dataset, places = self.dataset, self.dataset.places
        if not are_neighbours(rows) or places is None or self.has_masks or self.most_boxes is not None:
            return none
        addresses = [dataset.address(number) for number in numbers]
        starts = {start for _, _, start in addresses} if self.own_recipe else {0}
        planner = run.recipe.planner(*starts) if len(starts) == 1 else None
        if planner is None:
            return none
        (start,) = starts
        keys = [(run.seed, run.epoch * dataset.copies + copy, item) for item, copy, _ in addresses]
        done = places.make_rows(
            numbers, planner, keys, lambda: block_of(rows), finite=run.rules.non_finite == "error"
        )
        if planner.in_vain:
            return none
        specs: list[Any] = [places.spec(number) for number in numbers]
        usual = [spec is not None and run.rules.has_usual_depth(spec.dtype) for spec in specs]
        labels: list[Label | None] = []
        for place, number in enumerate(numbers):
            try:
                labels.append(self.renumbered(dataset.label(number)))
            except LookupError:  # raised again where the sample is made alone
                labels.append(None)
                usual[place] = False
        images = MadeImages(run.recipe, numbers, keys, start, specs.__getitem__, self.whole_record)
        samples = MadeRows(numbers, labels, as_block(rows), self.name, images, range(len(numbers)))
        if all(done) and all(usual) and self.labels.fit(labels):
            return samples
        return [
            samples[place] if is_done and is_usual and self.labels.fits(label) else None
            for place, (is_done, is_usual, label) in enumerate(zip(done, usual, labels))
        ]

    def _begun(self, number: int, stored: StoredTargets | None, run: EpochRun) -> BegunSample | None:
        """An example that was read; None where anything about it is unusual."""
        dataset = self.dataset
        if stored is None:
            return None
        try:
            label = self.renumbered(stored.label)
            check_targets(stored.mask, label, self)
            key = Key(run.seed, run.epoch * dataset.copies + stored.copy, stored.item)
            given = Targets.of_image(stored.image, stored.mask)
        except Exception:  # whatever it is, it is raised again where the sample is run alone
            return None
        start = stored.start if self.own_recipe else 0
        return BegunSample(
            number,
            given,
            label,
            key,
            start,
            lambda: self.name(number),
            functools.partial(self.whole_record, number),
        )

    def whole_record(self, number: int, record: dict[str, Any]) -> dict[str, Any]:
        """One record of the whole run, of an example and the rest of its recipe: it replays on the image of the source."""
        if not self.own_recipe:
            return record
        return {
            **record,
            "start": 0,
            "steps": [*self.dataset.line(number)["record"]["steps"], *record["steps"]],
        }

    def given(self, stored: StoredExample, image: Image) -> Targets:
        """Return the image with its mask, its boxes, whose classes are numbered as the loader's are, and its keypoints."""
        targets: dict[str, Target] = dict(Targets.of_image(image, stored.mask))
        boxes = stored.boxes
        if boxes is not None:
            numbers = [] if boxes.labels is None else [self.renumbered(int(label)) for label in boxes.labels]
            labels = np.array(numbers, np.int64)
            targets["boxes"] = Boxes(
                boxes.array, boxes.format, size=boxes.size, labels=labels, extra=boxes.extra
            )
        if stored.points is not None:
            targets["points"] = stored.points
        return Targets(targets)


def _renumber(
    dataset: BuiltDataset, class_names: Sequence[str] | None
) -> tuple[tuple[str, ...], Callable[[Any], Any]]:
    """Class names of a dataset, or those given instead, and what makes its labels numbers among them.

    Raises
    ------
    SourceError
        Where a class of an example is not among the names; says which.
    """
    if class_names is None or not dataset.class_names:
        return dataset.class_names, _same
    names = parse_class_names(class_names)
    used = _used_classes(dataset)
    found_names = {dataset.class_names[number] for number in used}
    refuse_classes(str(dataset.path), found_names, names, "name all of them, or leave class_names out")
    known = {name: number for number, name in enumerate(names)}
    return names, _Renumber({i: known[nfc(dataset.class_names[i])] for i in used})


def _used_classes(dataset: BuiltDataset) -> list[int]:
    """Class numbers that examples have, or their boxes."""
    if dataset.task == "detect":
        return sorted(dataset.box_classes)
    labels = np.asarray(dataset.labels)
    found = np.unique(labels[labels >= 0]) if labels.ndim == 1 else np.flatnonzero(labels.any(axis=0))
    return [int(number) for number in found]


def _classes(labels: BatchLabels, found: Iterable[Label | None]) -> np.ndarray | None:
    """Class numbers as an array, where the task has them and none is missing."""
    if labels.task != "classify":
        return None
    numbers = np.array([-1 if label is None else label for label in found], np.int64)
    return None if numbers.size == 0 or numbers.min() < 0 else numbers


def _labels_of(mask: Mask | None) -> tuple[np.ndarray, np.ndarray]:
    """Labels of a mask, and the pixels of each."""
    if mask is None:
        raise StepError("has no mask, and others of its source have one")
    if mask.array.dtype in (np.uint8, np.uint16):  # counted without sorting
        counts = np.bincount(mask.array.ravel())
        labels = np.flatnonzero(counts)
        return labels, counts[labels]
    return np.unique(mask.array, return_counts=True)


def _same(label: Any) -> Any:
    return label


@dataclass(frozen=True)
class _Renumber:
    """Class numbers among other names."""

    numbers: dict[int, int]

    def __call__(self, label: Any) -> Any:
        if isinstance(label, tuple):
            return tuple(sorted(self.numbers[number] for number in label))
        return None if label is None else self.numbers[label]


def check_targets(mask: Mask | None, label: Label | None, samples: Samples) -> None:
    """Refuse a sample without the mask or label that others of its source have."""
    if samples.has_masks and mask is None:
        raise StepError("has no mask, and others of its source have one")
    samples.labels.check(label)

"""Where a loader's samples come from: the files of a source, or a dataset built from them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from offgraph.core.choices import NonFinite
from offgraph.core.errors import StepError
from offgraph.core.machine import READ_TIMEOUT
from offgraph.core.random import Key
from offgraph.dataset.built import BuiltDataset, StoredExample
from offgraph.loading.labels import BatchLabels
from offgraph.pipeline.checks import fit_mask, run_checked
from offgraph.pipeline.depth import to_depth
from offgraph.pipeline.probe import Probe, Reference, look_at, look_at_source, probe_sample
from offgraph.pipeline.rows import BatchRows, Row
from offgraph.recipe.compose import Compose, PreparedSample, run_prepared
from offgraph.sources import Source
from offgraph.sources.base import Label, count_of, refuse_classes, spread
from offgraph.sources.names import nfc, parse_class_names
from offgraph.targets import Boxes, Image, Mask, Target, Targets

__all__ = ["BatchRows", "DatasetSamples", "FileSamples", "Row", "Rules", "Samples", "TrainingSample"]


@dataclass(frozen=True, eq=False)
class TrainingSample:
    """One image after the recipe, with its targets, ready for a batch.

    Parameters
    ----------
    number : int
        Number of the item in its source, or of the example in its dataset.
    named : callable
        Gives the name of the file, relative to the source's root.
    made : Targets or callable
        The image and what lies on its grid, or what gives them.
    mask : Mask or None
        Its mask.
    label : int, tuple of int, tuple of float, or None
        As in `Item.label`.
    recorded : callable
        Gives what was drawn.
    converted : str or None
        How the image was brought to the depth of the others.
    row : Row, optional
        Where in a batch the image lies already.
    """

    number: int
    named: Callable[[], str]
    made: Targets | Callable[[], Targets]
    mask: Mask | None
    label: Label | None
    recorded: Callable[[], dict[str, Any]]
    converted: str | None = None
    row: Row | None = None

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.named()

    @property
    def record(self) -> dict[str, Any]:
        """What was drawn."""
        return self.recorded()

    @property
    def image(self) -> Image:
        """The image."""
        return self.targets.image

    @functools.cached_property
    def targets(self) -> Targets:
        """The image and what lies on its grid."""
        return self.made if isinstance(self.made, Targets) else self.made()


@dataclass(frozen=True)
class Rules:
    """What a loader takes into a batch.

    Parameters
    ----------
    reference : Reference or None
        What most images look like; None where no image could be looked at.
    any_depth : bool
        Whether the recipe gives the same result for every depth.
    non_finite : {"error", "allow"}
        What NaN and infinity do.
    """

    reference: Reference | None
    any_depth: bool
    non_finite: NonFinite


class Samples(Protocol):
    """What a loader needs from the source of its samples."""

    labels: BatchLabels
    has_masks: bool
    most_boxes: int | None
    """The largest number of boxes that an image has; None where there are none to learn."""
    keypoints: int | None
    """Keypoints of each object; None where there are none."""

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

    def probes(
        self, recipe: Compose, threads: int, read_timeout: float | None = READ_TIMEOUT
    ) -> tuple[list[Probe], dict[str, str]]:
        """Look at a few samples, without running the recipe, to know what most are like."""
        ...

    def mask_dtypes(self) -> tuple[str, ...]:
        """Dtypes of all masks, as far as they are known without reading them."""
        ...

    def sample(self, number: int, recipe: Compose, seed: int, epoch: int, rules: Rules) -> TrainingSample:
        """Read one sample and run the recipe on it, with the draws of (seed, epoch, number)."""
        ...

    def rows(
        self,
        numbers: Sequence[int],
        rows: Sequence[Row],
        recipe: Compose,
        seed: int,
        epoch: int,
        rules: Rules,
    ) -> list[TrainingSample | None]:
        """Read samples and run the recipe on all of them in one call, which writes their images into rows.

        None stands for one that `sample` has to be asked for, whatever the reason.
        """
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

    in_rows = False

    @functools.cached_property
    def digest(self) -> str:
        """Digest of the names, in their order."""
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

    def probes(
        self, recipe: Compose, threads: int, read_timeout: float | None = READ_TIMEOUT
    ) -> tuple[list[Probe], dict[str, str]]:
        """Read the typical items of the source."""
        return look_at_source(self.source, recipe, threads, read_timeout)

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
        done = run_checked(recipe, read.targets.replaced(image=image), key, non_finite=rules.non_finite)
        targets = _fitted(done.targets, rules)
        return TrainingSample(
            number, lambda: read.item.name, targets, targets.mask, read.label, lambda: done.record, converted
        )

    def rows(
        self,
        numbers: Sequence[int],
        rows: Sequence[Row],
        recipe: Compose,
        seed: int,
        epoch: int,
        rules: Rules,
    ) -> list[TrainingSample | None]:
        """Leave all to `sample`: files are decoded one by one."""
        del rows, recipe, seed, epoch, rules
        return [None] * len(numbers)


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

    def sample(self, number: int, recipe: Compose, seed: int, epoch: int, rules: Rules) -> TrainingSample:
        """Read one example and run the rest of the recipe on it."""
        stored = self.dataset.read(number)
        label = self.renumbered(stored.label)
        _check_targets(stored.mask, label, self)
        image, converted = _admit(stored.image, rules, scale=self.dataset.color == "rgb")
        # Copy k is what a loader over the files gives in epoch k; later passes count on from there.
        key = Key(seed, epoch * self.dataset.copies + stored.copy, stored.index)
        start = stored.start if self.own_recipe else 0
        given = self.given(stored, image)
        done = run_checked(recipe, given, key, start=start, non_finite=rules.non_finite)
        record = done.record
        if self.own_recipe:
            record = {**record, "start": 0, "steps": [*stored.record["steps"], *record["steps"]]}
        targets = _fitted(done.targets, rules)
        return TrainingSample(
            number, lambda: stored.name, targets, targets.mask, label, lambda: record, converted
        )

    def rows(
        self,
        numbers: Sequence[int],
        rows: Sequence[Row],
        recipe: Compose,
        seed: int,
        epoch: int,
        rules: Rules,
    ) -> list[TrainingSample | None]:
        """Run the rest of the recipe on many examples in one call."""
        reader = _Reader(self, recipe, seed, epoch, rules)
        found = [reader.prepared(number, row) for number, row in zip(numbers, rows)]
        ready = [one for one in found if one is not None]
        try:
            run_prepared([one.prepared for one in ready])
        except Exception:  # it is not known which, so each is run alone, and raises it again
            return [None] * len(numbers)
        return [None if one is None else reader.finished(one) for one in found]

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


class _Ready(NamedTuple):
    """A stored example that is prepared."""

    number: int
    row: Row
    prepared: PreparedSample
    label: Label | None


@dataclass(frozen=True, eq=False)
class _Reader:
    """Prepares stored examples for one call, and makes samples of them after it."""

    samples: DatasetSamples
    recipe: Compose
    seed: int
    epoch: int
    rules: Rules

    def prepared(self, number: int, row: Row) -> _Ready | None:
        """Prepare an example; None where anything about it is unusual."""
        samples, rules, dataset = self.samples, self.rules, self.samples.dataset
        try:
            stored = dataset.stored(number)
            image, mask = stored.image, stored.mask
            label = samples.renumbered(stored.label)
            _check_targets(mask, label, samples)
            like = rules.reference
            if like is None or not (rules.any_depth or image.spec.dtype == like.stored.dtype):
                return None
            if (
                image.array.dtype.kind == "f"
                and rules.non_finite == "error"
                and not np.isfinite(image.array).all()
            ):
                return None
            key = Key(self.seed, self.epoch * dataset.copies + stored.copy, stored.item)
            start = stored.start if samples.own_recipe else 0
            given = Targets.of_image(image, mask)
            prepared = self.recipe.prepare(given, key, row, start)
        except Exception:  # whatever it is, it is raised again where the sample is run alone
            return None
        return None if prepared is None else _Ready(number, row, prepared, label)

    def finished(self, ready: _Ready) -> TrainingSample | None:
        """Make the sample; None where its values are not finite, or its mask is another than the others'."""
        prepared, row, number = ready.prepared, ready.row, ready.number
        if self.rules.non_finite == "error" and not (prepared.finite or np.isfinite(row.array()).all()):
            return None
        released = prepared.released()  # a batch keeps it until its records are asked for
        made: Targets | Callable[[], Targets] = released.targets
        mask = None
        if not prepared.is_alone:
            try:
                made = _fitted(prepared.targets(), self.rules)
            except Exception:  # as above
                return None
            mask = made.mask
        samples = self.samples
        return TrainingSample(
            number,
            lambda: samples.name(number),
            made,
            mask,
            ready.label,
            lambda: samples.whole_record(number, released.record()),
            row=row,
        )


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


def _check_targets(mask: Mask | None, label: Label | None, samples: Samples) -> None:
    """Refuse a sample without the mask or label that others of its source have."""
    if samples.has_masks and mask is None:
        raise StepError("has no mask, and others of its source have one")
    samples.labels.check(label)


def _admit(image: Image, rules: Rules, *, scale: bool) -> tuple[Image, str | None]:
    if rules.any_depth or rules.reference is None:
        return image, None
    return to_depth(image, rules.reference.stored, rules.reference.name, scale=scale)


def _fitted(targets: Targets, rules: Rules) -> Targets:
    """Bring the mask among targets to the dtype of its source's masks."""
    reference, mask = rules.reference, targets.mask
    if mask is None or reference is None or reference.mask is None:
        return targets
    return targets.replaced(mask=fit_mask(mask, reference.mask.dtype, reference.name))

"""The description of a build: written first, and compared when the build is run again."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from offgraph.core.choices import Task
from offgraph.core.errors import BuildError, RecipeError
from offgraph.core.machine import is_machine, machine_error
from offgraph.core.versions import library_versions
from offgraph.dataset.mixed_order import mixed_order
from offgraph.dataset.output import json_line
from offgraph.dataset.schema import FORMAT_VERSION, JOB, as_label, parse_version
from offgraph.recipe.compose import Compose
from offgraph.recipe.identity import explain_mismatch
from offgraph.sources import Reading, Source
from offgraph.sources.classes import class_numbers
from offgraph.sources.items import Label

__all__ = [
    "FORMAT_VERSION",
    "Job",
    "ListedImage",
    "class_counts",
    "explain_difference",
]


_MIXED = ("tfrecord", "webdataset")
"""Formats whose examples are stored in a mixed order."""
_NOT_COMPARED = ("layout",)
"""Options that a resumed build keeps: they follow from the others, and from the files."""


@dataclass(frozen=True)
class ListedImage:
    """One file of the source as it was listed: what is compared when the build is resumed."""

    name: str
    size: int
    label: Label | None
    mask: str | None
    mask_size: int | None

    def row(self) -> list[Any]:
        """The image as a row of plain JSON values."""
        return [self.name, self.size, self.label, self.mask, self.mask_size]


@dataclass(frozen=True)
class Job:
    """Everything that the bytes of a dataset depend on, except the content of the files.

    Parameters
    ----------
    recipe : dict
        The whole recipe, written out.
    options : dict
        format, copies, seed, store, shard_size; whether the recipe is for training; how the files are read.
    class_names : tuple of str
    versions : dict
        The libraries that decode, transform and encode.
    images : tuple of ListedImage
        The listing, in the order of the source.
    task, target_names, has_masks
        What a model learns from the dataset, as the source declares it; None, empty and None in jobs of older versions.
    keypoints : tuple of str or None
        Names of the keypoints of each object.
    objects : str or None
        SHA-256 over all annotated objects, with the task ``"detect"``.
    """

    recipe: dict[str, Any]
    options: dict[str, Any]
    class_names: tuple[str, ...]
    versions: dict[str, str]
    images: tuple[ListedImage, ...]
    task: Task | None = None
    target_names: tuple[str, ...] = ()
    has_masks: bool | None = None
    keypoints: tuple[str, ...] | None = None
    objects: str | None = None

    @classmethod
    def of(cls, source: Source, recipe: Compose, options: dict[str, Any], extra: Sequence[str] = ()) -> Job:
        """Describe a job; ``extra`` names further libraries the written bytes depend on."""
        versions = library_versions(extra)
        return cls(
            recipe=json.loads(json_line(recipe.to_dict())),
            options=json.loads(json_line({**options, "training": recipe.training, **asdict(source.reading)})),
            class_names=source.class_names,
            versions=versions,
            images=_listed(source),
            task=source.task,
            target_names=source.target_names,
            has_masks=source.has_masks,
            keypoints=None if source.keypoints is None else source.keypoints.names,
            objects=digest_of_objects(source) if source.task == "detect" else None,
        )

    @property
    def learnt(self) -> dict[str, Any]:
        """Task, names of targets and whether there are masks, as plain JSON; empty for a job of an older version."""
        if self.has_masks is None:
            return {}
        learnt = {"task": self.task, "target_names": list(self.target_names), "has_masks": self.has_masks}
        if self.task == "detect":
            learnt["keypoints"] = None if self.keypoints is None else list(self.keypoints)
            learnt["objects"] = self.objects
        return learnt

    def to_bytes(self) -> bytes:
        """JSON with one image per line."""
        head = {
            "offgraph": FORMAT_VERSION,
            "recipe": self.recipe,
            "options": self.options,
            "class_names": list(self.class_names),
            "versions": self.versions,
            **self.learnt,
        }
        rows = b",\n".join(json_line(image.row()).rstrip() for image in self.images)
        return json_line(head)[: -len(b"}\n")] + b',\n"pictures":[\n' + rows + b"\n]}\n"

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> Job:
        """Read what ``to_bytes`` wrote.

        Raises
        ------
        BuildError
            Where it is not that.
        """
        advice = "choose another folder, or remove this one if it holds nothing of yours"
        value = parse_version(
            JOB,
            data,
            f"{where}: not the description of a build",
            advice,
            lambda version: (
                f"{where}: written by another version of Offgraph (layout {version!r:.50}, "
                f"this one reads {FORMAT_VERSION}); build into another folder"
            ),
        )
        task = value.get("task")
        for name, _, label, *_ in value["pictures"]:
            if any(
                not 0 <= n < len(value["class_names"])
                for n in class_numbers(as_label(label, None))
                if task != "regress"
            ):
                raise BuildError(f"{where}: damaged: label {label!r:.60} of {name!r:.200}; {advice}")
        return cls(
            recipe=dict(value["recipe"]),
            options=dict(value["options"]),
            class_names=tuple(value["class_names"]),
            versions=dict(value["versions"]),
            images=tuple(
                ListedImage(name, size, as_label(label, task), *rest)
                for name, size, label, *rest in value["pictures"]
            ),
            task=task,
            target_names=tuple(value.get("target_names", ())),
            has_masks=value.get("has_masks"),
            keypoints=None if value.get("keypoints") is None else tuple(value["keypoints"]),
            objects=value.get("objects"),
        )

    def differences(self, new: Job, *, versions: bool, files: bool = True) -> list[str]:
        """Describe the differences from another job; empty where the bytes would be the same.

        Parameters
        ----------
        new : Job
        versions : bool
            Whether those of libraries count.
        files : bool
            Whether it counts which files there are, with their classes and annotations.
        """
        found = []
        if self.recipe != new.recipe:
            try:
                difference = explain_difference(Compose.from_dict(self.recipe), Compose.from_dict(new.recipe))
            except RecipeError as error:
                difference = f"one that cannot be read: {error}"
            found.append("another recipe: " + difference)
        default = asdict(Reading()) | {"encoding": "png"}  # of what an earlier version could not say
        for name in self.options | new.options:
            if name in _NOT_COMPARED:
                continue
            was, now = (job.options.get(name, default.get(name)) for job in (self, new))
            if was != now:
                found.append(f"{name} was {was!r:.100}, now {now!r:.100}")
        if files and self.class_names != new.class_names:
            found.append(
                f"the classes were {list(self.class_names)!s:.500}, now {list(new.class_names)!s:.500}"
            )
        for name, was in self.learnt.items():
            now = new.learnt.get(name)
            if was != now and name == "objects":
                found.extend(["annotations changed"] if files else [])
            elif was != now:
                found.append(f"{name.replace('_', ' ')} was {was!r:.100}, now {now!r:.100}")
        if files:
            found.extend(_listing_differences(self.images, new.images))
        if versions:
            for name in sorted(self.versions.keys() | new.versions.keys()):
                was, now = self.versions.get(name, "absent"), new.versions.get(name, "absent")
                if was != now:
                    found.append(f"{name} was {was}, now {now}, which may change bytes")
        return found

    @property
    def present(self) -> tuple[bool, ...]:
        """Whether the files of each image were there when the source was listed."""
        return tuple(p.size >= 0 and (p.mask_size is None or p.mask_size >= 0) for p in self.images)

    @property
    def total(self) -> int:
        """Number of examples, if every image can be used."""
        return len(self.images) * int(self.options["copies"])

    @property
    def shard_count(self) -> int:
        """Number of shards: parts that are finished, and found finished, one by one."""
        return -(-self.total // int(self.options["shard_size"]))

    def shards(self) -> list[list[tuple[int, int]]]:
        """(index, copy) of every example, shard by shard, in the order of writing.

        What is read in sequence is mixed here, once. In folders the names give an order, and Arrow files are read at any
        place.
        """
        copies, size = int(self.options["copies"]), int(self.options["shard_size"])
        if self.options["format"] in _MIXED:
            order = mixed_order(self.total, int(self.options["seed"]))
        else:
            order = list(range(self.total))
        addresses = [divmod(position, copies) for position in order]
        return [addresses[start : start + size] for start in range(0, self.total, size)]


def digest_of_objects(source: Source) -> str:
    """SHA-256 over the annotated objects of a source, in its order: boxes, classes, regions and keypoints."""
    digest = hashlib.sha256()
    for item in source:
        if item.objects is not None:
            item.objects.digest_into(digest)
    return digest.hexdigest()


def class_counts(job: Job, labels: Sequence[Any]) -> dict[str, int]:
    """Number of labels of each class, by name; empty for a source without classes."""
    if not job.class_names:
        return {}
    counted = Counter(number for label in labels for number in class_numbers(as_label(label, None)))
    return {name: counted[i] for i, name in enumerate(job.class_names)}


def explain_difference(old: Compose, new: Compose) -> str:
    """Say where two whole recipes differ, Augment and all: step and field."""
    names = ("the recipe it was built with", "this one")
    difference = explain_mismatch(Compose(old.steps), Compose(new.steps), names=names)
    return difference or "the same steps, but with other ids, or others of them in Augment"


def _listing_differences(old: tuple[ListedImage, ...], new: tuple[ListedImage, ...]) -> list[str]:
    was, now = {p.name: p for p in old}, {p.name: p for p in new}
    gone = [name for name in was if name not in now]
    added = [name for name in now if name not in was]
    changed = [name for name in was if name in now and not _same(was[name], now[name])]
    found = [
        f"{len(names)} {'file' if len(names) == 1 else 'files'} {what} ({names[0]}{', …' if len(names) > 1 else ''})"
        for names, what in ((gone, "gone"), (added, "added"), (changed, "changed in size, label or mask"))
        if names
    ]
    if not found and [image.name for image in old] != [image.name for image in new]:
        found.append("the files are listed in another order")
    return found


def _same(old: ListedImage, new: ListedImage) -> bool:
    """Whether an image is listed as it was; one whose file was missing then may be there now."""
    sizes = {"size": new.size if old.size < 0 else old.size}
    if old.mask_size is not None and new.mask_size is not None and old.mask_size < 0:
        sizes["mask_size"] = new.mask_size
    return replace(old, **sizes) == new


def _listed(source: Source) -> tuple[ListedImage, ...]:
    """The images of a source, with the sizes of their files."""
    everything = range(len(source))
    names, labels, paths = source.names(), source.labels(everything), source.paths_of(everything)
    masks = [item.mask for item in source] if source.has_masks else [None] * len(source)
    return tuple(
        ListedImage(name, _size(path), label, mask and mask.name, None if mask is None else _size(mask))
        for name, path, label, mask in zip(names, paths, labels, masks, strict=True)
    )


def _size(path: str | Path) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116  # of a million texts
    except OSError as error:
        if is_machine(error):
            raise machine_error(str(path), error) from error
        return -1

"""Samples whose images are kept after the first steps of a recipe, so that later epochs neither read nor decode them."""

from __future__ import annotations

import hashlib
import os
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from offgraph.core.counting import count_of
from offgraph.core.errors import OffgraphError
from offgraph.core.machine import READ_TIMEOUT, Read
from offgraph.core.random import Key
from offgraph.formats.decoding import DecodedImage
from offgraph.loading.kept import ImageCache, KeptImage, ProcessLock, Stamp
from offgraph.loading.native_rows import BegunSample, finish_row
from offgraph.loading.samples import FileSamples, check_targets
from offgraph.loading.training_sample import EpochRun, Rules, TrainingSample
from offgraph.pipeline.probe import Probe
from offgraph.pipeline.rows import Row
from offgraph.plan.batch import unread
from offgraph.recipe.compose import Compose
from offgraph.recipe.prepared import run_prepared
from offgraph.recipe.resumed import ResumedRecipe
from offgraph.sources.items import Item
from offgraph.targets import Image, Targets

__all__ = ["CacheInfo", "CachedSamples"]


@dataclass(frozen=True)
class CacheInfo:
    """What a loader keeps, and how it was used.

    Parameters
    ----------
    where : str
        ``"memory"``, or the folder.
    after : str
        What images are kept after: ``"decode"``, or a step, such as ``"step 1, Resize"``.
    reason : str
        Why not after the next step; empty where there is none.
    images : int
        How many images are kept. A folder may hold those of other sources, too.
    num_images : int
        How many the source has.
    nbytes, limit : int
        Bytes that they take, and may take.
    full : bool
        Whether an image did not fit. The others are read from their files in every epoch.
    used : int
        How many samples this loader made of images in the cache, those that it put there for them included.
    passed : int
        How many it made of files alone: the cache was full, the file could not be used, or its draws joined a kept
        step with a later one.
    damaged : int
        Images in the folder that were not as they were written, and were made again.
    """

    where: str
    after: str
    reason: str
    images: int
    num_images: int
    nbytes: int
    limit: int
    full: bool
    used: int
    passed: int
    damaged: int

    def __str__(self) -> str:
        place = "in memory" if self.where == "memory" else f"in {self.where}"
        why = f" (not later: {self.reason})" if self.reason else ""
        full = ", full" if self.full else ""
        bad = f", {count_of(self.damaged, 'damaged image')} made again" if self.damaged else ""
        return (
            f"kept {place} after {self.after}{why}: {count_of(self.images, 'image')} in {size_text(self.nbytes)} of "
            f"{size_text(self.limit)}{full}{bad}; used {self.used:,}, passed by {self.passed:,}"
        )


def size_text(count: int) -> str:
    """Say a number of bytes: ``"12 bytes"``, ``"1.5 MB"``."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}" if count < 1000 * size else f"{count // size:,} {unit}"
    return f"{count} bytes"


class CachedSamples:
    """Samples of files, of which the part of the plan before the first draw is kept.

    What is kept is an image of integers after the first steps, or as it was decoded. Its mask, boxes and points go
    through the whole plan, so that every target has the bytes that it has without a cache. An image is known by its
    file: where size, times or inode of the file or of its mask's differ, it is read again.

    Parameters
    ----------
    files : FileSamples
        What is read where nothing is kept; its errors and its samples are the ones that count.
    resumed : ResumedRecipe
        The recipe, from where images are kept.
    cache : ImageCache
    reason : str
        Why images are not kept after another step.
    """

    def __init__(self, files: FileSamples, resumed: ResumedRecipe, cache: ImageCache, reason: str) -> None:
        self.files, self.resumed, self.cache, self.reason = files, resumed, cache, reason
        self.labels, self.has_masks = files.labels, files.has_masks
        self.most_boxes, self.keypoints = files.most_boxes, files.keypoints
        self.box_axes, self.masks_number_objects = files.box_axes, files.masks_number_objects
        self._counts: Counter[str] = Counter()
        self._lock = ProcessLock()

    @property
    def in_rows(self) -> bool:
        """Whether `rows` is worth a try."""
        return self.most_boxes is None

    @property
    def digest(self) -> str:
        """Digest of the names, in their order."""
        return self.files.digest

    def __len__(self) -> int:
        return len(self.files)

    def classes(self) -> np.ndarray | None:
        """Class number of each item."""
        return self.files.classes()

    def shown(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Classes that an item shows."""
        return self.files.shown(number)

    def __str__(self) -> str:
        where = "memory" if self.cache.where == "memory" else self.cache.where
        return f"{self.files}, kept in {where} after {self.after}"

    @property
    def after(self) -> str:
        """What images are kept after."""
        done = self.resumed.done
        return f"step {done}, {self.resumed.recipe.steps[done - 1].name}" if done else "decode"

    def info(self) -> CacheInfo:
        """Say what is kept, and how it was used."""
        cache, counts = self.cache, self._counts
        return CacheInfo(
            cache.where,
            self.after,
            self.reason,
            cache.images,
            len(self),
            cache.nbytes,
            cache.limit,
            cache.full,
            counts["used"],
            counts["passed"],
            cache.damaged,
        )

    def name(self, number: int) -> str:
        """Name of a file, for messages."""
        return self.files.name(number)

    def probes(
        self, recipe: Compose, threads: int, read_timeout: float | None = READ_TIMEOUT
    ) -> tuple[list[Probe], dict[str, str]]:
        """Read the typical items of the source."""
        return self.files.probes(recipe, threads, read_timeout)

    def mask_dtypes(self) -> tuple[str, ...]:
        """Return nothing: the files would have to be read."""
        return self.files.mask_dtypes()

    def sample(self, number: int, run: EpochRun) -> TrainingSample:
        """Make one sample of a kept image; of its file where there is none, or anything is unusual."""
        kept = self._kept(number, run)
        key = Key(run.seed, run.epoch, number)
        made = None if kept is None else self._resumed(number, kept, key, run.rules)
        self._count("passed" if made is None else "used")
        return self.files.sample(number, run) if made is None else made

    def rows(self, numbers: Sequence[int], rows: Sequence[Row], run: EpochRun) -> list[TrainingSample | None]:
        """Run the rest of the recipe on many kept images in one call; see `Samples.rows`."""
        found = [self._kept(number, run) for number in numbers]
        begun = [
            None if kept is None else self._begun(number, kept, Key(run.seed, run.epoch, number), run.rules)
            for number, kept in zip(numbers, found)
        ]
        prepared = [
            None
            if one is None or kept is None
            else self.resumed.prepare(one.targets, kept.image, one.key, row)
            for one, kept, row in zip(begun, found, rows)
        ]
        made: list[TrainingSample | None] = [
            finish_row(one, ready, row, run.rules) if done and one is not None and ready is not None else None
            for one, ready, row, done in zip(begun, prepared, rows, run_prepared(prepared))
        ]
        self._count("used", sum(sample is not None for sample in made))
        # What is not kept, because there is no room or it cannot be used, is left to the files.
        rest = [place for place, kept in enumerate(found) if kept is None]
        if rest and self.files.in_rows:
            others = self.files.rows([numbers[place] for place in rest], [rows[place] for place in rest], run)
            self._count("passed", sum(sample is not None for sample in others))
            for place, sample in zip(rest, others):
                made[place] = sample
        return made

    def lone(self, number: int, run: EpochRun) -> TrainingSample | None:
        """Return nothing: what is kept is looked for first."""
        return None

    # ---- what is kept

    def _kept(self, number: int, run: EpochRun) -> KeptImage | None:
        """The image that is kept, now if not before; None where it is read from its file every time."""
        item = self.files.source[number]
        source = self.files.source
        stamp = stamp_of(item, source.digests_of(item))
        if stamp is None or run.recipe is not self.resumed.recipe or run.rules.reference is None:
            return None
        found = self.cache.get(number, stamp)
        if found is not None or self.cache.full:
            return found
        try:
            kept = self._made(number, run.rules)
        except OffgraphError:  # raised again, by the one whose errors count
            return None
        if stamp_of(item, source.digests_of(item)) != stamp:  # it changed while it was read
            return None
        self.cache.put(number, stamp, kept)
        return kept

    def _made(self, number: int, rules: Rules) -> KeptImage:
        read = self.files.source.read(number)
        image, converted = rules.admit(read.image, scale=self.files.source.color == "rgb")
        kept = self.resumed.keep(image)
        mask = read.mask if read.item.mask is not None and read.mask is not None else None
        for target in (kept, mask):
            if target is not None:
                target.array.flags.writeable = False
        return KeptImage(image.spec, read.decoded.stored_size, kept, mask, converted)

    def _count(self, what: str, times: int = 1) -> None:
        with self._lock:
            self._counts[what] += times

    # ---- the rest of the recipe

    def _given(self, number: int, kept: KeptImage) -> Targets:
        """The targets at the start of the recipe, without the pixels of the image.

        Raises
        ------
        OffgraphError
            For what `FileSamples.sample` refuses, too.
        """
        source = self.files.source
        item, image = source[number], unread(kept.start)
        decoded = DecodedImage(image.array, image.axes, 1, kept.stored_size, "")
        given = source.targets_of(item, image, decoded, kept.mask)
        check_targets(given.mask, item.label, self.files)
        return given

    def _resumed(self, number: int, kept: KeptImage, key: Key, rules: Rules) -> TrainingSample | None:
        """Make a sample alone; None where the file is asked instead."""
        if not _may_be_used(kept.image, rules):
            return None
        try:
            done = self.resumed.run(self._given(number, kept), kept.image, key)
            if done is None or not _may_be_used(done.targets.image, rules):
                return None
            targets = rules.fitted(done.targets)
        except Exception:  # whatever it is, the run from the file raises it
            return None
        record, item = done.record, self.files.source[number]
        return TrainingSample(
            number, lambda: item.name, targets, targets.mask, item.label, lambda: record, kept.converted
        )

    def _begun(self, number: int, kept: KeptImage, key: Key, rules: Rules) -> BegunSample | None:
        if kept.converted is not None or not _may_be_used(kept.image, rules):
            return None
        try:
            given = self._given(number, kept)
        except Exception:  # as above
            return None
        item = self.files.source[number]
        return BegunSample(number, given, item.label, key, 0, lambda: item.name, lambda record: record)


def stamp_of(item: Item, digests: tuple[str, str | None] | None = None) -> Stamp | None:
    """Say which files an item has now, or which arrays by their digests; None where they cannot be looked at."""
    if digests is not None:
        whole = hashlib.sha256(repr(digests).encode()).digest()
        return struct.unpack("<4q", whole)
    try:
        with Read(item.path):
            found = os.stat(item.path)  # noqa: PTH116  # a third of the time of Path.stat
            stamp = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
            if item.mask is None:
                return stamp
            found = os.stat(item.mask)  # noqa: PTH116
    except OSError:
        return None
    return (*stamp, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def _may_be_used(image: Image, rules: Rules) -> bool:
    array = image.array
    return array.dtype.kind != "f" or rules.non_finite != "error" or bool(np.isfinite(array).all())

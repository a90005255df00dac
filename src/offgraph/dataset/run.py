"""One run of a build: finds the shards that are finished, has the others made, and writes the manifest."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from offgraph.core.counting import count_of
from offgraph.core.errors import BuildError
from offgraph.dataset.allowed import MaxBad
from offgraph.dataset.engines import Engine
from offgraph.dataset.formats import DatasetFormat
from offgraph.dataset.job import Job, class_counts
from offgraph.dataset.maker import Maker
from offgraph.dataset.output import OutputFolder
from offgraph.dataset.progress import progress_bar
from offgraph.dataset.records import BAD_TABLE, MANIFEST, Records, quarantined
from offgraph.dataset.report import BuildReport
from offgraph.dataset.source_digests import digest_of
from offgraph.pipeline.scaled_decoding import error_of_scaled

__all__ = ["Run"]


class Tally:
    """How far each shard is: the number of its examples, and its bad images."""

    def __init__(self) -> None:
        self.good = 0
        self.bad: list[dict[str, Any]] = []
        self.bad_images: set[int] = set()
        self._of: dict[int, tuple[int, int]] = {}

    def note(self, shard: int, good: int, bad: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        """Take in how far a shard is; return the bad images that are new."""
        had, had_bad = self._of.get(shard, (0, 0))
        new = bad[had_bad:]
        self._of[shard] = good, max(had_bad, len(bad))
        self.good += good - had
        if new:
            self.bad.extend(new)
            self.bad_images.update(line["index"] for line in new)
        return new


@dataclass
class Run:
    """One run of a job.

    Parameters
    ----------
    job : Job
    maker : Maker
    folder : OutputFolder
    writer : DatasetFormat
    records : Records
    engine : Engine
        What makes the shards.
    stop : bool
        Whether the first bad image ends the build.
    allowed : MaxBad
    progress : bool or None
        As for `offgraph.build`.
    """

    job: Job
    maker: Maker
    folder: OutputFolder
    writer: DatasetFormat
    records: Records
    engine: Engine
    stop: bool
    allowed: MaxBad
    progress: bool | None
    retried: bool = False
    _tally: Tally = field(default_factory=Tally)

    def run(self) -> BuildReport:
        """Make what is missing, and say what there is."""
        started = time.perf_counter()
        shards = self.job.shards()
        done, repaired = self._finished(len(shards))
        todo = {shard: addresses for shard, addresses in enumerate(shards) if shard not in done}
        finished = (self.folder.path / MANIFEST).exists()
        if todo:
            self.folder.remove(MANIFEST)  # the dataset is not whole while a part of it is missing
        with progress_bar(self.job.total, self.progress) as show:

            def tell(shard: int, good: int, bad: Sequence[dict[str, Any]]) -> None:
                self._note(shard, good, bad)
                show(self._tally.good + len(self._tally.bad), len(self._tally.bad))

            with closing(self.engine.made(self.maker, self.writer, todo, tell)) as made:
                for shard, header, lines, bad in made:
                    self.records.write(shard, header, lines, bad)
        # The files next to the shards follow from them: they are made again, and written where they differ.
        written = self.writer.finish(line for _, lines, _ in self.records.all() for line in lines)
        written += self.records.finish()
        if finished and not self.retried:
            again = [name for name in written if name != MANIFEST or not todo]
            repaired += [f"{name} is missing or not as it was written" for name in again]
        return self._report(sum(done.values()), repaired, time.perf_counter() - started)

    def _finished(self, count: int) -> tuple[dict[int, int], list[str]]:
        """Shards that are whole on the disk, with their numbers of examples; and what was found damaged."""
        done, damaged = {}, []
        hashes: dict[Path, str | None] = {}
        for shard in range(count):
            found = self.records.read(shard)
            if found is None:
                if (self.folder.path / MANIFEST).exists():
                    damaged.append(f"{self.records.file(shard)} is missing or damaged")
                continue
            head, lines, bad = found
            self._check_sources((*lines, *bad), hashes)
            trouble = self.writer.damage(self.folder.path, head, lines)
            if trouble:
                damaged.append(trouble)
            elif any(line.get("retry") and self._opens(line["index"]) for line in bad):
                self.retried = True
            else:
                self._note(shard, len(lines), bad)
                self.records.take(shard, head, lines, bad)
                done[shard] = len(lines)
        return done, damaged

    def _opens(self, index: int) -> bool:
        """Whether the files of an image that was out of reach can be opened now."""
        item = self.maker.source[index]
        if self.maker.source.digests_of(item) is not None:
            return True
        try:
            for path in filter(None, (item.path, item.mask)):
                os.close(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)))
        except OSError:
            return False
        return True

    def _check_sources(self, lines: tuple[dict[str, Any], ...], hashes: dict[Path, str | None]) -> None:
        for line in lines:
            item = self.maker.source[line["index"]]
            for path, was in ((item.path, line["source"]), (item.mask, line.get("mask_source"))):
                if path is None or was is None:
                    continue
                if path not in hashes:
                    hashes[path] = digest_of(self.maker.source, item, path)
                if hashes[path] != was:
                    raise BuildError(
                        f"{self.folder.path}: {line['name']} is another file than the one this build has used; "
                        f"put the old {path.name} back, or build into another folder"
                    )

    # ---- bad images

    def _note(self, shard: int, good: int, bad: Sequence[dict[str, Any]]) -> None:
        """Take in how far a shard is: the number of its examples, and its bad images.

        Raises
        ------
        BuildError
            Where there are more bad images than are allowed.
        """
        new = self._tally.note(shard, good, bad)
        # If none can be used at all, the end of the build reports that.
        total = len(self.job.images)
        if new and total > 1 and self.allowed.exceeded(len(self._tally.bad_images), total):
            self._end_for_bad(new[-1])
        if new and self.stop:
            raise BuildError(
                f"{new[0]['name']}: {new[0]['quarantined']} (on_error='stop'; with 'quarantine' the build continues)"
            )

    def _end_for_bad(self, last: dict[str, Any]) -> None:
        where = ""
        if not (self.folder.path / MANIFEST).exists():
            self.records.list_bad(self._tally.bad)
            where = f" (all so far in {self.folder.path / BAD_TABLE})"
        raise BuildError(
            f"{self.folder.path}: {len(self._tally.bad_images)} of {len(self.job.images)} images are bad{where}, more than "
            f"max_bad={self.allowed.text} allows; {count_of(self._tally.good, 'example')} could be used so far; "
            f"the last: {last['name']}: {last['quarantined']}. "
            "Look at these files and at the options, or raise max_bad: the same build then continues where it stopped"
        )

    def _report(self, resumed: int, repaired: list[str], seconds: float) -> BuildReport:
        totals = self.records.totals
        return BuildReport(
            path=self.folder.path,
            format=self.job.options["format"],
            images=len(self.job.images),
            examples=len(totals.labels),
            classes=class_counts(self.job, totals.labels),
            quarantined=tuple(quarantined(totals.bad)),
            bytes=totals.bytes,
            seconds=seconds,
            resumed=resumed,
            repaired=tuple(repaired),
            max_bad=self.allowed.text,
            draws=self.maker.recipe.first_draw < totals.steps,
            draws_later=totals.steps <= self.maker.recipe.first_draw and self.maker.recipe.draws,
            decoding=error_of_scaled(self.maker.source, self.maker.recipe),
        )

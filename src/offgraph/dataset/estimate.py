"""What a build would make, from a few images made for real."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from offgraph.core.errors import BuildError
from offgraph.dataset.example import BadFile, Example
from offgraph.dataset.job import Job, class_counts
from offgraph.dataset.maker import Maker
from offgraph.dataset.records import Quarantined
from offgraph.dataset.report import BuildReport
from offgraph.pipeline.scaled_decoding import error_of_scaled
from offgraph.pipeline.workers import ordered_map

__all__ = ["estimate"]


def estimate(job: Job, maker: Maker, out: Path, threads: int, probes: int = 12) -> BuildReport:
    """Make a few examples, spread over the source, and extrapolate from them."""
    count = len(job.images)
    chosen = sorted({i * count // probes for i in range(probes)})
    maker((chosen[0], 0))  # libraries that the first image loads do not count towards the time per image
    started = time.perf_counter()
    made = list(ordered_map(maker, [(index, 0) for index in chosen], threads=threads))
    each = (time.perf_counter() - started) / len(made)
    good = [thing for thing in made if isinstance(thing, Example)]
    bad = tuple(Quarantined(b.name, b.reason, (0,)) for b in made if isinstance(b, BadFile))
    size = sum(len(e.image.data) + (0 if e.mask is None else len(e.mask.data)) for e in good) / max(
        1, len(good)
    )
    stored = max((example.start for example in good), default=0)
    copies = job.options["copies"]
    classes = class_counts(
        job, [i.label if i.objects is None else tuple(i.objects.labels.tolist()) for i in maker.source]
    )
    needed, free = int(size * job.total), _free_space(out)
    if free is not None and needed > free:
        raise BuildError(f"{out}: the dataset needs about {needed} bytes, but only {free} are free there")
    return BuildReport(
        path=out,
        format=job.options["format"],
        images=count,
        examples=job.total,
        classes={name: number * copies for name, number in classes.items()},
        quarantined=bad,
        bytes=needed,
        seconds=each * job.total,
        dry_run=True,
        draws=maker.recipe.first_draw < stored,
        draws_later=stored <= maker.recipe.first_draw and maker.recipe.draws,
        decoding=error_of_scaled(maker.source, maker.recipe),
    )


def _free_space(out: Path) -> int | None:
    """Free bytes on the file system that would hold the folder; None where that is unknown."""
    for path in (out, *out.absolute().parents):
        if path.exists():
            try:
                return shutil.disk_usage(path).free
            except OSError:
                return None
    return None

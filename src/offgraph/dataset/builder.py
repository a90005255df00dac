"""The offline job: run a source of images through a recipe into a dataset on disk; it can be interrupted and resumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from offgraph.core.arguments import path_of, whole_number
from offgraph.core.choices import ArrayEncoding, Color, Compression, NonFinite, OnError, Store
from offgraph.core.errors import ArgumentError, BuildError, MachineError
from offgraph.core.machine import machine_error
from offgraph.core.random import Key
from offgraph.dataset.allowed import DEFAULT_MAX_BAD, MaxBad
from offgraph.dataset.engines import Engine, Threads
from offgraph.dataset.estimate import estimate
from offgraph.dataset.formats import FORMATS
from offgraph.dataset.job import Job
from offgraph.dataset.layout import Layout, layout_of
from offgraph.dataset.maker import Maker
from offgraph.dataset.on_ray import OnRay
from offgraph.dataset.output import PART, OutputFolder
from offgraph.dataset.records import JOB_FILE, MANIFEST, Records
from offgraph.dataset.report import BuildReport
from offgraph.dataset.run import Run
from offgraph.dataset.splits import Part, divide, merged, note
from offgraph.dataset.step_order import warn_of_step_order
from offgraph.dataset.update import (
    UPDATE,
    empty,
    finish_replacement,
    is_outdated,
    plan_update,
    replace_dataset,
)
from offgraph.formats.decoding import MAX_PIXELS
from offgraph.pipeline.checks import check_non_finite_option
from offgraph.pipeline.workers import default_threads
from offgraph.recipe.compose import Compose, as_recipe
from offgraph.sources import Item, Source, open_source
from offgraph.sources.folder import SPLIT_FILE

__all__ = ["build"]


def build(
    src: str | Path | Source,
    out: str | Path,
    recipe: Compose | list[Any] | str | Path,
    *,
    format: Literal["folder", "arrow", "tfrecord", "webdataset"] = "folder",
    copies: int = 1,
    workers: int | None = None,
    engine: Literal["threads", "ray"] = "threads",
    address: str | None = None,
    on_error: OnError = "quarantine",
    max_bad: float | str = DEFAULT_MAX_BAD,
    non_finite: NonFinite = "error",
    seed: int = 0,
    store: Store = "integers",
    dry_run: bool = False,
    update: bool = False,
    shard_size: int | None = None,
    encoding: ArrayEncoding | None = None,
    compression: Compression | None = None,
    progress: bool | None = None,
    color: Color = "rgb",
    val: float = 0.0,
    test: float = 0.0,
    group_by: Callable[[Item], str] | str | None = None,
) -> BuildReport:
    """Write a dataset of transformed images; run again after a kill, it continues where it was.

    What is stored is each image after the last step of the recipe that still gives integers, without loss;
    the rest of the recipe is recorded and :class:`offgraph.Loader` continues with it. Copy k of image i is drawn
    at ``Key(seed, epoch=k, index=i)``, so a loader over the dataset gives the images, byte for byte, that a loader over
    the source gives in epoch k. So it is with masks and boxes, unless geometric steps stand both among what is stored
    and after it: these move masks and boxes twice, which a warning says. The bytes written depend on the files, the recipe, the options and the versions of the
    libraries (all in the manifest), and neither on ``workers`` nor on how often the job was killed.

    Parameters
    ----------
    src : path or Source
        Whatever :func:`offgraph.open_source` opens, or a source.
    out : path
        A new or empty folder, or one that an earlier run of the same job left. What an earlier run left without
        one finished example is removed.
    recipe : Compose, list of steps, or path
        A recipe, or a YAML file with one.
    format : {"folder", "arrow", "tfrecord", "webdataset"}
        ``folder``: ``images/<class>/<name>__<copy>.png`` and ``labels.csv``. ``arrow``: Arrow IPC files, uncompressed
        tensors that are read without decoding; written by pyarrow, and the fastest to feed from. ``tfrecord``: shards of
        ``tf.train.Example`` in a mixed order, read without Offgraph; written by TensorFlow. ``webdataset``: tar shards in a
        mixed order, as the webdataset library reads them, each with an ``.idx``.
    copies : int
        Examples made of each image, each with its own draws.
    workers : int, optional
        Threads. Default: one per processor; with ``engine="ray"`` one for each shard.
    engine : {"threads", "ray"}
        ``threads``: this process makes all shards. ``ray``: tasks of Ray do, one for each shard, on the machines of a
        cluster, with the same bytes; a shard whose machine is lost is made again on another. Images and dataset lie on
        a file system that all machines share. Needs ``offgraph[ray]``.
    address : str, optional
        Of a Ray cluster, such as ``"10.0.0.1:6379"``. Default: that of ``RAY_ADDRESS``; without it, Ray is started on
        this machine and ended with the build.
    on_error : {"quarantine", "stop"}
        What to do with an image that cannot be used: list it in ``quarantine.csv``, or end the build.
        An image that is missing or may not be opened is listed too, and tried again when the build is run again.
        A failure of the machine (drive, network, handles, memory) is not an image's fault: the build tries again
        for a few seconds, then ends.
    max_bad : float, int or str
        Bad images that are tolerated: a share such as ``0.05`` or ``"5%"``, or a number of images such as ``12``.
        One more ends the build; what is finished stays. Default: half of the images.
    non_finite : {"error", "allow"}
        What to do with NaN or infinity in an image of floats, in the file or after the stored steps: treat the image
        as bad, or store it.
    seed : int
        Of every draw, and of a mixed order.
    store : {"integers", "final"}
        ``final`` stores what the whole recipe gives, usually floats of four times the size or more.
    dry_run : bool
        Write nothing; estimate size and time from a few images made for real.
    update : bool
        Where the folder holds this build of other files, make only what changed: images that were added, and those whose
        content, or whose mask's, is another, whatever the time of the file says. The stored bytes of the others are
        taken over, and the dataset ends with the bytes of a fresh build. If the stored steps draw, that is so
        only of images that keep their number: the draws follow from it. Other libraries, another shape or depth of all
        images, and other annotated objects make everything anew. Until the new dataset is whole it lies in
        ``out/.update``, and takes as much space as the old one, which stays as it is; after a kill it goes on.
    shard_size : int, optional
        Examples per shard. A build is finished shard by shard, so this is the most work that a kill loses. Default:
        64 files for ``folder``, 1024 examples for ``arrow`` and ``webdataset``, 256 for ``tfrecord``.
    encoding : {"png", "raw"}, optional
        For ``tfrecord`` and ``webdataset``: what holds the pixels, PNG or the values as they are, which take more space and no decoding.
        Default: ``"png"``.
    compression : {"none", "lz4", "zstd"}, optional
        For ``arrow``: of the values of each example. What is compressed is unpacked each time that it is read.
        Default: ``"none"``.
    progress : bool, optional
        Draw a progress bar on standard error. Default: only where that is a terminal.
    color : {"rgb", "grey", "keep"}
        How images are read from a path; a Source has its own.
    val, test : float or int
        Split the source as :func:`offgraph.split` does, by ``seed``: a float is a share of the images, an int a
        number. The parts are separate datasets, ``out/train``, ``out/val`` and ``out/test``, with the same class
        names; validation and test are made once, by ``recipe.eval()``, without what the recipe draws. ``max_bad``
        holds for each part.
    group_by : str or callable, optional
        Images that stay together in the split, such as those of one patient: a column of the table, ``"parent"`` for
        the folder of the file, or a function of an :class:`Item`.

    Returns
    -------
    BuildReport
        With ``val`` or ``test`` the sum of ``report.parts``.

    Raises
    ------
    BuildError
        Where the folder holds something else or another job, cannot be written, where files changed, where more
        than ``max_bad`` images are bad, or with ``on_error="stop"`` at the first one.
    MachineError
        Where the machine failed for longer than a moment. Nothing is set aside for it; run the same build again.
    RecipeError, SourceError
        Where recipe or source cannot be read.

    Warns
    -----
    OffgraphWarning
        Where the source has masks or boxes, and a geometric step follows the step that makes floats while another
        stands before it: put both before it.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import offgraph as og
    >>> recipe = og.Compose([og.Resize((8, 8)), og.Augment(og.Rotate((-15, 15))), og.Normalize("imagenet")])
    >>> with tempfile.TemporaryDirectory() as home:
    ...     Path(home, "photos").mkdir()
    ...     og.imwrite(f"{home}/photos/a.png", np.zeros((20, 30, 3), np.uint8))
    ...     report = og.build(f"{home}/photos", f"{home}/dataset", recipe, copies=2)
    ...     sorted(path.name for path in Path(home, "dataset", "images").iterdir())
    ['a__0.png', 'a__1.png']
    >>> report.examples, report.quarantined
    (2, ())
    """
    _check_options(format=format, on_error=on_error, store=store, engine=engine)
    if address is not None and engine != "ray":
        raise BuildError(f"address={address!r:.80}: is for engine='ray'")
    counts = {
        "copies": copies,
        "shard_size": FORMATS[format].shard_size if shard_size is None else shard_size,
        "workers": (1 if engine == "ray" else default_threads()) if workers is None else workers,
    }
    counts = {name: whole_number(name, value, BuildError) for name, value in counts.items()}
    copies = counts["copies"]
    try:
        seed = Key(seed).seed
    except ArgumentError as error:
        raise BuildError(str(error)) from error
    allowed = MaxBad.of(max_bad)
    recipe = as_recipe(recipe)
    source = open_source(src, color=color)
    if copies > 1 and not recipe.draws:
        raise BuildError(
            f"copies={copies}, but the recipe draws nothing: all copies would be the same image; "
            "put steps into Augment(...), or use copies=1"
        )
    options = {
        "format": format,
        **_storing(format, encoding, compression),
        "seed": seed,
        "store": store,
        "shard_size": counts["shard_size"],
        "non_finite": check_non_finite_option(non_finite),
    }
    made_by = OnRay(counts["workers"], address) if engine == "ray" else Threads(counts["workers"])
    how = _How(options, counts["workers"], made_by, on_error == "stop", allowed, dry_run, progress, update)
    out = path_of("out", out)
    if format == "arrow" and source.box_axes == 3:
        raise BuildError(
            "format='arrow' stores boxes of images of two spatial axes, and these are in volumes: choose format='folder', "
            "'tfrecord' or 'webdataset'"
        )
    trouble = source.holds(out)
    if trouble:
        raise BuildError(trouble)
    if not val and not test:
        if group_by is not None:
            raise BuildError(f"group_by={group_by!r:.80}: is for val= and test=; give one of them")
        return how.build(Part(out, source, recipe, copies))
    parts = divide(source, recipe, out, val=val, test=test, seed=seed, group_by=group_by, copies=copies)
    grouped = group_by if group_by is None or isinstance(group_by, str) else "a function"
    note(
        out,
        parts,
        {"val": val, "test": test, "seed": seed, "group_by": grouped},
        write=not dry_run,
        update=update,
    )
    reports = {}
    for part in parts:  # the recipes of the others hold steps of the first one's alone: one warning is enough
        reports[part.path.name] = how.build(part, warn=part is parts[0])
    return merged(out, reports)


@dataclass(frozen=True)
class _How:
    """The options that all parts of a build share."""

    options: dict[str, Any]
    threads: int
    engine: Engine
    stop: bool
    allowed: MaxBad
    dry_run: bool
    progress: bool | None
    update: bool

    def build(self, part: Part, *, warn: bool = True) -> BuildReport:
        """Write one dataset, or resume it; `warn` of an order of steps that moves masks and boxes twice.

        Raises
        ------
        MachineError
            Where the machine failed; says what was done and what to do.
        """
        try:
            return self._build(part, warn)
        except (MachineError, MemoryError) as problem:
            where = str(part.path)
            error = machine_error(where, problem) if isinstance(problem, MemoryError) else problem
            raise MachineError(
                f"{where}: stopped, since the machine failed and not a file: {error}. Nothing is set aside "
                "for it: fix that and run the same build again, which continues where it stopped",
                error,
            ) from problem

    def _build(self, part: Part, warn: bool) -> BuildReport:
        options = {**self.options, "copies": part.copies}
        writes = FORMATS[options["format"]]
        part.source.watch()
        if warn and options["store"] == "integers":
            warn_of_step_order(part.source, part.recipe, self.threads, stacklevel=4)
        layout = (
            layout_of(part.source, part.recipe, options["store"], self.threads) if writes.one_layout else None
        )
        if writes.one_layout:
            options["layout"] = None if layout is None else layout.to_json()
        job = Job.of(part.source, part.recipe, options, writes.extra_libraries)
        maker = Maker(
            part.source,
            part.recipe,
            options["seed"],
            options["store"],
            job.present,
            options["non_finite"],
            max(MAX_PIXELS, part.source.reading.max_pixels),
            encoding=options.get("encoding", writes.encodings[0]),
            layout=layout,
            digests=options.get("compression", "none")
            == "none",  # of compressed arrays those of the file count
        )
        folder = OutputFolder(part.path)
        writes(folder, job)  # says now that a library is missing
        if self.dry_run:
            if folder.path.is_dir():
                _started(folder, job, files=not self.update)
            return estimate(job, maker, folder.path, self.threads)
        with folder:
            finish_replacement(folder)
            old = _started(folder, job, files=False) if self.update else None
            kept = old and plan_update(folder, old, job, part.source, part.recipe, self.threads)
            if old is None or kept is None:
                report = self._run(folder, job, maker)
                return report if old is None else replace(report, kept=report.resumed)
            new = OutputFolder(folder.path / UPDATE)
            with new:
                if is_outdated(new, job, part.source):
                    empty(new)
                report = self._run(new, job, replace(maker, kept=kept))
            replace_dataset(folder, old, new)
            return replace(report, path=folder.path, kept=len(kept.lines))

    def _run(self, folder: OutputFolder, job: Job, maker: Maker) -> BuildReport:
        """Write a dataset into a folder, or go on with what lies there."""
        started = _started(folder, job)
        if started is not None and started.options != job.options:  # it goes on as it was started
            job = replace(job, options=started.options)
            maker = replace(maker, layout=_layout_of_job(started))
        if started is None:
            _clear(folder)
            folder.write(JOB_FILE, job.to_bytes(), sync=False)
            folder.sync_later(JOB_FILE)
        elif started.images != job.images:  # files that were missing are there now
            started = replace(started, images=job.images)
            folder.write(JOB_FILE, started.to_bytes())
        writer = FORMATS[job.options["format"]](folder, job)
        records = Records(folder, started or job)
        run = Run(job, maker, folder, writer, records, self.engine, self.stop, self.allowed, self.progress)
        return run.run()


def _storing(format: str, encoding: Any, compression: Any) -> dict[str, str]:
    """The options of some formats alone: how they store arrays."""
    encodings = FORMATS[format].encodings
    if encoding not in (None, *encodings):
        where = (
            "is for format='tfrecord' and 'webdataset'"
            if encoding in get_args(ArrayEncoding)
            else "choose 'png' or 'raw'"
        )
        raise BuildError(f"encoding={encoding!r:.80}: {where}")
    if compression not in (None, *get_args(Compression)):
        raise BuildError(
            f"compression={compression!r:.80}: choose one of {', '.join(map(repr, get_args(Compression)))}"
        )
    if format == "arrow":
        return {"compression": compression or "none"}
    if compression is not None:
        raise BuildError(f"compression={compression!r}: is for format='arrow'")
    return {"encoding": encoding or encodings[0]} if len(encodings) > 1 else {}


def _check_options(**given: str) -> None:
    allowed = {
        "format": tuple(FORMATS),
        "on_error": ("quarantine", "stop"),
        "store": ("integers", "final"),
        "engine": ("threads", "ray"),
    }
    for name, value in given.items():
        if value not in allowed[name]:
            raise BuildError(f"{name}={value!r}: choose one of {', '.join(map(repr, allowed[name]))}")


def _started(folder: OutputFolder, job: Job, *, files: bool = True) -> Job | None:
    """Read this job as an earlier run recorded it; None where no example is finished. Refuse any other job.

    Without `files` it may be of other files: an update is.
    """
    written = folder.read(JOB_FILE)
    if written is None:
        ours = (JOB_FILE + PART, UPDATE)
        foreign = sorted(path.name for path in folder.path.iterdir() if path.name not in ours)
        if SPLIT_FILE in foreign:
            raise BuildError(
                f"{folder.path}: holds the parts of an earlier build with val= or test= ({SPLIT_FILE}): give the same "
                "again, or choose another folder"
            )
        if foreign:
            raise BuildError(
                f"{folder.path}: holds {foreign[0]} and no build of Offgraph; choose a new or an empty folder"
            )
        return None
    finished = (folder.path / MANIFEST).exists()
    old = Job.from_bytes(written, str(folder.path / JOB_FILE))
    if not finished and not Records(folder, old).started():
        return None
    found = old.differences(job, versions=files and not finished, files=files)
    if found:
        raise BuildError(
            f"{folder.path}: holds {'a finished' if finished else 'an unfinished'} build of something else: "
            f"{'; '.join(found)}. {_advice(old, job)}"
        )
    return old


def _advice(old: Job, job: Job) -> str:
    """What to do about another job."""
    if old.differences(job, versions=False, files=False):
        return "Go on with what it was started with, or choose another folder"
    return "Pass update=True (--update) to make what changed, or choose another folder"


def _layout_of_job(job: Job) -> Layout | None:
    entry = job.options.get("layout")
    return None if entry is None else Layout.from_json(entry)


def _clear(folder: OutputFolder) -> None:
    """Remove what an earlier run left that finished no example, and nothing else."""
    written = folder.read(JOB_FILE)
    if written is not None:
        old = Job.from_bytes(written, str(folder.path / JOB_FILE))
        if old.options.get("format") in FORMATS:
            FORMATS[old.options["format"]](folder, old).clear()
        Records(folder, old).clear()

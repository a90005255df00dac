"""An image that does not fit into memory: read by tiles, predicted, and written as its rows are finished.

::

    for each row of tiles   read, prepare, run, add up (`blending`); steps that look at each pixel by itself are done at once,
                            and what is finished is written
    for each further step   one pass over the mask on disk (`result_steps`)
    at the end              the file gets its name, and the folder of the run is removed

A run that was killed goes on at the row or pass at which it was. The tiles before that row that have a say in it are
run again, so that sums are made of the same numbers in the same order.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.errors import OffgraphError
from offgraph.core.specs import ArraySpec
from offgraph.formats.regions import RegionReader
from offgraph.inference.model_run import ModelRun
from offgraph.inference.tiling.blending import Blender
from offgraph.inference.tiling.described_run import described_run, target_file
from offgraph.inference.tiling.job import TileJob
from offgraph.inference.tiling.result_steps import applied, leading_pointwise, run_stage, stages_of
from offgraph.inference.tiling.strips import MOST, DiskArray, strips
from offgraph.inference.tiling.tile_model import TileModel
from offgraph.recipe.compose import Compose

__all__ = ["Stream", "TiledFile"]

_SUFFIXES = (".npy", ".tif", ".tiff")
_MOST = MOST
"""Pixels of a strip of the mask."""


@dataclass(frozen=True)
class TiledFile:
    """What `Predictor.to_file` wrote.

    Parameters
    ----------
    path : Path
        The mask.
    probabilities : Path or None
        Their file, where it was asked for.
    shape : tuple of int
        Of the mask.
    dtype : numpy.dtype
        Of the mask.
    highest : int
        The highest label: of steps that number objects, how many there are.
    tiles : int
        Tiles of the image.
    resumed : bool
        Whether an earlier run had done a part.
    """

    path: Path
    probabilities: Path | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    highest: int
    tiles: int
    resumed: bool


class Stream:
    """One run from an image to files.

    Parameters
    ----------
    models : sequence of ModelRun
    postprocess : Compose
    reader : RegionReader
    out : path
    probabilities : path or None
    progress : callable or None
        Called with the share that is done.
    """

    def __init__(
        self,
        models: Sequence[ModelRun],
        postprocess: Compose,
        reader: RegionReader,
        out: Any,
        probabilities: Any,
        progress: Callable[[float], None] | None,
    ) -> None:
        self._reader, self._steps = reader, list(postprocess.steps)
        self.out = target_file("out", out, _SUFFIXES)
        self.wanted = (
            None if probabilities is None else target_file("probabilities", probabilities, (".npy",))
        )
        self._progress = progress or (lambda _: None)
        self._model = TileModel(models, reader)
        self._axes = reader.axes.replace("C", "")
        count = self._model.channels
        self._given = ArraySpec(
            (*reader.size, *((count,) if count > 1 else ())),
            "float32",
            self._axes + ("C" if count > 1 else ""),
        )
        self._at_once = leading_pointwise(self._steps, self._axes)
        self._stages = stages_of(self._steps[self._at_once :], self._axes)
        made = Compose(self._steps).output_spec(self._given)
        if "C" in made.axes:
            raise OffgraphError(
                f"the result steps end with {made.axes}, and no mask; add Threshold or ArgMax"
            )
        described = described_run(models, self._model, reader, postprocess)
        self._job = TileJob(self.out, described | {"probabilities": self.wanted is not None})

    def run(self) -> TiledFile:
        """Do what is left of it.

        Raises
        ------
        StepError
            Where a tile cannot be predicted; says which.
        DecodeError, MachineError
            Where the image cannot be read, or the machine fails.
        WriteError
            Where a file cannot be written.
        """
        with self._job.at_work():
            return self._run()

    def _run(self) -> TiledFile:
        share = 1 / (1 + 0.1 * len(self._stages))  # of the time that the tiles take, about
        if not self._job.passes:
            self._tiles(share)
            self._job.done(passes=1)
        spec = self._first
        labels, axes = DiskArray(self._job.file("0.npy"), spec.shape, spec.dtype, new=False), spec.axes
        for number, stage in enumerate(self._stages, 1):
            path = self._job.file(f"{number}.npy")
            if self._job.passes > number:
                made = Compose(list(stage.steps)).output_spec(
                    ArraySpec(labels.shape, labels.dtype.name, axes)
                )
                labels, axes = DiskArray(path, made.shape, made.dtype, new=False), made.axes  # type: ignore[arg-type]
                continue
            begin = share + (1 - share) * (number - 1) / len(self._stages)
            labels, axes = run_stage(
                stage,
                labels,
                axes,
                path,
                self._job.file("numbers.npy"),
                most=_MOST,
                progress=lambda part, begin=begin: self._progress(
                    begin + part * (1 - share) / max(1, len(self._stages))
                ),
            )
            self._job.done(passes=number + 1)
        highest = max(int(labels[window].max(initial=0)) for window in strips(labels.shape))
        self._publish(labels, axes)
        self._progress(1.0)
        return TiledFile(
            self.out,
            self.wanted,
            labels.shape,
            labels.dtype,
            highest,
            len(self._model.grid),
            self._job.resumed,
        )

    @property
    def _first(self) -> ArraySpec:
        """What is written as tiles are finished."""
        made = Compose(self._steps[: self._at_once]).output_spec(self._given)
        assert isinstance(made, ArraySpec), "lengths are known"
        return made

    def _tiles(self, share: float) -> None:
        """All rows of tiles that are left."""
        spec, grid, job = self._first, self._model.grid, self._job
        steps, tiling = self._steps[: self._at_once], self._model.tiles.tiling
        new = job.rows == 0
        made = DiskArray(job.file("0.npy"), spec.shape, spec.dtype, new=new)
        kept = None
        if self.wanted is not None:
            kept = DiskArray(job.file("probabilities.npy"), self._given.shape, np.float32, new=new)
        rows = len(grid.axes[0])
        begin = grid.first_needed(job.rows)
        blender = Blender(grid, tiling.blend, begin)
        done = begin * len(grid) // rows
        for row in range(begin, rows):
            windows = grid.windows(row)
            while batch := list(itertools.islice(windows, tiling.batch)):
                for values in self._model.run(batch):
                    finished = blender.add(values)
                    if finished is not None and row >= job.rows:
                        places, found = finished
                        found = found[..., 0] if self._model.channels == 1 else found
                        if kept is not None:
                            kept[places] = found
                        made[places] = applied(steps, found, self._given.axes)
                done += len(batch)
                self._progress(share * done / len(grid))
            if row >= job.rows:
                made.sync()
                if kept is not None:
                    kept.sync()
                job.done(rows=row + 1)

    def _publish(self, labels: DiskArray, axes: str) -> None:
        """Give the files their names."""
        if self.wanted is not None and self._job.file("probabilities.npy").exists():
            self._job.file("probabilities.npy").replace(self.wanted)
        if self.out.suffix == ".npy":
            labels.path.replace(self.out)
        else:
            new = self._job.file("mask.tif")
            _write_tiff(labels, axes, new)
            new.replace(self.out)
        self._job.end()


def _write_tiff(labels: DiskArray, axes: str, path: Path) -> None:
    """Copy an array into an uncompressed BigTIFF, strip by strip."""
    import tifffile

    options: Any = {"photometric": "minisblack", "metadata": {"axes": axes}, "bigtiff": True}
    stored = np.uint8 if labels.dtype == np.bool_ else labels.dtype
    mapped = tifffile.memmap(path, shape=labels.shape, dtype=stored, **options)
    at, offset = mapped.dtype, mapped.offset  # type: ignore[attr-defined]  # of a memory map
    del mapped
    for window in strips(labels.shape):
        part: Any = np.memmap(path, at, "r+", offset, labels.shape)
        part[window] = labels[window]
        part.flush()

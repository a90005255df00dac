"""A detector on an image that does not fit into memory: read by tiles, its boxes joined when all have been seen.

::

    for each row of tiles   read, prepare, run, read the boxes; they are written down
    at the end              boxes of all tiles are joined (`seams`), the result steps see them, the file gets its name

A run that was killed goes on after the last row that was written down.
"""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.tables import TableWriter, dumps
from offgraph.formats.regions import RegionReader
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.frame import Frame
from offgraph.inference.detection_merging import boxes_of, points_of, refined
from offgraph.inference.detections import Detections, on_original
from offgraph.inference.detector_answers import kept_in_tile
from offgraph.inference.model_run import ModelRun
from offgraph.inference.tiling.described_run import described_run, target_file
from offgraph.inference.tiling.job import TileJob
from offgraph.inference.tiling.seams import joined_tiles, placed
from offgraph.inference.tiling.tile_model import TileModel
from offgraph.objects.box_files import boxes_geojson, coco_results, keypoint_rows
from offgraph.recipe.compose import Compose
from offgraph.targets import Boxes, Points

__all__ = ["BOX_FILES", "BoxStream", "TiledBoxes"]

BOX_FILES = (".csv", ".geojson", ".json")
"""What the file of boxes may end in."""

_PARTS = ("edges", "scores", "labels", "points", "point_scores")


@dataclass(frozen=True, eq=False)
class TiledBoxes:
    """What `Predictor.to_file` wrote of a detector.

    Parameters
    ----------
    path : Path
        The file of boxes.
    boxes : Boxes
        What is in it: by falling score, which is the column ``"score"``, with class numbers as labels.
    points : Points or None
        Keypoints of each box, with their scores as the column ``"score"``; they are in the file, too.
    tiles : int
        Tiles of the image.
    resumed : bool
        Whether an earlier run had done a part.
    """

    path: Path
    boxes: Boxes
    points: Points | None
    tiles: int
    resumed: bool


class BoxStream:
    """One run from an image to a file of boxes.

    Parameters
    ----------
    models : sequence of ModelRun
    postprocess : Compose
    reader : RegionReader
    out : path
    progress : callable or None
        Called with the share that is done.
    """

    def __init__(
        self,
        models: Sequence[ModelRun],
        postprocess: Compose,
        reader: RegionReader,
        out: Any,
        progress: Callable[[float], None] | None,
    ) -> None:
        self._reader, self._steps, self._saved = reader, postprocess, models[0].saved
        self.out = target_file("out", out, BOX_FILES)
        self._progress = progress or (lambda _: None)
        self._model = TileModel(models, reader)
        grid = self._model.grid
        # The tiles may reach beyond the image, where it is reflected: what lies there is not of the image.
        self._frame = Frame.start(reader.size).then(
            AffineMap.window((0,) * len(reader.size), grid.padded, reader.size)
        )
        self._job = TileJob(self.out, described_run(models, self._model, reader, postprocess))

    def run(self) -> TiledBoxes:
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

    def _run(self) -> TiledBoxes:
        grid, job = self._model.grid, self._job
        rows = len(grid.axes[0])
        for row in range(job.rows, rows):
            self._keep(row, self._row(row))
            job.done(rows=row + 1)
        found = [one for row in range(rows) for one in self._kept(row)]
        size = self._reader.size
        made = on_original(joined_tiles(found, grid), grid.padded, self._frame, ())
        made = refined(made, self._steps, size, 0)
        pairs = self._saved.detection.pairs  # type: ignore[union-attr]  # a detector's
        boxes, points = boxes_of(made, size), points_of(made, size, pairs)
        new = job.file("made")
        new.write_text(
            _text(boxes, points, self.out.suffix.lower(), self._saved.class_names), encoding="utf-8"
        )
        new.replace(self.out)
        job.end()
        self._progress(1.0)
        return TiledBoxes(self.out, boxes, points, len(grid), job.resumed)

    def _row(self, row: int) -> list[Detections]:
        """What the detector says of each tile of a row, in the coordinates of the image."""
        grid, batch = self._model.grid, self._model.tiles.tiling.batch
        found: list[Detections] = []
        windows = grid.windows(row)
        each = len(grid) // len(grid.axes[0])
        while some := list(itertools.islice(windows, batch)):
            for window, one in zip(some, self._model.detect(some, self._steps)):
                there = placed(one, window)
                found.append(kept_in_tile(there, grid.padded, self._frame, self._steps, 0))
            self._progress((row * each + len(found)) / (len(grid) + 1))
        return found

    def _keep(self, row: int, found: Sequence[Detections]) -> None:
        """Write the boxes of a row down."""
        parts: dict[str, Any] = {"counts": np.array([len(one.scores) for one in found])}
        for name in _PARTS:
            values = [getattr(one, name) for one in found]
            if values[0] is not None:
                parts[name] = np.concatenate(values)
        with self._job.file(f"{row}.npz").open("wb") as file:
            np.savez(file, **parts)
            file.flush()
            os.fsync(file.fileno())

    def _kept(self, row: int) -> list[Detections]:
        with np.load(self._job.file(f"{row}.npz"), allow_pickle=False) as file:
            parts = dict(file)
        ends = np.cumsum(parts.pop("counts"))[:-1]
        each = {name: np.split(values, ends) for name, values in parts.items()}
        return [Detections(*of) for of in zip(*(each.get(name, itertools.repeat(None)) for name in _PARTS))]


def _text(boxes: Boxes, points: Points | None, suffix: str, class_names: Sequence[str]) -> str:
    """Boxes, and the keypoints of each, as the text of a file."""
    if suffix == ".geojson":
        return dumps(boxes_geojson(boxes, class_names or None, points)) + "\n"
    if suffix == ".json":
        return dumps(coco_results(boxes, points=points)) + "\n"
    text = io.StringIO(newline="")
    keypoints = keypoint_rows(boxes, points)
    count = 0 if points is None else points.places.shape[-2]
    named = [f"{name}{number}" for number in range(count) for name in ("x", "y", "score")]
    table = TableWriter(text, ("class", "label", "score", "left", "upper", "right", "lower", *named))
    labels: Any = boxes.labels
    rows = zip(labels.tolist(), boxes.extra["score"].tolist(), boxes.to("xyxy").tolist())
    for number, (label, score, edges) in enumerate(rows):
        of_points = [value for point in keypoints[number] for value in point] if keypoints else ()
        table.writerow((class_names[label] if class_names else label, label, score, *edges, *of_points))
    return text.getvalue()

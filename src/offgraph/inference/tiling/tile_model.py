"""Tiles of an image that is read part by part, through recipe and models: probabilities on the pixels of each tile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from offgraph.core.errors import StepError
from offgraph.core.random import Key
from offgraph.core.specs import ArraySpec
from offgraph.formats.regions import RegionReader
from offgraph.geometry.frame import Frame
from offgraph.inference.answer import Answer
from offgraph.inference.detection_merging import merged_detections, refined
from offgraph.inference.detections import Detections
from offgraph.inference.detector_answers import found_in_views
from offgraph.inference.merging import merged
from offgraph.inference.model_run import ModelRun, Views
from offgraph.inference.tiling.grid import TileGrid
from offgraph.inference.tiling.options import common_tiles
from offgraph.inference.tiling.reach import reach_of
from offgraph.inference.tiling.strips import grown, inner
from offgraph.inference.tiling.whole import check_tile, place_of
from offgraph.pipeline.checks import run_checked
from offgraph.recipe.compose import Compose
from offgraph.targets import Image, Targets

__all__ = ["TileModel"]


class TileModel:
    """The models of a predictor, given tiles that are read from an image.

    Parameters
    ----------
    models : sequence of ModelRun
        With tiles.
    reader : RegionReader

    Attributes
    ----------
    grid : TileGrid
        Of the image.
    channels : int
        Probabilities per pixel.
    """

    def __init__(self, models: Sequence[ModelRun], reader: RegionReader) -> None:
        self.reader = reader
        self.tiles = common_tiles([model.tiles() for model in models])
        self.grid: TileGrid = self.tiles.grid(reader.size)
        spec = ArraySpec(reader.shape, reader.dtype.name, reader.axes)
        self._reach = [reach_of(model.recipe.steps, spec) for model in models]
        # Each tile is an image of its own, which fits.
        self._models = [replace(model, tiling=None, pad_to=None) for model in models]
        for model in self._models:
            model.begin()
        self._alike = [
            next(i for i, one in enumerate(self._models) if one.prepares_like(model))
            for model in self._models
        ]
        self.channels = models[0].saved.main.output_shape[-1] or 1

    def run(self, windows: Sequence[tuple[slice, ...]]) -> list[np.ndarray]:
        """Return what the models say of some tiles, (..., K) float32 each, on the tiles' pixels.

        Raises
        ------
        StepError
            Where a tile cannot be prepared, or the model does not take it or gives NaN.
        """
        found = [self._said(model, views, windows) for model, views in self._viewed(windows)]
        if len(found) == 1:
            return found[0]
        return [merged(of, None, "mean", exclusive=False) for of in zip(*found)]

    def detect(self, windows: Sequence[tuple[slice, ...]], steps: Compose) -> list[Detections]:
        """Return what detectors say of some tiles, on the tiles' pixels; of several answers what is made of them.

        Raises
        ------
        StepError
            Where a tile cannot be prepared, the model does not take it, or its outputs make no sense; says which tile.
        """
        several: list[list[Detections]] = [[] for _ in windows]
        for model, views in self._viewed(windows):
            answers = _answers(model, views)
            for at, (one, window) in enumerate(zip(views, windows)):
                try:
                    several[at] += found_in_views(model, one, [of[at] for of in answers], steps, 0)
                except StepError as error:
                    raise StepError(f"{error} (in the tile at {place_of(window)})") from error
        size = self.grid.size
        return [
            of[0] if len(of) == 1 else merged_detections(of, lambda one: refined(one, steps, size, 0))
            for of in several
        ]

    def _viewed(self, windows: Sequence[tuple[slice, ...]]) -> Iterator[tuple[ModelRun, list[Views]]]:
        """Each model with the tiles as it takes them, prepared once for models that do it alike."""
        made: list[list[Views]] = []
        for number, model in enumerate(self._models):
            first = self._alike[number]
            made.append(
                made[first]
                if first < number
                else [self._prepared(model, window, number) for window in windows]
            )
            yield model, made[number]

    def _said(
        self, model: ModelRun, views: list[Views], windows: Sequence[tuple[slice, ...]]
    ) -> list[np.ndarray]:
        answers = _answers(model, views)
        made = []
        for number, (one, window) in enumerate(zip(views, windows)):
            said = [of[number] for of in answers]
            for answer in said:
                check_tile(window, answer.values)
            values, _ = model.on_original(one.frame, model.brought_together(one, said))
            made.append(values if values.ndim > len(window) else values[..., np.newaxis])
        return made

    def _prepared(self, model: ModelRun, window: tuple[slice, ...], number: int) -> Views:
        """A tile as the model takes it: what the recipe makes of it as a part of the image, extended past the image's end."""
        size = self.reader.size
        places = [_reflected(one, n) for one, n in zip(window, size)]
        part = tuple(slice(int(at.min()), int(at.max()) + 1) for at in places)
        wide = grown(part, self._reach[number], size)
        image = Image(self.reader.read(wide), self.reader.axes)
        result = run_checked(model.recipe, Targets.of_image(image), Key())
        made = result.targets.image
        array = made.array[inner(part, wide)]
        for axis, (at, one) in enumerate(zip(places, part)):
            if len(at) != one.stop - one.start:
                array = array.take(at - one.start, axis)
        tile = Image(np.ascontiguousarray(array), made.axes)
        return model.views_of(tile, Frame.start(self.grid.size), {}, 0)


def _answers(model: ModelRun, views: Sequence[Views]) -> list[list[Answer]]:
    """What a model says of each view of all tiles."""
    return [model.run([one.views[view].array for one in views]) for view in range(len(views[0].views))]


def _reflected(window: slice, length: int) -> np.ndarray:
    """Places of an axis that is extended at its end by reflection, as often as needed."""
    at = np.arange(window.start, window.stop) % (2 * length)
    return np.where(at < length, at, 2 * length - 1 - at)

"""One model of a predictor at work: an image as it takes it, in every variant; its outputs, brought together again."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from offgraph.core.choices import Merge
from offgraph.core.errors import MachineError, OffgraphError, StepError
from offgraph.core.random import Key
from offgraph.frameworks.every_shape import predict_batch
from offgraph.frameworks.head import shape_of
from offgraph.frameworks.several_outputs import check_numbers, listed_outputs, named_outputs
from offgraph.frameworks.unsaved import assumption_about
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.frame import Frame
from offgraph.inference.answer import Answer
from offgraph.inference.detections import Detections, read_detections
from offgraph.inference.merging import merged
from offgraph.inference.outputs import OutputReader
from offgraph.inference.stride import Grid, grid_of
from offgraph.inference.tiling.options import ModelTiles, Tiling
from offgraph.inference.tiling.whole import run_detector_on_tiles, run_on_tiles
from offgraph.pipeline.checks import run_checked
from offgraph.recipe.compose import Compose
from offgraph.targets import Image, Targets

if TYPE_CHECKING:
    from offgraph.frameworks.keras import SavedModel

__all__ = ["ModelRun", "View", "Views"]


@dataclass(frozen=True, eq=False)
class View:
    """One array that the model is run on, and the way to it from the first view: None for that one."""

    array: np.ndarray
    frame: Frame | None = None


@dataclass(frozen=True, eq=False)
class Views:
    """An image as the model takes it: first as the recipe makes it, then each variant of that.

    Parameters
    ----------
    views : tuple of View
    frame : Frame
        From the original to the first view.
    record : dict
        What the recipe did, plain JSON.
    """

    views: tuple[View, ...]
    frame: Frame
    record: dict[str, Any]

    @property
    def kinds(self) -> tuple[Any, ...]:
        """Shapes and dtypes: images of equal ones fit into one batch."""
        return tuple((view.array.shape, view.array.dtype) for view in self.views)


@dataclass(eq=False)
class ModelRun:
    """A model with its recipe, the variants that it is run on, and the sizes that it takes.

    With `tiling` it is run on tiles of each image, and says what it says of the whole.
    """

    saved: SavedModel
    recipe: Compose
    reader: OutputReader
    variants: tuple[Compose, ...]
    merge: Merge
    pad_to: int | Literal["auto"] | None
    tiling: Tiling | None = None
    _refused: dict[tuple[int, ...], str] = field(default_factory=dict, init=False)
    _asked: bool = field(default=False, init=False)
    _found: Grid | None = field(default=None, init=False)
    _tiles: ModelTiles | None = field(default=None, init=False)

    def begin(self) -> None:
        """Find what images are padded to, where the model is to say it; before threads ask."""
        if self.pad_to == "auto":
            grid = self.grid()
            self.pad_to = None if grid is None else grid.multiple
        if self.tiling is not None:
            self.tiles()

    def grid(self) -> Grid | None:
        """The sizes that the model takes and gives, found once, on first use."""
        if not self._asked:
            self._found, self._asked = grid_of(self.saved), True
        return self._found

    def tiles(self) -> ModelTiles:
        """How the model's images are cut into tiles, found once."""
        if self._tiles is None:
            assert self.tiling is not None, "asked of tiled models alone"
            grid = self.grid() or Grid(1)
            self._tiles = ModelTiles.of(self.saved, self.tiling, grid.multiple, grid.ratio)
        return self._tiles

    @property
    def classes(self) -> int:
        """Of a detector: how many classes there are; 0 where nobody knows."""
        return len(self.saved.class_names)

    def prepares_like(self, other: ModelRun) -> bool:
        """Whether another model is given the same arrays."""
        return (
            self.recipe == other.recipe
            and self.variants == other.variants
            and self.pad_to == other.pad_to
            and (self.tiling is None or self.tiles() == other.tiles())
            and self.saved.input_spec == other.saved.input_spec
        )

    def prepare(self, image: Image, index: int) -> Views:
        """Make all views of an image.

        Raises
        ------
        StepError
            Where a step refuses it, or what the recipe makes is not what the model takes.
        """
        result = run_checked(self.recipe, Targets.of_image(image), Key(0, 0, index))
        return self.views_of(result.targets.image, result.frame, result.record, index)

    def views_of(self, image: Image, frame: Frame, record: dict[str, Any], index: int) -> Views:
        """Make all views of an image that the recipe has made.

        Raises
        ------
        StepError
            Where it is not what the model takes, or a variant cannot be made of it.
        """
        array, frame = self._fitted(image, frame, "the recipe makes")
        views = [View(array)]
        for number, variant in enumerate(self.variants, 1):
            given = Targets.of_image(Image(array, self.saved.input_spec.axes))
            made = run_checked(variant, given, Key(0, number, index))
            views.append(
                View(*self._fitted(made.targets.image, made.frame, f"variant {number} of tta= makes"))
            )
        return Views(tuple(views), frame, record)

    def _fitted(self, image: Image, frame: Frame, maker: str) -> tuple[np.ndarray, Frame]:
        """The array with the model's axes, padded where that was asked for; or an error that names both shapes."""
        spec, array, axes = self.saved.input_spec, image.array, image.axes
        if "C" in spec.axes and "C" not in axes:
            array, axes = array[..., np.newaxis], axes + "C"
        elif "C" not in spec.axes and axes.endswith("C") and array.shape[-1] == 1:
            array, axes = array[..., 0], axes[:-1]
        elif "C" in spec.axes and "C" in axes and axes.replace("C", "") == spec.axes.replace("C", ""):
            array, axes = np.moveaxis(array, axes.index("C"), spec.axes.index("C")), spec.axes
        if isinstance(self.pad_to, int) and axes == spec.axes:
            array, frame = _padded(array, frame, spec.spatial, spec.shape, self.pad_to)
        if self.tiling is not None and axes == spec.axes:
            array, frame = self._cut_out(array, frame)
        free = spec.spatial if self.tiling is not None else ()
        fits = len(axes) == len(spec.shape) and all(
            b is None or a == b or (i in free and a >= b)
            for i, (a, b) in enumerate(zip(array.shape, spec.shape))
        )
        if axes != spec.axes or not fits:
            raise StepError(
                f"{maker} {array.shape} of it, axes {axes}; the model takes {spec.shape}, axes {spec.axes}"
                f"{assumption_about(self.saved.model)}"
            )
        return array, frame

    def _cut_out(self, array: np.ndarray, frame: Frame) -> tuple[np.ndarray, Frame]:
        """Extend an image to where its tiles end."""
        spatial = self.saved.input_spec.spatial
        grid = self.tiles().grid(tuple(array.shape[axis] for axis in spatial))
        return _extended(array, frame, spatial, grid.padded)

    def run(self, arrays: Sequence[np.ndarray]) -> list[Answer]:
        """Run the model on arrays of one shape: as one batch, or each tile by tile.

        Raises
        ------
        StepError
            Where it does not take them.
        MachineError
            Where there is not enough memory.
        """
        if self.tiling is None or 0 in arrays[0].shape:  # nothing to cut into tiles
            return self.run_batch(arrays)
        return [self._run_on_tiles(array, self.tiling) for array in arrays]

    def _run_on_tiles(self, array: np.ndarray, tiling: Tiling) -> Answer:
        """What the model says of the whole, asked tile by tile."""
        grid = self.tiles().grid(tuple(array.shape[axis] for axis in self.saved.input_spec.spatial))
        if self.saved.task != "detect":
            return run_on_tiles(self.run_batch, array, grid, tiling)

        def read(answer: Answer) -> Detections:
            declared = self.saved.detection
            assert declared is not None, "a detector says what its outputs are"
            return read_detections(answer.raw, declared, grid.size, self.classes, str(self.saved.path))

        return run_detector_on_tiles(self.run_batch, read, array, grid, tiling.batch)

    def run_batch(self, arrays: Sequence[np.ndarray]) -> list[Answer]:
        """Run the model on arrays of one shape, as one batch.

        Raises
        ------
        StepError
            Where it does not take them.
        MachineError
            Where there is not enough memory.
        """
        shape = arrays[0].shape
        if shape in self._refused:  # it takes no image of this shape
            raise StepError(self._refused[shape])
        try:
            made = named_outputs(predict_batch(self.saved.model, np.stack(arrays)), self.saved.output_names)
        except Exception as error:  # a model raises what its layers raise: ValueError, tf.errors.…, TypeError
            if _out_of_memory(error):
                raise MachineError(
                    f"there is not enough memory to run the model on {len(arrays)} images of {shape} at a time; "
                    "choose a smaller batch_size (--batch-size)",
                    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
                ) from error
            raise StepError(self._refusal(shape, error)) from error
        main = self._checked(made, len(arrays))
        read = self.reader(np.asarray(main, np.float32), str(self.saved.path))
        return [
            Answer(read[i], {name: values[i] for name, values in made.items()}) for i in range(len(arrays))
        ]

    def _checked(self, made: Mapping[str, np.ndarray], count: int) -> np.ndarray:
        """Return the main output for a batch, after all outputs were found to be what the model said of itself.

        Raises
        ------
        OffgraphError
            Where an output is missing, is not numbers, or has another shape.
        """
        path, names = self.saved.path, self.saved.output_names
        if set(made) != set(names):
            raise OffgraphError(
                f"{path}: the model gives {listed_outputs(made)} for a batch of {count} images; at first it gave "
                f"{listed_outputs(names)}"
            )
        for name, values in made.items():
            check_numbers(values, f"{path}: {name!r}")
            if values.shape[:1] != (count,):
                raise OffgraphError(
                    f"{path}: {name!r} has the shape {values.shape} for a batch of {count} images; a model "
                    "gives one output per image, along the first axis"
                )
        name = self.saved.output or names[0]
        expected = shape_of(self.saved.main, "output")
        if made[name].ndim != len(expected) or expected[-1] not in (None, made[name].shape[-1]):
            raise OffgraphError(
                f"{path}: {name!r} has the shape {made[name].shape} for a batch of {count} images; the model said of itself "
                f"that it gives {expected}".replace("None", "any")
            )
        return made[name]

    def _refusal(self, shape: tuple[int, ...], error: Exception) -> str:
        """Explain why the model does not take images of this shape, and which it takes."""
        spec = self.saved.input_spec
        size = tuple(shape[axis] for axis in spec.spatial)
        grid = self.grid() if None in spec.size else None
        message = f"the model cannot take an image of {' × '.join(map(str, size))} pixels"
        if grid is not None and any(length % grid.multiple for length in size):
            self._refused[shape] = (
                f"{message}: its sizes must be multiples of {grid.multiple}. {_pad_to(grid).capitalize()}, or train with a recipe "
                "that ends in such a size"
            )
            return self._refused[shape]
        return f"{message}: {_first_line(error)}"

    def brought_together(self, views: Views, answers: Sequence[Answer]) -> np.ndarray:
        """Merge what the model says of all views, on the grid that it outputs for the first."""
        values = [answer.values for answer in answers]
        if len(values) == 1:
            return values[0]
        exclusive = self.saved.task != "multilabel" and values[0].shape[-1] > 1
        if self.saved.task != "segment":
            return merged(values, None, self.merge, exclusive=exclusive)
        size = views.frame.output_size
        back = self._to_output(Frame.start(size), values[0].shape[:-1]).maps[-1].inverse()
        returned, seen = [values[0]], [np.ones(values[0].shape[:-1], bool)]
        for view, made in zip(views.views[1:], values[1:]):
            assert view.frame is not None
            frame = self._to_output(Frame((back,)).then(view.frame), made.shape[:-1])
            returned.append(frame.undo(heatmap=made))
            seen.append(frame.valid())
        return merged(returned, seen, self.merge, exclusive=exclusive)

    def on_original(self, frame: Frame, values: np.ndarray) -> tuple[np.ndarray, Frame]:
        """Bring a segmentation model's probabilities to the original grid; with the frame that ends in its output."""
        frame = self._to_output(frame, values.shape[:-1])
        return frame.undo(heatmap=values if values.shape[-1] > 1 else values[..., 0]), frame

    def _to_output(self, frame: Frame, size: tuple[int, ...]) -> Frame:
        """Extend a frame to the grid that the model outputs: the input's, or one a whole factor coarser or finer."""
        given = frame.output_size
        if size == given:
            return frame
        grid = self.grid()
        whole = len(size) == len(given) and 0 not in size
        ratio = np.array(given) / np.array(size) if whole else np.zeros(0)
        whole = whole and not any(max(a, b) % min(a, b) for a, b in zip(given, size))
        # A pooling that drops the rest of a length may by chance leave a length that divides it.
        if not whole or (grid is not None and tuple(ratio) != grid.ratio):
            fits = grid is not None and any(length % grid.multiple for length in given)
            raise StepError(
                f"the model makes {size} of images of {given}: a segmentation model must output the grid that it takes, or one "
                "that is a whole factor coarser or finer, so that each output has its place"
                + (f"; multiples of {grid.multiple} do: {_pad_to(grid)}" if fits and grid else "")
            )
        return frame.then(AffineMap(np.diag(ratio), 0.5 * ratio - 0.5, given, size))


def _padded(
    array: np.ndarray, frame: Frame, spatial: tuple[int, ...], wanted: tuple[int | None, ...], multiple: int
) -> tuple[np.ndarray, Frame]:
    """Extend the spatial axes of free length at their end to multiples, by reflection; the frame follows."""
    size = tuple(
        array.shape[axis] if wanted[axis] is not None else -(-array.shape[axis] // multiple) * multiple
        for axis in spatial
    )
    return _extended(array, frame, spatial, size)


def _extended(
    array: np.ndarray, frame: Frame, spatial: tuple[int, ...], size: tuple[int, ...]
) -> tuple[np.ndarray, Frame]:
    """Extend the spatial axes at their end to these lengths, by reflection; the frame follows."""
    added = [(0, 0)] * array.ndim
    for axis, length in zip(spatial, size):
        added[axis] = (0, length - array.shape[axis])
    if not any(end for _, end in added) or 0 in array.shape:
        return array, frame
    larger = np.pad(array, added, mode="symmetric")
    return larger, frame.then(AffineMap.window((0,) * len(size), size, frame.output_size))


def _pad_to(grid: Grid) -> str:
    return f"give pad_to={grid.multiple} (--pad-to {grid.multiple})"


def _out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, whatever framework raises it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError) or type(seen).__name__ in (
            "ResourceExhaustedError",
            "OutOfMemoryError",
        ):
            return True
        if "RESOURCE_EXHAUSTED" in str(seen) or "OOM when allocating" in str(seen):
            return True
        seen = seen.__cause__
    return False


def _first_line(error: Exception) -> str:
    """The relevant line of a framework's message: without terminal colours, frames and graph nodes."""
    lines = [line.strip() for line in str(error).replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()]
    telling = [line for line in lines if line and not line.startswith("Exception encountered when calling")]
    text = telling[0] if telling else type(error).__name__
    return f"{text.partition(' for ')[0]:.300}"

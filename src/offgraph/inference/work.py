"""One pass of a model over a source: read, prepare, batch, run, and bring its output back to each image."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from offgraph.core.errors import MachineError, OffgraphError, StepError
from offgraph.core.machine import is_machine, machine_error, with_retries
from offgraph.core.random import Key
from offgraph.core.threads import num_threads
from offgraph.geometry.affine_map import AffineMap
from offgraph.geometry.frame import Frame
from offgraph.inference.outputs import OutputReader
from offgraph.inference.prediction import Prediction, Predictions
from offgraph.inference.stride import Grid, grid_of
from offgraph.pipeline.checks import run_checked
from offgraph.pipeline.failures import BAD_FILE, name_file, reason
from offgraph.pipeline.workers import ordered_map
from offgraph.recipe.compose import Compose
from offgraph.sources import Source
from offgraph.targets import Image, Targets

if TYPE_CHECKING:
    from offgraph.frameworks.keras import SavedModel

__all__ = ["Work"]


@dataclass(frozen=True, eq=False)
class _Prepared:
    """An image as the model takes it."""

    index: int
    array: np.ndarray
    frame: Frame
    record: dict[str, Any]
    axes: str
    orientation: int


@dataclass(frozen=True)
class _Bad:
    index: int
    error: Exception


@dataclass(eq=False)
class Work:
    """One pass over a source."""

    saved: SavedModel
    source: Source
    recipe: Compose
    postprocess: Compose
    reader: OutputReader
    threshold: float
    pad_to: int | Literal["auto"] | None
    batch_size: int
    threads: int
    stop: bool
    _ended: threading.Event = field(default_factory=threading.Event, init=False)
    _refused: dict[tuple[int, ...], str] = field(default_factory=dict, init=False)
    _asked: bool = field(default=False, init=False)
    _found: Grid | None = field(default=None, init=False)

    def run(self, predictions: Predictions) -> Generator[Prediction, None, None]:
        """Predict batch after batch; bad images are recorded at their place in the order."""
        try:
            yield from self._all(predictions)
        finally:
            self._ended.set()  # do not wait for threads that pause before another try

    def _all(self, predictions: Predictions) -> Generator[Prediction, None, None]:
        done = False
        if self.pad_to == "auto":
            grid = self._grid()
            self.pad_to = None if grid is None else grid.multiple
        for batch in self._batches():
            good = [entry for entry in batch if isinstance(entry, _Prepared)]
            outputs = iter(self._outputs(good))
            for entry in batch:
                try:
                    if isinstance(entry, _Bad):
                        raise entry.error
                    values = next(outputs)
                    if isinstance(values, Exception):
                        raise values
                    if not np.isfinite(values).all():
                        raise StepError("the model's output for it has NaN or infinite values")
                    made = self._finished(predictions, entry, values)
                except MachineError:
                    raise
                except BAD_FILE as error:
                    self._set_aside(entry.index, error, predictions)
                else:
                    done = True
                    yield made
        if not done:
            if not predictions.quarantined:
                raise OffgraphError(f"{self.source.root}: there is no image in it to predict")
            name, why = predictions.quarantined[0]
            raise OffgraphError(
                f"none of the source's images ({len(self.source):,}) could be predicted; "
                f"the first: {name}: {why}"
            )

    def _set_aside(self, index: int, error: Exception, predictions: Predictions) -> None:
        name = self.source[index].name
        if self.stop:
            raise name_file(error, name)
        predictions.quarantined.append((name, reason(error, self.source[index].path, name)))

    def _batches(self) -> Iterator[list[_Prepared | _Bad]]:
        """Images in order, as many at a time as have one shape and fit a batch; bad ones in between."""
        batch: list[_Prepared | _Bad] = []
        shape: tuple[Any, ...] | None = None
        count = 0
        prepared = ordered_map(
            self._prepare,
            range(len(self.source)),
            threads=self.threads,
            ahead=self.threads + self.batch_size,
            stop=self._ended,
        )
        with closing(prepared):
            for entry in prepared:
                if isinstance(entry, _Prepared):
                    found = (entry.array.shape, entry.array.dtype)
                    if count == self.batch_size or (shape is not None and found != shape):
                        yield batch
                        batch, count = [], 0
                    shape, count = found, count + 1
                batch.append(entry)
                if len(batch) >= 4 * self.batch_size:  # report a long run of bad files while it lasts
                    yield batch
                    batch, count, shape = [], 0, None
        if batch:
            yield batch

    def _prepare(self, index: int) -> _Prepared | _Bad:
        try:
            return with_retries(lambda: self._made(index), self._ended)
        except MachineError:
            raise
        except BAD_FILE as error:
            return _Bad(index, error)

    def _made(self, index: int) -> _Prepared:
        try:
            with num_threads(1):
                sample = self.source.read(index)
                result = run_checked(self.recipe, Targets.of_image(sample.image), Key(0, 0, index))
            array, frame = self._fitted(result.targets.image, result.frame)
        except (MemoryError, OSError) as error:
            if is_machine(error):
                raise machine_error(self.source[index].name, error) from error
            raise
        return _Prepared(index, array, frame, result.record, sample.image.axes, sample.decoded.orientation)

    def _fitted(self, image: Image, frame: Frame) -> tuple[np.ndarray, Frame]:
        """The array with the model's axes, padded where that was asked for; or an error that names both shapes."""
        spec, array, axes = self.saved.input_spec, image.array, image.axes
        if "C" in spec.axes and "C" not in axes:
            array, axes = array[..., np.newaxis], axes + "C"
        elif "C" not in spec.axes and axes.endswith("C") and array.shape[-1] == 1:
            array, axes = array[..., 0], axes[:-1]
        if isinstance(self.pad_to, int) and axes == spec.axes:
            array, frame = _padded(array, frame, spec.spatial, spec.shape, self.pad_to)
        fits = len(axes) == len(spec.shape) and all(
            b is None or a == b for a, b in zip(array.shape, spec.shape)
        )
        if axes != spec.axes or not fits:
            raise StepError(
                f"the recipe makes {array.shape} of it, axes {axes}; the model takes {spec.shape}, axes {spec.axes}"
            )
        return array, frame

    def _outputs(self, entries: list[_Prepared]) -> list[np.ndarray | Exception]:
        """The model's outputs for each image of a batch, float32, or the error that occurred.

        A batch that the model does not take is run image by image.
        """
        if not entries:
            return []
        refused = self._refused.get(entries[0].array.shape)
        if refused is not None:  # a batch has one shape, and the model takes no image of it
            return [StepError(refused) for _ in entries]
        try:
            return list(self._run_model(entries))
        except MachineError:
            raise
        except StepError as error:
            if len(entries) == 1:
                return [error]
        return [made for entry in entries for made in self._outputs([entry])]

    def _run_model(self, entries: list[_Prepared]) -> np.ndarray:
        shape = entries[0].array.shape
        try:
            values = self.saved.model.predict_on_batch(np.stack([entry.array for entry in entries]))
        except Exception as error:  # a model raises what its layers raise: ValueError, tf.errors.…, TypeError
            if _out_of_memory(error):
                raise MachineError(
                    f"there is not enough memory to run the model on {len(entries)} images of {shape} at a time; "
                    "choose a smaller batch_size (--batch-size)",
                    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
                ) from error
            raise StepError(self._refusal(shape, error)) from error
        return self.reader(np.asarray(values, np.float32), str(self.saved.path))

    def _refusal(self, shape: tuple[int, ...], error: Exception) -> str:
        """Explain why the model does not take images of this shape, and which it takes."""
        spec = self.saved.input_spec
        size = tuple(shape[axis] for axis in spec.spatial)
        grid = self._grid() if None in spec.size else None
        message = f"the model cannot take an image of {' × '.join(map(str, size))} pixels"
        if grid is not None and any(length % grid.multiple for length in size):
            self._refused[shape] = (
                f"{message}: its sizes must be multiples of {grid.multiple}. {_pad_to(grid).capitalize()}, or train with a recipe "
                "that ends in such a size"
            )
            return self._refused[shape]
        return f"{message}: {_first_line(error)}"

    def _grid(self) -> Grid | None:
        """The sizes that the model takes and gives, found once, on first use."""
        if not self._asked:
            self._found, self._asked = grid_of(self.saved), True
        return self._found

    def _finished(self, predictions: Predictions, entry: _Prepared, values: np.ndarray) -> Prediction:
        """Make the prediction for one image, by the model's task."""
        nothing = np.zeros(0, np.float32)
        match self.saved.task:
            case "segment":
                return self._segmented(predictions, entry, values)
            case "regress":
                return self._prediction(
                    predictions, entry, nothing, values=tuple(float(value) for value in values.ravel())
                )
            case "multilabel":
                above = tuple(int(number) for number in np.flatnonzero(values > self.threshold))
                return self._prediction(predictions, entry, values, labels=above)
            case "classify":
                if values.shape == (1,):
                    values = np.array([1 - values[0], values[0]], np.float32)
                return self._prediction(predictions, entry, values, label=int(values.argmax()))
        raise StepError(f"the outputs of a {self.saved.task} model are not read here; call the model itself")

    def _segmented(self, predictions: Predictions, entry: _Prepared, values: np.ndarray) -> Prediction:
        frame = self._to_output(entry.frame, values.shape[:-1])
        back = frame.undo(heatmap=values if values.shape[-1] > 1 else values[..., 0])
        axes = ("ZYX" if len(frame.input_size) == 3 else "YX") + ("C" if values.shape[-1] > 1 else "")
        return self._prediction(predictions, entry, back, mask=self._mask(back, axes, entry.index))

    def _to_output(self, frame: Frame, size: tuple[int, ...]) -> Frame:
        """Extend a frame to the grid that the model outputs: the input's, or one a whole factor coarser or finer."""
        given = frame.output_size
        if size == given:
            return frame
        grid = self._grid()
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

    def _mask(self, probabilities: np.ndarray, axes: str, index: int) -> np.ndarray:
        made = self.postprocess.run(
            Targets.of_image(Image(probabilities, axes)), Key(0, 0, index)
        ).targets.image
        return made.array.astype(np.uint8) if made.array.dtype == np.bool_ else made.array

    def _prediction(
        self,
        predictions: Predictions,
        entry: _Prepared,
        probabilities: np.ndarray,
        *,
        label: int | None = None,
        mask: np.ndarray | None = None,
        labels: tuple[int, ...] | None = None,
        values: tuple[float, ...] | None = None,
    ) -> Prediction:
        return Prediction(
            self.source[entry.index],
            predictions.class_names,
            probabilities,
            label,
            mask,
            entry.record,
            entry.axes,
            entry.orientation,
            predictions,
            entry.index,
            labels,
            values,
        )


def _padded(
    array: np.ndarray, frame: Frame, spatial: tuple[int, ...], wanted: tuple[int | None, ...], multiple: int
) -> tuple[np.ndarray, Frame]:
    """Extend the spatial axes of free length at their end to multiples, by reflection; the frame follows."""
    added = [(0, 0)] * array.ndim
    for axis in spatial:
        if wanted[axis] is None:
            added[axis] = (0, -array.shape[axis] % multiple)
    if not any(end for _, end in added) or 0 in array.shape:
        return array, frame
    larger = np.pad(array, added, mode="symmetric")
    size = tuple(larger.shape[axis] for axis in spatial)
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

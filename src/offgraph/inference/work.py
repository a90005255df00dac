"""One pass of a model over a source: read, prepare, batch, run, and bring its output back to each image."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from offgraph.core.calibration import Calibration
from offgraph.core.errors import MachineError, OffgraphError, StepError
from offgraph.core.machine import is_machine, machine_error, with_retries
from offgraph.core.random import Key
from offgraph.core.threads import num_threads
from offgraph.geometry.frame import Frame
from offgraph.inference.answer import Answer
from offgraph.inference.detection_merging import boxes_of, merged_detections, points_of, refined
from offgraph.inference.detector_answers import found_in_views
from offgraph.inference.merging import merged
from offgraph.inference.model_run import ModelRun, Views
from offgraph.inference.prediction import Prediction, Predictions
from offgraph.inference.run_options import RunOptions
from offgraph.pipeline.failures import BAD_FILE, name_file, reason
from offgraph.pipeline.workers import ordered_map
from offgraph.recipe.compose import Compose
from offgraph.sources import Source
from offgraph.targets import Boxes, Image, Points, Targets

__all__ = ["Work"]


@dataclass(frozen=True, eq=False)
class _Prepared:
    """An image as each model takes it."""

    index: int
    views: tuple[Views, ...]
    axes: str
    orientation: int
    calibration: Calibration | None


@dataclass(frozen=True)
class _Bad:
    index: int
    error: Exception


@dataclass(eq=False)
class Work:
    """One pass over a source, with one model or several.

    The first model's outputs are kept, as are its record and its frame.
    """

    models: tuple[ModelRun, ...]
    source: Source
    postprocess: Compose
    options: RunOptions
    stop: bool
    _ended: threading.Event = field(default_factory=threading.Event, init=False)
    _alike: list[int] = field(default_factory=list, init=False)

    def run(self, predictions: Predictions) -> Generator[Prediction, None, None]:
        """Predict batch after batch; bad images are recorded at their place in the order."""
        try:
            yield from self._all(predictions)
        finally:
            self._ended.set()  # do not wait for threads that pause before another try

    def _all(self, predictions: Predictions) -> Generator[Prediction, None, None]:
        done = False
        for model in self.models:
            model.begin()
        self._alike = [
            next(i for i, one in enumerate(self.models) if one is model or one.prepares_like(model))
            for model in self.models
        ]
        for batch in self._batches():
            good = [entry for entry in batch if isinstance(entry, _Prepared)]
            outputs = iter(self._outputs(good))
            for entry in batch:
                try:
                    if isinstance(entry, _Bad):
                        raise entry.error
                    answers = next(outputs)
                    if isinstance(answers, Exception):
                        raise answers
                    if not all(np.isfinite(one.values).all() for of in answers for one in of):
                        raise StepError("the model's output for it has NaN or infinite values")
                    made = self._finished(predictions, entry, answers)
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
        shape: tuple[object, ...] | None = None
        count = 0
        prepared = ordered_map(
            self._prepare,
            range(len(self.source)),
            threads=self.options.threads,
            ahead=self.options.threads + self.options.batch_size,
            stop=self._ended,
        )
        with closing(prepared):
            for entry in prepared:
                if isinstance(entry, _Prepared):
                    found = tuple(views.kinds for views in entry.views)
                    if count == self.options.batch_size or (shape is not None and found != shape):
                        yield batch
                        batch, count = [], 0
                    shape, count = found, count + 1
                batch.append(entry)
                if len(batch) >= 4 * self.options.batch_size:  # report a long run of bad files while it lasts
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
                views = self._views(sample.image, index)
        except (MemoryError, OSError) as error:
            if is_machine(error):
                raise machine_error(self.source[index].name, error) from error
            raise
        decoded = sample.decoded
        return _Prepared(index, views, sample.image.axes, decoded.orientation, decoded.calibration)

    def _views(self, image: Image, index: int) -> tuple[Views, ...]:
        """The views for each model; made once where models prepare images alike."""
        made: list[Views] = []
        for number, model in enumerate(self.models):
            first = self._alike[number]
            made.append(model.prepare(image, index) if first == number else made[first])
        return tuple(made)

    def _outputs(self, entries: list[_Prepared]) -> list[list[list[Answer]] | Exception]:
        """What each model says of each view, for each image of a batch, or the error that occurred.

        A batch that a model does not take is run image by image.
        """
        if not entries:
            return []
        try:
            made = [
                [
                    model.run([entry.views[number].views[view].array for entry in entries])
                    for view in range(len(entries[0].views[number].views))
                ]
                for number, model in enumerate(self.models)
            ]
        except MachineError:
            raise
        except StepError as error:
            if len(entries) == 1:
                return [error]
            return [one for entry in entries for one in self._outputs([entry])]
        return [[[answers[i] for answers in of] for of in made] for i in range(len(entries))]

    def _finished(
        self, predictions: Predictions, entry: _Prepared, answers: Sequence[Sequence[Answer]]
    ) -> Prediction:
        """Make the prediction for one image, by the task."""
        first, raw = self.models[0].saved, answers[0][0].raw
        if first.task == "detect":
            return self._detected(predictions, entry, answers)
        values = [
            model.brought_together(views, of) for model, views, of in zip(self.models, entry.views, answers)
        ]
        if first.task == "segment":
            return self._segmented(predictions, entry, values, raw)
        nothing = np.zeros(0, np.float32)
        one = values[0] if len(values) == 1 else merged(values, None, "mean", exclusive=False)
        frame = entry.views[0].frame
        match first.task:
            case "regress":
                numbers = tuple(float(value) for value in one.ravel())
                return self._prediction(predictions, entry, nothing, frame, raw, values=numbers)
            case "multilabel":
                above = tuple(int(number) for number in np.flatnonzero(one > self.options.threshold))
                return self._prediction(predictions, entry, one, frame, raw, labels=above)
            case "classify":
                if one.shape == (1,):
                    one = np.array([1 - one[0], one[0]], np.float32)
                return self._prediction(predictions, entry, one, frame, raw, label=int(one.argmax()))
        raise StepError(f"the outputs of a {first.task} model are not read here; call the model itself")

    def _detected(
        self, predictions: Predictions, entry: _Prepared, answers: Sequence[Sequence[Answer]]
    ) -> Prediction:
        """Boxes and keypoints of all models and views, brought to the original and merged there."""
        found = [
            one
            for model, views, of in zip(self.models, entry.views, answers)
            for one in found_in_views(model, views, of, self.postprocess, entry.index)
        ]
        frame, pairs = entry.views[0].frame, self.models[0].saved.detection.pairs  # type: ignore[union-attr]
        size = frame.input_size
        made = merged_detections(found, lambda one: refined(one, self.postprocess, size, entry.index))
        return self._prediction(
            predictions,
            entry,
            np.zeros(0, np.float32),
            frame,
            answers[0][0].raw,
            labels=None if made.edges is None else tuple(made.labels.tolist()),
            boxes=None if made.edges is None else boxes_of(made, size),
            points=points_of(made, size, pairs),
        )

    def _segmented(
        self,
        predictions: Predictions,
        entry: _Prepared,
        values: Sequence[np.ndarray],
        raw: Mapping[str, np.ndarray],
    ) -> Prediction:
        brought = [
            model.on_original(views.frame, made)
            for model, views, made in zip(self.models, entry.views, values)
        ]
        back, frame = brought[0]
        several = values[0].shape[-1] > 1
        if len(brought) > 1:
            stack = [one if several else one[..., None] for one, _ in brought]
            back = merged(stack, [way.valid() for _, way in brought], "mean", exclusive=False)
            back = back if several else back[..., 0]
        axes = ("ZYX" if len(frame.input_size) == 3 else "YX") + ("C" if several else "")
        return self._prediction(
            predictions, entry, back, frame, raw, mask=self._mask(back, axes, entry.index)
        )

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
        frame: Frame,
        raw: Mapping[str, np.ndarray],
        *,
        label: int | None = None,
        mask: np.ndarray | None = None,
        labels: tuple[int, ...] | None = None,
        values: tuple[float, ...] | None = None,
        boxes: Boxes | None = None,
        points: Points | None = None,
    ) -> Prediction:
        return Prediction(
            self.source[entry.index],
            predictions.class_names,
            probabilities,
            label,
            mask,
            entry.views[0].record,
            entry.axes,
            entry.orientation,
            predictions,
            entry.index,
            labels,
            values,
            raw,
            frame,
            boxes,
            points,
            entry.calibration,
        )

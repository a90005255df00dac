"""A model's predictions for files, on the pixel grid of the pictures as they were.

The recipe comes out of the model file, so that a picture is prepared as in training. What a mask model puts out
goes back to the original grid as probabilities and becomes a mask there: a probability of 0.5 between two coarse
pixels is a place, so the outline falls between them, where a mask brought back would have steps as large as the
model's pixels. Sizes in the result steps are pixels of the original.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from offgraph import picture
from offgraph.compose import Compose, as_recipe
from offgraph.decode import Color
from offgraph.encode import show
from offgraph.errors import OffgraphError, OffgraphWarning, RecipeMismatch, StepError
from offgraph.feeding import BAD_FILE, default_threads, name_file, ordered_map, reason, whole_number
from offgraph.frame import AffineMap, Frame
from offgraph.postprocess import Threshold
from offgraph.random import Key
from offgraph.recipe import explain_mismatch
from offgraph.sources import Item, Source, open_source
from offgraph.spec import ArraySpec
from offgraph.step import Step
from offgraph.targets import Image
from offgraph.threads import num_threads

if TYPE_CHECKING:
    from offgraph.tensors.keras import SavedModel

__all__ = ["Outputs", "Prediction", "Predictions", "color_for", "predict"]

Outputs = Literal["probabilities", "logits"]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says about one picture, on the picture's own grid.

    The grid is that of the upright picture: what `offgraph.imread` gives, its EXIF orientation applied.

    Parameters
    ----------
    item : Item
        The file.
    class_names : tuple of str
        By class number; for a class model that was saved without names, the numbers.
    probabilities : ndarray of float32
        For a class model (K,); one output p counts as the two classes (1 - p, p). For a mask model (H, W) or
        (H, W, K), or the same with a depth before it, on the original grid; 0 where the recipe cut the picture off.
    label : int or None
        Number of the likeliest class, of a class model.
    mask : ndarray of integers or None
        Labels, (H, W) or (D, H, W), of a mask model; 0 is background, also where the model saw nothing.
    record : dict
        What the recipe did, plain JSON.
    axes : str
        Axes of the original, such as ``"YXC"``.
    orientation : int
        EXIF orientation that was applied in reading, 1 to 8.
    run : Predictions
        What it is one of: source, recipe, task.
    index : int
        Number of the picture in its source.
    """

    item: Item
    class_names: tuple[str, ...]
    probabilities: np.ndarray
    label: int | None
    mask: np.ndarray | None
    record: dict[str, Any]
    axes: str
    orientation: int
    run: Predictions = field(repr=False)
    index: int

    @property
    def class_name(self) -> str | None:
        """Name of the likeliest class, of a class model."""
        return None if self.label is None else self.class_names[self.label]

    @property
    def probability(self) -> float | None:
        """Probability of the likeliest class, of a class model."""
        return None if self.label is None else float(self.probabilities[self.label])

    @property
    def true_class(self) -> str | None:
        """Name of the class that the source itself gives the picture, if it has classes."""
        return None if self.item.label is None else self.run.source.class_names[self.item.label]

    @property
    def image(self) -> np.ndarray:
        """The original, upright, read from its file again: predictions in a list do not hold their pictures."""
        return self.run.source.read(self.index).image.array

    def picture(self, *, numbers: bool = False, scale: int = 1) -> np.ndarray:
        """Draw the prediction: the mask over the original, or the original with its class beneath.

        Parameters
        ----------
        numbers : bool
            Write each label of a mask beside its object.
        scale : int
            Draw each pixel of a mask and its picture this many times as wide and as high: numbers have one size,
            which is large beside a small picture.

        Returns
        -------
        ndarray
            uint8, (H, W, 3), `scale` times the original's size for a mask. Of a volume the middle slice.
        """
        if self.mask is None:
            rgb = picture.to_rgb(self.image, self.axes)
            return picture.sheet([[(rgb, f"{self.class_name} {self.probability:.1%}")]], side=320)
        mask, array, axes = self.mask, self.image, self.axes
        if mask.ndim == 3:
            middle = mask.shape[0] // 2
            mask, array, axes = mask[middle], array.take(middle, axes.index("Z")), axes.replace("Z", "")
        if scale > 1:
            mask = mask.repeat(scale, 0).repeat(scale, 1)
            array = array.repeat(scale, axes.index("Y")).repeat(scale, axes.index("X"))
        return picture.overlay(array, mask, axes=axes, numbers=numbers)

    def show(self) -> Any:
        """Show `picture`: in a notebook inline, elsewhere in the platform's viewer."""
        return show(self.picture())

    def save(self, folder: str | os.PathLike[str]) -> dict[str, Path]:
        """Write the label mask, if there is one, and the picture below `folder`.

        Returns
        -------
        dict
            ``"picture"`` and, for a mask model, ``"mask"``, with the path of each file. Masks are 16-bit PNG, or
            TIFF where labels pass 65535 or the picture is a volume.
        """
        from offgraph.results import write_mask, write_picture

        written = {"picture": write_picture(self, Path(folder))}
        if self.mask is not None:
            written["mask"] = write_mask(self, Path(folder))
        return written


class Predictions(Iterator[Prediction]):
    """The predictions of a source, one after the other; each is made when it is asked for.

    Attributes
    ----------
    source : Source
    recipe : Compose
        What each picture gets.
    class_names : tuple of str
    task : {"classify", "segment"}
        What the model does.
    quarantined : list of (name, reason)
        Pictures that were set aside so far.
    """

    def __init__(self, saved: SavedModel, source: Source, recipe: Compose, predictions: Any) -> None:
        self.source, self.recipe = source, recipe
        self.task, self.class_names = saved.task, _class_names(saved)
        self.quarantined: list[tuple[str, str]] = []
        self._predictions: Generator[Prediction, None, None] = predictions(self)

    def __next__(self) -> Prediction:
        return next(self._predictions)

    def close(self) -> None:
        """Stop early; no thread is left behind."""
        self._predictions.close()


def predict(
    model: SavedModel | str | os.PathLike[str],
    src: Source | str | os.PathLike[str],
    *,
    recipe: Compose | list[Any] | str | os.PathLike[str] | None = None,
    other_recipe: bool = False,
    postprocess: Compose | Sequence[Step] | None = None,
    outputs: Outputs | None = None,
    batch_size: int = 32,
    threads: int | None = None,
    on_error: Literal["quarantine", "stop"] = "quarantine",
) -> Predictions:
    """Predict every picture of a source with a saved model, in order and batch by batch.

    Parameters
    ----------
    model : path or SavedModel
        A ``.keras`` file that `offgraph.save` wrote.
    src : path or Source
        Pictures. From a path they are read as the model takes them: one channel grey, three channels RGB.
    recipe : Compose, list of steps, or path of a recipe file, optional
        The recipe to use; only its prepare layer counts. By default the model's own.
    other_recipe : bool
        Allow a recipe that differs from the model's.
    postprocess : Compose or sequence of result steps, optional
        What makes a mask of probabilities, on the original grid. By default the steps saved with the model; where
        there are none, above 0.5 is 1 for a model with one output, else the likeliest class is taken.
    outputs : {"probabilities", "logits"}, optional
        What the model puts out. By default its last layer tells: softmax and sigmoid give probabilities, a layer
        without activation logits (with a warning that says so); else the values must be probabilities that sum
        to 1. Logits go through softmax, of one output through the sigmoid.
    batch_size : int
    threads : int, optional
        That read and prepare; by default one for each processor.
    on_error : {"quarantine", "stop"}
        Set a picture aside that cannot be read, does not fit the recipe or the model, or for which the model
        gives NaN; or stop at it.

    Returns
    -------
    Predictions
        An iterator of `Prediction`; it ends with an OffgraphError where no picture could be predicted. Memory does not grow with the number of pictures. A batch holds pictures of one
        shape, so that a fully convolutional model takes pictures of different sizes.

    Raises
    ------
    RecipeMismatch
        For a recipe that differs in its prepare layer from the model's; names step and field.
    OffgraphError
        For a model whose outputs are neither said nor seen to be probabilities.

    Examples
    --------
    >>> for result in predict("flowers.keras", "new/"):  # doctest: +SKIP
    ...     print(result.item.name, result.class_name, result.probability)
    """
    batch_size = whole_number("batch_size", batch_size)
    threads = whole_number("threads", default_threads() if threads is None else threads)
    if on_error not in ("quarantine", "stop"):
        raise OffgraphError(f"on_error={on_error!r}: choose 'quarantine' or 'stop'")
    if outputs not in (None, "probabilities", "logits"):
        raise OffgraphError(f"outputs={outputs!r}: choose 'probabilities' or 'logits', or leave it out")
    chosen = None if recipe is None else as_recipe(recipe)
    saved = _load(model)
    if chosen is not None and not other_recipe and chosen.fingerprint != saved.recipe.fingerprint:
        differs = explain_mismatch(saved.recipe, chosen, names=("the model's recipe", "the given one"))
        raise RecipeMismatch(
            f"{saved.path}: {differs}. Leave the recipe out to use the model's own, or choose the other one on "
            "purpose with other_recipe=True (--other-recipe)"
        )
    prepare = (saved.recipe if chosen is None else chosen).eval()
    work = _Work(
        saved,
        open_source(src, color=color_for(saved.input_spec)),
        prepare,
        _result_steps(saved, postprocess),
        _reading_of(saved, outputs),
        batch_size,
        threads,
        stop=on_error == "stop",
    )
    return Predictions(saved, work.source, prepare, work.run)


def _load(model: SavedModel | str | os.PathLike[str]) -> SavedModel:
    from offgraph.tensors.keras import SavedModel, load

    if isinstance(model, SavedModel):
        return model
    if not isinstance(model, str | os.PathLike):
        raise OffgraphError(
            f"a model is given as the path of a .keras file that offgraph.save wrote, or as what offgraph.load "
            f"returns; got {type(model).__name__}"
        )
    return load(model)


def _class_names(saved: SavedModel) -> tuple[str, ...]:
    """The saved names, or the numbers; one output stands for two classes."""
    count = saved.model.output_shape[-1]
    count = 2 if count == 1 else count
    if saved.class_names and len(saved.class_names) == count:
        return saved.class_names
    if saved.class_names and not (saved.task == "segment" and len(saved.class_names) == count - 1):
        raise OffgraphError(f"{saved.path}: {len(saved.class_names)} class names for {count} classes")
    return saved.class_names or tuple(str(number) for number in range(count or 0))


def color_for(spec: ArraySpec) -> Color:
    """Return how pictures are read for a model with this input: one channel grey, three RGB, else as stored."""
    channels = spec.shape[spec.axes.index("C")] if "C" in spec.axes else 1
    if "Z" in spec.axes or channels is None:
        return "keep"
    return "grey" if channels == 1 else "rgb" if channels == 3 else "keep"


def _result_steps(saved: SavedModel, given: Compose | Sequence[Step] | None) -> Compose:
    """What makes a mask of the model's probabilities; refused here, and not at every picture, where it does not.

    Raises
    ------
    OffgraphError
        Where the steps are no result steps, do not fit one another, or end without a mask.
    """
    from offgraph.tensors.keras import result_steps

    count = saved.model.output_shape[-1]
    steps = saved.postprocess if given is None else given
    if steps is None and saved.task == "classify":
        return Compose([])
    if steps is None:
        # Threshold(0) is the likeliest class; where the model saw nothing, and all are 0, the background.
        return Compose([Threshold(0.5 if count == 1 else 0.0)])
    return result_steps(steps, saved.task, saved.input_spec, count)


@dataclass(frozen=True)
class _Reading:
    """What a model puts out, and how that became known."""

    logits: bool
    known: bool

    def __call__(self, values: np.ndarray, name: str) -> np.ndarray:
        """Turn outputs, (B, …, K), into probabilities.

        Raises
        ------
        OffgraphError
            Where they cannot be probabilities.
        """
        if self.logits:
            return _softmax(values) if values.shape[-1] > 1 else _sigmoid(values)
        finite = values[np.isfinite(values)]
        within = not finite.size or (finite.min() >= 0 and finite.max() <= 1 + 1e-4)
        sums = values.sum(axis=-1, dtype=np.float64)
        whole = values.shape[-1] == 1 or bool((np.abs(sums[np.isfinite(sums)] - 1) < 1e-2).all())
        if not within or not (whole or self.known):
            raise OffgraphError(
                f"{name}: its outputs lie from {finite.min():.4g} to {finite.max():.4g}"
                + ("" if whole else " and do not sum to 1")
                + ", so they are no probabilities; say outputs='logits' if they are logits"
                + ("" if not within else ", or outputs='probabilities' if each class stands for itself")
            )
        return values


def _reading_of(saved: SavedModel, outputs: Outputs | None) -> _Reading:
    if outputs is not None:
        return _Reading(outputs == "logits", known=True)
    layer = saved.model
    while getattr(layer, "layers", None):
        layer = layer.layers[-1]
    activation = getattr(getattr(layer, "activation", None), "__name__", None)
    if type(layer).__name__ == "Softmax" or activation in ("softmax", "sigmoid"):
        return _Reading(logits=False, known=True)
    if activation == "linear":
        warnings.warn(
            f"{saved.path}: the last layer, {layer.name!r}, has no activation, so its outputs are taken for logits; "
            "say outputs='logits' if they are, or outputs='probabilities' if not",
            OffgraphWarning,
            stacklevel=3,
        )
        return _Reading(logits=True, known=False)
    return _Reading(logits=False, known=False)


def _softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    # Of exp only arguments below 0 are taken, which never overflow.
    small = np.exp(-np.abs(values))
    return np.where(values >= 0, 1 / (1 + small), small / (1 + small))


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A picture as the model takes it."""

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


@dataclass(frozen=True, eq=False)
class _Work:
    """One pass over a source."""

    saved: SavedModel
    source: Source
    recipe: Compose
    postprocess: Compose
    reading: _Reading
    batch_size: int
    threads: int
    stop: bool

    def run(self, told: Predictions) -> Generator[Prediction, None, None]:
        """Predict batch after batch; bad pictures are told at their place in the order."""
        done = False
        finish = self._classified if self.saved.task == "classify" else self._segmented
        for batch in self._batches():
            good = [entry for entry in batch if isinstance(entry, _Prepared)]
            outputs = iter(self._outputs(good) if good else ())
            for entry in batch:
                try:
                    if isinstance(entry, _Bad):
                        raise entry.error
                    values = next(outputs)
                    if not np.isfinite(values).all():
                        raise StepError("the model's output for it has NaN or infinite values")
                    made = finish(told, entry, values)
                except BAD_FILE as error:
                    self._set_aside(entry.index, error, told)
                else:
                    done = True
                    yield made
        if not done:
            name, why = told.quarantined[0]
            raise OffgraphError(
                f"none of the source's pictures ({len(self.source):,}) could be predicted; "
                f"the first: {name}: {why}"
            )

    def _set_aside(self, index: int, error: Exception, told: Predictions) -> None:
        name = self.source[index].name
        if self.stop:
            raise name_file(error, name)
        told.quarantined.append((name, reason(error, self.source[index].path, name)))

    def _batches(self) -> Iterator[list[_Prepared | _Bad]]:
        """Pictures in order, as many at a time as have one shape and fit a batch; bad ones in between."""
        batch: list[_Prepared | _Bad] = []
        shape: tuple[Any, ...] | None = None
        count = 0
        prepared = ordered_map(
            self._prepare, range(len(self.source)), threads=self.threads, ahead=self.threads + self.batch_size
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
                if len(batch) >= 4 * self.batch_size:  # a long run of bad files is told as it goes on
                    yield batch
                    batch, count, shape = [], 0, None
        if batch:
            yield batch

    def _prepare(self, index: int) -> _Prepared | _Bad:
        try:
            with num_threads(1):
                sample = self.source.read(index)
                result = self.recipe.run(sample.image, None, Key(0, 0, index))
            array = self._fitted(result.targets.image)
        except BAD_FILE as error:
            return _Bad(index, error)
        image, turned = sample.image, sample.picture.orientation
        return _Prepared(index, array, result.frame, result.record, image.axes, turned)

    def _fitted(self, image: Image) -> np.ndarray:
        """The array with the model's axes, or an error that names both shapes."""
        spec, array, axes = self.saved.input_spec, image.array, image.axes
        if "C" in spec.axes and "C" not in axes:
            array, axes = array[..., np.newaxis], axes + "C"
        elif "C" not in spec.axes and axes.endswith("C") and array.shape[-1] == 1:
            array, axes = array[..., 0], axes[:-1]
        fits = len(axes) == len(spec.shape) and all(
            b is None or a == b for a, b in zip(array.shape, spec.shape)
        )
        if axes != spec.axes or not fits:
            raise StepError(
                f"the recipe makes {array.shape} of it, axes {axes}; the model takes {spec.shape}, axes {spec.axes}"
            )
        return array

    def _outputs(self, entries: Iterable[_Prepared]) -> np.ndarray:
        """Probabilities of a batch, float32."""
        values = self.saved.model.predict_on_batch(np.stack([entry.array for entry in entries]))
        return self.reading(np.asarray(values, np.float32), str(self.saved.path))

    def _classified(self, told: Predictions, entry: _Prepared, values: np.ndarray) -> Prediction:
        if values.shape == (1,):
            values = np.array([1 - values[0], values[0]], np.float32)
        return self._prediction(told, entry, values, int(values.argmax()), None)

    def _segmented(self, told: Predictions, entry: _Prepared, values: np.ndarray) -> Prediction:
        frame = _to_output(entry.frame, values.shape[:-1])
        back = frame.undo(heatmap=values if values.shape[-1] > 1 else values[..., 0])
        axes = ("ZYX" if len(frame.input_size) == 3 else "YX") + ("C" if values.shape[-1] > 1 else "")
        return self._prediction(told, entry, back, None, self._mask(back, axes, entry.index))

    def _mask(self, probabilities: np.ndarray, axes: str, index: int) -> np.ndarray:
        made = self.postprocess.run(Image(probabilities, axes), None, Key(0, 0, index)).targets.image
        return made.array.astype(np.uint8) if made.array.dtype == np.bool_ else made.array

    def _prediction(
        self,
        told: Predictions,
        entry: _Prepared,
        probabilities: np.ndarray,
        label: int | None,
        mask: np.ndarray | None,
    ) -> Prediction:
        item = self.source[entry.index]
        return Prediction(
            item,
            told.class_names,
            probabilities,
            label,
            mask,
            entry.record,
            entry.axes,
            entry.orientation,
            told,
            entry.index,
        )


def _to_output(frame: Frame, size: tuple[int, ...]) -> Frame:
    """Extend a frame to the grid that the model puts out: the input's, or one a whole factor coarser or finer."""
    given = frame.output_size
    if size == given:
        return frame
    if len(size) != len(given) or any(max(a, b) % min(a, b) for a, b in zip(given, size)):
        raise OffgraphError(
            f"the model makes {size} of pictures of {given}: a mask model must put out the grid that it takes, or one "
            "that is a whole factor coarser or finer, so that each output has its place"
        )
    ratio = np.array(given) / np.array(size)
    return frame.then(AffineMap(np.diag(ratio), 0.5 * ratio - 0.5, given, size))

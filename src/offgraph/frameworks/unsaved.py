"""Models that were not saved with a recipe: any function of a batch, and Keras models in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.choices import ModelTask
from offgraph.core.errors import OffgraphError, StepError
from offgraph.core.specs import OpenSpec, spec_of
from offgraph.frameworks.detection_outputs import DetectionOutputs
from offgraph.frameworks.head import outputs_of, shape_of, task_of
from offgraph.frameworks.keras import SavedModel, detector_output
from offgraph.frameworks.several_outputs import ONLY, check_numbers, named_outputs, output_names
from offgraph.recipe.compose import Compose
from offgraph.sources.names import first_repeated

__all__ = ["BatchFunction", "assumption_about", "unsaved_model"]

_AXES = {2: "YX", 3: "YXC", 4: "ZYXC"}
_TRIED = (64, 224, 32)
"""Lengths, where any will do, of the image of zeros that a function is first called with, to see what it returns."""
_ASSUMED = (
    "; colour images were assumed: say what it takes with input_shape=, such as (None, None, 1) for grey ones"
)


class BatchFunction:
    """A function of a batch, with what is asked of a Keras model: shapes, names of the outputs, `predict_on_batch`.

    Parameters
    ----------
    function : callable
        (B, …) → an array, a tuple or list of arrays, or a dictionary of them, the batch axis first.
    spec : OpenSpec
        What it takes, without the batch axis.
    name : str
    assumed : bool
        Whether nobody said what it takes, so that it was taken to be colour images.
    """

    def __init__(
        self, function: Callable[[np.ndarray], Any], spec: OpenSpec, name: str, *, assumed: bool = False
    ) -> None:
        self.function, self.spec, self.name, self.assumed = function, spec, name, assumed
        self.input_shape = (None, *spec.shape)
        self._shapes = self._tried()
        self.output_names = tuple(self._shapes)
        self.main: str | None = None

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of the main output, lengths that follow the input's free."""
        if self.main is None and len(self._shapes) > 1:
            raise OffgraphError(
                f"{self.name}: it has {len(self._shapes)} outputs ({', '.join(map(repr, self._shapes))}); say which one is "
                f"predicted, output={self.output_names[0]!r}: predictions hold the others as they are"
            )
        return self._shapes[self.main or self.output_names[0]]

    def ending_in(self, output: str) -> BatchFunction:
        """Return the same function, of whose outputs one is the main one."""
        other = object.__new__(BatchFunction)
        other.__dict__.update(self.__dict__, main=output)
        return other

    def __call__(self, batch: Any, training: bool = False) -> np.ndarray:
        """Return the main output for a batch."""
        return self.named(np.asarray(batch))[self.main or self.output_names[0]]

    def predict_on_batch(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Return all outputs for a batch, by name."""
        return self.named(batch)

    def named(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Return all outputs for a batch, by name: the keys of a dictionary, else their numbers."""
        made = self.function(batch)
        several = isinstance(made, list | tuple)
        names = tuple(map(str, range(len(made)))) if several and len(made) > 1 else (ONLY,)
        return named_outputs(made[0] if several and len(made) == 1 else made, names)

    def _tried(self) -> Mapping[str, tuple[int | None, ...]]:
        """The shape of each output, found by running it on zeros."""
        error: Exception | None = None
        for length in _TRIED:
            given = [length if n is None else n for n in self.spec.shape]
            try:
                made = self.named(np.zeros((1, *given), self.spec.dtype))
            except Exception as raised:  # whatever the function raises for a size it does not take
                error = raised
                if None not in self.spec.shape:
                    break
                continue
            if not made:
                raise OffgraphError(f"{self.name}: it gives no output for a batch of one image")
            free = [None in self.spec.size] * len(self.spec.size)
            for name, values in made.items():
                check_numbers(values, f"{self.name}: {name!r}")
                # One number an image, beside other outputs, is how many of a detector's boxes count.
                if values.ndim < 2 - (len(made) > 1) or values.shape[0] != 1:
                    raise OffgraphError(
                        f"{self.name}: {name!r} has the shape {values.shape} for a batch of 1 image of {tuple(given)}; a model "
                        "gives (B, count) or (B, height, width, count)"
                    )
            return {
                name: (
                    None,
                    *(
                        None if values.ndim == len(free) + 2 and i < len(free) and free[i] else n
                        for i, n in enumerate(values.shape[1:])
                    ),
                )
                for name, values in made.items()
            }
        raise OffgraphError(
            f"{self.name}: it raised {type(error).__name__} for a batch of one image of zeros, {self.spec.dtype} of shape "
            f"{self.spec.shape}: {error!s:.300}. Say what it takes with input_shape=(height, width, channels)"
        ) from error


def unsaved_model(
    model: Any,
    recipe: Compose,
    *,
    task: ModelTask | None = None,
    class_names: Sequence[str] | None = None,
    target_names: Sequence[str] | None = None,
    input_shape: Sequence[int | None] | None = None,
    output: str | None = None,
    detection: DetectionOutputs | None = None,
    name: str | None = None,
) -> SavedModel:
    """Return a function or a Keras model in memory with what belongs to it, as if it had been saved.

    Raises
    ------
    OffgraphError
        Where its task is in doubt, names do not fit it, or the function does not take what the recipe makes.
    """
    name = name or str(
        getattr(model, "name", None) or getattr(model, "__name__", None) or type(model).__name__
    )
    if hasattr(model, "predict_on_batch") and hasattr(model, "inputs"):
        if input_shape is not None:
            raise OffgraphError("input_shape=: a Keras model says itself what it takes")
        taken = shape_of(model, "input")[1:]
        spec = _spec(taken, str(model.inputs[0].dtype))
        served: Any = model
    else:
        spec = _made_by(recipe, input_shape)
        served = BatchFunction(model, spec, name, assumed=input_shape is None)
    names, targets = tuple(class_names or ()), tuple(target_names or ())
    for argument, given in (("class_names", names), ("target_names", targets)):
        twice = first_repeated(given)
        if twice is not None:
            raise OffgraphError(f"{argument}: {twice!r} is in it twice")
    task, output, detection = detector_output(task, output, detection, output_names(served))
    if task == "detect" and len(spec.spatial) != 2:
        raise OffgraphError(f"task='detect': boxes are predicted for images; {name} takes {spec.shape}")
    saved = SavedModel(served, recipe, names, None, "classify", spec, Path(name), targets, output=output)
    if detection is not None:
        detection.check_shape(shape_of(saved.main, "output"), name)
    task = task_of(saved.main, task, named=bool(names))
    if targets and task != "regress":
        raise OffgraphError(f"target_names: they name numbers, and the task is {task!r}")
    return SavedModel(
        served,
        recipe,
        names,
        None,
        task,
        spec,
        Path(name),
        targets,
        outputs_of(saved.main, task),
        output,
        detection,
    )


def assumption_about(model: Any) -> str:
    """What to add to a refusal of an image where what a function takes was assumed; else nothing."""
    return _ASSUMED if getattr(model, "assumed", False) else ""


def _spec(shape: Sequence[int | None], dtype: str) -> OpenSpec:
    axes = _AXES.get(len(shape))
    if axes is None:
        raise OffgraphError(f"the model takes {tuple(shape)}; images are (H, W), (H, W, C) or (D, H, W, C)")
    return spec_of(tuple(shape), dtype, axes)


def _made_by(recipe: Compose, input_shape: Sequence[int | None] | None) -> OpenSpec:
    """What a function takes: the shape as given, sizes and dtype as its recipe makes them."""
    wanted = _spec((None, None, 3) if input_shape is None else tuple(input_shape), "uint8")
    channels = wanted.shape[-1] if "C" in wanted.axes else 1
    spatial = wanted.axes.replace("C", "")
    one = channels == 1
    given = OpenSpec(
        (None,) * len(spatial) + (() if one else (channels,)), "uint8", spatial + ("" if one else "C")
    )
    try:
        made = recipe.eval().output_spec(given)
    except StepError as error:
        raise OffgraphError(
            f"the recipe does not fit a model that takes {wanted.shape}: {error}{_ASSUMED if input_shape is None else ''}"
        ) from error
    size = [have if want is None else want for have, want in zip(made.size, wanted.size)]
    for have, want in zip(made.size, wanted.size):
        if None not in (have, want) and have != want:
            raise OffgraphError(
                f"the recipe makes images of {made.size}, input_shape={wanted.shape} takes {wanted.size}"
            )
    return wanted.resized(tuple(size)).cast(made.dtype)

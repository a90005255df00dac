"""A Keras model and its recipe in one ``.keras`` file."""

from __future__ import annotations

import functools
import json
import os
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.arguments import path_of
from offgraph.core.choices import ModelTask, Outputs
from offgraph.core.errors import OffgraphError, StepError
from offgraph.core.specs import OpenSpec, spec_of
from offgraph.core.versions import library_versions
from offgraph.frameworks.detection_outputs import DetectionOutputs
from offgraph.frameworks.head import outputs_of, shape_of, task_of
from offgraph.frameworks.member import MEMBER, VERSION, read_description
from offgraph.frameworks.several_outputs import output_names, with_one_output
from offgraph.frameworks.weights import refuse_weights_that_are_not_there
from offgraph.recipe.compose import Compose, as_recipe
from offgraph.sources.names import first_repeated
from offgraph.steps.base import Step
from offgraph.steps.kinds import ResultStep

__all__ = ["MEMBER", "SavedModel", "load", "result_steps", "save"]


@dataclass(frozen=True, eq=False)
class SavedModel:
    """A model with everything needed to use it as it was trained.

    Parameters
    ----------
    model : keras.Model
    recipe : Compose
        The whole recipe that it was trained with; prediction uses ``recipe.eval()``.
    class_names : tuple of str
        Empty where none were saved.
    postprocess : Compose or None
        Result steps that refine what the model outputs.
    task : {"classify", "multilabel", "regress", "segment", "detect"}
    input_spec : OpenSpec
        Shape without the batch axis (None for any length), dtype and axes of the model's input.
    path : Path
    target_names : tuple of str
        Of a regression model: what each output is; empty where no names were saved.
    outputs : {"probabilities", "logits"} or None
        What the model outputs, where that was certain when it was saved.
    output : str or None
        Of a model of several outputs: the one that task, names and result steps are about.
    detection : DetectionOutputs or None
        Of a detector: what its outputs mean, with their names.
    """

    model: Any
    recipe: Compose
    class_names: tuple[str, ...]
    postprocess: Compose | None
    task: ModelTask
    input_spec: OpenSpec
    path: Path
    target_names: tuple[str, ...] = ()
    outputs: Outputs | None = None
    output: str | None = None
    detection: DetectionOutputs | None = None

    @functools.cached_property
    def main(self) -> Any:
        """The model with its main output alone; of a model of one output the model itself."""
        return self.model if self.output is None else with_one_output(self.model, self.output)

    @functools.cached_property
    def output_names(self) -> tuple[str, ...]:
        """Names of all outputs, in the model's order; ``("output",)`` of a model of one."""
        return output_names(self.model)


def save(
    model: Any,
    recipe: Compose | list[Any] | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    class_names: Sequence[str] | None = None,
    target_names: Sequence[str] | None = None,
    postprocess: Compose | Sequence[Any] | None = None,
    task: ModelTask | None = None,
    outputs: Outputs | None = None,
    output: str | None = None,
    detection: DetectionOutputs | None = None,
) -> Path:
    """Save a Keras model with its recipe, whole or not at all.

    The file is an ordinary ``.keras`` file with one more member, ``offgraph.json``;
    ``keras.saving.load_model`` opens it as any other. It is loaded once before it gets its name, so that no file is
    left that cannot be loaded. Layers of your own load wherever their code was imported before and decorated with
    ``@keras.saving.register_keras_serializable()``.

    Parameters
    ----------
    model : keras.Model
        With one input, and one output or a main one that `output` names.
    recipe : Compose, list of steps, or path of a recipe file
        The recipe it was trained with. Its prepare layer must give what the model takes.
    path : path
        Ends in ``.keras``.
    class_names : sequence of str, optional
        By class number, as ``loader.class_names``.
    target_names : sequence of str, optional
        Of a regression model: what each output is, as ``source.target_names``.
    postprocess : Compose or sequence of result steps, optional
        Such as ``[Threshold(0.5), FillHoles()]``, of a segmentation model; of a detector steps such as `NonMaximumSuppression`.
    task : {"classify", "multilabel", "regress", "segment", "detect"}, optional
        What the model does: one class per image, several labels per image, numbers, a mask, or boxes. (B, H, W, K) and
        (B, D, H, W, K) segment. For (B, K) the last layer and the loss decide where they leave no doubt: softmax or a
        categorical loss classify, a sigmoid of one output too; a sigmoid of several outputs or a binary loss on
        them is ``"multilabel"``; a loss such as ``"mse"`` on another layer is ``"regress"``. Outputs without
        activation and without such a loss are classes where `class_names` are given.
    outputs : {"probabilities", "logits"}, optional
        What the model outputs, where neither its last layer nor its loss shows it.
    output : str, optional
        Of a model of several outputs: the name of the one that is predicted, which `task`, `class_names`,
        `postprocess` and `outputs` are about. Predictions hold the others as the model gives them.
    detection : DetectionOutputs, optional
        Of a detector: which output holds boxes, scores, labels and keypoints, and what their numbers are. The task is then
        ``"detect"``; with that task alone the outputs have the usual names, and boxes are xyxy in pixels.

    Returns
    -------
    Path

    Raises
    ------
    OffgraphError
        Where the model has several inputs, or several outputs and no `output`, or is not built, its task is in doubt, recipe, names, task or
        ``postprocess`` do not fit it, the file could not be loaded again (a Lambda layer, an unregistered layer of
        your own), or it cannot be written.

    Examples
    --------
    >>> import keras, tempfile
    >>> import offgraph as og
    >>> recipe = og.Compose([og.Resize((8, 8)), og.Normalize("imagenet")])
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as home:
    ...     saved = og.load(og.save(model, recipe, f"{home}/pets.keras", class_names=["cat", "dog"]))
    >>> saved.task, saved.class_names, saved.recipe.digest == recipe.digest
    ('classify', ('cat', 'dog'), True)
    """
    path = path_of("path", path)
    if path.suffix != ".keras":
        raise OffgraphError(f"{path}: a saved model's name ends in .keras")
    if not callable(getattr(model, "save", None)) or isinstance(model, str | os.PathLike):
        raise OffgraphError(
            f"model={model!r:.80}: the order is save(model, recipe, path), and a model is Keras'"
        )
    recipe = as_recipe(recipe)
    if outputs not in (None, "probabilities", "logits"):
        raise OffgraphError(f"outputs={outputs!r:.80}: choose 'probabilities' or 'logits', or leave it out")
    task, output, detection = detector_output(task, output, detection, output_names(model))
    main = model if output is None else with_one_output(model, output)
    names = _class_names(main, class_names, task)
    task = task_of(main, task, named=bool(names))
    if task == "detect" and outputs is not None:
        raise OffgraphError(f"outputs={outputs!r}: of a detector say it by DetectionOutputs(activation=…)")
    if task == "regress" and (names or outputs):
        given = "class_names" if names else "outputs"
        raise OffgraphError(
            f"{given}: the task is 'regress', so the model outputs numbers and not classes; leave {given} out (target_names "
            "says what the numbers are), or say task='classify' or task='multilabel'"
        )
    taken = _input(model)
    spec = spec_of(tuple(taken["shape"]), taken["dtype"], taken["axes"])
    _check_names(names, task, shape_of(main, "output")[-1])
    if detection is not None:
        detection.check_shape(shape_of(main, "output"), "the model")
    if task == "detect" and len(spec.spatial) != 2:
        raise OffgraphError(f"task='detect': boxes are predicted for images; the model takes {spec.shape}")
    _check_recipe(recipe, spec)
    steps = (
        None if postprocess is None else result_steps(postprocess, task, spec, shape_of(main, "output")[-1])
    )
    described = {
        "offgraph": VERSION,
        "versions": library_versions(("keras",)),
        "task": task,
        "output": output,
        "outputs": outputs or outputs_of(main, task),
        "detection": None if detection is None else detection.to_dict(),
        "recipe": recipe.to_dict(),
        "prepare": recipe.eval().to_dict(),
        "fingerprint": recipe.fingerprint,
        "class_names": list(names),
        "target_names": list(_target_names(main, target_names, task)),
        "postprocess": None if steps is None else steps.to_dict(),
        "input": taken,
    }
    part = path.with_name(f".{path.stem}.{os.getpid()}.part.keras")
    try:
        _save_model(model, part, path)
        with zipfile.ZipFile(part, "a") as archive:
            archive.writestr(MEMBER, json.dumps(described, indent=1, sort_keys=True, allow_nan=False))
        part.replace(path)
    except OSError as error:
        raise OffgraphError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def load(path: str | os.PathLike[str], *, compile: bool = False) -> SavedModel:
    """Load a model with the recipe that was saved in it.

    Keras' safe mode stays on: a file that would run its own code (a Lambda layer) is refused.

    Parameters
    ----------
    path : path
    compile : bool
        Bring optimizer, loss and metrics back too.

    Raises
    ------
    OffgraphError
        Where the file is not a ``.keras`` file with a recipe, is damaged, or unpacks to an implausible size.
    """
    path = path_of("path", path)
    description = read_description(path)
    model = _load_model(path, compile)
    taken = shape_of(model, "input")[1:]
    if taken != description.input_spec.shape:
        raise OffgraphError(
            f"{path}: {MEMBER} in it says that the model takes {description.input_spec.shape}, but it takes {taken}; save it "
            "again with offgraph.save(model, recipe, path)"
        )
    saved = SavedModel(
        model,
        description.recipe,
        description.class_names,
        description.postprocess,
        description.task,
        description.input_spec,
        path,
        description.target_names,
        description.outputs,
        description.output,
        description.detection,
    )
    if saved.detection is not None:
        saved.detection.resolved(saved.output_names)
    task_of(saved.main, description.task, named=False)
    return saved


def _load_model(path: Path, compile: bool) -> Any:
    try:
        from keras.saving import load_model
    except ImportError as error:
        raise OffgraphError(
            f"{path}: a model is loaded by Keras, which is not installed; run: pip install 'offgraph[tensorflow]'"
        ) from error
    refuse_weights_that_are_not_there(path)
    try:
        return load_model(path, compile=compile, safe_mode=True)
    except (
        Exception
    ) as error:  # Keras raises what its parts raise: ValueError, KeyError, zlib.error, struct.error …
        cause = " ".join(str(error).split())
        hint = "; import the code of your own layers first" if "register_keras_serializable" in cause else ""
        raise OffgraphError(f"{path}: Keras cannot load the model: {cause:.500}{hint}") from error


def _save_model(model: Any, part: Path, path: Path) -> None:
    """Let Keras write the file and load it again, so that a file that cannot be loaded is refused before the model is gone."""
    try:
        with warnings.catch_warnings():
            # What Keras warns of, lambdas and classes that are not registered, is refused below with what to do.
            warnings.filterwarnings("ignore", message=".*(lambda|is not serializable|registered)")
            model.save(part)
        from keras.saving import load_model

        load_model(part, compile=False, safe_mode=True)
    except OSError:
        raise
    except Exception as error:  # Keras raises what its parts raise
        raise OffgraphError(f"{path}: not saved: {_why_not(model, error)}") from error


def _why_not(model: Any, error: Exception) -> str:
    """Explain why a model cannot be loaded again, and what to write instead."""
    own = [entry for layer in _layers(model) for entry in _own(layer)]
    lambdas = [name for name, kind in own if kind == "Lambda"]
    if lambdas:
        return (
            f"the layer {lambdas[0]!r} is a Lambda, whose Python code Keras does not run when it loads a file. Write it as a "
            "layer of Keras (Rescaling, Normalization, Activation, an operation of keras.ops in a functional model), or as a "
            "class of your own decorated with @keras.saving.register_keras_serializable()"
        )
    if own:
        named = ", ".join(f"{name!r} ({kind})" for name, kind in own[:5])
        return (
            f"it could not be loaded again, for the code of your own in {named}: decorate the class or function with "
            "@keras.saving.register_keras_serializable(), let get_config() give what its __init__ takes, and import it before "
            f"loading. Keras says: {_brief(error)}"
        )
    return f"Keras cannot load it again: {_brief(error)}"


def _brief(error: BaseException) -> str:
    """The last cause of a chain, without the configurations that Keras adds to each."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__  # pyright: ignore
    text = " ".join(str(error).split()).partition(" Full object config:")[0]
    return f"{text:.300}"


def _own(layer: Any) -> Iterator[tuple[str, str]]:
    """What is not Keras's own in a layer, by the layer's name and its class or function; a Lambda counts as such."""
    name, kind = str(getattr(layer, "name", "")), type(layer)
    if not kind.__module__.startswith("keras.") or kind.__name__ == "Lambda":
        yield name, kind.__name__
    activation = getattr(layer, "activation", None)
    module = getattr(activation, "__module__", None)
    if activation is not None and not str(module).startswith("keras."):
        yield name, str(getattr(activation, "__name__", type(activation).__name__))


def _layers(model: Any) -> Iterator[Any]:
    """Every layer, those of models within it too."""
    flat: Any = getattr(model, "_flatten_layers", None)
    found: Any = flat(include_self=True) if callable(flat) else getattr(model, "layers", ())
    yield from found


def detector_output(
    task: ModelTask | None, output: str | None, detection: DetectionOutputs | None, names: Sequence[str]
) -> tuple[ModelTask | None, str | None, DetectionOutputs | None]:
    """Return task and main output of a model, and of a detector what its outputs are, with their names.

    Raises
    ------
    OffgraphError
        Where they contradict one another.
    """
    if detection is None and task != "detect":
        return task, output, None
    if detection is not None and not isinstance(detection, DetectionOutputs):
        raise OffgraphError(f"detection={detection!r:.80}: give offgraph.DetectionOutputs(…)")
    if task not in (None, "detect"):
        raise OffgraphError(f"detection=: what a detector's outputs are; the task is {task!r}")
    if output is not None:
        raise OffgraphError(f"output={output!r:.80}: of a detector detection= names the outputs")
    resolved = (detection or DetectionOutputs()).resolved(names)
    return "detect", resolved.main if len(names) > 1 else None, resolved


def result_steps(
    given: Compose | Sequence[Any], task: ModelTask, taken: OpenSpec, outputs: int | None
) -> Compose:
    """Parse the steps that make a mask of a model's probabilities.

    Parameters
    ----------
    given : Compose or sequence of result steps
    task : ModelTask
    taken : ArraySpec
        What the model takes.
    outputs : int or None
        Length of the last axis it outputs.

    Raises
    ------
    OffgraphError
        Where the model makes no masks, or the steps are not result steps, do not fit one another, or end without
        a mask.
    """
    if task not in ("segment", "detect"):
        kind = "numbers" if task == "regress" else "classes"
        raise OffgraphError(f"postprocess makes masks; this model predicts {kind}")
    try:
        steps = (
            given if isinstance(given, Compose) else Compose([given] if isinstance(given, Step) else given)
        )
    except StepError as error:
        raise OffgraphError(f"postprocess: {error}") from error
    for place, step in enumerate(steps.steps):
        if not isinstance(step, ResultStep):
            raise OffgraphError(
                f"postprocess: {step.name} is not a result step; it takes steps such as Threshold, FillHoles, "
                "RemoveSmall, Label and DistanceWatershed"
            )
        before = steps.steps[place - 1] if place else step
        if isinstance(before, ResultStep) and before.describes and not step.describes:
            raise OffgraphError(
                f"postprocess: {step.name} changes the mask that {before.name} before it describes: put {before.name} last"
            )
        if step.refines_boxes != (task == "detect"):
            takes = "masks" if task == "detect" else "boxes"
            raise OffgraphError(
                f"postprocess: {step.name} is for {takes}, which a model of the task {task!r} does not make"
            )
    if task == "detect":
        return steps
    spatial = taken.axes.replace("C", "")
    channels, axes = ((), spatial) if outputs == 1 else ((outputs,), spatial + "C")
    try:
        made = steps.output_spec(OpenSpec((None,) * len(spatial) + channels, "float32", axes))
    except StepError as error:
        raise OffgraphError(f"postprocess: {error}") from error
    if np.dtype(made.dtype).kind not in "bui" or "C" in made.axes:
        raise OffgraphError("postprocess: does not give a mask; begin with Threshold(...)")
    return steps


def _check_recipe(recipe: Compose, taken: OpenSpec) -> None:
    """Refuse a recipe whose output can never fit the model's input."""
    spatial = taken.axes.replace("C", "")
    channels = taken.shape[-1] if "C" in taken.axes else 1
    colours, axes = ((), spatial) if channels == 1 else ((channels,), spatial + "C")
    try:
        made = recipe.eval().output_spec(OpenSpec((None,) * len(spatial) + colours, "uint8", axes))
    except StepError as error:
        raise OffgraphError(f"the recipe does not fit a model that takes {taken.shape}: {error}") from error
    pairs = zip(made.size, taken.size, strict=True)
    if any(None not in (a, b) and a != b for a, b in pairs):
        raise OffgraphError(
            f"the recipe makes images of {made.size}, the model takes {taken.size}: the last step that sets the size "
            "must give that; what stands in Augment(...) is left out in prediction"
        )


def _class_names(model: Any, given: Sequence[str] | None, task: ModelTask | None) -> tuple[str, ...]:
    names = _names("class_names", given, "['cat', 'dog']")
    _check_names(names, task if task == "detect" else None, shape_of(model, "output")[-1])
    return names


def _check_names(names: tuple[str, ...], task: ModelTask | None, count: int | None) -> None:
    if task == "detect":  # scores and labels are held against them
        return
    # With one class per image, one output stands for two classes.
    allowed = {count, 2} if count == 1 and task in (None, "classify", "segment") else {count}
    if names and count is not None and len(names) not in allowed:
        raise OffgraphError(
            f"{len(names)} class names for a model that outputs {count} values; they must be as many"
        )


def _target_names(model: Any, given: Sequence[str] | None, task: ModelTask) -> tuple[str, ...]:
    names = _names("target_names", given, "['age', 'weight']")
    if names and task != "regress":
        raise OffgraphError(
            f"target_names: they name numbers, and the task is {task!r}; give class_names, or say task='regress'"
        )
    count = shape_of(model, "output")[-1]
    if names and count is not None and len(names) != count:
        raise OffgraphError(f"{len(names)} target names for a model that outputs {count} values")
    return names


def _names(argument: str, given: Sequence[str] | None, example: str) -> tuple[str, ...]:
    if given is None:
        return ()
    names = () if isinstance(given, str) else tuple(given)
    if isinstance(given, str) or not all(isinstance(name, str) for name in names):
        raise OffgraphError(f"{argument}={given!r:.80}: give a list of names, such as {example}")
    twice = first_repeated(names)
    if twice is not None:
        raise OffgraphError(f"{argument}: {twice!r} is in it twice")
    return names


def _input(model: Any) -> dict[str, Any]:
    shape = shape_of(model, "input")[1:]
    axes = {2: "YX", 3: "YXC", 4: "ZYXC"}.get(len(shape))
    if axes is None:
        raise OffgraphError(f"the model takes {shape}; images are (H, W), (H, W, C) or (D, H, W, C)")
    return {"shape": list(shape), "dtype": str(model.inputs[0].dtype), "axes": axes}

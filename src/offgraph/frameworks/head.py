"""The task of a Keras model, inferred from its shapes, its last layers and the loss it was compiled with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

from offgraph.core.choices import ModelTask, Outputs
from offgraph.core.errors import OffgraphError
from offgraph.frameworks.several_outputs import output_names

__all__ = ["TASKS", "Head", "head_of", "outputs_of", "shape_of", "task_of"]

TASKS: tuple[ModelTask, ...] = get_args(ModelTask)

# Layers that give probabilities where they take them, and logits where they take those.
_PASSING = {
    "Reshape", "Flatten", "Permute", "Identity", "Cropping2D", "Cropping3D", "UpSampling2D", "UpSampling3D",
    "Dropout", "GlobalAveragePooling2D", "GlobalAveragePooling3D",
}  # fmt: skip
_LAYERS = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
_CATEGORICAL = {
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
    "categorical_focal_crossentropy",
}
_BINARY = {"binary_crossentropy", "binary_focal_crossentropy"}
_NUMBERS = {
    "mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error", "huber", "log_cosh", "logcosh", "poisson",
    "mse", "mae", "mape", "msle",
}  # fmt: skip


@dataclass(frozen=True)
class Head:
    """The end of a model.

    Parameters
    ----------
    layer : str
        Name of the layer that makes the outputs.
    activation : str or None
        ``"softmax"``, ``"sigmoid"``, ``"linear"`` or another name; None where no layer shows it.
    loss : {"categorical", "binary", "numbers"} or None
        Kind of the loss it was compiled with.
    from_logits : bool
        Whether that loss takes logits.
    loss_name : str
    """

    layer: str = ""
    activation: str | None = None
    loss: Literal["categorical", "binary", "numbers"] | None = None
    from_logits: bool = False
    loss_name: str = ""


def shape_of(model: Any, kind: Literal["input", "output"]) -> tuple[int | None, ...]:
    """Shape of the one input or output, batch axis first.

    Raises
    ------
    OffgraphError
        Where there are several, named, or the model is not built.
    """
    ends = getattr(model, f"{kind}s", None)
    ends = list(ends.values()) if isinstance(ends, dict) else ends
    if isinstance(ends, list | tuple) and len(ends) > 1:
        raise OffgraphError(_several(model, kind, ends))
    try:
        shape = getattr(model, f"{kind}_shape", None)
    except (AttributeError, ValueError, RuntimeError):  # Keras': it is not built
        shape = None
    if isinstance(shape, list) and len(shape) == 1:
        shape = shape[0]
    if not isinstance(shape, tuple) or not all(length is None or isinstance(length, int) for length in shape):
        if isinstance(shape, dict | list | tuple):
            raise OffgraphError(f"the model must have one {kind} of known shape; this one has {shape!r:.200}")
        if not {"Sequential", "Functional"} & {kind.__name__ for kind in type(model).__mro__}:
            raise OffgraphError(
                f"the model, {type(model).__name__}, is a subclass of keras.Model, whose {kind} has no known shape; wrap it: "
                "x = keras.Input((height, width, channels)), then save keras.Model(x, model(x))"
            )
        raise OffgraphError(
            f"the model's {kind} has no known shape, as it is not built: begin a Sequential with keras.Input(...), make a "
            "functional model, or call the model once on a batch before saving it"
        )
    return shape


def _several(model: Any, kind: str, ends: Any) -> str:
    if kind == "output":
        names = output_names(model)
    else:
        names = getattr(model, "input_names", None) or [getattr(end, "name", "?") for end in ends]
    listed = ", ".join(f"{name!r} {tuple(end.shape)}" for name, end in zip(names, ends))
    if kind == "input":
        return (
            f"the model has {len(ends)} inputs ({listed}); offgraph gives a model one image, so it saves models of one "
            "input"
        )
    return (
        f"the model has {len(ends)} outputs ({listed}); say which one is predicted, output={names[0]!r}: predictions hold "
        "the others as they are. Or save one model for each, with keras.Model(model.inputs, model.outputs[0]) for the "
        "first, model.outputs[1] for the second; the weights are shared"
    )


def head_of(model: Any) -> Head:
    """Look at the last layers and the loss of a model."""
    layer, activation = _last(model)
    return Head(layer, activation, *_loss(model))


def _last(model: Any) -> tuple[str, str | None]:
    """Name and activation of the layer that makes the outputs, seen through layers that only move values."""
    found = _history(_output(model))
    if found is None:  # a subclassed model, or one of another kind
        layers = getattr(model, "layers", None)
        return _last(layers[-1]) if layers else _activation(model)
    layer = found
    for _ in range(64):
        if getattr(layer, "layers", None):
            return _last(layer)
        name, activation = _activation(layer)
        passing = type(layer).__name__ in _PASSING or (
            type(layer).__name__ == "Activation" and activation == "linear"
        )
        before = _history(_input(layer)) if passing else None
        if before is None:
            return name, None if passing else activation
        layer = before
    return "", None


def _output(model: Any) -> Any:
    ends = getattr(model, "outputs", None)
    return ends[0] if isinstance(ends, list | tuple) and len(ends) == 1 else None


def _input(layer: Any) -> Any:
    try:
        given = layer.input
    except (AttributeError, ValueError, RuntimeError):  # used twice, or never
        return None
    return given


def _history(tensor: Any) -> Any:
    """The layer that makes a tensor, or None."""
    layer = getattr(getattr(tensor, "_keras_history", None), "operation", None)
    return None if type(layer).__name__ == "InputLayer" else layer


def _activation(layer: Any) -> tuple[str, str | None]:
    name, kind = str(getattr(layer, "name", "")), type(layer).__name__
    if kind in _LAYERS:
        return name, _LAYERS[kind]
    activation = getattr(layer, "activation", None)
    if activation is None:
        return name, None
    called = str(getattr(activation, "__name__", type(activation).__name__))
    return name, _LAYERS.get(called, called)


def _loss(model: Any) -> tuple[Literal["categorical", "binary", "numbers"] | None, bool, str]:
    loss: Any = getattr(model, "loss", None)
    while isinstance(loss, list | tuple | dict) and len(loss) == 1:
        loss = next(iter(loss.values() if isinstance(loss, dict) else loss))
    name = loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", "")
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(name)).lower()
    describe: Any = getattr(loss, "get_config", None)
    try:
        settings: Any = describe() if callable(describe) else {}
        logits = bool(settings.get("from_logits", False))
    except (NotImplementedError, TypeError, AttributeError):
        logits = False
    # A loss may have a custom name: then its class decides.
    kinds = (name, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(loss).__name__).lower())
    for kind in kinds:
        if kind in _CATEGORICAL:
            return "categorical", logits, kind
        if kind in _BINARY:
            return "binary", logits, kind
        if kind in _NUMBERS:
            return "numbers", logits, kind
    return None, logits, name


def task_of(model: Any, task: ModelTask | None, named: bool) -> ModelTask:
    """The task of a model: as the caller says, otherwise inferred where the model is unambiguous.

    Parameters
    ----------
    model : keras.Model
    task : ModelTask or None
        What the caller says.
    named : bool
        Whether there are class names, one for each output.

    Raises
    ------
    OffgraphError
        Where the shapes contradict `task`, or nothing shows what the outputs are.
    """
    if task is not None and task not in TASKS:
        raise OffgraphError(f"task={task!r:.80}: choose one of {', '.join(map(repr, TASKS))}")
    taken, made = shape_of(model, "input"), shape_of(model, "output")
    if task == "detect":  # what its outputs mean is declared
        return task
    if len(made) not in (2, len(taken) if len(taken) > 3 else 4):
        raise OffgraphError(
            f"the model outputs {made}; one for classes or numbers outputs (batch, count), one for masks (batch, "
            "height, width, classes)"
        )
    if len(made) > 2:
        if task not in (None, "segment"):
            raise OffgraphError(f"task={task!r}: the model outputs {made}, so it is a segmentation model")
        if task is None and head_of(model).loss == "numbers" and head_of(model).activation != "softmax":
            raise OffgraphError(
                f"the model outputs {made} and was compiled with {head_of(model).loss_name!r}: an image of numbers, which "
                "offgraph cannot predict, or a mask? Say task='segment' if each value is the probability of a class"
            )
        return "segment"
    if task == "segment":
        raise OffgraphError(f"task='segment': the model outputs {made}, so it is not a segmentation model")
    count: int | None = [*made][-1]
    return task or _vector_task(model, count, named)


def _vector_task(model: Any, count: int | None, named: bool) -> ModelTask:
    """What a model of (batch, count) outputs does."""
    head = head_of(model)
    if head.activation == "softmax" or head.loss == "categorical":
        if count != 1:
            return "classify"
    elif head.loss == "binary" or (head.activation == "sigmoid" and head.loss is None):
        return "classify" if count == 1 else "multilabel"
    if head.loss == "numbers" and head.activation not in ("softmax", "sigmoid"):
        return "regress"
    if named and head.activation not in ("softmax", "sigmoid"):
        return "classify"
    ends = {
        None: "of a layer that does not show what they are",
        "linear": f"of {head.layer!r}, a layer without activation",
    }.get(head.activation, f"of {head.layer!r}, whose activation is {head.activation}")
    loss = f", trained with {head.loss_name!r}" if head.loss else ", with no loss that decides it"
    one = "two classes from one value" if count == 1 else "one class per image"
    raise OffgraphError(
        f"the model outputs {count} value{'' if count == 1 else 's'} {ends}{loss}, so its task is in doubt; say "
        f"task='classify' ({one}; with outputs='logits' where no softmax or sigmoid was applied), task='multilabel' "
        "(several labels per image) or task='regress' (numbers)"
    )


def outputs_of(model: Any, task: ModelTask) -> Outputs | None:
    """What the outputs are, where the model is certain about it."""
    if task in ("regress", "detect"):
        return None
    head = head_of(model)
    if head.activation in ("softmax", "sigmoid"):
        return "probabilities"
    if head.from_logits and head.loss in ("categorical", "binary"):
        return "logits"
    return None

"""A Keras model and its recipe in one ``.keras`` file."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from offgraph.compose import Compose, as_recipe
from offgraph.dataset.job import library_versions
from offgraph.errors import OffgraphError, StepError
from offgraph.spec import ArraySpec, name_axes
from offgraph.step import ResultStep

__all__ = ["MEMBER", "SavedModel", "Task", "load", "result_steps", "save"]

Task = Literal["classify", "segment"]

MEMBER = "offgraph.json"
"""Name of the recipe inside the ``.keras`` file, which is a zip archive."""

_VERSION = 1
_LONGEST_MEMBER = 16 << 20  # bytes; a recipe has a few thousand
_MOST_UNPACKED = 1 << 30  # bytes that any archive may unpack to; larger ones must not grow
_MOST_GROWTH = 20  # times; Keras stores weights uncompressed


@dataclass(frozen=True, eq=False)
class SavedModel:
    """A model and everything needed to use it as it was trained.

    Parameters
    ----------
    model : keras.Model
    recipe : Compose
        The whole recipe it was trained with; ``recipe.eval()`` is what a picture to predict gets.
    class_names : tuple of str
        Empty where none were saved.
    postprocess : Compose or None
        Result steps that refine what the model puts out.
    task : {"classify", "segment"}
    input_spec : ArraySpec
        Shape without the batch axis (None where any length will do), dtype and axes of the model's input.
    path : Path
    """

    model: Any
    recipe: Compose
    class_names: tuple[str, ...]
    postprocess: Compose | None
    task: Task
    input_spec: ArraySpec
    path: Path


def save(
    model: Any,
    recipe: Compose | list[Any] | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    class_names: Sequence[str] | None = None,
    postprocess: Compose | Sequence[Any] | None = None,
    task: Task | None = None,
) -> Path:
    """Save a Keras model with its recipe, whole or not at all.

    The file is an ordinary ``.keras`` file with one more member, ``offgraph.json``;
    ``keras.saving.load_model`` opens it as any other.

    Parameters
    ----------
    model : keras.Model
        With one input and one output.
    recipe : Compose, list of steps, or path of a recipe file
        The recipe it was trained with. Its prepare layer must give what the model takes.
    path : path
        Ends in ``.keras``.
    class_names : sequence of str, optional
        By class number, as ``loader.class_names``.
    postprocess : Compose or sequence of result steps, optional
        Such as ``[Threshold(0.5), FillHoles()]``; of a mask model only.
    task : {"classify", "segment"}, optional
        What the model must be: (B, K) classifies, (B, H, W, K) and (B, D, H, W, K) segment.

    Returns
    -------
    Path

    Raises
    ------
    OffgraphError
        Where the model has several inputs or outputs, recipe, class names, task or ``postprocess`` do not fit it,
        or the file cannot be written.

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
    path = Path(path)
    if path.suffix != ".keras":
        raise OffgraphError(f"{path}: a saved model's name ends in .keras")
    if not callable(getattr(model, "save", None)) or isinstance(model, str | os.PathLike):
        raise OffgraphError(
            f"model={model!r:.80}: the order is save(model, recipe, path), and a model is Keras'"
        )
    recipe = as_recipe(recipe)
    task = _task(model, task)
    given = _input(model)
    spec = ArraySpec(tuple(given["shape"]), given["dtype"], given["axes"])
    names = _class_names(model, class_names)
    _check_recipe(recipe, spec)
    steps = (
        None if postprocess is None else result_steps(postprocess, task, spec, _shape(model, "output")[-1])
    )
    described = {
        "offgraph": _VERSION,
        "versions": library_versions(("keras",)),
        "task": task,
        "recipe": recipe.to_dict(),
        "prepare": recipe.eval().to_dict(),
        "fingerprint": recipe.fingerprint,
        "class_names": list(names),
        "postprocess": None if steps is None else steps.to_dict(),
        "input": given,
    }
    part = path.with_name(f".{path.stem}.{os.getpid()}.part.keras")
    try:
        model.save(part)
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

    Keras' safe mode stays on: a file that would run code of its own (a Lambda layer) is refused.

    Parameters
    ----------
    path : path
    compile : bool
        Bring optimizer, loss and metrics back too.

    Raises
    ------
    OffgraphError
        Where the file is not a ``.keras`` file with a recipe in it, is damaged, or unpacks to an absurd size.
    """
    path = Path(path)
    described = _read_member(path)
    layout = described.get("offgraph")
    if layout != _VERSION:
        raise OffgraphError(f"{path}: {MEMBER} in it has layout {layout!r}; this version reads {_VERSION}")
    try:
        recipe = Compose.from_dict(described["recipe"])
        steps = described["postprocess"]
        postprocess = None if steps is None else Compose.from_dict(steps)
        task, given = described["task"], described["input"]
        spec = _spec_of(given)
        names = tuple(str(name) for name in described["class_names"])
    except (KeyError, TypeError, AttributeError, StepError) as error:
        raise OffgraphError(f"{path}: {MEMBER} in it is damaged ({type(error).__name__}: {error})") from error
    except OffgraphError as error:
        raise OffgraphError(f"{path}: {MEMBER} in it cannot be used: {error}") from error
    if task not in ("classify", "segment"):
        raise OffgraphError(
            f"{path}: {MEMBER} in it names the task {task!r}; known are 'classify' and 'segment'"
        )
    return SavedModel(_load_model(path, compile), recipe, names, postprocess, task, spec, path)


def _load_model(path: Path, compile: bool) -> Any:
    try:
        from keras.saving import load_model
    except ImportError as error:
        raise OffgraphError(
            f"{path}: a model is loaded by Keras, which is not installed; run: pip install 'offgraph[tensorflow]'"
        ) from error
    try:
        return load_model(path, compile=compile, safe_mode=True)
    except (
        Exception
    ) as error:  # Keras raises what its parts raise: ValueError, KeyError, zlib.error, struct.error …
        cause = " ".join(str(error).split())
        raise OffgraphError(f"{path}: Keras cannot load the model: {cause:.500}") from error


def _read_member(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            unpacked, packed = sum(e.file_size for e in entries), path.stat().st_size
            if unpacked > max(_MOST_UNPACKED, packed * _MOST_GROWTH):
                raise OffgraphError(f"{path}: {packed} bytes that unpack to {unpacked}; not a model file")
            if MEMBER not in archive.namelist():
                raise OffgraphError(
                    f"{path}: a model without a recipe; load it with Keras and save it with "
                    "offgraph.save(model, recipe, path)"
                )
            with archive.open(MEMBER) as member:
                data = member.read(_LONGEST_MEMBER + 1)
    except (OSError, zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise OffgraphError(f"{path}: not a readable .keras file: {cause}") from error
    if len(data) > _LONGEST_MEMBER:
        raise OffgraphError(f"{path}: {MEMBER} in it is larger than {_LONGEST_MEMBER} bytes; not a recipe")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise OffgraphError(f"{path}: {MEMBER} in it is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise OffgraphError(f"{path}: {MEMBER} in it is not a JSON object")
    return value


def _shape(model: Any, kind: Literal["input", "output"]) -> tuple[int | None, ...]:
    shape = getattr(model, f"{kind}_shape", None)
    if not isinstance(shape, tuple) or not all(length is None or isinstance(length, int) for length in shape):
        raise OffgraphError(
            f"the model must have one {kind} of known shape; this one has {shape!r}. Build or call it first"
        )
    return shape


def _task(model: Any, task: Task | None) -> Task:
    if task not in (None, "classify", "segment"):
        raise OffgraphError(f"task={task!r:.80}: choose 'classify' or 'segment'")
    taken, made = _shape(model, "input"), _shape(model, "output")
    kinds: dict[int, Task] = {2: "classify", len(taken) if len(taken) > 3 else 4: "segment"}
    found = kinds.get(len(made))
    if found is None:
        raise OffgraphError(
            f"the model puts out {made}; one for classes puts out (batch, classes), one for masks (batch, height, "
            "width, classes)"
        )
    if task not in (None, found):
        raise OffgraphError(f"task={task!r}: the model puts out {made}, so it is one to {found}")
    return found


def result_steps(
    given: Compose | Sequence[Any], task: Task, taken: ArraySpec, outputs: int | None
) -> Compose:
    """Parse the steps that make a mask of a model's probabilities.

    Parameters
    ----------
    given : Compose or sequence of result steps
    task : {"classify", "segment"}
    taken : ArraySpec
        What the model takes.
    outputs : int or None
        Length of the last axis it puts out.

    Raises
    ------
    OffgraphError
        Where the model makes no masks, or the steps are no result steps, do not fit one another, or end without
        a mask.
    """
    if task == "classify":
        raise OffgraphError("postprocess makes masks; this model predicts classes")
    steps = given if isinstance(given, Compose) else Compose(given)
    for step in steps.steps:
        if not isinstance(step, ResultStep):
            raise OffgraphError(
                f"postprocess: {step.name} is no result step; it takes Threshold, FillHoles, RemoveSmall, "
                "KeepLargest and Label"
            )
    spatial = taken.axes.replace("C", "")
    channels, axes = ((), spatial) if outputs == 1 else ((outputs,), spatial + "C")
    try:
        made = steps.output_spec(ArraySpec((None,) * len(spatial) + channels, "float32", axes))
    except StepError as error:
        raise OffgraphError(f"postprocess: {error}") from error
    if np.dtype(made.dtype).kind not in "bui" or "C" in made.axes:
        raise OffgraphError("postprocess: gives no mask; begin with Threshold(...)")
    return steps


def _check_recipe(recipe: Compose, taken: ArraySpec) -> None:
    """Refuse a recipe that never makes of a picture what the model takes."""
    spatial = taken.axes.replace("C", "")
    channels = taken.shape[-1] if "C" in taken.axes else 1
    colours, axes = ((), spatial) if channels == 1 else ((channels,), spatial + "C")
    try:
        made = recipe.eval().output_spec(ArraySpec((None,) * len(spatial) + colours, "uint8", axes))
    except StepError as error:
        raise OffgraphError(f"the recipe does not fit a model that takes {taken.shape}: {error}") from error
    pairs = zip(made.size, taken.size, strict=True)
    if any(None not in (a, b) and a != b for a, b in pairs):
        raise OffgraphError(
            f"the recipe makes pictures of {made.size}, the model takes {taken.size}: the last step that sets the size "
            "must give that; what stands in Augment(...) is left out in prediction"
        )


def _class_names(model: Any, given: Sequence[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    names = () if isinstance(given, str) else tuple(given)
    if isinstance(given, str) or not all(isinstance(name, str) for name in names):
        raise OffgraphError(f"class_names={given!r:.80}: give a list of names, such as ['cat', 'dog']")
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise OffgraphError(f"class_names: {twice!r} stands in it twice")
    count = _shape(model, "output")[-1]
    allowed = {count, 2} if count == 1 else {count}  # one sigmoid output stands for two classes
    if names and count is not None and len(names) not in allowed:
        raise OffgraphError(
            f"{len(names)} class names for a model that puts out {count} values; they must be as many"
        )
    return names


def _spec_of(given: dict[str, Any]) -> ArraySpec:
    """Parse what a file says of the model's input."""
    shape, dtype = tuple(given["shape"]), np.dtype(given["dtype"]).name
    if not all(length is None or (type(length) is int and length > 0) for length in shape):
        raise TypeError(f"shape={given['shape']!r}")
    return ArraySpec(shape, dtype, name_axes(tuple(length or 1 for length in shape), given["axes"]))


def _input(model: Any) -> dict[str, Any]:
    shape = _shape(model, "input")[1:]
    axes = {2: "YX", 3: "YXC", 4: "ZYXC"}.get(len(shape))
    if axes is None:
        raise OffgraphError(f"the model takes {shape}; pictures are (H, W), (H, W, C) or (D, H, W, C)")
    return {"shape": list(shape), "dtype": str(model.inputs[0].dtype), "axes": axes}

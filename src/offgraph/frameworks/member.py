"""The description that Offgraph keeps inside a ``.keras`` file: checked in full, as the file may come from a stranger."""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.axes import name_axes
from offgraph.core.choices import ModelTask, Outputs
from offgraph.core.errors import OffgraphError, StepError
from offgraph.core.specs import OpenSpec, spec_of
from offgraph.frameworks.detection_outputs import DetectionOutputs
from offgraph.frameworks.head import TASKS
from offgraph.recipe.compose import Compose

__all__ = ["MEMBER", "VERSION", "Description", "read_description"]

MEMBER = "offgraph.json"
"""Name of the description inside the ``.keras`` file, which is a zip archive."""

VERSION = 1
_LONGEST_MEMBER = 16 << 20  # bytes; a recipe has a few thousand
_MOST_UNPACKED = 1 << 30  # bytes that any archive may unpack to; larger ones must not grow
_MOST_GROWTH = 20  # times; Keras stores weights uncompressed
_DTYPES = {"float16", "bfloat16", "float32", "float64", "bool"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
# What zipfile and the decompressors raise for archives that are damaged, encrypted or packed in another way.
_UNREADABLE = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    OverflowError,
)
# What unpacking a value of another type or size than expected raises.
_DAMAGED = (KeyError, TypeError, AttributeError, ValueError, IndexError, ArithmeticError, RecursionError)


@dataclass(frozen=True, eq=False)
class Description:
    """What a ``.keras`` file says about its model; see `offgraph.frameworks.keras.SavedModel` for each."""

    recipe: Compose
    class_names: tuple[str, ...]
    target_names: tuple[str, ...]
    postprocess: Compose | None
    task: ModelTask
    outputs: Outputs | None
    input_spec: OpenSpec
    output: str | None = None
    detection: DetectionOutputs | None = None


def read_description(path: Path) -> Description:
    """Read what `offgraph.save` put into a ``.keras`` file.

    Raises
    ------
    OffgraphError
        Where it is not a ``.keras`` file with a recipe, is damaged, or unpacks to an implausible size; names the file.
    """
    described = _read_member(path)
    layout = described.get("offgraph")
    if layout != VERSION or isinstance(layout, bool):
        raise OffgraphError(f"{path}: {MEMBER} in it has layout {layout!r:.80}; this version reads {VERSION}")
    try:
        task = described["task"]
        if task not in TASKS:
            raise OffgraphError(f"it names the task {task!r:.80}; known are {', '.join(map(repr, TASKS))}")
        outputs = described.get("outputs")
        if outputs not in (None, "probabilities", "logits"):
            raise OffgraphError(
                f"it says of the outputs {outputs!r:.80}; known are 'probabilities' and 'logits'"
            )
        output = described.get("output")
        if output is not None and not isinstance(output, str):
            raise OffgraphError(f"it names the output {output!r:.80}, which is not a name")
        detection = described.get("detection")
        if (detection is None) != (task != "detect"):
            raise OffgraphError(
                f"it names the task {task!r}, and says of a detector's outputs {detection!r:.80}"
            )
        steps = described["postprocess"]
        return Description(
            Compose.from_dict(described["recipe"]),
            _names(described, "class_names"),
            _names(described, "target_names") if "target_names" in described else (),
            None if steps is None else Compose.from_dict(steps),
            task,
            outputs,
            _spec_of(described["input"]),
            output,
            None if detection is None else DetectionOutputs.from_dict(detection),
        )
    except (OffgraphError, *_DAMAGED) as error:
        if isinstance(error, OffgraphError) and not isinstance(error, StepError):
            raise OffgraphError(f"{path}: {MEMBER} in it cannot be used: {error}") from error
        raise OffgraphError(
            f"{path}: {MEMBER} in it is damaged ({type(error).__name__}: {error!s:.300})"
        ) from error


def _read_member(path: Path) -> dict[str, Any]:
    try:
        if path.exists() and not path.is_file():  # a FIFO would be waited for, for ever
            raise OffgraphError(f"{path}: not a readable .keras file: it is not a regular file")
        if path.is_file() and not zipfile.is_zipfile(path):
            raise OffgraphError(
                f"{path}: not a readable .keras file: File is not a zip file; give one that offgraph.save wrote"
            )
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            unpacked, packed = sum(e.file_size for e in entries), path.stat().st_size
            if unpacked > max(_MOST_UNPACKED, packed * _MOST_GROWTH):
                raise OffgraphError(f"{path}: {packed} bytes that unpack to {unpacked}; not a model file")
            # Other methods unpack a whole block at once, however little of it is read.
            packings = {e.compress_type for e in entries} - {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
            if packings:
                raise OffgraphError(
                    f"{path}: not a readable .keras file: packed by method {min(packings)}, and Keras stores or deflates"
                )
            if MEMBER not in archive.namelist():
                raise OffgraphError(
                    f"{path}: a model without a recipe; load it with Keras and save it with "
                    "offgraph.save(model, recipe, path)"
                )
            with archive.open(MEMBER) as member:
                data = member.read(_LONGEST_MEMBER + 1)
    except _UNREADABLE as error:
        if isinstance(error, FileNotFoundError):
            raise OffgraphError(f"{path}: not a readable .keras file: no such file") from error
        cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise OffgraphError(
            f"{path}: not a readable .keras file: {' '.join(cause.split()) or type(error).__name__}"
        ) from error
    if len(data) > _LONGEST_MEMBER:
        raise OffgraphError(f"{path}: {MEMBER} in it is larger than {_LONGEST_MEMBER} bytes; not a recipe")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise OffgraphError(f"{path}: {MEMBER} in it is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise OffgraphError(f"{path}: {MEMBER} in it is not a JSON object")
    return value


def _names(described: dict[str, Any], field: str) -> tuple[str, ...]:
    names = described[field]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{field}={names!r:.80}")
    if len(set(names)) < len(names):
        raise ValueError(f"{field} has a name twice")
    return tuple(names)


def _spec_of(given: Any) -> OpenSpec:
    """Parse what a file says of the model's input."""
    shape, dtype = tuple(given["shape"]), given["dtype"]
    if dtype not in _DTYPES:
        raise TypeError(f"dtype={dtype!r:.80}")
    if not 2 <= len(shape) <= 4 or not all(
        length is None or (type(length) is int and 0 < length < 1 << 31) for length in shape
    ):
        raise TypeError(f"shape={given['shape']!r:.80}")
    if not isinstance(given["axes"], str):
        raise TypeError(f"axes={given['axes']!r:.80}")
    axes = name_axes(tuple(length or 1 for length in shape), given["axes"])
    return spec_of(shape, dtype if dtype == "bfloat16" else np.dtype(dtype).name, axes)

"""Schemas of a dataset's JSON files. Every file is read through its schema, since it may come from a stranger.

Keys that are not listed are let through: a later version may add some.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, NamedTuple, NotRequired

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from offgraph.core.choices import Task
from offgraph.core.errors import BuildError
from offgraph.core.tables import unescaped
from offgraph.dataset.objects import objects_trouble

__all__ = [
    "BAD_LINE",
    "EXAMPLE",
    "FORMAT_VERSION",
    "HEAD",
    "JOB",
    "MANIFEST_FILE",
    "PLACES",
    "FileEntry",
    "Kind",
    "LineCheck",
    "Located",
    "SpanEntry",
    "WholeFileEntry",
    "array_trouble",
    "as_label",
    "labels_array",
    "parse",
    "parse_version",
    "size_trouble",
    "validate",
]

Kind = Literal["image", "mask"]
"""The arrays of an example."""

FORMAT_VERSION = 1
"""Of the layout of all files of a dataset."""

_CONFIG = ConfigDict(strict=True, extra="allow")
_Count = Annotated[int, Field(ge=0, lt=2**53)]
_Positive = Annotated[int, Field(ge=1, lt=2**53)]
_Name = Annotated[str, AfterValidator(unescaped)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Label = int | list[int] | list[_Number] | None
_DTYPES = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
]


class _SpecEntry(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    shape: Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=2, max_length=8)]
    dtype: Annotated[str, Field(pattern=f"^({'|'.join(_DTYPES)})$")]
    axes: Annotated[str, Field(pattern="^[A-Z]{2,8}$")]


class ArrayEntry(_SpecEntry):
    """How an array is stored, see `offgraph.dataset.example.Encoded`."""

    encoding: Literal["png", "raw"]


class FileEntry(TypedDict):
    """A file of the dataset."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    file: _Name
    bytes: _Count
    sha256: _Name


class SpanEntry(FileEntry):
    """A part of a file of the dataset."""

    offset: _Count


class WholeFileEntry(TypedDict):
    """A file that is an array of an example."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    file: _Name
    bytes: _Count
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class PlaceEntry(TypedDict):
    """Where an array lies in a file that is named elsewhere."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    offset: _Count
    bytes: _Count
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class PlacesEntry(TypedDict):
    """The entry ``at`` of an example whose arrays are read by their places alone, see `offgraph.dataset.spans`."""

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")  # type: ignore[misc]
    file: _Name
    image: PlaceEntry
    mask: NotRequired[PlaceEntry]
    compression: NotRequired[Literal["lz4", "zstd"]]


class Located(NamedTuple):
    """Where the bytes of an array lie.

    Parameters
    ----------
    file : str
    offset, bytes : int
    sha256 : str
    wrapped : str or None
        What its values are wrapped in: ``"lz4"``, ``"zstd"`` or ``"npy"``.
    """

    file: str
    offset: int
    bytes: int
    sha256: str
    wrapped: str | None = None


class Record(TypedDict):
    """What the stored steps drew."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    steps: list[Any]


class ObjectsEntry(TypedDict):
    """Boxes and keypoints of an example, see `offgraph.dataset.objects`."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    edges: list[Annotated[list[_Number], Field(min_length=4, max_length=6)]]
    labels: list[_Count]
    objects: list[_Count]
    points: NotRequired[list[list[Annotated[list[_Number | None], Field(min_length=2, max_length=2)]]]]
    visible: NotRequired[list[list[Literal[0, 1, 2]]]]


class ExampleLine(TypedDict):
    """One example; ``at`` is the output format's own."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    index: _Count
    copy: _Count
    name: _Name
    label: _Label
    source: _Name
    mask_source: _Name | None
    start: _Count
    image: ArrayEntry
    mask: ArrayEntry | None
    record: Record
    at: dict[str, Any]
    objects: NotRequired[ObjectsEntry]


class BadLine(TypedDict):
    """One image that was set aside, for one copy."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    index: _Count
    copy: _Count
    name: _Name
    source: _Name | None
    quarantined: _Name
    retry: NotRequired[bool]


class Head(TypedDict):
    """The first line of a record file."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    shard: _Count
    examples: _Count
    quarantined: _Count
    files: list[FileEntry]


class _ShardEntry(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    examples: _Count
    records: FileEntry


class _Manifest(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    offgraph: Any
    format: _Name
    seed: Annotated[int, Field(ge=0, lt=2**64)]
    copies: _Positive
    training: bool
    recipe: dict[str, Any]
    class_names: list[_Name]
    shards: list[_ShardEntry]
    color: NotRequired[str | None]
    task: NotRequired[Task | None]
    target_names: NotRequired[list[_Name]]
    has_masks: NotRequired[bool]
    keypoints: NotRequired[list[_Name] | None]


class _LayoutEntry(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    like: _Name
    source: _SpecEntry
    image: _SpecEntry
    mask: _SpecEntry | None


class _Options(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    format: _Name
    copies: _Positive
    seed: Annotated[int, Field(ge=0, lt=2**64)]
    shard_size: _Positive
    layout: NotRequired[_LayoutEntry | None]
    compression: NotRequired[Literal["none", "lz4", "zstd"]]
    encoding: NotRequired[Literal["raw", "png"]]


class _Job(TypedDict):
    __pydantic_config__ = _CONFIG  # type: ignore[misc]
    offgraph: Any
    recipe: dict[str, Any]
    options: _Options
    class_names: list[_Name]
    versions: dict[str, _Name]
    pictures: list[
        Annotated[
            tuple[_Name, int, _Label, _Name | None, int | None], Field(strict=False)
        ]  # an array, in JSON
    ]
    task: NotRequired[Task | None]
    target_names: NotRequired[list[_Name]]
    has_masks: NotRequired[bool]
    keypoints: NotRequired[list[_Name] | None]
    objects: NotRequired[_Name]


PLACES: TypeAdapter[Any] = TypeAdapter(PlacesEntry)
EXAMPLE: TypeAdapter[Any] = TypeAdapter(ExampleLine)
BAD_LINE: TypeAdapter[Any] = TypeAdapter(BadLine)
HEAD: TypeAdapter[Any] = TypeAdapter(Head)
MANIFEST_FILE: TypeAdapter[Any] = TypeAdapter(_Manifest)
JOB: TypeAdapter[Any] = TypeAdapter(_Job)


def validate(schema: TypeAdapter[Any], data: bytes) -> Any:
    """Read JSON through a schema.

    Raises
    ------
    ValidationError
    """
    try:
        return schema.validate_json(data)
    except ValidationError:
        if b"\\ud" not in data:
            raise
        try:  # an older version wrote names that are not valid Unicode as lone surrogates
            value = json.loads(data)
        except (ValueError, RecursionError):
            value = None
        return schema.validate_python(value)


def parse(schema: TypeAdapter[Any], value: Any, where: str, advice: str) -> Any:
    """Check a value, or the JSON text of one.

    Parameters
    ----------
    schema : TypeAdapter
    value : bytes or any
        JSON, or what was read from it.
    where : str
        File, and line, for the message.
    advice : str
        What to do.

    Raises
    ------
    BuildError
        Naming the place in the file and what is wrong with it.
    """
    try:
        return validate(schema, value) if isinstance(value, bytes) else schema.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        prefix = f"{place:.200}: " if place else ""  # none where the whole is no JSON
        raise BuildError(f"{where}: cannot be read: {prefix}{first['msg']:.200}; {advice}") from None


def parse_version(
    schema: TypeAdapter[Any], data: bytes, where: str, advice: str, other: Callable[[Any], str]
) -> dict[str, Any]:
    """Read JSON that says the version of its layout; ``other`` words the error for another version than this one's.

    Raises
    ------
    BuildError
    """
    try:
        value = parse(schema, data, where, advice)
        version = value["offgraph"]
    except BuildError:
        version = _version_of(data)
        if version in (None, FORMAT_VERSION):
            raise
        raise BuildError(other(version)) from None
    if version != FORMAT_VERSION:
        raise BuildError(other(version))
    return value


def _version_of(data: bytes) -> Any:
    """The layout version of a JSON file; None where Offgraph did not write it."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value.get("offgraph") if isinstance(value, dict) else None


class LineCheck:
    """Whether an example can belong to a dataset: numbers in range, labels of its task, arrays that can be.

    Parameters
    ----------
    task : {"classify", "multilabel", "regress", "segment", "detect"} or None
    classes, targets : int
        Number of classes, and of numbers to learn.
    copies, steps : int
        Copies of each image; steps of the recipe.
    has_masks : bool or None
        Whether every example has a mask; None where that was not written down.
    keypoints : int or None
        Keypoints of each object, with the task ``"detect"``.
    """

    def __init__(
        self,
        *,
        task: str | None,
        classes: int,
        targets: int,
        copies: int,
        steps: int,
        has_masks: bool | None,
        keypoints: int | None = None,
    ) -> None:
        self.task, self.classes, self.targets = task, classes, targets
        self.copies, self.steps, self.has_masks = copies, steps, has_masks
        self.keypoints = keypoints

    def trouble(self, line: dict[str, Any]) -> str | None:
        """Say what is wrong, or None."""
        if line["copy"] >= self.copies:
            return f"copy {line['copy']} of {self.copies}"
        if line["start"] > self.steps or len(line["record"]["steps"]) != line["start"]:
            return f"start {line['start']} with {len(line['record']['steps'])} drawn steps, in a recipe of {self.steps}"
        if self.has_masks is not None and (line["mask"] is not None) != self.has_masks:
            return "a mask where the others have none" if line["mask"] else "no mask, and others have one"
        if not self._label_fits(line["label"]):
            return f"label {line['label']!r:.60} in a dataset of {self.classes} classes and {self.targets} targets"
        if ("objects" in line) != (self.task == "detect"):
            return (
                "boxes where the others have none" if "objects" in line else "no boxes, and others have some"
            )
        if "objects" in line:
            trouble = objects_trouble(line["objects"], self.classes, self.keypoints)
            if trouble:
                return f"objects: {trouble}"
        for kind in ("image", "mask"):
            trouble = line[kind] and array_trouble(line[kind])
            if trouble:
                return f"{kind}: {trouble}"
        return None

    def _label_fits(self, label: Any) -> bool:
        if label is None:
            return self.task not in ("multilabel", "regress")
        if self.task == "regress":
            return isinstance(label, list) and len(label) == self.targets
        if self.task == "multilabel":
            return isinstance(label, list) and all(
                isinstance(number, int) and 0 <= number < self.classes for number in label
            )
        return isinstance(label, int) and 0 <= label < self.classes


def array_trouble(entry: dict[str, Any]) -> str | None:
    """Say where the description of an array contradicts itself, or None."""
    shape, axes = entry["shape"], entry["axes"]
    if len(shape) != len(axes) or len(set(axes)) < len(axes):
        return f"shape {list(shape)} with axes {axes!r}"
    png = entry["encoding"] == "png"
    if png and (axes not in ("YX", "YXC") or entry["dtype"] not in ("uint8", "uint16")):
        return f"a PNG of {entry['dtype']} with axes {axes!r}"
    if png and len(shape) == 3 and shape[2] not in (1, 3, 4):
        return f"a PNG with {shape[2]} channels"
    return None


def size_trouble(entry: dict[str, Any], max_pixels: int) -> str | None:
    """Say why an array is neither stored nor read: more than a limit; or None."""
    shape, axes = entry["shape"], entry["axes"]
    pixels = math.prod(length for length, axis in zip(shape, axes, strict=True) if axis != "C")
    size = math.prod(shape) * np.dtype(entry["dtype"]).itemsize
    if pixels <= max_pixels and size <= 32 * max_pixels:
        return None
    return (
        f"{entry['dtype']} of shape {list(shape)} is more than the limit of {max_pixels:,} pixels of 32 bytes; "
        "if it can be trusted, raise max_pixels"
    )


def as_label(value: Any, task: str | None) -> int | tuple[int, ...] | tuple[float, ...] | None:
    """A label as a source has it, from JSON."""
    if not isinstance(value, list | tuple):
        return value
    return tuple(map(float, value)) if task == "regress" else tuple(value)


def labels_array(labels: Sequence[Any], task: str | None, classes: int) -> np.ndarray:
    """Labels of all examples in one array: int64 class numbers, float32 rows of 0 and 1, or float64 numbers."""
    if task == "multilabel":
        array = np.zeros((len(labels), classes), np.float32)
        for row, numbers in enumerate(labels):
            array[row, list(numbers)] = 1
        return array
    if task == "regress":
        return np.array(labels, np.float64).reshape(len(labels), -1)
    return np.array([-1 if label is None else label for label in labels], np.int64)

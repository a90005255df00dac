"""TFRecord shards of ``tf.train.Example``, written by TensorFlow's own writer and readable without Offgraph."""

from __future__ import annotations

import contextlib
import errno
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from offgraph.core.errors import BuildError, OffgraphError
from offgraph.dataset.example import Encoded, Example
from offgraph.dataset.job import Job
from offgraph.dataset.objects import corners_of_line
from offgraph.dataset.output import OutputFolder, json_bytes, read_part
from offgraph.dataset.schema import SpanEntry, parse
from offgraph.dataset.shards import ShardedFormat, place, place_of

__all__ = ["FEATURES", "TFRecordFormat", "features_of"]

_HEADER = 12  # bytes before a record: its length (8) and that length's checksum (4)
_FOOTER = 4  # bytes after it: its own checksum
_EXAMPLE_OVERHEAD = 1 << 20  # bytes of an example beyond its values: names, and PNG of what does not compress

_LOOKED_FOR = 64
"""Bytes of an array that are looked for in its example; the others are compared where these are found."""

FEATURES: dict[str, tuple[str, str]] = {
    "image/encoded": ("string", "PNG file, or the values in C order, little-endian"),
    "image/format": ("string", "'png' or 'raw': what image/encoded holds"),
    "image/shape": ("int64 list", "lengths of the axes; allow_missing=True reads any number of them"),
    "image/dtype": ("string", "a NumPy dtype name: 'uint8', 'uint16', 'float32'"),
    "image/axes": ("string", "one letter per axis: 'YXC' is height, width, channels"),
    "label": ("int64", "class number; -1 where the source has no classes"),
    "label/name": ("string", "class name; empty where the source has no classes"),
    "mask/encoded": ("string", "label mask as image/encoded; empty where there is none"),
    "mask/format": ("string", "as image/format"),
    "mask/shape": ("int64 list", "as image/shape"),
    "mask/dtype": ("string", "as image/dtype"),
    "name": ("string", "path of the source file, relative to the source folder"),
    "copy": ("int64", "which draw of the image this is, from 0"),
    "steps": ("int64", "how many leading steps of the recipe are done"),
}
"""Name → (type, meaning) of every feature of every example."""

_OF_TASK: dict[str, dict[str, tuple[str, str]]] = {
    "multilabel": {"labels": ("int64 list", "numbers of all of its classes; label is -1")},
    "regress": {
        "targets": ("float list", "the numbers to learn, in the order of target_names in manifest.json")
    },
    "detect": {
        "objects/bbox": (
            "float list",
            "left, upper, right and lower edge of each box in pixels, 0 at the image's own edge: four numbers per box, in volumes x0, y0, z0, x1, y1, z1",
        ),
        "objects/label": ("int64 list", "class number of each box; label is -1"),
    },
}
"""Features that are there for these tasks only."""


def features_of(job: Job) -> dict[str, tuple[str, str]]:
    """Name → (type, meaning) of every feature of a job's examples."""
    return {**FEATURES, **_OF_TASK.get(job.task or "", {})}


_AT: TypeAdapter[Any] = TypeAdapter(SpanEntry)


class TFRecordFormat(ShardedFormat):
    """Writes and reads ``data-00000-of-00012.tfrecord`` shards.

    Parameters
    ----------
    folder : OutputFolder
    job : Job
    """

    extra_libraries: tuple[str, ...] = ("tensorflow", "tensorflow-cpu", "protobuf")
    shard_size: int = 256

    suffix = "tfrecord"
    encodings: tuple[str, ...] = ("png", "raw")
    one_layout = False

    def __init__(self, folder: OutputFolder, job: Job) -> None:
        super().__init__(folder, job)
        self.tf = import_tensorflow("run: pip install 'offgraph[tensorflow]', or use format='folder'")

    @staticmethod
    def places(options: dict[str, Any]) -> bool:
        """Arrays are read by their places in the shards, except in datasets of a version that did not write those."""
        return "encoding" in options

    def write(self, shard: int, examples: Iterator[Example]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Write one shard whole or not at all.

        Returns
        -------
        (dict, list of dict)
            The header of the shard's record file, and one record per example with its position in the shard.
        """
        name = self.file(shard)
        lines: list[dict[str, Any]] = []
        offset = 0
        with self.part(name) as part:
            writer = self._writing(name, lambda: self.tf.io.TFRecordWriter(str(part)))
            try:
                for example in examples:
                    data = self._serialize(example)
                    self._writing(name, lambda data=data: writer.write(data))
                    lines.append(
                        {**example.describe(), "at": self._at(name, offset + _HEADER, data, example)}
                    )
                    offset += _HEADER + len(data) + _FOOTER
                self._writing(name, writer.close)
            except BaseException:
                with contextlib.suppress(Exception):
                    writer.close()
                raise
            return {"files": [self.publish(part, name, offset)]}, lines

    def _at(self, name: str, offset: int, data: bytes, example: Example) -> dict[str, Any]:
        """Where the arrays of an example lie, or, in a build that an earlier version started, the example."""
        if not self.places(self.job.options):
            return {"file": name, **place(offset, data)}
        arrays = {"image": example.image, "mask": example.mask}
        found = {
            kind: place_of(offset + _find(data, array.data), array)
            for kind, array in arrays.items()
            if array is not None
        }
        return {"file": name, **found}

    @staticmethod
    def read(root: Path, line: dict[str, Any]) -> tuple[bytes, bytes | None]:
        """Give the encoded image and mask of one example back, of a dataset that an earlier version wrote."""
        at = parse(_AT, line["at"], "its record", "")
        tensorflow = import_tensorflow("run: pip install 'offgraph[tensorflow]'")
        from google.protobuf.message import DecodeError as Unreadable  # comes with TensorFlow

        sizes = [
            math.prod(entry["shape"]) * np.dtype(entry["dtype"]).itemsize
            for entry in (line["image"], line["mask"])
            if entry is not None
        ]
        data = read_part(root, at, 2 * sum(sizes) + _EXAMPLE_OVERHEAD, at["offset"])
        try:
            feature = tensorflow.train.Example.FromString(data).features.feature
        except Unreadable as error:
            raise BuildError(f"{at['file']} at {at['offset']}: no tf.train.Example: {error}") from error
        image = feature["image/encoded"].bytes_list.value[0]
        return image, None if line["mask"] is None else feature["mask/encoded"].bytes_list.value[0]

    def finish(self, lines: Iterator[dict[str, Any]]) -> list[str]:
        """Write the file next to the shards that describes their features."""
        del lines  # every example has the same features
        described = {
            name: {
                "feature": "FixedLenSequenceFeature" if kind.endswith("list") else "FixedLenFeature",
                "dtype": kind.removesuffix(" list"),
                "shape": [],
                "meaning": meaning,
            }
            for name, (kind, meaning) in features_of(self.job).items()
        }
        return self.folder.keep("features.json", json_bytes(described))

    def clear(self) -> None:
        """Remove shards, and the description of their features."""
        super().clear()
        self.folder.remove("features.json")

    def _serialize(self, example: Example) -> bytes:
        label = example.label if isinstance(example.label, int) else -1
        values: dict[str, Any] = {
            **_array_features("image", example.image),
            **_array_features("mask", example.mask or Encoded(b"", "", (), "", "")),
            "image/axes": example.image.axes,
            "label": label,
            "label/name": self.job.class_names[label] if label >= 0 else "",
            "name": example.name,
            "copy": example.copy,
            "steps": example.start,
            "labels": example.label,
            "targets": example.label,
        }
        if example.objects is not None:
            values["objects/bbox"] = corners_of_line(example.objects).ravel().tolist()
            values["objects/label"] = example.objects["labels"]
        names = features_of(self.job)
        features = self.tf.train.Features(
            feature={name: self._feature(values[name], names[name][0]) for name in names}
        )
        return self.tf.train.Example(features=features).SerializeToString(deterministic=True)

    def _feature(self, value: Any, kind: str) -> Any:
        if kind == "float list":
            return self.tf.train.Feature(float_list=self.tf.train.FloatList(value=value))
        if isinstance(value, str):
            value = os.fsencode(value)
        if isinstance(value, bytes):
            return self.tf.train.Feature(bytes_list=self.tf.train.BytesList(value=[value]))
        values = [value] if isinstance(value, int) else list(value)
        return self.tf.train.Feature(int64_list=self.tf.train.Int64List(value=values))

    def _writing(self, name: str, act: Any) -> Any:
        """Run one of TensorFlow's file operations; its errors become an OSError, then a BuildError."""
        errors = self.tf.errors
        numbers = {errors.ResourceExhaustedError: errno.ENOSPC, errors.PermissionDeniedError: errno.EACCES}
        with self.folder.writing(name):
            try:
                return act()
            except errors.OpError as error:
                number = numbers.get(type(error))  # TensorFlow's message names the file once more
                cause = error.message if number is None else os.strerror(number)
                raise OSError(number or errno.EIO, cause) from error


def _find(data: bytes, part: bytes | memoryview) -> int:
    """Where a part begins: `bytes.index` takes as long for a long part as to copy it some twenty times."""
    start, at, whole = bytes(part[:_LOOKED_FOR]), -1, memoryview(data)
    while True:
        at = data.index(start, at + 1)
        if whole[at : at + len(part)] == part:
            return at


def import_tensorflow(advice: str) -> Any:
    """Import TensorFlow, or say what to do without it."""
    try:
        import tensorflow as tf
    except ImportError as error:
        raise OffgraphError(
            f"TFRecords are written and read by TensorFlow, which is not installed; {advice}"
        ) from error
    return tf


def _array_features(prefix: str, array: Encoded) -> dict[str, Any]:
    return {
        f"{prefix}/encoded": bytes(array.data),
        f"{prefix}/format": array.encoding,
        f"{prefix}/shape": array.shape,
        f"{prefix}/dtype": array.dtype,
    }

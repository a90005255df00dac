"""Arrow files: shards that other programs map into memory and read as columns, and that are read here by their places.

Where the recipe gives all images one shape, ``image`` is a column of Arrow's canonical fixed-shape tensors, and so is
``mask``; else they are binary, with the columns ``image_shape``, ``image_dtype`` and ``image_axes``.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np

from offgraph.core.errors import OffgraphError
from offgraph.core.specs import ArraySpec
from offgraph.core.tables import escaped
from offgraph.core.tables import line as one_line
from offgraph.dataset.arrow_messages import record_batches
from offgraph.dataset.example import Encoded, Example
from offgraph.dataset.job import Job
from offgraph.dataset.layout import Layout
from offgraph.dataset.objects import corners_of_line
from offgraph.dataset.output import OutputFolder, json_line
from offgraph.dataset.schema import Kind
from offgraph.dataset.shards import (
    OF_ARRAYS,
    DigestingFile,
    KnownMemory,
    ShardedFormat,
    digest_by_records,
    place,
    place_of,
)

__all__ = ["ArrowFormat", "import_pyarrow"]

_BATCH_BYTES = 4 << 20
"""A record batch ends once its images take so many bytes. Compressed ones hold one example, as a buffer is unpacked whole."""
_VALUES: dict[Kind, int] = {"image": 2, "mask": 5}
"""Which buffer of a batch holds the values: a column of tensors or of binary values has three, and these come first."""


class ArrowFormat(ShardedFormat):
    """Writes ``data-00000-of-00012.arrow`` shards in the IPC file format.

    Parameters
    ----------
    folder : OutputFolder
    job : Job
        Its options say ``compression``, and ``layout``: what all images are alike in, or None.
    """

    extra_libraries: tuple[str, ...] = ("pyarrow",)
    shard_size: int = 1024
    suffix = "arrow"
    encodings: tuple[str, ...] = ("raw",)
    one_layout = True

    def __init__(self, folder: OutputFolder, job: Job) -> None:
        super().__init__(folder, job)
        self.arrow = import_pyarrow("run: pip install 'offgraph[arrow]', or use format='folder'")
        self._compression = None if job.options["compression"] == "none" else job.options["compression"]
        layout = job.options["layout"]
        self._layout = None if layout is None else Layout.from_json(layout)
        self._columns = self._said_of_arrays() + self._said_of_examples()
        self._schema = self._whole_schema()

    @property
    def block(self) -> int:
        """Examples in a record batch."""
        if self._layout is None:
            return 0
        stored = [self._layout.image] + ([] if self._layout.mask is None else [self._layout.mask])
        size = sum(math.prod(spec.shape) * np.dtype(spec.dtype).itemsize for spec in stored)
        return 1 if self._compression else max(1, -(-_BATCH_BYTES // max(1, size)))

    def write(self, shard: int, examples: Iterator[Example]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Write one shard whole or not at all.

        Returns
        -------
        (dict, list of dict)
            The header of the shard's record file, and one record per example with the places of its arrays.
        """
        name, pa = self.file(shard), self.arrow
        lines: list[dict[str, Any]] = []
        written: list[_WrittenBatch] = []
        options = pa.ipc.IpcWriteOptions(compression=self._compression)
        with self.part(name) as part, self.folder.writing(name):
            with DigestingFile(part) as file, pa.ipc.new_file(file, self._schema, options=options) as writer:
                for batch in _batches(examples, 1 if self._compression else _BATCH_BYTES):
                    columns, known = self._record_batch(batch, file)
                    writer.write_batch(columns)
                    described = [self._line(name, example) for example in batch]
                    written.append(_WrittenBatch(described, known))
                    lines.extend(described)
                    del batch, columns  # their memory is that of the next images
            if file.knew_all and not self._compression:
                _place_known(written)
                digest = file.hexdigest()
            else:
                with part.open("rb") as found:
                    self._place(found, written)
                digest = file.hexdigest() if file.knew_all else digest_by_records(part, lines)
            entry = self.publish(part, name, file.length, digest)
            return {"files": [entry if self._compression else {**entry, "digest": OF_ARRAYS}]}, lines

    def _line(self, name: str, example: Example) -> dict[str, Any]:
        at: dict[str, Any] = {"file": name}
        for kind, array in (("image", example.image), ("mask", example.mask)):
            if array is not None:
                at[kind] = {} if self._compression else place_of(0, array)
        if self._compression:
            at["compression"] = self._compression
        return {**example.describe(), "at": at}

    def _place(self, file: BinaryIO, written: list[_WrittenBatch]) -> None:
        """Write the offsets of the arrays into the records, and compare what lies there with what was written."""
        batches = list(record_batches(file))
        if len(batches) != len(written):
            raise OSError(
                errno.EIO, f"{len(batches)} record batches reached the disk of {len(written)} written"
            )
        for buffers, (here, _) in zip(batches, written):
            for kind, number in _VALUES.items():
                if kind not in here[0]["at"]:
                    continue
                offset, size = buffers[number]
                if self._compression:  # one example, and the digest is that of the bytes in the file
                    here[0]["at"][kind] = place(offset, _bytes_at(file, offset, size))
                    continue
                _place_from(offset, kind, here)
                for line in (here[0], here[-1]):  # what lies between them lies right, too
                    found = line["at"][kind]
                    if place(found["offset"], _bytes_at(file, found["offset"], found["bytes"])) != found:
                        raise OSError(errno.EIO, "other bytes reached the disk than those written")

    def finish(self, lines: Iterator[dict[str, Any]]) -> list[str]:
        """Write nothing: the schema in each shard says all."""
        del lines
        return []

    # ---- columns

    def _record_batch(
        self, examples: Sequence[Example], file: DigestingFile
    ) -> tuple[Any, dict[Kind, KnownMemory]]:
        """Examples as columns, and the memory of arrays that the file was told of."""
        known: dict[Kind, KnownMemory] = {}
        arrays = [self._arrays("image", [example.image for example in examples], file, known)]
        if self.job.has_masks:
            masks = [example.mask for example in examples if example.mask is not None]
            arrays.append(self._arrays("mask", masks, file, known))
        arrays += [self.arrow.array(_VALUES_OF[name](examples), kind) for name, kind in self._columns]
        return self.arrow.record_batch(arrays, schema=self._schema), known

    def _arrays(
        self, kind: Kind, arrays: Sequence[Encoded], file: DigestingFile, known: dict[Kind, KnownMemory]
    ) -> Any:
        """The column of arrays, whose memory the file is told of before it is to write it."""
        pa, layout = self.arrow, self._layout
        spec = layout and getattr(layout, kind)
        if spec is None:
            column = pa.array([array.data for array in arrays], pa.large_binary())
            if not self._compression:
                known[kind] = file.know(np.frombuffer(column.buffers()[2], np.uint8), arrays)
            return column
        joined = _joined(arrays)
        if not self._compression:
            known[kind] = file.know(joined, arrays)
        whole = pa.py_buffer(joined)
        kept = self._schema.field(kind).type
        values = pa.Array.from_buffers(
            kept.value_type, whole.size // kept.value_type.byte_width, [None, whole]
        )
        return pa.ExtensionArray.from_storage(
            kept, pa.FixedSizeListArray.from_arrays(values, math.prod(spec.shape))
        )

    def _whole_schema(self) -> Any:
        """Names and types of the columns, with what the numbers mean in their metadata."""
        pa, job = self.arrow, self.job
        kinds = ("image", "mask") if job.has_masks else ("image",)
        arrays = [(kind, self._tensor(self._layout and getattr(self._layout, kind))) for kind in kinds]
        said = {"class_names": job.class_names, "target_names": job.target_names, "keypoints": job.keypoints}
        metadata = {"offgraph": json_line({"task": job.task, **said}).strip()}
        if job.task == "classify":  # what Hugging Face's `datasets` knows classes by
            feature = {"names": list(job.class_names), "_type": "ClassLabel"}
            metadata["huggingface"] = json_line({"info": {"features": {"label": feature}}}).strip()
        return pa.schema([*arrays, *self._columns], metadata=metadata)

    def _tensor(self, spec: ArraySpec | None) -> Any:
        pa = self.arrow
        if spec is None:
            return pa.large_binary()
        # Arrow packs booleans into bits, and no array can lie on those.
        dtype = np.dtype("uint8" if spec.dtype == "bool" else spec.dtype)
        return pa.fixed_shape_tensor(pa.from_numpy_dtype(dtype), spec.shape, dim_names=list(spec.axes))

    def _said_of_arrays(self) -> list[tuple[str, Any]]:
        """The columns that say how binary values become arrays."""
        pa = self.arrow
        kinds = [kind for kind in ("image", "mask") if kind == "image" or self.job.has_masks]
        said = [("shape", pa.list_(pa.int64())), ("dtype", pa.string()), ("axes", pa.string())]
        return [
            (f"{kind}_{name}", type_)
            for kind in kinds
            if self._layout is None or getattr(self._layout, kind) is None
            for name, type_ in said
        ]

    def _said_of_examples(self) -> list[tuple[str, Any]]:
        pa, job = self.arrow, self.job
        pairs = pa.list_(pa.float64(), 2)
        by_task: dict[str | None, list[tuple[str, Any]]] = {
            "classify": [("label", pa.int64())],
            "multilabel": [("labels", pa.list_(pa.int64()))],
            "regress": [("targets", pa.list_(pa.float64()))],
            "detect": [("boxes", pa.list_(pa.list_(pa.float64(), 4))), ("box_labels", pa.list_(pa.int64()))],
        }
        columns = by_task.get(job.task, [])
        if job.task == "detect" and job.keypoints is not None:
            columns = [
                *columns,
                ("points", pa.list_(pa.list_(pairs))),
                ("visible", pa.list_(pa.list_(pa.int64()))),
            ]
        said = [("name", pa.string()), ("copy", pa.int64()), ("steps", pa.int64()), ("record", pa.string())]
        return columns + said


def _of_array(
    kind: Kind, said: Literal["shape", "dtype", "axes"]
) -> Callable[[Sequence[Example]], list[Any]]:
    return lambda examples: [getattr(getattr(example, kind), said) for example in examples]


def _of_objects(said: str) -> Callable[[Sequence[Example]], list[Any]]:
    return lambda examples: [
        None if example.objects is None else example.objects.get(said) for example in examples
    ]


def _labels(examples: Sequence[Example]) -> list[Any]:
    return [example.label for example in examples]


def _boxes(examples: Sequence[Example]) -> list[Any]:
    """Boxes as (x, y, x, y) from the corner of a pixel; they are kept as edges from its centre."""
    return [corners_of_line(example.objects).tolist() for example in examples]


_VALUES_OF: dict[str, Callable[[Sequence[Example]], list[Any]]] = {
    "label": _labels,
    "labels": _labels,
    "targets": _labels,
    "boxes": _boxes,
    "box_labels": _of_objects("labels"),
    "points": _of_objects("points"),
    "visible": _of_objects("visible"),
    "name": lambda examples: [escaped(example.name) for example in examples],
    "copy": lambda examples: [example.copy for example in examples],
    "steps": lambda examples: [example.start for example in examples],
    "record": lambda examples: [one_line(example.record) for example in examples],
    **{f"{kind}_{said}": _of_array(kind, said) for kind in _VALUES for said in ("shape", "dtype", "axes")},
}
"""The values of some examples in each of the columns after their arrays."""


class _WrittenBatch(NamedTuple):
    """A record batch: the records of its examples, and where the memory of its arrays went."""

    lines: list[dict[str, Any]]
    known: dict[Kind, KnownMemory]


def _place_known(written: Iterable[_WrittenBatch]) -> None:
    """Write the offsets of the arrays into the records: each lies where the file took the memory that holds it."""
    for lines, known in written:
        for kind, memory in known.items():
            assert memory.offset is not None, "the file knew all"
            _place_from(memory.offset, kind, lines)


def _place_from(offset: int, kind: Kind, lines: Iterable[dict[str, Any]]) -> None:
    """Write the offsets of arrays that lie one after another."""
    for line in lines:
        line["at"][kind]["offset"] = offset
        offset += line["at"][kind]["bytes"]


def _joined(arrays: Sequence[Encoded]) -> bytes | np.ndarray:
    """The bytes of all, one after another: not copied if they lie in the rows of one array, as `block` asks for."""
    rows = [array.row for array in arrays]
    first = rows[0]
    if first is not None:
        wanted = [(first.batch, first.number + place) for place in range(len(rows))]
        if [row and (row.batch, row.number) for row in rows] == wanted:
            return first.batch.array()[first.number : first.number + len(rows)].reshape(-1).view(np.uint8)
    return b"".join(array.data for array in arrays)


def _bytes_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _batches(examples: Iterator[Example], most: int) -> Iterator[list[Example]]:
    """Runs of examples, each ending once its arrays take `most` bytes."""
    batch: list[Example] = []
    size = 0
    for example in examples:
        batch.append(example)
        size += len(example.image.data) + (0 if example.mask is None else len(example.mask.data))
        if size >= most:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def import_pyarrow(advice: str) -> Any:
    """Import pyarrow, or say what to do without it."""
    try:
        import pyarrow
        import pyarrow.ipc
    except ImportError as error:
        raise OffgraphError(
            f"Arrow files are written by pyarrow, which is not installed; {advice}"
        ) from error
    return pyarrow

"""The output formats. A new one is a class with these methods in its own file, and a line in ``FORMATS``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from offgraph.dataset.arrow import ArrowFormat
from offgraph.dataset.example import Example
from offgraph.dataset.folder import FolderFormat
from offgraph.dataset.job import Job
from offgraph.dataset.output import OutputFolder
from offgraph.dataset.schema import Kind, Located
from offgraph.dataset.tfrecord import TFRecordFormat
from offgraph.dataset.webdataset import WebDatasetFormat

__all__ = ["FORMATS", "DatasetFormat"]


class DatasetFormat(Protocol):
    """How examples are stored on disk.

    A line is the plain JSON record of one example; its entry ``"at"``, which the format defines, says where it is stored.
    """

    extra_libraries: tuple[str, ...]
    shard_size: int
    """Examples in a shard unless a build says otherwise."""
    encodings: tuple[str, ...]
    """How arrays may be stored, the usual one first."""
    folder: OutputFolder
    job: Job
    one_layout: bool
    """Whether all images of a dataset are to have one shape and dtype, where the recipe allows it."""

    @property
    def block(self) -> int:
        """How many images in a row are best made in one array; 0 where each may lie anywhere."""
        ...

    def __init__(self, folder: OutputFolder, job: Job) -> None: ...

    @staticmethod
    def places(options: dict[str, Any]) -> bool:
        """Whether the records of a dataset with these options say where arrays lie, so that `SpanReader` reads them."""
        ...

    def write(self, shard: int, examples: Iterator[Example]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Write one shard atomically; return the header of its record file, and one record per example."""
        ...

    @classmethod
    def damage(cls, root: Path, header: dict[str, Any], lines: list[dict[str, Any]]) -> str | None:
        """Say what is wrong with a finished shard of the dataset in a folder, or None."""
        ...

    def finish(self, lines: Iterator[dict[str, Any]]) -> list[str]:
        """Write the files beside the shards, once all shards are there; return the names of those that changed."""
        ...

    def clear(self) -> None:
        """Remove only what a build that finished no shard may have left."""
        ...

    @staticmethod
    def located(line: dict[str, Any], where: str, advice: str) -> dict[Kind, Located]:
        """Say where the arrays of an example lie, where `places` says that its record says so.

        Raises
        ------
        BuildError
            Where the record does not; names the line, `where`, and what to do, `advice`.
        """
        ...

    @staticmethod
    def read(root: Path, line: dict[str, Any]) -> tuple[bytes, bytes | None]:
        """Give the encoded image and mask of one example back, where `places` says no."""
        ...


FORMATS: dict[str, type[DatasetFormat]] = {
    "folder": FolderFormat,
    "arrow": ArrowFormat,
    "tfrecord": TFRecordFormat,
    "webdataset": WebDatasetFormat,
}

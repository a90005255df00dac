"""Tar shards as the webdataset library reads them, each with the index that DALI reads; read here by places.

An example is the members of one key: its image as ``.png`` or ``.npy``, its mask as ``.mask.png`` or ``.mask.npy``, its class
number as ``.cls`` and everything else as ``.json``. Tar headers hold neither times nor owners.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from offgraph.dataset.example import Encoded, Example
from offgraph.dataset.objects import corners_of_line
from offgraph.dataset.output import json_line
from offgraph.dataset.shards import DigestingFile, ShardedFormat, place_of

__all__ = ["WebDatasetFormat"]

_BLOCK = 512
_END = bytes(2 * _BLOCK)
_INDEX = "v1.2"
"""Of the layout of an index: a line per example with the suffix, offset, length and name of each member."""


class WebDatasetFormat(ShardedFormat):
    """Writes ``data-00000-of-00012.tar`` shards, and an ``.idx`` beside each.

    Parameters
    ----------
    folder : OutputFolder
    job : Job
    """

    extra_libraries: tuple[str, ...] = ()
    shard_size: int = 1024
    suffix = "tar"
    beside = ("idx",)
    encodings: tuple[str, ...] = ("png", "raw")
    one_layout = False

    def write(self, shard: int, examples: Iterator[Example]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Write one shard and its index, each whole or not at all.

        Returns
        -------
        (dict, list of dict)
            The header of the shard's record file, and one record per example with the places of its arrays.
        """
        name = self.file(shard)
        index = name.removesuffix(self.suffix) + self.beside[0]
        lines: list[dict[str, Any]] = []
        listed: list[str] = []
        with self.part(name) as part, self.folder.writing(name):
            with DigestingFile(part) as file:
                for example in examples:
                    at, members = self._write_example(file, example)
                    lines.append({**example.describe(), "at": {"file": name, **at}})
                    listed.append(" ".join(members))
                file.write(_END)
            entries = [self.publish(part, name, file.length, file.hexdigest())]
        with self.part(index) as part, self.folder.writing(index):
            text = "\n".join([f"{_INDEX} {len(listed)}", *listed, ""]).encode()
            part.write_bytes(text)
            entries.append(self.publish(part, index, len(text)))
        return {"files": entries}, lines

    def _write_example(self, file: DigestingFile, example: Example) -> tuple[dict[str, Any], list[str]]:
        """Write the members of an example; return the places of its arrays, and what the index says."""
        key = f"{example.index:08d}-{example.copy}"
        at: dict[str, Any] = {}
        listed: list[str] = []

        def member(ending: str, data: bytes) -> int:
            header = tarfile.TarInfo(f"{key}.{ending}")
            header.size = len(data)
            file.write(header.tobuf(tarfile.USTAR_FORMAT))
            offset = file.tell()
            file.write(data)
            file.write(bytes(-len(data) % _BLOCK))
            listed.append(f"{ending} {offset} {len(data)} {key}.{ending}")
            return offset

        for kind, before, array in (("image", "", example.image), ("mask", "mask.", example.mask)):
            if array is not None:
                ahead = b"" if array.encoding == "png" else _npy_header(array)
                offset = member(before + ("npy" if ahead else "png"), ahead + bytes(array.data))
                at[kind] = place_of(offset + len(ahead), array)
        if self.job.task == "classify" and example.label is not None:
            member("cls", str(example.label).encode())
        member("json", json_line(self._said(example)).strip())
        return at, listed

    def _said(self, example: Example) -> dict[str, Any]:
        """What stands in the ``.json`` of an example."""
        said: dict[str, Any] = {
            "name": example.name,
            "copy": example.copy,
            "steps": example.start,
            "record": example.record,
            "axes": example.image.axes,
        }
        names = {"classify": "label", "multilabel": "labels", "regress": "targets"}
        if self.job.task in names:
            said[names[self.job.task]] = example.label
        if self.job.task == "classify" and example.label is not None:
            said["class"] = self.job.class_names[example.label]  # type: ignore[index]  # a number, with that task
        if example.objects is not None:
            said["boxes"] = corners_of_line(example.objects).tolist()
            said["box_labels"] = example.objects["labels"]
            said.update(
                {name: example.objects[name] for name in ("points", "visible") if name in example.objects}
            )
        return said

    def finish(self, lines: Iterator[dict[str, Any]]) -> list[str]:
        """Write nothing: each example says all."""
        del lines
        return []


def _npy_header(array: Encoded) -> bytes:
    """What stands before the values in a ``.npy`` file: a multiple of 64 bytes."""
    file = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(np.dtype(array.dtype).newbyteorder("<"))
    np.lib.format.write_array_header_1_0(
        file, {"descr": descr, "fortran_order": False, "shape": tuple(array.shape)}
    )
    return file.getvalue()

"""A built dataset, read again: any example by its number, checked against what was written."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.compose import Compose
from offgraph.dataset.example import decode_array
from offgraph.dataset.formats import FORMATS
from offgraph.dataset.output import inside
from offgraph.dataset.records import MANIFEST, load_manifest
from offgraph.errors import BuildError, DecodeError
from offgraph.spec import ArraySpec, name_axes
from offgraph.targets import Image, Mask

__all__ = ["BuiltDataset", "Stored"]


@dataclass(frozen=True)
class Stored:
    """One example as it was stored, and where the recipe goes on.

    Parameters
    ----------
    image : Image
    mask : Mask or None
    label : int or None
    name : str
        Of the source file.
    index, copy : int
        Address of the draws: number of the picture in its source, and which copy this is.
    start : int
        Number of leading steps of the recipe that are done.
    record : dict
        What those steps drew.
    """

    image: Image
    mask: Mask | None
    label: int | None
    name: str
    index: int
    copy: int
    start: int
    record: dict[str, Any]


class BuiltDataset:
    """Random access to a finished dataset of any format.

    Parameters
    ----------
    path : path
        The folder that :func:`offgraph.build` wrote.

    Attributes
    ----------
    recipe : Compose
        The whole recipe it was made with.
    class_names : tuple of str
    seed, copies : int
    labels : ndarray of int64, shape (len,), or None
        None for a source without classes.
    mask_dtypes : tuple of str
        Every dtype that masks were stored with; empty for a dataset without masks.

    Raises
    ------
    BuildError
        Where the folder holds no finished dataset, or its records are not as they were written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        manifest = load_manifest(self.path)
        try:
            self.recipe = Compose.from_dict(manifest["recipe"])
            self.recipe.training = bool(manifest["training"])
            self.class_names = tuple(manifest["class_names"])
            self.seed, self.copies = int(manifest["seed"]), int(manifest["copies"])
            self._read = FORMATS[manifest["format"]].read
            entries = [(head["records"], int(head["examples"])) for head in manifest["shards"]]
            self._files = [inside(self.path, entry["file"]) for entry, _ in entries]
            self._lines, labels, masks = self._index(entries)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BuildError(
                f"{self.path / MANIFEST}: damaged ({type(error).__name__}: {error}); run the build again to mend it"
            ) from error
        self.labels = np.array(labels, np.int64) if self.class_names else None
        self.mask_dtypes = tuple(sorted(masks))

    def _index(self, entries: list[tuple[dict[str, Any], int]]) -> tuple[np.ndarray, list[int], set[str]]:
        """Where the line of each example lies: (record file, offset, length); the labels; the dtypes of masks."""
        where, labels, masks = [], [], set()
        for number, (entry, count) in enumerate(entries):
            path = self._files[number]
            try:
                data = path.read_bytes()
            except OSError as error:
                raise BuildError(f"{path}: cannot be read: {error.strerror}; run the build again") from error
            if hashlib.sha256(data).hexdigest() != entry["sha256"]:
                raise BuildError(f"{path}: not as it was written; run the build again to mend it")
            head, *lines = data.splitlines(keepends=True)
            offset = len(head)
            for line in lines[:count]:
                where.append((number, offset, len(line)))
                example = json.loads(line)
                label = example["label"]
                labels.append(-1 if label is None else label)
                if example["mask"] is not None:
                    masks.add(np.dtype(example["mask"]["dtype"]).name)
                offset += len(line)
        return np.array(where, np.int64).reshape(-1, 3), labels, masks

    def __len__(self) -> int:
        return len(self._lines)

    def line(self, number: int) -> dict[str, Any]:
        """Plain JSON record of one example."""
        file, offset, length = (int(value) for value in self._lines[number])
        with self._files[file].open("rb") as records:
            records.seek(offset)
            return json.loads(records.read(length))

    def specs(self, number: int) -> tuple[ArraySpec, ArraySpec | None]:
        """Shape, dtype and axes of image and mask of one example, as its record says.

        Raises
        ------
        DecodeError
            Where the record does not say it; names the example.
        """
        line = self.line(number)

        def spec(entry: dict[str, Any]) -> ArraySpec:
            shape, dtype = tuple(map(int, entry["shape"])), np.dtype(entry["dtype"])
            return ArraySpec(shape, dtype.name, name_axes(shape, entry["axes"]))

        try:
            mask = line["mask"]
            return spec(line["image"]), None if mask is None else spec(mask)
        except (KeyError, TypeError, ValueError) as error:
            raise DecodeError(
                f"{self.path}, example {number}: its record is damaged ({error}); run the build again to mend it"
            ) from error

    def read(self, number: int) -> Stored:
        """Read one example.

        Raises
        ------
        DecodeError
            Where its bytes are missing or not as they were written; names the example.
        """
        line = self.line(number)
        try:
            image_data, mask_data = self._read(self.path, line)
            image = decode_array(image_data, line["image"])
            mask = None if mask_data is None else decode_array(mask_data, line["mask"])
        except (BuildError, OSError, ValueError, TypeError, LookupError, EOFError) as error:
            raise DecodeError(
                f"{self.path}, example {number} ({line['name']}): {error}; run the build again to mend it"
            ) from error
        return Stored(
            image=Image(image, line["image"]["axes"]),
            mask=None if mask is None else Mask(mask, line["mask"]["axes"]),
            label=line["label"],
            name=line["name"],
            index=line["index"],
            copy=line["copy"],
            start=line["start"],
            record=line["record"],
        )

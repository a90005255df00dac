"""Folders of image files: ``images/<class>/<name>__<copy>.png``, label masks likewise, and a table of labels."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NotRequired
from urllib.parse import quote

from pydantic import ConfigDict, TypeAdapter
from typing_extensions import TypedDict

from offgraph.core.errors import BuildError
from offgraph.core.file_names import split_suffix
from offgraph.core.tables import TableWriter, dumps, open_table_file
from offgraph.dataset.example import Encoded, Example
from offgraph.dataset.job import Job
from offgraph.dataset.npy import npy_file
from offgraph.dataset.output import PART, OutputFolder, inside, sha256_of
from offgraph.dataset.schema import Kind, Located, WholeFileEntry, parse

__all__ = ["FolderFormat"]

_LONGEST = 180  # bytes of one path component; 255 is the common limit, and endings are added


_KINDS = ("images", "masks")


class _At(TypedDict):
    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")  # type: ignore[misc]
    images: WholeFileEntry
    masks: NotRequired[WholeFileEntry]


_AT: TypeAdapter[Any] = TypeAdapter(_At)


class FolderFormat:
    """Writes and reads one file per example; a shard is a block of files.

    Parameters
    ----------
    folder : OutputFolder
    job : Job
    """

    extra_libraries: tuple[str, ...] = ()
    shard_size: int = 64
    encodings: tuple[str, ...] = ("png",)
    one_layout = False
    block = 0

    def __init__(self, folder: OutputFolder, job: Job) -> None:
        self.folder, self.job = folder, job
        self._stems = _stems(job)

    @staticmethod
    def places(options: dict[str, Any]) -> bool:
        """Arrays are always read by their places: whole files."""
        del options
        return True

    def write(self, shard: int, examples: Iterator[Example]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Write one block of files, each whole or not at all.

        Returns
        -------
        (dict, list of dict)
            The header of the shard's record file, and one record per example with its files.
        """
        del shard
        lines, written, folders = [], [], set()
        for example in examples:
            stem = f"{self._stems[example.index]}__{example.copy}"
            at = {}
            for kind, array in (("images", example.image), ("masks", example.mask)):
                if array is not None:
                    entry = self._write_file(f"{kind}/{stem}", array)
                    at[kind] = entry
                    written.append(entry["file"])
                    folders.update(PurePosixPath(entry["file"]).parents)
            lines.append({**example.describe(), "at": at})
        for name in (*written, *map(str, folders)):
            self.folder.sync_later(name)
        return {"files": []}, lines

    def _write_file(self, stem: str, array: Encoded) -> dict[str, Any]:
        if array.encoding == "png":
            name, data = f"{stem}.png", array.data
        else:
            name, data = f"{stem}.npy", npy_file(array)
        self.folder.write(name, data, sync=False)
        return {"file": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    @classmethod
    def damage(cls, root: Path, header: dict[str, Any], lines: list[dict[str, Any]]) -> str | None:
        """Say what is wrong with a finished block of the dataset in a folder, or None."""
        del header  # every file has its own digest
        for line in lines:
            try:
                at = parse(_AT, line["at"], f"the record of {line['name']}", "it is written again")
                files = [(inside(root, at[kind]["file"]), at[kind]) for kind in at if kind in _KINDS]
            except BuildError as error:
                return str(error)
            for path, entry in files:
                if sha256_of(path) != entry["sha256"]:
                    return f"{entry['file']} is missing or not as it was written"
        return None

    @staticmethod
    def located(line: dict[str, Any], where: str, advice: str) -> dict[Kind, Located]:
        """Each array is a file."""
        at = parse(_AT, line["at"], f"{where}: at", advice)
        kinds: tuple[tuple[Kind, str], ...] = (("image", "images"), ("mask", "masks"))
        return {
            kind: Located(**at[name], offset=0, wrapped="npy" if line[kind]["encoding"] == "raw" else None)
            for kind, name in kinds
            if name in at and line[kind] is not None
        }

    @staticmethod
    def read(root: Path, line: dict[str, Any]) -> tuple[bytes, bytes | None]:
        """Refuse: arrays are read by `located`."""
        raise BuildError(f"{root}: the record of {line.get('name')!r:.80} does not say where its arrays lie")

    def finish(self, lines: Iterator[dict[str, Any]]) -> list[str]:
        """Write the table ``labels.csv``, one row per example.

        A class is written as its name, several classes as their names joined by ``|``, or as a JSON list where a name
        has a separator in it. Numbers to learn have one column each, named as in the source.
        """
        named = columns_of(self.job)
        table_file = self.folder.path / "labels.csv"
        with self.folder.writing(table_file.name):
            part = table_file.with_name(table_file.name + PART)
            with open_table_file(part) as file:
                table = TableWriter(file, ["path", *named, "mask", "source", "copy"])
                for line in lines:
                    at = line["at"]
                    mask = at["masks"]["file"] if "masks" in at else ""
                    table.writerow(
                        [
                            at["images"]["file"],
                            *cells_of(self.job, line["label"]),
                            mask,
                            line["name"],
                            line["copy"],
                        ]
                    )
                file.flush()
                os.fsync(file.fileno())
            if sha256_of(part) == sha256_of(table_file):
                part.unlink()
                return []
            part.replace(table_file)
            return [table_file.name]

    def clear(self) -> None:
        """Remove images and masks of the names this job gives, folders that are empty then, and the table."""
        stems = set(self._stems)
        for kind in ("images", "masks"):
            for folder, _, files in os.walk(self.folder.path / kind, topdown=False):
                here = Path(folder).relative_to(self.folder.path)
                for file in files:
                    name = (here / file.removesuffix(PART)).relative_to(kind).as_posix()
                    stem, _, rest = name.rpartition("__")
                    if stem in stems and re.fullmatch(r"\d+\.(png|npy)", rest):
                        self.folder.remove((here / file).as_posix())
                with contextlib.suppress(OSError):  # something else lies in it
                    Path(folder).rmdir()
        self.folder.remove("labels.csv")


_SEPARATORS = frozenset("|;,")


def columns_of(job: Job) -> list[str]:
    """Names of the columns of ``labels.csv`` that hold what there is to learn."""
    if job.task != "regress":
        return ["label"]
    taken = {"path", "mask", "source", "copy"}
    return [f"{name} (target)" if name in taken else name for name in job.target_names]


def cells_of(job: Job, label: Any) -> list[Any]:
    """The cells of a label in these columns."""
    if job.task == "regress":
        return list(label)
    if job.task != "multilabel":
        return ["" if label is None else job.class_names[label]]
    names = [job.class_names[number] for number in label]
    plain = not any(_SEPARATORS & set(name) for name in job.class_names)
    return ["|".join(names) if plain else dumps(names, ensure_ascii=False)]


def _stems(job: Job) -> list[str]:
    """Path without suffix that each image gets: below its class, unique, safe in any file system.

    ``a.jpg`` and ``a.png`` in one folder would both be ``a``: the second keeps its ending.
    """
    taken: set[str] = set()
    stems = []
    for index, image in enumerate(job.images):
        parts = [_safe(part) for part in PurePosixPath(image.name).parts]
        if isinstance(image.label, int):
            top = _safe(job.class_names[image.label])
            parts = parts if len(parts) > 1 and parts[0] == top else [top, *parts]
        whole = "/".join(parts)
        for stem in (split_suffix(whole)[0], whole, f"{whole}~{index}"):
            if stem.casefold() not in taken:
                break
        taken.add(stem.casefold())
        stems.append(stem)
    return stems


def _safe(part: str) -> str:
    """Escape a path component: ``..`` and ``/`` become percent signs and digits."""
    text = part.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    safe = "".join(quote(c, safe="") if c in '/\\:*?"<>|%' or ord(c) < 32 or c == "�" else c for c in text)
    if not safe.strip(". "):
        safe = "%2E" * len(safe) or "%"
    if len(safe.encode()) > _LONGEST:
        digest = hashlib.sha256(os.fsencode(part)).hexdigest()[:16]
        ending = PurePosixPath(safe).suffix
        ending = ending if len(ending) < 10 else ""
        safe = safe.encode()[: _LONGEST - 30].decode("utf-8", "ignore") + "~" + digest + ending
    return safe

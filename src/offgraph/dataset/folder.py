"""Folders of picture files: ``images/<class>/<name>__<copy>.png``, label masks beside, and a table of labels."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import numpy as np

from offgraph.dataset.example import Encoded, Example, decode_array
from offgraph.dataset.job import Job
from offgraph.dataset.output import PART, OutputFolder, inside, sha256_of
from offgraph.errors import BuildError
from offgraph.tables import TableWriter, open_table_file

__all__ = ["FolderFormat"]

_LONGEST = 180  # bytes of one path component; 255 is the common limit, and endings are added


class FolderFormat:
    """Writes and reads a file an example; a shard is a block of files.

    Parameters
    ----------
    folder : OutputFolder
    job : Job
    """

    extra_libraries: tuple[str, ...] = ()
    shard_size: int = 64

    def __init__(self, folder: OutputFolder, job: Job) -> None:
        self.folder, self.job = folder, job
        self._stems = _stems(job)

    def write(self, shard: int, examples: Iterator[Example]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Write one block of files, each whole or not at all.

        Returns
        -------
        (dict, list of dict)
            What the block's record begins with, and one record an example with the files it lies in.
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
        with self.folder.writing("a block of files"):
            for name in written:
                with (self.folder.path / name).open("rb") as file:
                    os.fsync(file.fileno())
        for path in folders:
            self.folder.sync_folder(self.folder.path / path)
        return {"files": []}, lines

    def _write_file(self, stem: str, array: Encoded) -> dict[str, Any]:
        if array.encoding == "png":
            name, data = f"{stem}.png", array.data
        else:
            name, data = f"{stem}.npy", _npy(array)
        self.folder.write(name, data, sync=False)
        return {"file": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def damage(self, header: dict[str, Any], lines: list[dict[str, Any]]) -> str | None:
        """Say what is wrong with a finished block, or None."""
        del header  # every file has its own digest
        for line in lines:
            for entry in line.get("at", {}).values():
                if sha256_of(self.folder.path / entry["file"]) != entry["sha256"]:
                    return f"{entry['file']} is missing or not as it was written"
        return None

    @staticmethod
    def read(root: Path, line: dict[str, Any]) -> tuple[bytes, bytes | None]:
        """Give the encoded image and mask of one example back."""
        found = []
        for kind, described in (("images", line["image"]), ("masks", line["mask"])):
            if described is None:
                found.append(None)
                continue
            entry = line["at"][kind]
            data = inside(root, entry["file"]).read_bytes()
            if hashlib.sha256(data).hexdigest() != entry["sha256"]:
                raise BuildError(f"{entry['file']} is not as it was written")
            raw = described["encoding"] == "raw"
            found.append(np.load(io.BytesIO(data), allow_pickle=False).tobytes() if raw else data)
        return found[0], found[1]

    def finish(self, lines: Iterator[dict[str, Any]]) -> list[str]:
        """Write what stands beside the files: ``labels.csv``, a row an example."""
        table_file = self.folder.path / "labels.csv"
        with self.folder.writing(table_file.name):
            part = table_file.with_name(table_file.name + PART)
            with open_table_file(part) as file:
                table = TableWriter(file, ["path", "label", "mask", "source", "copy"])
                for line in lines:
                    label = "" if line["label"] is None else self.job.class_names[line["label"]]
                    at = line["at"]
                    mask = at["masks"]["file"] if "masks" in at else ""
                    table.writerow([at["images"]["file"], label, mask, line["name"], line["copy"]])
                file.flush()
                os.fsync(file.fileno())
            if sha256_of(part) == sha256_of(table_file):
                part.unlink()
                return []
            part.replace(table_file)
            return [table_file.name]

    def clear(self) -> None:
        """Remove pictures and masks of the names this job gives, folders that are empty then, and the table."""
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


def _npy(array: Encoded) -> bytes:
    file = io.BytesIO()
    described = array.describe()
    np.lib.format.write_array(file, decode_array(array.data, described), version=(1, 0), allow_pickle=False)
    return file.getvalue()


def _stems(job: Job) -> list[str]:
    """Path without ending that each picture gets: below its class, unlike every other, safe in any file system.

    ``a.jpg`` and ``a.png`` in one folder would both be ``a``: the second keeps its ending.
    """
    taken: set[str] = set()
    stems = []
    for index, picture in enumerate(job.pictures):
        parts = [_safe(part) for part in PurePosixPath(picture.name).parts]
        if picture.label is not None:
            top = _safe(job.class_names[picture.label])
            parts = parts if len(parts) > 1 and parts[0] == top else [top, *parts]
        whole = "/".join(parts)
        for stem in (str(PurePosixPath(whole).with_suffix("")), whole, f"{whole}~{index}"):
            if stem.casefold() not in taken:
                break
        taken.add(stem.casefold())
        stems.append(stem)
    return stems


def _safe(part: str) -> str:
    """One path component that stays one and means nothing else: ``..`` and ``/`` become percent signs and digits."""
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

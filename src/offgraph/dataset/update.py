"""Bring a dataset up to date with files that were added, changed or deleted: only those are made.

A file counts as changed if its content does (SHA-256), whatever its time says, as with DVC and ``rsync --checksum``: to
read a file takes a tenth of the time that it takes to decode it, and times say nothing after a copy or a checkout.

    digest the files that are listed; nothing differs: go on as without an update
    build the new dataset in .update/, and take over the stored bytes of each example that would be the same
    once it is whole: note what is to go, move all files to their places, remove the rest

The first two can be killed at any time, and the dataset is as it was; the third goes on when the next build begins.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from offgraph.core.errors import BuildError
from offgraph.dataset.example import Encoded, Example
from offgraph.dataset.formats import FORMATS
from offgraph.dataset.job import Job
from offgraph.dataset.maker import Address
from offgraph.dataset.output import OutputFolder, inside, json_line
from offgraph.dataset.records import JOB_FILE, MANIFEST, Records
from offgraph.dataset.schema import EXAMPLE, validate
from offgraph.dataset.source_digests import digests_of
from offgraph.dataset.spans import read_span
from offgraph.pipeline.depth import scales_by_dtype
from offgraph.pipeline.workers import ordered_map
from offgraph.recipe.compose import Compose
from offgraph.sources import Item, Source

__all__ = ["UPDATE", "Kept", "empty", "finish_replacement", "is_outdated", "plan_update", "replace_dataset"]

UPDATE = ".update"
"""Folder of the new dataset until it is whole, inside the old one."""
_GOES = "goes.json"
"""Names of the files of the old dataset that are not in the new one; there once the new one is whole."""

Digests = tuple[str | None, str | None]
"""Of an image, and of its mask."""


class _Line(NamedTuple):
    """Where the record of a stored example lies."""

    file: str
    offset: int
    length: int


@dataclass(frozen=True)
class Kept:
    """Stored examples that are taken over.

    Parameters
    ----------
    root : Path
        Folder of the dataset that has them.
    format : str
    lines : mapping of (int, int) to tuple
        By the address that each is to have.
    """

    root: Path
    format: str
    lines: Mapping[Address, _Line]

    def example(self, address: Address, item: Item) -> Example | None:
        """Return an example under its new address; None where it has to be made."""
        at = self.lines.get(address)
        if at is None:
            return None
        index, copy = address
        try:
            with (self.root / at.file).open("rb") as file:
                file.seek(at.offset)
                line = validate(EXAMPLE, file.read(at.length))
            image, mask = self._arrays(line)
        except (BuildError, OSError, ValueError, LookupError):  # damaged since then: it is made again
            return None
        record = line["record"]
        return Example(
            index=index,
            copy=copy,
            name=item.name,
            label=item.label,
            source=line["source"],
            mask_source=line["mask_source"],
            start=line["start"],
            image=image,
            mask=mask,
            record={**record, "key": {**record["key"], "index": index}},
            objects=line.get("objects"),
        )

    def _arrays(self, line: dict[str, Any]) -> tuple[Encoded, Encoded | None]:
        format = FORMATS[self.format]
        if "offset" in line["at"]:  # of an earlier version
            data, mask = format.read(self.root, line)
        else:
            places = format.located(line, "its record", "")
            data = read_span(self.root, places["image"], line["image"])
            mask = None if line["mask"] is None else read_span(self.root, places["mask"], line["mask"])
        entry = line["mask"]
        return _encoded(data, line["image"]), None if mask is None or entry is None else _encoded(mask, entry)


def _encoded(data: bytes, entry: dict[str, Any]) -> Encoded:
    return Encoded(data, entry["encoding"], tuple(entry["shape"]), entry["dtype"], entry["axes"])


def plan_update(
    folder: OutputFolder, old: Job, job: Job, source: Source, recipe: Compose, threads: int
) -> Kept | None:
    """Find what a dataset can pass on to the one that is to replace it; None where the two are the same.

    An example is passed on where its image and mask are what they were, and so is all that its bytes depend on besides:
    libraries, the shape and depth of all images, annotated objects, and its draws, which follow from its number.
    """
    found = list(_lines(Records(folder, old)))
    names = {item.name: index for index, item in enumerate(source)}
    wanted = sorted({names[line["name"]] for line, _ in found if line["name"] in names})
    now = dict(zip(wanted, _digests(source, wanted, threads)))

    def is_same(line: dict[str, Any]) -> bool:
        index = names.get(line["name"])
        return index is not None and now[index] == (line["source"], line.get("mask_source"))

    same_job = not old.differences(job, versions=True) and old.options == job.options
    if same_job and all(is_same(line) for line, _ in found if line["source"] is not None):
        return None
    fixed = recipe.first_draw
    lines: dict[Address, _Line] = {}
    if _same_bytes(old, job):
        for line, at in found:
            if at is None or not is_same(line) or line["copy"] >= int(job.options["copies"]):
                continue
            index = names[line["name"]]
            if line["start"] <= fixed or index == line["index"]:
                lines[index, line["copy"]] = at
    return Kept(folder.path, old.options["format"], lines)


def _lines(records: Records) -> Iterator[tuple[dict[str, Any], _Line | None]]:
    """Give the records of all shards that can be read, those of examples with the place of each."""
    for shard in range(records.job.shard_count):
        read = records.read(shard)
        name = records.file(shard)
        data = records.folder.read(name) if read is not None else None
        if read is None or data is None:
            continue
        _, lines, bad = read
        head, *rest = data.splitlines(keepends=True)
        offset = len(head)
        for line, text in zip(lines, rest):
            yield line, _Line(name, offset, len(text))
            offset += len(text)
        yield from ((line, None) for line in bad)


def _digests(source: Source, indices: list[int], threads: int) -> Iterator[Digests]:
    """Digest the files of some images."""

    def digest(index: int) -> Digests:
        return digests_of(source, source[index])

    with closing(ordered_map(digest, indices, threads=threads, ahead=64 * threads)) as made:
        yield from made


def _same_bytes(old: Job, job: Job) -> bool:
    """Whether a file that has not changed has the same bytes in both datasets."""
    layouts = [_shapes(one.options.get("layout")) for one in (old, job)]
    if old.versions != job.versions or layouts[0] != layouts[1]:
        return False
    if old.options["store"] == "final" and layouts[0] is None:
        # The depth that images are converted to is that of most of them, and is written nowhere.
        return scales_by_dtype(Compose.from_dict(job.recipe))
    return old.objects == job.objects and (job.objects is None or old.class_names == job.class_names)


def _shapes(layout: dict[str, Any] | None) -> dict[str, Any] | None:
    """A layout without the name of the image that it was seen on."""
    return None if layout is None else {name: spec for name, spec in layout.items() if name != "like"}


# ---- the new one takes the place of the old


def is_outdated(new: OutputFolder, job: Job, source: Source) -> bool:
    """Whether an update that was begun earlier is of other files than those that are there now."""
    written = new.read(JOB_FILE)
    if written is None or written != job.to_bytes():
        return True
    return any(
        line["source"] not in (None, digests_of(source, source[line["index"]])[0])
        for line, _ in _lines(Records(new, job))
    )


def empty(new: OutputFolder) -> None:
    """Remove what lies in the folder of an update."""
    with new.writing("an update that was begun earlier"):
        for path in new.path.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def replace_dataset(folder: OutputFolder, old: Job, new: OutputFolder) -> None:
    """Move a whole dataset from `.update` to the place of the one around it.

    It is noted first what is to go, so that `finish_replacement` can go on after a kill at any moment.
    """
    coming = set(_files(new.path))
    new.write(_GOES, json_line(sorted(set(_written(Records(folder, old))) - coming)))
    finish_replacement(folder)


def finish_replacement(folder: OutputFolder) -> None:
    """Go on with what `replace_dataset` began; nothing happens where it did not."""
    new = OutputFolder(folder.path / UPDATE)
    noted = new.read(_GOES) if new.path.is_dir() else None
    if noted is None:
        return
    with folder.writing("the updated dataset"):
        if (new.path / MANIFEST).exists():
            folder.remove(MANIFEST)  # the dataset is not whole while it is a part of two
        coming = sorted(_files(new.path), key=lambda name: (name == MANIFEST, name))
        for name in (name for name in coming if name != _GOES):
            inside(folder.path, name).parent.mkdir(parents=True, exist_ok=True)
            (new.path / name).replace(folder.path / name)
        for name in json.loads(noted):
            inside(folder.path, name).unlink(missing_ok=True)
            for parent in list(Path(name).parents)[:-1]:
                with suppress(OSError):  # something else lies in it
                    (folder.path / parent).rmdir()
        folder.sync_folder(folder.path)
        shutil.rmtree(new.path)


def _written(records: Records) -> Iterator[str]:
    """Names of the files that a build wrote, as far as its records can be read; no others are ever removed."""
    for shard in range(records.job.shard_count):
        yield records.file(shard)
        head, lines, _ = records.read(shard) or ({"files": []}, [], [])
        yield from (entry["file"] for entry in head["files"])
        for at in (line["at"] for line in lines if not head["files"]):
            yield from (entry["file"] for entry in at.values())


def _files(root: Path) -> Iterator[str]:
    """Names of all files in a folder, but not those of an update inside it."""
    for here, folders, files in os.walk(root):
        if Path(here) == root and UPDATE in folders:
            folders.remove(UPDATE)
        for file in files:
            yield (Path(here) / file).relative_to(root).as_posix()

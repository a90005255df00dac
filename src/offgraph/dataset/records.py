"""The sample records, one file per shard, and the manifest made of them.

A record file is written when its shard is complete on disk, so it is also the journal of the build: a shard with a
record is finished, one without is written again. Nothing here depends on when or how often the build was killed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from offgraph.core.errors import BuildError
from offgraph.core.machine import is_machine, machine_error
from offgraph.core.tables import TableWriter
from offgraph.dataset.job import Job, class_counts
from offgraph.dataset.objects import label_of_line
from offgraph.dataset.output import OutputFolder, json_bytes, json_line
from offgraph.dataset.schema import (
    BAD_LINE,
    EXAMPLE,
    FORMAT_VERSION,
    HEAD,
    MANIFEST_FILE,
    LineCheck,
    parse_version,
    validate,
)
from offgraph.recipe.compose import Compose

__all__ = ["BAD_TABLE", "JOB_FILE", "MANIFEST", "Quarantined", "Records", "load_manifest", "quarantined"]

MANIFEST = "manifest.json"
BAD_TABLE = "quarantine.csv"
JOB_FILE = "build.json"
"""What a build is of, see `offgraph.dataset.job`."""


@dataclass(frozen=True)
class Quarantined:
    """An image that was set aside.

    Parameters
    ----------
    name : str
        Path relative to the source folder.
    reason : str
    copies : tuple of int
        The copies it could not be used for: all of them, unless only some draws fail.
    retry : bool
        Whether its content was not refused: it was missing, or could not be opened. The same build, run again,
        tries it again.
    """

    name: str
    reason: str
    copies: tuple[int, ...]
    retry: bool = False

    def to_json(self) -> dict[str, Any]:
        """The entry it has in the manifest."""
        entry = {"name": self.name, "reason": self.reason, "copies": list(self.copies)}
        return {**entry, "retry": True} if self.retry else entry


class Totals:
    """What the manifest and the report say of all shards.

    Attributes
    ----------
    heads : dict of int to dict
        What each shard's records begin with.
    labels : list
        One per example.
    content : dict
        Name and digests of each image, by its number.
    bad : list of dict
    bytes : int
        Size of images and masks on the disk.
    changed : str or None
        Name of an image that was not the same each time it was read.
    steps : int
        Most steps of the recipe that any stored example has been through.
    """

    def __init__(self) -> None:
        self.heads: dict[int, dict[str, Any]] = {}
        self.labels: list[Any] = []
        self.content: dict[int, tuple[str, str | None, str | None]] = {}
        self.bad: list[dict[str, Any]] = []
        self.bytes = 0
        self.changed: str | None = None
        self.steps = 0

    def take(
        self, shard: int, head: dict[str, Any], lines: list[dict[str, Any]], bad: list[dict[str, Any]]
    ) -> None:
        """Take in a finished shard."""
        self.heads[shard] = head
        for line in (*lines, *bad):
            self._same_content(line)
        self.labels.extend(map(label_of_line, lines))
        self.steps = max(self.steps, *(line["start"] for line in lines)) if lines else self.steps
        self.bad.extend(bad)
        self.bytes += sum(entry["bytes"] for entry in head["files"])
        if not head["files"]:
            self.bytes += sum(entry["bytes"] for line in lines for entry in line["at"].values())

    def _same_content(self, line: dict[str, Any]) -> None:
        found = (line["name"], line["source"], line.get("mask_source"))
        known = self.content.setdefault(line["index"], found)
        if line.get("retry"):  # nothing was seen of its content
            return
        if known[1] is None and line["source"] is not None:
            known = self.content[line["index"]] = found
        if known[1] != found[1] or (None not in (known[2], found[2]) and known[2] != found[2]):
            self.changed = self.changed or line["name"]


class Records:
    """Record files of a dataset, ``samples/00000.jsonl`` and on.

    The first line of each says what the shard holds; then comes one line per example, then one line per bad image, and
    last ``{"sha256": ...}`` over the lines before it. Where that does not fit, or the manifest names another digest of
    the file, the shard counts as not finished: labels and draws are never taken from a damaged file. Earlier versions
    wrote no such line; their files count where the manifest confirms them.
    """

    def __init__(self, folder: OutputFolder, job: Job) -> None:
        self.folder, self.job, self.totals = folder, job, Totals()
        self._check = LineCheck(
            task=job.task,
            classes=len(job.class_names),
            targets=len(job.target_names),
            copies=job.options["copies"],
            steps=sys.maxsize,  # the recipe's own are counted where the dataset is read
            has_masks=None,
            keypoints=None if job.keypoints is None else len(job.keypoints),
        )

    @staticmethod
    def file(shard: int) -> str:
        """Name of a shard's record file."""
        return f"samples/{shard:05d}.jsonl"

    def write(
        self, shard: int, header: dict[str, Any], lines: list[dict[str, Any]], bad: list[dict[str, Any]]
    ) -> None:
        """Say that a shard is finished."""
        head = {**header, "shard": shard, "examples": len(lines), "quarantined": len(bad)}
        data = b"".join(map(json_line, [head, *lines, *bad]))
        data += _digest_line(data)
        self.folder.write(self.file(shard), data, sync=False)
        self.folder.sync_later(self.file(shard))
        self.folder.sync_later("samples")
        self._listed[self.file(shard)] = _sha256(data)
        self.take(shard, head, lines, bad)

    def take(
        self, shard: int, head: dict[str, Any], lines: list[dict[str, Any]], bad: list[dict[str, Any]]
    ) -> None:
        """Take a finished shard into the totals."""
        self.totals.take(shard, head, lines, bad)

    def read(self, shard: int) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]] | None:
        """Header, examples and bad images of a finished shard; None where it is not finished, or damaged."""
        listed = self._listed.get(
            self.file(shard)
        )  # before the file: the manifest goes when a shard is written
        data = self.folder.read(self.file(shard))
        if data is None or listed not in (None, _sha256(data)):
            return None
        lines, last = _split_last(data)
        if last == _digest_line(lines):
            return self._parse(shard, lines)
        earlier = listed is not None and not last.startswith(_DIGEST_START)
        return self._parse(shard, data) if earlier else None

    def _parse(
        self, shard: int, data: bytes
    ) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]] | None:
        """Read the lines of a shard through their schemas; None where they are not this job's."""
        first, *rest = data.splitlines() or [b""]
        try:
            head = validate(HEAD, first)
            count, bad = head["examples"], head["quarantined"]
            if head["shard"] != shard or len(rest) != count + bad:
                return None
            lines = [validate(EXAMPLE, line) for line in rest[:count]]
            bad_lines = [validate(BAD_LINE, line) for line in rest[count:]]
        except ValidationError:
            return None
        right = all(map(self._ours, (*lines, *bad_lines))) and not any(map(self._check.trouble, lines))
        return (head, lines, bad_lines) if right else None

    def _ours(self, line: dict[str, Any]) -> bool:
        """Whether a line is about an image of this job, under its name."""
        index = line["index"]
        return index < len(self.job.images) and line["name"] == self.job.images[index].name

    def all(self) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]]:
        """The records of every shard, one in memory at a time."""
        for shard in range(self.job.shard_count):
            found = self.read(shard)
            if found is None:
                raise BuildError(
                    f"{self.folder.path}: {self.file(shard)} is missing or damaged; run the build again"
                )
            yield found

    @functools.cached_property
    def _listed(self) -> dict[str, str]:
        """SHA-256 of each record file that the manifest names, and of those that were written since; by file."""
        try:
            shards = load_manifest(self.folder.path)["shards"]
        except BuildError:  # none yet, or a damaged one, which is written again
            return {}
        return {shard["records"]["file"]: shard["records"]["sha256"] for shard in shards}

    def started(self) -> bool:
        """Whether there is a shard of this job with an example in it, damaged or not: it must not be cleared away."""
        for path in self._files():
            data = self.folder.read(f"samples/{path.name}") if path.stem.isdecimal() else None
            if data is None:
                continue
            lines, last = _split_last(data)
            shard = self._parse(int(path.stem), lines if last.startswith(_DIGEST_START) else data)
            if shard is not None and shard[1]:
                return True
        return False

    def clear(self) -> None:
        """Remove all record files, and the table of bad images."""
        for path in self._files():
            self.folder.remove(f"samples/{path.name}")
        with contextlib.suppress(OSError):  # something else lies in it
            (self.folder.path / "samples").rmdir()
        self.folder.remove(BAD_TABLE)

    def list_bad(self, lines: list[dict[str, Any]]) -> None:
        """Write ``quarantine.csv`` of a build that stops for too many bad images."""
        self.folder.keep(BAD_TABLE, _quarantine_table(quarantined(lines)))

    def _files(self) -> list[Path]:
        return sorted((self.folder.path / "samples").glob("*.jsonl*"))

    def finish(self) -> list[str]:
        """Write ``quarantine.csv`` and, last of all, the manifest that makes the dataset whole.

        Returns
        -------
        list of str
            Those of the two that were missing, or held something else.

        Raises
        ------
        BuildError
            Where an image was not the same each time it was read, or none could be used.
        """
        totals = self.totals
        if totals.changed is not None:
            raise BuildError(
                f"{self.folder.path}: {totals.changed} changed while the build ran; "
                "build again into another folder, from files that stay as they are"
            )
        bad = quarantined(totals.bad)
        if not totals.labels and bad:
            raise BuildError(
                f"{self.folder.path}: none of its images ({len(self.job.images)}) could be used; "
                f"the first: {bad[0].name}: {bad[0].reason}"
            )
        table = self.folder.keep(BAD_TABLE, _quarantine_table(bad))
        shards = [self._shard_entry(totals.heads[shard]) for shard in sorted(totals.heads)]
        return table + self.folder.keep(MANIFEST, json_bytes(self._manifest(totals, shards, bad)), last=True)

    def _shard_entry(self, head: dict[str, Any]) -> dict[str, Any]:
        name = self.file(head["shard"])
        data = self.folder.read(name) or b""
        return {
            **head,
            "records": {"file": name, "bytes": len(data), "sha256": _sha256(data)},
        }

    def _manifest(self, totals: Totals, shards: list[Any], bad: list[Quarantined]) -> dict[str, Any]:
        recipe = Compose.from_dict(self.job.recipe)
        labels, content = totals.labels, totals.content
        listing = hashlib.sha256(b"".join(json_line(content[index]) for index in sorted(content)))
        return {
            "offgraph": FORMAT_VERSION,
            **self.job.options,
            "versions": self.job.versions,
            "recipe": self.job.recipe,
            "fingerprint": recipe.fingerprint,
            "digest": recipe.digest,
            "class_names": list(self.job.class_names),
            **self.job.learnt,
            "counts": {
                "pictures": len(self.job.images),
                "examples": len(labels),
                "quarantined": len(bad),
                "classes": class_counts(self.job, labels),
            },
            "sources": {"count": len(content), "sha256": listing.hexdigest()},
            "shards": shards,
            "quarantine": [entry.to_json() for entry in bad],
        }


_DIGEST_START = b'{"sha256":'


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _digest_line(lines: bytes) -> bytes:
    """The last line of a record file, by the bytes before it."""
    return json_line({"sha256": _sha256(lines)})


def _split_last(data: bytes) -> tuple[bytes, bytes]:
    """A record file without its last line, and that line."""
    start = data.rfind(b"\n", 0, -1) + 1
    return data[:start], data[start:]


def quarantined(lines: list[dict[str, Any]]) -> list[Quarantined]:
    """Bring the bad copies of each image together, in the order of the source."""
    found: dict[tuple[int, str, str, bool], list[int]] = {}
    for line in lines:
        key = (line["index"], line["name"], line["quarantined"], bool(line.get("retry")))
        found.setdefault(key, []).append(line["copy"])
    return [
        Quarantined(name, why, tuple(sorted(copies)), retry)
        for (_, name, why, retry), copies in sorted(found.items())
    ]


def load_manifest(root: Path) -> dict[str, Any]:
    """Read the manifest of a finished dataset.

    Raises
    ------
    BuildError
        Where the folder holds none, or one that cannot be read.
    """
    path = root / MANIFEST
    advice = "run the build again to repair it"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        unfinished = (root / JOB_FILE).exists()
        why = "its build is not finished: run it again" if unfinished else "there is no manifest.json in it"
        raise BuildError(f"{root}: not a built dataset: {why}") from None
    except OSError as error:
        if is_machine(error):
            raise machine_error(str(path), error) from error
        raise BuildError(f"{path}: cannot be read ({error.strerror or error}); {advice}") from error
    return parse_version(
        MANIFEST_FILE,
        data,
        str(path),
        advice,
        lambda version: f"{path}: layout {version!r:.50}; this version of Offgraph reads {FORMAT_VERSION}",
    )


def _quarantine_table(bad: list[Quarantined]) -> bytes:
    text = io.StringIO(newline="")
    table = TableWriter(text, ["path", "reason", "copies"])
    for entry in bad:
        table.writerow([entry.name, entry.reason, " ".join(map(str, entry.copies))])
    return text.getvalue().encode()

"""What formats of numbered shard files share: names, how a shard becomes whole, and how damage is found."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from offgraph.core.errors import BuildError
from offgraph.dataset.job import Job
from offgraph.dataset.output import PART, OutputFolder, inside, sha256_of

__all__ = ["ShardedFormat", "place"]


def place(offset: int, data: bytes) -> dict[str, Any]:
    """Say where an array lies in its file."""
    return {"offset": offset, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


class ShardedFormat:
    """A format of files ``data-00000-of-00012.suffix``, one for each shard.

    Parameters
    ----------
    folder : OutputFolder
    job : Job
    """

    suffix: ClassVar[str]
    beside: ClassVar[tuple[str, ...]] = ()
    """Suffixes of the files that stand beside each shard."""

    def __init__(self, folder: OutputFolder, job: Job) -> None:
        self.folder, self.job = folder, job

    def file(self, shard: int) -> str:
        """File name of a shard."""
        return f"data-{shard:05d}-of-{self.job.shard_count:05d}.{self.suffix}"

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[Path]:
        """Path to write a shard to; it is removed on an error, as the space may be needed."""
        path = self.folder.path / (name + PART)
        try:
            yield path
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink()
            raise

    def publish(self, part: Path, name: str, expected: int) -> dict[str, Any]:
        """Give a shard its name once all its bytes are on the disk.

        Returns
        -------
        dict
            Its entry in the header of its records.
        """
        with self.folder.writing(name):
            with part.open("rb") as file:
                os.fsync(file.fileno())
                size = os.fstat(file.fileno()).st_size
            if size != expected:
                raise OSError(errno.EIO, f"{size} bytes reached the disk of {expected} written")
            digest = sha256_of(part)
            part.replace(self.folder.path / name)
            self.folder.sync_folder(self.folder.path)
        return {"file": name, "bytes": size, "sha256": digest}

    def damage(self, header: dict[str, Any], lines: list[dict[str, Any]]) -> str | None:
        """Say what is wrong with a finished shard, or None."""
        del lines  # each file has one digest
        for entry in header["files"]:
            try:
                path = inside(self.folder.path, entry["file"])
            except BuildError as error:
                return str(error)
            if sha256_of(path) != entry["sha256"]:
                return f"{entry['file']} is missing or not as it was written"
        return None

    def clear(self) -> None:
        """Remove shards and what stands beside them."""
        endings = "|".join(map(re.escape, (self.suffix, *self.beside)))
        for path in self.folder.path.glob("data-*-of-*"):
            if re.fullmatch(rf"data-\d{{5,}}-of-\d{{5,}}\.({endings})(\.part)?", path.name):
                self.folder.remove(path.name)

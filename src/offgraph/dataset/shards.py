"""What formats of numbered shard files share: names, how a shard becomes whole, and how damage is found."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import operator
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from offgraph.core.errors import BuildError
from offgraph.core.machine import is_machine, machine_error
from offgraph.dataset.direct_file import DirectFile
from offgraph.dataset.example import Encoded
from offgraph.dataset.job import Job
from offgraph.dataset.output import PART, OutputFolder, inside, sha256_of
from offgraph.dataset.schema import PLACES, Kind, Located, parse

__all__ = [
    "OF_ARRAYS",
    "DigestingFile",
    "KnownMemory",
    "ShardedFormat",
    "digest_by_records",
    "digest_of_arrays",
    "place",
    "place_of",
]

OF_ARRAYS = "of arrays"
"""Says that the digest of a file has those of the arrays in it, one after another as they lie, in place of their bytes."""


def place(offset: int, data: bytes) -> dict[str, Any]:
    """Say where some bytes lie in their file."""
    return {"offset": offset, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def place_of(offset: int, array: Encoded) -> dict[str, Any]:
    """Say where an array lies in its file."""
    return {"offset": offset, "bytes": len(array.data), "sha256": array.sha256}


@dataclass(eq=False)
class KnownMemory:
    """Memory that holds arrays one after another, and that is to be written as it lies.

    Parameters
    ----------
    digests : bytes
        Those of the arrays, one after another.
    offset : int or None
        Where it went in the file; None until it is written.
    """

    digests: bytes
    offset: int | None = None


class DigestingFile(io.RawIOBase):
    """A new file whose digest is known once it is written, without reading it again.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._file = DirectFile(path)
        self._digest = hashlib.sha256()
        self._known: dict[tuple[int, int], KnownMemory] = {}
        self.length = 0

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: Any) -> int:
        """Write bytes, and take them into the digest."""
        view = memoryview(data).cast("B")
        known = self._known.pop(_address(view), None) if self._known else None
        if known is not None:
            known.offset = self.length
        self._file.write(view)
        self._digest.update(view if known is None else known.digests)
        self.length += len(view)
        return len(view)

    def know(self, memory: Any, arrays: Sequence[Encoded]) -> KnownMemory:
        """Expect that this memory, which holds arrays one after another, is written at once.

        Their digests then go into that of the file in place of their bytes: these need not be digested twice.
        """
        known = KnownMemory(b"".join(bytes.fromhex(one.sha256) for one in arrays))
        self._known[_address(memoryview(memory))] = known
        return known

    @property
    def knew_all(self) -> bool:
        """Whether everything that was expected came."""
        return not self._known

    def tell(self) -> int:
        """How many bytes were written."""
        return self.length

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._file.close(whole=False)  # it is not kept
        self.close()

    def close(self) -> None:
        """Hand the last bytes to the system and close the file; its digest stays."""
        if not self.closed:
            self._file.close()
        super().close()

    def hexdigest(self) -> str:
        """SHA-256 of what was written, in hexadecimal digits."""
        return self._digest.hexdigest()


def _address(view: memoryview) -> tuple[int, int]:
    """Where memory begins, and its length."""
    array = np.frombuffer(view, np.uint8)
    return array.ctypes.data, array.size


def digest_of_arrays(path: Path, places: Iterable[dict[str, Any]]) -> str | None:
    """Digest a file with the digest of each array in place of its bytes; None where it cannot be read.

    Parameters
    ----------
    path : Path
    places : iterable of dict
        Offset and length of each array.
    """
    whole = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for span in sorted(places, key=operator.itemgetter("offset")):
                whole.update(file.read(span["offset"] - file.tell()))
                whole.update(hashlib.sha256(file.read(span["bytes"])).digest())
            while rest := file.read(1 << 20):
                whole.update(rest)
    except OSError as error:
        if is_machine(error):
            raise machine_error(str(path), error) from error
        return None
    return whole.hexdigest()


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
    block = 0

    def __init__(self, folder: OutputFolder, job: Job) -> None:
        self.folder, self.job = folder, job

    @staticmethod
    def places(options: dict[str, Any]) -> bool:
        """Arrays are always read by their places."""
        del options
        return True

    @staticmethod
    def located(line: dict[str, Any], where: str, advice: str) -> dict[Kind, Located]:
        """Arrays lie in the shard of their example."""
        at = parse(PLACES, line["at"], f"{where}: at", advice)
        kinds: tuple[Kind, Kind] = ("image", "mask")
        return {
            kind: Located(at["file"], **at[kind], wrapped=at.get("compression"))
            for kind in kinds
            if kind in at
        }

    @staticmethod
    def read(root: Path, line: dict[str, Any]) -> tuple[bytes, bytes | None]:
        """Refuse: an array of such a dataset is read by its place, never by its format."""
        raise BuildError(f"{root}: the record of {line.get('name')!r:.80} does not say where its arrays lie")

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

    def publish(self, part: Path, name: str, expected: int, digest: str | None = None) -> dict[str, Any]:
        """Give a shard its name once all its bytes are written.

        Parameters
        ----------
        part : Path
        name : str
        expected : int
            Bytes that were written.
        digest : str, optional
            SHA-256 of them; left out, the file is read.

        Returns
        -------
        dict
            Its entry in the header of its records.
        """
        with self.folder.writing(name):
            size = part.stat().st_size
            if size != expected:
                raise OSError(errno.EIO, f"{size} bytes reached the disk of {expected} written")
            digest = sha256_of(part) if digest is None else digest
            part.replace(self.folder.path / name)
            self.folder.sync_later(name)
            self.folder.sync_later(".")
        return {"file": name, "bytes": size, "sha256": digest}

    @classmethod
    def damage(cls, root: Path, header: dict[str, Any], lines: list[dict[str, Any]]) -> str | None:
        """Say what is wrong with a finished shard of the dataset in a folder, or None."""
        for entry in header["files"]:
            try:
                path = inside(root, entry["file"])
                digest = (
                    sha256_of(path) if entry.get("digest") != OF_ARRAYS else digest_by_records(path, lines)
                )
            except BuildError as error:
                return str(error)
            if digest != entry["sha256"]:
                return f"{entry['file']} is missing or not as it was written"
        return None

    def clear(self) -> None:
        """Remove shards and what stands beside them."""
        endings = "|".join(map(re.escape, (self.suffix, *self.beside)))
        for path in self.folder.path.glob("data-*-of-*"):
            if re.fullmatch(rf"data-\d{{5,}}-of-\d{{5,}}\.({endings})(\.part)?", path.name):
                self.folder.remove(path.name)


def digest_by_records(path: Path, lines: list[dict[str, Any]]) -> str | None:
    """Digest a shard of which the digests of arrays are known."""
    at = [parse(PLACES, line["at"], f"the record of {line['name']}", "it is made again") for line in lines]
    return digest_of_arrays(path, (one[kind] for one in at for kind in ("image", "mask") if kind in one))

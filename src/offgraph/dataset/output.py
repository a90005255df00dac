"""The folder a build writes into: one writer at a time, files whole or absent, errors that name folder and cause."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from offgraph.core.errors import BuildError, MachineError
from offgraph.core.machine import Read, is_machine, machine_error, with_retries
from offgraph.core.tables import dumps, line

__all__ = ["PART", "OutputFolder", "inside", "json_bytes", "json_line", "read_part", "sha256_of"]

PART = ".part"
"""Suffix of a file until it is complete. It is fixed, so that the next build overwrites what a killed one left."""

_SYNCS = 4
"""Files that are brought onto the disk at a time: the system does that for many with one write of its journal."""
_MOST_SYNCING = 256
"""Files that wait to be brought onto the disk."""
_AT_ONCE = 1 << 20
"""Bytes of a file that are read at once to be digested; of a larger one, a part at a time."""

_ADVICE = {
    errno.ENOSPC: "free some space and run the same build again: it continues where it stopped",
    errno.EDQUOT: "free some of your quota and run the same build again: it continues where it stopped",
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: "choose a folder that can be written",
    errno.EPERM: "choose a folder that can be written",
}


def json_line(value: Any) -> bytes:
    """One JSON value on one line, the same bytes for the same value."""
    return line(value).encode("ascii") + b"\n"


def json_bytes(value: Any) -> bytes:
    """One JSON value to be read by people too, the same bytes for the same value."""
    return dumps(value, sort_keys=True, indent=1, allow_nan=False).encode("ascii") + b"\n"


def sha256_of(path: Path) -> str | None:
    """SHA-256 of a regular file in hexadecimal digits; None where it cannot be read.

    Raises
    ------
    MachineError
        Where the machine failed: that says nothing about the file.
    """
    try:
        if not path.is_file():  # reading a pipe could wait for ever
            return None
        with path.open("rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size <= _AT_ONCE:
                return hashlib.sha256(file.readall()).hexdigest()
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # any raw file will do
    except OSError as error:
        if is_machine(error):
            raise machine_error(str(path), error) from error
        return None


def inside(root: Path, name: str) -> Path:
    """Join the file name in a record to the folder of the dataset; a name that leads out of it is refused."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or set(name) & set("\0\\:"):
        raise BuildError(f"{root}: a record names the file {name!r:.200}, which lies outside of the dataset")
    return root / pure


def _locked(folder: Path) -> int | None:
    """Open a folder and lock it until it is closed; None where the system has no such locks."""
    try:
        import fcntl
    except ImportError:  # Windows has no flock; there, two builds at once are the user's to avoid
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise BuildError(
            f"{folder}: another build is writing into this folder; wait for it or choose another folder"
        ) from None
    except OSError:
        pass  # some network file systems cannot lock a folder; building there is worth more than the guard
    return handle


def read_part(root: Path, entry: dict[str, Any], most: int, offset: int = 0) -> bytes:
    """Read the bytes that a record describes, and check their digest.

    Parameters
    ----------
    root : Path
    entry : dict
        ``file``, ``bytes`` and ``sha256``.
    most : int
        Limit on the bytes that are read: a record may claim anything.
    offset : int
        Where they begin in the file.

    Raises
    ------
    BuildError
        Where they are others than those that were written.
    OSError
        Where the file cannot be read.
    """
    path = inside(root, entry["file"])
    with Read(path):
        if not path.is_file():  # opening a pipe could wait for ever
            path.stat()
            raise BuildError(f"{entry['file']} is not a file")
        data = _part(path, entry, most, offset)
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise BuildError(f"{entry['file']}{f' at {offset}' if offset else ''} is not as it was written")
    return data


def _part(path: Path, entry: dict[str, Any], most: int, offset: int) -> bytes:
    """Read bytes of a file, as many as its record says and as there are."""
    with path.open("rb") as file:
        left = os.fstat(file.fileno()).st_size - offset
        if not entry["bytes"] <= min(left, most):
            raise BuildError(
                f"{entry['file']} does not hold the {entry['bytes']:,} bytes that its record says"
            )
        file.seek(offset)
        return file.read(entry["bytes"])


class OutputFolder:
    """A locked folder. Use it in a ``with`` statement.

    The lock is the operating system's own (``flock``) on the folder itself: it ends with the process however
    that ends, so there is no lock file that could go stale or be left in the dataset.

    Raises
    ------
    BuildError
        Where the folder cannot be made or another build holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None
        self._syncing: dict[str, Future[None]] = {}
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> OutputFolder:
        if self.path.exists() and not self.path.is_dir():
            raise BuildError(f"{self.path}: is a file, and a dataset is a folder; choose another name")
        with self.writing("the folder"):
            self.path.mkdir(parents=True, exist_ok=True)
            self._handle = _locked(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    @contextlib.contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Turn an error of the file system into a BuildError that names folder, file and cause."""
        try:
            yield
        except OSError as error:
            cause = error.strerror or str(error)
            advice = _ADVICE.get(error.errno or 0, "fix that and run the same build again")
            raise BuildError(f"{self.path}: cannot write {what}: {cause}; {advice}") from error

    def sync_later(self, name: str) -> None:
        """Bring a file, or a folder, onto the disk while the build goes on; `settle` waits for it.

        Nothing relies on the order: what a shard holds is compared with its records when a build goes on, and the records
        with their digest. The manifest alone, which says that the dataset is whole, is written after all else.
        """
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_SYNCS, thread_name_prefix="offgraph-sync")
        try:
            self._syncing[name] = self._pool.submit(self._sync, name)
        except RuntimeError:  # there is no thread left for it
            self._sync(name)
            return
        if len(self._syncing) > _MOST_SYNCING:  # the disk is slower than the build
            self._settle(next(iter(self._syncing)))

    def _sync(self, name: str) -> None:
        path = self.path / name
        if path.is_dir():
            self.sync_folder(path)
            return
        with path.open("rb") as file:
            os.fsync(file.fileno())

    def _settle(self, name: str) -> None:
        with self.writing(name):
            self._syncing.pop(name).result()

    def settle(self) -> None:
        """Wait until all files of `sync_later` are on the disk.

        Raises
        ------
        BuildError
            Naming a file that is not.
        """
        while self._syncing:
            self._settle(next(iter(self._syncing)))
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def write(self, name: str, data: bytes | memoryview, *, sync: bool = True) -> None:
        """Write a file whole or not at all: under another name, onto the disk, then renamed.

        What may pass, such as a network drive that does not answer, is tried again for a moment; a full disk is not.
        """
        path = self.path / name
        part = path.with_name(path.name + PART)

        def write() -> None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with part.open("wb") as file:
                    file.write(data)
                    file.flush()
                    if sync:
                        os.fsync(file.fileno())
                part.replace(path)
            except OSError as error:
                if is_machine(error) and error.errno not in _ADVICE:
                    raise machine_error(str(path), error) from error
                raise

        with self.writing(name):
            try:
                with_retries(write)
            except MachineError as error:
                raise OSError(error.errno, error.strerror) from error

    def keep(self, name: str, data: bytes, *, last: bool = False) -> list[str]:
        """Write a file unless these bytes are what it holds; its name in a list where it was written.

        The `last` file of a build is on the disk after this, and before it all others.
        """
        if last:
            self.settle()
        if self.read(name) == data:
            return []
        self.write(name, data, sync=last)
        if not last:
            self.sync_later(name)
        return [name]

    def sync_folder(self, folder: Path) -> None:
        """Bring the names in a folder onto the disk, where the system can."""
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def read(self, name: str) -> bytes | None:
        """Bytes of a file in the folder; None where it is absent."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BuildError(f"{self.path / name}: cannot read: {error.strerror or error}") from error

    def remove(self, name: str) -> None:
        """Remove a file in the folder; nothing happens where it is absent."""
        with self.writing(name):
            (self.path / name).unlink(missing_ok=True)

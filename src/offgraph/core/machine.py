"""Decide whether a failure is the machine's or the file's; no other module decides it.

A file that is damaged stays damaged, so it is set aside. A drive that went away, or handles and memory that ran out,
say nothing about the file: the reader tries again for a moment, then stops.
"""

from __future__ import annotations

import errno
import math
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeVar

from offgraph.core.errors import DecodeError, FileAccessError, MachineError

__all__ = [
    "READ_TIMEOUT",
    "Mount",
    "Read",
    "is_machine",
    "machine_error",
    "read_error",
    "read_of",
    "with_retries",
]

Made = TypeVar("Made")

PAUSES = (0.25, 0.75, 2.0)
"""Seconds to wait before each further try: a network drive that is mounted again takes about that long."""

_NAMES = """
    EMFILE ENFILE ENOMEM ENOBUFS EAGAIN ENOLCK EINTR EBUSY
    EIO ENXIO ENODEV ENOMEDIUM ENOSPC EDQUOT EUCLEAN EBADMSG EREMOTEIO
    ESTALE ETIMEDOUT ENOTCONN ESHUTDOWN EPIPE ENOLINK ECOMM EPROTO EREMCHG
    EHOSTDOWN EHOSTUNREACH ENETDOWN ENETUNREACH ENETRESET ECONNRESET ECONNABORTED ECONNREFUSED
    EKEYEXPIRED EKEYREVOKED ENOKEY
"""
_NUMBERS = frozenset(getattr(errno, name) for name in _NAMES.split() if hasattr(errno, name))

# Windows: device not ready, network path and name gone, semaphore time-out, disk and device errors, no resources.
_WINDOWS = frozenset({21, 51, 53, 54, 55, 59, 64, 67, 121, 1006, 1117, 1167, 1231, 1450, 1455})


def is_machine(error: BaseException | None, most_bytes: int | None = None) -> bool:
    """Whether an error is about the machine, and not about the content of a file.

    Parameters
    ----------
    error : exception or None
        What was caught. An error raised ``from`` another is judged by that one too.
    most_bytes : int, optional
        What one array may take by the limits in force. NumPy says how much it was asked for: more than this is
        what the file or the step asked for, not lack of memory.
    """
    while error is not None:
        if isinstance(error, MachineError):
            return True
        if isinstance(error, MemoryError):
            shape, dtype = getattr(error, "shape", None), getattr(error, "dtype", None)
            if most_bytes is None or shape is None or dtype is None:
                return True
            return math.prod(shape) * dtype.itemsize <= most_bytes
        if isinstance(error, OSError) and (
            error.errno in _NUMBERS or getattr(error, "winerror", None) in _WINDOWS
        ):
            return True
        error = error.__cause__
    return False


def machine_error(where: str, error: BaseException) -> MachineError:
    """Make a MachineError of what `is_machine` calls one; its message begins with ``where``."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError | MemoryError):
        cause = cause.__cause__
    if not isinstance(cause, OSError):
        detail = f" ({cause})" if cause is not None and str(cause) else ""
        return MachineError(
            f"{where}: not enough memory{detail}", OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        )
    if isinstance(cause, MachineError):
        text = str(cause)
        return MachineError(text if where in text else f"{where}: {text}", cause)
    return MachineError(f"{where}: {cause.strerror or cause}", cause)


def read_error(name: str, error: OSError) -> MachineError | DecodeError:
    """Say what a failure to read a file is: the machine's, a file out of reach, or damage that a decoder found.

    Returns
    -------
    MachineError
        Handles, memory, drive or network failed.
    FileAccessError
        The file is not there, or may not be read; its content was not refused.
    DecodeError
        A decoder's own OSError, which has no number: the content is damaged.
    """
    if is_machine(error):
        return machine_error(name, error)
    if error.filename is not None or error.errno is not None:
        return FileAccessError(f"{name}: {error.strerror or error}")
    return DecodeError(f"{name}: damaged ({error})")


def with_retries(call: Callable[[], Made], stop: threading.Event | None = None) -> Made:
    """Call a function, and again after a MachineError, with the pauses of `PAUSES` in between.

    Parameters
    ----------
    call : callable
    stop : threading.Event, optional
        Ends a pause at once, and with it the tries.

    Raises
    ------
    MachineError
        The last one.
    """
    stop = threading.Event() if stop is None else stop
    for pause in PAUSES:
        try:
            return call()
        except MachineError:
            if stop.wait(pause):
                raise
    return call()


READ_TIMEOUT = 120.0
"""Seconds without a byte after which a drive, or a server, is taken for gone. A disk that has to start takes 15."""

_reads: dict[int, Read] = {}
"""By thread, the read that it is in."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reads.clear)  # numbers of threads are used again


class Read:
    """Marks what this thread waits for a drive to do, so that another thread can tell a read that never returns.

    A call to the system that waits for a dead mount cannot be interrupted, by nobody; whoever waits for the thread's
    result can cease to (`offgraph.pipeline.workers`).

    Parameters
    ----------
    path : path or str
        The file, for the message.

    Examples
    --------
    >>> with Read("a.png") as read:
    ...     read.step()
    ...     read_of(threading.get_ident()) is read
    True
    """

    __slots__ = ("_outer", "path", "steps")

    def __init__(self, path: object) -> None:
        self.path = path
        self.steps = 0

    @property
    def is_waiting(self) -> bool:
        """Whether the thread waits for the drive at this moment."""
        return True

    def step(self) -> None:
        """Note progress: the time counts from here."""
        self.steps += 1

    def __enter__(self) -> Self:
        thread = threading.get_ident()
        self._outer = _reads.get(thread)
        _reads[thread] = self
        return self

    def __exit__(self, *_: object) -> None:
        thread = threading.get_ident()
        if self._outer is None:
            _reads.pop(thread, None)
        else:
            _reads[thread] = self._outer


def read_of(thread: int | None) -> Read | None:
    """Return the read that a thread is in, by the thread's number; None where it is in none."""
    read = None if thread is None else _reads.get(thread)
    return None if read is None or not read.is_waiting else read


class Mount:
    """A folder as it was when it was opened, so that an unmounted drive is not taken for missing files.

    A drive that goes away often leaves its mount point behind, an empty folder of the same name. Device and inode
    tell the two apart, here those of the folder itself and of each folder in which a file was read.

    Parameters
    ----------
    root : Path
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._here = None if root.is_absolute() else _working_folder()
        self._folders: dict[str, tuple[int, int]] = {}
        try:
            self._identity = _identity(root)
        except OSError:
            self._identity = None

    def found(self, path: Path) -> None:
        """Note that a file is there: its folder is the one to compare with."""
        folder = _folder_of(path)  # text: cheaper than a Path for each of many files
        if folder not in self._folders:
            with suppress(OSError):
                self._folders[folder] = _identity(folder)

    def trouble(self, path: Path, *, listed: bool) -> str | None:
        """Say why a file that exists may be out of reach; None where only the file itself is missing.

        Parameters
        ----------
        path : Path
        listed : bool
            Whether the file was there when the source was listed: a link to it has lost its drive since then.
        """
        beside = _folder_of(path)
        for folder, known in ((self._root, self._identity), (beside, self._folders.get(beside))):
            try:
                if known is not None and known != _identity(folder):
                    return self._moved() or (
                        f"{folder} is out of reach: it is another folder than it was; is its drive mounted?"
                    )
                if known is not None:
                    os.scandir(folder).close()
            except OSError as error:
                return self._moved() or f"{folder} is out of reach: {error.strerror or error}"
        target = Path(os.path.realpath(path)).parent
        if listed and path.is_symlink() and _is_gone(target):
            return f"{target}, where it links to, is gone or empty; is its drive mounted?"
        return None

    def _moved(self) -> str | None:
        """Say that the folder was given relative to another one than the program works in now; None if it was not."""
        now = _working_folder()
        if self._here in (None, now):
            return None
        return (
            f"{self._root} was opened while the program worked in {self._here}, and it works in {now} now (os.chdir): "
            "open it by an absolute path"
        )


def _working_folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:  # it was removed
        return None


def _is_gone(folder: Path) -> bool:
    """Whether a folder is not there, or empty; one that may not be listed is there."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except PermissionError:
        return False
    except OSError:
        return True


def _folder_of(path: Path) -> str:
    return os.path.dirname(path) or "."  # noqa: PTH120


def _identity(folder: Path | str) -> tuple[int, int]:
    status = os.stat(folder)  # noqa: PTH116
    return status.st_dev, status.st_ino

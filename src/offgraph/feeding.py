"""What the offline job and the loader share: a reproducible order, an ordered map over threads, a thread that reads ahead."""

from __future__ import annotations

import atexit
import errno
import hashlib
import os
import queue
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import numpy as np

from offgraph.errors import DecodeError, MachineError, OffgraphError, SourceError, StepError
from offgraph.machine import machine_error
from offgraph.threads import num_threads

__all__ = [
    "BAD_FILE",
    "Buffers",
    "aligned_empty",
    "default_threads",
    "leased",
    "name_file",
    "ordered_map",
    "permutation",
    "read_ahead",
    "reason",
]

Given = TypeVar("Given")
Made = TypeVar("Made")

BAD_FILE = (DecodeError, StepError, SourceError)
"""What the content of a bad image raises. A MachineError ends the run, and can be tried again; anything else is a
mistake in a program. Neither is ever set aside."""

ALIGNMENT = 64
"""Bytes. TensorFlow takes an array that starts on such a boundary without copying it."""


def default_threads() -> int:
    """Count the processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity
        return os.cpu_count() or 1


def permutation(count: int, *, seed: int, epoch: int) -> np.ndarray:
    """Order of ``count`` things, by address: the same (seed, epoch) gives the same order everywhere.

    Entry i is ranked by a 64-bit hash of (seed, epoch, i), so nothing is drawn in sequence and no state is kept.
    The hash is a bijection of i, so there are no ties to break.

    Returns
    -------
    ndarray of int64, shape (count,)

    Examples
    --------
    >>> permutation(5, seed=7, epoch=0).tolist()
    [4, 1, 3, 0, 2]
    """
    start = hashlib.blake2b(f"offgraph order {seed} {epoch}".encode(), digest_size=8).digest()
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):  # SplitMix64 counts and mixes modulo 2**64
        z = np.arange(1, count + 1, dtype=np.uint64) * golden + np.uint64(int.from_bytes(start, "little"))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return np.argsort(z, kind="stable")


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Allocate a C-contiguous array whose first byte lies on a 64-byte boundary."""
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    offset = -raw.ctypes.data % ALIGNMENT
    return raw[offset : offset + size].view(dtype).reshape(shape)


class Buffers:
    """Memory for batches, used again once nobody holds an array in it.

    New memory costs a page fault for every 4 KiB when it is first written: up to half of the time that a batch of
    small pictures takes. What is handed out is the holder's own, for as long as any array, slice or tensor in it lives.

    Parameters
    ----------
    most : int
        Buffers kept while nobody uses them.
    """

    def __init__(self, most: int) -> None:
        self._free: deque[np.ndarray] = deque(maxlen=most)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Allocate a C-contiguous array whose first byte lies on a 64-byte boundary."""
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        try:
            memory = self._free.popleft()
        except IndexError:
            memory = None
        if memory is None or not size <= memory.size <= 2 * size:
            memory = aligned_empty((size,), np.dtype(np.uint8))
        array, lease = _lease(memory, size)
        weakref.finalize(lease, self._free.append, memory).atexit = False
        return array.view(dtype).reshape(shape)


def leased(shape: tuple[int, ...], dtype: np.dtype) -> tuple[np.ndarray, object]:
    """Allocate an array like `aligned_empty`, and an object that lives as long as any array or tensor in its memory."""
    memory = aligned_empty(shape, dtype)
    array, lease = _lease(memory.reshape(-1).view(np.uint8), memory.nbytes)
    return array.view(dtype).reshape(shape), lease


class _Lease:
    """Stands for the use of a piece of memory."""

    def __init__(self, memory: np.ndarray) -> None:
        self.memory = memory
        self.__array_interface__ = memory.__array_interface__


def _lease(memory: np.ndarray, size: int) -> tuple[np.ndarray, _Lease]:
    """The first `size` bytes; arrays made of them keep the lease: NumPy follows their bases to an array, no further."""
    lease = _Lease(memory)
    return np.asarray(lease)[:size], lease


def name_file(error: Exception, name: str) -> Exception:
    """Return the error with the file it happened in, said once, at the front; want of memory as a MachineError."""
    if isinstance(error, MemoryError):
        return machine_error(name, error)
    if name in str(error):
        return error
    if isinstance(error, OSError) and isinstance(error, OffgraphError):  # these carry their cause's number
        return type(error)(f"{name}: {error}", error).with_traceback(error.__traceback__)
    if isinstance(error, OffgraphError):
        return type(error)(f"{name}: {error}").with_traceback(error.__traceback__)
    error.add_note(f"while working on {name}")
    return error


def reason(error: BaseException, path: Path, name: str, mask: Path | None = None) -> str:
    """Why a picture was set aside, in one line that does not depend on where the source folder lies."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if mask is not None and mask != path:
        text = text.replace(str(mask), f"mask {mask.name}")
    text = " ".join(text.replace(str(path), name).split())
    return text.removeprefix(f"{name}: ") or type(error).__name__


def ordered_map(
    function: Callable[[Given], Made],
    things: Iterable[Given],
    *,
    threads: int,
    ahead: int | None = None,
    stop: threading.Event | None = None,
) -> Generator[Made, None, None]:
    """Map over threads, give the results in the order of the things, and hold at most ``ahead`` of them.

    The things are taken as they are needed, never all at once. An exception of ``function`` is raised here with
    its own traceback, at its place in the order. Each call runs its loops on one thread, since the things are
    worked on side by side already. Closing the generator cancels what has not started and waits
    for what has: no thread is left behind.

    Parameters
    ----------
    threads : int
        Number of threads, at least 1.
    ahead : int, optional
        Most results under way or waiting; ``2 * threads + 2`` unless given.
    stop : threading.Event, optional
        Set when the map ends, by Ctrl-C as well, before what is under way is waited for: a function that pauses to try
        again looks at it.
    """
    ahead = 2 * threads + 2 if ahead is None else ahead
    waiting: deque[Future[Made]] = deque()

    def work(thing: Given) -> Made:
        with num_threads(1):
            return function(thing)

    def submit(thing: Given) -> Future[Made]:
        with _starting(f"use fewer than {threads} threads"):
            return pool.submit(work, thing)

    with ThreadPoolExecutor(threads, thread_name_prefix="offgraph") as pool:
        try:
            for thing in things:
                waiting.append(submit(thing))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            if stop is not None:
                stop.set()
            for future in waiting:
                future.cancel()


@contextmanager
def _starting(advice: str) -> Iterator[None]:
    """Raise a MachineError where the system has no memory for a thread, or as many threads as it allows."""
    try:
        yield
    except RuntimeError as error:
        if "start new thread" not in str(error):
            raise
        cause = OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        raise MachineError(f"{error}: {advice}", cause) from error


class _End:
    """What the reading thread leaves behind the last thing: nothing, or the exception that ended it."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


_reading: dict[threading.Thread, threading.Event] = {}
"""Threads that read ahead, each with what tells it to stop."""


@atexit.register
def _stop_reading() -> None:
    """End every pass under way while threads still run: later, whoever waits for one would wait for ever."""
    for thread, stop in list(_reading.items()):
        stop.set()
        thread.join()


def read_ahead(
    things: Generator[Made, None, None], depth: int, stop: threading.Event | None = None
) -> Iterator[Made]:
    """Run a generator on a thread of its own, at most ``depth`` results ahead of who takes them.

    The generator is closed on that thread, when it ends or when the one who takes stops early, and the
    thread is waited for.

    Parameters
    ----------
    things : generator
    depth : int
    stop : threading.Event, optional
        Set when the one who takes stops early: the generator need not wait for anything after that.
    """
    ready: queue.Queue[Made | _End] = queue.Queue(maxsize=max(1, depth))
    stop = threading.Event() if stop is None else stop

    def offer(thing: Made | _End) -> bool:
        while not stop.is_set():
            try:
                ready.put(thing, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            with closing(things):
                for thing in things:
                    if not offer(thing):
                        return
            offer(_End())
        except BaseException as error:  # handed over whole: raised where the results are taken
            offer(_End(error))

    # A daemon: the end of the program does not wait for a pass that nobody will finish, but ends it (below).
    thread = threading.Thread(target=work, name="offgraph-read-ahead", daemon=True)
    with _starting("end some of the program's threads"):
        thread.start()
    _reading[thread] = stop
    try:
        while True:
            thing = ready.get()
            if isinstance(thing, _End):
                if thing.error is not None:
                    raise thing.error
                return
            yield thing
    finally:
        stop.set()
        _reading.pop(thread, None)
        while thread.is_alive():
            # A place made free lets a waiting `put` return at once instead of at its time limit.
            with suppress(queue.Empty):
                ready.get_nowait()
            thread.join(timeout=0.02)

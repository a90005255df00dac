"""Ordered work on threads: a map that yields results in the order of its inputs, and a generator read ahead."""

from __future__ import annotations

import atexit
import errno
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import TypeVar

from offgraph.core.errors import MachineError
from offgraph.core.threads import num_threads

__all__ = ["ALIGNMENT", "Given", "Made", "default_threads", "ordered_map", "read_ahead"]


Given = TypeVar("Given")
Made = TypeVar("Made")

ALIGNMENT = 64
"""Bytes. TensorFlow takes an array that starts on such a boundary without copying it."""


def default_threads() -> int:
    """Count the processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity
        return os.cpu_count() or 1


def ordered_map(
    function: Callable[[Given], Made],
    things: Iterable[Given],
    *,
    threads: int,
    ahead: int | None = None,
    stop: threading.Event | None = None,
) -> Generator[Made, None, None]:
    """Map over threads; yield the results in the order of the inputs, and hold at most ``ahead`` of them.

    Inputs are taken as they are needed, never all at once. An exception of ``function`` is raised here with its own
    traceback, at its place in the order. Each call runs its loops on one thread, since the inputs are already worked on
    in parallel. Closing the generator cancels what has not started and waits for what has: no thread outlives it.

    Parameters
    ----------
    threads : int
        Number of threads, at least 1.
    ahead : int, optional
        Most results under way or waiting; ``2 * threads + 2`` unless given.
    stop : threading.Event, optional
        Set when the map ends, by Ctrl-C as well, before running calls are waited for: a function that retries after a pause
        checks it.
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
    """The end of the queue, put after the last item, with the exception that ended the thread, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


_reading: dict[threading.Thread, threading.Event] = {}
"""Threads that read ahead, each with its stop event."""


@atexit.register
def _stop_reading() -> None:
    """End all reading threads at exit, while threads still run; later, joining them would never return."""
    for thread, stop in list(_reading.items()):
        stop.set()
        thread.join()


def read_ahead(
    things: Generator[Made, None, None], depth: int, stop: threading.Event | None = None
) -> Iterator[Made]:
    """Run a generator on a thread of its own, at most ``depth`` results ahead of the consumer.

    The generator is closed on that thread, when it ends or when the consumer stops early, and the
    thread is joined.

    Parameters
    ----------
    things : generator
    depth : int
    stop : threading.Event, optional
        Set when the consumer stops early: the generator need not wait for anything after that.
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

"""Ordered work on threads: a map that yields results in the order of its inputs, and a generator read ahead.

The threads are daemons of this module and not of `concurrent.futures`, which waits for each of its own without limit: a
read from a server that is gone returns when it likes. Such a read fails after a time limit, and neither the end of a pass
nor that of the program waits for its thread.
"""

from __future__ import annotations

import atexit
import errno
import math
import os
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Generic, TypeVar

from offgraph.core.errors import MachineError, OffgraphError
from offgraph.core.machine import READ_TIMEOUT, Read, read_of
from offgraph.core.threads import CallLimit, Ending, keep_to_threads
from offgraph.pipeline.freed import give_back_freed

__all__ = ["ALIGNMENT", "Ended", "Given", "Made", "default_threads", "ordered_map", "read_ahead"]

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
    spare: bool = False,
    ahead: int | None = None,
    stop: threading.Event | None = None,
    ended: threading.Event | None = None,
    read_timeout: float | None = READ_TIMEOUT,
) -> Generator[Made, None, None]:
    """Map over threads; yield the results in the order of the inputs, and hold at most ``ahead`` of them.

    Inputs are taken as they are needed, never all at once. An exception of ``function`` is raised here with its own
    traceback, at its place in the order. Each call runs its loops on one thread, since the inputs are already worked on
    in parallel. Closing the generator cancels what has not started and waits for what has, for up to a second: a call
    that takes longer ends on its own, its result unused.

    Parameters
    ----------
    threads : int
        Number of threads, at least 1.
    spare : bool
        Whether a further thread is started where calls wait for the interpreter lock, which another thread of the program keeps
        busy. No more than `threads` of all are then in native calls at a time, so that one computes while another waits: for
        functions that are native but for a little Python.
    ahead : int, optional
        Most results under way or waiting; ``2 * threads + 2`` unless given.
    stop : threading.Event, optional
        Set when the map ends, by Ctrl-C as well, before running calls are waited for: a function that retries after a pause
        checks it.
    ended : threading.Event, optional
        Whoever takes the results sets it to end the map from another thread: the next result is then not waited for.
    read_timeout : float or None
        Seconds that one read (`offgraph.core.machine.Read`) may take without progress, while its result is waited for.

    Raises
    ------
    MachineError
        Where a read takes longer; names the file. Where a thread cannot be started.
    OffgraphError
        In a process that was forked after the map began.
    Ended
        Once `ended` is set; on a thread of a framework also when the program ends.
    """
    if _is_frameworks_at_exit():
        raise Ended
    ahead = 2 * threads + 2 if ahead is None else ahead
    waiting: deque[_Job[Given, Made]] = deque()
    team = _Team(function, threads, spare)
    try:
        for thing in things:
            waiting.append(team.submit(thing))
            if len(waiting) >= ahead:
                yield team.result(waiting.popleft(), read_timeout, ended)
        team.no_more()
        while waiting:
            yield team.result(waiting.popleft(), read_timeout, ended)
    finally:
        team.end()  # first, and without a wait: Ctrl-C may come in the middle of what follows
        if stop is not None:
            stop.set()
        team.close(_LEAVING)
        _waiting.discard(threading.get_ident())


_LONG_WAIT, _MUCH = 0.004, 0.05
"""Seconds that threads wait for the interpreter lock, and their share of all time, before another thread is started."""
_TICK = 0.1
"""Seconds between two looks at what is waited for."""
_LEAVING = 0.7
"""Seconds to wait for calls in progress, so that Ctrl-C ends a pass within a second."""


_LOOK, _LOOKS = 0.0005, 40
"""Seconds between two looks at whether the system has ended the threads, and how many there are at most."""


class Ended(Exception):
    """Nobody wants the results any more, or the program ends."""


class _Job(Generic[Given, Made]):
    """A call, and what came of it."""

    __slots__ = ("done", "error", "made", "member", "thing")

    def __init__(self, thing: Given) -> None:
        self.thing = thing
        self.made: Made = None  # type: ignore[assignment]  # until it is done
        self.error: BaseException | None = None
        self.member: _Member | None = None
        self.done = threading.Lock()  # held until the call has returned
        self.done.acquire()

    def work(self, function: Callable[[Given], Made], member: _Member) -> None:
        self.member = member
        try:
            self.made = function(self.thing)
        except BaseException as error:  # raised where the result is taken
            self.error = error
        finally:
            self.done.release()


class _Member(threading.Thread):
    """A thread of a team."""

    def __init__(self, team: _Team) -> None:
        super().__init__(name="offgraph-worker", daemon=True)
        self.function, self.jobs, self.ending, self.limit = team.function, team.jobs, team.ending, team.limit

    def run(self) -> None:
        """Work on one job after another until the team is closed, which ends a native call as well."""
        self.ending.watch()
        if self.limit is not None:
            self.limit.keep()
        keep_to_threads(1)
        while (job := self.jobs.get()) is not None:
            if not self.ending.is_set():
                job.work(self.function, self)
            del job
        self.jobs.put(None)  # for the next one, known to its team or not

    def wait(self, seconds: float | None) -> None:
        """Wait for its end; with None however long that takes, except for a read that does not come to an end."""
        patience = _Patience(_LEAVING)
        until = math.inf if seconds is None else time.monotonic() + seconds
        while self.is_alive() and time.monotonic() < until:
            self.join(timeout=_TICK)
            if seconds is None and patience.is_over(read_of(self.ident)):
                return

    @property
    def is_in_system(self) -> bool:
        """Whether the system has yet to end the thread: native code frees its memory after Python's part of it."""
        return os.path.exists(f"/proc/self/task/{self.native_id}")  # noqa: PTH110  never, where it is not Linux


class _Team(Generic[Given, Made]):
    """Threads that take jobs from one queue, each started when there is something to do."""

    def __init__(self, function: Callable[[Given], Made], threads: int, spare: bool) -> None:
        self.function, self.threads = function, threads
        self.limit = CallLimit(threads) if spare else None
        self.began = time.monotonic()
        self.jobs: queue.SimpleQueue[_Job[Given, Made] | None] = queue.SimpleQueue()
        self.ending = Ending()
        self.process = os.getpid()
        self.members: list[_Member] = []
        for team in [team for team in _teams if team.is_over]:
            _teams.discard(team)
        _teams.add(self)

    @property
    def is_over(self) -> bool:
        """Whether it is closed, and no thread is left."""
        return self.ending.is_set() and not any(member.is_alive() for member in self.members)

    def submit(self, thing: Given) -> _Job[Given, Made]:
        """Hand a call to the threads; a new one finds it there."""
        job: _Job[Given, Made] = _Job(thing)
        self.jobs.put(job)
        if len(self.members) < self.threads:
            self._start()
        elif len(self.members) == self.threads and self._needs_spare:
            with suppress(MachineError):  # it goes on without
                self._start()
        return job

    @property
    def _needs_spare(self) -> bool:
        """Whether much of the time of the threads is spent waiting for the interpreter lock."""
        if self.limit is None:
            return False
        waited = self.limit.waited()
        return waited > _LONG_WAIT and waited > _MUCH * self.threads * (time.monotonic() - self.began)

    def no_more(self) -> None:
        """Let each thread end after its last job, so that none has to be woken for it."""
        self.jobs.put(None)

    def _start(self) -> None:
        member = _Member(self)
        self.members.append(member)  # before: Ctrl-C may end the wait for its start, and not the start
        with _starting(f"use fewer than {self.threads} threads"):
            member.start()

    def result(
        self, job: _Job[Given, Made], read_timeout: float | None, ended: threading.Event | None
    ) -> Made:
        """Wait for a job; raise its exception with its own traceback."""
        if os.getpid() != self.process:  # its threads are not here
            raise forked()
        if not job.done.acquire(blocking=False):
            self._wait(job, read_timeout, ended)
        if job.error is None:
            return job.made
        try:
            if isinstance(job.error, StopIteration | GeneratorExit):  # these would end the map unnoticed
                raise RuntimeError(f"a call raised {type(job.error).__name__}") from job.error
            raise job.error
        finally:
            del job  # its exception holds this frame

    def _wait(
        self, job: _Job[Given, Made], read_timeout: float | None, ended: threading.Event | None
    ) -> None:
        patience, thread = None, threading.get_ident()
        _waiting.add(thread)  # where it is to leave, until the team is closed
        while not _is_frameworks_at_exit() and not (ended is not None and ended.is_set()):
            if job.done.acquire(timeout=_TICK):
                _waiting.discard(thread)
                return
            patience = patience or _Patience(read_timeout)
            if job.member is not None and patience.is_over(read_of(job.member.ident)):
                raise patience.error()
        raise Ended

    def end(self) -> None:
        """Cancel what has not begun, and let the threads end."""
        self.ending.set()
        self.no_more()

    def close(self, patience: float | None) -> None:
        """Cancel what has not begun and end the threads; wait so long for those that are at work."""
        self.end()
        until = None if patience is None else time.monotonic() + patience
        for member in self.members:
            member.wait(None if until is None else until - time.monotonic())
        if not self.is_over:
            return
        _teams.discard(self)
        looks = 0
        while (
            give_back_freed.is_due and looks < _LOOKS and any(member.is_in_system for member in self.members)
        ):
            time.sleep(_LOOK)
            looks += 1


_teams: set[_Team] = set()
"""Those with threads, for the end of the program."""


_exiting = threading.Event()
"""Set when the program ends."""
_waiting: set[int] = set()
"""Threads that wait for a result, or were told to leave and have not left."""


def _is_frameworks_at_exit() -> bool:
    """Whether the program ends, and this is a thread of a framework: those of the program itself have ended before."""
    return _exiting.is_set() and threading.current_thread() is not threading.main_thread()


def forked() -> OffgraphError:
    """Return the error for a pass that goes on in a child of its process, where its threads are not."""
    return OffgraphError(
        "this pass was begun before the process forked: begin another one in this process, with iter(loader)"
    )


class _Patience:
    """Counts the time that one read takes, in looks: a process that was suspended has not waited."""

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self.waited, self.last = 0.0, time.monotonic()
        self.seen: tuple[Read | None, int] = None, 0

    def is_over(self, read: Read | None) -> bool:
        """Look at the read once more; say whether it takes too long."""
        now, before = time.monotonic(), self.last
        self.last = now
        seen = read, 0 if read is None else read.steps
        if read is None or self.limit is None or seen != self.seen:
            self.seen, self.waited = seen, 0.0
            return False
        self.waited += min(now - before, 2 * _TICK)
        return self.waited >= self.limit

    def error(self) -> MachineError:
        """Return the error for the read."""
        read = self.seen[0]
        cause = OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        where = "a file" if read is None else read.path
        return MachineError(
            f"{where}: not read within {self.limit:g} seconds: the drive or the server that it lies on does not answer",
            cause,
        )


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


_reading: dict[threading.Thread, tuple[threading.Event, Callable[[], None]]] = {}
"""Threads that read ahead, each with its stop event, and what tells whoever waits for it that nothing more comes."""


@atexit.register
def _stop_threads() -> None:
    """End all threads at exit, while they still run; later, joining them would never return.

    A thread that comes back from native code once the interpreter is gone ends the process with an error; so those that
    wait for a result, which look up now and then, are told to leave. TensorFlow waits for its own.
    """
    _exiting.set()
    are_any = bool(_reading or _teams)
    for thread, (stop, end) in list(_reading.items()):
        stop.set()
        thread.join()
        end()
    for team in list(_teams):
        team.close(None)
    until = time.monotonic() + 2 * _LEAVING
    while _waiting and time.monotonic() < until:
        time.sleep(0.002)
    if are_any and "tensorflow" in sys.modules:
        time.sleep(0.05)  # its threads may ask for more, see the end once more, and leave


def _forget_threads() -> None:
    """In a forked child: there are none of them."""
    _waiting.clear()
    _reading.clear()
    _teams.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


def read_ahead(
    things: Generator[Made, None, None], depth: int, stop: threading.Event | None = None
) -> Generator[Made, None, None]:
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
    # Two simple queues, which are of C, in place of one with a limit, which is not: 40 µs per result beside decoding.
    ready: queue.SimpleQueue[Made | _End] = queue.SimpleQueue()
    room: queue.SimpleQueue[None] = (
        queue.SimpleQueue()
    )  # an entry for each result that may still wait to be taken
    for _ in range(max(1, depth)):
        room.put(None)
    stop = threading.Event() if stop is None else stop

    def offer(thing: Made | _End) -> bool:
        while not stop.is_set():
            try:
                room.get(timeout=_TICK)
            except queue.Empty:
                continue
            ready.put(thing)
            return True
        return False

    def work() -> None:
        try:
            with closing(things):
                for thing in things:
                    if not offer(thing):
                        return
            offer(_End())
        except Ended:
            ready.put(_End())
        except BaseException as error:  # handed over whole: raised where the results are taken
            offer(_End(error))

    # A daemon: the end of the program does not wait for a pass that nobody will finish, but ends it (below).
    thread = threading.Thread(target=work, name="offgraph-read-ahead", daemon=True)
    process = os.getpid()
    try:  # Ctrl-C may end the wait for the start of the thread, and not the start
        with _starting("end some of the program's threads"):
            thread.start()
        _reading[thread] = stop, lambda: ready.put(_End())
        while True:
            if os.getpid() != process:  # its thread is not here, and its locks may be held for ever
                raise forked()
            thing = ready.get()
            room.put(None)
            if isinstance(thing, _End):
                if thing.error is not None:
                    raise thing.error
                return
            yield thing
    finally:
        stop.set()
        while thread.is_alive():
            room.put(None)  # lets it look at `stop` at once instead of at its time limit
            thread.join(timeout=0.02)
        _reading.pop(thread, None)

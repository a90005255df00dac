"""The process that runs the passes of a loader, as the program sees it.

A busy thread of the program lets others have the GIL only every 5 ms, and a loader in the same process waits for that
several times per batch. In a process of its own it waits for nobody; the program takes whole batches, one system call
each, out of memory that both share (`pipeline/shared.py`).

Each pass has a socket of its own, whose other end is sent to the process: closing it ends the pass, and the end of
either process is seen as its end. `loading/process_worker.py` is the other side.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import io
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Generator
from functools import partial
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from types import FunctionType
from typing import Any

from offgraph.core.errors import ArgumentError, MachineError, OffgraphError, OffgraphWarning
from offgraph.loading.batch import Batch, LazyRecords
from offgraph.loading.maker import SampleMaker
from offgraph.loading.packing import unpack
from offgraph.loading.passes import Pass
from offgraph.loading.position import Position
from offgraph.pipeline.channel import Channel, ChannelClosed, Frame
from offgraph.pipeline.shared import BorrowedBuffers, Returns

__all__ = ["RECORDS", "SEGMENT", "LoaderProcess", "OwnProcess", "check_platform"]

SEGMENT, RECORDS = 0, 1
"""Kinds of what is given back through the pipe: a segment, and the records of a batch."""

_CODE = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the program decides
import json
sys.path[:] = json.loads(sys.argv[1])
from offgraph.loading.process_worker import main
main(int(sys.argv[2]), int(sys.argv[3]))
"""
_LEAVING_SECONDS = 1.0


def check_platform() -> None:
    """Refuse a system without sockets that carry file descriptors.

    Raises
    ------
    ArgumentError
    """
    if not hasattr(socket, "send_fds"):
        raise ArgumentError("process=True: this system cannot share memory with a process; leave it out")


class OwnProcess:
    """The process of one loader: started when a pass needs it, and again after it was killed.

    Parameters
    ----------
    ahead : int
        Batches that wait to be taken, at most.
    """

    def __init__(self, ahead: int) -> None:
        self._ahead = ahead
        self._lock = threading.Lock()
        self._process: LoaderProcess | None = None

    def batches(self, made: Pass) -> Generator[tuple[Batch, Position], None, None]:
        """Run a pass; see `LoaderProcess.batches`."""
        if not _is_ending():
            batches = self._running(made.maker).batches(made, self._ahead)
            _open.add(batches)
            yield from batches

    def _running(self, maker: SampleMaker) -> LoaderProcess:
        maker.rules()  # found once, for both processes
        with self._lock:
            if self._process is None or not self._process.usable:
                self._process = LoaderProcess(maker, self._ahead)
            return self._process


class _WorkerTraceback(Exception):
    """Where in the loader's process an error was raised; it is the cause of that error here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class LoaderProcess:
    """A process with the samples of a loader, which runs one pass after another, or several at a time.

    It is a fresh interpreter (`subprocess`, which is safe beside threads and after a framework was imported; a fork
    would copy their locks), and never sees the program's ``__main__``. It ends with this object or with the program,
    however that ends.

    Parameters
    ----------
    maker : SampleMaker
    ahead : int
        Batches that a pass makes ahead.

    Raises
    ------
    ArgumentError
        Where a step or a source is of a class that the process cannot import.
    MachineError
        Where the process cannot be started.
    """

    def __init__(self, maker: SampleMaker, ahead: int) -> None:
        self._maker = maker
        self._lock = threading.Lock()
        described = _pickled(maker)
        here, there = socket.socketpair()
        to_read, to_write = os.pipe()
        self._channel, self._returns = Channel(here), Returns(to_write)
        _open.update((self._channel, self._returns))
        self._borrowed = BorrowedBuffers(partial(self._returns.give, SEGMENT))
        try:
            self._process = _started(there.fileno(), to_read)
        except OSError as error:
            self._channel.close()
            raise MachineError(
                f"the loader's process could not be started ({error.strerror or error})", error
            ) from error
        finally:
            there.close()
            os.close(to_read)
        self._finalizer = weakref.finalize(self, _end, self._process, self._channel, os.getpid())
        self._finalizer.atexit = False  # `_end_all` is for that
        _processes.add(self)
        try:
            self._channel.send({"ahead": ahead}, described)
            answer = _received(self._channel)
        except ChannelClosed:
            raise self._lost() from None
        if "error" in answer.header:
            self.end()
            raise _error(answer)

    @property
    def usable(self) -> bool:
        """Whether it runs, and was started by this very process, not by one that this one was forked from."""
        owned = self._finalizer.alive and self._returns.process_id == os.getpid()
        return owned and self._process.poll() is None

    def batches(self, made: Pass, ahead: int) -> Generator[tuple[Batch, Position], None, None]:
        """Run a pass there; at most `ahead` batches wait to be taken.

        Raises
        ------
        MachineError
            Where the process was killed. Other errors are those of the pass, each with its traceback as its cause.
        """
        here, there = socket.socketpair()
        channel = Channel(here)
        taken = 0
        self._returns.flush()
        try:
            with there, self._lock:
                self._channel.send({"ahead": ahead}, _pickled(made), [there.fileno()])
            while True:
                self._check_owner(
                    "this pass was begun", "begin another one in this process, with iter(loader)"
                )
                frame = _received(channel)
                batch = self._taken(frame)
                taken += 1
                if not channel.pending:  # one system call for all that came with one
                    self._say_taken(channel, taken)
                    taken = 0
                self._tell(frame.header)
                if "error" in frame.header:
                    raise _error(frame)
                if batch is None:
                    return
                images, batches, left_out = frame.header["position"]
                yield batch, Position(made.begin.epoch, images, batches, left_out, made.begin.cuts)
                del batch
        except ChannelClosed:
            if not _is_ending():
                raise self._lost() from None
        finally:
            self._say_taken(channel, taken)
            channel.close()
            self._returns.flush()

    def end(self) -> None:
        """End the process; a pass in progress ends with an error."""
        if taken := self._finalizer.detach():  # calling it does nothing at the end of the program
            _end(*taken[2])

    def records(self, number: int) -> list[dict[str, Any]]:
        """Records of a batch that was taken."""
        self._check_owner("this batch was taken", "ask for its records there, or before")
        try:
            with self._lock:
                self._channel.send({"records": number})
                answer = self._channel.receive()
        except ChannelClosed:
            raise self._lost("the records of this batch are gone with it") from None
        if "error" in answer.header:
            raise _error(answer)
        return answer.header["records"]

    def _check_owner(self, what: str, instead: str) -> None:
        if os.getpid() != self._returns.process_id:  # the sockets are the parent's
            raise OffgraphError(f"{what} before the process forked: {instead}")

    def _say_taken(self, channel: Channel, count: int) -> None:
        """Say how many frames were taken: their segments are given back by this side alone."""
        try:
            if count:
                channel.signal(count)
        except BaseException:  # Ctrl-C: the other side would use again what is held here
            self.end()
            raise

    def _taken(self, frame: Frame) -> Batch | None:
        """Make the batch of a frame."""
        try:
            for number, handle in zip(frame.header.get("mapped", ()), frame.handles, strict=True):
                self._borrowed.map(number, handle)
            batch = None
            if "batch" in frame.header:
                batch = unpack(frame.header["batch"], frame.body, self._borrowed, self._records_of)
            self._borrowed.discard(frame.header.get("discarded", ()))
        except BaseException:  # Ctrl-C as well: it is not known what was taken, so nothing more is
            self.end()
            raise
        finally:
            for handle in frame.handles:
                os.close(handle)
        return batch

    def _records_of(self, given: list[int]) -> LazyRecords:
        number, count = given
        records = _RemoteRecords(self, self._returns, number)
        return LazyRecords(count, lambda: map(records.one, range(count)))

    def _tell(self, header: dict[str, Any]) -> None:
        """Bring what the maker of this process lists up to date, and repeat the warnings."""
        for name, found in header.get("reports", {}).items():
            self._maker.add_to_list(name, found)
        for category, text in header.get("warnings", ()):
            warnings.warn(text, _CATEGORIES.get(category, UserWarning), stacklevel=4)

    def _lost(self, more: str = "the next pass starts a new one") -> MachineError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        status = self._process.returncode
        self.end()
        if status is not None and status < 0:
            name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
            how = f"was killed ({name})" if -status != signal.SIGSEGV else f"crashed ({name})"
            why = ", as the system does where memory runs out" if -status == signal.SIGKILL else ""
        else:
            how, why = f"ended (status {status})", ""
        cause = ChildProcessError(errno.ECHILD, os.strerror(errno.ECHILD))
        return MachineError(f"the loader's process {how}{why}; {more}", cause)


_processes: weakref.WeakSet[LoaderProcess] = weakref.WeakSet()
_open: weakref.WeakSet[Channel | Returns | Generator[Any, None, None]] = weakref.WeakSet()
"""What would do something when it is dropped, too late at the end of a program: the names of modules are gone then."""
_receiving: set[int] = set()
"""Threads that wait for a batch."""
_exiting = threading.Event()


def _received(channel: Channel) -> Frame:
    """Wait for a frame."""
    thread = threading.get_ident()
    _receiving.add(thread)
    try:
        return channel.receive()
    finally:
        _receiving.discard(thread)


def _is_ending() -> bool:
    """Whether the program ends, and this is a thread of a framework: its pass just ends, whatever it has had."""
    return _exiting.is_set() and threading.current_thread() is not threading.main_thread()


@atexit.register
def _end_all() -> None:
    """End all processes while threads that wait for them can still return.

    Later they would take the GIL while the interpreter is taken down, which crashes; and TensorFlow, which waits for its
    threads then, would hang if they never returned.
    """
    _exiting.set()
    for process in list(_processes):
        process.end()
    deadline = time.monotonic() + _LEAVING_SECONDS
    while _receiving and time.monotonic() < deadline:
        time.sleep(0.002)
    if sys.modules.get("tensorflow"):
        time.sleep(0.05)  # they may ask for more, see the end once more, and leave
    for thing in list(_open):
        with contextlib.suppress(ValueError):  # a pass that still runs
            thing.close()


class _RemoteRecords:
    """Records of one batch, asked for once; the other process may forget them when this object is gone."""

    def __init__(self, process: LoaderProcess, returns: Returns, number: int) -> None:
        self._process, self._returns, self._number = process, returns, number
        self._made: list[dict[str, Any]] | None = None

    def one(self, place: int) -> dict[str, Any]:
        if self._made is None:
            self._made = self._process.records(self._number)
        return self._made[place]

    def __del__(self) -> None:
        self._returns.give(RECORDS, self._number)


_CATEGORIES: dict[str, type[Warning]] = {
    kind.__name__: kind for kind in (OffgraphWarning, *Warning.__subclasses__())
}


class _Pickler(ForkingPickler):
    """Refuses by name what the process would not find."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type | FunctionType) and obj.__module__ == "__main__":
            raise ArgumentError(
                f"process=True: {obj.__qualname__} is defined in the program itself, which the loader's process does not "
                "run; move it into a module and import it from there"
            )
        return NotImplemented


def _pickled(thing: Any) -> bytes:
    data = io.BytesIO()
    try:
        _Pickler(data, pickle.HIGHEST_PROTOCOL).dump(thing)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise ArgumentError(
            f"process=True: {error}; what a source and a recipe hold has to be picklable, to be sent to a process"
        ) from error
    return data.getvalue()


def _started(connection: int, returns: int) -> subprocess.Popen[bytes]:
    source = str(Path(__file__).resolve().parents[2])
    paths = [path for path in sys.path if path]
    paths += [] if source in paths else [source]
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _CODE, json.dumps(paths), str(connection), str(returns)],
        pass_fds=[connection, returns],
        stdin=subprocess.DEVNULL,
    )


def _end(process: subprocess.Popen[bytes], channel: Channel, owner: int) -> None:
    """End the process; it does so by itself when its socket is closed."""
    if os.getpid() != owner:  # forked: it belongs to the parent
        return
    channel.close()
    try:
        process.wait(_LEAVING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _error(frame: Frame) -> BaseException:
    """The error that a frame tells of."""
    described = frame.header["error"]
    error: BaseException = pickle.loads(frame.body)  # noqa: S301  from the process that was started here
    for note in described["notes"][len(getattr(error, "__notes__", ())) :]:
        error.add_note(note)
    error.__cause__ = _WorkerTraceback(described["traceback"])
    return error

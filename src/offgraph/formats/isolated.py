"""Decode in a worker process, for formats whose decoders are not hardened against hostile bytes.

A decoder that crashes, hangs or asks for endless memory ends its worker and not the reader: the file is refused with a
`FormatError`, and a new worker serves the next one. DESIGN.md lists what is decoded here and what it costs.

A worker is a fresh interpreter with a socket, started when it is first needed (`subprocess`, which is safe beside
threads; a fork would copy their locks). It never sees the program's ``__main__``, and loads no framework. Reads from
several threads take several workers, up to the number of cores.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from offgraph.core.errors import MachineError
from offgraph.formats import wire
from offgraph.formats.base import FormatError, Limits, StoredImage

__all__ = ["close", "decode"]

_MOST_WORKERS = 8
_START_SECONDS = 120  # of a machine under load
_WALL_PER_CPU = 4  # on a busy machine a process gets only part of a core
_FIRST_SECONDS = 30
_LEAVING_SECONDS = 5  # an interpreter that closed its socket may take that long to end
_CODE = "import sys, json; sys.path[:] = json.loads(sys.argv[1])\nfrom offgraph.formats.worker import main; main(int(sys.argv[2]))"
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def decode(function: Callable[..., StoredImage], data: bytes, limits: Limits, **options: Any) -> StoredImage:
    """Run ``function(data, limits, **options)`` in a worker process.

    Parameters
    ----------
    function : callable
        A function of a module of `offgraph.formats`, found there by its name. It calls ``limits.check`` as soon as
        it knows the size: until then it has 4 CPU seconds and 256 MB, after that what the declared pixels need.
    data : bytes
        The file.
    limits : Limits
        Passed on; the memory of the worker follows from it, and what is checked there is noted here.
    **options
        What JSON holds.

    Returns
    -------
    StoredImage

    Raises
    ------
    FormatError
        As `function` raises it, or the cause of whatever else it raises; where the decoder died, took too long or
        wanted too much memory; where what it gave back is larger than the limit.
    MachineError
        Where no worker can be started, or the system kills it: the file is not at fault.
    """
    request = {
        "function": f"{function.__module__}:{function.__qualname__}",
        "max_pixels": limits.max_pixels,
        "options": options,
        "bytes": len(data),
    }
    killed = False
    while True:
        worker = _pool.take()
        try:
            stored = worker.ask(request, data, limits)
        except wire.Closed:
            end = worker.stop(_LEAVING_SECONDS)
            if worker.answered and end == 0:  # its idle time ran out at that moment
                continue
            if (
                end == -signal.SIGKILL
            ):  # by the system, because memory ran out: its own limits end it in other ways
                if killed:
                    raise MachineError(
                        "the process that decodes it was killed twice, as the system does where memory runs out",
                        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
                    ) from None
                killed = True
                continue
            raise FormatError(_exit_cause(end)) from None
        except TimeoutError:
            worker.stop()
            raise FormatError("the decoder took too long and was stopped") from None
        except BaseException:
            if not worker.free:  # Ctrl-C, or a malformed answer: what follows in the socket is unknown
                worker.stop()
            raise
        finally:
            _pool.give(worker)
        return stored


def _exit_cause(status: int | None) -> str:
    if status == -signal.SIGXCPU:
        return "the decoder took too many CPU seconds for a file of this size and was stopped"
    if status is not None and status < 0:
        try:
            return f"damaged: the decoder crashed on it ({signal.Signals(-status).name})"
        except ValueError:
            return f"damaged: the decoder crashed on it (signal {-status})"
    return f"damaged: the decoder ended (status {status})"


def close() -> None:
    """End the idle workers; the next file starts a new one."""
    _pool.close()


class _Worker:
    """A process and the socket to it."""

    def __init__(self) -> None:
        import socket
        import subprocess

        here, there = socket.socketpair()
        source = str(Path(__file__).resolve().parents[2])
        paths = [path for path in sys.path if path]
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-c",
                    _CODE,
                    json.dumps([*paths, *([] if source in paths else [source])]),
                    str(there.fileno()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[there.fileno()],
                env={**os.environ, **_ENVIRONMENT},
                bufsize=0,
            )
        except BaseException:
            here.close()
            raise
        finally:
            there.close()
        self._channel = here
        self.free = False
        self.answered = False
        try:
            wire.receive(here, time.monotonic() + _START_SECONDS)
        except (wire.Closed, TimeoutError) as error:
            stderr = self._process.stderr
            self._process.kill()
            output = (stderr.read() or b"").decode(errors="replace").strip() if stderr else ""
            self.stop()
            raise ChildProcessError(
                errno.ECHILD,
                f"the process that decodes such files does not start: {output[-300:] or 'it ended'}",
            ) from error
        except BaseException:
            self.stop()
            raise
        if self._process.stderr:
            self._process.stderr.close()

    @property
    def alive(self) -> bool:
        return self._process.returncode is None and self._process.poll() is None

    def ask(self, request: dict[str, Any], data: bytes, limits: Limits) -> StoredImage:
        self.free = False
        deadline = time.monotonic() + _FIRST_SECONDS + _WALL_PER_CPU * len(data) / 1e6
        self._channel.settimeout(deadline - time.monotonic())
        try:
            wire.send(self._channel, request, data)
            while "seconds" in (answer := wire.receive(self._channel, deadline)):
                deadline = time.monotonic() + _FIRST_SECONDS + _WALL_PER_CPU * float(answer["seconds"])
                limits.checked.append((int(answer["size"][0]), int(answer["size"][1])))
            if "error" in answer:
                self.free = self.answered = True
                raise FormatError(str(answer["error"]))
            stored = wire.unpack(answer["stored"], limits, self._channel, deadline)
            self.free = self.answered = True
            return stored
        except (BrokenPipeError, ConnectionResetError) as error:
            raise wire.Closed from error
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"damaged: the decoder gave a malformed answer ({error})") from error

    def stop(self, patience: float = 0.2) -> int | None:
        """End the process; return how it ended, where it did so by itself within `patience` seconds."""
        import socket
        import subprocess

        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)  # forked children may hold the socket, too
        self._channel.close()
        try:
            status = self._process.wait(patience)  # it closed the socket by dying: the kernel may not be done
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = None
            self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()
        return status

    def forget(self) -> None:
        """In a forked child: drop what belongs to the parent."""
        self._channel.close()
        self._process.returncode = 0


class _Pool:
    """Idle workers, the most recently used on top."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._idle: list[_Worker] = []
        self._count = 0
        self._most = max(
            1, min(_MOST_WORKERS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
        )
        self._process_id = os.getpid()

    def take(self) -> _Worker:
        with self._changed:
            while True:
                while self._idle:
                    worker = self._idle.pop()
                    if worker.alive:
                        return worker
                    worker.stop()
                    self._count -= 1
                if self._count < self._most:
                    self._count += 1
                    break
                self._changed.wait()
        try:
            return _Worker()
        except OSError as error:
            self._lose()
            raise MachineError(
                f"no process to decode it in could be started ({error.strerror or error})", error
            ) from error
        except BaseException:
            self._lose()
            raise

    def give(self, worker: _Worker) -> None:
        if not worker.free:
            self._lose()
            return
        with self._changed:
            self._idle.append(worker)
            self._changed.notify()

    def _lose(self) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            workers, self._idle = self._idle, []
            self._count -= len(workers)
        for worker in workers:
            worker.stop()

    def forget(self) -> None:
        for worker in self._idle:
            worker.forget()


_pool = _Pool()


def _renew_after_fork() -> None:
    global _pool
    _pool.forget()
    _pool = _Pool()


atexit.register(close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_after_fork)

"""The process that runs the passes of a loader, from the inside; `loading/process.py` says how it is used."""

from __future__ import annotations

import itertools
import os
import pickle
import select
import socket
import sys
import threading
import traceback
import warnings
from collections import deque
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from offgraph.core.errors import OffgraphError, OffgraphWarning
from offgraph.loading.batch import Batch
from offgraph.loading.maker import SampleMaker
from offgraph.loading.packing import Packed, pack
from offgraph.loading.passes import Pass
from offgraph.loading.process import RECORDS
from offgraph.pipeline.channel import Channel, ChannelClosed
from offgraph.pipeline.shared import SharedBuffers, read_returns

__all__ = ["main"]

_LOOK_SECONDS = 1.0
"""Between two looks at whether the program still runs; nearly always its socket says so at once."""
_UNUSED = 4
"""Unused segments that are kept, beside those for the batches made ahead."""


def main(connection: int, returns: int) -> None:
    """Serve a program over a socket and a pipe, until they are closed or the program is gone."""
    channel = Channel(socket.socket(fileno=connection))
    os.set_blocking(returns, False)
    try:
        frame = channel.receive()
        maker: SampleMaker = pickle.loads(frame.body)  # noqa: S301  from the program that started this
        channel.send({})
    except ChannelClosed:
        return
    except BaseException as error:
        channel.send(*_described(error))
        return
    _Server(channel, returns, maker, frame.header["ahead"]).serve()


@dataclass(frozen=True)
class _Sent:
    """What a batch has taken along, until the program says that it has it."""

    lent: Sequence[int] = ()
    mapped: Sequence[int] = ()
    discarded: Sequence[int] = ()
    records: int | None = None


class _Server:
    """Answers the program, on the main thread.

    Parameters
    ----------
    channel : Channel
    returns : int
        File descriptor of the pipe through which the program gives back what it had.
    maker : SampleMaker
    ahead : int
        Batches that a pass makes ahead.
    """

    def __init__(self, channel: Channel, returns: int, maker: SampleMaker, ahead: int) -> None:
        self._channel, self._returns = channel, returns
        self.maker = maker
        self.buffers = SharedBuffers(ahead + _UNUSED)
        self.records: dict[int, Sequence[Any]] = {}
        self.numbers = itertools.count()
        self.warnings: deque[tuple[str, str]] = deque()
        warnings.showwarning = self._warned
        warnings.simplefilter("always", OffgraphWarning)  # the program's own filters decide

    def serve(self) -> NoReturn:
        """Serve until the program closes its end, or is gone."""
        program = os.getppid()
        while True:
            ready, _, _ = select.select([self._channel, self._returns], [], [], _LOOK_SECONDS)
            try:
                if self._channel in ready:
                    self._answer()
                    while self._channel.pending:
                        self._answer()
            except ChannelClosed:
                self._leave()
            if self._returns in ready:
                self._take_back()
            if os.getppid() != program:
                self._leave()

    def _answer(self) -> None:
        frame = self._channel.receive()
        if "records" in frame.header:
            try:
                self._channel.send({"records": list(self.records[frame.header["records"]])})
            except Exception as error:
                if isinstance(error, ChannelClosed):
                    raise
                self._channel.send(*_described(error))
            return
        (handle,) = frame.handles
        _ServedPass(self, Channel(socket.socket(fileno=handle)), frame.body, frame.header["ahead"]).start()

    def _take_back(self) -> None:
        for kind, number in read_returns(self._returns):
            if kind == RECORDS:
                self.records.pop(number, None)
            else:
                self.buffers.returned(number)

    def _warned(self, message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        self.warnings.append((category.__name__, str(message)))

    def _leave(self) -> NoReturn:
        """End at once: passes in progress are of no use to anybody."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(0)


class _ServedPass:
    """A pass in progress: one thread makes batches and sends them, another one hears which were taken."""

    def __init__(self, server: _Server, channel: Channel, described: bytes, ahead: int) -> None:
        self._server, self._channel, self._described = server, channel, described
        self._places = threading.Semaphore(ahead + 1)  # what was taken is said a batch late
        self._sent: deque[_Sent] = deque()
        self._reported: dict[str, dict[str, Any]] = {}
        self._stop = threading.Event()
        self._making = threading.Thread(target=self._make, name="offgraph-pass")

    def start(self) -> None:
        """Begin the pass."""
        self._making.start()
        threading.Thread(target=self._hear, name="offgraph-taken").start()

    def _make(self) -> None:
        try:
            made: Pass = pickle.loads(self._described)  # noqa: S301  from the program that started this
            made.attach(self._server.maker, self._server.buffers)
            with closing(made.batches(self._stop)) as batches:
                for batch, at in batches:
                    self._places.acquire()
                    if self._stop.is_set():
                        return
                    self._send(batch, {"position": [at.images, at.batches, at.left_out]})
                    del batch
            self._send(None)
        except ChannelClosed:
            pass
        except BaseException as error:
            header, body = _described(error)
            with suppress(ChannelClosed):
                self._send(None, header, body)

    def _send(self, batch: Batch | None, header: dict[str, Any] | None = None, body: bytes = b"") -> None:
        header = {} if header is None else header
        server, packed, number = self._server, Packed(self._server.buffers), None
        if batch is not None:
            number = next(server.numbers)
            server.records[number] = batch.records
            records = [number, len(batch.records)]
            header["batch"] = pack(batch, packed, lambda _: records)
            body = bytes(packed.body)
        if reports := self._reports():
            header["reports"] = reports
        if discarded := server.buffers.take_discarded():
            header["discarded"] = discarded
        if server.warnings:
            header["warnings"] = [server.warnings.popleft() for _ in range(len(server.warnings))]
        mapped, handles = list(packed.handles), list(packed.handles.values())
        if mapped:
            header["mapped"] = mapped
        self._sent.append(_Sent(packed.lent, mapped, discarded, number))
        self._channel.send(header, body, handles)

    def _reports(self) -> dict[str, dict[str, Any]]:
        """What is new in the lists of the maker."""
        found = {}
        for name, listed in self._server.maker.lists.items():
            now, before = dict(listed), self._reported.get(name, {})
            if now != before:
                found[name] = {key: value for key, value in now.items() if before.get(key) != value}
                self._reported[name] = now
        return found

    def _hear(self) -> None:
        buffers, records = self._server.buffers, self._server.records
        while count := self._channel.signals():
            for _ in range(count):
                for number in self._sent.popleft().mapped:
                    buffers.received(number)
                self._places.release()
        self._stop.set()
        self._places.release()
        self._making.join()
        for sent in self._sent:  # nobody has it
            for number in sent.lent:
                buffers.returned(number, unseen=True)
            buffers.not_told(list(sent.discarded))
            records.pop(sent.records, None)  # type: ignore[arg-type]  # None is no key
        self._channel.close()


def _described(error: BaseException) -> tuple[dict[str, Any], bytes]:
    """An error as it is sent: itself where it can be, else what it says."""
    text = "".join(traceback.format_exception(error))
    notes = list(getattr(error, "__notes__", ()))
    try:
        body = pickle.dumps(error)
        pickle.loads(body)  # noqa: S301  some can be written only
    except Exception:
        body = pickle.dumps(OffgraphError(f"{type(error).__name__}: {error}"))
    return {"error": {"traceback": text, "notes": notes}}, body

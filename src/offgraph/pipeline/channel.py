"""Frames of JSON, raw bytes and file descriptors over a socket between a process and the one that it started."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

__all__ = ["Channel", "ChannelClosed", "Frame"]

_LENGTHS = struct.Struct(">IQB")
"""Before each frame: bytes of its header, bytes of its body, number of file descriptors."""
_READ = 1 << 16
_SPACE = socket.CMSG_LEN(64 * 4) if hasattr(socket, "CMSG_LEN") else 0
"""For file descriptors that come with what is read at a time; the system ends a read after those of one frame."""
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class ChannelClosed(Exception):
    """The other side has closed the connection, or its process has ended."""


class Frame(NamedTuple):
    """What was sent at a time.

    Parameters
    ----------
    header : dict
        JSON.
    body : bytes
    handles : list of int
        File descriptors; they belong to whoever takes the frame.
    """

    header: dict[str, Any]
    body: bytes
    handles: list[int]


class Channel:
    """One end of a connected socket.

    What has arrived is read with one system call, however many frames it is: each call releases the GIL, and a busy
    thread of the program lets others have it again only after 5 ms.

    Parameters
    ----------
    connection : socket
        Belongs to the channel from here on.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._process_id = os.getpid()
        self._closed = False
        self._data = bytearray()
        self._handles: deque[int] = deque()

    def fileno(self) -> int:
        """File descriptor of the socket, to wait for."""
        return self._socket.fileno()

    def send(self, header: dict[str, Any], body: bytes = b"", handles: Sequence[int] = ()) -> None:
        """Send one frame.

        Raises
        ------
        ChannelClosed
        """
        text = json.dumps(header).encode()
        data = b"".join((_LENGTHS.pack(len(text), len(body), len(handles)), text, body))
        try:
            if handles:
                data = data[socket.send_fds(self._socket, [data], handles) :]
            self._socket.sendall(data)
        except OSError as error:
            raise ChannelClosed from error

    def receive(self) -> Frame:
        """Wait for the next frame.

        Raises
        ------
        ChannelClosed
        """
        while (frame := self._complete()) is None:
            try:
                data, more, _, _ = self._socket.recvmsg(
                    _READ, _SPACE, _CLOSE_ON_EXEC
                )  # `recv_fds` drops the flag
            except OSError as error:
                raise ChannelClosed from error
            for level, kind, numbers in more:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    self._handles.extend(memoryview(numbers).cast("i"))
            if not data:
                raise ChannelClosed
            self._data += data
        return frame

    def _complete(self) -> Frame | None:
        """Take a frame off what has been read; None where it is not whole yet."""
        if not self.pending:
            return None
        header, body, handles = _LENGTHS.unpack_from(self._data)
        text_end = _LENGTHS.size + header
        frame = Frame(
            json.loads(self._data[_LENGTHS.size : text_end]),
            bytes(self._data[text_end : text_end + body]),
            [self._handles.popleft() for _ in range(handles)],
        )
        del self._data[: text_end + body]
        return frame

    @property
    def pending(self) -> bool:
        """Whether a frame has been read whole already, which waiting for the socket would not tell."""
        if len(self._data) < _LENGTHS.size:
            return False
        header, body, _ = _LENGTHS.unpack_from(self._data)
        return len(self._data) >= _LENGTHS.size + header + body

    def signal(self, count: int = 1) -> None:
        """Send bytes outside any frame; `signals` counts them. Nothing happens where the other side is gone."""
        with suppress(OSError):  # the next frame says so
            self._socket.send(b"." * count)

    def signals(self) -> int:
        """Wait for bytes of `signal`; 0 once the other side is gone."""
        try:
            return len(self._socket.recv(_READ))
        except OSError:
            return 0

    def close(self) -> None:
        """Close the socket, and the file descriptors of frames that nobody took."""
        if self._closed:  # nothing more at the end of a program, when modules are gone
            return
        self._closed = True
        if os.getpid() == self._process_id:  # a forked child lets go of its copy only
            with suppress(OSError):  # the other side was faster
                self._socket.shutdown(socket.SHUT_RDWR)  # forked children may hold the socket, too
        self._socket.close()
        while self._handles:
            os.close(self._handles.popleft())

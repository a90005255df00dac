"""The worker process of `offgraph.formats.isolated`: it decodes one file after another within limits.

The limits are the kernel's: address space (RLIMIT_AS) and CPU seconds (RLIMIT_CPU), each beyond what the process has
used when a file arrives. They start narrow, which is enough for every header, and widen once the header has passed
`Limits`, in proportion to the pixels that it declares.
"""

from __future__ import annotations

import importlib
import math
import os
import resource
import select
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

from offgraph.formats import wire
from offgraph.formats.base import FormatError, Limits, cause_of

__all__ = ["main", "seconds_for"]

_IDLE_SECONDS = 60
_FILES = (
    500  # files per process, then it is replaced: a decoder may leak, or have corrupted its memory unnoticed
)
_HEADER_BYTES = 1 << 28  # libraries that are loaded for the first file are in it
_DECODERS_COPIES = (
    12  # OpenJPEG holds each sample twice in 32 bits; the pixels themselves, twice, come on top
)
_NO_MEMORY = (
    "its decoder needs more memory than the limit allows; if the file can be trusted, raise max_pixels"
)
_LEAST_SECONDS = 4
_SAMPLES_PER_SECOND = 10_000_000
_BYTES_PER_SECOND = 1_000_000


def seconds_for(stored_bytes: int, samples: int = 0) -> float:
    """CPU seconds allowed: several times what the slowest sound files need."""
    return _LEAST_SECONDS + stored_bytes / _BYTES_PER_SECOND + samples / _SAMPLES_PER_SECOND


def _used_bytes() -> int | None:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError):  # no Linux: the kernel there does not keep this limit
        return None
    return pages * resource.getpagesize()


def _set_limit(kind: int, value: int | None) -> None:
    hard = resource.getrlimit(kind)[1]
    if value is None or (hard != resource.RLIM_INFINITY and value > hard):
        value = hard
    resource.setrlimit(kind, (value, hard))


@dataclass(frozen=True)
class _Budget(Limits):
    """`Limits` that give the process what the accepted size needs."""

    channel: socket.socket
    stored_bytes: int
    base_bytes: int | None = field(default_factory=_used_bytes)
    base_seconds: float = field(default_factory=lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))

    def allow(self, pixels: int, pixel_bytes: int) -> None:
        seconds = seconds_for(self.stored_bytes, pixels * pixel_bytes)
        _set_limit(resource.RLIMIT_CPU, math.ceil(self.base_seconds + seconds))
        if self.base_bytes is not None:
            needed = _DECODERS_COPIES * pixels * pixel_bytes
            most = max(self.max_bytes * 5 // 4, 1 << 27)
            _set_limit(
                resource.RLIMIT_AS,
                self.base_bytes + _HEADER_BYTES + 2 * self.stored_bytes + min(needed, most),
            )
        if self.checked:
            wire.send(self.channel, {"seconds": seconds, "size": self.checked[-1]})

    def check(self, height: int, width: int, *, frames: int = 1, pixel_bytes: int = 1) -> None:
        super().check(height, width, frames=frames, pixel_bytes=pixel_bytes)
        self.allow(height * width * frames, pixel_bytes)


def _serve(channel: socket.socket) -> None:
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU):  # those of the file before
        _set_limit(kind, None)
    request = wire.receive(channel)
    data = bytes(wire.receive_bytes(channel, request["bytes"]))
    module, name = request["function"].split(":")
    if not module.startswith("offgraph.formats."):
        raise ValueError(f"{module} decodes no format")
    function = getattr(importlib.import_module(module), name)
    budget = _Budget(request["max_pixels"], channel, len(data))
    budget.allow(0, 0)
    try:
        answer, arrays = wire.pack(function(data, budget, **request["options"]))
    except MemoryError:
        wire.send(channel, {"error": _NO_MEMORY})
    except FormatError as error:
        wire.send(channel, {"error": str(error)})
    except Exception as error:
        wire.send(channel, {"error": cause_of(error)})
    else:
        wire.send(channel, {"stored": answer}, *arrays)


def main(handle: int) -> None:
    """Serve the socket `handle` until the other side closes it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the reader decides
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    channel = socket.socket(fileno=handle)
    import numpy as np  # noqa: F401  once, before any limit

    import offgraph.formats  # noqa: F401

    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # decoders complain here
        os.dup2(nowhere, stream)
    wire.send(channel, {"ready": os.getpid()})
    try:
        for _ in range(_FILES):
            if not select.select([channel], [], [], _IDLE_SECONDS)[0]:
                break
            _serve(channel)
    except (wire.Closed, OSError):
        pass
    sys.exit(0)

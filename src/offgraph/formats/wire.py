"""The protocol between a reader and its worker process: frames of JSON and raw bytes over a socket, without pickle.

::

    frame    4 bytes: length of the header · header, JSON · the bytes that the header announces
    request  {"function": "offgraph.formats.tiff:decode_here", "max_pixels": …, "options": {…}, "bytes": n} + the file
    answer   {"stored": {field: value}} + the arrays, each announced in its field as {"dtype": …, "shape": …}
             {"error": what is wrong with the file}
             {"seconds": …, "size": [height, width]}  before the answer: the header has passed the limits, and
             so much time is allowed for the pixels
"""

from __future__ import annotations

import json
import math
import struct
import time
from dataclasses import Field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.formats.base import FormatError, Limits, StoredImage

if TYPE_CHECKING:
    import socket

__all__ = ["Closed", "pack", "receive", "receive_bytes", "receive_into", "send", "unpack"]

_LENGTH = struct.Struct(">I")
_LONGEST_HEADER = 1 << 20
_ENTRIES = 1 << 16  # of a palette, each of at most four 16-bit values


class Closed(Exception):
    """The other side has closed the connection."""


def send(channel: socket.socket, header: dict[str, Any], *bodies: Any) -> None:
    """Send a header and the buffers that it announces."""
    text = json.dumps(header).encode()
    channel.sendall(_LENGTH.pack(len(text)) + text)
    for body in bodies:
        channel.sendall(body)


def receive(channel: socket.socket, deadline: float | None = None) -> dict[str, Any]:
    """Receive a header, at most until `deadline` by `time.monotonic`; the bytes that it announces come next."""
    (length,) = _LENGTH.unpack(receive_bytes(channel, _LENGTH.size, deadline))
    if length > _LONGEST_HEADER:
        raise Closed
    try:
        header = json.loads(receive_bytes(channel, length, deadline))
    except ValueError as error:
        raise Closed from error
    if not isinstance(header, dict):
        raise Closed
    return header


def receive_bytes(channel: socket.socket, count: int, deadline: float | None = None) -> bytearray:
    """Receive `count` bytes."""
    held = bytearray(count)
    receive_into(channel, memoryview(held), deadline)
    return held


def receive_into(channel: socket.socket, buffer: memoryview, deadline: float | None = None) -> None:
    """Fill a writable buffer of bytes."""
    while buffer.nbytes:
        if deadline is not None:
            channel.settimeout(max(0.001, deadline - time.monotonic()))
        got = channel.recv_into(buffer)
        if not got:
            raise Closed
        buffer = buffer[got:]


def _fields(stored: StoredImage | type[StoredImage]) -> list[Field[Any]]:
    """All of a decoded file that a worker says; the reader looks up the calibration itself."""
    return [field for field in fields(stored) if field.name != "calibration"]


def pack(stored: StoredImage) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Split a decoded file into what JSON holds and its arrays."""
    header: dict[str, Any] = {}
    arrays: list[np.ndarray] = []
    for field in _fields(stored):
        value = getattr(stored, field.name)
        if isinstance(value, np.ndarray):
            value = np.ascontiguousarray(value, value.dtype.newbyteorder("="))
            arrays.append(value)
            value = {"dtype": value.dtype.str, "shape": value.shape}
        header[field.name] = value
    return header, arrays


def unpack(header: dict[str, Any], limits: Limits, channel: socket.socket, deadline: float) -> StoredImage:
    """Make a decoded file of an answer; all of it is checked, since a compromised decoder may have written it."""
    given: dict[str, Any] = {}
    for field in _fields(StoredImage):
        value = header[field.name]
        if field.name in ("array", "palette") and value is not None:
            value = _empty(value, limits.max_bytes if field.name == "array" else 8 * _ENTRIES)
            if value.nbytes:
                receive_into(channel, value.data.cast("B"), deadline)
        elif isinstance(value, list):
            value = tuple(value)
        given[field.name] = value
    axes = given["axes"]
    if len(set(axes)) < len(axes) or set(axes) - set("TZYXC") or len(axes) != given["array"].ndim:
        raise FormatError(
            f"damaged: decoded into an array of shape {given['array'].shape} with axes {axes!r}"
        )
    return StoredImage(**given)


def _empty(announced: dict[str, Any], most: int) -> np.ndarray:
    dtype, shape = np.dtype(announced["dtype"]), tuple(int(n) for n in announced["shape"])
    if dtype.kind not in "biufc" or min(shape, default=1) < 0 or math.prod(shape) * dtype.itemsize > most:
        raise FormatError(f"damaged: decoded into {dtype} of shape {shape}")
    return np.empty(shape, dtype)

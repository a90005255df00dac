"""Where the buffers of record batches lie in an Arrow file: read from the messages in it.

pyarrow gives buffers that it has mapped or uncompressed, not where they came from. A message of the IPC format is
``FFFFFFFF``, the length of its header (int32), the header (a flatbuffer), and a body with the buffers. Tables of a
flatbuffer list where their fields are; the schema (Message.fbs) numbers the fields. Only files that were just written
are read here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["record_batches"]

_MAGIC = b"ARROW1\0\0"
_CONTINUES = b"\xff\xff\xff\xff"
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3  # fields of a Message
_BUFFERS = 2  # field of a RecordBatch
_RECORD_BATCH = 3  # a value of the type of a header


def record_batches(file: BinaryIO) -> Iterator[list[tuple[int, int]]]:
    """Give (offset in the file, length) of every buffer, batch after batch."""
    if file.read(8) != _MAGIC:
        raise ValueError("this is not an Arrow file")
    position = 8
    while True:
        file.seek(position)
        start = file.read(8)
        if start[:4] != _CONTINUES:
            raise ValueError(f"there is no message at {position}")
        (length,) = struct.unpack("<i", start[4:])
        if not length:  # the end of the messages; the footer follows
            return
        header = _Table.root(file.read(length))
        body = position + 8 + length
        if header.number(_HEADER_TYPE, "<B") == _RECORD_BATCH:
            yield [(body + offset, size) for offset, size in header.table(_HEADER).pairs(_BUFFERS)]
        position = body + header.number(_BODY_LENGTH, "<q")


class _Table:
    """A table of a flatbuffer: field `n` lies where the table's list of fields says, or nowhere, and is 0."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at
        self.fields = at - self._read("<i", at)

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, struct.unpack_from("<I", data)[0])

    def _read(self, kind: str, at: int) -> int:
        return struct.unpack_from(kind, self.data, at)[0]

    def _field(self, number: int) -> int | None:
        place = 4 + 2 * number
        offset = self._read("<H", self.fields + place) if place < self._read("<H", self.fields) else 0
        return self.at + offset if offset else None

    def number(self, field: int, kind: str) -> int:
        at = self._field(field)
        return 0 if at is None else self._read(kind, at)

    def table(self, field: int) -> _Table:
        at = self._field(field)
        if at is None:
            raise ValueError("a message without a header")
        return _Table(self.data, at + self._read("<I", at))

    def pairs(self, field: int) -> list[tuple[int, int]]:
        """A list of structs of two int64."""
        at = self._field(field)
        if at is None:
            return []
        at += self._read("<I", at)
        return [struct.unpack_from("<qq", self.data, at + 4 + 16 * i) for i in range(self._read("<I", at))]

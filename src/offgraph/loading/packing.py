"""A batch as JSON, with its arrays in shared memory or beside it, and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from offgraph.loading.batch import Batch
from offgraph.loading.objects import BatchObjects
from offgraph.pipeline.shared import BorrowedBuffers, Location, SharedBuffers

__all__ = ["Packed", "pack", "unpack"]

_CLASSES = {kind.__name__: kind for kind in (Batch, BatchObjects)}
_SMALL = 4096
"""Bytes: what takes less is sent beside the header, not in a segment of its own."""


class Packed:
    """What is sent of a batch.

    Parameters
    ----------
    buffers : SharedBuffers
        Where its large arrays lie, or are copied to.
    """

    def __init__(self, buffers: SharedBuffers) -> None:
        self._buffers = buffers
        self.header: Any = None
        self.body = bytearray()
        self.lent: list[int] = []
        """Numbers of the segments that the arrays lie in."""
        self.handles: dict[int, int] = {}
        """File descriptors of those among them that the receiver has not mapped yet."""

    def array(self, array: np.ndarray) -> dict[str, Any]:
        """Describe an array."""
        described = {"dtype": _dtype_name(array.dtype), "shape": array.shape}
        if array.nbytes < _SMALL:
            described["at"] = len(self.body)
            self.body += np.ascontiguousarray(array).tobytes()
            return described
        location, handle = self._buffers.lend(array)
        self.lent.append(location.segment)
        if handle is not None:
            self.handles[location.segment] = handle
        return {**described, "location": location}


def pack(value: Any, packed: Packed, replaced: Callable[[Any], Any]) -> Any:
    """Describe a value in JSON.

    Parameters
    ----------
    value : Batch, or anything in one
        Arrays, plain values, tuples, lists, dicts and the classes of a batch.
    packed : Packed
        Takes the arrays.
    replaced : callable
        Says what stands for a value that is not one of these.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        return {"array": packed.array(value)}
    if isinstance(value, tuple | list):
        return {type(value).__name__: [pack(part, packed, replaced) for part in value]}
    if isinstance(value, dict):
        return {"dict": [[key, pack(part, packed, replaced)] for key, part in value.items()]}
    if is_dataclass(value) and type(value).__name__ in _CLASSES:
        parts = {field.name: pack(getattr(value, field.name), packed, replaced) for field in fields(value)}
        return {"class": type(value).__name__, "fields": parts}
    return {"other": replaced(value)}


def unpack(header: Any, body: bytes, borrowed: BorrowedBuffers, restored: Callable[[Any], Any]) -> Any:
    """Make a value of what `pack` gave; the arguments are the counterparts of those of `pack`."""
    if not isinstance(header, dict):
        return header
    if "array" in header:
        return _array(header["array"], body, borrowed)
    for kind in (tuple, list):
        if kind.__name__ in header:
            return kind(unpack(part, body, borrowed, restored) for part in header[kind.__name__])
    if "dict" in header:
        return {key: unpack(part, body, borrowed, restored) for key, part in header["dict"]}
    if "class" in header:
        parts = {name: unpack(part, body, borrowed, restored) for name, part in header["fields"].items()}
        return _CLASSES[header["class"]](**parts)
    return restored(header["other"])


def _array(described: dict[str, Any], body: bytes, borrowed: BorrowedBuffers) -> np.ndarray:
    dtype, shape = _dtype(described["dtype"]), tuple(described["shape"])
    if "location" in described:
        return borrowed.array(Location(*described["location"]), shape, dtype)
    count = math.prod(shape)
    return (
        np.frombuffer(body, dtype, count, described["at"]).reshape(shape).copy()
    )  # writable, as every array


def _dtype_name(dtype: np.dtype) -> str:
    """``str`` says nothing of dtypes from outside NumPy, such as bfloat16, and `name` nothing of byte order."""
    return dtype.name if dtype.kind == "V" else dtype.str


def _dtype(name: str) -> np.dtype:
    try:
        return np.dtype(name)
    except TypeError:  # registered when the library that has it is imported
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))

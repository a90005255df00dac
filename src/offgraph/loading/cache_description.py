"""The bytes of a cached image: a description in JSON, its pixels, and those of its mask."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np

from offgraph.core.specs import ArraySpec
from offgraph.loading.kept import KeptImage
from offgraph.targets import Image, Mask

__all__ = ["Layout", "described", "parse"]

_ALIGNED = 64
_DTYPES = frozenset(
    ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64")
)


class _Array(NamedTuple):
    """Where an array lies among the bytes of an image."""

    spec: ArraySpec
    offset: int


class Layout(NamedTuple):
    """What the description of an image says.

    Parameters
    ----------
    start : ArraySpec
    stored_size : tuple of int
    converted : str or None
        As in `KeptImage`.
    image, mask
        Where their pixels lie.
    length : int
        Of all bytes.
    """

    start: ArraySpec
    stored_size: tuple[int, int]
    image: _Array
    mask: _Array | None
    converted: str | None
    length: int

    def kept(self, data: np.ndarray) -> KeptImage:
        """Return the image that lies in bytes of this layout, without copying them.

        Parameters
        ----------
        data : ndarray of uint8
        """
        mask = None if self.mask is None else Mask(_view(data, self.mask), self.mask.spec.axes)
        image = Image(_view(data, self.image), self.image.spec.axes)
        return KeptImage(self.start, self.stored_size, image, mask, self.converted)


def described(kept: KeptImage) -> tuple[bytes, list[Any], int]:
    """The description of an image, all bytes of it in parts, and how many there are."""
    mask = kept.mask
    said = {
        "start": _said(kept.start),
        "size": list(kept.stored_size),
        "image": _said(kept.image.spec),
        "mask": None if mask is None else _said(mask.spec),
        "converted": kept.converted,
    }
    head = json.dumps(said, separators=(",", ":")).encode("ascii")
    parts: list[Any] = []
    length = 0
    for part in (head, kept.image.array, *(() if mask is None else (mask.array,))):
        data = part if isinstance(part, bytes) else np.ascontiguousarray(part).reshape(-1).view(np.uint8).data
        parts += [b"\0" * (_padded(length) - length), data]
        length = _padded(length) + len(data)
    return head, parts, length


def _said(spec: ArraySpec) -> list[Any]:
    return [list(spec.shape), spec.dtype, spec.axes]


def parse(head: bytes) -> Layout:
    """Read a description.

    Raises
    ------
    ValueError
        For anything else.
    """
    said = json.loads(head.decode("ascii"))
    if not isinstance(said, dict) or set(said) != {"start", "size", "image", "mask", "converted"}:
        raise ValueError("not a description")
    size, converted = said["size"], said["converted"]
    if not (isinstance(size, list) and len(size) == 2 and all(type(n) is int and n >= 0 for n in size)):
        raise ValueError("no size")
    if not (converted is None or isinstance(converted, str)):
        raise ValueError("not a text")
    end = len(head)
    arrays: list[_Array | None] = []
    for name in ("image", "mask"):
        if said[name] is None:
            arrays.append(None)
            continue
        spec = _spec(said[name])
        arrays.append(_Array(spec, _padded(end)))
        end = _padded(end) + spec.nbytes
    image, mask = arrays
    if image is None:
        raise ValueError("no image")
    return Layout(_spec(said["start"]), (size[0], size[1]), image, mask, converted, end)


def _spec(said: Any) -> ArraySpec:
    if not (isinstance(said, list) and len(said) == 3):
        raise ValueError("not a spec")
    shape, dtype, axes = said
    lengths = isinstance(shape, list) and all(type(n) is int and 0 <= n < 2**40 for n in shape)
    if not (lengths and isinstance(dtype, str) and dtype in _DTYPES and isinstance(axes, str)):
        raise ValueError("not a spec")
    if len(axes) != len(shape) or len(set(axes)) != len(axes) or not set(axes) <= set("TZYXC"):
        raise ValueError("not axes")
    return ArraySpec(tuple(shape), dtype, axes)


def _view(data: np.ndarray, at: _Array) -> np.ndarray:
    part = data[at.offset : at.offset + at.spec.nbytes]
    if at.spec.dtype == "bool":
        return (part != 0).reshape(at.spec.shape)  # bytes other than 0 and 1 are not booleans
    return part.view(at.spec.dtype).reshape(at.spec.shape)


def _padded(length: int) -> int:
    return -(-length // _ALIGNED) * _ALIGNED

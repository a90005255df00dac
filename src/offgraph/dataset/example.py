"""One stored example: the image after its stored steps as bytes, and what is needed to continue from there."""

from __future__ import annotations

import functools
import hashlib
import math
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from offgraph.core.choices import ArrayEncoding
from offgraph.core.errors import BuildError
from offgraph.core.specs import ArraySpec
from offgraph.dataset.schema import size_trouble
from offgraph.engine import png
from offgraph.formats.decoding import MAX_PIXELS
from offgraph.formats.png_writing import encode_png_fast
from offgraph.pipeline.rows import Row
from offgraph.sources.items import Label

__all__ = [
    "BadFile",
    "Encoded",
    "Example",
    "decode_array",
    "encode_array",
    "encode_rows",
    "is_png_array",
    "png_trouble",
    "stores_png",
]


@dataclass(frozen=True)
class Encoded:
    """An array as bytes.

    Parameters
    ----------
    data : bytes or memoryview
        A PNG file, or the values one after another in C order, little-endian (``encoding`` says which).
    encoding : {"png", "raw"}
        PNG for unsigned integers of 8 and 16 bits with 1, 3 or 4 channels, raw for everything else.
    shape : tuple of int
    dtype : str
    axes : str
    row : Row, optional
        Where in an array of several the bytes lie.
    """

    data: bytes | memoryview
    encoding: str
    shape: tuple[int, ...]
    dtype: str
    axes: str
    row: Row | None = None

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of the bytes, in hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()

    def known_by(self, digest: bytes) -> Self:
        """Note the digest, which was taken where the bytes were made; return the same."""
        vars(self)["sha256"] = digest.hex()
        return self

    def describe(self) -> dict[str, Any]:
        """Everything but the bytes, as plain JSON."""
        return {"encoding": self.encoding, "shape": list(self.shape), "dtype": self.dtype, "axes": self.axes}


def encode_array(
    array: np.ndarray, axes: str, encoding: ArrayEncoding = "png", row: Row | None = None
) -> Encoded:
    """Encode an array without loss: the same array gives the same bytes.

    Parameters
    ----------
    array : ndarray
    axes : str
    encoding : {"png", "raw"}
        PNG where that can hold the array, or values as they are.
    row : Row, optional
        Whose memory the array is.
    """
    if array.dtype.isnative and stores_png(ArraySpec.of(array, axes), encoding):
        return Encoded(encode_png_fast(array), "png", array.shape, array.dtype.name, axes)
    values = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    data = values.reshape(-1).view(np.uint8).data  # not copied: megabytes at a time
    if array.dtype != values.dtype or not array.flags.c_contiguous:
        row = None  # these are other bytes than it has
    return Encoded(data, "raw", array.shape, array.dtype.name, axes, row)


def encode_rows(rows: Sequence[Row], spec: ArraySpec, encoding: ArrayEncoding) -> list[Encoded]:
    """Encode images that lie in rows of one array, each as `encode_array` does.

    Parameters
    ----------
    rows : sequence of Row
        Of one `BatchRows`, whose dtype has the byte order of this machine.
    spec : ArraySpec
        Of each image.
    encoding : {"png", "raw"}
    """
    if stores_png(spec, encoding) or sys.byteorder != "little" or not all(spec.shape):
        return [encode_array(row.array(), spec.axes, encoding, row) for row in rows]
    if not rows:
        return []
    whole = rows[0].batch.array()
    values = whole.reshape(len(whole), -1).view(np.uint8)
    shape, dtype, axes = spec.shape, spec.dtype, spec.axes
    return [Encoded(values[row.number].data, "raw", shape, dtype, axes, row) for row in rows]


def stores_png(spec: ArraySpec, encoding: ArrayEncoding) -> bool:
    """Whether an array is stored as a PNG under an option of what holds pixels."""
    channels = spec.shape[-1] if spec.axes == "YXC" else 1
    return (
        encoding == "png"
        and spec.dtype in ("uint8", "uint16")
        and spec.axes in ("YX", "YXC")
        and channels in (1, 3, 4)
        and all(spec.shape)
    )


def is_png_array(shape: tuple[int, ...], dtype: np.dtype) -> bool:
    """Whether an array can be that of a PNG that the native core decodes."""
    return dtype in (np.uint8, np.uint16) and len(shape) in (2, 3)


def png_trouble(stored_bytes: int, shape: tuple[int, ...], dtype: np.dtype) -> str | None:
    """Say that a file of some size cannot hold an array, however well compressed; or None."""
    if math.prod(shape) * dtype.itemsize <= stored_bytes * 1100:  # deflate expands a byte to at most 1032
        return None
    return f"{stored_bytes} bytes cannot hold {dtype.name} of shape {shape}"


def decode_array(
    data: bytes | memoryview, described: dict[str, Any], max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Decode what ``encode_array`` encoded.

    Raises
    ------
    BuildError
        Where the bytes are not what the description says, or more than the limit.
    """
    shape, dtype = tuple(described["shape"]), np.dtype(described["dtype"])
    size = math.prod(shape) * dtype.itemsize
    if described["encoding"] == "png":
        import imagecodecs

        # The size in the header, looked at before anything is unpacked.
        if data[16:24] != struct.pack(">II", shape[1], shape[0]):
            raise BuildError(f"stored as an image of shape {shape}, but the PNG is of another size")
        _refuse_size(described, max_pixels)
        trouble = png_trouble(len(data), shape, dtype)
        if trouble:
            raise BuildError(trouble)
        if is_png_array(shape, dtype):
            array = np.empty(shape, dtype)
            if png.decode_many([(array, np.frombuffer(data, np.uint8))]) == [None]:
                return array
        try:
            array = np.asarray(imagecodecs.png_decode(bytes(data)))
        except (RuntimeError, ValueError) as error:
            raise BuildError(f"damaged PNG: {error}") from error
    else:
        _refuse_size(described, max_pixels)
        if len(data) != size:
            raise BuildError(f"stored as {dtype.name} of shape {shape}, but there are {len(data)} bytes")
        array = np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype)
    if array.dtype != dtype or array.size != np.prod(shape, dtype=np.int64):
        raise BuildError(
            f"stored as {dtype.name} of shape {shape}, but the bytes give {array.dtype.name} of shape {array.shape}"
        )
    return array.reshape(shape)


def _refuse_size(described: dict[str, Any], max_pixels: int) -> None:
    trouble = size_trouble(described, max_pixels)
    if trouble:
        raise BuildError(trouble)


@dataclass(frozen=True)
class Example:
    """An example ready to be written."""

    index: int
    copy: int
    name: str
    label: Label | None
    source: str
    mask_source: str | None
    start: int
    image: Encoded
    mask: Encoded | None
    record: dict[str, Any]
    objects: dict[str, Any] | None = None

    def describe(self) -> dict[str, Any]:
        """Everything but the bytes, as plain JSON: the example's entry in the sample records."""
        return {
            "index": self.index,
            "copy": self.copy,
            "name": self.name,
            "label": self.label,
            "source": self.source,
            "mask_source": self.mask_source,
            "start": self.start,
            "image": self.image.describe(),
            "mask": None if self.mask is None else self.mask.describe(),
            "record": self.record,
            **({} if self.objects is None else {"objects": self.objects}),
        }


@dataclass(frozen=True)
class BadFile:
    """An image that could not be used, and why; ``retry`` where its content was not refused."""

    index: int
    copy: int
    name: str
    source: str | None
    reason: str
    retry: bool = False

    def describe(self) -> dict[str, Any]:
        """The entry in the sample records, as plain JSON."""
        return {
            "index": self.index,
            "copy": self.copy,
            "name": self.name,
            "source": self.source,
            "quarantined": self.reason,
            **({"retry": True} if self.retry else {}),
        }

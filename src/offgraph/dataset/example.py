"""One stored example: the image after its stored steps as bytes, and what is needed to continue from there."""

from __future__ import annotations

import errno
import math
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.choices import ArrayEncoding, NonFinite, Store
from offgraph.core.errors import BuildError, FileAccessError, MachineError, StepError
from offgraph.core.machine import with_retries
from offgraph.core.random import Key
from offgraph.dataset.depth import SourceDepth
from offgraph.dataset.layout import Layout
from offgraph.dataset.objects import describe_objects
from offgraph.dataset.output import sha256_of
from offgraph.dataset.schema import size_trouble
from offgraph.formats.decoding import MAX_PIXELS
from offgraph.formats.png_writing import encode_png_fast
from offgraph.pipeline.checks import run_checked
from offgraph.pipeline.depth import scales_by_dtype
from offgraph.pipeline.failures import BAD_FILE, name_file, reason
from offgraph.recipe.compose import Compose
from offgraph.sources import Source
from offgraph.sources.base import Label
from offgraph.targets import Image, Mask

__all__ = ["BadFile", "Encoded", "Example", "Maker", "decode_array", "encode_array"]


@dataclass(frozen=True)
class Encoded:
    """An array as bytes.

    Parameters
    ----------
    data : bytes
        A PNG file, or the values one after another in C order, little-endian (``encoding`` says which).
    encoding : {"png", "raw"}
        PNG for unsigned integers of 8 and 16 bits with 1, 3 or 4 channels, raw for everything else.
    shape : tuple of int
    dtype : str
    axes : str
    """

    data: bytes
    encoding: str
    shape: tuple[int, ...]
    dtype: str
    axes: str

    def describe(self) -> dict[str, Any]:
        """Everything but the bytes, as plain JSON."""
        return {"encoding": self.encoding, "shape": list(self.shape), "dtype": self.dtype, "axes": self.axes}


def encode_array(array: np.ndarray, axes: str, encoding: ArrayEncoding = "png") -> Encoded:
    """Encode an array without loss: the same array gives the same bytes.

    Parameters
    ----------
    array : ndarray
    axes : str
    encoding : {"png", "raw"}
        PNG where that can hold the array, or values as they are.
    """
    channels = array.shape[-1] if axes == "YXC" else 1
    if (
        encoding == "png"
        and array.dtype in (np.uint8, np.uint16)
        and axes in ("YX", "YXC")
        and channels in (1, 3, 4)
        and array.size
    ):
        data, encoding = encode_png_fast(array), "png"
    else:
        data, encoding = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes(), "raw"
    return Encoded(data, encoding, array.shape, array.dtype.name, axes)


def decode_array(data: bytes, described: dict[str, Any], max_pixels: int = MAX_PIXELS) -> np.ndarray:
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
        if size > len(data) * 1100:  # deflate expands a byte to at most 1032
            raise BuildError(f"{len(data)} bytes cannot hold {dtype.name} of shape {shape}")
        try:
            array = np.asarray(imagecodecs.png_decode(data))
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


@dataclass(frozen=True)
class Maker:
    """Makes example (index, copy) from a source: on any thread, always the same result.

    Parameters
    ----------
    source : Source
    recipe : Compose
    seed : int
        Copy k of image i is drawn at ``Key(seed, epoch=k, index=i)``.
    store : {"integers", "final"}
        Stop after the last step that still gives integers, or run the whole recipe.
    listed : sequence of bool
        Whether the files of each image were there when the source was listed.
    non_finite : {"error", "allow"}
        What NaN and infinity do in an image of floats.
    max_pixels : int
        Limit on each array that is stored.
    depth : SourceDepth
        What most images of the source are stored with.
    encoding : {"png", "raw"}
        How arrays become bytes.
    layout : Layout, optional
        The shape that all images get; left out, each has its own.
    ended : threading.Event
        Set when the build ends: nothing is tried again after that.
    """

    source: Source
    recipe: Compose
    seed: int
    store: Store
    listed: Sequence[bool] = ()
    non_finite: NonFinite = "error"
    max_pixels: int = MAX_PIXELS
    depth: SourceDepth = field(default_factory=SourceDepth)
    encoding: ArrayEncoding = "png"
    layout: Layout | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def __call__(self, address: tuple[int, int]) -> Example | BadFile:
        """Read, transform and encode; an image that cannot be used comes back as a BadFile.

        Raises
        ------
        MachineError
            Where the machine failed, and failed again when it was tried again.
        """
        return with_retries(lambda: self._judged(*address), self.ended)

    def _judged(self, index: int, copy: int) -> Example | BadFile:
        item = self.source[index]
        try:
            return self._make(index, copy)
        except FileAccessError as error:
            trouble = self.source.out_of_reach(index, listed=bool(self.listed) and self.listed[index])
            if trouble:
                raise MachineError(f"{item.name}: {trouble}", OSError(errno.EIO, trouble)) from error
            return BadFile(
                index, copy, item.name, None, reason(error, item.path, item.name, item.mask), retry=True
            )
        except BAD_FILE as error:
            return BadFile(
                index, copy, item.name, sha256_of(item.path), reason(error, item.path, item.name, item.mask)
            )
        except Exception as error:
            raise name_file(error, item.name)  # noqa: B904 - the same error, with a note

    def _make(self, index: int, copy: int) -> Example:
        item = self.source[index]
        sample = self.source.read(index)
        end = self.recipe.stored(sample.image.spec) if self.store == "integers" else len(self.recipe.steps)
        image = sample.image
        how = None
        if self.layout is not None:
            image, how = self.layout.admit(image, scale=self.source.color == "rgb")
        elif self.store == "final" and not scales_by_dtype(self.recipe):
            # Stored integers keep their depth, and a loader converts them; final floats no longer show it.
            image, how = self.depth.admit(image, self.source, self.recipe)
        if how is not None:
            self.depth.warn_of(item.name, how)
        key = Key(self.seed, copy, index)
        done = run_checked(
            self.recipe, sample.targets.replaced(image=image), key, stop=end, non_finite=self.non_finite
        )
        image, mask = done.targets.image, done.targets.mask
        if self.layout is not None:
            mask = self.layout.fit(image, mask, self.recipe)
        for kind, target in (("image", image), ("mask", mask)):
            trouble = target is not None and size_trouble(_entry(target), self.max_pixels)
            if trouble:
                raise StepError(f"the {kind} is not stored: {trouble}")
        if self.store == "integers" and image.array.dtype.kind not in "bui":
            raise StepError(
                f"the image is {image.array.dtype.name}, so there are no integers to store; build with store='final'"
            )
        return Example(
            index=index,
            copy=copy,
            name=item.name,
            label=sample.label,
            source=_hash(item.path),
            mask_source=None if item.mask is None else _hash(item.mask),
            start=end,
            image=encode_array(image.array, image.axes, self.encoding),
            mask=None if mask is None else encode_array(mask.array, mask.axes, self.encoding),
            record=done.record,
            objects=describe_objects(done.targets),
        )


def _entry(target: Image | Mask) -> dict[str, Any]:
    return Encoded(b"", "raw", target.array.shape, target.array.dtype.name, target.axes).describe()


def _hash(path: Path) -> str:
    digest = sha256_of(path)
    if digest is None:
        raise FileAccessError(f"{path}: was read once and cannot be read again")
    return digest

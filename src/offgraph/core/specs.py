"""Specs of arrays: shape, dtype and named axes, known before any pixel is touched."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import numpy as np

from offgraph.core.axes import spatial_axes, spatial_names
from offgraph.core.lazy import lazy_property

__all__ = ["MAX_PIXELS", "ArraySpec", "OpenSpec", "SpecT", "held_by", "scaled", "spec_of"]


MAX_PIXELS = 178_956_970
"""Most pixels of an image that a step makes: those of the largest file that is read without being asked for."""


@dataclass(frozen=True)
class OpenSpec:
    """Shape, dtype and axes of a target before anything is drawn: a length may not be known yet.

    Parameters
    ----------
    shape : tuple of int or None
        Length of every axis; ``None`` where it depends on the image or on what is drawn.
    dtype : str
        A NumPy dtype name such as ``"uint8"``; a dtype becomes its name.
    axes : str
        One letter per axis, of ``T``, ``Z``, ``Y``, ``X``, ``C``: ``"YXC"`` is height, width, channels.
    """

    shape: tuple[int | None, ...]
    dtype: str
    axes: str

    def __post_init__(self) -> None:
        if type(self.dtype) is not str:
            object.__setattr__(self, "dtype", _dtype_name(np.dtype(self.dtype)))

    def __hash__(self) -> int:
        return self._hash

    @lazy_property
    def _hash(self) -> int:  # caches of plans are asked with a spec for every step of every image
        return hash((self.shape, self.dtype, self.axes))

    def __reduce__(self) -> tuple[Any, ...]:
        """Without the hash: that of a text is another one in another process."""
        return type(self), (self.shape, self.dtype, self.axes)

    @property
    def spatial(self) -> tuple[int, ...]:
        """Indices of the spatial axes, in order."""
        return spatial_axes(self.axes)

    @property
    def spatial_names(self) -> str:
        """Letters of the spatial axes, in order: ``"YX"`` or ``"ZYX"``."""
        return spatial_names(self.axes)

    @lazy_property
    def size(self) -> tuple[int | None, ...]:
        """Lengths of the spatial axes: (H, W) or (D, H, W)."""
        return tuple([self.shape[i] for i in self.spatial])

    def resized(self, size: tuple[int | None, ...]) -> OpenSpec:
        """Return the same spec with other spatial lengths; an `ArraySpec` where all lengths are known."""
        if size == self.size:
            return self
        shape = list(self.shape)
        for axis, length in zip(self.spatial, size, strict=True):
            shape[axis] = length
        return spec_of(tuple(shape), self.dtype, self.axes)

    def cast(self, dtype: str) -> Self:
        """Return the same spec with another dtype."""
        return type(self)(self.shape, _dtype_name(np.dtype(dtype)), self.axes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class ArraySpec(OpenSpec):
    """Shape, dtype and axes of one target at one point of a recipe; every length is known.

    Parameters
    ----------
    shape : tuple of int
        Length of every axis.
    dtype : str
        A NumPy dtype name such as ``"uint8"``; a dtype becomes its name.
    axes : str
        One letter per axis, of ``T``, ``Z``, ``Y``, ``X``, ``C``: ``"YXC"`` is height, width, channels.
    """

    shape: tuple[int, ...]

    __hash__ = OpenSpec.__hash__

    if TYPE_CHECKING:

        @lazy_property
        def size(self) -> tuple[int, ...]:
            """Lengths of the spatial axes: (H, W) or (D, H, W)."""
            ...

        def resized(self, size: tuple[int, ...]) -> ArraySpec:  # type: ignore[override]  # narrower on purpose
            """Return the same spec with other spatial lengths."""
            ...

    @classmethod
    def of(cls, array: np.ndarray, axes: str) -> ArraySpec:
        """Spec of an array in memory."""
        return _array_spec(array.shape, array.dtype, axes)

    @property
    def pixels(self) -> int:
        """How many pixels there are, channels not counted."""
        return math.prod(n for n, name in zip(self.shape, self.axes) if name != "C")

    @property
    def nbytes(self) -> int:
        """Memory of such an array."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def stand_in(self) -> np.ndarray:
        """Return a read-only array of zeros that has no memory of its own, for what asks for shape and dtype alone."""
        dtype = np.dtype(self.dtype)
        # All elements are one: `np.broadcast_to` takes ten times as long.
        return np.ndarray(self.shape, dtype, bytes(dtype.itemsize), strides=(0,) * len(self.shape))


SpecT = TypeVar("SpecT", bound=OpenSpec)
"""A spec of either kind: what is known stays known, what is open stays open."""


def spec_of(shape: tuple[int | None, ...], dtype: str, axes: str) -> OpenSpec:
    """Return an `ArraySpec` where all lengths are known, else an `OpenSpec`."""
    if None in shape:
        return OpenSpec(shape, dtype, axes)
    return ArraySpec(cast("tuple[int, ...]", shape), dtype, axes)


@functools.lru_cache(maxsize=256)
def _array_spec(shape: tuple[int, ...], dtype: np.dtype[Any], axes: str) -> ArraySpec:
    """One spec for all images of a kind: it holds its hash and its size, which plans ask for again and again."""
    return ArraySpec(shape, _dtype_name(dtype), axes)


@functools.lru_cache(maxsize=64)
def _dtype_name(dtype: np.dtype[Any]) -> str:
    """Name of a dtype, cached: NumPy builds the string on every access."""
    return dtype.name


def scaled(n: int, factor: float) -> int:
    """Return a length times a factor, rounded half to even; what is too large for an index stays too large."""
    return round(min(n * factor, 2.0**62))


def held_by(dtype: np.dtype[Any], **values: float) -> None:
    """Refuse a fill value that an array of this dtype cannot hold exactly."""
    for name, value in values.items():
        if dtype.kind == "f":
            continue
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if not low <= value <= high or value != int(value):
            raise ValueError(
                f"{name}={value:g} cannot be held by dtype {dtype}: write a whole number {low} to {high}"
            )

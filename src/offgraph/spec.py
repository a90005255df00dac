"""What an array is promised to look like before any pixel is touched: shape, dtype and named axes."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from offgraph.errors import StepError

__all__ = ["MAX_PIXELS", "SPATIAL", "ArraySpec", "held_by", "name_axes", "scaled"]

SPATIAL = "ZYX"
"""Letters of spatial axes. ``C`` names a channel axis, ``T`` time; neither is ever filtered or resampled."""

MAX_PIXELS = 178_956_970
"""Most pixels of an image that a step makes: those of the largest file that is read without being asked for."""


@dataclass(frozen=True)
class ArraySpec:
    """Shape, dtype and axes of one target at one point of a recipe.

    Parameters
    ----------
    shape : tuple of int or None
        Length of every axis; ``None`` where it depends on the picture.
    dtype : str
        A NumPy dtype name such as ``"uint8"``.
    axes : str
        One letter an axis, of ``T``, ``Z``, ``Y``, ``X``, ``C``: ``"YXC"`` is height, width, channels.
    """

    shape: tuple[int | None, ...]
    dtype: str
    axes: str

    @classmethod
    def of(cls, array: np.ndarray, axes: str) -> ArraySpec:
        """Spec of an array in memory."""
        return cls(array.shape, _dtype_name(array.dtype), axes)

    @property
    def spatial(self) -> tuple[int, ...]:
        """Indices of the spatial axes, in order."""
        return _spatial_axes(self.axes)

    @property
    def spatial_names(self) -> str:
        """Letters of the spatial axes, in order: ``"YX"`` or ``"ZYX"``."""
        return _spatial_names(self.axes)

    @property
    def size(self) -> tuple[int | None, ...]:
        """Lengths of the spatial axes: (H, W) or (D, H, W)."""
        return tuple(self.shape[i] for i in self.spatial)

    @property
    def pixels(self) -> int | None:
        """How many pixels there are, channels not counted; ``None`` where a length is not known."""
        lengths = [n for n, name in zip(self.shape, self.axes) if name != "C"]
        return None if None in lengths else math.prod(n or 0 for n in lengths)

    @property
    def nbytes(self) -> int | None:
        """Memory of such an array; ``None`` where a length is not known."""
        if None in self.shape:
            return None
        return math.prod(n or 0 for n in self.shape) * np.dtype(self.dtype).itemsize

    def resized(self, size: tuple[int | None, ...]) -> ArraySpec:
        """Return the same spec with other spatial lengths."""
        shape = list(self.shape)
        for axis, length in zip(self.spatial, size, strict=True):
            shape[axis] = length
        return replace(self, shape=tuple(shape))

    def cast(self, dtype: str) -> ArraySpec:
        """Return the same spec with another dtype."""
        return replace(self, dtype=np.dtype(dtype).name)


@functools.lru_cache(maxsize=64)
def _spatial_names(axes: str) -> str:
    return "".join(name for name in axes if name in SPATIAL)


@functools.lru_cache(maxsize=64)
def _spatial_axes(axes: str) -> tuple[int, ...]:
    return tuple(i for i, name in enumerate(axes) if name in SPATIAL)


@functools.lru_cache(maxsize=64)
def _dtype_name(dtype: np.dtype[Any]) -> str:
    """NumPy puts a dtype's name together anew each time it is asked for it."""
    return dtype.name


def name_axes(shape: tuple[int, ...], axes: str | None = None) -> str:
    """Check the axes a caller named, or name those that leave no doubt.

    Two axes are ``"YX"``; three of which the last has at most four entries are ``"YXC"``. Everything
    else must be said: a guess that takes a slice axis for channels is wrong without a sign of it.

    Raises
    ------
    StepError
        Where the axes are missing, repeated, unknown, or do not fit the shape.
    """
    if axes is None:
        if len(shape) == 2:
            return "YX"
        if len(shape) == 3 and shape[-1] <= 4:
            return "YXC"
        raise StepError(
            f"an array of shape {shape} needs its axes named: axes='ZYX' for a volume, 'YXC' for channels last"
        )
    if not isinstance(axes, str):
        raise StepError(f"axes={axes!r:.80}: write one letter an axis, such as 'YXC'")
    if len(axes) != len(shape):
        raise StepError(
            f"axes={axes!r} names {len(axes)} axes, but the array of shape {shape} has {len(shape)}"
        )
    if len(set(axes)) != len(axes) or not set(axes) <= set("TZYXC") or not {"Y", "X"} <= set(axes):
        raise StepError(f"axes={axes!r}: use each of T, Z, Y, X, C at most once, and both Y and X")
    order = [name for name in axes if name in SPATIAL]
    if order != sorted(order, key=SPATIAL.index):
        raise StepError(
            f"axes={axes!r}: spatial axes must stand in the order Z, Y, X; transpose the array first"
        )
    return axes


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

"""Pillow's resize: weights in float64, of bytes in whole numbers with 22 bits after the point, one axis after the other.

    centre   = (i + 0.5) * n / N                      the kernel as wide as the shrink factor, cut off at the edges
    weights  = kernel, divided by their sum           for bytes times 2**22, halves away from zero
    bytes    = (2**21 + sum of pixel * weight) >> 22, limited to 0 to 255, after each of the two axes
    floats   = sums in float64, stored as float32 after each of the two axes
    16, 32   = sums in float64, rounded half away from zero after each of the two axes

An axis whose length stays is left as it is. Nearest neighbour steps through the axis by adding the ratio up. From
Pillow 13 on rows come before columns where the height loses more than twice as many pixels as the width; until 12, never.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.engine.library_resize.sums import Taps, kept, summed
from offgraph.engine.resize import KERNELS as SHAPES

__all__ = ["DTYPES", "KERNELS", "resize", "resize12"]

KERNELS = {
    "nearest": "NEAREST",
    "box": "BOX",
    "triangle": "BILINEAR",
    "hamming": "HAMMING",
    "cubic": "BICUBIC",
    "lanczos3": "LANCZOS",
}
"""Our names, and Pillow's."""

DTYPES = ("uint8", "uint16", "int32", "float32")

_BITS = 22


def _hamming(x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    turned = np.where(x == 0, 1.0, x) * np.pi
    # Pillow's two constants are floats, its sum is a double.
    window = np.float64(np.float32(0.54)) + np.float64(np.float32(0.46)) * np.cos(turned)
    return np.where(x == 0, 1.0, np.where(x >= 1, 0.0, np.sin(turned) / turned * window))


def _sinc(x: np.ndarray) -> np.ndarray:
    turned = np.where(x == 0, 1.0, x) * np.pi
    return np.where(x == 0, 1.0, np.sin(turned) / turned)


def _lanczos(x: np.ndarray) -> np.ndarray:
    return np.where((x >= -3) & (x < 3), _sinc(x) * _sinc(x / 3), 0.0)


@kept
def _taps(n: int, length: int, kernel: str) -> Taps:
    shape, support = SHAPES.get(kernel, (_hamming, 1.0))
    if kernel == "lanczos3":
        shape = _lanczos
    ratio = n / length
    wide = max(ratio, 1.0)
    centres = (np.arange(length) + 0.5) * ratio
    first = np.maximum((centres - support * wide + 0.5).astype(np.int64), 0)
    end = np.minimum((centres + support * wide + 0.5).astype(np.int64), n)
    index = first[:, None] + np.arange(int((end - first).max()))
    used = index < end[:, None]
    weight = shape((index - centres[:, None] + 0.5) * (1.0 / wide)) * used
    # Added from the first to the last, as a loop does; NumPy's own sum adds in pairs.
    total = np.add.accumulate(weight, axis=1)[:, -1:]
    return Taps(index, np.where(total != 0, weight / np.where(total != 0, total, 1.0), weight), used)


@kept
def _fixed_point(n: int, length: int, kernel: str) -> Taps:
    taps = _taps(n, length, kernel)
    scaled = taps.weight * (1 << _BITS)
    return taps.cast(np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int32))


def _nearest(n: int, length: int, dtype: np.dtype[Any]) -> np.ndarray:
    ratio = n / length
    if dtype == np.uint16:  # by another function, which multiplies
        return ((np.arange(length) + 0.5) * ratio).astype(np.int64)
    steps = np.full(length, ratio)
    steps[0] = ratio * 0.5
    return np.add.accumulate(steps).astype(np.int64)


def _stored(total: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Sums in float64 as the image's type."""
    if dtype.kind == "f":
        return total.astype(dtype)
    ends = np.iinfo(dtype)
    return np.clip(np.trunc(total + np.copysign(0.5, total)), ends.min, ends.max).astype(dtype)


def _axis(array: np.ndarray, axis: int, length: int, kernel: str) -> np.ndarray:
    n = array.shape[axis]
    if n == length:
        return array
    if kernel == "nearest":
        return np.take(array, _nearest(n, length, array.dtype), axis=axis)
    if array.dtype == np.uint8:
        total = summed(array, axis, _fixed_point(n, length, kernel), np.int32)
        return np.clip((total + (1 << (_BITS - 1))) >> _BITS, 0, 255).astype(np.uint8)
    return _stored(summed(array, axis, _taps(n, length, kernel), np.float64), array.dtype)


def resize(array: np.ndarray, size: tuple[int, int], kernel: str, antialias: bool) -> np.ndarray:
    """Resize the first two axes as `PIL.Image.Image.resize` does; it always averages when it shrinks."""
    lost = [n - length for n, length in zip(array.shape, size)]
    rows_first = lost[0] > 0 and lost[0] > 2 * lost[1]
    for axis in (0, 1) if rows_first else (1, 0):
        array = _axis(array, axis, size[axis], kernel)
    return array


def resize12(array: np.ndarray, size: tuple[int, int], kernel: str, antialias: bool) -> np.ndarray:
    """Resize the first two axes as Pillow does until version 12: columns first."""
    return _axis(_axis(array, 1, size[1], kernel), 0, size[0], kernel)

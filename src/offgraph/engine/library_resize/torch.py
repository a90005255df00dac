"""PyTorch's resize of tensors: `torch.nn.functional.interpolate`, as `torchvision.transforms.v2.Resize` calls it.

    bytes    weights in float64, rounded to so many bits after the point that the largest fits 16 bits; columns before rows,
             rounded and limited to 0 to 255 after each
    floats   weights and sums in float32 (of float64 in float64), columns before rows
    others   as floats, rounded half to even: so does torchvision

With antialiasing kernels are as wide as the shrink factor, cut off at the edges and divided by their sum, and Keys' a is
-0.5; without it pixels beyond the border are those on it, and a is -0.75. 'nearest' takes pixel ``floor(i * n / N)``, and
'area' the mean of all pixels that an output pixel touches. Not reproduced: PyTorch 2.15 repeats the first row of an image of floats that is one
pixel wide, and stays so, where it antialiases.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import numpy as np

from offgraph.engine.library_resize.sums import Taps, kept, summed

__all__ = ["DTYPES", "KERNELS", "resize"]

KERNELS = {
    "nearest": "nearest",
    "nearest-exact": "nearest-exact",
    "triangle": "bilinear",
    "cubic": "bicubic",
    "lanczos3": "lanczos",
    "area": "area",
}
"""Our names, and PyTorch's."""

DTYPES = ("uint8", "int8", "int16", "int32", "float32", "float64")


def _nearest(n: int, length: int, centre: float) -> np.ndarray:
    ratio = np.float32(n) / np.float32(length)
    places = (np.arange(length, dtype=np.float32) + np.float32(centre)) * ratio
    return np.minimum(np.floor(places).astype(np.int64), n - 1)


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _keys(a: float, x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _lanczos(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


_SHAPES = {
    ("triangle", True): (_triangle, 2),
    ("triangle", False): (_triangle, 2),
    ("cubic", True): (partial(_keys, -0.5), 4),
    ("cubic", False): (partial(_keys, -0.75), 4),
    ("lanczos3", True): (_lanczos, 6),
}


def _unbounded(n: int, length: int, kernel: str, of: Any) -> tuple[np.ndarray, np.ndarray]:
    """The pixels that are read without antialiasing, beyond the borders too, and their weights."""
    shape, reach = _SHAPES[kernel, False]
    number = np.arange(length).astype(of)
    # One rounding, as where a machine multiplies and subtracts in one go; float64 holds the product of two float32.
    place = (np.float64(of(n) / of(length)) * (number + of(0.5)) - 0.5).astype(of)
    if kernel == "triangle":
        place = np.maximum(place, of(0))
    before = np.floor(place)
    steps = np.arange(1 - reach // 2, reach // 2 + 1)
    weight = shape(steps.astype(of) - (place - before)[:, None]).astype(of)
    return before.astype(np.int64)[:, None] + steps, weight


@kept
def _taps(n: int, length: int, kernel: str, antialias: bool, kind: str) -> Taps:
    of = np.dtype(kind).type
    shape, reach = _SHAPES[kernel, antialias]
    ratio = of(n) / of(length)
    number = np.arange(length).astype(of)
    if not antialias:
        return _inside(*_unbounded(n, length, kernel, of), n)
    wide = max(ratio, of(1))
    centres = ratio * (number + of(0.5))
    support = of(reach * 0.5) * wide
    first = np.maximum((centres - support + of(0.5)).astype(np.int64), 0)
    end = np.minimum((centres + support + of(0.5)).astype(np.int64), n)
    index = first[:, None] + np.arange(int((end - first).max()))
    used = index < end[:, None]
    away = (index.astype(of) - centres[:, None] + of(0.5)) * (of(1) / wide)
    weight = np.where(used, shape(away), 0).astype(of)
    total = np.add.accumulate(weight, axis=1)[:, -1:]
    return Taps(np.minimum(index, n - 1), np.where(total != 0, weight / total, weight).astype(of), used)


def _inside(index: np.ndarray, weight: np.ndarray, n: int) -> Taps:
    """Add the weights of pixels beyond the border to that of the pixel on it."""
    merged = _merged(index, weight, n)[0]
    kept_index = np.clip(index[:, :1], 0, n - 1) + np.arange(index.shape[1])
    used = kept_index <= np.clip(index[:, -1:], 0, n - 1)
    return Taps(np.minimum(kept_index, n - 1), merged, used)


def _merged(index: np.ndarray, weight: np.ndarray, n: int) -> tuple[np.ndarray, float]:
    """Weights added up on the pixels inside, from the first to the last, and the largest value that any has on the way."""
    merged, largest = np.zeros_like(weight), 0.0
    rows, inside = np.arange(len(weight)), np.clip(index, 0, n - 1)
    for each, amount in zip((inside - inside[:, :1]).T, weight.T):
        merged[rows, each] += amount
        largest = max(largest, float(merged[rows, each].max()))
    return merged, largest


@kept
def _fixed_point(n: int, length: int, kernel: str, antialias: bool) -> Taps:
    taps = _taps(n, length, kernel, antialias, "float64")
    scaled = taps.weight * (1 << _bits(n, length, kernel, antialias))
    return taps.cast(np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int64))


@lru_cache(maxsize=64)
def _bits(n: int, length: int, kernel: str, antialias: bool) -> int:
    """The most bits after the point, up to 22, with which the largest weight fits 16 bits.

    Without antialiasing that is the largest while weights beyond a border are added: at the end of an axis, the weight of its last
    pixel before the negative one of the next is.
    """
    if antialias:
        largest = float(_taps(n, length, kernel, antialias, "float64").weight.max())
    else:
        largest = _merged(*_unbounded(n, length, kernel, np.float64), n)[1]
    return next((bits for bits in range(22) if int(0.5 + largest * (1 << (bits + 1))) >= 1 << 15), 22)


def _area_taps(n: int, length: int) -> Taps:
    number = np.arange(length, dtype=np.int64)
    first, end = number * n // length, -((number + 1) * -n // length)
    index = first[:, None] + np.arange(int((end - first).max()))
    return Taps(np.minimum(index, n - 1), np.ones(index.shape), index < end[:, None])


def _area(array: np.ndarray, size: tuple[int, int], work: Any) -> np.ndarray:
    rows, columns = (_area_taps(n, length) for n, length in zip(array.shape, size))
    total = summed(summed(array, 1, columns, work), 0, rows, work)
    high, wide = (taps.used.sum(axis=1).astype(work) for taps in (rows, columns))
    extra = (1,) * (array.ndim - 2)
    return total / high.reshape(-1, 1, *extra) / wide.reshape(1, -1, *extra)


def resize(array: np.ndarray, size: tuple[int, int], kernel: str, antialias: bool) -> np.ndarray:
    """Resize the first two axes as PyTorch does a tensor."""
    lengths = [(1, array.shape[1], size[1]), (0, array.shape[0], size[0])]
    if kernel in ("nearest", "nearest-exact"):
        for axis, n, length in lengths:
            array = np.take(array, _nearest(n, length, 0.5 * (kernel == "nearest-exact")), axis=axis)
        return array
    if array.dtype == np.uint8 and kernel != "area":
        for axis, n, length in lengths:
            if n != length:
                bits = _bits(n, length, kernel, antialias)
                total = summed(array, axis, _fixed_point(n, length, kernel, antialias), np.int32)
                array = np.clip((total + (1 << (bits - 1))) >> bits, 0, 255).astype(np.uint8)
        return array
    work = np.float64 if array.dtype == np.float64 else np.float32
    made = array
    if kernel == "area":
        made = _area(array, size, work)
    else:
        for axis, n, length in lengths:
            if n != length:
                taps = _taps(n, length, kernel, antialias, np.dtype(work).name)
                made = summed(made, axis, taps, work)
    if array.dtype.kind == "f":
        return made.astype(array.dtype)
    ends = np.iinfo(array.dtype)
    return np.clip(np.rint(made), ends.min, ends.max).astype(array.dtype)

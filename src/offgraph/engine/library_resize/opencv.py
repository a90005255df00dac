"""OpenCV's `cv2.resize`: no kernel is widened when an image shrinks; only INTER_AREA averages.

Positions are those of pixel centres at halves, in float32; pixels beyond the border are those on it.

    bytes    weights in whole 2048ths; columns first, in whole numbers; rows rounded once, for INTER_LINEAR after four and
             sixteen bits were cut off
    others   weights in float32, sums in float32 (of float64 in float64), columns first; integers rounded half to even
    area     sums of whole pixels where both ratios are whole; else float32 parts of pixels; an image that grows in
             either direction is interpolated, between pixels that are as wide as the output's

INTER_LINEAR of an image that halves is INTER_AREA. INTER_NEAREST takes pixel ``floor(i * n / N)``: no half-pixel centres. INTER_NEAREST_EXACT takes the one that holds the centre,
``floor((i + 0.5) * n / N)``, where a centre between two is decided by the rounding of a sum of i + 1 terms, as of OpenCV 5;
before, steps were rounded to 65,536ths.
INTER_CUBIC and INTER_LANCZOS4 of bytes are within one grey level, as OpenCV adds their rows in another order on each machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from offgraph.engine.library_resize.sums import Taps, float32_taps, kept, summed

__all__ = ["DTYPES", "KERNELS", "resize"]

KERNELS = {
    "nearest": "INTER_NEAREST",
    "triangle": "INTER_LINEAR",
    "cubic": "INTER_CUBIC",
    "area": "INTER_AREA",
    "lanczos4": "INTER_LANCZOS4",
    "nearest-exact": "INTER_NEAREST_EXACT",
}
"""Our names, and OpenCV's."""

DTYPES = ("uint8", "uint16", "int16", "float32", "float64")

_F = np.float32
_ONE = 2048


def _nearest(n: int, length: int) -> np.ndarray:
    ratio = 1 / (length / n)
    return np.minimum(np.floor(np.arange(length) * ratio).astype(np.int64), n - 1)


def _nearest_exact(n: int, length: int) -> np.ndarray:
    """Places are added up one after the other, which rounds those that lie on the border of two pixels down or not."""
    steps = np.full(length, n / length)
    steps[0] *= 0.5
    return np.minimum(np.floor(np.add.accumulate(steps)).astype(np.int64), n - 1)


def _cubic(x: np.ndarray) -> np.ndarray:
    a = _F(-0.75)
    before = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a
    at = ((a + 2) * x - (a + 3)) * x * x + 1
    after = ((a + 2) * (1 - x) - (a + 3)) * (1 - x) * (1 - x) + 1
    return np.stack([before, at, after, _F(1) - before - at - after], axis=1)


def _lanczos(x: np.ndarray) -> np.ndarray:
    """Eight weights, by the sines of one angle: those of the others follow by turning it by eighths."""
    half = np.sqrt(0.5)
    turns = np.array(
        [[1, 0], [-half, -half], [0, 1], [half, -half], [-1, 0], [half, half], [0, -1], [-half, half]]
    )
    angle = -(x + 3).astype(np.float64) * np.pi * 0.25
    sine, cosine = np.sin(angle), np.cos(angle)
    away = (x[:, None] + 3 - np.arange(8, dtype=np.float32)).astype(np.float64)
    at = np.abs(away) < 1e-6
    y = -np.where(at, 1e-6, away) * np.pi * 0.25
    weight = ((turns[:, 0] * sine[:, None] + turns[:, 1] * cosine[:, None]) / (y * y)).astype(np.float32)
    weight = np.where(at, _F(1e30), weight)
    total = np.add.accumulate(weight, axis=1)[:, -1:]
    return weight * (_F(1) / total)


def _linear(x: np.ndarray) -> np.ndarray:
    return np.stack([1 - x, x], axis=1)


@kept
def _taps(n: int, length: int, kernel: str, axis: int) -> Taps:
    inverse = length / n
    ratio = 1 / inverse
    number = np.arange(length)
    if kernel == "area":
        before = np.floor(number * ratio).astype(np.int64)
        part = ((number + 1) - (before + 1) * inverse).astype(np.float32)
        part = np.where(part <= 0, _F(0), part - np.floor(part))
    else:
        place = ((number + 0.5) * ratio - 0.5).astype(np.float32)
        before = np.floor(place).astype(np.int64)
        part = place - before.astype(np.float32)
    if kernel in ("triangle", "area"):
        if axis == 1:  # beyond the border a column is that on it; of rows, two of one row are added
            part = np.where((before < 0) | (before >= n - 1), _F(0), part)
            before = np.clip(before, 0, n - 1)
        weight, reach = _linear(part), 0
    elif kernel == "cubic":
        weight, reach = _cubic(part), 1
    else:
        weight, reach = _lanczos(part), 3
    index = before[:, None] - reach + np.arange(weight.shape[1])
    return float32_taps(np.clip(index, 0, n - 1), weight)


@kept
def _fixed_point(n: int, length: int, kernel: str, axis: int) -> Taps:
    taps = _taps(n, length, kernel, axis)
    return taps.cast(np.rint(taps.weight * _F(_ONE)).astype(np.int64))


@kept
def _area_taps(n: int, length: int) -> Taps:
    """The part of each input pixel in an output pixel; parts below a thousandth are left out."""
    ratio = 1 / (length / n)
    begin = np.arange(length) * ratio
    end = begin + ratio
    width = np.minimum(ratio, n - begin)
    last = np.minimum(np.floor(end).astype(np.int64), n - 1)
    first = np.minimum(np.ceil(begin).astype(np.int64), last)
    index = first[:, None] - 1 + np.arange(int((last - first).max()) + 2)
    low, high = first[:, None], last[:, None]
    before = (first - begin) / width
    after = np.minimum(np.minimum(end - last, 1.0), width) / width
    weight = np.where(
        index < low, before[:, None], np.where(index < high, (1.0 / width)[:, None], after[:, None])
    )
    used = (index >= low) & (index < high)
    used |= (index == low - 1) & (first - begin > 1e-3)[:, None]
    used |= (index == high) & (end - last > 1e-3)[:, None]
    return float32_taps(np.clip(index, 0, n - 1), weight, used)


def _rounded(total: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    if dtype.kind == "f":
        return total.astype(dtype)
    ends = np.iinfo(dtype)
    return np.clip(np.rint(total), ends.min, ends.max).astype(dtype)


def _area(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    ratios = [1 / (length / n) for n, length in zip(array.shape, size)]
    whole = [round(ratio) for ratio in ratios]
    work = np.float64 if array.dtype == np.float64 else np.float32
    if all(abs(ratio - r) < np.finfo(np.float64).eps for ratio, r in zip(ratios, whole)):
        rows, columns = size
        blocks = array[: rows * whole[0], : columns * whole[1]]
        blocks = blocks.reshape(rows, whole[0], columns, whole[1], *array.shape[2:])
        count = whole[0] * whole[1]
        if array.dtype.kind != "f":
            total = blocks.sum(axis=(1, 3), dtype=np.int64)
            if whole == [2, 2]:
                return ((total + 2) >> 2).astype(array.dtype)
            return _rounded(total.astype(np.float32) * (_F(1) / _F(count)), array.dtype)
        parts = [blocks[:, y, :, x] for y in range(whole[0]) for x in range(whole[1])]
        total = parts[0].astype(work)
        for part in parts[1:]:
            total = total + part
        return (total * work(_F(1) / _F(count))).astype(array.dtype)
    lines = summed(array, 1, _area_taps(array.shape[1], size[1]), work)
    return _rounded(summed(lines, 0, _area_taps(array.shape[0], size[0]), work), array.dtype)


def _bytes(array: np.ndarray, size: tuple[int, int], kernel: str) -> np.ndarray:
    lines = np.ascontiguousarray(summed(array, 1, _fixed_point(array.shape[1], size[1], kernel, 1), np.int32))
    rows = _fixed_point(array.shape[0], size[0], kernel, 0)
    if kernel in ("triangle", "area"):
        ends = [
            (
                rows.weight[:, side].astype(np.int32).reshape(-1, *(1,) * (array.ndim - 1))
                * (lines >> 4)[rows.pixel[:, side]]
            )
            >> 16
            for side in (0, 1)
        ]
        return np.clip((ends[0] + ends[1] + 2) >> 2, 0, 255).astype(np.uint8)
    total = summed(lines, 0, rows, np.int64)
    return np.clip((total + (1 << 21)) >> 22, 0, 255).astype(np.uint8)


def resize(array: np.ndarray, size: tuple[int, int], kernel: str, antialias: bool) -> np.ndarray:
    """Resize the first two axes as `cv2.resize` does; `antialias` has no meaning."""
    (height, width), (rows, columns) = array.shape[:2], size
    if (height, width) == size:
        return array
    if kernel == "nearest":
        return array[_nearest(height, rows)][:, _nearest(width, columns)]
    if kernel == "nearest-exact":
        return array[_nearest_exact(height, rows)][:, _nearest_exact(width, columns)]
    halves = height == 2 * rows and width == 2 * columns
    if (kernel == "area" and height >= rows and width >= columns) or (kernel == "triangle" and halves):
        return _area(array, size)
    if array.dtype == np.uint8:
        return _bytes(array, size, kernel)
    work = np.float64 if array.dtype == np.float64 else np.float32
    lines = summed(array, 1, _taps(width, columns, kernel, 1), work)
    return _rounded(summed(lines, 0, _taps(height, rows, kernel, 0), work), array.dtype)

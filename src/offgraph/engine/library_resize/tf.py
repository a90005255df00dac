"""TensorFlow's `tf.image.resize`: float32 throughout, pixel centres at halves; the result is float32, but of 'nearest'.

Without antialiasing there is one function per method, each with its own order of operations; with it, and for the methods
that have no other, weights are a kernel's, as wide as the shrink factor, cut off at the edges and divided by their sum,
rows before columns. An image that has the size already goes through it all the same: two of the kernels blur it.
"""

from __future__ import annotations

import numpy as np

from offgraph.engine.library_resize.sums import Taps, float32_taps, kept, summed

__all__ = ["DTYPES", "KERNELS", "resize"]

KERNELS = {
    "nearest": "nearest",
    "triangle": "bilinear",
    "cubic": "bicubic",
    "area": "area",
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
    "gaussian": "gaussian",
    "mitchell": "mitchellcubic",
}
"""Our names, and TensorFlow's."""

DTYPES = ("uint8", "int8", "uint16", "int16", "int32", "int64", "float32", "float64")

_F = np.float32
_PI = _F(3.14159265359)
_STEPS = 1024
_TINY = _F(1000) * np.finfo(np.float32).tiny


def _ratio(n: int, length: int) -> np.float32:
    return _F(n) / _F(length)


def _centres(n: int, length: int) -> np.ndarray:
    """Input coordinates of output pixels, pixel centres at integers."""
    return (np.arange(length, dtype=np.float32) + _F(0.5)) * _ratio(n, length) - _F(0.5)


def _nearest(n: int, length: int) -> np.ndarray:
    places = (np.arange(length, dtype=np.float32) + _F(0.5)) * _ratio(n, length)
    return np.minimum(np.floor(places).astype(np.int64), n - 1)


def _linear(n: int, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pixel before, the pixel after, and how far between them."""
    places = _centres(n, length)
    before = np.floor(places)
    low = np.maximum(before.astype(np.int64), 0)
    high = np.minimum(np.ceil(places).astype(np.int64), n - 1)
    return low, high, places - before


def _between(low: np.ndarray, high: np.ndarray, share: np.ndarray) -> np.ndarray:
    return low + (high - low) * share


def _bilinear(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    rows, columns = (_linear(n, length) for n, length in zip(array.shape, size))
    across, down = (lengths[2].reshape(-1, *(1,) * (array.ndim - 1)) for lengths in (columns, rows))
    # Whole lines of memory are taken faster than pixels.
    turned = np.ascontiguousarray(np.moveaxis(array, 1, 0))
    made = _between(turned[columns[0]], turned[columns[1]], across)
    lines = np.ascontiguousarray(np.moveaxis(made, 0, 1))
    return _between(lines[rows[0]], lines[rows[1]], down)


@kept
def _cubic_taps(n: int, length: int) -> Taps:
    """Four pixels, their weights looked up at 1024 places between two; those outside have none."""
    x = (np.arange(_STEPS + 1) / _STEPS).astype(np.float32).astype(np.float64)
    a = -0.5
    near = (((a + 2) * x - (a + 3)) * x * x + 1).astype(np.float32)
    x = (x + 1).astype(np.float32).astype(np.float64)
    far = (((a * x - 5 * a) * x + 8 * a) * x - 4 * a).astype(np.float32)
    places = _centres(n, length)
    before = np.floor(places)
    step = np.rint((places - before) * _F(_STEPS)).astype(np.int64)
    index = before.astype(np.int64)[:, None] + np.arange(-1, 3)
    weight = np.stack([far[step], near[step], near[_STEPS - step], far[_STEPS - step]], axis=1)
    weight = np.where((index >= 0) & (index < n), weight, _F(0))
    total = np.add.accumulate(weight, axis=1)[:, -1:]
    weight = np.where(np.abs(total) >= _TINY, weight * (_F(1) / np.where(total == 0, _F(1), total)), weight)
    return float32_taps(np.clip(index, 0, n - 1), weight)


@kept
def _area_taps(n: int, length: int) -> Taps:
    """The part of each input pixel that an output pixel covers, in pixels."""
    ratio = _ratio(n, length)
    begin = np.arange(length, dtype=np.float32) * ratio
    end = np.arange(1, length + 1, dtype=np.float32) * ratio
    first, last = np.floor(begin).astype(np.int64), np.ceil(end).astype(np.int64)
    index = first[:, None] + np.arange(int((last - first).max()))
    low, high = begin[:, None], end[:, None]
    at, after = index.astype(np.float32), (index + 1).astype(np.float32)
    parts = np.where(
        at < low, np.where(after > high, ratio, after - low), np.where(after > high, high - at, _F(1))
    )
    return float32_taps(np.clip(index, 0, n - 1), parts, index < last[:, None])


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.where(x < 1, _F(1) - x, _F(0))


def _keys(x: np.ndarray) -> np.ndarray:
    near = (_F(1.5) * x - _F(2.5)) * x * x + _F(1)
    far = ((_F(-0.5) * x + _F(2.5)) * x - _F(4)) * x + _F(2)
    return np.where(x < 1, near, np.where(x < 2, far, _F(0)))


def _mitchell(x: np.ndarray) -> np.ndarray:
    near = (_F(7) / _F(6) * x - _F(2)) * x * x + _F(8) / _F(9)
    far = ((_F(-7) / _F(18) * x + _F(2)) * x - _F(10) / _F(3)) * x + _F(16) / _F(9)
    return np.where(x < 1, near, np.where(x < 2, far, _F(0)))


def _gaussian(x: np.ndarray) -> np.ndarray:
    bell = np.exp(-(x * x).astype(np.float64) / (2.0 * 0.5 * 0.5)).astype(np.float32)
    return np.where(x < _F(1.5), bell, _F(0))


def _sine(x: np.ndarray) -> np.ndarray:
    """The float32 that is nearest to the sine, as the C library has it; NumPy's own is an ulp off."""
    return np.sin(x.astype(np.float64)).astype(np.float32)


def _lanczos(radius: np.float32, x: np.ndarray) -> np.ndarray:
    away = np.where(x <= _F(1e-3), _F(1), x)
    waves = radius * _sine(_PI * away) * _sine(_PI * away / radius) / (_PI * _PI * away * away)
    return np.where(x > radius, _F(0), np.where(x <= _F(1e-3), _F(1), waves))


_SHAPES = {
    "triangle": (_triangle, _F(1)),
    "cubic": (_keys, _F(2)),
    "mitchell": (_mitchell, _F(2)),
    "gaussian": (_gaussian, _F(1.5)),
    "lanczos3": (lambda x: _lanczos(_F(3), x), _F(3)),
    "lanczos5": (lambda x: _lanczos(_F(5), x), _F(5)),
}


@kept
def _kernel_taps(n: int, length: int, kernel: str, antialias: bool) -> Taps:
    shape, radius = _SHAPES[kernel]
    ratio = _F(1.0 / np.float64(_F(length) / _F(n)))
    wide = max(ratio, _F(1)) if antialias else _F(1)
    centres = (np.arange(length, dtype=np.float32) + _F(0.5)) * ratio
    first = np.clip(np.ceil(centres - radius * wide - _F(0.5)).astype(np.int64), 0, n - 1)
    end = np.clip(np.floor(centres + radius * wide - _F(0.5)).astype(np.int64), 0, n - 1) + 1
    index = first[:, None] + np.arange(int((end - first).max()))
    used = index < end[:, None]
    away = np.abs((index.astype(np.float32) + _F(0.5) - centres[:, None]) * (_F(1) / wide))
    weight = np.where(used, shape(away), _F(0)).astype(np.float32)
    total = np.add.accumulate(weight, axis=1)[:, -1:]
    weight = np.where(np.abs(total) >= _TINY, weight * (_F(1) / np.where(total == 0, _F(1), total)), _F(0))
    return float32_taps(np.minimum(index, n - 1), weight, used & (weight != 0))


def resize(array: np.ndarray, size: tuple[int, int], kernel: str, antialias: bool) -> np.ndarray:
    """Resize the first two axes as `tf.image.resize` does."""
    (height, width), (rows, columns) = array.shape[:2], size
    if kernel == "nearest":
        return array[_nearest(height, rows)][:, _nearest(width, columns)]
    array = array.astype(np.float32)
    if kernel == "area":
        lines = summed(array, 1, _area_taps(width, columns), np.float32)
        whole = summed(lines, 0, _area_taps(height, rows), np.float32)
        share = 1.0 / np.float64(_ratio(height, rows) * _ratio(width, columns))
        return whole * _F(share)
    if kernel == "triangle" and not antialias:
        return _bilinear(array, size)
    if kernel == "cubic" and not antialias:
        taps = _cubic_taps(height, rows), _cubic_taps(width, columns)
    else:
        taps = (
            _kernel_taps(height, rows, kernel, antialias),
            _kernel_taps(width, columns, kernel, antialias),
        )
    return summed(summed(array, 0, taps[0], np.float32), 1, taps[1], np.float32)

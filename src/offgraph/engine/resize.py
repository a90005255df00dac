"""Antialiased resizing: a weight for every input pixel that an output pixel covers.

The scheme is Pillow's: half-pixel centres, a kernel as wide as the shrink factor, cut off at the edges of the image
and normalised. "area" weighs each input pixel by the part of it that an output pixel covers, and "nearest" takes one;
both are decided in integers. All sums are float64, one spatial axis after the other in the order given, from the lowest pixel to
the highest; the result is rounded once, by the rule of the interpolating functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, Literal

import numpy as np

from offgraph.engine.calls import call_native, native_input, parts
from offgraph.engine.native import core
from offgraph.engine.nearest import on_half_pixels
from offgraph.engine.resample import arranged

__all__ = ["KERNELS", "Kernel", "resize", "resize_reference", "weight_table"]

Kernel = Literal["box", "triangle", "cubic", "lanczos3", "nearest", "area", "cubic75", "lanczos4", "lanczos5"]
"""Shape of the weights of a resize."""


def _box(x: np.ndarray) -> np.ndarray:
    return ((x > -0.5) & (x <= 0.5)).astype(np.float64)


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _keys(a: float, x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _lanczos(lobes: int, x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < lobes, np.sinc(x) * np.sinc(x / lobes), 0.0)


KERNELS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "box": (_box, 0.5),
    "triangle": (_triangle, 1.0),
    "cubic": (partial(_keys, -0.5), 2.0),
    "lanczos3": (partial(_lanczos, 3), 3.0),
    "nearest": (_box, 0.5),
    "area": (_box, 0.5),
    "cubic75": (partial(_keys, -0.75), 2.0),
    "lanczos4": (partial(_lanczos, 4), 4.0),
    "lanczos5": (partial(_lanczos, 5), 5.0),
}
"""Each kernel by name, with its half width in output pixels."""

_Table = tuple[np.ndarray, np.ndarray, np.ndarray]


_MOST_WEIGHTS = 1 << 24
"""Largest number of weights in a table: building one takes about ten times its memory."""

_MOST_KEPT = 1 << 16

_LONGEST_KEPT = 1 << 12
"""Native tables of longer axes are not cached."""


def weight_table(n: int, length: int, kernel: str, antialias: bool) -> _Table:
    """The weights of :func:`_weight_table`; small tables are cached.

    Raises
    ------
    ValueError
        For a table that would take memory without bound.
    """
    taps = 2 * KERNELS[kernel][1] * max(n / length if antialias else 1, 1) + 1
    if length * taps > _MOST_WEIGHTS:
        raise ValueError(
            f"resizing an axis from {n:,} to {length:,} pixels takes {length * taps:,.0f} weights, more than the "
            f"limit of {_MOST_WEIGHTS:,}"
        )
    make = _kept_table if length * taps <= _MOST_KEPT else _weight_table
    return make(n, length, kernel, antialias)


def _weight_table(n: int, length: int, kernel: str, antialias: bool) -> _Table:
    """Weights of the `n` input pixels in each of `length` output pixels.

    Returns
    -------
    starts : ndarray of int64, shape (length,)
        The first input pixel.
    counts : ndarray of int64, shape (length,)
        The number of input pixels.
    weights : ndarray of float64, shape (length, widest)
        Their weights, each row of sum 1 over its `counts` first entries, zero after them.
    """
    if kernel == "nearest":
        return _frozen(on_half_pixels(n, length), np.ones(length, np.int64), np.ones((length, 1)))
    if kernel == "area":
        return _covered(n, length)
    function, half_width = KERNELS[kernel]
    ratio = n / length
    scale = max(ratio, 1.0) if antialias else 1.0
    centres = (np.arange(length) + 0.5) * ratio
    starts = np.maximum((centres - half_width * scale + 0.5).astype(np.int64), 0)
    ends = np.minimum((centres + half_width * scale + 0.5).astype(np.int64), n)
    positions = starts[:, None] + np.arange(int((ends - starts).max(initial=1)))
    places = (positions + 0.5 - centres[:, None]) / scale
    if kernel == "box" and scale == 1:
        # Nearest neighbour: a tie between two pixels at equal distance must not depend on rounding.
        starts, ends = np.maximum(starts - 1, 0), np.minimum(ends + 1, n)
        positions = starts[:, None] + np.arange(int((ends - starts).max(initial=1)))
        places = ((2 * positions + 1) * length - (2 * np.arange(length)[:, None] + 1) * n) / (2 * length)
    weights = function(places)
    weights[positions >= ends[:, None]] = 0.0
    # A weight of zero at either end is left out: infinity times zero is NaN.
    used = weights != 0
    first = used.argmax(axis=1)
    counts = used.shape[1] - used[:, ::-1].argmax(axis=1) - first
    taps = np.arange(int(counts.max(initial=1)))
    chosen = np.minimum(first[:, None] + taps, weights.shape[1] - 1)
    weights = np.where(taps < counts[:, None], np.take_along_axis(weights, chosen, axis=1), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    return _frozen(starts + first, counts, weights)


def _covered(n: int, length: int) -> _Table:
    """The part of each input pixel that an output pixel covers, over all that this covers: exact before one division."""
    begin, end = (np.arange(length + shift, dtype=np.int64)[shift:] * n for shift in (0, 1))
    starts = begin // length
    counts = -(-end // length) - starts
    pixels = starts[:, None] + np.arange(int(counts.max(initial=1)))
    parts = np.minimum(end[:, None], (pixels + 1) * length) - np.maximum(begin[:, None], pixels * length)
    return _frozen(starts, counts, np.maximum(parts, 0) / n)


def _frozen(*table: np.ndarray) -> _Table:
    for array in table:
        array.flags.writeable = False
    starts, counts, weights = table
    return starts, counts, weights


_kept_table = lru_cache(maxsize=256)(_weight_table)


def _lengths(
    shape: tuple[int, ...], size: Sequence[int], axes: Sequence[int], kernel: str
) -> tuple[tuple[int, int], ...]:
    """Length before and after of each spatial axis, after the checks."""
    if kernel not in KERNELS:
        raise ValueError(f"kernel={kernel!r}: expected one of {', '.join(map(repr, KERNELS))}")
    if len(size) != len(axes) or len(set(axes)) != len(axes) or not axes:
        raise ValueError(f"size={tuple(size)} and axes={tuple(axes)} must name each spatial axis once")
    for axis, length in zip(axes, size):
        if length < 1 or shape[axis] < 1:
            raise ValueError(
                f"cannot resize axis {axis} from {shape[axis]} to {length} pixels: at least 1 each"
            )
    return tuple((shape[axis], int(length)) for axis, length in zip(axes, size))


def _preparation(
    shape: tuple[int, ...],
    size: tuple[int, ...],
    axes: tuple[int, ...],
    kernel: str,
    antialias: bool,
    window: tuple[tuple[int, int], ...] | None,
) -> tuple[core.ResizeTables, tuple[int, ...]]:
    """The native tables, and the shape of the result."""
    lengths = _lengths(shape, size, axes, kernel)
    tables = resize_tables(lengths, kernel, antialias, window)
    result = list(shape)
    for axis, (_, length) in zip(axes, lengths if window is None else window):
        result[axis] = length
    return tables, tuple(result)


_kept_preparation = lru_cache(maxsize=64)(_preparation)


def resize_tables(
    lengths: Sequence[tuple[int, int]],
    kernel: str,
    antialias: bool,
    window: Sequence[tuple[int, int]] | None = None,
) -> core.ResizeTables:
    """The tables of all spatial axes in the form of the native module; those of short axes are cached.

    Parameters
    ----------
    lengths : sequence of (int, int)
        Length before and after of each axis.
    kernel, antialias, window
        As for :func:`resize`.
    """
    make = _kept_tables if max(map(max, lengths)) <= _LONGEST_KEPT else _make_tables
    return make(tuple(lengths), kernel, antialias, _pairs(window))


def _pairs(window: Sequence[tuple[int, int]] | None) -> tuple[tuple[int, int], ...] | None:
    """The window in a form that a cache takes."""
    return None if window is None else tuple((start, length) for start, length in window)


def _make_tables(
    lengths: tuple[tuple[int, int], ...],
    kernel: str,
    antialias: bool,
    window: tuple[tuple[int, int], ...] | None,
) -> core.ResizeTables:
    tables = [weight_table(n, length, kernel, antialias) for n, length in lengths]
    if window is not None:
        size = tuple(length for _, length in lengths)
        if len(window) != len(size) or any(
            start < 0 or length < 1 or start + length > n for (start, length), n in zip(window, size)
        ):
            raise ValueError(f"window={window} does not lie inside the result of {size}")
        chosen = [slice(start, start + length) for start, length in window]
        tables = [
            (starts[rows], counts[rows], weights[rows])
            for (starts, counts, weights), rows in zip(tables, chosen)
        ]
    return core.ResizeTables(tables)


_kept_tables = lru_cache(maxsize=64)(_make_tables)


def resize(
    image: np.ndarray,
    size: Sequence[int],
    *,
    axes: Sequence[int],
    kernel: str = "triangle",
    antialias: bool = True,
    window: Sequence[tuple[int, int]] | None = None,
) -> np.ndarray:
    """Resize the spatial axes of an image to a size in pixels.

    Parameters
    ----------
    image : ndarray
        Any number of axes, any type of :mod:`offgraph.ndimage`, complex included. Booleans are truncated, as by
        SciPy's interpolation: convert them first.
    size : sequence of int
        Length of each spatial axis of the result, at least 1.
    axes : sequence of int
        The spatial axes, counted from 0, in the order in which they are summed. All others are carried along.
    kernel : {"triangle", "box", "cubic", "lanczos3", "nearest", "area", "cubic75", "lanczos4", "lanczos5"}, optional
        Shape of the weights.
    antialias : bool, optional
        Whether the kernel is as wide as an output pixel where that is wider than an input pixel.
    window : sequence of (int, int), optional
        (start, length) for each spatial axis: only these pixels of the result are made; by default all.

    Returns
    -------
    ndarray
        Of the image's type, C order. Equal to the bytes of :func:`resize_reference`, or to that part of them.

    Raises
    ------
    ValueError
        For an unknown kernel, a size below 1, an empty spatial axis, or `axes` that do not fit `size`.
    RuntimeError
        For an element type that is not supported.

    Examples
    --------
    >>> import numpy as np
    >>> resize(np.array([[0, 10, 20, 30]], np.uint8), (1, 2), axes=(0, 1))
    array([[ 7, 23]], dtype=uint8)
    """
    arguments = tuple(size), tuple(axes), kernel, bool(antialias), _pairs(window)
    prepare = _kept_preparation if max(*image.shape, *size, 0) <= _LONGEST_KEPT else _preparation
    tables, shape = prepare(image.shape, *arguments)
    output = np.empty(shape, dtype=image.dtype.newbyteorder("="))
    for part, target, _ in parts(image, output):
        _resize_into(target, part, tables, axes)
    return output


def _resize_into(
    output: np.ndarray, image: np.ndarray, tables: core.ResizeTables, axes: Sequence[int]
) -> None:
    source, outer = arranged(native_input(image), axes)
    target, _ = arranged(output, axes)
    call_native(core.resize, target, source, outer, tables)


def resize_reference(
    image: np.ndarray,
    size: Sequence[int],
    *,
    axes: Sequence[int],
    kernel: str = "triangle",
    antialias: bool = True,
) -> np.ndarray:
    """The definition of :func:`resize` in NumPy, with the same parameters and the same bytes.

    Examples
    --------
    >>> import numpy as np
    >>> resize_reference(np.array([0.0, 4.0, 8.0, 12.0]), (2,), axes=(0,), kernel="box")
    array([ 2., 10.])
    """
    lengths = _lengths(image.shape, size, axes, kernel)
    if np.iscomplexobj(image):
        options = {"axes": axes, "kernel": kernel, "antialias": antialias}
        whole: Any = image
        real, imaginary = (resize_reference(part, size, **options) for part in (whole.real, whole.imag))
        output: Any = np.empty(real.shape, dtype=image.dtype.newbyteorder("="))
        output.real, output.imag = real, imaginary
        return output
    values = image.astype(np.float64)
    for axis, (n, length) in zip(axes, lengths):
        starts, counts, weights = weight_table(n, length, kernel, bool(antialias))
        values = np.moveaxis(values, axis, 0)
        sums = np.zeros((len(starts), *values.shape[1:]))
        for tap in range(weights.shape[1]):
            rows = np.flatnonzero(tap < counts)
            weight = weights[rows, tap].reshape(-1, *[1] * (values.ndim - 1))
            sums[rows] += values[starts[rows] + tap] * weight
        values = np.moveaxis(sums, 0, axis)
    from scipy import ndimage  # takes a quarter of a second to import

    # Order 0 without movement: only SciPy's cast of every value.
    return ndimage.shift(values, 0, order=0, output=image.dtype.newbyteorder("="))

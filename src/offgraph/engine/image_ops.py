"""Work on whole images as operations of a plan: colours, noise, blanks, own statistics, and sums of neighbours in the plane.

Nothing moves and the shape stays, and so does the dtype unless the function says otherwise. Images have spatial axes alone, or the channels after them. Each function makes
an operation as :mod:`offgraph.engine.native_plan` does; :func:`applied` runs one by itself. They have the bytes of the NumPy
expressions in the steps that make them, at every SIMD level and number of threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from offgraph.engine.calls import is_native, mode_code
from offgraph.engine.native_plan import IMAGE, NativeOp, run_plan

__all__ = [
    "MOST_PIXELS",
    "Change",
    "applied",
    "blank_op",
    "correlate_op",
    "darken_op",
    "grey_op",
    "has_levels",
    "mix_op",
    "moments_op",
    "normal_op",
    "percentiles_op",
    "recolor_op",
    "reorder_op",
    "replace_op",
    "takes_images",
    "zoom_blur_op",
]

_LEVELS = frozenset(("uint8", "uint16", "float32"))
MOST_PIXELS = 1 << 28
"""Pixels whose luma is summed without rounding."""

Change = tuple[str, *tuple[float, ...]]
"""A change of colours: ('brightness', factor), ('contrast', factor), ('saturation', factor), ('hue', turn), ('hsv', turn,
saturation, value, shift of the saturation, shift of the value) or ('lightness', threshold, factor); turns in sixths."""


def has_levels(dtype: str) -> bool:
    """Return whether the core computes with a dtype in float32: uint8, uint16 and float32."""
    return dtype in _LEVELS


def takes_images(axes: str, dtype: str) -> bool:
    """Return whether these operations take images of these axes and this dtype."""
    return axes in ("YX", "YXC", "ZYX", "ZYXC") and is_native(dtype)


def applied(image: np.ndarray, op: NativeOp, dtype: Any = None) -> np.ndarray:
    """Run one operation on an image, channels last; return a new array, of the image's dtype unless another is given."""
    output = np.empty(image.shape, image.dtype if dtype is None else dtype)
    run_plan(((np.ascontiguousarray(image), output, 0, image.ndim - 1, (op,)),))
    return output


def recolor_op(changes: Sequence[Change], top: float) -> NativeOp:
    """Make changes of red, green and blue one after another, each limited to 0 to `top`.

    A contrast is one about the mean luma of the image before it, each pixel's rounded to 2**-24 of `top`; of up to
    `MOST_PIXELS` pixels.
    """
    return (IMAGE, "recolor", tuple(changes), float(top))


def grey_op() -> NativeOp:
    """Put the luma of red, green and blue of uint8 or uint16, in Pillow's integers, in all three channels."""
    return (IMAGE, "grey")


def reorder_op(order: Sequence[int]) -> NativeOp:
    """``image[..., order]``, as many channels as there are."""
    return (IMAGE, "reorder", tuple(order))


def mix_op(weights: np.ndarray, top: float) -> NativeOp:
    """Make each channel a sum of all, weighted, in float64 and term after term, limited to 0 to `top`.

    Parameters
    ----------
    weights : ndarray of float64, shape (channels, channels)
        A row for each channel of the result.
    top : float
    """
    return (IMAGE, "mix", tuple(weights.ravel().tolist()), float(top))


def darken_op(shades: Iterable[tuple[float, np.ndarray]]) -> NativeOp:
    """Multiply what lies in polygons, by the even-odd rule of pixel centres, in float32.

    Parameters
    ----------
    shades : iterable of (float, ndarray of float64, shape (corners, 2))
        A factor that float32 holds, and corners (row, column).
    """
    return (IMAGE, "darken", tuple((factor, tuple(corners.ravel().tolist())) for factor, corners in shades))


def zoom_blur_op(zooms: Iterable[tuple[tuple[float, float], tuple[float, float]]]) -> NativeOp:
    """Average zooms of order 1 with the mode 'nearest' in float64, rounded half to even; of up to four channels of 8 or 16 bits.

    Parameters
    ----------
    zooms : iterable
        For each, of the rows and of the columns: input pixels per output pixel, and what is added to a position before it is
        multiplied by them.
    """
    return (IMAGE, "zoom blur", tuple(zooms))


def normal_op(
    seed: int,
    frame: int,
    kind: str,
    values: Sequence[float],
    *,
    per_channel: bool = True,
    top: float | None,
) -> NativeOp:
    """Add numbers of the normal distribution, to a dtype that `has_levels`.

    Parameters
    ----------
    seed, frame : int
    kind : str
        'add', with `values` (spread, mean); 'multiply', with (spread,); 'sensor', with (shift, intensity, white).
    values : sequence of float
        Rounded to float32.
    per_channel : bool
        Whether each channel has numbers of its own, or all the same.
    top : float or None
        Results are limited to 0 and this.
    """
    numbers = tuple(float(np.float32(value)) for value in values)
    limit = None if top is None else float(np.float32(top))
    return (IMAGE, "normal", kind, numbers, seed, frame, not per_channel, limit)


def replace_op(
    values: np.ndarray, ranges: Iterable[tuple[int, int]], seed: int, frame: int, *, per_channel: bool
) -> NativeOp:
    """Put row i of `values` where a random number of 32 bits lies in range i, its end excluded.

    Parameters
    ----------
    values : ndarray, shape (ranges, channels)
        Of the image's dtype.
    ranges : iterable of (int, int)
        Within 0 to 2**32; they do not overlap.
    seed, frame : int
    per_channel : bool
        Whether each value has a number of its own, or each pixel.
    """
    return (IMAGE, "replace", np.ascontiguousarray(values), tuple(ranges), seed, frame, not per_channel)


def blank_op(holes: Iterable[Sequence[Sequence[int]]], fill: float | Sequence[float]) -> NativeOp:
    """Fill rectangles.

    Parameters
    ----------
    holes : iterable
        For each (start, stop) of every spatial axis.
    fill : float or sequence of float
        For all channels, or for each; values that the image's dtype holds.
    """
    ends = tuple((start, stop) for hole in holes for start, stop in hole)
    return (IMAGE, "blank", ends, tuple(map(float, fill)) if isinstance(fill, Sequence) else (float(fill),))


def correlate_op(weights: np.ndarray, mode: str, cval: float) -> NativeOp:
    """Weigh neighbours in the plane of rows and columns, as SciPy's `correlate` in float64, rounded half to even once.

    Of a dtype that `has_levels`.

    Parameters
    ----------
    weights : ndarray of float64, shape (rows, columns)
        The middle one lies on the pixel.
    mode, cval
        As SciPy's.
    """
    places = np.argwhere(np.abs(weights) > np.finfo(np.float64).eps)  # SciPy leaves the others out
    offsets = places - np.array(weights.shape) // 2
    kept = weights[tuple(places.T)].tolist()
    taps = tuple((row, column, weight) for (row, column), weight in zip(offsets.tolist(), kept))
    return (IMAGE, "correlate", taps, mode_code(mode, is_filter=True), float(cval))


def percentiles_op(low: float, high: float, *, clip: bool, per_channel: bool) -> NativeOp:
    """``(value - a) / (b - a)`` as float32, a and b by `numpy.percentile`; 0 where b is not above a."""
    return (IMAGE, "percentiles", float(low), float(high), clip, per_channel)


def moments_op(*, nonzero: bool, divide: bool, per_channel: bool) -> NativeOp:
    """``(value - mean) / std`` as float32, by `numpy.mean` and `numpy.std`; zeros may be left out, and stay."""
    return (IMAGE, "moments", nonzero, divide, per_channel)

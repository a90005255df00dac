"""Values of whole images changed by the native core: colours, histograms, noise.

Images are C-contiguous with the channels last, as the `reference` of a step gets them. Results are new arrays. Each
function has the bytes of the NumPy expressions in the steps that call it, at every SIMD level and number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from offgraph.engine.calls import mode_code
from offgraph.engine.native import core

__all__ = [
    "Change",
    "TiledAxis",
    "add_normal",
    "correlate_plane",
    "count_photons",
    "equalize_tiles",
    "grey",
    "histogram",
    "mean_luma",
    "multiply_pixels",
    "recolor",
    "reorder_channels",
    "replace_values",
    "takes_levels",
]

_LEVELS = frozenset(map(np.dtype, ("uint8", "uint16", "float32")))
MOST_PIXELS = 1 << 28
"""Pixels whose luma is summed without rounding."""

Change = tuple[str, *tuple[float, ...]]
"""A change of colours: ('brightness', factor), ('contrast', factor, mean), ('saturation', factor), ('hue', turn) or
('hsv', turn, saturation, value); turns in sixths."""


def takes_levels(image: np.ndarray) -> bool:
    """Return whether the core computes with the image's dtype, in float32: uint8, uint16 and float32."""
    return image.dtype in _LEVELS and image.size > 0


def _lines(image: np.ndarray) -> np.ndarray:
    """Pixels in a line, channels last."""
    return np.ascontiguousarray(image).reshape(-1, image.shape[-1])


def recolor(image: np.ndarray, changes: Sequence[Change], top: float) -> np.ndarray:
    """Make changes of red, green and blue one after another, each limited to 0 to `top`."""
    output = np.empty(image.shape, image.dtype)
    core.recolor(_lines(output), _lines(image), tuple(changes), top)
    return output


def mean_luma(image: np.ndarray, changes: Sequence[Change], top: float) -> float:
    """Return the mean luma after these changes, each pixel's rounded to 2**-24 of `top`; up to 2**28 pixels."""
    total = core.luma_sum(_lines(image), tuple(changes), top)
    return total / (image.size // 3) * (top / 2**24)


def grey(image: np.ndarray, channels: int) -> np.ndarray:
    """Return the luma of red, green and blue of uint8 or uint16, in Pillow's integers, in 1 or 3 channels."""
    output = np.empty((*image.shape[:-1], channels), image.dtype)
    core.grey(_lines(output), _lines(image))
    return output


def reorder_channels(image: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Return ``image[..., order]``; as many channels as there are, of any dtype of up to 8 bytes."""
    output = np.empty(image.shape, image.dtype)
    bits = f"u{image.itemsize}"
    core.reorder_channels(_lines(output).view(bits), _lines(image).view(bits), tuple(order))
    return output


def histogram(image: np.ndarray) -> np.ndarray:
    """Return how often each value occurs in each channel, of uint8 or uint16.

    Returns
    -------
    ndarray of int64, shape (channels, 256) or (channels, 65536)
    """
    counts = np.empty((image.shape[-1], 1 << 8 * image.itemsize), np.int64)
    core.histogram(counts, _lines(image))
    return counts


class TiledAxis(NamedTuple):
    """An axis cut into tiles.

    Parameters
    ----------
    tiles : int
    sources : ndarray of int64
        The pixel at each place of all tiles together.
    before, after : ndarray of int64
        For each pixel, the tile whose centre lies before it, and the one after it.
    first, second : ndarray of float64
        The weights of these.
    """

    tiles: int
    sources: np.ndarray
    before: np.ndarray
    first: np.ndarray
    after: np.ndarray
    second: np.ndarray


def equalize_tiles(
    image: np.ndarray, rows: TiledAxis, columns: TiledAxis, limit: int, top: int
) -> np.ndarray:
    """Equalize the histograms of tiles of uint8, (rows, columns, channels), and interpolate between their tables."""
    output = np.empty(image.shape, image.dtype)
    core.equalize_tiles(output, np.ascontiguousarray(image), rows, columns, limit, top)
    return output


def add_normal(
    image: np.ndarray,
    quantiles: np.ndarray,
    seed: int,
    frame: int,
    kind: str,
    values: Sequence[float],
    *,
    per_channel: bool = True,
    top: float | None,
) -> np.ndarray:
    """Add numbers of the normal distribution.

    Parameters
    ----------
    image : ndarray
        Of a dtype that `takes_levels`.
    quantiles : ndarray of float32, shape (65536,)
    seed, frame : int
    kind : str
        'add', with `values` (spread, mean); 'multiply', with (spread,); 'sensor', with (shift, intensity, white).
    values : sequence of float
        Rounded to float32.
    per_channel : bool
        Whether each channel has numbers of its own.
    top : float or None
        Results are limited to 0 and this.
    """
    output = np.empty(image.shape, image.dtype)
    core.add_normal(
        _lines(output), _lines(image), quantiles, seed, frame, kind, tuple(values), not per_channel, top
    )
    return output


def replace_values(
    image: np.ndarray,
    values: np.ndarray,
    ranges: Sequence[tuple[int, int]],
    seed: int,
    frame: int,
    *,
    per_channel: bool,
) -> np.ndarray:
    """Put row i of `values` where a random number of 32 bits lies in range i, its end excluded; any dtype.

    Parameters
    ----------
    image : ndarray
    values : ndarray, shape (ranges, channels)
        Of the image's dtype.
    ranges : sequence of (int, int)
        Within 0 to 2**32; they do not overlap.
    seed, frame : int
    per_channel : bool
        Whether each value has a number of its own, or each pixel.
    """
    output = np.empty(image.shape, image.dtype)
    bits = f"u{image.itemsize}"
    core.replace_values(
        _lines(output).view(bits), _lines(image).view(bits), np.ascontiguousarray(values).view(bits), tuple(ranges),
        seed, frame, not per_channel,
    )  # fmt: skip
    return output


def correlate_plane(image: np.ndarray, weights: np.ndarray, mode: str, cval: float) -> np.ndarray:
    """Weigh neighbours in the plane of rows and columns, as SciPy's `correlate` in float64, rounded half to even once.

    Parameters
    ----------
    image : ndarray, shape (rows, columns, channels)
        Of a dtype that `takes_levels`.
    weights : ndarray of float64, shape (rows, columns)
        The middle one lies on the pixel.
    mode, cval
        As SciPy's.
    """
    output = np.empty(image.shape, image.dtype)
    places = np.argwhere(np.abs(weights) > np.finfo(np.float64).eps)  # SciPy leaves the others out
    offsets = places - np.array(weights.shape) // 2
    taps = tuple(
        (row, column, weight)
        for (row, column), weight in zip(offsets.tolist(), weights[tuple(places.T)].tolist())
    )
    core.correlate_plane(
        output, np.ascontiguousarray(image), taps, mode_code(mode, is_filter=True), float(cval)
    )
    return output


def multiply_pixels(image: np.ndarray, field: np.ndarray, top: float | None) -> np.ndarray:
    """Multiply the values of each pixel by one of `field`, in float64, limited to 0 to `top` where it is given.

    Parameters
    ----------
    image : ndarray
        Of a dtype that `takes_levels`.
    field : ndarray of float64
        Of the image's shape without the channels.
    top : float or None
    """
    output = np.empty(image.shape, image.dtype)
    core.multiply_pixels(_lines(output), _lines(image), np.ascontiguousarray(field).ravel(), top)
    return output


def count_photons(
    image: np.ndarray,
    means: np.ndarray,
    zeros: np.ndarray,
    photons: float,
    top: float,
    quantiles: np.ndarray,
    seed: int,
    frame: int,
) -> np.ndarray:
    """Return Poisson numbers divided by `photons`, limited to `top`.

    Parameters
    ----------
    image : ndarray
        Of a dtype that `takes_levels`.
    means, zeros : ndarray of float64
        The mean number for each of 256 bytes, or for each value of an image of another dtype; and ``exp(-mean)``.
    photons, top : float
    quantiles : ndarray of float32, shape (65536,)
    seed, frame : int
    """
    output = np.empty(image.shape, image.dtype)
    flat = (math.prod(image.shape),)
    core.count_photons(
        output.reshape(flat), np.ascontiguousarray(image).reshape(flat), np.ascontiguousarray(means).ravel(),
        np.ascontiguousarray(zeros).ravel(), photons, top, quantiles, seed, frame,
    )  # fmt: skip
    return output

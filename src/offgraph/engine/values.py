"""Values of whole images changed by single calls of the native core: grey, histograms, photons.

Images are C-contiguous with the channels last, as the `reference` of a step gets them. Results are new arrays. Each
function has the bytes of the NumPy expressions in the steps that call it, at every SIMD level and number of threads.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from offgraph.engine.native import core

__all__ = [
    "TiledAxis",
    "count_photons",
    "equalize_tiles",
    "grey",
    "histogram",
    "multiply_pixels",
    "shine",
    "takes_levels",
]

_LEVELS = frozenset(map(np.dtype, ("uint8", "uint16", "float32")))


def takes_levels(image: np.ndarray) -> bool:
    """Return whether the core computes with the image's dtype, in float32: uint8, uint16 and float32."""
    return image.dtype in _LEVELS and image.size > 0


def _lines(image: np.ndarray) -> np.ndarray:
    """Pixels in a line, channels last."""
    return np.ascontiguousarray(image).reshape(-1, image.shape[-1])


def grey(image: np.ndarray, channels: int) -> np.ndarray:
    """Return the luma of red, green and blue of uint8 or uint16, in Pillow's integers, in 1 or 3 channels."""
    output = np.empty((*image.shape[:-1], channels), image.dtype)
    core.grey(_lines(output), _lines(image))
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


def shine(
    image: np.ndarray, amounts: np.ndarray, color: np.ndarray, top: float, factor: float | None = None
) -> np.ndarray:
    """Mix values with a color, or add it to them and multiply them by a factor, in float32, limited to 0 to `top`.

    Parameters
    ----------
    image : ndarray
        Of a dtype that `takes_levels`.
    amounts : ndarray of float32
        Of the color at each pixel: of the image's shape without the channels.
    color : ndarray of float32
        For each channel, or for all.
    top : float
    factor : float, optional
        Where it is given, the color is added, and the sum, at most `top`, multiplied by it.
    """
    output = np.empty(image.shape, image.dtype)
    amounts = np.ascontiguousarray(amounts).ravel()
    core.shine(_lines(output), _lines(image), amounts, np.ascontiguousarray(color), factor, top)
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

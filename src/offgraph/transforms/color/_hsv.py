"""Hue, chroma and value of colours: the hexcone of Smith (1978), without its divisions by the value."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["blocks", "hexcone", "luma", "of_hexcone"]

_BLOCK = 1 << 15
"""Pixels whose intermediate values fit into a core's cache: a megabyte of single precision; half the time of whole images."""


def blocks(pixels: int) -> Iterator[slice]:
    """Cut a line of pixels into parts that are worked on one after the other."""
    for start in range(0, pixels, _BLOCK):
        yield slice(start, start + _BLOCK)


def luma(values: np.ndarray) -> np.ndarray:
    """Return the brightness of colours, by the weights of ITU-R BT.601; channels are the last axis."""
    red, green, blue = (values[..., channel] for channel in range(3))
    return red * values.dtype.type(0.299) + green * values.dtype.type(0.587) + blue * values.dtype.type(0.114)


def hexcone(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hue in sixths of a turn from -1 to 5, chroma and value of colours; the hue of a grey is 0.

    Parameters
    ----------
    values : ndarray of float, shape (..., 3)
    """
    red, green, blue = (np.ascontiguousarray(values[..., channel]) for channel in range(3))
    value = np.maximum(np.maximum(red, green), blue)
    chroma = value - np.minimum(np.minimum(red, green), blue)
    divisor = np.where(chroma > 0, chroma, 1)
    hue = np.where(
        value == red,
        (green - blue) / divisor,
        np.where(value == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    return hue, chroma, value


def of_hexcone(hue: np.ndarray, chroma: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return colours, channels last: the way back of `hexcone` from any number of turns."""
    out = np.empty((*hue.shape, 3), hue.dtype)
    for channel, place in enumerate((5, 3, 1)):
        sixth = hue + place
        sixth -= np.floor(sixth * hue.dtype.type(1 / 6)) * 6
        share = np.minimum(sixth, 4 - sixth)
        out[..., channel] = value - chroma * np.clip(share, 0, 1, out=share)
    return out

"""Numbers of the standard normal distribution for whole images, each found by its position.

Philox4x32 of seven rounds (Salmon et al., 2011), whose words the transform of Box and Muller makes pairs of numbers of. The
native core has the same bits (`noise/box_muller.rs`, where the formulas stand): NumPy rounds each product and sum to
float32, in the order that is written here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from offgraph.engine.image_ops import applied, normal_op

__all__ = ["native_normal", "normal"]

_LANES = 128
"""Counters of a block, of four words each."""
_TOGETHER = 64
"""Blocks that are made at once: their arrays stay in a cache."""
_ROUNDS = 7
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = 0x9E3779B9, 0xBB67AE85
_WORD = 0xFFFFFFFF
_LEAST_MANTISSA = np.int32(0x3F3504F3)
"""The bits of sqrt(1/2)."""
_LOGARITHM = -0.23792216, 0.3733571, -0.40992656, 0.49819487, -0.66629016, 1.0000223, -2.000002
"""-2 ln(1 + f) / f, the highest power first; so are the others."""
_OCTAVE = np.float32(-1.3862944)
"""-2 ln 2."""
_SINE = -2.5420808e-5, 0.0017606966, -0.057095643, 0.5553604
"""sin(t pi / 4) / sqrt(2) / t, of t * t."""
_COSINE = -0.00022537462, 0.011207419, -0.21808882, 0.70710677
"""cos(t pi / 4) / sqrt(2), of t * t."""


def normal(seed: int, frame: int, shape: tuple[int, ...], plane: int = 0) -> np.ndarray:
    """Return numbers of the standard normal distribution by NumPy.

    Parameters
    ----------
    seed : int
        From 0 to 2**64 - 1.
    frame : int
        Each has numbers of its own; below 2**32.
    shape : tuple of int
    plane : int
        So has each plane of a frame; below 2**32.

    Returns
    -------
    ndarray of float32
        Up to 6.6 standard deviations.
    """
    count = math.prod(shape)
    out = np.empty((-(-count // (4 * _LANES)), 4, _LANES), np.float32)
    for first in range(0, len(out), _TOGETHER):
        part = out[first : first + _TOGETHER]
        counters = np.arange(first * _LANES, (first + len(part)) * _LANES, dtype=np.uint64)
        words = [
            word.astype(np.uint32).reshape(-1, _LANES) for word in _philox4x32(counters, frame, plane, seed)
        ]
        part[:, 0], part[:, 1] = _box_muller(words[0], words[1])
        part[:, 2], part[:, 3] = _box_muller(words[2], words[3])
    return out.ravel()[:count].reshape(shape)


def native_normal(seed: int, frame: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return the same of plane 0, made by the core."""
    op = normal_op(seed, frame, "add", (1.0, 0.0), top=None)
    return applied(np.zeros((*shape, 1), np.float32), op)[..., 0]


def _philox4x32(counters: np.ndarray, frame: int, plane: int, seed: int) -> tuple[np.ndarray, ...]:
    """Encrypt the counters (lower half, upper half, frame, plane) under both halves of the seed."""
    low, half = np.uint64(_WORD), np.uint64(32)
    c0, c1 = counters & low, counters >> half
    c2, c3 = (np.full_like(counters, number & _WORD) for number in (frame, plane))
    k0, k1 = seed & _WORD, seed >> 32
    for _ in range(_ROUNDS):
        first, second = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1 = (second >> half) ^ c1 ^ np.uint64(k0), second & low
        c2, c3 = (first >> half) ^ c3 ^ np.uint64(k1), first & low
        k0, k1 = (k0 + _WEYL[0]) & _WORD, (k1 + _WEYL[1]) & _WORD
    return c0, c1, c2, c3


def _polynomial(coefficients: Sequence[float], x: np.ndarray) -> np.ndarray:
    """Horner's rule."""
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + np.float32(coefficient)
    return total


def _box_muller(radii: np.ndarray, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Make two numbers of two random words, uint32."""
    share = (radii >> 1).astype(np.float32) + np.float32(0.5)
    bits = share.view(np.int32) - _LEAST_MANTISSA
    octaves = ((bits >> 23) - 31).astype(np.float32)
    fraction = ((bits & 0x7FFFFF) + _LEAST_MANTISSA).view(np.float32) - np.float32(1)
    radius = np.sqrt(_polynomial(_LOGARITHM, fraction) * fraction + octaves * _OCTAVE)
    turn = (angles.view(np.int32) >> 8).astype(np.float32) * np.float32(2.0**-23)
    sine, cosine = _polynomial(_SINE, turn * turn) * turn, _polynomial(_COSINE, turn * turn)
    # Signs are the two lowest bits.
    one, other = (radius * (cosine - sine)).view(np.uint32), (radius * (cosine + sine)).view(np.uint32)
    top = np.uint32(1 << 31)
    return (one ^ (angles << 31)).view(np.float32), (other ^ (angles << 30 & top)).view(np.float32)

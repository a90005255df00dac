"""Random numbers for whole images, from a seed that a step has drawn.

They come from the raw words of NumPy's Philox, which NumPy promises to leave as they are, and not from its
distributions, which it does not: the same seed gives the same numbers with every release of it. Normally distributed
ones are those of `_normal.py`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec
from offgraph.engine.image_ops import applied, replace_op
from offgraph.engine.native_plan import NativeOp
from offgraph.steps.kinds import NoiseStep

__all__ = [
    "SeededStep",
    "chosen",
    "chosen_values",
    "generator",
    "happens",
    "quantiles",
    "ranges",
    "words",
]

_PROGRAM = int.from_bytes(b"Pixels", "big")
"""Second word of the key: keeps these numbers apart from those that steps draw."""


class SeededStep(NoiseStep):
    """A step that is random in every pixel: a record holds one seed for all of them."""

    def sample(self, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw a value for every range, and `seed`: a whole number below 2**53, which any JSON reader keeps."""
        return {**super().sample(draw, spec), "seed": draw.word() >> 11}


def generator(seed: int, frame: int) -> np.random.Philox:
    """Return the bit generator of a seed, for one frame."""
    return np.random.Philox(key=np.array([seed, _PROGRAM], np.uint64), counter=[0, 0, 0, frame])


def words(seed: int, frame: int, shape: tuple[int, ...], bits: int) -> np.ndarray:
    """Return random numbers of 16 or 32 bits, each as likely as the others."""
    count = math.prod(shape)
    raw = generator(seed, frame).random_raw(-(-count * bits // 64))
    return np.asarray(raw).astype("<u8", copy=False).view(f"<u{bits // 8}")[:count].reshape(shape)


def chosen(seed: int, frame: int, shape: tuple[int, ...], *shares: float) -> list[np.ndarray]:
    """Return where each of some disjoint events of these probabilities happens, bool of the shape."""
    drawn = words(seed, frame, shape, 32)
    return [(drawn >= low) & (drawn < high) for low, high in ranges(shares)]


def happens(seed: int, frame: int, shape: tuple[int, ...], share: float) -> np.ndarray:
    """Return where an event of this probability happens, bool of the shape: the first of `chosen`, by the core."""
    nothing = np.zeros((*shape, 1), bool)
    event = ranges([share])
    return applied(nothing, replace_op(np.ones((1, 1), bool), event, seed, frame, per_channel=False))[..., 0]


def ranges(shares: Sequence[float]) -> list[tuple[int, int]]:
    """Return the numbers of 32 bits, from one on and below another, at which each event happens."""
    ends = [0, *(round(min(share, 1.0) * 2.0**32) for share in np.cumsum(shares).tolist())]
    return list(pairwise(ends))


def chosen_values(
    spec: ArraySpec,
    values: Sequence[Sequence[float]],
    seed: int,
    frame: int,
    shares: Sequence[float],
    *,
    per_channel: bool,
) -> NativeOp:
    """Put row i of `values`, for each channel or for all, where event i of `chosen` happens."""
    channels = spec.shape[-1] if "C" in spec.axes else 1
    rows = np.array([np.broadcast_to(np.array(row).astype(spec.dtype), channels) for row in values])
    return replace_op(rows, ranges(shares), seed, frame, per_channel=per_channel)


@functools.cache
def quantiles() -> np.ndarray:
    """Return 65,536 values of equal probability, float32: the sum of two is nearly of the standard normal distribution."""
    from scipy.special import ndtri  # loaded where it computes

    values = ndtri((np.arange(1 << 16) + 0.5) / (1 << 16))
    values = (values / values.std() / math.sqrt(2)).astype(np.float32)
    values.flags.writeable = False
    return values

"""The order in which shards that are read in sequence hold their examples: a part of the format, the same for ever."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["mixed_order"]


def mixed_order(count: int, seed: int) -> list[int]:
    """Return a permutation of the numbers from 0.

    Each is ranked by a 64-bit hash (SplitMix64) of seed and number, which is a bijection of the number: there are no
    ties. Loaders draw the order of an epoch otherwise, and may change how; a shard that is damaged can only
    be made again if this stays.

    Examples
    --------
    >>> mixed_order(5, seed=7)
    [4, 1, 3, 0, 2]
    """
    start = hashlib.blake2b(f"offgraph order {seed} 0".encode(), digest_size=8).digest()
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):  # SplitMix64 counts and mixes modulo 2**64
        z = np.arange(1, count + 1, dtype=np.uint64) * golden + np.uint64(int.from_bytes(start, "little"))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return np.argsort(z, kind="stable").tolist()

"""The order of an epoch, derived from its address."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["permutation"]


def permutation(count: int, *, seed: int, epoch: int) -> np.ndarray:
    """Permutation of ``count`` items by address: the same (seed, epoch) gives the same order everywhere.

    Entry i is ranked by a 64-bit hash of (seed, epoch, i), so nothing is drawn in sequence and no state is kept.
    The hash is a bijection of i, so there are no ties to break.

    Returns
    -------
    ndarray of int64, shape (count,)

    Examples
    --------
    >>> permutation(5, seed=7, epoch=0).tolist()
    [4, 1, 3, 0, 2]
    """
    start = hashlib.blake2b(f"offgraph order {seed} {epoch}".encode(), digest_size=8).digest()
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):  # SplitMix64 counts and mixes modulo 2**64
        z = np.arange(1, count + 1, dtype=np.uint64) * golden + np.uint64(int.from_bytes(start, "little"))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return np.argsort(z, kind="stable")

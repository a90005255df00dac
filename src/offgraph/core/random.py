"""Random numbers by address, without state: Philox4x64-10, one counter block per (seed, epoch, index, step).

The generator is the one of Salmon et al. (2011), the same as ``numpy.random.Philox``. Drawn values come from
integers and ``+ - *`` only, so that they are equal in every bit on every machine.
"""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, overload

from offgraph import _native
from offgraph.core.distributions import Distribution
from offgraph.core.errors import ArgumentError

__all__ = ["Draw", "Key", "KeysOfEpoch", "TargetView", "hash64", "philox4x64"]

_WORD = (1 << 64) - 1
_LARGEST = sys.float_info.max
_PROGRAM = int.from_bytes(b"Offgraph", "big")
"""Second word of the key: keeps Offgraph's draws apart from other uses of Philox with the same seed."""


def philox4x64(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Encrypt one counter block with ten rounds of Philox4x64.

    Parameters
    ----------
    counter : tuple of four int
        64-bit words, the lowest first.
    key : tuple of two int
        64-bit words, the lowest first.

    Returns
    -------
    tuple of four int
        64 random bits each.
    """
    return _native.philox4x64(counter, key)


@functools.lru_cache(maxsize=1024)
def hash64(text: str) -> int:
    """Hash a text to 64 bits: the first eight bytes of its BLAKE2b digest of that length, lowest first."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


@dataclass(frozen=True)
class Key:
    """The address of a sample: whoever knows it can draw the same values again, anywhere.

    Parameters
    ----------
    seed, epoch, index : int
        From 0 to 2**64 - 1. The run's seed, the pass over the data, and the number of the image in its source.

    Raises
    ------
    ArgumentError
        Where a part is not a whole number in that range.

    Examples
    --------
    >>> Key(seed=7, epoch=3, index=1234)
    Key(seed=7, epoch=3, index=1234)
    """

    seed: int = 0
    epoch: int = 0
    index: int = 0

    def __post_init__(self) -> None:
        seed, epoch, index = self.seed, self.epoch, self.index
        if (
            type(seed) is type(epoch) is type(index) is int
            and 0 <= seed <= _WORD
            and 0 <= epoch <= _WORD
            and 0 <= index <= _WORD
        ):
            return
        for name in ("seed", "epoch", "index"):
            value = getattr(self, name)
            if type(value) is int and 0 <= value <= _WORD:
                continue
            if isinstance(value, bool) or not hasattr(value, "__index__") or not 0 <= value <= _WORD:
                raise ArgumentError(f"{name}={value!r:.80}: give a whole number from 0 to 2**64 - 1")
            object.__setattr__(self, name, value.__index__())


class KeysOfEpoch(Sequence[tuple[int, int, int]]):
    """Seed, epoch and index of samples of one epoch, without an object for each.

    Parameters
    ----------
    seed, epoch : int
    numbers : sequence of int

    Examples
    --------
    >>> list(KeysOfEpoch(7, 3, [5, 2]))
    [(7, 3, 5), (7, 3, 2)]
    """

    __slots__ = ("epoch", "numbers", "seed")

    def __init__(self, seed: int, epoch: int, numbers: Sequence[int]) -> None:
        self.seed, self.epoch, self.numbers = seed, epoch, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> tuple[int, int, int]: ...
    @overload
    def __getitem__(self, place: slice) -> KeysOfEpoch: ...
    def __getitem__(self, place: int | slice) -> tuple[int, int, int] | KeysOfEpoch:
        if isinstance(place, slice):
            return KeysOfEpoch(self.seed, self.epoch, self.numbers[place])
        return self.seed, self.epoch, self.numbers[place]


class TargetView(Protocol):
    """The targets of a sample where a step stands, for steps that draw from them."""

    def at(self, here: Any) -> Self:
        """Return the view of a placed step."""
        ...

    def after(self, step: Any, params: dict[str, Any], before: Any) -> Self:
        """Return the view after a step, or one that it is made of."""
        ...

    def target(self, kind: str) -> Any:
        """Return the target of a kind as it is there; ValueError where there is none."""
        ...


class Draw:
    """Values drawn at one address: a key and a step.

    Draws made one after the other differ, and the same draws at the same address are always the same.

    Parameters
    ----------
    key : Key
    step_id : str
        Address of the step inside its recipe, such as ``"Rotate.0"``.
    view : TargetView, optional
        Of the targets where the step stands.

    Attributes
    ----------
    address : str
        The same.
    view : TargetView or None
        The same.

    Examples
    --------
    >>> Draw(Key(seed=7), "Rotate.0").uniform(-15, 15) == Draw(Key(seed=7), "Rotate.0").uniform(-15, 15)
    True
    """

    def __init__(self, key: Key, step_id: str, view: TargetView | None = None) -> None:
        self._of, self.address, self.view = key, step_id, view
        self._key = (key.seed, _PROGRAM)
        self._counter = (hash64(step_id), key.index, key.epoch)
        self._block = 0
        self._words: list[int] = []

    def at(self, address: str, view: TargetView | None = None) -> Draw:
        """Return the draws of the same key at another address, such as that of a step inside this one."""
        return Draw(self._of, address, self.view if view is None else view)

    def target(self, kind: str) -> Any:
        """Return the target that a step draws from, as it is where the step stands.

        Parameters
        ----------
        kind : str
            The step's `draws_from`.

        Returns
        -------
        Mask, Boxes or None
            None where only the spec of an image is known, as in `Compose.explain`: the step draws as from an empty target.

        Raises
        ------
        ValueError
            Where the sample has no such target.
        """
        return None if self.view is None else self.view.target(kind)

    def word(self) -> int:
        """Return the next 64 random bits."""
        if not self._words:
            self._words = list(philox4x64((self._block, *self._counter), self._key))[::-1]
            self._block += 1
        return self._words.pop()

    def uniform(self, low: float, high: float) -> float:
        """Draw a float evenly from [low, high]."""
        fraction = (self.word() >> 11) * 2.0**-53
        if high - low > _LARGEST:  # more than a float64 holds
            return low * (1 - fraction) + high * fraction
        return min(max(low + (high - low) * fraction, low), high)

    def integer(self, low: int, high: int) -> int:
        """Draw a whole number evenly from low, low + 1, ..., high, both included.

        Raises
        ------
        ValueError
            Where ``high`` is below ``low`` or the two are 2**64 or more apart.
        """
        count = high - low + 1
        if not 0 < count <= _WORD:
            raise ValueError(f"cannot draw a whole number from {low} to {high}")
        limit = (1 << 64) - (1 << 64) % count  # words at or above the limit would favour low numbers
        word = self.word()
        while word >= limit:
            word = self.word()
        return low + word % count

    def chance(self, p: float) -> bool:
        """Return True with probability ``p``; 0 is never, 1 is always."""
        return (self.word() >> 11) * 2.0**-53 < p

    def value(self, setting: float | tuple[float, float]) -> float:
        """Return a fixed number as it is (nothing is drawn), or draw: evenly from a pair (low, high), or as a distribution says."""
        if isinstance(setting, Distribution):
            return float(setting.drawn(self))
        if isinstance(setting, tuple):
            return self.uniform(*setting)
        return float(setting)

"""The part of an epoch that one loader gives: a shard of it, or of what was left when the run was interrupted.

Image t of shard i of n is the one at place t·n + i of the order of the epoch. So when all shards have given k images, the
first n·k places of the order are done, and any other number of shards can divide what is left among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from offgraph.core.arguments import whole_number
from offgraph.core.errors import ArgumentError

__all__ = ["Cut", "EveryNth", "Share", "parse_shard"]


def _length(total: int, index: int, shards: int) -> int:
    """Images of one shard."""
    return max(0, -(-(total - index) // shards))


@dataclass(frozen=True)
class Cut:
    """Where each shard of a run was when it ended in the middle of an epoch.

    What is left has an order again: by the place in its shard first, then by the shard. Where all shards had given as
    many images, it is the rest of the order of the epoch.

    Parameters
    ----------
    total : int
        Images that the shards divided among them.
    done : tuple of int
        Images that each shard had given.
    batches : int
        Batches that a shard had given, the most of any.
    """

    total: int
    done: tuple[int, ...]
    batches: int = 0

    @cached_property
    def _stretches(self) -> list[tuple[int, int, np.ndarray]]:
        """(First place in what is left, first row, shards) of rows with the same shards in them."""
        done = np.array(self.done)
        found: list[tuple[int, int, np.ndarray]] = []
        first, rows = 0, sorted(set(self.done))
        for row, after in zip(rows, [*rows[1:], None]):
            shards = np.flatnonzero(done <= row)
            found.append((first, row, shards))
            first += 0 if after is None else (after - row) * len(shards)
        return found

    def __len__(self) -> int:
        shards = len(self.done)
        return sum(_length(self.total, i, shards) - done for i, done in enumerate(self.done))

    def places(self, left: np.ndarray) -> np.ndarray:
        """Places, among what the shards divided, of the images at some places of what is left."""
        firsts = np.array([first for first, _, _ in self._stretches])
        which = np.searchsorted(firsts, left, "right") - 1
        found = np.empty_like(left)
        for number, (first, row, shards) in enumerate(self._stretches):
            here = which == number
            rows, columns = np.divmod(left[here] - first, len(shards))
            found[here] = (row + rows) * len(self.done) + shards[columns]
        return found


@dataclass(frozen=True)
class Share:
    """A shard of an epoch.

    Parameters
    ----------
    count : int
        Images of the epoch.
    index, shards : int
        The number of the shard, from 0, and how many there are.
    cuts : tuple of Cut
        Where the run was interrupted in this epoch and went on with another number of shards, the first one first.
    """

    count: int
    index: int = 0
    shards: int = 1
    cuts: tuple[Cut, ...] = ()

    @property
    def total(self) -> int:
        """Images that the shards divide among them."""
        return len(self.cuts[-1]) if self.cuts else self.count

    def __len__(self) -> int:
        return _length(self.total, self.index, self.shards)

    @property
    def least(self) -> int:
        """Images that every shard has."""
        return self.total // self.shards

    @property
    def most(self) -> int:
        """Images that the largest shard has."""
        return _length(self.total, 0, self.shards)

    def places(self, start: int, stop: int) -> np.ndarray:
        """Places, in the order of the epoch, of the images from `start` to before `stop` of this shard."""
        return self._in_epoch(np.arange(start, min(stop, len(self)), dtype=np.int64))

    def even_places(self, start: int, stop: int) -> range | None:
        """The same as a range; None where they are no multiples of one number apart."""
        if self.cuts:
            return None
        shards = self.shards
        return range(start * shards + self.index, min(stop, len(self)) * shards + self.index, shards)

    def _in_epoch(self, own: np.ndarray) -> np.ndarray:
        """Places, in the order of the epoch, of images of this shard."""
        found = own * self.shards + self.index
        for cut in reversed(self.cuts):
            found = cut.places(found)
        return found

    def cut(self, done: tuple[int, ...], batches: int = 0) -> Cut:
        """Return where the run is when its shards have given that many images each."""
        fitted = (min(n, _length(self.total, i, self.shards)) for i, n in enumerate(done))
        return Cut(self.total, tuple(fitted), batches)


@dataclass(frozen=True)
class EveryNth(Share):
    """Every n-th batch of a shard, as one of n worker processes makes it.

    Parameters
    ----------
    batch_size : int
    first, step : int
        The batches are `first`, `first` + `step`, `first` + 2 · `step`, … of the shard.
    """

    batch_size: int = 1
    first: int = 0
    step: int = 1

    def __len__(self) -> int:
        full, rest = divmod(super().__len__(), self.batch_size)
        return self._batches(full) * self.batch_size + (rest if full % self.step == self.first else 0)

    @property
    def least(self) -> int:
        """Images of the full batches that every shard has."""
        return self._batches(super().least // self.batch_size) * self.batch_size

    @property
    def most(self) -> int:
        """Images of the batches that the largest shard has, the last one filled up."""
        return self._batches(-(-super().most // self.batch_size)) * self.batch_size

    def even_places(self, start: int, stop: int) -> range | None:
        """Return None: there is a gap after each batch."""
        return None

    def _batches(self, of_shard: int) -> int:
        return _length(of_shard, self.first, self.step)

    def _in_epoch(self, own: np.ndarray) -> np.ndarray:
        batches, rows = np.divmod(own, self.batch_size)
        return super()._in_epoch((batches * self.step + self.first) * self.batch_size + rows)


def parse_shard(given: Any, count: int) -> tuple[int, int]:
    """Return ``shard=(i, n)`` as a pair of int; (0, 1) unless given.

    Raises
    ------
    ArgumentError
        Where it is not the number of a shard and how many there are, or the shard would have no image.
    """
    if given is None:
        return 0, 1
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise ArgumentError(f"shard={given!r:.80}: give (i, n), the i-th of n parts, such as (0, 4)")
    index, shards = whole_number("shard[0]", given[0], least=0), whole_number("shard[1]", given[1])
    if index >= shards:
        raise ArgumentError(
            f"shard=({index}, {shards}): shards count from 0, so the last one is {shards - 1}"
        )
    if shards > count:
        raise ArgumentError(
            f"shard=({index}, {shards}): there are {count:,} images only; choose fewer shards"
        )
    return index, shards

"""What makes the shards of a build. A shard is a pure function of files, recipe, seed and its number: of nothing else."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple, Protocol

import numpy as np

from offgraph.dataset.example import BadFile, Example
from offgraph.dataset.formats import DatasetFormat
from offgraph.dataset.maker import Address, Maker
from offgraph.pipeline.rows import BatchRows, Row
from offgraph.pipeline.workers import ordered_map

__all__ = ["Engine", "Tell", "Threads", "WrittenShard"]

_PIECE = 14
"""Most examples that a thread makes at a time: more save little."""
_PIECE_BYTES = 16 << 20
"""Memory that the examples of a piece may take."""

Tell = Callable[[int, int, Sequence[dict[str, Any]]], None]
"""Takes the number of a shard, of its examples so far, and its bad images so far."""


class WrittenShard(NamedTuple):
    """A shard that is whole on the disk, and what is said of it in its record file."""

    shard: int
    header: dict[str, Any]
    lines: list[dict[str, Any]]
    bad: list[dict[str, Any]]


class Engine(Protocol):
    """Where shards are made."""

    def made(
        self, maker: Maker, writer: DatasetFormat, todo: Mapping[int, Sequence[Address]], tell: Tell
    ) -> Generator[WrittenShard, None, None]:
        """Make shards, and give each once it is whole on the disk, in any order.

        Closing the generator ends what is under way; what `tell` raises ends it, too.
        """
        ...


class Threads:
    """Makes shards in this process, one after another, each on several threads.

    Parameters
    ----------
    count : int
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def made(
        self, maker: Maker, writer: DatasetFormat, todo: Mapping[int, Sequence[Address]], tell: Tell
    ) -> Generator[WrittenShard, None, None]:
        """Make shards in their order; the threads go on with the next while one is brought onto the disk."""
        pieces = _Pieces(maker, writer.block, self.count).of(list(todo.values()))
        make = functools.partial(_make, maker)
        with closing(ordered_map(make, pieces, threads=self.count, stop=maker.ended)) as made:
            examples = (one for piece in made for one in piece)
            for shard, addresses in todo.items():
                yield _written(writer, shard, len(addresses), examples, tell)


_Piece = tuple[Sequence[Address], Sequence[Row | None]]
"""Addresses, and the places of their images."""


def _make(maker: Maker, piece: _Piece) -> list[Example | BadFile]:
    return maker.many(*piece)


def _written(
    writer: DatasetFormat, shard: int, count: int, made: Iterator[Example | BadFile], tell: Tell
) -> WrittenShard:
    """Write a shard of the next so many examples."""
    bad: list[dict[str, Any]] = []

    def good() -> Iterator[Example]:
        for done in range(count):
            one = next(made)
            if isinstance(one, BadFile):
                bad.append(one.describe())
            tell(shard, done + 1 - len(bad), bad)
            if isinstance(one, Example):
                yield one

    header, lines = writer.write(shard, good())
    return WrittenShard(shard, header, lines, bad)


class _Pieces:
    """Divides shards into pieces for one thread each: smaller where images are large, and towards the end.

    Parameters
    ----------
    maker : Maker
    block : int
        Images in a row that are made in one array; 0 where each may lie anywhere.
    threads : int
        How many there are: the last pieces are small, so that all of them end at about the same time.
    """

    def __init__(self, maker: Maker, block: int, threads: int) -> None:
        self._maker, self._block, self._threads = maker, block, threads
        layout = maker.layout
        self._typical = 0 if layout is None else layout.source.nbytes + layout.image.nbytes

    def of(self, shards: Sequence[Sequence[Address]]) -> Iterator[_Piece]:
        """Give the pieces of shards, each of one shard."""
        left = sum(map(len, shards))
        for addresses in shards:
            rows, first = self._rows(len(addresses)), 0
            while first < len(addresses):
                # Where nothing tells how large they are, the first are made one by one.
                largest = self._maker.largest or self._typical
                size = min(_PIECE, max(1, _PIECE_BYTES // largest)) if largest else 1
                size = min(size, max(1, left // (self._threads + 1)))
                if self._block:  # a piece of one array is made in place
                    size = min(size, self._block - first % self._block)
                part = addresses[first : first + size]
                yield part, list(itertools.islice(rows, len(part)))
                first += size
                left -= len(part)

    def _rows(self, count: int) -> Iterator[Row | None]:
        layout = self._maker.layout
        if layout is None or not self._block:
            yield from [None] * count
            return
        shape, dtype = layout.image.shape, np.dtype(layout.image.dtype)
        for start in range(0, count, self._block):
            length = min(self._block, count - start)
            batch = BatchRows(self._maker.buffers, length, shape, dtype)
            for number in range(length):
                yield Row(batch, number)

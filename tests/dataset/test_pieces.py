"""How the examples of a build are divided among its threads: all of them, in order, and less at a time at the end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from offgraph.core.specs import ArraySpec
from offgraph.dataset import engines
from offgraph.dataset.engines import _Pieces
from offgraph.dataset.layout import Layout
from offgraph.pipeline.buffers import Buffers


def maker(layout: Layout | None = None, largest: int = 0) -> Any:
    return SimpleNamespace(layout=layout, largest=largest, buffers=Buffers(8))


def layout(side: int) -> Layout:
    spec = ArraySpec((side, side, 3), "uint8", "YXC")
    return Layout("a.png", spec, spec, None)


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=4),
    st.integers(0, 30),
    st.integers(1, 9),
    st.sampled_from([0, 10, 6 << 20, 1 << 30]),
)
def test_every_example_once_and_in_order(lengths: list[int], block: int, threads: int, largest: int) -> None:
    shards = [[(number, shard) for number in range(length)] for shard, length in enumerate(lengths)]
    left = sum(lengths)
    made = []
    for addresses, rows in _Pieces(maker(layout(4), largest), block, threads).of(shards):
        assert 1 <= len(addresses) <= max(1, left // (threads + 1), 1)
        assert len(addresses) <= engines._PIECE
        assert len(addresses) * largest <= max(engines._PIECE_BYTES, largest)
        assert len({shard for _, shard in addresses}) == 1
        assert all((row is None) == (not block) for row in rows)
        if block:  # in one array, and each in a place of its own
            assert len({id(row.batch) for row in rows if row is not None}) == 1
            assert [row.number for row in rows if row is not None] == [
                number % block for number, _ in addresses
            ]
        left -= len(addresses)
        made += addresses
    assert made == [address for shard in shards for address in shard]


def test_the_first_pieces_are_as_large_as_the_layout_allows() -> None:
    shard = [[(number, 0) for number in range(100)]]
    first = [len(addresses) for addresses, _ in _Pieces(maker(), 28, 2).of(shard)][:3]
    assert first == [1, 1, 1]
    first = [len(addresses) for addresses, _ in _Pieces(maker(layout(224)), 28, 2).of(shard)][:3]
    assert first == [engines._PIECE] * 3
    side = int(np.sqrt(engines._PIECE_BYTES / 3))
    first = [len(addresses) for addresses, _ in _Pieces(maker(layout(side)), 28, 2).of(shard)][:3]
    assert first == [1, 1, 1]

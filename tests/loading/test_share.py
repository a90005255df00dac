"""Shards of an epoch, and of what is left of one, divide it: nothing twice, nothing lost, in order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from offgraph.loading.share import Cut, Share


def places(share: Share) -> list[int]:
    return share.places(0, len(share)).tolist()


@given(st.integers(0, 60), st.integers(1, 9))
def test_shards_divide_an_epoch(count: int, shards: int) -> None:
    parts = [Share(count, i, shards) for i in range(shards)]
    assert [places(part) for part in parts] == [list(range(i, count, shards)) for i in range(shards)]
    lengths = list(map(len, parts))
    assert (min(lengths), max(lengths)) == (parts[0].least, parts[0].most)
    assert parts[0].most - parts[0].least <= 1


@given(st.data())
def test_what_is_left_is_divided_again(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 60))
    left, cuts = list(range(count)), ()
    for _ in range(data.draw(st.integers(1, 3))):
        shards = data.draw(st.integers(1, 5))
        parts = [Share(count, i, shards, cuts) for i in range(shards)]
        assert [places(part) for part in parts] == [left[i::shards] for i in range(shards)]
        # each shard gives some of its images, and the run is interrupted
        done = tuple(data.draw(st.integers(0, len(part))) for part in parts)
        rows = [(row, i) for i, part in enumerate(parts) for row in range(done[i], len(part))]
        left = [left[row * shards + i] for row, i in sorted(rows)]
        cuts = (*cuts, parts[0].cut(done))
        assert len(cuts[-1]) == len(left)
        assert cuts[-1].places(np.arange(len(left))).size == len(left)
    assert places(Share(count, cuts=cuts)) == left


def test_shards_in_step_leave_the_rest_of_the_order() -> None:
    assert places(Share(23, cuts=(Cut(23, (4, 4, 4, 4)),))) == list(range(16, 23))
    assert places(Share(23, 1, 2, (Cut(23, (6, 6, 6, 5)),))) == []
    assert Share(23, 0, 4).cut((9, 9, 9, 9)) == Cut(23, (6, 6, 6, 5))

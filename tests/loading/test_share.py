"""Shards of an epoch, and of what is left of one, divide it: nothing twice, nothing lost, in order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from offgraph.dataset.allowed import MaxBad
from offgraph.loading.finishing import UNFINISHED
from offgraph.loading.passes import Batching
from offgraph.loading.share import Cut, EveryNth, Share


def places(share: Share) -> list[int]:
    return share.places(0, len(share)).tolist()


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(1, 9))
def test_shards_divide_an_epoch(count: int, shards: int) -> None:
    parts = [Share(count, i, shards) for i in range(shards)]
    assert [places(part) for part in parts] == [list(range(i, count, shards)) for i in range(shards)]
    lengths = list(map(len, parts))
    for part in parts:
        even = part.even_places(1, len(part) + 3)
        assert even is not None and list(even) == part.places(1, len(part) + 3).tolist()
    assert (min(lengths), max(lengths)) == (parts[0].least, parts[0].most)
    assert parts[0].most - parts[0].least <= 1


@settings(deadline=None)
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


@settings(deadline=None)
@given(
    count=st.integers(1, 60),
    batch_size=st.integers(1, 7),
    step=st.integers(1, 5),
    shards=st.integers(1, 3),
    options=st.sampled_from([{}, {"drop_last": True}, {"pad_last": True}]),
    take=st.none() | st.integers(1, 9),
)
def test_every_nth_batch(
    count: int, batch_size: int, step: int, shards: int, options: dict, take: int | None
) -> None:
    batching = Batching(
        batch_size,
        options.get("drop_last", False),
        options.get("pad_last", False),
        take,
        1,
        MaxBad.of(0.5),
        None,
        UNFINISHED,
    )
    for shard in range(min(shards, count)):
        whole = Share(count, shard, shards)
        places = whole.places(0, len(whole)).tolist()
        batches = [
            places[i : i + batch_size] for i in range(0, batching.batches(whole) * batch_size, batch_size)
        ]
        if options.get("drop_last"):
            assert all(len(batch) == batch_size for batch in batches)
        given_by: dict[int, list[int]] = {}
        for first in range(step):
            part = EveryNth(count, shard, shards, (), batch_size, first, step)
            limited = replace(batching, take=None if take is None else max(0, -(-(take - first) // step)))
            own = part.places(0, len(part)).tolist()
            for number in range(limited.batches(part)):
                given_by[number * step + first] = own[number * batch_size : (number + 1) * batch_size]
            assert limited.limit(part) is None or limited.limit(part) >= limited.batches(part)
        assert [given_by[number] for number in sorted(given_by)] == batches

"""The order of an epoch: a bijection, without structure, that needs no list."""

from __future__ import annotations

import doctest
import hashlib
import math
import tracemalloc
from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from offgraph.pipeline import order
from offgraph.pipeline.order import Order, index_at

WORD = (1 << 64) - 1
RARE = 1e-6
"""Chance of a failure where all is well; the orders are the same in every run."""


def whole(count: int, seed: int = 0, epoch: int = 0) -> np.ndarray:
    return index_at(np.arange(count), count, seed=seed, epoch=epoch)


def by_definition(place: int, count: int, seed: int, epoch: int) -> int:
    """The network of the module's head, on whole numbers."""
    high = next(n for n in range(2, 1 << 40, 2) if n * n >= count)
    low = -(-count // high)
    x = place
    while True:
        left, right = divmod(x, low)
        for number in range(12 if count > 4096 else 32):
            text = f"offgraph order {seed} {epoch} round {number}".encode()
            key = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
            source, length = (right, high) if number % 2 == 0 else (left, low)
            z = (source * 0x9E3779B97F4A7C15 + key) & WORD
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & WORD
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB & WORD
            added = (z >> 32) * length >> 32
            if number % 2 == 0:
                left = (left + added) % high
            else:
                right = (right + added) % low
        x = left * low + right
        if x < count:
            return x


@given(
    st.integers(1, 5000) | st.integers(1, 1 << 34),
    st.integers(0, WORD),
    st.integers(0, WORD),
    st.floats(0, 1, exclude_max=True),
)
def test_a_place_is_what_the_definition_says(count: int, seed: int, epoch: int, where: float) -> None:
    place = int(where * count)
    want = by_definition(place, min(count, 1 << 20), seed, epoch) if count <= 1 << 20 else None
    found = index_at(place, count, seed=seed, epoch=epoch)
    assert type(found) is int and 0 <= found < count
    assert want is None or found == want
    assert index_at(np.array([[place]]), count, seed=seed, epoch=epoch).tolist() == [[found]]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 9, 16, 17, 100, 4095, 4096, 4097, 100_000])
def test_every_number_stands_once(count: int) -> None:
    found = whole(count, seed=3, epoch=4)
    assert found.dtype == np.int64 and np.array_equal(np.sort(found), np.arange(count))


def test_orders_are_pinned() -> None:
    assert whole(7, seed=1).tolist() == [5, 1, 2, 0, 6, 3, 4]
    far = [index_at(place, 10**9, seed=1, epoch=2) for place in (0, 1, 10**9 - 1)]
    assert far == [575687566, 101964925, 973877798]
    assert whole(0).tolist() == []


@pytest.mark.parametrize("count", [2, 3, 5])
def test_all_orders_are_about_as_frequent(count: int) -> None:
    found = Counter(tuple(whole(count, epoch=epoch).tolist()) for epoch in range(1500))
    assert set(found) == set(permutations(range(count)))
    assert stats.chisquare(list(found.values())).pvalue > RARE


@pytest.mark.parametrize("count", [2, 3, 7, 100])
def test_each_image_stands_at_each_place_as_often(count: int) -> None:
    epochs = 800
    orders = np.stack([whole(count, seed=5, epoch=epoch) for epoch in range(epochs)])
    table = np.stack([np.bincount(orders[:, place], minlength=count) for place in range(count)])
    expected = epochs / count
    statistic = ((table - expected) ** 2 / expected).sum()
    assert RARE < stats.chi2.sf(statistic, (count - 1) ** 2) < 1 - RARE


@pytest.mark.parametrize("count", [7, 100, 5000])
def test_neighbours_in_an_order_tell_nothing_of_each_other(count: int) -> None:
    """The step from one image to the next one, modulo the count, is uniform over all steps but 0."""
    epochs = min(800, 200_000 // count)
    orders = np.stack([whole(count, seed=6, epoch=epoch) for epoch in range(epochs)])
    for apart in (1, 2, 64 % count or 3):
        steps = (orders[:, apart:] - orders[:, :-apart]) % count
        assert steps.all()
        found = np.bincount(steps.ravel() * 6 // count if count > 6 * 20 else steps.ravel() - 1)
        low = [math.ceil(k * count / 6) for k in range(7)]
        share = np.diff(np.maximum(low, 1)) if count > 6 * 20 else np.ones(count - 1)
        assert stats.chisquare(found, found.sum() * share / share.sum()).pvalue > RARE


def test_an_order_has_no_trend_and_no_fixed_share_of_parities() -> None:
    count = 100_000
    one, other = whole(count, epoch=0).astype(float), whole(count, epoch=1).astype(float)
    for other_order in (np.arange(count), other, np.roll(one, 1), np.roll(one, 317)):
        assert abs(np.corrcoef(one, other_order)[0, 1]) < 5 / math.sqrt(count)
    assert abs(int((whole(count) == np.arange(count)).sum()) - 1) < 8  # fixed points: Poisson of mean 1
    for bit in range(12):
        parity = (whole(count) >> bit & 1) != (np.arange(count) >> bit & 1)
        assert abs(parity.mean() - 0.5) < 5 * 0.5 / math.sqrt(count)
    # half of all orders are odd
    odd = [np.linalg.det(np.eye(16)[whole(16, epoch=epoch)]) < 0 for epoch in range(200)]
    assert 60 < sum(odd) < 140


def test_seed_and_epoch_give_other_orders() -> None:
    orders = [whole(1000, seed, epoch).tobytes() for seed in range(5) for epoch in range(5)]
    assert len(set(orders)) == 25


@given(st.integers(1, 300), st.integers(1, 5), st.booleans(), st.data())
def test_places_at_equal_distances_have_the_same_numbers(
    count: int, step: int, shuffled: bool, data: st.DataObject
) -> None:
    start, stop = data.draw(st.integers(0, count)), data.draw(st.integers(0, count))
    order, places = Order(count, 5, 6, shuffled), range(start, stop, step)
    assert order.numbers_of(places) == order.numbers(np.array(places, np.int64)).tolist()
    with pytest.raises(ValueError, match="places of another order"):
        Order(count, 5, 6, True).numbers_of(range(start, count + 1))


def test_a_billion_images_cost_no_memory() -> None:
    count = 10**9
    tracemalloc.start()
    first = index_at(np.arange(1000), count, seed=0, epoch=0)
    last = index_at(np.arange(count - 1000, count), count, seed=0, epoch=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000 and len(set(first.tolist() + last.tolist())) == 2000


@pytest.mark.parametrize(("place", "count"), [(-1, 5), (5, 5), (0, 0), (0, 2**61)])
def test_places_that_are_not_there_are_refused(place: int, count: int) -> None:
    with pytest.raises(ValueError, match=r"(place|count)=.*: from 0 to"):
        index_at(place, count, seed=0, epoch=0)


def test_examples_run() -> None:
    result = doctest.testmod(order)
    assert result.attempted and not result.failed

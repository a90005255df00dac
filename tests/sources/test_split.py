"""Splits: by class, by group, and never by chance."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offgraph.core.errors import SourceError
from offgraph.sources import Item, Source, split


def make(labels: list[int | None], groups: list[str | None] | None = None) -> Source:
    groups = groups or [None] * len(labels)
    items = tuple(
        Item(f"{label}/{i}.png", Path(f"{i}.png"), label, group=group)
        for i, (label, group) in enumerate(zip(labels, groups, strict=True))
    )
    return Source(items, tuple(map(str, sorted({label for label in labels if label is not None}))), Path())


def names(source: Source) -> list[str]:
    return [item.name for item in source]


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.integers(0, 4), min_size=12, max_size=80),
    val=st.floats(0.05, 0.4),
    test=st.just(0.0) | st.floats(0.05, 0.4),
    seed=st.integers(0, 5),
)
def test_parts_divide_the_source_and_keep_its_classes(labels, val, test, seed) -> None:
    source = make(labels)
    parts = split(source, val, test, seed)
    assert len(parts) == (3 if test else 2)
    assert sorted(names(source)) == sorted(name for part in parts for name in names(part))
    sizes = Counter(labels)
    for part, share in zip(parts[1:], (val, test), strict=False):
        here = Counter(item.label for item in part)
        for label, size in sizes.items():
            if size >= len(parts):
                assert here[label] >= 1
            small = sum(other for other in sizes.values() if other < 6)  # the large make up for these
            assert abs(here[label] - size * share) <= 2 + small * share or size < 6
    for label, size in sizes.items():
        assert size < len(parts) or any(item.label == label for item in parts[0])
    order = {name: i for i, name in enumerate(names(source))}
    assert all(names(part) == sorted(names(part), key=order.__getitem__) for part in parts)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_the_listing_plays_no_part(seed) -> None:
    source = make([i % 3 for i in range(40)])
    order = list(range(40))
    random.Random(seed).shuffle(order)
    for ours, theirs in zip(split(source, 0.25, 0.1), split(source.subset(order), 0.25, 0.1), strict=True):
        assert sorted(names(ours)) == sorted(names(theirs))


def test_the_division_is_pinned() -> None:
    """A change here would mix training and test images of everybody's models."""
    _, val, test = split(make([0] * 10 + [1] * 10), 0.2, 0.1, seed=7)
    assert names(val) == ["0/4.png", "0/7.png", "1/17.png", "1/18.png"]
    assert names(test) == ["0/6.png", "1/19.png"]


def test_another_seed_is_another_division() -> None:
    source = make([0] * 50)
    assert names(split(source, 0.2, seed=1)[1]) != names(split(source, 0.2, seed=2)[1])


def test_fractions_and_counts_are_met_exactly_without_groups() -> None:
    source = make([i % 7 for i in range(100)])
    assert [len(part) for part in split(source, 0.2, 0.1)] == [70, 20, 10]
    assert [len(part) for part in split(source, 13, 11)] == [76, 13, 11]
    assert [len(part) for part in split(make([None] * 10), 3)] == [7, 3]
    assert len(split(source, 3)[1]) == 3  # fewer than classes: not every class can be there


@settings(max_examples=40, deadline=None)
@given(groups=st.lists(st.integers(0, 9), min_size=30, max_size=90), seed=st.integers(0, 3))
def test_groups_stay_whole(groups, seed) -> None:
    source = make([g % 2 for g in groups], [f"patient {g}" for g in groups])
    if len(set(groups)) < 6:
        return
    parts = split(source, 0.3, 0.2, seed)
    where = [{item.group for item in part} for part in parts]
    assert not where[0] & where[1] and not where[0] & where[2] and not where[1] & where[2]
    assert all(len(part) for part in parts)


def test_ways_to_name_the_groups() -> None:
    items = tuple(Item(f"cat/p{i % 5}/{i}.png", Path("x"), 0) for i in range(50))
    columns = {"site": tuple("abcde"[i % 5] for i in range(50))}
    source = Source(items, ("cat",), Path(), columns=columns)
    for group_by in ("parent", "site", lambda item: item.name.split("/")[1]):
        train, val = split(source, 0.2, group_by=group_by)
        assert len(val) == 10 and len({item.name.split("/")[1] for item in val}) == 1
        assert {item.name.split("/")[1] for item in train}.isdisjoint(item.name.split("/")[1] for item in val)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"val": 1.0}, "a fraction is below 1; write 1 without a point"),
        ({"val": -1}, "give a fraction"),
        ({"val": True}, "give a fraction"),
        ({"val": float("nan")}, "give a fraction"),
        ({"val": 0}, "leaves nothing for validation"),
        ({"val": 0.6, "test": 0.5}, "nothing of the 10 images in . is left for training"),
        ({"val": 10}, "is left for training"),
        ({"group_by": "patient"}, r"a column of the table \(none\)"),
        ({"group_by": lambda item: None}, "group_by gives None for 0/0.png"),
        ({"group_by": lambda item: "all"}, "1 group cannot be divided into 2 parts"),
    ],
)
def test_what_cannot_be_had_is_said(options, said) -> None:
    with pytest.raises(SourceError, match=said):
        split(make([0] * 10), **options)


def test_a_path_is_opened_with_the_options_given(tmp_path) -> None:
    from tests.support.odd_files import gradient

    from offgraph.formats.encoding import imwrite

    for i in range(5):
        imwrite(tmp_path / f"{i}.png", gradient(4, 5))
    train, val = split(tmp_path, 0.2, color="grey")
    assert (len(train), len(val)) == (4, 1) and val.read(0).image.axes == "YX"
    with pytest.raises(TypeError, match="color: only where source is a path"):
        split(train, 0.5, color="grey")


@pytest.mark.parametrize("sizes", [(6, 6), (6, 6, 6, 6, 6)])
def test_classes_that_are_one_group_each_are_said(sizes) -> None:
    items = tuple(
        Item(f"{label}/{i}.png", Path(f"{label}/{i}.png"), label)
        for label, size in enumerate(sizes)
        for i in range(size)
    )
    source = Source(items, tuple(map(str, range(len(sizes)))), Path("photos"))
    with pytest.raises(SourceError, match="each class is one group, and a group is never divided") as caught:
        split(source, val=0.2, group_by="parent")
    assert "another share" not in str(caught.value)

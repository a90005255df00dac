"""Folds: each image is held out once, by class and by group."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph.core.errors import ArgumentError, SourceError
from offgraph.sources import Item, Source, folds


def make(labels: list[int | None], groups: list[str | None] | None = None) -> Source:
    named = groups if groups is not None else [None] * len(labels)
    items = tuple(
        Item(f"{label}/{i}.png", Path(f"{i}.png"), label, group=group)
        for i, (label, group) in enumerate(zip(labels, named, strict=True))
    )
    return Source(items, tuple(map(str, range(5))), Path())


def names(source: Source) -> list[str]:
    return [item.name for item in source]


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.integers(0, 4), min_size=10, max_size=80),
    count=st.integers(2, 10),
    seed=st.integers(0, 5),
)
def test_each_image_is_held_out_once_and_classes_are_even(labels, count, seed) -> None:
    source = make(labels)
    made = folds(source, count, seed)
    assert len(made) == count
    assert sorted(name for _, val in made for name in names(val)) == sorted(names(source))
    order = {name: i for i, name in enumerate(names(source))}
    for train, val in made:
        assert not set(names(train)) & set(names(val)) and len(train) + len(val) == len(source)
        assert names(train) == sorted(names(train), key=order.__getitem__)
        assert names(val) == sorted(names(val), key=order.__getitem__)
        assert train.class_names == val.class_names == source.class_names
    sizes = [len(val) for _, val in made]
    assert max(sizes) - min(sizes) <= 1
    for label in set(labels):
        here = [Counter(item.label for item in val)[label] for _, val in made]
        assert max(here) - min(here) <= 1


@settings(max_examples=40, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 15)), min_size=30, max_size=90),
    count=st.integers(2, 4),
)
def test_groups_stay_together(pairs, count) -> None:
    source = make([label for label, _ in pairs], [f"P{group}" for _, group in pairs])
    made = []
    if len({group for _, group in pairs}) < count:
        with pytest.raises(SourceError, match="cannot be divided into"):
            folds(source, count)
    else:
        made = folds(source, count)
    for train, val in made:
        assert len(val) and len(train)
        assert not {item.group for item in train} & {item.group for item in val}


def test_the_order_of_the_listing_plays_no_part_and_the_seed_does() -> None:
    labels: list[int | None] = [i % 3 for i in range(40)]
    source = make(labels)
    order = list(range(40))
    random.Random(3).shuffle(order)
    shuffled = Source(tuple(source[i] for i in order), source.class_names, source.root)
    held = [sorted(names(val)) for _, val in folds(source, 4, seed=7)]
    assert [sorted(names(val)) for _, val in folds(shuffled, 4, seed=7)] == held
    assert [sorted(names(val)) for _, val in folds(source, 4, seed=8)] != held


def test_a_path_its_groups_and_its_copies(tmp_path) -> None:
    for number in range(6):
        og.imwrite(tmp_path / f"{number}.png", np.full((4, 4), number, np.uint8))
    lines = [f"{i}.png,{'ab'[i % 2]},P{i // 2}" for i in range(6)]
    (tmp_path / "t.csv").write_text("\n".join(["path,label,patient", *lines, lines[0]]) + "\n")
    made = og.folds(tmp_path / "t.csv", 3, group_by="patient", repeats=True, color="grey")
    assert sorted(len(val) for _, val in made) == [2, 2, 3]
    for train, val in made:
        assert (
            train.color == "grey"
            and len({name[:1] for name in names(train)} & {name[:1] for name in names(val)}) == 0
        )


def test_what_cannot_be_divided_is_refused() -> None:
    source = make([0, 1, 0])
    with pytest.raises(SourceError, match="3 groups cannot be divided into 4 folds"):
        folds(source, 4)
    wrong: Any
    for wrong in (1, 0, 2.5, True, "3"):
        with pytest.raises(ArgumentError, match=r"count=.*at least 2"):
            folds(source, wrong)
    with pytest.raises(TypeError, match="color: only where source is a path"):
        folds(source, 2, color="grey")

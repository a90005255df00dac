"""Shards, limits and states of a loader: every image once, the same bytes, whatever interrupts a run."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.made import class_folder, image_file

import offgraph as og

RECIPE = [og.Resize((6, 5)), og.Augment(og.Gamma((0.5, 2.0)))]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("photos")
    for number in range(23):
        image_file(home / f"{number:02}.png", np.full((6, 5), 5 * number, np.uint8))
    return home


@pytest.fixture(scope="module")
def built(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "out"
    og.build(photos, out, RECIPE, format="arrow", copies=1)
    return out


def opened(source: Path, **options: object) -> og.Loader:
    recipe = {} if (source / "build.json").exists() else {"recipe": RECIPE}
    return og.Loader(source, **{"batch_size": 4, "seed": 3, "threads": 2, **recipe, **options})  # type: ignore[arg-type]


def told(batches: Iterator[og.Batch] | og.Loader) -> list[tuple[bytes, list[int], list[dict]]]:
    return [(batch.image.tobytes(), batch.index.tolist(), list(batch.records)) for batch in batches]


def numbers(batches: Iterator[og.Batch] | og.Loader) -> list[int]:
    return [int(number) for batch in batches for number in batch.index]


# ---- shards


@pytest.mark.parametrize("kind", ["photos", "built"])
def test_shards_are_parts_of_one_epoch(kind: str, request: pytest.FixtureRequest) -> None:
    source = request.getfixturevalue(kind)
    whole = {number: (image, record) for number, image, record in _images(opened(source).epoch(2))}
    order = opened(source).order(2).tolist()
    for shards in (1, 2, 4, 23):
        parts = [opened(source, shard=(i, shards)) for i in range(shards)]
        assert [part.order(2).tolist() for part in parts] == [order[i::shards] for i in range(shards)]
        assert [numbers(part.epoch(2)) for part in parts] == [order[i::shards] for i in range(shards)]
        assert [part.num_images for part in parts] == [len(order[i::shards]) for i in range(shards)]
        for part in parts:
            assert sum(1 for _ in part.epoch(2)) == len(part)
    for number, image, record in _images(opened(source, shard=(1, 3), threads=5).epoch(2)):
        assert whole[number] == (image, record)


def _images(batches: Iterator[og.Batch]) -> Iterator[tuple[int, bytes, dict]]:
    for batch in batches:
        for place, number in enumerate(batch.index.tolist()):
            yield number, batch.image[place].tobytes(), batch.records[place]


@pytest.mark.parametrize("count", [23, 8, 9])
@pytest.mark.parametrize("size", [1, 3, 4])
def test_shards_have_as_many_batches_where_the_last_is_dropped_or_padded(
    photos: Path, count: int, size: int
) -> None:
    source = og.open_source(photos).subset(range(count))
    for shards in (1, 2, 3, 4):
        for name in ("drop_last", "pad_last"):
            if name == "drop_last" and count // shards < size:
                continue
            options = {"batch_size": size, "seed": 1, name: True}
            loaders = [og.Loader(source, RECIPE, shard=(i, shards), **options) for i in range(shards)]
            passes = [list(loader) for loader in loaders]
            most = -(-count // shards)
            wanted = count // shards // size if name == "drop_last" else -(-most // size)
            assert [len(made) for made in passes] == [len(loader) for loader in loaders] == [wanted] * shards
            batches = [batch for made in passes for batch in made]
            assert all(len(batch) == size for batch in batches)
            if name == "drop_last":
                assert all(batch.valid is None for batch in batches)
                continue
            real = [int(n) for b in batches for n, valid in zip(b.index, b.valid, strict=True) if valid]
            assert sorted(real) == list(range(count))


def test_a_padded_batch_repeats_its_own_images(photos: Path, built: Path) -> None:
    for source in (photos, built):
        plain, padded = (list(opened(source, batch_size=8, pad_last=pad).epoch(0)) for pad in (False, True))
        for one, other in zip(plain, padded, strict=True):
            assert other.valid is not None and other.valid.dtype == bool
            assert other.valid.tolist() == [True] * len(one) + [False] * (8 - len(one))
            again = [place % len(one) for place in range(8)]
            assert other.image.tobytes() == one.image[again].tobytes()
            assert other.index.tolist() == one.index[again].tolist()
            assert list(other.records) == [one.records[place] for place in again]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"shard": 3}, r"shard=3: give \(i, n\)"),
        ({"shard": (4, 4)}, r"shard=\(4, 4\): shards count from 0, so the last one is 3"),
        ({"shard": (-1, 4)}, r"shard\[0\]=-1"),
        ({"shard": (0, 0)}, r"shard\[1\]=0"),
        ({"shard": (0, 24)}, r"shard=\(0, 24\): there are 23 images only"),
        ({"shard": (0, 4), "drop_last": True, "batch_size": 6}, "no full batch in 5 images"),
        ({"drop_last": True, "pad_last": True}, "choose one"),
        ({"pad_last": 1}, "pad_last=1: give True or False"),
    ],
)
def test_wrong_shards_are_named(photos: Path, options: dict, says: str) -> None:
    with pytest.raises(og.ArgumentError, match=says):
        opened(photos, **options)


@pytest.mark.filterwarnings("ignore:.*were left out")
def test_images_that_are_left_out_end_no_shard_early(tmp_path: Path) -> None:
    home = class_folder(tmp_path, bad=True)  # 17 files, two of them bad
    for shards in (1, 2):
        passes = [
            list(opened(home, shard=(i, shards), on_error="skip", pad_last=True, max_bad=0.9))
            for i in range(shards)
        ]
        assert len({len(made) for made in passes}) == 1
        real = [int(n) for made in passes for b in made for n in b.index[b.valid]]
        assert len(real) == len(set(real)) == 15


# ---- the first batches


def test_take_is_the_beginning_of_each_epoch(photos: Path, built: Path) -> None:
    for source in (photos, built):
        for options in ({}, {"shard": (1, 2)}, {"drop_last": True}, {"pad_last": True}):
            whole, taken = opened(source, **options), opened(source, **options).take(2)
            assert len(taken) == 2 and taken.num_images == 8
            for epoch in (0, 1):
                assert told(taken) == told(whole.epoch(epoch))[:2]
                assert taken.order(epoch).tolist() == whole.order(epoch).tolist()[:8]
    loader = opened(photos)
    assert len(loader.take(100)) == len(loader) and loader.take(100).num_images == 23
    assert len(loader.take(3).take(5)) == 3 and "the first 3 batches of each epoch" in repr(loader.take(3))
    with pytest.raises(og.ArgumentError, match="batches=0: give a whole number of at least 1"):
        loader.take(0)


@pytest.mark.filterwarnings("ignore:.*were left out")
def test_take_gives_full_batches_where_images_are_left_out(tmp_path: Path) -> None:
    home = class_folder(tmp_path, bad=True)
    loader = opened(home, on_error="skip", shuffle=False, max_bad=0.9)
    assert told(loader.take(2).epoch(0)) == told(loader.epoch(0))[:2]


# ---- states


def test_a_state_is_a_few_hundred_bytes_of_json(photos: Path, built: Path) -> None:
    for source in (photos, built):
        loader = opened(source, shard=(1, 4))
        for _ in loader:
            break
        text = json.dumps(loader.state_dict())
        assert len(text) < 400 and json.loads(text) == loader.state_dict()


@pytest.mark.parametrize("kind", ["photos", "built"])
def test_a_run_goes_on_in_the_same_bytes_from_any_batch(kind: str, request: pytest.FixtureRequest) -> None:
    source = request.getfixturevalue(kind)
    rng = np.random.default_rng(0)
    for name in ("whole", "shard", "take", "drop", "pad"):
        options: dict = {
            "shard": {"shard": (1, 2)},
            "drop": {"drop_last": True},
            "pad": {"pad_last": True, "shard": (2, 3)},
        }.get(name, {})

        def fresh(options: dict = options, take: bool = name == "take") -> og.Loader:
            loader = opened(source, **options, prefetch=int(rng.integers(1, 4)))
            return loader.take(4) if take else loader

        loader = fresh()
        run = [batch for epoch in range(3) for batch in told(loader)]
        for after in rng.choice(len(run), min(len(run), 5), replace=False):
            interrupted = fresh()
            given: list = []
            while len(given) < after:
                given += told(_some(iter(interrupted), int(after) - len(given)))
            state = json.loads(json.dumps(interrupted.state_dict()))
            resumed = fresh()
            resumed.load_state_dict(state)
            assert resumed.state_dict() == state or state["batches"] == len(resumed)
            while len(given) < len(run):
                given += told(resumed)
            assert given == run


def _some(batches: Iterator[og.Batch], count: int) -> Iterator[og.Batch]:
    for _ in range(count):
        batch = next(batches, None)
        if batch is None:
            return
        yield batch


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_other_shards_divide_the_rest(photos: Path, data: st.DataObject) -> None:
    source = og.open_source(photos)
    seen: list[int] = []
    states: list[dict] = []
    for _ in range(data.draw(st.integers(1, 3))):
        shards = data.draw(st.integers(1, 4))
        size = data.draw(st.integers(1, 4))
        loaders = [og.Loader(source, RECIPE, batch_size=size, shard=(i, shards)) for i in range(shards)]
        in_step = data.draw(st.booleans())
        for loader in loaders:
            if states:
                loader.load_state_dict(states)
        steps = [data.draw(st.integers(0, 3))] * shards
        if not in_step:
            steps = [data.draw(st.integers(0, 3)) for _ in loaders]
        if states and any(loader.state_dict()["epoch"] for loader in loaders):
            break
        for loader, count in zip(loaders, steps):
            if count:
                seen += numbers(_some(loader.next_pass(), count))
        states = [loader.state_dict() for loader in loaders]
    last = og.Loader(source, RECIPE, batch_size=5)
    last.load_state_dict(states)
    if last.state_dict()["epoch"] == 0:
        seen += numbers(last)
    assert sorted(seen) == list(range(23))


def test_one_state_stands_for_all_shards_in_step(photos: Path) -> None:
    four = [opened(photos, shard=(i, 4), batch_size=2) for i in range(4)]
    seen = [number for loader in four for number in numbers(_some(iter(loader), 2))]
    for one in four:
        two = [opened(photos, shard=(i, 2), batch_size=3) for i in range(2)]
        for loader in two:
            loader.load_state_dict(one.state_dict())
        rest = [numbers(loader) for loader in two]
        order = opened(photos).order(0).tolist()
        assert rest == [order[16::2], order[17::2]] and sorted(seen + rest[0] + rest[1]) == list(range(23))
        assert sorted(numbers(two[0]) + numbers(two[1])) == list(range(23))  # the next epoch is whole


def test_a_state_belongs_to_its_run(photos: Path, built: Path, tmp_path: Path) -> None:
    loader = opened(photos)
    state = loader.state_dict()
    some = og.open_source(photos).subset(range(22))
    image_file(tmp_path / "other" / "x.png", np.zeros((6, 5), np.uint8))
    for number in range(22):
        image_file(tmp_path / "other" / f"{number:02}.png", np.zeros((6, 5), np.uint8))
    refused = [
        (
            og.Loader(some, RECIPE, seed=3, batch_size=4),
            r"another source \(23 images, and now there are 22\)",
        ),
        (opened(tmp_path / "other"), r"another source \(other names\)"),
        (opened(photos, seed=4), "seed=3, and this loader has seed=4; give it seed=3"),
        (opened(photos, shuffle=False), "shuffle=True, and this loader has shuffle=False"),
        (opened(built), "another source"),
    ]
    for other, says in refused:
        with pytest.raises(og.ArgumentError, match=says):
            other.load_state_dict(state)
    with pytest.raises(og.RecipeMismatch, match=r"another recipe \(digest"):
        opened(photos, recipe=[*RECIPE, og.Normalize("imagenet")], shuffle=True).load_state_dict(state)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"epoch": -1}, "epoch: "),
        ({"images": "3"}, "images: "),
        ({"more": 1}, "more: "),
        ({"offgraph_loader": 2}, "offgraph_loader: "),
        ({"images": 24}, "contradict each other"),
        ({"left_out": 1}, "contradict each other"),
        ({"shard": [1, 1]}, "contradict each other"),
        ({"cuts": [{"total": 23, "done": [24], "batches": 6}]}, "contradict each other"),
        ({"cuts": [{"total": 22, "done": [4], "batches": 1}]}, "contradict each other"),
        ({"cuts": [{"total": 23, "done": [], "batches": 0}]}, "cuts.0.done: "),
    ],
)
def test_what_is_no_state_is_refused(photos: Path, change: dict, says: str) -> None:
    loader = opened(photos)
    with pytest.raises(og.ArgumentError, match=f"^state: .*{says}"):
        loader.load_state_dict({**loader.state_dict(), **change})
    for wrong in (3, None, "state", []):
        with pytest.raises(og.ArgumentError, match=r"^state"):
            loader.load_state_dict(wrong)  # type: ignore[arg-type]
    assert loader.state_dict() == opened(photos).state_dict()


def test_states_of_a_run_belong_together(photos: Path) -> None:
    loaders = [opened(photos, shard=(i, 2)) for i in range(2)]
    states = [loader.state_dict() for loader in loaders]
    target = opened(photos, shard=(0, 3))
    for wrong in ([states[0]], [states[0], states[0]], [states[0], {**states[1], "epoch": 5}]):
        with pytest.raises(og.ArgumentError, match="not the states of all shards of one run"):
            target.load_state_dict(wrong)


@pytest.mark.filterwarnings("ignore:.*were left out")
def test_the_budget_of_bad_images_goes_on(tmp_path: Path) -> None:
    home = class_folder(tmp_path, bad=True)
    loader = opened(home, on_error="skip", shuffle=False, batch_size=1, max_bad=2)
    whole = told(loader.epoch(0))
    passing = iter(loader)
    given = told(_some(passing, 12))
    again = opened(home, on_error="skip", shuffle=False, batch_size=1, max_bad=2)
    again.load_state_dict(loader.state_dict())
    assert given + told(again) == whole and loader.state_dict()["left_out"] == 1
    strict = opened(home, on_error="skip", shuffle=False, batch_size=1, max_bad=1)
    strict.load_state_dict(loader.state_dict())
    with pytest.raises(og.OffgraphError, match=r"2 of 17 images of epoch 0 were left out"):
        list(strict)


def test_passes_with_a_number_of_their_own_are_not_counted(photos: Path) -> None:
    loader = opened(photos)
    list(loader)
    list(loader.epoch(7))
    assert loader.state_dict()["epoch"] == 1 and not loader.resumes
    copy = pickle.loads(pickle.dumps(loader))
    assert copy.state_dict() == loader.state_dict()

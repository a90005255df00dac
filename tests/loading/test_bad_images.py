"""Images that cannot be used: each policy does what it says, by address, for any number of threads."""

from __future__ import annotations

import json
import pickle
import threading
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.made import CLASSES, class_folder, recipe
from tests.support.odd_files import gradient, saved

import offgraph as og
from offgraph.core.errors import WriteError
from offgraph.formats import decoding
from offgraph.loading.bad_images import BadImages, candidates
from offgraph.loading.quarantine_file import read_quarantine, write_quarantine

THREADS = (1, 2, 5)


def broken_files() -> dict[str, bytes]:
    """Files of several kinds that cannot be read."""
    whole, deep = saved(gradient(), "PNG"), saved(gradient(), "JPEG")
    return {
        "ant/cut.png": whole[: len(whole) // 2],
        "ant/empty.jpg": b"",
        "bee/cut.jpg": deep[: len(deep) // 2],
        "bee/first.jpg": deep[:40],
        "cat/flipped.png": bytes(
            byte ^ (0xFF if place == len(whole) // 2 else 0) for place, byte in enumerate(whole)
        ),
        "cat/text.jpg": b"this is no image",
    }


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = class_folder(tmp_path_factory.mktemp("spoiled") / "in", each=6)
    for name, data in broken_files().items():
        (root / name).write_bytes(data)
    return root


def loaded(source: object, **options: object) -> og.Loader:
    return og.Loader(source, recipe(), **{"batch_size": 4, "seed": 3, "max_bad": "60%", **options})  # type: ignore[arg-type]


def passed(loader: og.Loader, epoch: int) -> list[tuple[np.ndarray, np.ndarray]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", og.OffgraphWarning)
        return [(batch.index, batch.image) for batch in loader.epoch(epoch)]


def bad_numbers(loader: og.Loader, source: og.Source) -> set[int]:
    numbers = {item.name: number for number, item in enumerate(source)}
    return {numbers[name] for name in {**loader.skipped, **loader.substituted}}


def check_policies(source: og.Source, names: set[str], epochs: int = 2) -> None:
    """Hold every policy to what it says, for each number of threads; `names` are those that cannot be read."""
    by_name = {item.name: number for number, item in enumerate(source)}
    bad = {by_name[name] for name in names}
    for epoch in range(epochs):
        made: dict[str, list[list[tuple[np.ndarray, np.ndarray]]]] = {
            "skip": [],
            "substitute": [],
            "quarantine": [],
        }
        for threads in THREADS:
            for policy, passes in made.items():
                loader = loaded(source, threads=threads, on_error=policy)
                if policy == "quarantine" and epoch:
                    passed(loader, 0)
                passes.append(passed(loader, epoch))
                order = loader.order(epoch).tolist()
                assert bad_numbers(loader, source) == bad, policy
                listed = loader.substituted if policy == "substitute" else loader.skipped
                assert set(listed) == names
        for passes in made.values():
            assert len({len(one) for one in passes}) == 1
            for one in passes[1:]:
                for (index, image), (other_index, other) in zip(passes[0], one, strict=True):
                    np.testing.assert_array_equal(index, other_index)
                    np.testing.assert_array_equal(image, other)
        skip, substitute, quarantine = (passes[0] for passes in made.values())
        good = [number for number in order if number not in bad]
        assert np.concatenate([index for index, _ in skip]).tolist() == good
        assert [index.tolist() for index, _ in skip] == [index.tolist() for index, _ in quarantine]
        pixels = {n: image[place] for index, image in skip for place, n in enumerate(index.tolist())}
        given = np.concatenate([index for index, _ in substitute]).tolist()
        assert [len(index) for index, _ in substitute[:-1]] == [4] * (len(substitute) - 1) and len(
            given
        ) == len(order)
        for place, (wanted, number) in enumerate(zip(order, given, strict=True)):
            assert number not in bad
            expected = next((n for n in candidates(3, epoch, wanted, len(order)) if n not in bad), None)
            assert number == (expected if wanted in bad else wanted)
            np.testing.assert_array_equal(substitute[place // 4][1][place % 4], pixels[number])
    first = min(names, key=lambda name: loaded(source).order(0).tolist().index(by_name[name]))
    for threads in THREADS:
        with pytest.raises((og.DecodeError, og.StepError)) as caught:
            list(loaded(source, threads=threads).epoch(0))
        assert first in str(caught.value)


def test_each_policy_does_what_it_says(spoiled: Path) -> None:
    check_policies(og.open_source(spoiled), set(broken_files()))


def test_published_broken_files_among_photographs(shared_data: Path, tmp_path: Path) -> None:
    """Links to the files, as no file is to be copied; what is broken is what cannot be read alone."""
    photographs = sorted((shared_data / "photos").iterdir())[:20]
    endings = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".gif", ".bmp", ".webp"}
    odd = sorted(path for path in (shared_data / "broken").rglob("*") if path.suffix.lower() in endings)
    for number, path in enumerate(odd + photographs):
        (tmp_path / f"{number:03}-{path.name}").symlink_to(path)
    source = og.open_source(tmp_path)
    names = set()
    for number, item in enumerate(source):
        try:
            if source.read(number).image.array.dtype not in (np.uint8, np.uint16):
                names.add(item.name)  # Normalize refuses it
        except og.DecodeError:
            names.add(item.name)
    assert len(names) > 20
    check_policies(source, names, epochs=1)


# ---- skip and substitute


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 5), st.integers(0, 3), st.integers(1, 200), st.data())
def test_candidates_are_others_each_once(seed: int, epoch: int, count: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, count - 1))
    found = list(candidates(seed, epoch, number, count))
    assert len(found) == len(set(found)) == min(64, count - 1)
    assert number not in found and all(0 <= other < count for other in found)


def test_candidates_are_spread() -> None:
    first = Counter(next(candidates(0, epoch, 3, 10)) for epoch in range(4000))
    assert set(first) == set(range(10)) - {3}
    # The neighbour above 3 stands for 3 itself, too.
    expected = {n: 800 if n == 4 else 400 for n in first}
    assert (
        sum((first[n] - expected[n]) ** 2 / expected[n] for n in first) < 30
    )  # chi square, 8 degrees of freedom


def test_a_substitute_is_listed_with_its_reason(spoiled: Path) -> None:
    loader = loaded(spoiled, on_error="substitute", threads=2)
    with pytest.warns(
        og.OffgraphWarning,
        match=r"6 of 24 images of epoch 0 were replaced by others, such as .*Loader\.substituted lists",
    ):
        batches = list(loader)
    assert not loader.skipped and len(batches) == len(loader) == 6
    one = loader.substituted["cat/text.jpg"]
    assert (
        "cat/text.jpg" in one.reason and one.by.split("/")[0] in CLASSES and one.by not in loader.substituted
    )
    records = [record for batch in batches for record in batch.records]
    assert [record["key"]["index"] for record in records] == [
        int(n) for batch in batches for n in batch.index
    ]


def test_what_nothing_can_take_the_place_of(tmp_path: Path) -> None:
    root = class_folder(tmp_path / "in", each=1)
    for name in ("ant", "bee"):
        (root / name / "0.png").write_bytes(b"")
    source = og.open_source(root)
    loader = loaded(source, on_error="substitute", max_bad=1.0)
    assert [index.tolist() for index, _ in passed(loader, 0)] == [[2, 2, 2]]
    (tmp_path / "bad").mkdir()
    for name in "ab":
        (tmp_path / "bad" / f"{name}.png").write_bytes(b"")
    alone = loaded(tmp_path / "bad", on_error="substitute", max_bad=1.0)
    with pytest.raises(
        og.OffgraphError, match=r"none of its images \(2\) could be used: .*bad/a\.png: the file is empty"
    ):
        list(alone)
    (root / "cat" / "0.png").write_bytes(b"")  # after it was looked at
    with pytest.raises(
        og.OffgraphError,
        match=r"^(?!.*0\.png.*0\.png).*nor can any of the 2 images be used that were tried in its place",
    ):
        passed(loader, 1)


@pytest.mark.parametrize("policy", ["skip", "substitute", "quarantine"])
def test_the_budget_is_one_pass_long(spoiled: Path, policy: str) -> None:
    loader = loaded(spoiled, on_error=policy, max_bad=6, threads=3)
    for epoch in range(3):
        passed(loader, epoch)
    done = "replaced by others" if policy == "substitute" else "left out"
    strict = loaded(spoiled, on_error=policy, max_bad=5, threads=3)
    with pytest.raises(
        og.OffgraphError, match=rf"6 of 24 images of epoch 0 were {done} so far, more than max_bad=5"
    ):
        passed(strict, 0)


def test_rows_of_a_dataset_are_left_out_and_replaced(spoiled: Path, tmp_path: Path) -> None:
    og.build(
        spoiled, tmp_path / "out", recipe(), format="webdataset", encoding="raw", progress=False, max_bad=1.0
    )
    shard = next((tmp_path / "out").glob("**/*.tar"))
    data = bytearray(shard.read_bytes())
    loader = loaded(tmp_path / "out", on_error="skip")
    whole = passed(loader, 0)
    place = loader._maker.samples.dataset.line(4)["at"]["image"]  # type: ignore[attr-defined]
    data[place["offset"] + 5] ^= 0xFF
    shard.write_bytes(bytes(data))
    for policy in ("skip", "substitute", "quarantine"):
        for threads in THREADS:
            again = loaded(tmp_path / "out", on_error=policy, threads=threads)
            found = passed(again, 0)
            given = np.concatenate([index for index, _ in found]).tolist()
            before = np.concatenate([index for index, _ in whole]).tolist()
            if policy == "substitute":
                other = next(candidates(3, 0, 4, 18))
                assert given == [other if n == 4 else n for n in before]
            else:
                assert given == [n for n in before if n != 4]


def test_lists_come_from_the_process_of_a_loader(spoiled: Path) -> None:
    for policy in ("skip", "substitute", "quarantine"):
        here, there = (loaded(spoiled, on_error=policy, process=process) for process in (False, True))
        for epoch in range(2):
            ours, theirs = passed(here, epoch), passed(there, epoch)
            assert [index.tolist() for index, _ in ours] == [index.tolist() for index, _ in theirs]
            assert here.skipped == there.skipped and here.substituted == there.substituted
            assert here.quarantined == there.quarantined


@pytest.mark.parametrize("policy", ["skip", "substitute", "quarantine"])
def test_batches_of_one_have_one_shape_where_that_is_asked(tmp_path: Path, policy: str) -> None:
    for number in range(6):
        shape = (20, 32) if number == 2 else (24, 32)
        (tmp_path / f"{number}.jpg").write_bytes(saved(gradient(*shape), "JPEG"))
    loader = og.Loader(tmp_path, [og.Invert()], batch_size=1, on_error=policy)  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", og.OffgraphWarning)
        shapes = [batch.image.shape for batch in loader.epoch(0, one_shape=True)]
    assert set(shapes) == {(1, 24, 32, 3)}
    assert len(shapes) == (6 if policy == "substitute" else 5)
    assert [*loader.skipped, *loader.substituted] == ["2.jpg"]
    any_shape = og.Loader(tmp_path, [og.Invert()], batch_size=1, on_error="skip")
    assert [batch.image.shape[1] for batch in any_shape] == [24, 24, 20, 24, 24, 24]


@pytest.mark.parametrize("policy", ["raise", "skip", "substitute"])
@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("stored", [False, True])
def test_a_recipe_that_may_change_the_dtype_is_refused_in_words(
    spoiled: Path, tmp_path: Path, stored: bool, batch_size: int, policy: str
) -> None:
    source: Path = spoiled
    if stored:
        source = og.build(spoiled, tmp_path / "out", [og.Resize((24, 20))], format="folder", max_bad=1.0).path
    steps = [og.Resize((16, 16)), og.Augment(og.Normalize("imagenet", p=0.5))]
    loader = og.Loader(
        source,
        steps,
        other_recipe=stored,
        batch_size=batch_size,
        on_error=policy,
        max_bad=1.0,  # type: ignore[arg-type]
    )
    for one in (loader,) if stored else (loader, loader.cache("memory")):
        with pytest.raises(og.OffgraphError, match=r"Normalize: p=0\.5 would leave some images uint8"):
            list(one.epoch(0))


def test_tensorflow_knows_the_length_where_nothing_is_left_out(spoiled: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    known = loaded(spoiled, on_error="substitute").tensorflow()
    assert known.cardinality().numpy() == 6 and known.element_spec[0].shape[0] == 4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", og.OffgraphWarning)
        assert [len(image) for image, _ in known] == [4] * 6
    unknown = loaded(spoiled, on_error="quarantine").tensorflow()
    assert (
        unknown.cardinality().numpy() == tf.data.UNKNOWN_CARDINALITY
        and unknown.element_spec[0].shape[0] is None
    )


# ---- quarantine


def test_what_is_quarantined_is_not_read_again(
    spoiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bad.jsonl"
    read: list[str] = []
    plain = decoding.read_bytes

    def noted(path: Path, *args: int) -> bytes:
        read.append(Path(path).relative_to(spoiled).as_posix())
        return plain(path, *args)

    monkeypatch.setattr(decoding, "read_bytes", noted)
    bad = set(broken_files())
    loader = loaded(spoiled, on_error="quarantine", quarantine=path, threads=2)
    first = passed(loader, 0)
    assert bad <= set(read) and set(loader.quarantined) == bad == set(loader.skipped)
    assert [set(json.loads(line)) for line in path.read_text().splitlines()] == [{"name", "reason"}] * 6
    assert read_quarantine(path) == loader.quarantined
    read.clear()
    passed(loader, 1)
    assert not bad & set(read)
    again = loaded(spoiled, on_error="quarantine", quarantine=str(path), threads=5)
    again.specs()  # looks at a few files, whatever they are
    read.clear()
    assert [index.tolist() for index, _ in passed(again, 0)] == [index.tolist() for index, _ in first]
    assert not bad & set(read) and again.skipped == loader.skipped
    copied = pickle.loads(pickle.dumps(again))
    assert copied.quarantined == again.quarantined
    with pytest.raises(og.OffgraphError, match=r"6 of 24 images .* max_bad=5 allows"):
        passed(loaded(spoiled, on_error="quarantine", quarantine=path, max_bad=5), 0)


def test_a_missing_file_is_not_quarantined(tmp_path: Path) -> None:
    root = class_folder(tmp_path / "in")
    loader = loaded(root, on_error="quarantine", quarantine=tmp_path / "bad.jsonl")
    (root / "bee" / "1.jpg").rename(tmp_path / "away.jpg")
    assert sum(len(index) for index, _ in passed(loader, 0)) == 14
    assert list(loader.skipped) == ["bee/1.jpg"] and not loader.quarantined
    assert not (tmp_path / "bad.jsonl").exists()
    (tmp_path / "away.jpg").rename(root / "bee" / "1.jpg")
    assert sum(len(index) for index, _ in passed(loader, 1)) == 15


def test_the_list_is_written_where_a_pass_is_left(spoiled: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    loader = loaded(spoiled, on_error="quarantine", quarantine=path, shuffle=False, batch_size=1)
    passing = iter(loader)
    while next(passing).index[0] < 12:
        pass
    del passing
    assert set(read_quarantine(path)) == set(loader.quarantined) >= {"ant/cut.png", "ant/empty.jpg"}


def test_what_workers_find_while_a_pass_ends_is_written(
    spoiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bad.jsonl"
    loader = loaded(spoiled, on_error="quarantine", quarantine=path, shuffle=False, batch_size=1)
    found, leave_out = threading.Event(), BadImages.leave_out

    def late(self: BadImages, name: str, error: BaseException) -> None:
        found.set()
        time.sleep(0.2)
        leave_out(self, name, error)

    monkeypatch.setattr(BadImages, "leave_out", late)
    passing = iter(loader)
    while not found.is_set():
        next(passing)
    del passing
    assert set(read_quarantine(path)) == set(loader.quarantined)
    assert loader.quarantined


def test_lists_of_two_loaders_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    write_quarantine(path, {"a.png": "cut"})
    write_quarantine(path, {"caf\udce9.png": "no pixels", "b/ü.png": "line\nbreak"})
    assert read_quarantine(path) == {"a.png": "cut", "caf\udce9.png": "no pixels", "b/ü.png": "line\nbreak"}
    assert [item.name for item in tmp_path.iterdir()] == ["bad.jsonl"]
    before = path.read_bytes()
    with pytest.raises(WriteError, match=r"nowhere/bad\.jsonl: cannot be written"):
        write_quarantine(tmp_path / "nowhere" / "bad.jsonl", {"a.png": "cut"})
    assert path.read_bytes() == before


HOSTILE = {
    "no JSON": b"cat/1.png\n",
    "no object": b'["cat/1.png", "cut"]\n',
    "another key": b'{"name": "a.png", "reason": "cut", "path": "/etc"}\n',
    "no reason": b'{"name": "a.png"}\n',
    "a number": b'{"name": 5, "reason": "cut"}\n',
    "an absolute name": b'{"name": "/etc/passwd", "reason": "cut"}\n',
    "a name that leads out": b'{"name": "a/../../b.png", "reason": "cut"}\n',
    "another drive": b'{"name": "C:/b.png", "reason": "cut"}\n',
    "a null": b'{"name": "a\\u0000.png", "reason": "cut"}\n',
    "no name": b'{"name": "", "reason": "cut"}\n',
    "half a line": b'{"name": "a.png", "reason": "cut"}\n{"name": "b.png", "rea',
    "no text": b"\xff\xfe\n",
    "nested": b"[" * 100_000,
    "a long name": b'{"name": "' + b"a" * 100_000 + b'", "reason": "cut"}\n',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_list_that_no_loader_wrote_is_refused(spoiled: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(HOSTILE[kind])
    with pytest.raises(og.ArgumentError, match=r"quarantine='.*bad\.jsonl', line [12]: "):
        loaded(spoiled, on_error="quarantine", quarantine=path)
    assert path.read_bytes() == HOSTILE[kind]


def test_arguments_that_do_not_fit(spoiled: Path, tmp_path: Path) -> None:
    with pytest.raises(og.ArgumentError, match=r"quarantine=.*: is for on_error='quarantine'"):
        loaded(spoiled, on_error="skip", quarantine=tmp_path / "bad.jsonl")
    with pytest.raises(og.ArgumentError, match=r"quarantine=.*: not a regular file"):
        loaded(spoiled, on_error="quarantine", quarantine=tmp_path)
    with pytest.raises(og.ArgumentError, match="quarantine=5: give a path"):
        loaded(spoiled, on_error="quarantine", quarantine=5)

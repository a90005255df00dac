"""What a build writes, what it refuses, and what it says."""

from __future__ import annotations

import csv
import doctest
import io
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.made import (
    CLASSES,
    DATASETS,
    INSTALLED,
    class_folder,
    image_file,
    paired_folder,
    recipe,
    tree,
)

import offgraph as og
from offgraph.dataset import BuiltDataset
from offgraph.dataset.example import decode_array, encode_array
from offgraph.dataset.mixed_order import mixed_order
from offgraph.dataset.output import OutputFolder
from offgraph.pipeline import order
from offgraph.pipeline.workers import ordered_map, read_ahead
from offgraph.targets import Targets


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("spoiled"), bad=True)


def built(out: Path) -> list[tuple[str, int, np.ndarray]]:
    dataset = BuiltDataset(out)
    stored = [dataset.read(i) for i in range(len(dataset))]
    return [(s.name, s.copy, s.image.array) for s in stored]


# ---- what is stored


@pytest.mark.parametrize("format", DATASETS)
def test_stored_images_are_those_of_the_recipe(photos: Path, tmp_path: Path, format: str) -> None:
    made = recipe()
    report = og.build(photos, tmp_path / "out", made, format=format, copies=2, seed=9, shard_size=7)
    assert report.examples == 30 and report.classes == dict.fromkeys(CLASSES, 10) and not report.quarantined
    source = og.open_source(photos)
    numbers = {item.name: i for i, item in enumerate(source)}
    found = built(tmp_path / "out")
    assert len({(name, copy) for name, copy, _ in found}) == 30
    for name, copy, array in found:
        sample = source.read(numbers[name])
        want = made.run(Targets.of_image(sample.image), og.Key(9, copy, numbers[name]), stop=3).image
        assert array.dtype == np.uint8 and np.array_equal(array, want)


def test_final_stores_floats_in_both_formats(photos: Path, tmp_path: Path) -> None:
    made = recipe()
    source = og.open_source(photos)
    numbers = {item.name: i for i, item in enumerate(source)}
    for format in INSTALLED:
        og.build(source, tmp_path / format, made, format=format, store="final")
        for name, copy, array in built(tmp_path / format):
            sample = source.read(numbers[name])
            want = made.run(Targets.of_image(sample.image), og.Key(0, copy, numbers[name])).image
            assert array.dtype == np.float32 and array.tobytes() == want.tobytes()
    npy = next((tmp_path / "folder" / "images").rglob("*.npy"))
    assert np.load(npy, allow_pickle=False).shape == (24, 20, 3)


def test_masks_keep_their_labels(tmp_path: Path) -> None:
    images, masks = paired_folder(tmp_path)
    source = og.open_source(images, masks=masks)
    for format in INSTALLED:
        og.build(source, tmp_path / format, og.Compose([og.CenterCrop((24, 24))]), format=format)
        dataset = BuiltDataset(tmp_path / format)
        for i in range(len(dataset)):
            stored = dataset.read(i)
            whole = source.read(stored.index).mask
            assert whole is not None and stored.mask is not None and stored.mask.array.dtype == np.uint16
            assert np.array_equal(stored.mask.array, whole.array[4:28, 8:32])
    rows = list(csv.DictReader((tmp_path / "folder" / "labels.csv").open()))
    assert all((tmp_path / "folder" / row["mask"]).is_file() for row in rows) and len(rows) == 6


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    array = np.random.default_rng(1).integers(0, 4096, (12, 10, 3)).astype(np.uint16)
    image_file(tmp_path / "in" / "a.png", array)
    for format in INSTALLED:
        og.build(tmp_path / "in", tmp_path / format, og.Compose([og.Flip("Y")]), format=format, color="keep")
        ((_, _, stored),) = built(tmp_path / format)
        assert stored.dtype == np.uint16 and np.array_equal(stored, array[::-1])


@pytest.mark.parametrize("format", DATASETS)
def test_a_recipe_that_takes_no_image_is_an_error_that_names_one(
    photos: Path, tmp_path: Path, format: str
) -> None:
    wraps = [og.Resize((24, 20)), og.Ndimage("sobel", axis="Y")]
    with pytest.raises(og.BuildError, match=r"ant/0\.png: step 2, Ndimage: sobel of uint8 wraps around"):
        og.build(photos, tmp_path / "out", wraps, format=format, color="grey", max_bad=1.0)


def test_arrays_survive_encoding_whatever_they_are() -> None:
    rng = np.random.default_rng(0)
    shapes = [((5, 4), "YX"), ((5, 4, 1), "YXC"), ((5, 4, 2), "YXC"), ((5, 4, 3), "YXC"), ((5, 4, 4), "YXC"),
              ((5, 4, 7), "YXC"), ((3, 5, 4), "ZYX"), ((0, 4), "YX")]  # fmt: skip
    for shape, axes in shapes:
        for dtype in (np.bool_, np.uint8, np.uint16, np.int16, np.int64, np.uint64, np.float32, np.float64):
            array = (rng.random(shape) * 200).astype(dtype)
            encoded = encode_array(array, axes)
            back = decode_array(encoded.data, encoded.describe())
            assert back.dtype == array.dtype and back.shape == shape and back.tobytes() == array.tobytes()


def test_float_images_are_set_aside_unless_floats_are_asked_for(tmp_path: Path) -> None:
    image_file(tmp_path / "in" / "a.tif", np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5))
    flip = og.Compose([og.Flip("Y")])
    with pytest.raises(og.BuildError, match=r"none of its images \(1\).*a\.tif: .*float32.*store='final'"):
        og.build(tmp_path / "in", tmp_path / "out", flip, color="keep")
    report = og.build(tmp_path / "in", tmp_path / "final", flip, color="keep", store="final")
    assert report.examples == 1


# ---- the folder


def test_folder_layout_and_table(photos: Path, tmp_path: Path) -> None:
    og.build(photos, tmp_path / "out", recipe(), copies=2)
    rows = list(csv.DictReader((tmp_path / "out" / "labels.csv").open()))
    assert [row["path"] for row in rows[:2]] == ["images/ant/0__0.png", "images/ant/0__1.png"]
    assert {row["label"] for row in rows} == set(CLASSES)
    again = og.open_source(tmp_path / "out" / "labels.csv")
    assert len(again) == 30 and again.class_names == CLASSES
    assert og.open_source(tmp_path / "out" / "images").class_names == CLASSES


def test_names_that_collide_or_climb_stay_apart_and_inside(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for name in ("a.png", "a.tif", "A.png", "a.png.png", "é.png", "x" * 240 + ".png"):
        image_file(root / name, np.full((4, 4), len(name), np.uint8))
    table = root / "t.csv"
    names = sorted(p.name for p in root.iterdir() if p.suffix in (".png", ".tif"))
    labels = ["../up", "/root", "..", "a/b", "CON:", "%2E"]
    table.write_text(
        "path,label\n" + "".join(f"{n},{label}\n" for n, label in zip(names, labels, strict=True))
    )
    report = og.build(table, tmp_path / "out", og.Compose([og.Flip("Y")]), color="keep")
    assert report.examples == len(names)
    flat = og.build(
        og.open_source(root, labels=None, color="keep"), tmp_path / "flat", og.Compose([og.Flip("Y")])
    )
    assert flat.examples == len(names)
    for out in ("out", "flat"):
        files = [p for p in (tmp_path / out / "images").rglob("*") if p.is_file()]
        assert len(files) == len(names)
        found = {name: array for name, _, array in built(tmp_path / out)}
        assert all((array == len(name)).all() for name, array in found.items())
    assert not (tmp_path / "up").exists()


# ---- the manifest


def test_manifest_says_what_was_done_and_nothing_of_where_or_when(photos: Path, tmp_path: Path) -> None:
    made = recipe()
    og.build(photos, tmp_path / "a", made, format="tfrecord", copies=2, shard_size=8)
    og.build(photos, tmp_path / "elsewhere" / "b", made, format="tfrecord", copies=2, shard_size=8)
    one, other = tree(tmp_path / "a"), tree(tmp_path / "elsewhere" / "b")
    assert one == other
    assert not any(str(tmp_path).encode() in data for data in one.values())
    manifest = json.loads(one["manifest.json"])
    assert manifest["fingerprint"] == made.fingerprint and manifest["digest"] == made.digest
    assert og.Compose.from_dict(manifest["recipe"]).digest == made.digest
    assert manifest["counts"] == {
        "pictures": 15, "examples": 30, "quarantined": 0, "classes": dict.fromkeys(CLASSES, 10)
    }  # fmt: skip
    assert manifest["versions"]["numpy"] == np.__version__


def test_records_replay(photos: Path, tmp_path: Path) -> None:
    made = recipe()
    og.build(photos, tmp_path / "out", made, copies=2)
    dataset, source = BuiltDataset(tmp_path / "out"), og.open_source(photos)
    for number in range(0, len(dataset), 7):
        stored = dataset.read(number)
        assert np.array_equal(
            made.replay(stored.record, image=source.read(stored.index).image).image, stored.image.array
        )


@pytest.mark.parametrize("format", DATASETS)
def test_same_bytes_for_any_number_of_workers(spoiled: Path, tmp_path: Path, format: str) -> None:
    trees = []
    for count in (1, 2, 5):
        out = tmp_path / str(count)
        og.build(spoiled, out, recipe(), format=format, copies=3, workers=count, shard_size=10)
        trees.append(tree(out))
    assert trees[0] == trees[1] == trees[2]


def test_another_seed_is_another_dataset(photos: Path, tmp_path: Path) -> None:
    og.build(photos, tmp_path / "a", recipe(), seed=1)
    og.build(photos, tmp_path / "b", recipe(), seed=2)
    one, other = built(tmp_path / "a"), built(tmp_path / "b")
    assert any(not np.array_equal(x[2], y[2]) for x, y in zip(one, other))


# ---- bad files


@pytest.mark.parametrize("format", DATASETS)
def test_bad_files_are_set_aside_by_name(spoiled: Path, tmp_path: Path, format: str) -> None:
    report = og.build(spoiled, tmp_path / "out", recipe(), format=format, copies=2, shard_size=8)
    assert report.examples == 30 and report.images == report.pictures == 17
    assert [bad.name for bad in report.quarantined] == ["ant/cut.png", "cat/text.jpg"]
    assert all(bad.copies == (0, 1) for bad in report.quarantined)
    rows = list(csv.DictReader((tmp_path / "out" / "quarantine.csv").open()))
    assert [row["path"] for row in rows] == ["ant/cut.png", "cat/text.jpg"]
    assert all(row["reason"] and str(spoiled) not in row["reason"] for row in rows)
    assert "2 images could not be used" in report.summary() and "cat/text.jpg: " in report.summary()


def test_stop_ends_at_the_first_bad_file_and_quarantine_goes_on(spoiled: Path, tmp_path: Path) -> None:
    with pytest.raises(og.BuildError, match=r"ant/cut\.png: .*on_error='stop'"):
        og.build(spoiled, tmp_path / "out", recipe(), on_error="stop", shard_size=4)
    assert not (tmp_path / "out" / "manifest.json").exists()
    report = og.build(spoiled, tmp_path / "out", recipe(), shard_size=4)
    assert report.examples == 15 and report.resumed == 4
    with pytest.raises(og.BuildError, match=r"ant/cut\.png: "):
        og.build(spoiled, tmp_path / "out", recipe(), on_error="stop", shard_size=4)


def test_an_image_a_step_cannot_take_is_a_bad_file(photos: Path, tmp_path: Path) -> None:
    report = og.build(
        photos, tmp_path / "out", og.Compose([og.RandomCrop((40, 30))]), copies=2, max_bad="100%"
    )
    assert 0 < report.examples < 30
    assert {bad.name.split("/")[1] for bad in report.quarantined} >= {"0.png"}
    assert "RandomCrop" in report.quarantined[0].reason and "(40, 30)" in report.quarantined[0].reason


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for _ in range(2):
        with pytest.raises(
            og.BuildError, match=r"none of its images \(1\) could be used; the first: a\.png: "
        ):
            og.build(tmp_path / "in", tmp_path / "out", recipe())


def test_mistakes_in_programs_are_not_set_aside(photos: Path, tmp_path: Path) -> None:
    made = recipe()

    class Broken(og.Compose):
        def run(self, *args: object, **kwargs: object) -> og.Result:
            raise ZeroDivisionError("a mistake")

    broken = Broken(made.items)
    with pytest.raises(ZeroDivisionError) as caught:
        og.build(photos, tmp_path / "out", broken)
    assert any("ant/0.png" in note for note in caught.value.__notes__)


# ---- refusals


def test_a_foreign_folder_is_left_alone(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(og.BuildError, match=r"holds thesis\.tex and no build of Offgraph"):
        og.build(photos, out, recipe())
    assert tree(out) == {"thesis.tex": b"mine"}
    (out / "build.json").write_text("[]")
    with pytest.raises(og.BuildError, match=r"build\.json: not the description of a build"):
        og.build(photos, out, recipe())


def test_the_source_itself_is_no_place_for_a_dataset(photos: Path) -> None:
    for out in (photos, photos / "ant" / "new"):
        with pytest.raises(og.BuildError, match=r"is the source|lies inside the source"):
            og.build(photos, out, recipe())
    assert not (photos / "ant" / "new").exists()


def test_a_file_is_no_place_for_a_dataset(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(og.BuildError, match="out: is a file, and a dataset is a folder"):
        og.build(photos, tmp_path / "out", recipe())
    assert (tmp_path / "out").read_text() == "mine"


def test_a_table_names_its_images_so_a_dataset_may_lie_beside_it(tmp_path: Path) -> None:
    class_folder(tmp_path / "in", each=1)
    (tmp_path / "in" / "table.csv").write_text("path,label\nant/0.png,x\nbee/0.png,y\n")
    for _ in range(2):
        assert og.build(tmp_path / "in" / "table.csv", tmp_path / "in" / "out", recipe()).examples == 2


def test_another_job_is_refused_with_what_differs(tmp_path: Path) -> None:
    photos = class_folder(tmp_path / "in", each=2)
    out = tmp_path / "out"
    og.build(photos, out, recipe(), copies=2)
    before = tree(out)
    changed = og.Compose([og.Resize((24, 21)), *recipe().items[1:]])
    with pytest.raises(og.BuildError, match=r"another recipe: step 1, Resize: size is \[24, 20\]"):
        og.build(photos, out, changed, copies=2)
    turned = og.Compose(
        [recipe().items[0], og.Augment(og.Rotate((-15, 16)), og.Flip("X", p=0.5)), *recipe().items[2:]]
    )
    with pytest.raises(og.BuildError, match="another recipe: step 2, Rotate: angle"):
        og.build(photos, out, turned, copies=2)
    with pytest.raises(og.BuildError, match="copies was 2, now 3"):
        og.build(photos, out, recipe(), copies=3)
    with pytest.raises(og.BuildError, match="seed was 0, now 1"):
        og.build(photos, out, recipe(), copies=2, seed=1)
    with pytest.raises(og.BuildError, match="color was 'rgb', now 'grey'"):
        og.build(photos, out, recipe(), copies=2, color="grey")
    (photos / "bee" / "0.png").rename(photos / "bee" / "7.png")
    with pytest.raises(og.BuildError, match=r"1 file gone \(bee/0.png\); 1 file added \(bee/7.png\)"):
        og.build(photos, out, recipe(), copies=2)
    (photos / "bee" / "7.png").rename(photos / "bee" / "0.png")
    assert tree(out) == before
    assert og.build(photos, out, recipe(), copies=2).resumed == 12


def test_changed_content_of_the_same_size_is_refused_by_name(tmp_path: Path) -> None:
    photos = class_folder(tmp_path / "in", each=2)
    og.build(photos, tmp_path / "out", recipe())
    path = photos / "cat" / "1.jpg"
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    with pytest.raises(og.BuildError, match=r"cat/1\.jpg is another file than the one this build has used"):
        og.build(photos, tmp_path / "out", recipe())


def test_copies_need_draws(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(og.BuildError, match=r"draws nothing.*Augment"):
        og.build(photos, tmp_path / "out", recipe().eval(), copies=2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"format": "zip"}, "format='zip': choose one of 'folder', 'arrow', 'tfrecord', 'webdataset'"),
        (
            {"format": "arrow", "compression": "gzip"},
            "compression='gzip': choose one of 'none', 'lz4', 'zstd'",
        ),
        ({"compression": "lz4"}, "compression='lz4': is for format='arrow'"),
        ({"encoding": "raw"}, "encoding='raw': is for format='tfrecord'"),
        ({"format": "tfrecord", "encoding": "jpeg"}, "encoding='jpeg': choose 'png' or 'raw'"),
        ({"copies": 0}, "copies=0"),
        ({"workers": 0}, "workers=0"),
        ({"seed": 2**64}, "seed=18446744073709551616"),
        ({"shard_size": 2.5}, "shard_size=2.5"),
        ({"seed": -1}, "seed=-1"),
        ({"on_error": "ignore"}, "on_error='ignore'"),
        ({"store": "jpeg"}, "store='jpeg'"),
    ],
)
def test_wrong_options_are_named(photos: Path, tmp_path: Path, options: dict, says: str) -> None:
    with pytest.raises(og.BuildError, match=says):
        og.build(photos, tmp_path / "out", recipe(), **options)
    assert not (tmp_path / "out").exists()


def test_two_builds_at_once(photos: Path, tmp_path: Path) -> None:
    with OutputFolder(tmp_path / "out"), pytest.raises(og.BuildError, match="another build is writing"):
        og.build(photos, tmp_path / "out", recipe())
    assert og.build(photos, tmp_path / "out", recipe()).examples == 15


# ---- dry run and progress


def test_dry_run_writes_nothing_and_is_near(photos: Path, tmp_path: Path) -> None:
    guess = og.build(photos, tmp_path / "out", recipe(), copies=2, dry_run=True)
    assert not (tmp_path / "out").exists()
    assert "nothing is written" in guess.summary()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("")
    with pytest.raises(og.BuildError, match=r"holds mine\.txt"):
        og.build(photos, tmp_path / "taken", recipe(), copies=2, dry_run=True)
    real = og.build(photos, tmp_path / "out", recipe(), copies=2)
    assert guess.examples == real.examples and guess.classes == real.classes
    assert 0.8 < guess.bytes / real.bytes < 1.25 and guess.seconds > 0


def test_progress_bar_is_drawn_when_asked_for(
    spoiled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    og.build(spoiled, tmp_path / "a", recipe(), progress=True)
    assert "17/17" in (said := capsys.readouterr().err) and "2 set aside" in said
    og.build(spoiled, tmp_path / "b", recipe())
    assert capsys.readouterr().err == ""  # standard error is no terminal here


# ---- what the build and the loader stand on


@pytest.mark.parametrize(
    ("format", "library", "extra"), [("tfrecord", "tensorflow", "tensorflow"), ("arrow", "pyarrow", "arrow")]
)
def test_without_its_library_nothing_is_begun(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: Any, library: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(og.OffgraphError, match=rf"not installed; run: pip install 'offgraph\[{extra}\]'"):
        og.build(photos, tmp_path / "out", recipe(), format=format)
    assert not (tmp_path / "out").exists()


def test_permutation_is_one_and_has_an_address() -> None:
    assert mixed_order(5, seed=7) == [4, 1, 3, 0, 2]  # pinned: orders of shards must never change
    assert sorted(mixed_order(1000, seed=1)) == list(range(1000))
    assert mixed_order(0, seed=0) == []
    assert mixed_order(50, seed=1) != mixed_order(50, seed=2)


def test_ordered_map_holds_few_things_and_keeps_order() -> None:
    taken = 0

    def things():
        nonlocal taken
        for thing in range(100):
            taken += 1
            yield thing

    results = ordered_map(lambda x: x * x, things(), threads=3, ahead=5)
    assert next(results) == 0 and taken == 5
    assert list(results) == [x * x for x in range(1, 100)]


def test_threads_end_when_the_taker_stops() -> None:
    before = set(threading.enumerate())
    results = read_ahead(ordered_map(lambda x: x, iter(int, 1), threads=2), 3)  # endless
    assert [next(results) for _ in range(5)] == [0] * 5
    assert set(threading.enumerate()) - before
    results.close()
    assert not set(threading.enumerate()) - before


def test_names_of_undecodable_bytes(tmp_path: Path) -> None:
    root = tmp_path / "in"
    image_file(root / "a.png", np.zeros((4, 4), np.uint8))
    (root / "a.png").rename(root / os.fsdecode(b"\xff\xfe.png"))
    image_file(root / "bad.png", np.zeros((4, 4), np.uint8))
    for format in INSTALLED:
        report = og.build(root, tmp_path / format, og.Compose([og.Flip("Y")]), format=format)
        assert report.examples == 2
    assert io.StringIO(report.summary()).read()


def test_examples_run() -> None:
    for module in (order, sys.modules[og.build.__module__]):
        result = doctest.testmod(module)
        assert result.attempted and not result.failed

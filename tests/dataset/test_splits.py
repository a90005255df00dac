"""One command that divides a source and makes a dataset of each part."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.support.made import class_folder, image_file, recipe, tree

import offgraph as og
from offgraph.apps import cli
from offgraph.dataset import BuiltDataset
from offgraph.targets import Targets


@pytest.fixture(scope="module")
def patients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty images of ten patients, whose files lie in one folder."""
    root = tmp_path_factory.mktemp("patients")
    with (root / "t.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "patient"])
        for number in range(40):
            image_file(root / f"{number}.png", np.full((20, 20, 3), 5 * number, np.uint8))
            table.writerow([f"{number}.png", "ab"[number % 2], f"P{number % 10}"])
    return root / "t.csv"


def test_parts_are_datasets_of_their_own(patients: Path, tmp_path: Path) -> None:
    out, made = tmp_path / "out", recipe()
    report = og.build(patients, out, made, val=0.2, test=0.1, group_by="patient", copies=3, seed=4)
    parts = dict(zip(("train", "val", "test"), og.split(patients, 0.2, 0.1, 4, "patient"), strict=True))
    assert {name: part.images for name, part in report.parts.items()} == {n: len(p) for n, p in parts.items()}
    assert report.examples == 3 * len(parts["train"]) + len(parts["val"]) + len(parts["test"])
    assert report.summary().count("\n") >= 3 and f"{out / 'val'}: " in report.summary()
    groups = []
    for name, part in parts.items():
        dataset = BuiltDataset(out / name)
        assert dataset.class_names == ("a", "b") and dataset.copies == (3 if name == "train" else 1)
        assert dataset.recipe.training is (name == "train")
        lines = [dataset.line(i) for i in range(len(dataset))]
        assert {line["name"] for line in lines} == {item.name for item in part}
        groups.append({int(line["name"][:-4]) % 10 for line in lines})
        want = made if name == "train" else made.eval()
        stored, sample = dataset.read(0), part.read(lines[0]["index"])
        done = want.run(
            Targets.of_image(sample.image), og.Key(4, stored.copy, stored.index), stop=stored.start
        )
        assert np.array_equal(stored.image.array, done.image)
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
    live = og.Loader(parts["val"], made.eval(), batch_size=len(parts["val"]))
    built = og.Loader(out / "val", batch_size=len(parts["val"]))
    assert np.array_equal(next(iter(built)).image, next(iter(live)).image)


def test_validation_alone_test_alone_and_a_class_that_a_part_lacks(tmp_path: Path) -> None:
    root = class_folder(tmp_path / "in", each=4)
    image_file(root / "dog" / "only.png", np.zeros((30, 30, 3), np.uint8))
    for name, options in (("v", {"val": 0.25}), ("t", {"test": 3}), ("w", {"val": 3, "format": "tfrecord"})):
        report = og.build(root, tmp_path / name, recipe(), **options)
        other = "test" if name == "t" else "val"
        assert list(report.parts) == ["train", other] and report.parts[other].images == 3
        assert "dog" in BuiltDataset(tmp_path / name / other).class_names
        assert "dog" not in {
            BuiltDataset(tmp_path / name / other).line(i)["name"].split("/")[0] for i in range(3)
        }


@pytest.fixture(scope="module")
def whole(patients: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "out"
    og.build(patients, out, recipe(), val=8, test=4, seed=1)
    return out


def test_it_goes_on_as_a_whole(patients: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    og.build(patients, out, recipe(), val=8, test=4, seed=1)
    whole = tree(out)
    shutil.rmtree(out / "test")
    (out / "val" / "manifest.json").unlink()
    next((out / "val" / "images").rglob("*.png")).unlink()
    report = og.build(patients, out, recipe(), val=8, test=4, seed=1)
    assert tree(out) == whole and report.parts["train"].resumed == 28 and report.parts["test"].resumed == 0
    assert og.build(patients, out, recipe(), val=8, test=4, seed=1).summary().count("finished and whole") == 3


def test_draws_that_are_stored_once_are_said(patients: Path, tmp_path: Path) -> None:
    drawing = og.Compose([og.Resize((8, 8)), og.Augment(og.Flip("X", p=0.5))])
    said = "drawn once and stored, so that every epoch sees the same"
    for number, (steps, options, times) in enumerate(
        [
            (drawing, {}, 1),
            (drawing, {"dry_run": True}, 1),
            (drawing, {"copies": 2}, 0),
            (drawing.eval(), {}, 0),
            (drawing, {"val": 8}, 1),  # validation does without draws
        ]
    ):
        report = og.build(patients, tmp_path / str(number), steps, **options)
        assert report.summary().count(said) == times and report.draws == (steps is drawing)
    loader = og.Loader(tmp_path / "0", batch_size=40, shuffle=False)
    first, second = next(iter(loader)), next(iter(loader))
    assert (first.image == second.image).all()


@pytest.mark.parametrize("format", ["folder", "arrow"])
def test_draws_that_come_after_what_is_stored_are_not_called_stored(
    patients: Path, tmp_path: Path, format: str
) -> None:
    later = og.Compose([og.Resize((8, 8)), og.Rescale(1 / 255), og.Augment(og.Flip("X", p=0.5))])
    once, alike = "drawn once and stored", "the copies of an image are alike"
    for number, (options, has_once, has_alike) in enumerate(
        [
            ({}, False, False),
            ({"dry_run": True}, False, False),
            ({"copies": 2}, False, True),
            ({"copies": 2, "dry_run": True}, False, True),
            ({"copies": 2, "val": 8}, False, True),
            ({"store": "final"}, True, False),
            ({"store": "final", "copies": 2}, False, False),
        ]
    ):
        report = og.build(patients, tmp_path / str(number), later, format=format, **options)
        assert (once in report.summary(), alike in report.summary()) == (has_once, has_alike), options
        assert report.draws == (options.get("store") == "final") and report.draws_later != report.draws
    loader = og.Loader(tmp_path / "0", batch_size=40, shuffle=False)
    first, second = next(iter(loader)), next(iter(loader))
    assert [one["steps"] for one in first.records] != [one["steps"] for one in second.records]
    again = og.build(patients, tmp_path / "5", later, format=format, store="final")
    assert again.draws and once in again.summary()  # finished already: the same is said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"val": 9, "test": 4, "seed": 1}, "another split: val was 8, now 9"),
        ({"val": 8, "seed": 1}, r"another split: .*test was 4, now 0"),
        ({"val": 8, "test": 4, "seed": 2}, "seed was 1, now 2"),
        ({"val": 8, "test": 4, "seed": 1, "group_by": "patient"}, "group_by was None, now 'patient'"),
        (
            {"seed": 1},
            r"holds the parts of an earlier build with val= or test= \(split\.json\): give the same",
        ),
        ({"val": 8, "test": 4, "seed": 1, "copies": 2}, "copies was 1, now 2"),
        ({"group_by": "patient"}, r"group_by='patient': is for val= and test="),
        ({"val": 1.5}, r"val=1\.5"),
        ({"val": 0.5, "test": 0.5}, "left for training"),
    ],
)
def test_another_split_is_refused(patients: Path, whole: Path, options: dict, says: str) -> None:
    before = tree(whole)
    with pytest.raises(og.OffgraphError, match=says):
        og.build(patients, whole, recipe(), **options)
    assert tree(whole) == before


def test_folders_that_are_not_ours_and_parts_as_a_source(patients: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(og.BuildError, match=r"holds notes\.txt and no build of Offgraph"):
        og.build(patients, tmp_path / "out", recipe(), val=8)
    og.build(patients, tmp_path / "single", recipe())
    with pytest.raises(og.BuildError, match="holds a dataset that was built without val= and test="):
        og.build(patients, tmp_path / "single", recipe(), val=8)
    og.build(patients, tmp_path / "parts", recipe(), val=8)
    with pytest.raises(
        og.SourceError, match=r"give one of them, such as offgraph.Loader\('.*/parts/train'\)"
    ):
        og.Loader(tmp_path / "parts")
    for text in ("{", "[]", '{"offgraph": 2}', '{"offgraph": 1, "parts": []}'):
        (tmp_path / "parts" / "split.json").write_text(text)
        with pytest.raises(og.BuildError, match=r"split\.json|another split"):
            og.build(patients, tmp_path / "parts", recipe(), val=8)


def test_command_line(patients: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.yaml").write_text(recipe().to_yaml())
    command = [
        "build",
        str(patients),
        str(tmp_path / "out"),
        "-r",
        str(tmp_path / "r.yaml"),
        "--val",
        "20%",
        "--test",
    ]
    with pytest.raises(SystemExit) as left:
        cli.main([*command, "4", "--group-by", "patient", "--dry-run"])
    assert left.value.code == 0 and not (tmp_path / "out").exists()
    said = capsys.readouterr().out
    assert said.count("nothing is written") == 3 and "out/val: would hold 8 examples from 8 images" in said
    with pytest.raises(SystemExit) as left:
        cli.main([*command, "4", "--group-by", "patient"])
    assert left.value.code == 0
    described = json.loads((tmp_path / "out" / "split.json").read_text())
    assert described["parts"] == {"train": 24, "val": 8, "test": 8} and described["group_by"] == "patient"
    with pytest.raises(SystemExit) as left:
        cli.main([*command, "some"])
    assert left.value.code == 2 and "for --test: some: give a share such as 0.2" in capsys.readouterr().err

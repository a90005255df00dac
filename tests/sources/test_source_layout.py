"""Folders that hold something else than classes say what they hold, and what to write."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

import offgraph as og
from offgraph.core.errors import OffgraphWarning, SourceError
from offgraph.formats.encoding import imwrite
from offgraph.sources import open_source


def put(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            imwrite(path, np.zeros((4, 6), np.uint8))
        else:
            path.write_text("Path;Label\n1.png;x\n" if path.suffix == ".csv" else "")
    return root


CERTAIN = {
    "images and masks": (
        ["images/1.png", "labels/1.png"],
        r"images/ and labels/, which are images and masks, no classes: write open_source\('.*/images', masks='.*/labels'\)",
    ),
    "train and its masks": (
        ["train/1.png", "train_masks/1.png"],
        r"write open_source\('.*/train', masks='.*/train_masks'\)",
    ),
    "cells and their masks": (
        ["cells/1.png", "cells_masks/1.png"],
        r"write open_source\('.*/cells', masks='.*/cells_masks'\)",
    ),
    "images and boxes": (
        ["JPEGImages/1.png", "JPEGImages/2.png", "Annotations/1.mat"],
        r"no images in Annotations/.*write open_source\('.*/JPEGImages'\)",
    ),
    "parts": (
        ["train/cat/1.png", "train/dog/1.png", "test/cat/1.png"],
        r"holds test/ and train/, which look like parts of a data set: open each alone, as open_source\('.*/train'\)",
    ),
    "parts of pairs": (
        ["val/images/1.png", "val/labels/1.png", "train/images/1.png", "train/labels/1.png"],
        r"holds train/ and val/, which look like parts",
    ),
    "one folder with the classes": (
        ["pets/cat/1.png", "pets/dog/1.png"],
        r"all 2 images lie in pets/, in the folders cat, dog: write open_source\('.*/pets'\)",
    ),
    "a folder per image": (
        ["a/images/a.png", "a/masks/1.png", "b/images/b.png", "b/masks/1.png", "b/masks/2.png"],
        r"each folder in it holds images, masks, which are images and masks, no classes",
    ),
    "images beside their masks": (
        ["1.png", "2.png", "masks/1.png", "masks/2.png"],
        r"1\.png lie beside folders .* masks/; say masks='.*/masks'.*labels='folders'.*labels=None",
    ),
}


@pytest.mark.parametrize("case", CERTAIN)
def test_where_it_is_certain_opening_says_what_to_write(tmp_path, case) -> None:
    files, said = CERTAIN[case]
    put(tmp_path, *files)
    with pytest.raises(SourceError, match=said):
        open_source(tmp_path)
    folders = {name.split("/")[0] for name in files if name.count("/") and name.endswith(".png")}
    assert open_source(tmp_path, labels="folders").class_names == tuple(sorted(folders))
    assert len(open_source(tmp_path, labels=None)) == sum(name.endswith(".png") for name in files)
    assert og.doctor(tmp_path).files == sum(name.endswith(".png") for name in files)


DOUBTFUL = {
    "one class": (["pets/1.png", "pets/2.png"], r"all 2 images lie in pets/, taken as a class now"),
    "one class and an empty one": (["pets/1.png", "out/"], r"all 1 image lie in pets/ \(empty: out\)"),
    "a table beside the images": (
        ["1.png", "2.png", "list.csv"],
        r"holds a table, list\.csv, that is not read: write open_source\('.*/list\.csv'\)",
    ),
    "parts and others": (
        ["train/1.png", "val/1.png", "car/1.png"],
        r"holds train/ and val/, which look like parts .* write labels='folders' if this is meant",
    ),
    "masks by suffix": (
        ["1.png", "1_mask.png", "2.png", "2_mask.png"],
        r"2 names are those of other images with '_mask' added.*write masks='\*_mask'",
    ),
    "masks by prefix": (
        ["a/1.png", "a/mask_1.png", "b/2.png", "b/mask_2.png"],
        r"2 names are those of other images with 'mask_' added.*write masks='mask_\*'",
    ),
}


@pytest.mark.parametrize("case", DOUBTFUL)
def test_where_it_may_be_meant_opening_warns(tmp_path, case) -> None:
    files, said = DOUBTFUL[case]
    for name in files:
        if name.endswith("/"):
            (tmp_path / name).mkdir()
        else:
            put(tmp_path, name)
    with pytest.warns(OffgraphWarning, match=said) as caught:
        source = open_source(tmp_path)
    assert len(caught) == 1 and len(source) == sum(name.endswith(".png") for name in files)
    assert Path(caught[0].filename) == Path(__file__)
    open_source(tmp_path, labels=None)
    if any("/" in name for name in files):
        open_source(tmp_path, labels="folders")


@pytest.mark.parametrize(
    "files",
    [
        ["cat/1.png", "dog/1.png"],
        ["cat/images/1.png", "dog/images/1.png"],
        ["cat/deep/1.png", "dog/2.png"],
        ["test/1.png", "control/1.png"],
        ["train/1.png", "bus/1.png"],
        ["a.png", "b.png", "a_mask.png"],
        ["photo/1.png", "drawing/1.png"],
        ["label/1.png", "bottle/1.png"],
        ["wine/1.png", "wine_label/1.png"],
    ],
)
def test_ordinary_folders_open_without_a_word(tmp_path, files) -> None:
    assert len(open_source(put(tmp_path, *files))) == len(files)


def test_thousands_of_classes_open_at_once(tmp_path) -> None:
    put(tmp_path, "one.png")
    for number in range(6000):
        (tmp_path / "in" / f"class_{number}").mkdir(parents=True)
        (tmp_path / "in" / f"class_{number}" / "1.png").hardlink_to(tmp_path / "one.png")
    began = time.process_time()
    assert len(open_source(tmp_path / "in").class_names) == 6000
    assert time.process_time() - began < 4  # a look at each two of them takes three times as long


def test_named_classes_are_no_parts(tmp_path) -> None:
    put(tmp_path, "train/1.png", "test/1.png")
    assert open_source(tmp_path, class_names=["test", "train", "val"]).class_names == ("test", "train", "val")
    put(tmp_path / "one", "cat/1.png")
    assert [i.label for i in open_source(tmp_path / "one", class_names=["ant", "cat"])] == [1]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], "no images in it: the folder is empty"),
        (["cat/", "dog/"], "no images in it; it holds 2 folders: cat, dog"),
        (
            ["data/t.csv"],
            r"left out: 1 not an image\); it holds a table: write open_source\('.*/data/t\.csv'\)",
        ),
        (["a.mp4", "b.mp4", "c.txt"], r"left out: 3 not an image\); files here end in \.mp4, \.txt"),
        ([".hidden/1.txt"], r"no images in it \(left out: 1 hidden\)"),
    ],
)
@pytest.mark.parametrize("labels", ["auto", "folders", None])
def test_a_folder_without_images_says_what_it_holds(tmp_path, files, said, labels) -> None:
    for name in files:
        if name.endswith("/"):
            (tmp_path / name).mkdir()
        else:
            put(tmp_path, name)
    with pytest.raises(SourceError, match=said):
        open_source(tmp_path, labels=labels)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("photos.zip", "; unpack it first"),
        ("labels.xlsx", "; save its rows as a CSV with the columns path and label"),
        ("coco.json", "; save its rows as a CSV with the columns path and label"),
        ("brain.mgz", "; volumes of this kind are not read: save its array as .*"),
        ("brain.nrrd.GZ", "; volumes of this kind are not read: save its array as .*"),
        ("scan.dcm", "; volumes of this kind are not read: save its array as .*"),
        ("model.keras", ""),
        ("no_suffix", ""),
    ],
)
def test_a_file_of_another_kind_is_refused_when_it_is_opened(tmp_path, name, advice) -> None:
    (tmp_path / name).write_bytes(b"PK neither one nor the other")
    with pytest.raises(
        SourceError, match=rf"neither an image nor a table \(\.csv, \.tsv\) nor a folder{advice}$"
    ):
        open_source(tmp_path / name)
    put(tmp_path, "1.png")
    (tmp_path / "odd.name").write_bytes((tmp_path / "1.png").read_bytes())
    assert open_source(tmp_path / "odd.name").read(0).image.array.shape == (4, 6, 3)


def test_warnings_point_at_the_line_that_opened_the_source(tmp_path) -> None:
    put(tmp_path, *(f"pets/{i}.png" for i in range(3)))
    for opening in (open_source, og.Loader, og.split, lambda path: og.preview(path, [], tmp_path / "p.html")):
        with pytest.warns(OffgraphWarning, match="taken as a class now") as said:
            opening(tmp_path)
        assert Path(said[0].filename) == Path(__file__)

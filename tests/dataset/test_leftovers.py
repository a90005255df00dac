"""Faults of stored datasets that are said at the right moment, and in the words of what can be done."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from tests.support.made import class_folder, image_file, needs_pyarrow, paired_folder, recipe

import offgraph as og
from offgraph.core import machine
from offgraph.dataset.built import BuiltDataset


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folder(tmp_path_factory.mktemp("photos") / "in")


RAW = [("tfrecord", {"encoding": "raw"}), ("webdataset", {"encoding": "raw"})]
RAW += [pytest.param("arrow", {}, marks=needs_pyarrow)]  # type: ignore[list-item]


@pytest.mark.parametrize(("format", "options"), RAW)
def test_a_shard_that_is_written_to_after_its_first_read_is_noticed(
    photos: Path, tmp_path: Path, format: str, options: dict
) -> None:
    og.build(photos, tmp_path / "out", recipe(), format=format, progress=False, **options)
    dataset = BuiltDataset(tmp_path / "out")
    before = [dataset.read(number).image.array for number in range(len(dataset))]
    place = dataset.line(3)["at"]
    shard = tmp_path / "out" / place["file"]
    with shard.open("r+b") as file:
        file.seek(place["image"]["offset"] + 7)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0x40]))
    with pytest.raises(og.DecodeError, match=r"example 3 \(.*is not as it was written"):
        dataset.read(3)
    for number in (0, 1, 2, 4):
        np.testing.assert_array_equal(dataset.read(number).image.array, before[number])
    with shard.open("r+b") as file:
        file.seek(place["image"]["offset"] + 7)
        file.write(byte)
    np.testing.assert_array_equal(dataset.read(3).image.array, before[3])


@needs_pyarrow
def test_a_recipe_that_takes_no_image_is_refused_before_any_is_made(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(
        og.BuildError,
        match=r"ant/0\.png: step 1, RandomCrop.*\. The recipe takes none of the 15 images of .*in$",
    ):
        og.build(photos, tmp_path / "out", [og.RandomCrop((900, 900))], format="arrow", progress=False)
    assert not (tmp_path / "out").exists()


@needs_pyarrow
def test_a_mask_that_does_not_fit_is_advised_what_a_build_can_do(tmp_path: Path) -> None:
    images, masks = paired_folder(tmp_path / "in")
    for number in range(6):
        small = np.zeros((32, 40), np.uint8 if number != 1 else np.uint16)
        small[:] = 9 if number != 1 else 999
        image_file(masks / f"{number}.png", small)
    source = og.open_source(images, masks=masks)
    # The wide one is looked at as well, as the source is small: hide it from the choice.
    object.__setattr__(source, "typical", tuple(item for item in source if item.name != "1.png"))
    report = og.build(source, tmp_path / "out", [og.Resize((8, 8))], format="arrow", progress=False)
    (bad,) = report.quarantined
    assert bad.name == "1.png" and "mask_dtype" not in bad.reason
    assert "holds the label 999" in bad.reason and "or build in a format that stores each mask" in bad.reason


def test_half_precision_is_widened_for_a_recipe(tmp_path: Path) -> None:
    array = np.random.default_rng(0).random((12, 9, 3)).astype(np.float16)
    og.imwrite(tmp_path / "a.npy", array)
    assert og.imread(tmp_path / "a.npy").dtype == np.float16
    image = og.open_source(tmp_path, color="keep").read(0).image.array
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, array)
    (batch,) = og.Loader(tmp_path, [og.Resize((6, 6))], color="keep")
    assert batch.image.shape == (1, 6, 6, 3)


def test_a_relative_path_and_another_working_folder(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    og.build(photos, tmp_path / "out", recipe(), progress=False)
    monkeypatch.setattr(machine, "PAUSES", ())
    monkeypatch.chdir(photos.parent)
    source = og.open_source("in")
    monkeypatch.chdir(tmp_path)
    dataset = BuiltDataset("out")
    monkeypatch.chdir("/")
    for thing, name in ((source, "in"), (dataset, "out")):
        with pytest.raises(
            og.MachineError,
            match=rf"{name} was opened while the program worked in .*and it works in / now \(os\.chdir\)",
        ):
            thing.read(0)


def test_an_image_of_a_dataset_that_becomes_a_pipe_is_not_waited_for(photos: Path, tmp_path: Path) -> None:
    og.build(photos, tmp_path / "out", recipe(), progress=False)
    victim = tmp_path / "out" / BuiltDataset(tmp_path / "out").line(4)["at"]["images"]["file"]
    victim.unlink()
    os.mkfifo(victim)
    with pytest.raises(og.DecodeError, match=r"example 4 \(.*is not a file"):
        BuiltDataset(tmp_path / "out").read(4)

"""Statistics of a source: NumPy's over all pixels, whatever the order and the threads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.made import class_folder, image_file

import offgraph as og


def pixels(folder: Path) -> np.ndarray:
    images = [og.imread(path).reshape(-1, 3) for path in sorted(folder.rglob("*.*"))]
    return np.concatenate(images) / 255


def test_numpys_mean_and_standard_deviation_over_all_pixels(tmp_path):
    folder = class_folder(tmp_path / "photos")
    found = og.statistics(folder)
    values = pixels(folder)
    np.testing.assert_allclose(found.mean, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.std, values.std(0), rtol=1e-12)
    np.testing.assert_array_equal([found.low, found.high], [values.min(0), values.max(0)])
    assert (found.images, found.pixels, found.bad) == (15, len(values), ())
    with og.num_threads(1):
        assert og.statistics(folder) == found


def test_its_step_makes_them_0_and_1(tmp_path):
    folder = class_folder(tmp_path / "photos")
    recipe = [og.Resize((20, 24)), og.Augment(og.Invert())]
    step = og.statistics(folder, recipe).normalize()
    prepare = og.Compose([recipe[0], step])
    made = np.concatenate([prepare(image=og.imread(path)).image for path in sorted(folder.rglob("*.*"))])
    made = made.astype(np.float64)
    np.testing.assert_allclose(made.mean((0, 1)), 0, atol=1e-6)
    np.testing.assert_allclose(made.std((0, 1)), 1, atol=1e-6)
    assert step.range is None


def test_12_bits_in_16_and_floats(tmp_path):
    rng = np.random.default_rng(0)
    scans = rng.integers(0, 4096, (3, 20, 30)).astype(np.uint16)
    for number, scan in enumerate(scans):
        image_file(tmp_path / "scans" / f"{number}.tif", scan)
        np.save(tmp_path / f"{number}.npy", scan / 4095 - 0.5)
    found = og.statistics(og.open_source(tmp_path / "scans", color="keep"), range=4095)
    np.testing.assert_allclose(found.mean, [(scans / 4095).mean()], rtol=1e-12)
    assert found.normalize().range == 4095
    floats = tmp_path / "floats"
    floats.mkdir()
    for path in tmp_path.glob("*.npy"):
        path.rename(floats / path.name)
    source = og.open_source(floats, color="keep")
    with pytest.raises(og.ArgumentError, match=r"0\.npy: range= is needed for an image of dtype float64"):
        og.statistics(source)
    np.testing.assert_allclose(og.statistics(source, range=1).std, [(scans / 4095).std()], rtol=1e-9)


def test_bad_files_are_left_out_by_name(tmp_path):
    folder = class_folder(tmp_path / "photos", bad=True)
    with pytest.warns(og.OffgraphWarning, match=r"2 of 17 images were left out; the first: ant/cut\.png: "):
        found = og.statistics(folder)
    assert [name for name, _ in found.bad] == ["ant/cut.png", "cat/text.jpg"]
    assert found.images == 15 and "15 images" in str(found)


def test_images_that_are_not_alike_are_named(tmp_path):
    image_file(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    image_file(tmp_path / "b.png", np.zeros((4, 4), np.uint16))
    with pytest.raises(og.OffgraphError, match=r"b\.png: uint16 of 1 channels, but a\.png is uint8 of 3"):
        og.statistics(og.open_source(tmp_path, color="keep"))


def test_a_channel_of_one_value_cannot_be_divided(tmp_path):
    image_file(tmp_path / "a.png", np.full((4, 4), 7, np.uint8))
    with pytest.raises(og.StepError, match="the same value everywhere"):
        og.statistics(og.open_source(tmp_path, color="keep")).normalize()

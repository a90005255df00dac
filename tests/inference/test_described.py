"""`Measure` and `Contours` among the result steps: tables and outlines of what is predicted, and their files."""

from __future__ import annotations

import csv
import json

import numpy as np
import pandas as pd
import pytest
from skimage.measure import regionprops_table
from tests.support.models import mask_model, og_keras

import offgraph as og
from offgraph.formats.encoding import imwrite
from offgraph.postprocess.measure import Measurement

CELLS = [og.Threshold(0.5), og.Label()]
MEASURED: tuple[Measurement, ...] = ("area", "centroid", "intensity_mean")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return og_keras.save(
        mask_model(), [og.Rescale(1 / 255)], tmp_path_factory.mktemp("model") / "cells.keras"
    )


@pytest.fixture
def cells(tmp_path):
    """Two images: two cells, one with a hole, and none."""
    first = np.zeros((40, 50), np.uint8)
    first[5:15, 5:15], first[20:30, 20:40], first[24:26, 30:32] = 200, 250, 0
    folder = tmp_path / "cells"
    folder.mkdir()
    imwrite(folder / "a.png", first)
    imwrite(folder / "b.png", np.zeros((12, 9), np.uint8))
    return folder


def predicted(saved, cells, *steps, **options):
    return og.predict(saved, cells, postprocess=[*CELLS, *steps], **options)


def table_of(prediction):
    assert prediction.table is not None
    return prediction.table


def mask_of(prediction):
    assert prediction.mask is not None
    return prediction.mask


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_of_a_prediction(saved, cells):
    first, second = predicted(saved, cells, og.Measure(MEASURED))
    assert list(table_of(first)) == ["label", "area", "centroid-0", "centroid-1", "intensity_mean"]
    wanted = regionprops_table(mask_of(first), first.image, properties=("label", *MEASURED))
    pd.testing.assert_frame_equal(pd.DataFrame(table_of(first)), pd.DataFrame(wanted), check_dtype=False)
    assert all(len(column) == 0 for column in table_of(second).values())
    everything, _ = predicted(saved, cells)
    assert list(table_of(everything)) == list(og.measure(mask_of(everything), everything.image))


def test_lengths_are_in_units_of_a_pixel(saved, cells):
    first, _ = predicted(saved, cells, og.Measure(("area", "centroid"), sampling={"Y": 0.5, "X": 0.25}))
    assert table_of(first)["area"].tolist() == [100 / 8, 196 / 8]
    assert table_of(first)["centroid-0"].tolist() == [9.5 / 2, 24.5 / 2]


def test_channels_stand_last_wherever_they_are(saved, tmp_path):
    image = np.zeros((6, 8, 3), np.uint8)
    image[2:4, 2:6] = (200, 220, 240)
    imwrite(tmp_path / "c.png", image)
    rgb = og_keras.save(_of_colours(), [og.Rescale(1 / 255)], tmp_path / "rgb.keras")
    [one] = og.Predictor(rgb, postprocess=[*CELLS, og.Measure(("intensity_max",))])(tmp_path / "c.png")
    assert {name: column.tolist() for name, column in table_of(one).items()} == {
        "label": [1], "intensity_max-0": [200], "intensity_max-1": [220], "intensity_max-2": [240]
    }  # fmt: skip


def _of_colours():
    import keras

    model = keras.Sequential(
        [keras.layers.Input((None, None, 3)), keras.layers.Conv2D(1, 1, activation="sigmoid")]
    )
    model.layers[-1].set_weights([np.full((1, 1, 3, 1), 20.0), np.array([-20.0])])
    return model


def test_saved_objects_have_the_declared_columns(saved, cells, tmp_path):
    report = og.save_predictions(predicted(saved, cells, og.Measure(MEASURED)), tmp_path / "out")
    assert report.objects == 2 and report.notes == ()
    rows = rows_of(tmp_path / "out" / "objects.csv")
    assert [list(row.values()) for row in rows] == [
        ["a.png", "1", "100.0", "9.5", "9.5", "200.0"],
        ["a.png", "2", "196.0", "24.5", str(29.5 - 4 * 1 / 196), "250.0"],
    ]
    assert not list((tmp_path / "out").glob("contours*"))


def test_images_of_other_channels_are_told(saved, cells, tmp_path):
    imwrite(cells / "c.png", np.full((5, 5, 3), 255, np.uint8))
    model = og_keras.save(mask_model(), [og.ToGrey(1), og.Rescale(1 / 255)], tmp_path / "grey.keras")
    run = predicted(model, cells, og.Measure(("area", "intensity_min")), color="keep")
    report = og.save_predictions(run, tmp_path / "out")
    assert "1 image with other channels" in report.summary()
    assert rows_of(tmp_path / "out" / "objects.csv")[-1] == {
        "path": "c.png", "label": "1", "area": "25.0", "intensity_min": ""
    }  # fmt: skip


def test_outlines_as_geojson(saved, cells, tmp_path):
    run = predicted(saved, cells, og.Measure(("area",)), og.Contours())
    og.save_predictions(run, tmp_path / "out")
    made = json.loads((tmp_path / "out" / "contours" / "a.png.geojson").read_text())
    first, _ = predicted(saved, cells)
    assert made == og.geojson(mask_of(first), {"area": table_of(first)["area"]})
    assert json.loads((tmp_path / "out" / "contours" / "b.png.geojson").read_text())["features"] == []


def test_outlines_as_coco_are_a_source_again(saved, cells, tmp_path):
    og.save_predictions(predicted(saved, cells, og.Contours("coco")), tmp_path / "out")
    made = json.loads((tmp_path / "out" / "contours.json").read_text())
    assert made["categories"] == [{"id": 1, "name": "object"}]
    assert [image["file_name"] for image in made["images"]] == ["a.png", "b.png"]
    (cells / "contours.json").write_bytes((tmp_path / "out" / "contours.json").read_bytes())
    first, _ = predicted(saved, cells)
    again = og.open_source(cells / "contours.json", masks="instances").read(0)
    assert again.boxes is not None and len(again.boxes) == 2 and again.mask is not None
    np.testing.assert_array_equal(again.mask.array, mask_of(first))


def test_classes_are_coco_categories(cells, tmp_path):
    model = og_keras.save(
        mask_model(3), [og.Rescale(1 / 255)], tmp_path / "k.keras", class_names=["bg", "thin", "fat"]
    )
    og.save_predictions(
        og.predict(model, cells, postprocess=[og.ArgMax(), og.Contours("coco")]), tmp_path / "out"
    )
    made = json.loads((tmp_path / "out" / "contours.json").read_text())
    assert made["categories"] == [{"id": 1, "name": "thin"}, {"id": 2, "name": "fat"}]
    assert {one["category_id"] for one in made["annotations"]} == {2}


def test_a_step_after_them_is_refused(saved):
    for step in (og.Measure(), og.Contours()):
        with pytest.raises(og.OffgraphError, match=f"put {step.name} last"):
            og.Predictor(saved, postprocess=[og.Threshold(0.5), step, og.Label()])
    assert og.Predictor(saved, postprocess=[*CELLS, og.Measure(), og.Contours()]).postprocess.steps


def test_tiles_go_by_them(saved, tmp_path):
    image = np.zeros((64, 96), np.uint8)
    image[10:20, 30:70] = 255
    np.save(tmp_path / "image.npy", image)
    found = []
    for name, steps in (("plain", CELLS), ("described", [*CELLS, og.Measure(), og.Contours()])):
        tiled = og.Predictor(saved, postprocess=steps, tiles=(32, 32), overlap=0)
        tiled.to_file(tmp_path / "image.npy", tmp_path / f"{name}.npy", axes="YX")
        found.append(np.load(tmp_path / f"{name}.npy"))
    np.testing.assert_array_equal(*found)
    assert found[0].max() == 1

"""Predictions as files: tables, label images, drawings, a report; and the objects of a mask, measured."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from skimage import data
from tests.support.models import HOSTILE, bright, coins, og_keras, segmenter, shades
from tests.support.pages import chromium, open_page, self_contained

import offgraph as og
from offgraph.core.errors import DecodeError, OffgraphError
from offgraph.formats.encoding import imwrite
from offgraph.inference.predictor import predict
from offgraph.inference.results import objects, save_predictions


def test_objects_are_measured_in_rows_and_columns():
    mask = np.zeros((10, 20), np.int32)
    mask[2:5, 3:11] = 4
    mask[9, 19] = 70000
    assert objects(mask) == [
        {"label": 4, "area": 24, "centroid": [3.0, 6.5], "bbox": [2, 3, 5, 11]},
        {"label": 70000, "area": 1, "centroid": [9.0, 19.0], "bbox": [9, 19, 10, 20]},
    ]
    assert objects(np.zeros((0, 4), np.uint8)) == []


def test_large_and_negative_labels_are_measured_alike():
    """Small labels are found by counting, others by sorting: the same objects either way."""
    rng = np.random.default_rng(0)
    mask = np.kron(rng.integers(0, 30, (9, 8)), np.ones((3, 4), np.int64))
    small = objects(mask)
    assert len(small) > 20
    for label, found in ((2**40 + mask, 2**40), (mask - 1000, -1000)):
        moved = objects(np.where(mask == 0, 0, label))
        assert [{**entry, "label": entry["label"] - found} for entry in moved] == small


# files


def test_saved_classes(bright, shades, tmp_path):
    report = save_predictions(predict(bright, shades), tmp_path / "out")
    out = tmp_path / "out"
    assert sorted(p.name for p in out.iterdir()) == [
        "predictions.csv",
        "predictions.json",
        "quarantine.csv",
        "report.html",
    ]
    with (out / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    told = json.loads((out / "predictions.json").read_text())
    assert [row["path"] for row in rows] == [entry["path"] for entry in told["predictions"]]
    assert f"dark/{HOSTILE}" in [row["path"] for row in rows]
    for row, entry in zip(rows, told["predictions"]):
        assert row["class"] == entry["class"] and float(row["probability"]) == entry["probability"]
        assert float(row["p(dark)"]) == entry["probabilities"][0]
    assert told["fingerprint"] == og_keras.load(bright).recipe.fingerprint
    with (out / "quarantine.csv").open(encoding="utf-8", newline="") as file:
        [bad] = csv.DictReader(file)
    assert bad["path"] == "dark/broken.png" and bad["reason"]
    assert (report.count, len(report.quarantined), report.classes) == (5, 1, {"light": 3, "dark": 2})
    assert report.accuracy == 4 / 5
    assert "quarantine.csv" in report.summary() and str(out) in report.summary()
    page = self_contained(out / "report.html")
    assert "80.00%" in page.words and HOSTILE in page.words and "broken.png" in page.words
    assert sum(a.get("class") == "wrong" for tag, a in page.tags if tag == "figure") == 1


def test_saved_masks(segmenter, tmp_path):
    root = tmp_path / "photos"
    for name in ("deep/" + HOSTILE, "写真" * 38 + ".png", "coins.png", "coins.tif"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        imwrite(root / name, data.coins())
    out = tmp_path / "out"
    source = og.open_source(root, labels=None, color="grey")
    report = save_predictions(predict(segmenter, source), out)
    told = json.loads((out / "predictions.json").read_text())["predictions"]
    assert len(told) == 4 and len({entry["mask"] for entry in told}) == 4
    with (out / "objects.csv").open(encoding="utf-8", newline="") as file:
        pieces = list(csv.DictReader(file))
    assert len(pieces) == report.objects == sum(len(entry["objects"]) for entry in told)
    for entry in told:
        mask = og.imread(out / entry["mask"])
        assert mask.dtype == np.uint16 and mask.shape == data.coins().shape
        assert mask.max() == len(entry["objects"]) and entry["size"] == [303, 384]
        row, column = entry["objects"][0]["centroid"]
        assert np.hypot(*(np.argwhere(mask == 1).mean(axis=0) - (row, column))) < 0.01
    assert len(list((out / "drawn").rglob("*.png"))) == 4
    page = self_contained(out / "report.html")
    assert len(page.images) == 4 and f"{report.objects:,}" in page.words


def test_one_prediction_saves_itself(segmenter, coins, tmp_path):
    [found] = predict(segmenter, coins)
    report = save_predictions([found], tmp_path / "some")
    assert report.count == 1 and (tmp_path / "some" / "report.html").exists()
    with pytest.raises(OffgraphError, match="no prediction"):
        save_predictions([], tmp_path / "none")
    written = found.save(tmp_path / "one")
    assert np.array_equal(og.imread(written["mask"]), found.mask)
    assert np.array_equal(og.imread(written["picture"]), found.draw())


def test_nothing_is_overwritten_and_nothing_half_is_left(bright, shades, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(OffgraphError, match=r"mine: is there already and not empty"):
        save_predictions(predict(bright, shades), out)
    assert (out / "thesis.txt").read_text() == "years of work"
    with pytest.raises(DecodeError):
        save_predictions(predict(bright, shades, on_error="stop"), tmp_path / "stopped")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine", "shades"]
    (tmp_path / "empty").mkdir()
    assert save_predictions(predict(bright, shades), tmp_path / "empty").count == 5


def test_a_run_of_bad_files_is_a_part_of_the_result(bright, tmp_path):
    root = tmp_path / "bad"
    root.mkdir()
    for number in range(7):
        (root / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    imwrite(root / "last.png", np.zeros((8, 8), np.uint8))
    report = save_predictions(predict(bright, root, batch_size=1), tmp_path / "out")
    assert report.count == 1 and len(report.quarantined) == 7
    assert "set aside 7 files" in report.summary()
    self_contained(tmp_path / "out" / "report.html")


def test_report_in_chromium(segmenter, bright, shades, coins, tmp_path, chromium):
    save_predictions(predict(segmenter, coins), tmp_path / "masks")
    save_predictions(predict(bright, shades), tmp_path / "classes")
    open_page(chromium, tmp_path / "masks" / "report.html", tmp_path / "masks.png")
    open_page(chromium, tmp_path / "classes" / "report.html", tmp_path / "classes.png")


def test_nothing_predicted_is_an_error(bright, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "in" / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(
        OffgraphError, match=r"none of the source's images \(2\) could be predicted; the first: a\.png: "
    ):
        save_predictions(predict(bright, tmp_path / "in"), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_predictions_are_not_written_into_their_source(bright, shades, tmp_path):
    for out, says in ((shades / "out", "lies inside the source"), (shades, "is the source")):
        with pytest.raises(OffgraphError, match=says):
            save_predictions(predict(bright, shades), out)
    assert not (shades / "out").exists()
    assert save_predictions(predict(bright, shades / "dark" / "a.png"), shades / "out").count == 1


def test_shares_are_percent_and_one_is_singular(bright, shades, tmp_path):
    report = save_predictions(predict(bright, shades / "dark" / "a.png"), tmp_path / "out")
    assert "predicted 1 image:" in report.summary()
    assert ">100.0%<" in (tmp_path / "out" / "report.html").read_text()


def test_numbers_leave_small_images_to_be_seen(segmenter, tmp_path):
    small = np.full((32, 40), 20, np.uint8)
    small[4:28, 4:36] = 240
    (tmp_path / "in").mkdir()
    imwrite(tmp_path / "in" / "a.png", small)
    (one,) = predict(segmenter, tmp_path / "in")
    large = one.draw(numbers=True, scale=12)
    assert large.shape == (384, 480, 3)
    plain = one.draw(scale=12)
    assert 0 < (large != plain).any(-1).mean() < 0.05
    save_predictions(predict(segmenter, tmp_path / "in"), tmp_path / "out")
    (drawn,) = (tmp_path / "out" / "drawn").iterdir()
    assert np.array_equal(og.imread(drawn), one.draw())


def test_a_name_that_is_no_text_is_read_by_every_reader(bright, tmp_path):
    import os

    (tmp_path / "in").mkdir()
    imwrite(tmp_path / "in" / "a.png", np.zeros((8, 8, 3), np.uint8))
    try:
        os.link(tmp_path / "in" / "a.png", os.fsencode(tmp_path / "in") + b"/caf\xe9.png")
    except OSError:
        pytest.skip("names here are UTF-8")
    save_predictions(predict(bright, tmp_path / "in"), tmp_path / "out")
    text = (tmp_path / "out" / "predictions.json").read_bytes().decode("utf-8")
    assert "\\ud" not in text.lower()
    assert sorted(entry["path"] for entry in json.loads(text)["predictions"]) == ["a.png", r"caf\xe9.png"]
    with (tmp_path / "out" / "predictions.csv").open(encoding="utf-8", newline="") as file:
        assert sorted(row["path"] for row in csv.DictReader(file)) == ["a.png", r"caf\xe9.png"]
    self_contained(tmp_path / "out" / "report.html")

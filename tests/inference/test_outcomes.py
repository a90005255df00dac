"""How predictions are measured against what is known, and that pages and tables show it, mistakes first."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest
from tests.support.models import bright, coins, keras, mask_model, og_keras, segmenter, shades
from tests.support.pages import self_contained

import offgraph as og
from offgraph.core.errors import SourceError
from offgraph.formats.encoding import imwrite
from offgraph.inference.measures import Errors, Kept, Overlaps, Scores
from offgraph.inference.predictor import predict
from offgraph.inference.results import save_predictions


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# measures


def test_precision_and_recall_of_every_class():
    scores = Scores(("cat", "dog", "owl"))
    for true, guess in zip((0, 0, 0, 1, 1), (0, 0, 1, 1, 0)):
        scores.add((true,), (guess,))
    told = [(s.name, s.true, s.predicted, s.correct, s.precision, s.recall) for s in scores.classes()]
    assert told == [("cat", 3, 3, 2, 2 / 3, 2 / 3), ("dog", 2, 2, 1, 0.5, 0.5), ("owl", 0, 0, 0, None, None)]
    assert scores.exact == 0.6 and scores.mistakes() == [("cat", "dog", 1), ("dog", "cat", 1)]
    assert sorted(zip(*scores.pairs())) == [(0, 0), (0, 0), (0, 1), (1, 0), (1, 1)]


def test_several_labels_are_counted_each_and_as_a_whole():
    scores = Scores(("cat", "dog"))
    for true, guess in (((0, 1), (0,)), ((), ()), ((1,), (0, 1))):
        scores.add(true, guess)
    assert [(s.true, s.predicted, s.correct) for s in scores.classes()] == [(1, 2, 1), (2, 1, 1)]
    assert scores.exact == 1 / 3


def test_errors_of_numbers():
    errors = Errors(("age", "size"))
    for index, (true, guess) in enumerate([((1, 10), (2, 10)), ((3, 10), (3, 13)), ((5, 10), (1, 10))]):
        errors.add(index, true, guess)
    age, size = errors.scores()
    assert (age.mean, age.root, age.bias) == pytest.approx((5 / 3, (17 / 3) ** 0.5, -1))
    assert age.explained == pytest.approx(1 - 17 / 8) and size.explained is None
    assert errors.worst(2) == [1, 2], "each number is measured by its own mean error"
    assert Errors(("a",)).scores() == [] and Errors(("a",)).worst(3) == []


def test_overlap_is_counted_in_pixels():
    true = np.array([[0, 1, 1, 2], [0, 0, 1, 255]])
    guess = np.array([[0, 1, 2, 2], [1, 0, 1, 1]])
    overlaps = Overlaps(("sky", "cat", "dog"), numbered=False)
    mean = overlaps.add(true, guess)
    told = [(s.name, s.true, s.predicted, s.common, s.iou, s.dice) for s in overlaps.scores()]
    assert told == [
        ("sky", 3, 2, 2, 2 / 3, 4 / 5),
        ("cat", 3, 3, 2, 2 / 4, 4 / 6),
        ("dog", 1, 2, 1, 1 / 2, 2 / 3),
    ]
    assert overlaps.void == 1 and overlaps.mean() == mean == pytest.approx(
        ((2 / 3 + 1) / 3, (0.8 + 4 / 3) / 3)
    )


def test_numbered_objects_are_told_from_background_only():
    true, guess = np.array([[0, 7, 7, 9]]), np.array([[1, 1, 2, 0]])
    for overlaps in (Overlaps(("0", "1"), numbered=False), Overlaps(("a", "b", "c"), numbered=True)):
        iou, dice = overlaps.add(true, guess)
        assert (iou, dice) == (0.5, 4 / 6) and not overlaps.by_class
        (score,) = overlaps.scores()
        assert (score.name, score.true, score.predicted, score.common) == ("objects", 3, 3, 2)
    # labels that are no classes of the model's number objects, in whichever image they are found
    late = Overlaps(("sky", "cat", "dog"), numbered=False)
    late.add(np.array([[0, 1]]), np.array([[0, 1]]))
    assert late.by_class
    late.add(true, np.array([[0, 1, 1, 1]]))
    assert not late.by_class and late.scores()[0].common == 4 and late.mean() == (1.0, 1.0)


def test_an_empty_image_of_which_nothing_was_predicted_is_correct():
    overlaps = Overlaps(("0", "1"), numbered=False)
    assert overlaps.add(np.zeros((3, 3), int), np.zeros((3, 3), int)) == (1.0, 1.0)
    assert overlaps.add(np.zeros((3, 3), int), np.ones((3, 3), int)) == (0.0, 0.0)


def test_what_is_kept_is_what_ranks_highest_in_the_order_of_arrival():
    kept: Kept[str] = Kept(3)
    for rank, name in ((0.1, "a"), (0.9, "b"), (0.5, "c"), (0.5, "d"), (0.9, "e")):
        kept.add(rank, name)
    assert kept.highest() == ["b", "e", "c"] and kept.offered == 5 and len(kept) == 3
    assert not kept.takes(0.5) and kept.takes(0.6) and kept.offered == 6


# tables and pages


def test_mistakes_come_first_and_every_class_is_there(bright, shades, tmp_path):
    report = save_predictions(predict(bright, shades), tmp_path / "out")
    table = {row["path"]: row for row in rows_of(tmp_path / "out" / "predictions.csv")}
    assert list(table["dark/a.png"]) == ["path", "class", "probability", "true_class", "p(dark)", "p(light)"]
    assert (table["dark/wrong.png"]["class"], table["dark/wrong.png"]["true_class"]) == ("light", "dark")
    page = self_contained(tmp_path / "out" / "report.html")
    assert page.images[0]["alt"].startswith("dark/wrong.png: ")
    places = [page.words.rindex(word) for word in ("Mistakes", "is dark; dark/wrong.png", "Correct")]
    assert places == sorted(places)
    for said in ("precision", "100.0%", "66.7%", "80.00%"):
        assert said in page.words
    assert [(s.name, s.precision, s.recall) for s in report.scores] == [
        ("dark", 1.0, pytest.approx(2 / 3)),
        ("light", pytest.approx(2 / 3), 1.0),
    ]
    assert any(tag == "svg" for tag, _ in page.tags)


def test_without_known_classes_nothing_is_called_a_mistake(bright, shades, tmp_path):
    save_predictions(predict(bright, og.open_source(shades, labels=None)), tmp_path / "out")
    assert {row["true_class"] for row in rows_of(tmp_path / "out" / "predictions.csv")} == {""}
    page = self_contained(tmp_path / "out" / "report.html")
    assert "Mistakes" not in page.words and "precision" not in page.words and "✓" not in page.words


def test_a_class_that_was_never_predicted_is_in_the_table(tmp_path):
    names = [f"class {number:02d}" for number in range(50)]
    model = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(50, activation="softmax"),
        ]
    )
    path = og_keras.save(
        model, [og.Resize((8, 8)), og.Rescale(1 / 255)], tmp_path / "m.keras", class_names=names
    )
    (tmp_path / "in" / names[7]).mkdir(parents=True)
    imwrite(tmp_path / "in" / names[7] / "a.png", np.zeros((5, 5, 3), np.uint8))
    save_predictions(predict(path, tmp_path / "in"), tmp_path / "known")
    save_predictions(predict(path, og.open_source(tmp_path / "in", labels=None)), tmp_path / "unknown")
    for folder in ("known", "unknown"):
        page = self_contained(tmp_path / folder / "report.html")
        cells = [name for name in names if name in page.words]
        assert cells == names, folder


def test_labels_and_numbers_in_tables_and_pages(tmp_path):
    def model(count, activation):
        made = keras.Sequential(
            [
                keras.Input((None, None, 3)),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(count, activation=activation),
            ]
        )
        scale = 20 if activation else 100
        made.layers[-1].set_weights(
            [np.eye(3)[:, :count] * scale, np.full(count, -10.0 if activation else 0)]
        )
        return made

    recipe = [og.Resize((8, 8)), og.Rescale(1 / 255)]
    root = tmp_path / "in"
    root.mkdir()
    for name, colour in {"a": (255, 0, 0), "=b": (255, 255, 0), "c": (0, 0, 0)}.items():
        imwrite(root / f"{name}.png", np.full((5, 5, 3), colour, np.uint8))
    names = ["red", "green", "-blue"]
    tagger = og_keras.save(model(3, "sigmoid"), recipe, tmp_path / "t.keras", class_names=names)
    (root / "t.csv").write_text("path,label\na.png,red\n=b.png,red|-blue\nc.png,\n")
    report = save_predictions(predict(tagger, root / "t.csv"), tmp_path / "tags")
    rows = {row["path"]: row for row in rows_of(tmp_path / "tags" / "predictions.csv")}
    assert set(rows) == {"a.png", "'=b.png", "c.png"}, "a spreadsheet does not run a name"
    assert (rows["'=b.png"]["labels"], rows["'=b.png"]["true_labels"]) == ("red|green", "red|-blue")
    assert (rows["c.png"]["labels"], rows["c.png"]["true_labels"]) == ("", "")
    assert report.accuracy == 2 / 3 and report.classes == {"red": 2, "green": 1}
    assert "with exactly the source's own labels: 66.67%" in report.summary()
    page = self_contained(tmp_path / "tags" / "report.html")
    assert page.images[0]["alt"].startswith("=b.png") and "missed: -blue; false: green" in page.words
    told = json.loads((tmp_path / "tags" / "predictions.json").read_text())
    assert told["task"] == "multilabel" and told["threshold"] == 0.5
    assert {e["path"]: e["label_names"] for e in told["predictions"]}["=b.png"] == ["red", "green"]

    gauge = og_keras.save(
        model(2, None), recipe, tmp_path / "g.keras", task="regress", target_names=["red", "green"]
    )
    (root / "n.csv").write_text("path,red,green\na.png,90,0\n=b.png,100,100\nc.png,0.5,0\n")
    report = save_predictions(predict(gauge, root / "n.csv"), tmp_path / "numbers")
    rows = rows_of(tmp_path / "numbers" / "predictions.csv")
    assert list(rows[0]) == ["path", "red", "green", "true(red)", "true(green)"]
    (a,) = [row for row in rows if row["path"] == "a.png"]
    assert float(a["red"]) == pytest.approx(100) and float(a["true(red)"]) == 90
    assert [score.mean for score in report.errors] == [pytest.approx(10.5 / 3), pytest.approx(0, abs=1e-4)]
    assert "mean error of red: 3.5" in report.summary()
    page = self_contained(tmp_path / "numbers" / "report.html")
    assert page.images[0]["alt"].startswith("a.png") and "red 100, true 90" in page.words
    plain = save_predictions(predict(gauge, root), tmp_path / "plain")
    assert plain.errors == () and plain.count == 3


@pytest.fixture
def halves(tmp_path):
    """Three images and their true masks, of which the second fits by half."""
    for name, width in {"a": 20, "b": 10, "c": 20}.items():
        image = np.zeros((30, 40), np.uint8)
        image[5:25, 10 : 10 + 20] = 255
        truth = np.zeros((30, 40), np.uint8)
        truth[5:25, 10 : 10 + width] = 3
        for folder, array in (("images", image), ("masks", truth)):
            (tmp_path / folder).mkdir(exist_ok=True)
            imwrite(tmp_path / folder / f"{name}.png", array)
    return tmp_path / "images", tmp_path / "masks"


def test_true_masks_give_iou_and_dice(halves, tmp_path, bright):
    images, masks = halves
    path = og_keras.save(mask_model(), og.Compose([og.Rescale(1 / 255)]), tmp_path / "m.keras")
    report = save_predictions(predict(path, images, masks=masks), tmp_path / "out")
    rows = {row["path"]: row for row in rows_of(tmp_path / "out" / "predictions.csv")}
    assert [float(rows[f"{name}.png"]["iou"]) for name in "abc"] == [1, 0.5, 1]
    assert float(rows["b.png"]["dice"]) == pytest.approx(2 / 3, rel=1e-5)
    assert report.iou == 1000 / 1200 and report.dice == 2000 / 2200
    assert [(s.name, s.true, s.predicted, s.common) for s in report.overlaps] == [
        ("objects", 1000, 1200, 1000)
    ]
    assert "mean IoU 83.33%, mean Dice 90.91%" in report.summary()
    assert "found 3 labels in the masks, which are classes and not objects: " in report.summary()
    for step in (og.Label(), og.DistanceWatershed()):
        counted = save_predictions(
            predict(path, images, postprocess=[og.Threshold(0.5), step]), tmp_path / step.name
        )
        assert "found 3 objects\n" in counted.summary() and "Label numbers" not in counted.summary()
    page = self_contained(tmp_path / "out" / "report.html")
    assert page.images[0]["alt"].startswith("b.png") and "true mask" in page.words and len(page.images) == 6
    plain = save_predictions(predict(path, images), tmp_path / "plain")
    assert plain.iou is None and "iou" not in rows_of(tmp_path / "plain" / "predictions.csv")[0]
    with pytest.raises(SourceError, match=r"bright\.keras makes no masks"):
        predict(bright, images, masks=masks)
    with pytest.raises(SourceError, match="an open source has its own"):
        predict(path, og.open_source(images), masks=masks)
    opened = og.open_source(images, masks=masks, color="grey")
    assert save_predictions(predict(path, opened), tmp_path / "opened").iou == report.iou


def test_objects_of_volumes_have_slices(tmp_path):
    model = keras.Sequential(
        [keras.Input((None, None, None, 1)), keras.layers.Conv3D(1, 1, activation="sigmoid")]
    )
    model.layers[-1].set_weights([np.full((1, 1, 1, 1, 1), 40.0), np.array([-18.0])])
    volume = np.zeros((6, 20, 30), np.uint8)
    volume[1:5, 4:12, 6:26] = 255
    imwrite(tmp_path / "volume.tif", volume, axes="ZYX")
    path = og_keras.save(model, og.Compose([og.Rescale(1 / 255)]), tmp_path / "volume.keras")
    save_predictions(predict(path, tmp_path / "volume.tif"), tmp_path / "out")
    (row,) = rows_of(tmp_path / "out" / "objects.csv")
    assert row == {
        "path": "volume.tif", "label": "1", "area": "640", "slice": "2.5", "row": "7.5", "column": "15.5",
        "first_slice": "1", "first_row": "4", "first_column": "6", "end_slice": "5", "end_row": "12", "end_column": "26",
    }  # fmt: skip


def test_pages_have_one_font_and_shorten_names_in_the_middle(bright, tmp_path):
    name = "patient-" + "x" * 150 + "-left.png"
    (tmp_path / "in").mkdir()
    imwrite(tmp_path / "in" / name, np.zeros((5, 5, 3), np.uint8))
    save_predictions(predict(bright, tmp_path / "in"), tmp_path / "out")
    page = self_contained(tmp_path / "out" / "report.html")
    families = re.findall(r"font(?:-family)?:([^;}]*(?:serif|monospace)[^;}]*)", page.source)
    assert len(families) == 2 and "sans-serif" in families[0] and "monospace" in families[1], "text, and code"
    (small,) = re.findall(r"<small>([^<]*)</small>", page.source)
    assert small.startswith("patient-x") and small.endswith("x-left.png") and small.count("…") == 1
    assert len(small) == 120 and page.images[0]["alt"].startswith(name)


def test_masks_beside_the_images_are_not_predicted_as_images(segmenter, tmp_path):
    image = np.full((96, 128, 3), 90, np.uint8)
    for folder in ("images", "labels"):
        (tmp_path / "set" / folder).mkdir(parents=True)
        imwrite(tmp_path / "set" / folder / "1.png", image)
    with pytest.raises(
        SourceError,
        match=r"holds images/ and labels/, and masks are not images: write open_source\('.*/images'",
    ):
        og.predict(segmenter, tmp_path / "set")
    with pytest.raises(SourceError, match="holds images/ and labels/"):  # one folder further up
        og.predict(segmenter, tmp_path)
    assert len(og.predict(segmenter, tmp_path / "set", labels=None).source) == 2
    assert len(og.predict(segmenter, tmp_path / "set" / "images").source) == 1
    (tmp_path / "set" / "labels").rename(tmp_path / "set" / "patient")
    assert len(og.predict(segmenter, tmp_path / "set").source) == 2
    for name in ("1", "2"):
        for kind in ("", "_mask"):
            imwrite(tmp_path / "set" / "patient" / f"{name}{kind}.png", image)
    with pytest.warns(og.OffgraphWarning, match=r"2 names are those of other images with '_mask' added"):
        og.predict(segmenter, tmp_path / "set" / "patient")
    with pytest.raises(SourceError, match="labels=: only where src is a path"):
        og.predict(segmenter, og.open_source(tmp_path / "set", labels=None), labels=None)


def test_images_of_unknown_classes_are_predicted_without_them(bright, shades):
    (shades / "dark").rename(shades / "Darkness")
    with pytest.raises(SourceError, match=r"Darkness .* not among .*or give labels=None \(--labels none\)"):
        og.predict(bright, shades)
    names = {prediction.item.label for prediction in og.predict(bright, shades, labels=None)}
    assert names == {None}
    with pytest.raises(SourceError, match=r"task='regress': .* predicts for 'classify'; leave task out"):
        og.predict(bright, shades, task="regress")

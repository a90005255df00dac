"""Average precision of boxes against COCO's definition, written out in plain Python; the report around it."""

from __future__ import annotations

import csv
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.detectors import blobs, bright, saying

import offgraph as og
from offgraph.apps import cli
from offgraph.inspection.errors.box_scores import BoxScores


def share(one: list[float], other: list[float]) -> float:
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[3], other[3]) - max(one[1], other[1])
    if height <= 0 or width <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return height * width / (sum(areas) - height * width)


def average_precision(images: list[Any], label: int, threshold: float) -> float | None:
    """Of images ((true, labels), (boxes, labels, scores)): every box is looked at alone, every recall too."""
    judged: list[tuple[float, bool]] = []
    count = 0
    for (true, true_labels), (boxes, labels, scores) in images:
        left = [box for box, kind in zip(true, true_labels) if kind == label]
        count += len(left)
        ours = [(score, box) for box, kind, score in zip(boxes, labels, scores) if kind == label]
        for score, box in sorted(ours, key=lambda one: -one[0])[:100]:
            best, taken = 0.0, None
            for place, other in enumerate(left):
                if share(box, other) >= best:
                    best, taken = share(box, other), place
            if taken is not None and best >= threshold:
                left.pop(taken)
                judged.append((score, True))
            else:
                judged.append((score, False))
    if not count:
        return None
    judged.sort(key=lambda one: -one[0])
    curve, found = [], 0
    for rank, (_, right) in enumerate(judged, 1):
        found += right
        curve.append((found / count, found / rank))
    total = 0.0
    for recall in np.linspace(0.0, 1.0, 101):
        total += max((precision for reached, precision in curve if reached >= recall), default=0.0)
    return total / 101


def some_images(seed: int, count: int, most: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(count):
        low = rng.integers(0, 30, (rng.integers(0, most), 2)).astype(float)
        true = np.concatenate([low, low + rng.integers(2, 12, low.shape)], axis=1)
        kinds = rng.integers(0, 3, len(true))
        near = rng.random(len(true)) < 0.8
        found = np.concatenate([true[near] + rng.integers(-1, 2, (near.sum(), 4)), true[: most // 4] + 3])
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        labels = np.concatenate([kinds[near], kinds[: most // 4]])
        labels[rng.random(len(labels)) < 0.1] = 1
        images.append(((true, kinds), (found, labels, rng.permutation(len(found)) / 64)))
    return images


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 5), most=st.integers(1, 14))
def test_its_definition(seed, count, most):
    images = some_images(seed, count, most)
    counted = BoxScores(["a", "b", "c"])
    for (true, kinds), (found, labels, scores) in images:
        counted.add(true, kinds, found, labels, scores)
    scores = counted.scores()
    assert [one.name for one in scores] == ["a", "b", "c"]
    for label, one in enumerate(scores):
        wanted: Any = [
            average_precision(images, label, threshold) for threshold in np.linspace(0.5, 0.95, 10)
        ]
        if wanted[0] is None:
            assert (
                one.by_threshold is None and one.at_half is one.mean is one.recall is None and one.true == 0
            )
        else:
            assert one.by_threshold is not None
            np.testing.assert_allclose(one.by_threshold, wanted, rtol=1e-12, atol=1e-12)


def test_by_hand():
    """Two true boxes; found with 0.9, a false one with 0.8, the second with 0.7: precisions 1 up to recall 0.5, then 2/3."""
    counted = BoxScores([])
    true = np.array([[0, 0, 10, 10], [20, 20, 30, 30.0]])
    found = np.array([[0, 0, 10, 10], [50, 50, 60, 60], [20, 20, 30, 30.0]])
    right = counted.add(true, np.array([4, 4]), found, np.array([4, 4, 4]), np.array([0.9, 0.8, 0.7]))
    assert right.tolist() == [True, False, True]
    (one,) = counted.scores()
    assert (one.name, one.true, one.predicted, one.recall) == ("4", 2, 3, 1.0)
    assert one.at_half == pytest.approx((51 + 50 * 2 / 3) / 101) == pytest.approx(one.mean)


def test_a_hundred_boxes_of_a_class_count():
    counted = BoxScores(["a"])
    true = np.array([[0, 0, 10, 10.0]])
    false = np.tile([20.0, 20, 30, 30], (100, 1))
    scores = np.concatenate([np.full(100, 0.9), [0.1]])
    counted.add(true, np.zeros(1, int), np.concatenate([false, true]), np.zeros(101, int), scores)
    assert counted.scores()[0].at_half == 0.0 and counted.scores()[0].predicted == 100


# ---- reports


@pytest.fixture
def cells(tmp_path):
    """Three annotated images with a box the detector cannot see, one that is not there, and one without objects."""
    root = tmp_path / "cells"
    (root / "images").mkdir(parents=True)
    places = {
        "a": [(5, 10, 15, 30), (30, 4, 44, 20)],
        "b": [(20, 40, 44, 60)],
        "c": [],
    }
    for name, boxes in places.items():
        og.imwrite(root / "images" / f"{name}.png", bright((48, 64), boxes, [255, 140]))
    true = {
        f"{name}.png": og.Boxes(
            [[left, top, right, bottom] for top, left, bottom, right in boxes],
            size=(48, 64),
            labels=[1, 0][: len(boxes)],
        )
        for name, boxes in places.items()
    }
    true["b.png"] = og.Boxes([[40, 20, 60, 44], [2, 2, 9, 9]], size=(48, 64), labels=[1, 1])
    og.write_annotations(root, true, format="coco", class_names=["dim", "bright"])
    return root


def detector(**options: Any) -> og.Predictor:
    return og.Predictor(
        blobs, recipe=[og.Rescale(1 / 255)], task="detect", class_names=["dim", "bright"], **options
    )


def test_report(cells, tmp_path):
    found = og.report(detector(), cells, tmp_path / "errors.html")
    assert found.task == "detect" and found.count == 3 and found.boxes is not None
    assert [(one.name, one.true, one.predicted) for one in found.boxes.scores] == [
        ("dim", 1, 1),
        ("bright", 3, 2),
    ]
    dim, light = found.boxes.scores
    assert dim.at_half == dim.mean == pytest.approx(1.0)
    assert light.at_half == pytest.approx(67 / 101) and light.recall == pytest.approx(2 / 3)
    assert found.boxes.at_half == pytest.approx((1 + 67 / 101) / 2)
    (mistake,) = found.mistakes
    assert (mistake.name, mistake.predicted, mistake.true) == (
        "b.png",
        "1 of 2 found, 0 false",
        "2 true boxes",
    )
    assert mistake.drawn is not None and mistake.drawn.shape[1] > 2 * mistake.drawn.shape[0]
    assert "4 true boxes: AP at IoU 0.5 0.8317, 0.5 to 0.95 0.8317" in found.summary()
    written = json.loads((tmp_path / "errors.json").read_text())
    assert written["boxes"]["average_precision"] == pytest.approx(found.boxes.at_half)
    page = (tmp_path / "errors.html").read_text()
    assert "True boxes on the left" in page and "AP, 0.5 to 0.95" in page


def test_images_without_annotations_are_nothing_to_compare_with(cells):
    with pytest.raises(
        og.OffgraphError, match="no image has a known annotation to compare with; give VOC, COCO or YOLO"
    ):
        og.report(detector(), cells / "images")


def test_a_class_that_the_model_does_not_know(cells):
    predictor = og.Predictor(blobs, recipe=[og.Rescale(1 / 255)], task="detect", class_names=["dim", "light"])
    with pytest.raises(og.OffgraphError, match="bright"):
        predictor(cells)


# ---- written


def test_saved_predictions(cells, tmp_path):
    report = og.save_predictions(detector()(cells), tmp_path / "out")
    assert report.count == 3 and report.objects == 3 and report.classes == {"bright": 2, "dim": 1}
    assert "found 3 objects" in report.summary()
    with (tmp_path / "out" / "boxes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], row["class"]) for row in rows] == [
        ("a.png", "bright"),
        ("a.png", "dim"),
        ("b.png", "bright"),
    ]
    assert [float(rows[0][edge]) for edge in ("left", "upper", "right", "lower")] == [10, 5, 30, 15]
    results = json.loads((tmp_path / "out" / "coco_results.json").read_text())
    assert results[0] == {"image_id": 1, "category_id": 2, "bbox": [10, 5, 20, 10], "score": 1.0}
    true = json.loads((cells / "annotations" / "instances.json").read_text())
    assert (
        results[0]["bbox"] == true["annotations"][0]["bbox"]
    )  # images and classes are numbered as those written are
    head = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert head["task"] == "detect" and [len(one["boxes"]) for one in head["predictions"]] == [2, 1, 0]
    drawn = og.imread(tmp_path / "out" / head["predictions"][0]["drawn"])
    assert drawn.shape == (48, 64, 3) and (drawn != og.imread(cells / "images" / "a.png")).any()
    assert "boxes.csv lists all" in (tmp_path / "out" / "report.html").read_text()


def test_saved_predictions_of_no_box_and_of_keypoints(cells, tmp_path):
    points = np.array([[[10, 12, 0.5], [np.nan, 3, 0.0]]])
    declared = og.DetectionOutputs(points="points")
    for name, scores, model_points in (
        ("none", [0.0], points * 0),
        ("some", [0.75], np.nan_to_num(points, nan=90)),
    ):
        model = saying([[1.0, 1, 20, 20]], scores, model_points, names=("boxes", "scores", "points"))
        predictor = og.Predictor(model, recipe=[og.Rescale(1 / 255)], detection=declared)
        report = og.save_predictions(predictor(cells / "images"), tmp_path / name)
        results = json.loads((tmp_path / name / "coco_results.json").read_text())
        assert report.objects == len(results) == (3 if name == "some" else 0)
    assert results[0]["keypoints"] == [10, 12, 0.5, 90, 3, 0]
    rows = (tmp_path / "some" / "points.csv").read_text().splitlines()
    assert rows[:3] == ["path,box,point,x,y,score", "a.png,0,0,10.0,12.0,0.5", "a.png,0,1,90.0,3.0,0.0"]


def test_the_command_line(cells, tmp_path, capsys):
    keras = pytest.importorskip("keras")
    image = keras.Input((48, 64, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    outputs = {
        "boxes": keras.layers.Reshape((2, 4), name="boxes")(keras.layers.Dense(8)(pooled)),
        "scores": keras.layers.Reshape((2, 2), name="scores")(
            keras.layers.Dense(4, activation="sigmoid")(pooled)
        ),
    }
    model = keras.Model(image, outputs)
    bias = np.array([10, 5, 30, 15, 40, 20, 60, 44.0])
    model.set_weights([np.zeros((3, 8)), bias, np.zeros((3, 4)), np.array([-3, 2.0, -3, 1.0])])
    path = og.save(
        model, [og.Rescale(1 / 255)], tmp_path / "d.keras", class_names=["dim", "bright"], task="detect"
    )
    for arguments, said in (
        (["predict", path, cells, "-o", tmp_path / "out"], ["found 6 objects"]),
        (["report", path, cells, "-o", tmp_path / "r.html"], ["4 true boxes: AP at IoU 0.5", "bright: "]),
    ):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        assert not ended.value.code
        out = capsys.readouterr().out
        assert all(part in out for part in said)

"""Predicted boxes as GeoJSON and COCO's results; ids of a COCO source, kept and written back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.detectors import boxes_in, bright, finding

import offgraph as og
from offgraph.errors import ArgumentError
from offgraph.objects import boxes_geojson, coco_results

FOUND = og.Boxes(
    [[2, 1, 6, 4], [0.1, 0.2, 0.3, 0.4]],
    format="xyxy",
    size=(8, 10),
    labels=[1, 0],
    extra={"score": [0.5, np.nan], "kind": ["a", "b"]},
)


def test_geojson_reads_back_equal() -> None:
    made = json.loads(json.dumps(boxes_geojson(FOUND, ["cat", "dog"]), allow_nan=False))
    rings = [feature["geometry"]["coordinates"][0] for feature in made["features"]]
    corners = [[*ring[0], *ring[2]] for ring in rings]
    assert corners == FOUND.to("xyxy").tolist() and all(ring[0] == ring[-1] for ring in rings)
    told = [feature["properties"] for feature in made["features"]]
    assert told == [
        {"label": 1, "class": "dog", "score": 0.5, "kind": "a"},
        {"label": 0, "class": "cat", "score": None, "kind": "b"},
    ]
    assert boxes_geojson(og.Boxes(np.zeros((0, 4)), size=(3, 3)))["features"] == []
    bare = og.Boxes([[1, 1, 2, 2]], size=(3, 3))
    assert [one["properties"] for one in boxes_geojson(bare)["features"]] == [{}]


def test_keypoints_go_with_their_boxes() -> None:
    places = np.array([[[1.5, 2], [np.nan, np.nan]], [[0, 0], [3, 4]]])
    points = og.Points(places, size=(8, 10), extra={"score": [[0.5, 0], [1, 0.25]]})
    boxes = og.Boxes(FOUND.array, format="xyxy", size=(8, 10), labels=[1, 0], extra={"score": [0.5, 0.25]})
    made = boxes_geojson(boxes, points=points)["features"]
    assert [one["properties"]["keypoints"] for one in made] == [
        [[2.5, 2.0, 0.5], None],
        [[0.5, 0.5, 1.0], [4.5, 3.5, 0.25]],
    ]
    results = coco_results(boxes, points=points)
    assert [one["keypoints"] for one in results] == [[2.5, 2, 0.5, 0, 0, 0], [0.5, 0.5, 1, 4.5, 3.5, 0.25]]
    seen = og.Points(places[1:], size=(8, 10), visible=[[True, False]])
    assert coco_results(boxes.taken(np.array([0]), ""), points=seen)[0]["keypoints"] == [
        0.5,
        0.5,
        1,
        4.5,
        3.5,
        0,
    ]
    for wrong in (seen, og.Points(places[0], size=(8, 10))):
        with pytest.raises(ArgumentError, match=r"points: of shape .*, expected \(2, points, 2\)"):
            boxes_geojson(boxes, points=wrong)


def test_refused() -> None:
    with pytest.raises(ArgumentError, match="labels from 0 to 1, and there are 1 classes"):
        boxes_geojson(FOUND, ["cat"])
    with pytest.raises(ArgumentError, match="results have a class and a score"):
        coco_results(og.Boxes([[1, 1, 2, 2]], size=(3, 3)))
    with pytest.raises(ArgumentError, match="of an image, got boxes of a volume"):
        boxes_geojson(og.Boxes(np.array([[1, 1, 1, 2, 2, 2]]), size=(4, 4, 4)))


@pytest.fixture
def annotated(tmp_path: Path) -> Path:
    """Two images of a COCO file whose ids are its own."""
    image = bright((40, 60), [(4, 5, 14, 25), (20, 30, 35, 50)], [255, 120])
    data = {
        "images": [
            {"id": 907, "file_name": "b.png", "width": 60, "height": 40},
            {"id": 12, "file_name": "a.png", "width": 60, "height": 40},
        ],
        "annotations": [
            {"id": 5, "image_id": 907, "category_id": 90, "bbox": [5, 4, 20, 10]},
            {"id": 8, "image_id": 12, "category_id": 17, "bbox": [30, 20, 20, 15]},
        ],
        "categories": [{"id": 90, "name": "light"}, {"id": 17, "name": "dim"}, {"id": 44, "name": "none"}],
    }
    (tmp_path / "slides" / "images").mkdir(parents=True)
    (tmp_path / "slides" / "annotations.json").write_text(json.dumps(data))
    for name in ("a", "b"):
        og.imwrite(tmp_path / "slides" / "images" / f"{name}.png", image)
    return tmp_path / "slides"


def test_ids_of_a_coco_file_are_kept(annotated: Path, tmp_path: Path) -> None:
    source = og.open_source(annotated)
    assert source.category_ids == {"dim": 17, "none": 44, "light": 90}
    assert [(item.name, item.objects.image_id) for item in source if item.objects] == [("a.png", 12), ("b.png", 907)]  # fmt: skip
    for number, given in enumerate((source, source.with_class_names(["new", "light", "dim"]))):
        file = og.write_annotations(tmp_path / str(number), given, format="coco")
        written = json.loads(file.read_text())
        assert {(one["id"], one["file_name"]) for one in written["images"]} == {(12, "a.png"), (907, "b.png")}
        assert {(one["image_id"], one["category_id"]) for one in written["annotations"]} == {(907, 90), (12, 17)}  # fmt: skip
        names = {one["name"]: one["id"] for one in written["categories"]}
        assert names == ({"new": 1, "light": 90, "dim": 17} if number else source.category_ids)


def test_results_have_the_ids_of_the_annotations(annotated: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "recipe": [og.Rescale(1 / 255)],
        "task": "detect",
        "detection": og.DetectionOutputs(),
        "class_names": ["dim", "light"],
        "input_shape": (None, None, 3),
    }
    predictor = og.Predictor(finding(), **options)
    og.save_predictions(predictor(annotated), tmp_path / "out")
    results = json.loads((tmp_path / "out" / "coco_results.json").read_text())
    expected = [(12, 90), (12, 17), (907, 90), (907, 17)]
    assert [(one["image_id"], one["category_id"]) for one in results] == expected
    for one in predictor(annotated):
        assert one.item.objects is not None and one.item.objects.image_id is not None
        ids = [one.run.source.category_ids[name] for name in one.class_names]
        listed = coco_results(boxes_in(one), one.item.objects.image_id, ids)
        again = [result for result in results if result["image_id"] == one.item.objects.image_id]
        assert [result["bbox"] for result in listed] == [result["bbox"] for result in again]
        assert [result["category_id"] for result in listed] == [90, 17]
    og.save_predictions(predictor(annotated / "images", labels=None), tmp_path / "plain")
    plain = json.loads((tmp_path / "plain" / "coco_results.json").read_text())
    assert [(one["image_id"], one["category_id"]) for one in plain] == [(1, 2), (1, 1), (2, 2), (2, 1)]

"""Datasets with boxes: what a loader gives of them is what it gives of the files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.support.made import DATASETS

import offgraph as og
from offgraph.dataset.objects import describe_objects, objects_trouble, stored_objects
from offgraph.dataset.schema import EXAMPLE, parse
from offgraph.targets import Boxes, Image, Points, Targets

SIZE = (24, 32)
COUNTS = (2, 0, 3, 1)


def annotated(folder, *, shift=0) -> og.Source:
    images, annotations = [], []
    rng = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for number, count in enumerate(COUNTS):
        pixels = rng.integers(0, 256, (*SIZE, 3), np.uint8)
        og.imwrite(folder / f"{number}.png", pixels)
        images.append({"id": number, "file_name": f"{number}.png", "height": SIZE[0], "width": SIZE[1]})
        for k in range(count):
            x, y, w, h = 5 * k + shift, 4 * k + 1, 9.5, 7.25
            corners = [[x, y, x + w, y, x + w, y + h, x, y + h]]
            annotations.append(
                {"id": len(annotations), "image_id": number, "category_id": (number + k) % 3, "bbox": [x, y, w, h],
                 "keypoints": [x + 1, y, 2, x + 4, y + 2, 1], "segmentation": corners}
            )  # fmt: skip
    categories = [{"id": i, "name": name, "keypoints": ["left", "right"]} for i, name in enumerate("abc")]
    data = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "instances.json").write_text(json.dumps(data))
    return og.open_source(folder, masks="instances")


RECIPE = og.Compose(
    [
        og.Resize((16, 20)),
        og.Augment(og.Flip("X"), og.Rotate((-20, 20)), og.CenterCrop((12, 16))),
        og.Normalize("imagenet"),
    ]
)


@pytest.mark.parametrize("form", DATASETS)
def test_a_loader_gives_the_same_of_the_dataset_as_of_the_files(tmp_path, form):
    if form == "tfrecord":
        pytest.importorskip("tensorflow")
    source = annotated(tmp_path / "in")
    report = og.build(source, tmp_path / "out", RECIPE, copies=2, format=form)
    assert report.examples == 8 and set(report.classes) == {"a", "b", "c"}
    files = {
        (int(number), epoch): (batch, place)
        for epoch in range(2)
        for batch in og.Loader(source, RECIPE, batch_size=3).epoch(epoch)
        for place, number in enumerate(batch.index)
    }
    built = og.Loader(tmp_path / "out", batch_size=4, shuffle=False)
    assert built.task == "detect" and built.class_names == ("a", "b", "c")
    seen = 0
    for batch in built.epoch(0):
        for place, record in enumerate(batch.records):
            wanted, row = files[record["key"]["index"], record["key"]["epoch"]]
            np.testing.assert_array_equal(batch.image[place], wanted.image[row])
            np.testing.assert_array_equal(batch.mask[place], wanted.mask[row])
            kept, wanted_kept = batch.objects.valid[place], wanted.objects.valid[row]
            assert kept.sum() == wanted_kept.sum()
            for name in ("boxes", "classes", "index", "points", "visible"):
                found = getattr(batch.objects, name)[place][kept]
                np.testing.assert_allclose(found, getattr(wanted.objects, name)[row][wanted_kept], atol=1e-5)
            seen += 1
    assert seen == 8


def test_classes_of_other_names(tmp_path):
    og.build(annotated(tmp_path / "in"), tmp_path / "out", RECIPE)
    (batch,) = og.Loader(tmp_path / "out", class_names=["x", "c", "b", "a"], shuffle=False)
    (wanted,) = og.Loader(tmp_path / "out", shuffle=False)
    valid = wanted.objects.valid
    np.testing.assert_array_equal(
        batch.objects.classes[valid], np.array([3, 2, 1])[wanted.objects.classes[valid]]
    )
    with pytest.raises(og.SourceError, match="not among class_names"):
        og.Loader(tmp_path / "out", class_names=["a", "b"])


def test_examples_are_read_with_their_boxes(tmp_path):
    og.build(annotated(tmp_path / "in"), tmp_path / "out", og.Compose([]))
    dataset = og.BuiltDataset(tmp_path / "out")
    assert dataset.task == "detect" and dataset.labels is None
    assert dataset.most_boxes == 3 and dataset.keypoints == ("left", "right")
    stored = dataset.read(2)
    assert stored.boxes.array.tolist() == [[0, 1, 9.5, 8.25], [5, 5, 14.5, 12.25], [10, 9, 19.5, 16.25]]
    assert stored.boxes.labels.tolist() == [2, 0, 1]
    assert stored.points.pairs == ((0, 1),) and stored.points.places.shape == (3, 2, 2)
    assert len(dataset.read(1).boxes) == 0


def test_other_annotations_are_another_build(tmp_path):
    og.build(annotated(tmp_path / "in"), tmp_path / "out", RECIPE)
    again = og.build(annotated(tmp_path / "in"), tmp_path / "out", RECIPE)
    assert again.resumed == 4
    with pytest.raises(og.BuildError, match="annotations changed"):
        og.build(annotated(tmp_path / "in", shift=1), tmp_path / "out", RECIPE)


def test_tfrecords_hold_boxes_as_features(tmp_path):
    tf = pytest.importorskip("tensorflow")
    og.build(annotated(tmp_path / "in"), tmp_path / "out", og.Compose([]), format="tfrecord")
    described = json.loads((tmp_path / "out" / "features.json").read_text())
    assert {"objects/bbox", "objects/label"} <= set(described)
    counts = {}
    for data in tf.data.TFRecordDataset([str(path) for path in (tmp_path / "out").glob("*.tfrecord")]):
        feature = tf.train.Example.FromString(data.numpy()).features.feature
        boxes = np.array(feature["objects/bbox"].float_list.value).reshape(-1, 4)
        labels = list(feature["objects/label"].int64_list.value)
        assert len(boxes) == len(labels)
        counts[feature["name"].bytes_list.value[0].decode()] = len(labels)
        if labels:
            assert boxes[0].tolist() == [0, 1, 9.5, 8.25]
    assert counts == {f"{number}.png": count for number, count in enumerate(COUNTS)}


def test_boxes_and_keypoints_come_back_equal():
    rng = np.random.default_rng(3)
    low = rng.uniform(0, 10, (5, 2))
    boxes = Boxes(
        np.concatenate([low, low + rng.uniform(0.1, 9, (5, 2))], axis=1), size=SIZE, labels=[0, 1, 2, 1, 0]
    )
    places = rng.uniform(0, 20, (5, 2, 2))
    places[1, 0] = np.nan
    points = Points(places, size=SIZE, visible=np.array([[2, 1], [0, 2], [2, 2], [0, 0], [1, 1]]))
    targets = Targets({"image": Image(np.zeros(SIZE, np.uint8)), "boxes": boxes, "points": points})
    entry = json.loads(json.dumps(describe_objects(targets), allow_nan=False))
    assert objects_trouble(entry, 3, 2) is None
    back, other = stored_objects(entry, SIZE, ("a", "b"))
    np.testing.assert_allclose(back.edges, boxes.edges, atol=1e-14)
    np.testing.assert_array_equal(back.labels, boxes.labels)
    np.testing.assert_array_equal(other.places, places)
    np.testing.assert_array_equal(other.visible, points.visible)
    assert describe_objects(Targets({"image": Image(np.zeros(SIZE, np.uint8))})) is None


SOUND = {
    "edges": [[0.0, 0, 2, 3]],
    "labels": [1],
    "objects": [0],
    "points": [[[1, 2], [None, None]]],
    "visible": [[2, 0]],
}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"labels": []}, "1 boxes with 0 classes"),
        ({"objects": [0, 1]}, "1 boxes with 1 classes and 2 numbers"),
        ({"labels": [3]}, "class 3 in a dataset of 3"),
        ({"edges": [[0, 0, 0, 3]]}, "a box without area"),
        ({"points": [[[1, 2]]]}, "keypoints of another number"),
        ({"visible": []}, "keypoints of another number"),
        ({"points": None}, "no keypoints, and others have some"),
    ],
)
def test_objects_that_cannot_be(change, why):
    assert why in objects_trouble(SOUND | change, 3, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"edges": [[0, 0, 1]]},
        {"edges": [[0, 0, 1, float("inf")]]},
        {"labels": [-1]},
        {"labels": ["a"]},
        {"visible": [[3]]},
        {"edges": None},
    ],
)
def test_lines_with_such_objects_are_refused(tmp_path, change):
    og.build(annotated(tmp_path / "in"), tmp_path / "out", og.Compose([]))
    line = og.BuiltDataset(tmp_path / "out").line(0)
    parse(EXAMPLE, json.dumps(line).encode(), "here", "")
    line["objects"] |= change
    with pytest.raises(og.BuildError, match="here: cannot be read: objects"):
        parse(EXAMPLE, json.dumps(line).encode(), "here", "")


def test_a_dataset_without_boxes_refuses_a_line_with_some(tmp_path):
    source = annotated(tmp_path / "in")
    og.build(og.open_source(tmp_path / "in", annotations=None), tmp_path / "plain", og.Compose([]))
    records = tmp_path / "plain" / "samples" / "00000.jsonl"
    lines = records.read_text().splitlines()
    assert '"objects"' not in lines[1]
    og.build(source, tmp_path / "boxes", og.Compose([]))
    with_boxes = json.loads((tmp_path / "boxes" / "samples" / "00000.jsonl").read_text().splitlines()[1])
    dataset = og.BuiltDataset(tmp_path / "plain")
    assert "boxes where the others have none" in dataset._check.trouble(
        json.loads(lines[1]) | {"objects": with_boxes["objects"]}
    )

"""Boxes and keypoints of a batch: padded or ragged, through the recipe and into TensorFlow."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import offgraph as og

SIZE = (8, 10)
COUNTS = (2, 0, 3, 1, 2)


@pytest.fixture
def source(tmp_path) -> og.Source:
    """Five images with 2, 0, 3, 1 and 2 boxes, each box with two keypoints at its corners."""
    images, annotations = [], []
    for number, count in enumerate(COUNTS):
        og.imwrite(tmp_path / f"{number}.png", np.full((*SIZE, 3), number, np.uint8))
        images.append({"id": number, "file_name": f"{number}.png", "height": SIZE[0], "width": SIZE[1]})
        for k in range(count):
            x, y, w, h = k, k + 1, 4, 3
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": number,
                    "category_id": (number + k) % 3,
                    "bbox": [x, y, w, h],
                    "keypoints": [x, y, 2, 0, 0, 0],
                    "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
                }
            )
    categories = [{"id": i, "name": name, "keypoints": ["left_a", "right_a"]} for i, name in enumerate("abc")]
    data = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "instances.json").write_text(json.dumps(data))
    return og.open_source(tmp_path, masks="instances")


def batch_of(source, recipe=None, **options):
    return next(iter(og.Loader(source, recipe or og.Compose([]), batch_size=5, **options)))


def test_padded_boxes(source):
    objects = batch_of(source).objects
    assert objects.boxes.shape == (5, 3, 4) and objects.boxes.dtype == np.float32
    assert objects.classes.dtype == np.int64 and objects.index.dtype == np.int64
    assert objects.boxes[2].tolist() == [[0, 1, 4, 4], [1, 2, 5, 5], [2, 3, 6, 6]]
    assert objects.classes.tolist() == [[0, 1, -1], [-1, -1, -1], [2, 0, 1], [0, -1, -1], [1, 2, -1]]
    assert objects.index[2].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(objects.valid, objects.classes >= 0)
    assert (objects.boxes[~objects.valid] == -1).all()
    assert objects.points.shape == (5, 3, 2, 2)
    assert objects.points[2, 1].tolist() == [[1.5, 2.5], [0.5, 0.5]]  # COCO's keypoints are pixel centres
    assert objects.visible[2].tolist() == [[2, 0]] * 3 and objects.visible[1].tolist() == [[-1, -1]] * 3
    assert repr(objects) == "<BatchObjects of 5: 8 boxes, padded to 3 per image>"


def test_ragged_boxes(source):
    padded, ragged = batch_of(source).objects, batch_of(source, boxes="ragged").objects
    assert ragged.valid is None and [len(rows) for rows in ragged.boxes] == list(COUNTS)
    for name in ("boxes", "classes", "index", "points", "visible"):
        for number, rows in enumerate(getattr(ragged, name)):
            whole = getattr(padded, name)[number]
            assert rows.dtype == whole.dtype
            np.testing.assert_array_equal(rows, whole[padded.valid[number]])
    assert "8 boxes, ragged" in repr(batch_of(source, boxes="ragged"))


def test_boxes_move_with_the_image_and_its_mask(source):
    recipe = og.Compose([og.Flip("X"), og.Resize((16, 20))])
    batch = batch_of(source, recipe)
    assert batch.objects.boxes[3, 0].tolist() == [12, 2, 20, 8]
    for number in range(5):
        for row in np.flatnonzero(batch.objects.valid[number]):
            x0, y0, x1, y1 = batch.objects.boxes[number, row].astype(int)
            label = batch.objects.index[number, row] + 1
            rows, columns = np.nonzero(batch.mask[number] == label)
            # The last box is seen whole, those before it in part.
            assert x0 <= columns.min() and columns.max() < x1 and y0 <= rows.min() and rows.max() < y1
    # The left point is the right one in a mirror image.
    assert batch.objects.visible[3, 0].tolist() == [0, 2]


def test_boxes_that_are_cut_off_leave_the_batch(source):
    batch = batch_of(source, og.Compose([og.Flip("X"), og.CenterCrop((2, 2))]))
    kept = batch.objects.valid.sum(axis=1)
    assert (kept <= COUNTS).all() and kept.sum() < 8
    assert (batch.objects.boxes[batch.objects.valid] >= 0).all()
    x1, y1 = batch.objects.boxes[batch.objects.valid][:, 2:].max(axis=0)
    assert x1 <= 2 and y1 <= 2


@pytest.mark.parametrize(
    ("box_format", "box"),
    [
        ("coco", [0, 1, 4, 3]),
        ("voc", [1, 2, 4, 4]),
        ("yolo", [0.2, 2.5 / 8, 0.4, 3 / 8]),
        ("cxcywh", [2, 2.5, 4, 3]),
    ],
)
def test_formats(source, box_format, box):
    objects = batch_of(source, box_format=box_format).objects
    np.testing.assert_allclose(objects.boxes[3, 0], box, rtol=1e-6)


def test_rows_that_are_asked_for(source):
    assert batch_of(source, max_boxes=7).objects.boxes.shape == (5, 7, 4)
    with pytest.raises(og.StepError, match=r"2\.png: has 3 boxes, and max_boxes=2: raise max_boxes"):
        batch_of(source, max_boxes=2)
    loader = og.Loader(source, og.Compose([]), batch_size=4, max_boxes=2, on_error="skip")
    with pytest.warns(og.OffgraphWarning, match="1 of 5 images"):
        batch, *_ = list(loader)
    assert batch.index.tolist() == [0, 1, 3, 4] and list(loader.skipped) == ["2.png"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"boxes": "dense"}, "boxes='dense': choose 'padded' or 'ragged'"),
        ({"max_boxes": 0}, "max_boxes=0: give a whole number of at least 1"),
        ({"boxes": "ragged", "max_boxes": 3}, "max_boxes= is for boxes='padded'"),
        ({"box_format": "xy"}, "box_format='xy': choose one of 'xyxy'"),
    ],
)
def test_arguments_are_refused_by_name(source, options, why):
    with pytest.raises(og.ArgumentError, match=why):
        og.Loader(source, og.Compose([]), **options)


def test_a_source_without_boxes(source):
    plain = og.open_source(source.root, annotations=None)
    assert batch_of(plain).objects is None
    with pytest.raises(og.ArgumentError, match="boxes='ragged': the source has no boxes"):
        og.Loader(plain, og.Compose([]), boxes="ragged")


def test_a_source_of_images_without_any_object(source):
    empty = source.subset([1])
    assert empty.most_objects == 0
    objects = next(iter(og.Loader(empty, og.Compose([])))).objects
    assert objects.boxes.shape == (1, 1, 4) and not objects.valid.any()


def test_the_same_batches_on_one_and_on_several_threads(source):
    recipe = og.Compose([og.Augment(og.Flip("X"), og.Rotate((-20, 20)))])
    one, other = (
        [batch.objects.boxes for batch in og.Loader(source, recipe, batch_size=2, threads=threads)]
        for threads in (1, 3)
    )
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_loader_is_pickled_with_its_layout(source):
    loader = pickle.loads(pickle.dumps(og.Loader(source, og.Compose([]), max_boxes=4)))
    assert next(iter(loader)).objects.boxes.shape == (5, 4, 4)


# ---- TensorFlow


def test_tensorflow_padded(source):
    tf = pytest.importorskip("tensorflow")
    dataset = og.Loader(source, og.Compose([]), batch_size=2).tensorflow(epoch=0)
    image, targets = dataset.element_spec
    assert image.shape.as_list() == [None, 8, 10, 3]
    assert {name: (spec.shape.as_list(), spec.dtype) for name, spec in targets.items()} == {
        "boxes": ([None, 3, 4], tf.float32),
        "classes": ([None, 3], tf.int64),
        "points": ([None, 3, 2, 2], tf.float32),
        "visible": ([None, 3, 2], tf.int64),
        "masks": ([None, 8, 10], tf.uint16),
    }
    batches = list(og.Loader(source, og.Compose([]), batch_size=2))
    for (_, targets), batch in zip(dataset, batches, strict=True):
        np.testing.assert_array_equal(targets["boxes"], batch.objects.boxes)
        np.testing.assert_array_equal(targets["classes"], batch.objects.classes)
        np.testing.assert_array_equal(targets["masks"], batch.mask)
    whole = og.Loader(source, og.Compose([]), batch_size=5).tensorflow().element_spec
    assert whole[1]["boxes"].shape.as_list() == [5, 3, 4]


def test_tensorflow_ragged(source):
    tf = pytest.importorskip("tensorflow")
    loader = og.Loader(source, og.Compose([]), batch_size=2, boxes="ragged")
    dataset = loader.tensorflow(epoch=0)
    spec = dataset.element_spec[1]
    assert isinstance(spec["boxes"], tf.RaggedTensorSpec) and spec["boxes"].shape.as_list() == [None, None, 4]
    batches = list(loader)
    for (_, targets), batch in zip(dataset, batches, strict=True):
        assert targets["classes"].to_list() == [rows.tolist() for rows in batch.objects.classes]
        assert targets["boxes"].to_list() == [rows.tolist() for rows in batch.objects.boxes]
        dense = targets["boxes"].to_tensor(-1, shape=[None, 3, 4])
        assert dense.shape[1:] == (3, 4)

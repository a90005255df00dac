"""COCO's JSON files: what they say, and how broken ones are told."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph.sources.coco import coco_json, looks_like_coco, parse_coco
from offgraph.sources.objects import Keypoints
from offgraph.sources.polygons import RunLengths

WHOLE = {
    "info": {"year": 2026},
    "images": [
        {"id": 7, "file_name": "b.jpg", "height": 8, "width": 10},
        {"id": 3, "file_name": "a.jpg", "height": 4, "width": 5},
    ],
    "annotations": [
        {"id": 11, "image_id": 7, "category_id": 18, "bbox": [1, 2, 3.5, 4], "area": 14.0, "iscrowd": 0,
         "segmentation": [[1, 2, 4.5, 2, 4.5, 6, 1, 6], [0, 0, 1, 0, 1, 1]]},
        {"id": 12, "image_id": 7, "category_id": 2, "bbox": [0, 0, 10, 8], "iscrowd": 1,
         "segmentation": {"size": [8, 10], "counts": [0, 80]}},
        {"id": 13, "image_id": 7, "category_id": 2, "bbox": [0, 0, 1, 8],
         "segmentation": {"size": [8, 10], "counts": "08X2"}},
    ],
    "categories": [{"id": 18, "name": "dog", "supercategory": "animal"}, {"id": 2, "name": "cat"}],
}  # fmt: skip


def saved(tmp_path, data) -> Path:
    file = tmp_path / "instances.json"
    file.write_text(data if isinstance(data, str) else json.dumps(data), "utf-8")
    return file


def changed(*path, value=None, remove=False):
    """The whole file with one place changed."""
    data = copy.deepcopy(WHOLE)
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    if remove:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return data


def test_a_file_with_known_numbers(tmp_path):
    found = parse_coco(saved(tmp_path, WHOLE))
    assert found.class_names == ("cat", "dog")  # by id, which may have gaps
    assert [(image.file_name, image.size, len(image.rows)) for image in found.images] == [
        ("b.jpg", (8, 10), 3),
        ("a.jpg", (4, 5), 0),
    ]
    dog, crowd, cat = found.images[0].rows
    assert (dog.place, dog.category, dog.box) == ("annotation 1 (id 11)", 1, (1, 2, 3.5, 4))
    assert dog.columns == {"id": 11, "iscrowd": False, "area": 14.0}
    assert [polygon.tolist() for polygon in dog.region] == [
        [[1, 2], [4.5, 2], [4.5, 6], [1, 6]],
        [[0, 0], [1, 0], [1, 1]],
    ]
    assert crowd.columns["iscrowd"] and np.isnan(crowd.columns["area"])
    assert isinstance(crowd.region, RunLengths) and crowd.region.runs.tolist() == [0, 80]
    assert isinstance(cat.region, RunLengths) and cat.region.runs.tolist() == [0, 8, 72]


def test_keypoints(tmp_path):
    data = copy.deepcopy(WHOLE)
    data["categories"][0] |= {"keypoints": ["nose", "tail"], "skeleton": [[1, 2]]}
    data["annotations"][0] |= {"keypoints": [1, 2, 2, 0, 0, 0], "num_keypoints": 1}
    found = parse_coco(saved(tmp_path, data))
    assert found.keypoints == Keypoints(("nose", "tail"), ((0, 1),))
    dog, _, cat = found.images[0].rows
    assert dog.keypoints.tolist() == [[1, 2, 2], [0, 0, 0]] and cat.keypoints is None
    for wrong in ([1, 2, 2], [1, 2, 3, 0, 0, 0], [1, "2", 2, 0, 0, 0], "x", [[1, 2, 2], [0, 0, 0]]):
        data["annotations"][0]["keypoints"] = wrong
        with pytest.raises(og.SourceError, match=r"annotation 1 \(id 11\): .*keypoint"):
            parse_coco(saved(tmp_path, data))
    data["categories"][0]["skeleton"] = [[1, 3]]
    with pytest.raises(og.SourceError, match=r"category 1 \(dog\): its skeleton joins"):
        parse_coco(saved(tmp_path, data))


ENTRY = ("annotations", 0)
BROKEN = [
    (changed("images", remove=True), "no list 'images'"),
    (changed("categories", value={}), "no list 'categories'"),
    (changed("images", 0, value=5), "image 1: 5 is not an object"),
    (changed("images", 0, "id", value=None), "image 1: id is None"),
    (changed("images", 1, "id", value=7), "image 2: the id 7 is that of an earlier image"),
    (changed("images", 0, "file_name", value=3), "image 1 .id 7.: file_name is 3"),
    (changed("images", 0, "width", value=0), "image 1 .id 7.: width is 0"),
    (changed("images", 0, "width", value="10"), "image 1 .id 7.: width is '10'"),
    (changed("categories", 0, "name", value=""), "category 1 .id 18.: name is ''"),
    (changed("categories", 1, "id", value=18), "category 2 .cat.: the id 18 is that of an earlier"),
    (changed("categories", 1, "name", value="dog"), "two categories are called 'dog'"),
    (changed("annotations", 1, value=[]), r"annotation 2: \[\] is not an object"),
    (changed("annotations", 1, "id", value=11), "annotation 2 .id 11.: the id 11 is that of an earlier annotation"),
    (changed(*ENTRY, "image_id", value=8), "annotation 1 .id 11.: image_id 8 is the id of no image"),
    (changed(*ENTRY, "image_id", value=[]), "annotation 1 .id 11.: image_id is"),
    (changed(*ENTRY, "category_id", value=1), "annotation 1 .id 11.: category_id 1 is the id of no category"),
    (changed(*ENTRY, "bbox", remove=True), "annotation 1 .id 11.: bbox is None"),
    (changed(*ENTRY, "bbox", value=[1, 2, 3]), "annotation 1 .id 11.: bbox is .1, 2, 3."),
    (changed(*ENTRY, "bbox", value=[1, 2, 3, "4"]), "annotation 1 .id 11.: bbox"),
    (changed(*ENTRY, "bbox", value=[1, 2, 3, True]), "annotation 1 .id 11.: bbox"),
    (changed(*ENTRY, "bbox", value=[1, 2, 3, float("nan")]), "annotation 1 .id 11.: bbox"),
    (changed(*ENTRY, "bbox", value=[1, 2, 3, float("inf")]), "annotation 1 .id 11.: bbox"),
    (changed(*ENTRY, "bbox", value=[1, 2, 3, 10**400]), "annotation 1 .id 11.: bbox"),
    (changed(*ENTRY, "iscrowd", value=2), "annotation 1 .id 11.: iscrowd is 2"),
    (changed(*ENTRY, "area", value="big"), "annotation 1 .id 11.: area is 'big'"),
    (changed(*ENTRY, "segmentation", value=[[1, 2, 3]]), "annotation 1 .id 11.: polygon 1 is"),
    (changed(*ENTRY, "segmentation", value=[[1, 2, 3, 4], 5]), "annotation 1 .id 11.: polygon 2 is 5"),
    (changed(*ENTRY, "segmentation", value=[[1, 2, float("nan"), 4]]), "annotation 1 .id 11.: polygon 1"),
    (changed(*ENTRY, "segmentation", value=[[1, 2, 1e300, 4]]), "annotation 1 .id 11.: polygon 1"),
    (changed(*ENTRY, "segmentation", value=[[[1, 2], [3]]]), "annotation 1 .id 11.: polygon 1"),
    (changed(*ENTRY, "segmentation", value="x"), "annotation 1 .id 11.: segmentation is 'x'"),
    (changed(*ENTRY, "segmentation", value={"counts": [0, 80]}), "annotation 1 .id 11.: the size of its run"),
    (changed(*ENTRY, "segmentation", value={"size": [8, 0], "counts": [0]}), "annotation 1 .id 11.: the size"),
    (changed(*ENTRY, "segmentation", value={"size": [8, 10], "counts": [-1]}), "annotation 1 .id 11.: counts"),
    (changed(*ENTRY, "segmentation", value={"size": [8, 10], "counts": [1.5]}), "annotation 1 .id 11.: counts"),
    (changed(*ENTRY, "segmentation", value={"size": [8, 10], "counts": "P"}), "annotation 1 .id 11.: its code ends"),
    ("", "not JSON"),
    ("[]", "a list, such as that of results"),
    ("5", "not an object"),
    ("{" * 5, "not JSON"),
    ("[" * 200_000, "nested too deeply"),
    ('{"images": [' + "1" * 5000 + "]}", "not JSON"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "why"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_file_names_itself_and_the_entry(tmp_path, data, why):
    with pytest.raises(og.SourceError, match=rf"instances\.json(, |: ).*{why}"):
        parse_coco(saved(tmp_path, data))


def test_bytes_that_are_no_text(tmp_path):
    file = tmp_path / "instances.json"
    file.write_bytes(b'{"a": "\xff\xfe"}')
    with pytest.raises(og.SourceError, match="not UTF-8 text at byte 7"):
        parse_coco(file)


def test_what_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr("offgraph.sources.coco.MOST_BYTES", 20)
    with pytest.raises(og.SourceError, match="files of up to 20 are read"):
        parse_coco(saved(tmp_path, WHOLE))


@pytest.mark.parametrize(
    ("text", "is_coco"),
    [
        (json.dumps(WHOLE), True),
        ('\ufeff {"annotations": [], "images" : [', True),
        ('{"images": [{"id": 1, "file_name": "a.jpg"', True),
        ('{"annotations": [{"image_id": 1, "category_id": 2}', True),
        ('{"images": [{"path": "a.jpg"}]}', False),
        ('{"images": 100, "categories": 5}', False),
        ('[{"image_id": 1, "category_id": 2}]', False),
        ('{"offgraph": "0.1"}', False),
        ("[1]", False),
        ("", False),
    ],
)
def test_what_looks_like_coco(tmp_path, text, is_coco):
    assert looks_like_coco(saved(tmp_path, text)) is is_coco


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 100) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["size", "counts", "id"]), inner)
    ),
    max_leaves=6,
)
PLACES = [
    ("images", 0),
    ("categories", 0),
    *(("annotations", 0, key) for key in ("id", "image_id", "category_id", "bbox", "segmentation", "area")),
    ("annotations", 0),
    *(("categories", 0, key) for key in ("id", "name", "keypoints", "skeleton")),
    *(("images", 0, key) for key in ("id", "file_name", "width")),
]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_any_change_is_read_or_refused(tmp_path_factory, place, value):
    file = saved(tmp_path_factory.mktemp("coco"), changed(*place, value=value))
    said = ""
    try:
        parse_coco(file)
    except og.SourceError as error:
        said = str(error)
    assert not said or "instances.json" in said


BOX = st.tuples(*[st.floats(0, 1e6)] * 4).map(list)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            BOX,
            st.integers(0, 2),
            st.integers(0, 1),
            st.floats(0, 1e9),
            st.lists(BOX, min_size=1, max_size=2),
        ),
        max_size=4,
    )
)
def test_what_is_written_is_read_back_equal(tmp_path_factory, objects):
    listed = [
        {"bbox": box, "category": label, "iscrowd": crowd, "area": area, "segmentation": polygons}
        for box, label, crowd, area, polygons in objects
    ]
    data = coco_json([("x/a.jpg", (8, 9), listed), ("b.jpg", (3, 2), [])], ["c", "a", "b"])
    found = parse_coco(saved(tmp_path_factory.mktemp("coco"), data))
    assert found.class_names == ("c", "a", "b")
    assert [(image.file_name, image.size) for image in found.images] == [
        ("x/a.jpg", (8, 9)),
        ("b.jpg", (3, 2)),
    ]
    assert [
        [
            list(row.box),
            row.category,
            int(row.columns["iscrowd"]),
            row.columns["area"],
            [polygon.ravel().tolist() for polygon in row.region],
        ]
        for row in found.images[0].rows
    ] == [list(one) for one in objects]

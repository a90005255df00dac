"""Sources of boxes: found by looking, read with their images, asked about where two fit, and written again."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

import offgraph as og
from offgraph.sources import write_annotations
from offgraph.targets import Boxes

SHAPE = (8, 10, 3)  # height, width
BOX = (2, 1, 6, 4)  # x0, y0, x1, y1: edges from the image's own


def image(path: Path, shape=SHAPE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    og.imwrite(path, np.zeros(shape, np.uint8))


def text(path: Path, written: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(written, "utf-8")
    return path


def voc_xml(name="dog", corners=(3, 2, 6, 4), size=(8, 10), image="") -> str:
    box = "".join(f"<{key}>{n}</{key}>" for key, n in zip(("xmin", "ymin", "xmax", "ymax"), corners))
    stated = f"<size><width>{size[1]}</width><height>{size[0]}</height></size>" if size else ""
    found = (
        f"<object><name>{name}</name><difficult>1</difficult><bndbox>{box}</bndbox></object>" if name else ""
    )
    return f"<annotation><filename>{image}</filename>{stated}{found}</annotation>"


def voc(root: Path, **files: str) -> Path:
    for stem, written in ({"a": voc_xml(), "b": voc_xml("cat")} | files).items():
        image(root / "JPEGImages" / f"{stem}.png")
        text(root / "Annotations" / f"{stem}.xml", written)
    return root


def coco_data(**changes):
    data = {
        "images": [
            {"id": 1, "file_name": "b.png", "height": 8, "width": 10},
            {"id": 2, "file_name": "a.png", "height": 8, "width": 10},
        ],
        "annotations": [
            {"id": 5, "image_id": 2, "category_id": 3, "bbox": [2, 1, 4, 3], "iscrowd": 0,
             "segmentation": [[2, 1, 6, 1, 6, 4, 2, 4]]},
            {"id": 6, "image_id": 2, "category_id": 1, "bbox": [0, 0, 3, 2],
             "segmentation": {"size": [8, 10], "counts": [0, 2, 6, 2, 6, 2, 62]}},
            {"id": 7, "image_id": 2, "category_id": 1, "bbox": [0, 0, 10, 8], "iscrowd": 1,
             "segmentation": {"size": [8, 10], "counts": [0, 80]}},
        ],
        "categories": [{"id": 3, "name": "dog"}, {"id": 1, "name": "cat"}],
    }  # fmt: skip
    return data | changes


def coco(root: Path, data=None, name="annotations/instances.json", images="images") -> Path:
    for file in ("a.png", "b.png"):
        image(root / images / file)
    text(root / name, json.dumps(data or coco_data()))
    return root


def yolo(root: Path, lines="1 0.4 0.3125 0.4 0.375\n") -> Path:
    image(root / "images" / "a.png")
    image(root / "images" / "b.png")
    text(root / "labels" / "a.txt", lines)
    text(root / "data.yaml", "names: [cat, dog]")
    return root


LAYOUTS = {"voc": voc, "coco": coco, "yolo": yolo}


@pytest.mark.parametrize("convention", LAYOUTS)
def test_each_layout_is_found_and_read(tmp_path, convention):
    source = og.open_source(LAYOUTS[convention](tmp_path))
    assert (source.task, source.class_names, len(source)) == ("detect", ("cat", "dog"), 2)
    assert [item.name for item in source] == ["a.png", "b.png"]
    assert repr(source) == f"<Source {source.where}: 2 images, detect: 2 classes>"
    sample = source.read(0)
    boxes = sample.boxes
    assert boxes.to("xyxy")[0].tolist() == pytest.approx(BOX, abs=1e-12)
    assert boxes.labels[0] == 1 and boxes.size == SHAPE[:2] and boxes.format == convention
    assert list(sample.targets) == ["image", "boxes"] and sample.mask is None and sample.points is None
    assert "boxes" in repr(sample) or "1 box" in repr(sample)


def test_voc_carries_its_flags_and_images_without_objects(tmp_path):
    source = og.open_source(voc(tmp_path, c=voc_xml("")))
    assert source.read(0).boxes.extra["difficult"].tolist() == [True]
    assert len(source.read(2).boxes) == 0 and source.most_objects == 1


def test_voc_images_without_a_file_are_counted(tmp_path):
    image(voc(tmp_path) / "JPEGImages" / "z.png")
    source = og.open_source(tmp_path)
    assert source.skipped == {"without an annotation": 1}
    assert source.left_out == {"without an annotation": ("z.png",)}


def test_voc_files_find_their_image_by_name_and_by_filename(tmp_path):
    root = voc(tmp_path)
    (root / "Annotations" / "b.xml").rename(root / "Annotations" / "x.xml")
    with pytest.raises(og.SourceError, match=r"1 of 2 annotations have no image in .*: x\.xml"):
        og.open_source(root)
    text(root / "Annotations" / "x.xml", voc_xml("cat", image="b.png"))
    assert [item.name for item in og.open_source(root)] == ["a.png", "b.png"]
    text(root / "Annotations" / "b.xml", voc_xml("cat"))
    with pytest.raises(og.SourceError, match=r"both annotate b\.png"):
        og.open_source(root)
    (root / "Annotations" / "x.xml").unlink()
    image(root / "JPEGImages" / "b.tif")
    with pytest.raises(og.SourceError, match=r"b\.xml: b\.png, b\.tif have its name"):
        og.open_source(root)
    text(root / "Annotations" / "b.xml", voc_xml("cat", image="b.tif"))
    assert [item.name for item in og.open_source(root)] == ["a.png", "b.tif"]


def test_files_beside_their_images(tmp_path):
    image(tmp_path / "v" / "a.png")
    text(tmp_path / "v" / "a.xml", voc_xml())
    assert og.open_source(tmp_path / "v").read(0).boxes.labels.tolist() == [0]
    image(tmp_path / "y" / "a.png")
    text(tmp_path / "y" / "a.txt", "0 .5 .5 .1 .1")
    text(tmp_path / "y" / "classes.txt", "cat\n")
    assert og.open_source(tmp_path / "y").read(0).boxes.labels.tolist() == [0]
    root = coco(tmp_path / "c", name="c/_annotations.coco.json", images="c")
    assert len(og.open_source(root / "c")) == 2


def test_coco_by_its_file_and_its_folder(tmp_path):
    root = coco(tmp_path, name="annotations/instances_val.json", images="val")
    file = root / "annotations" / "instances_val.json"
    for source in (
        og.open_source(root),
        og.open_source(file),
        og.open_source(file, root=root / "val"),
        og.open_source(root / "val", annotations=file),
    ):
        assert source.root.resolve() == (root / "val").resolve() and source.table == file
        assert [len(item.objects) for item in source] == [2, 0]
        assert source.skipped_boxes == {"a crowd (iscrowd)": 1}
        assert source.left_out_boxes == {"a crowd (iscrowd)": ("instances_val.json, annotation 3 (id 7)",)}
    assert [len(item.objects) for item in og.open_source(file, crowds=True)] == [3, 0]
    assert og.open_source(file, crowds=True).read(0).boxes.extra["iscrowd"].tolist() == [False, False, True]


def test_yolo_parts_and_images_without_a_file(tmp_path):
    for part in ("train", "val"):
        image(tmp_path / "images" / part / f"{part}.png")
        text(tmp_path / "labels" / part / f"{part}.txt", "0 .5 .5 .1 .1\n")
    text(tmp_path / "data.yaml", "names: {0: cat}\ntrain: images/train")
    with pytest.raises(og.SourceError, match=r"holds train/ and val/, .* open_source\('.*/images/train'\)"):
        og.open_source(tmp_path)
    source = og.open_source(tmp_path / "images" / "train")
    assert [item.name for item in source] == ["train.png"] and source.class_names == ("cat",)
    image(tmp_path / "images" / "train" / "none.png")
    assert [len(item.objects) for item in og.open_source(tmp_path / "images" / "train")] == [0, 1]


def test_yolo_keypoints_and_polygons(tmp_path):
    root = yolo(tmp_path, "0 .5 .5 .4 .5 .35 .5 2 0 0 0\n")
    text(root / "data.yaml", "names: [cat]\nkpt_shape: [2, 3]")
    sample = og.open_source(root).read(0)
    assert sample.points.places[0, 0].tolist() == pytest.approx((8 * 0.5 - 0.5, 10 * 0.35 - 0.5))
    assert sample.points.visible.tolist() == [[2, 0]]
    assert og.open_source(root).read(1).points.places.shape == (0, 2, 2)
    text(root / "data.yaml", "names: [cat]")
    text(root / "labels" / "a.txt", "0 .2 .125 .6 .125 .6 .5 .2 .5\n")
    mask = og.open_source(root, masks="instances").read(0).mask.array
    want = np.zeros((8, 10))
    want[1:4, 2:6] = 1
    np.testing.assert_array_equal(mask, want)


def test_other_json_files_beside_images_change_nothing(tmp_path):
    image(tmp_path / "a.png")
    text(tmp_path / "camera.json", '{"images": 1, "categories": ["a"]}')
    text(tmp_path / "annotations" / "list.json", '{"images": [{"path": "a.png"}]}')
    source = og.open_source(tmp_path)
    assert source.task is None and len(source) == 1


def test_two_annotations_are_asked_about(tmp_path):
    root = yolo(voc(tmp_path))
    image(root / "JPEGImages" / "b.png")
    with pytest.raises(
        og.SourceError, match=r"holds 2 .*write annotations='voc' or annotations='yolo', or annotations=None"
    ):
        og.open_source(root)
    assert og.open_source(root, annotations="voc").class_names == ("cat", "dog")
    two = coco(tmp_path / "two")
    shutil.copy(two / "annotations" / "instances.json", two / "annotations" / "other.json")
    with pytest.raises(
        og.SourceError, match=r"write annotations='.*instances.json' or annotations='.*other.json'"
    ):
        og.open_source(two)
    assert len(og.open_source(two, annotations=two / "annotations" / "other.json")) == 2
    assert len(og.open_source(two, annotations="annotations/other.json")) == 2


def test_two_folders_of_coco_images_are_asked_about(tmp_path):
    root = coco(tmp_path)
    image(root / "a.png")
    with pytest.raises(og.SourceError, match=r"its images lie in .* and in .*: write root="):
        og.open_source(root)
    assert len(og.open_source(root, root=root / "images")) == 2


@pytest.mark.parametrize("convention", LAYOUTS)
def test_the_images_alone(tmp_path, convention):
    root = LAYOUTS[convention](tmp_path)
    source = og.open_source(root / ("JPEGImages" if convention == "voc" else "images"), annotations=None)
    assert source.task is None and source.read(0).boxes is None
    assert og.open_source(root, labels=None).task is None


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"annotations": "voc"}, "no VOC annotations: XML files in Annotations/"),
        ({"annotations": "coco"}, "no COCO annotations"),
        ({"annotations": "yolo"}, "no YOLO annotations"),
        ({"annotations": "missing"}, "annotations='missing': no such file or folder"),
        ({"annotations": 3}, "annotations=3: give 'auto'"),
        ({"bad_boxes": "drop"}, "bad_boxes='drop': choose 'skip' or 'error'"),
        ({"bad_boxes": "skip"}, "bad_boxes= is for VOC, COCO or YOLO annotations, and none are found"),
        ({"crowds": True}, "crowds= is for"),
        ({"masks": "instances"}, "masks= is for VOC"),
        ({"task": "detect"}, "task= is for VOC"),
        ({"annotations": "voc", "labels": "folders"}, "annotations= is for VOC"),
    ],
)
def test_options_where_there_are_no_annotations(tmp_path, options, why):
    image(tmp_path / "a.png")
    with pytest.raises(og.SourceError, match=why):
        og.open_source(tmp_path, **options)


def test_options_that_are_not_for_boxes(tmp_path):
    with pytest.raises(og.SourceError, match="masks='instances' draws polygons"):
        og.open_source(voc(tmp_path / "v"), masks="instances")
    with pytest.raises(og.SourceError, match="root= is for tables and COCO"):
        og.open_source(voc(tmp_path / "v"), root=tmp_path)
    with pytest.raises(og.SourceError, match="task='detect' takes a table with a row per box"):
        og.open_source(text(tmp_path / "t.csv", "path,label\na.png,x\n"), task="detect")
    with pytest.raises(og.SourceError, match="annotations='voc' is for folders"):
        og.open_source(text(tmp_path / "a.json", json.dumps(coco_data())), annotations="voc")


# ---- bad boxes


def test_bad_boxes_are_left_out_and_reported(tmp_path):
    root = voc(tmp_path, b=voc_xml("cat", (3, 2, 3, 4)))
    with pytest.warns(
        og.OffgraphWarning, match=r"1 bad box is not passed on, such as Annotations/b.xml, object 1 \(cat\)"
    ):
        source = og.open_source(root)
    assert source.skipped_boxes == {"box without area": 1} and len(source[1].objects) == 0
    assert source.class_names == ("cat", "dog")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert og.open_source(root, bad_boxes="skip").skipped_boxes == {"box without area": 1}
    with pytest.raises(
        og.SourceError, match=r"b\.xml, object 1 \(cat\): box without area: .*bad_boxes='skip'"
    ):
        og.open_source(root, bad_boxes="error")
    assert source.subset([0]).skipped_boxes == {}


def test_a_box_outside_an_image_of_unknown_size_is_told_when_it_is_read(tmp_path):
    source = og.open_source(voc(tmp_path, b=voc_xml("cat", (30, 2, 33, 4), size=None)))
    with pytest.raises(og.DecodeError, match=r"b\.png: .*b\.xml, object 1 \(cat\): box outside the image"):
        source.read(1)


# ---- what does not fit


def test_an_image_of_another_size_than_stated(tmp_path):
    source = og.open_source(voc(tmp_path, b=voc_xml("cat", size=(9, 10))))
    with pytest.raises(
        og.DecodeError, match=r"b\.png: the image is 10 wide and 8 high, and .*b\.xml says 10 and 9"
    ):
        source.read(1)


def test_an_image_that_is_shown_turned(tmp_path):
    root = voc(tmp_path)
    turned = PillowImage.new("RGB", (10, 8))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(root / "JPEGImages" / "a.png", exif=exif)
    with pytest.raises(og.DecodeError, match="it fits the image before its EXIF orientation was applied"):
        og.open_source(root).read(0)


def test_missing_images_fail_by_name_and_all_missing_at_once(tmp_path):
    root = coco(tmp_path)
    (root / "images" / "b.png").unlink()
    with pytest.warns(
        og.OffgraphWarning, match=r"1 of 2 images is not in .*images: b\.png; .* on_error='skip'"
    ):
        source = og.open_source(root)
    with pytest.raises(og.DecodeError, match=r"b\.png"):
        source.read(1)
    (root / "images" / "a.png").unlink()
    with pytest.raises(og.SourceError, match=r"not one of the 2 images is there, such as 'b\.png'"):
        og.open_source(root)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "images/../../x.png", "", "a\0.png", "."])
def test_paths_that_climb_out(tmp_path, name):
    data = coco_data()
    data["images"][0]["file_name"] = name
    image(tmp_path / "secret.png")
    with pytest.raises(og.SourceError, match=r"leads out of|file_name|not a path"):
        og.open_source(coco(tmp_path / "in", data))


def test_links_that_lead_out(tmp_path):
    image(tmp_path / "secret.png")
    root = coco(tmp_path / "in")
    (root / "images" / "b.png").unlink()
    (root / "images" / "b.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(og.SourceError, match=r"image 1: 'b\.png' leads out of"):
        og.open_source(root)


def test_one_file_listed_twice(tmp_path):
    data = coco_data()
    data["images"][1]["file_name"] = "b.png"
    with pytest.raises(og.SourceError, match=r"two images have the file_name 'b\.png'"):
        og.open_source(coco(tmp_path, data))


def test_yolo_names_and_numbers(tmp_path):
    root = yolo(tmp_path, "2 .5 .5 .1 .1")
    with pytest.raises(og.SourceError, match=r"a\.txt, line 1: class 2, and there are 2 names of classes"):
        og.open_source(root)
    assert og.open_source(root, class_names=["x", "y", "z"]).read(0).boxes.labels.tolist() == [2]
    (root / "data.yaml").unlink()
    with pytest.raises(og.SourceError, match=r"no data\.yaml and no classes\.txt"):
        og.open_source(root)
    image(root / "images" / "a.jpg")
    with pytest.raises(og.SourceError, match=r"a\.jpg and a\.png have the same name"):
        og.open_source(root, class_names=["x", "y", "z"])
    (root / "images" / "a.jpg").unlink()
    text(root / "labels" / "zz.txt", "")
    with pytest.raises(og.SourceError, match=r"1 of 2 files of labels have no image in .*: zz\.txt"):
        og.open_source(root, class_names=["x", "y", "z"])


def test_class_names_of_a_model(tmp_path):
    for convention in ("voc", "coco"):
        root = LAYOUTS[convention](tmp_path / convention)
        names = ["bird", "dog", "cat"]
        assert og.open_source(root, class_names=names).read(0).boxes.labels[0] == 1
        assert og.open_source(og.open_source(root), class_names=names)[0].objects.labels[0] == 1
        with pytest.raises(og.SourceError, match=r"dog.* not among class_names"):
            og.open_source(root, class_names=["cat", "bird"])


def test_a_source_is_split_by_its_rarest_class(tmp_path):
    objects = {f"n{i}": voc_xml("rare" if i < 4 else "often") for i in range(24)}
    train, val = og.split(og.open_source(voc(tmp_path, **objects)), val=0.25)
    rare = train.class_names.index("rare")
    counts = [sum(rare in item.objects.labels for item in part) for part in (train, val)]
    assert counts == [3, 1]


# ---- masks and keypoints


def test_masks_of_objects(tmp_path):
    root = coco(tmp_path)
    instances = og.open_source(root, masks="instances").read(0).mask
    want = np.zeros((8, 10), int)
    want[1:4, 2:6] = 1
    want[0:2, 0:3] = 2
    np.testing.assert_array_equal(instances.array, want)
    semantic = og.open_source(root, masks="semantic").read(0).mask.array
    np.testing.assert_array_equal(semantic, np.array([0, 2, 1])[want])
    with_crowd = og.open_source(root, masks="semantic", crowds=True).read(0).mask.array
    assert (with_crowd == 1).all()
    assert not og.open_source(root, masks="instances").read(1).mask.array.any()


def test_objects_without_a_region_are_told(tmp_path):
    data = coco_data()
    del data["annotations"][0]["segmentation"]
    with pytest.warns(
        og.OffgraphWarning, match="objects without a polygon or run lengths.* in 1 image: a.png"
    ):
        og.open_source(coco(tmp_path, data), masks="instances", crowds=True)


def test_run_lengths_that_lie_about_their_size(tmp_path):
    data = coco_data()
    data["annotations"][1]["segmentation"]["size"] = [80_000, 100_000]
    source = og.open_source(coco(tmp_path, data), masks="instances")
    with pytest.raises(og.DecodeError, match=r"a\.png: .*annotation 2 \(id 6\): its mask is 80000 x 100000"):
        source.read(0)
    data["annotations"][1]["segmentation"] = {"size": [8, 10], "counts": [0, 81]}
    source = og.open_source(coco(tmp_path, data), masks="instances")
    with pytest.raises(og.DecodeError, match=r"annotation 2 \(id 6\): its runs cover 81 pixels"):
        source.read(0)


def test_keypoints_are_points(tmp_path):
    data = coco_data()
    data["categories"][0]["keypoints"] = ["nose", "left_eye", "right_eye"]
    data["annotations"][0]["keypoints"] = [3, 2, 2, 4, 1, 1, 0, 0, 0]
    source = og.open_source(coco(tmp_path, data))
    points = source.read(0).points
    assert points.places[0].tolist() == [[2, 3], [1, 4], [0, 0]]
    assert points.visible.tolist() == [[2, 1, 0], [0, 0, 0]]
    assert points.pairs == ((1, 2),) and points.labels.tolist() == [1, 0]
    assert source.read(1).points.places.shape == (0, 3, 2)


# ---- written again


@pytest.mark.parametrize("to", LAYOUTS)
@pytest.mark.parametrize("convention", LAYOUTS)
def test_what_is_written_is_found_again(tmp_path, convention, to):
    source = og.open_source(LAYOUTS[convention](tmp_path / "in"))
    write_annotations(tmp_path / "out", source, format=to, images="copy")
    again = og.open_source(tmp_path / "out", class_names=source.class_names)  # VOC lists no classes
    assert again.class_names == source.class_names
    assert [item.name for item in again] == [item.name for item in source]
    for i in range(len(source)):
        one, other = source.read(i).boxes, again.read(i).boxes
        assert one.labels.tolist() == other.labels.tolist()
        np.testing.assert_allclose(other.edges, one.edges, atol=1e-9)
        if convention == to:
            np.testing.assert_array_equal(again[i].objects.boxes, source[i].objects.boxes)


def test_regions_keypoints_and_flags_come_back(tmp_path):
    data = coco_data()
    data["categories"][0]["keypoints"] = ["nose", "tail"]
    data["annotations"][0] |= {"keypoints": [3, 2, 2, 4, 1, 1], "area": 12.5}
    source = og.open_source(coco(tmp_path / "in", data), crowds=True, masks="semantic")
    write_annotations(tmp_path / "out", source, format="coco", images="copy")
    again = og.open_source(tmp_path / "out", crowds=True, masks="semantic")
    np.testing.assert_array_equal(again.read(0).mask.array, source.read(0).mask.array)
    one, other = source[0].objects, again[0].objects
    assert other.columns["iscrowd"].tolist() == [False, False, True] and other.columns["area"][0] == 12.5
    np.testing.assert_array_equal(other.keypoints, one.keypoints)
    np.testing.assert_array_equal(other.regions[0][0], one.regions[0][0])
    np.testing.assert_array_equal(other.regions[1].runs, one.regions[1].runs)
    write_annotations(tmp_path / "yolo", source, format="yolo", images="copy")
    points = og.open_source(tmp_path / "yolo").read(0).points
    seen = points.visible > 0
    np.testing.assert_allclose(
        points.places[seen], source.read(0).points.places[source.read(0).points.visible > 0]
    )


def test_voc_keeps_flags_and_refuses_what_it_cannot_hold(tmp_path):
    source = og.open_source(voc(tmp_path / "in"))
    write_annotations(tmp_path / "out", source, format="voc", images="copy")
    assert og.open_source(tmp_path / "out")[0].objects.columns["difficult"].tolist() == [True]
    thin = Boxes([[2, 1, 3, 4]], size=(8, 10), labels=[0])
    with pytest.raises(og.SourceError, match=r"a\.png, box 1: at most one pixel wide"):
        write_annotations(tmp_path / "thin", {"a.png": thin}, format="voc", class_names=["cat"])


def test_boxes_by_name(tmp_path):
    boxes = Boxes([BOX, (0, 0, 2.5, 3)], size=(8, 10), labels=[1, 0])
    file = write_annotations(tmp_path, {"x/a.png": boxes}, format="coco", class_names=["cat", "dog"])
    assert file == tmp_path / "annotations" / "instances.json"
    image(tmp_path / "images" / "x" / "a.png")
    np.testing.assert_array_equal(og.open_source(tmp_path).read(0).boxes.to("xyxy"), [BOX, (0, 0, 2.5, 3)])


def test_classes_are_numbered_anew_when_they_are_written(tmp_path):
    source = og.open_source(voc(tmp_path / "in"))
    write_annotations(tmp_path / "out", source, format="yolo", class_names=["bird", "dog", "cat"])
    assert (tmp_path / "out" / "labels" / "a.txt").read_text().split()[0] == "1"
    with pytest.raises(og.SourceError, match=r"cat.* not among class_names"):
        write_annotations(tmp_path / "none", source, format="yolo", class_names=["dog"])


def test_writing_refuses_by_name(tmp_path):
    boxes = Boxes([BOX], size=(8, 10), labels=[1])
    for given, options, why in (
        ({"a.png": boxes}, {"format": "xml"}, "format='xml': choose"),
        ({"a.png": boxes}, {"format": "voc"}, "class_names: name the classes|class_names="),
        ({"a.png": boxes}, {"format": "voc", "class_names": ["a"]}, "a.png: labels of 1 to 1"),
        ({"../a.png": boxes}, {"format": "voc", "class_names": ["a", "b"]}, "not a path inside a folder"),
        (
            {"a.png": boxes, "a.jpg": boxes},
            {"format": "yolo", "class_names": ["a", "b"]},
            "one file of annotations",
        ),
        ({"a.png": [[1, 2, 3, 4]]}, {"format": "voc", "class_names": ["a"]}, "give a Source with boxes"),
        ({"a.png": boxes}, {"format": "voc", "images": "move"}, "images='move'"),
        (
            {"a.tif": Boxes([], size=(2, 3, 4))},
            {"format": "coco", "class_names": ["a"]},
            "a.tif: boxes in space",
        ),
    ):
        with pytest.raises(og.OffgraphError, match=why):
            write_annotations(tmp_path / "out", given, **options)
    assert not (tmp_path / "out").exists()
    text(tmp_path / "out" / "labels" / "b.txt", "")
    with pytest.raises(og.ArgumentError, match="is there and not empty"):
        write_annotations(tmp_path / "out", {"a.png": boxes}, format="yolo", class_names=["a", "b"])
    image(tmp_path / "plain" / "a.png")
    with pytest.raises(og.ArgumentError, match="a source without boxes"):
        write_annotations(tmp_path / "out", og.open_source(tmp_path / "plain"), format="coco")


# ---- real data


def test_blood(tmp_path, shared_data):
    with pytest.warns(og.OffgraphWarning, match="2 bad boxes"):
        source = og.open_source(shared_data / "blood")
    assert source.class_names == ("Platelets", "RBC", "WBC") and len(source) == 112
    assert source.left_out_boxes == {
        "box without area": (
            "Annotations/BloodImage_00338.xml, object 13 (RBC)",
            "Annotations/BloodImage_00343.xml, object 4 (RBC)",
        )
    }
    assert sum(len(item.objects) for item in source) == 1475
    for convention, check in (("voc", 0), ("coco", 1e-9), ("yolo", 1e-9)):
        write_annotations(tmp_path / convention, source, format=convention)
        made = tmp_path / convention / ("annotations/instances.json" if convention == "coco" else "")
        where = {"voc": "Annotations", "coco": "annotations/instances.json", "yolo": "labels"}[convention]
        again = og.open_source(source.root, annotations=made / where if made.is_dir() else made)
        assert again.class_names == source.class_names and again.skipped_boxes == {}
        for index in (0, 50, 111):
            one, other = source.read(index).boxes, again.read(index).boxes
            np.testing.assert_allclose(other.edges, one.edges, atol=check)
            assert other.labels.tolist() == one.labels.tolist()


def test_nuclei_as_coco_run_lengths(tmp_path, shared_data):
    """Instance masks to run lengths and back: the same labels, in the order of the objects."""
    from offgraph.sources.coco import coco_json
    from offgraph.sources.rle import encode_runs, text_of_runs

    paired = og.open_source(shared_data / "nuclei" / "images", masks=shared_data / "nuclei" / "labels")
    listed, masks = [], []
    for index in range(0, len(paired), 18):
        sample = paired.read(index)
        labels = sample.mask.array
        objects = []
        boxes = Boxes.of_labels(sample.mask, format="coco")
        for label, box in zip(boxes.extra["instance"], boxes.array.tolist(), strict=True):
            code = text_of_runs(encode_runs(labels == label))
            objects.append(
                {"bbox": box, "category": 0, "segmentation": {"size": list(labels.shape), "counts": code}}
            )
        listed.append((sample.item.name, labels.shape, objects))
        masks.append(np.searchsorted(np.unique(labels), labels))
    file = text(tmp_path / "instances.json", json.dumps(coco_json(listed, ["nucleus"])))
    source = og.open_source(file, root=paired.root, masks="instances")
    assert len(source) == len(listed) == 5
    for index, mask in enumerate(masks):
        np.testing.assert_array_equal(source.read(index).mask.array, mask)

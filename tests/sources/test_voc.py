"""VOC's XML files: what they say, and how broken ones are told."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph.sources.objects import ObjectsKept, bad_boxes, number_of
from offgraph.sources.voc import parse_voc, voc_text

OBJECT = "<object><name>cat</name>{}<bndbox><xmin>3</xmin><ymin>1</ymin><xmax>6</xmax><ymax>4.5</ymax></bndbox></object>"


def annotation(tmp_path, body: str, begin: str = "") -> Path:
    file = tmp_path / "a.xml"
    file.write_text(f"{begin}<annotation>{body}</annotation>", "utf-8")
    return file


def test_a_file_with_known_numbers(tmp_path):
    flags = "<pose>Left</pose><truncated>1</truncated><difficult>0</difficult>"
    size = "<size><width>10</width><height>8</height><depth>3</depth></size>"
    found = parse_voc(annotation(tmp_path, f"<filename> a.jpg </filename>{size}{OBJECT.format(flags)}"))
    assert (found.image, found.size) == ("a.jpg", (8, 10))
    (row,) = found.rows
    assert (row.place, row.category, row.box) == ("object 1 (cat)", "cat", (3, 1, 6, 4.5))
    assert row.columns == {"truncated": True, "difficult": False, "occluded": False, "pose": "Left"}


@pytest.mark.parametrize("size", ["", "<size/>", "<size><width>0</width><height>0</height></size>"])
def test_a_size_that_is_left_out_is_not_known(tmp_path, size):
    assert parse_voc(annotation(tmp_path, size)).size is None


def test_no_objects_and_parts_of_objects(tmp_path):
    assert parse_voc(annotation(tmp_path, "")).rows == ()
    part = "<part><name>head</name><bndbox><xmin>3</xmin></bndbox></part>"
    assert len(parse_voc(annotation(tmp_path, OBJECT.format(part))).rows) == 1


BROKEN = [
    ("<object></object>", "object 1: no name"),
    ("<object><name> </name></object>", "object 1: no name"),
    (OBJECT.format("") + "<object><name>b</name></object>", r"object 2 \(b\): no bndbox"),
    (OBJECT.format("<bndbox/>"), "object 1 .cat.: 2 bndbox"),
    (OBJECT.format("").replace("<ymin>1</ymin>", ""), "object 1 .cat.: no ymin"),
    (OBJECT.format("").replace("<ymin>1", "<ymin>1</ymin><ymin>2"), "object 1 .cat.: 2 ymin"),
    (OBJECT.format("").replace(">6<", ">six<"), "xmax is 'six', not a number"),
    (OBJECT.format("").replace(">6<", ">nan<"), "xmax is 'nan', not a number"),
    (OBJECT.format("").replace(">6<", ">1e999<"), "xmax is '1e999', not a number"),
    (OBJECT.format("").replace(">6<", ">-inf<"), "xmax is '-inf', not a number"),
    (OBJECT.format("").replace(">6<", "><"), "xmax is '', not a number"),
    (OBJECT.format("<difficult>maybe</difficult>"), "difficult is 'maybe', and may be 0 or 1"),
    ("<size><width>-1</width><height>3</height></size>", "the width of its size is '-1'"),
    ("<size><width>2.5</width><height>3</height></size>", "the width of its size is '2.5'"),
]


@pytest.mark.parametrize(("body", "why"), BROKEN)
def test_a_broken_file_names_itself_and_the_object(tmp_path, body, why):
    with pytest.raises(og.SourceError, match=rf"a\.xml(, |: ).*{why}"):
        parse_voc(annotation(tmp_path, body))


BOMB = '<!DOCTYPE lolz [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize("begin", [BOMB, OUTSIDE, '<!DOCTYPE x SYSTEM "http://example.org/x.dtd">'])
def test_entities_and_document_types_are_refused(tmp_path, begin):
    with pytest.raises(og.SourceError, match=r"a\.xml: declares a document type or entities"):
        parse_voc(annotation(tmp_path, "<filename>&f;</filename>", begin))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not well-formed"),
        (b"<annotation>", "not well-formed"),
        (b"\xff\xd8\xff\xe0JFIF", "not well-formed"),
        (b"<annotation>\xff</annotation>", "not well-formed"),
        (b'<?xml version="1.0" encoding="klingon"?><annotation/>', "klingon|not readable|not well-formed"),
        (b'<?xml version="1.0" encoding="utf-7"?><annotation/>', "not readable|not well-formed"),
        (b"<html/>", "its first element is 'html'"),
        (b"<a:annotation/>", "not well-formed"),
        (b"<annotation>" + b"<x>" * 50_000 + b"</x>" * 50_000 + b"</annotation>", None),
    ],
)
def test_hostile_bytes(tmp_path, data, why):
    file = tmp_path / "a.xml"
    file.write_bytes(data)
    if why is None:
        assert parse_voc(file).rows == ()
        return
    with pytest.raises(og.SourceError, match=rf"a\.xml: .*({why})"):
        parse_voc(file)


def test_what_is_too_large_or_absent(tmp_path, monkeypatch):
    monkeypatch.setattr("offgraph.sources.voc.MOST_BYTES", 20)
    with pytest.raises(og.SourceError, match="files of up to 20 are read"):
        parse_voc(annotation(tmp_path, OBJECT.format("")))
    with pytest.raises(og.SourceError, match="No such file"):
        parse_voc(tmp_path / "b.xml")


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=120), st.integers(0, 250), st.integers(0, 30))
def test_any_change_is_read_or_refused(tmp_path_factory, inserted, at, removed):
    whole = f"<annotation><size><width>9</width><height>8</height></size>{OBJECT.format('')}</annotation>".encode()
    file = tmp_path_factory.mktemp("voc") / "a.xml"
    file.write_bytes(whole[:at] + inserted + whole[at + removed :])
    said = ""
    try:
        parse_voc(file)
    except og.SourceError as error:
        said = str(error)
    assert not said or "a.xml" in said


NUMBER = st.one_of(st.integers(-5, 10**6).map(float), st.floats(-1e8, 1e8).map(float))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), st.sampled_from(["a", "é <&> 7", "b c"]), st.booleans()
        ),
        max_size=4,
    ),
    st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
)
def test_what_is_written_is_read_back_equal(tmp_path_factory, objects, size):
    file = tmp_path_factory.mktemp("voc") / "a.xml"
    columns = [
        {"truncated": flag, "difficult": not flag, "occluded": flag, "pose": "Left" * flag}
        for *_, flag in objects
    ]
    text = voc_text(
        "ü & <a>.jpg", size, 3, [box for box, *_ in objects], [name for _, name, _ in objects], columns
    )
    file.write_text(text, "utf-8")
    found = parse_voc(file)
    assert (found.image, found.size) == ("ü & <a>.jpg", size)
    assert [(row.box, row.category, row.columns) for row in found.rows] == [
        (box, name, column) for (box, name, _), column in zip(objects, columns, strict=True)
    ]


def test_names_that_xml_cannot_hold():
    with pytest.raises(og.SourceError, match="holds the character"):
        voc_text("a\x00.jpg", (3, 4), 3, [], [], [])


# ---- bad boxes, in every format


@pytest.mark.parametrize(
    ("convention", "box", "why"),
    [
        ("voc", (3, 1, 3, 5), "box without area: xmin, ymin, xmax, ymax are 3, 1, 3, 5"),
        ("voc", (5, 1, 3, 5), "box without area"),
        ("voc", (11, 1, 14, 5), "box outside the image: .* are 11, 1, 14, 5, in an image 10 wide and 8 high"),
        ("voc", (-5, 1, 0, 5), "box outside"),
        ("voc", (10, 1, 14, 5), None),
        ("voc", (0, 0, 11, 9), None),
        ("voc", (-5, 1, 0.5, 5), None),
        ("coco", (3, 1, 0, 5), "box without area: x, y, width, height"),
        ("coco", (3, 1, 4, -5), "box without area"),
        ("coco", (10, 1, 4, 5), "box outside"),
        ("coco", (0, 8, 4, 5), "box outside"),
        ("coco", (-4, 0, 4, 5), "box outside"),
        ("coco", (9.5, 7.5, 4, 5), None),
        ("yolo", (0.5, 0.5, 0, 0.1), "box without area"),
        ("yolo", (0.5, 0.5, 1.01, 0.1), "numbers outside 0 to 1"),
        ("yolo", (320, 240, 50, 60), "numbers outside 0 to 1: .* must be shares"),
        ("yolo", (-0.1, 0.5, 0.1, 0.1), "numbers outside 0 to 1"),
        ("yolo", (1, 1, 1.0000001, 1), None),
    ],
)
def test_bad_boxes_say_why(convention, box, why):
    sound = (0.5, 0.5, 1, 1) if convention == "yolo" else (1, 1, 2, 2)
    found = bad_boxes(np.array([sound, box], float), convention, (8, 10))
    assert list(found) == ([] if why is None else [1])
    assert why is None or re.match(why, found[1])


def test_a_box_is_outside_only_of_a_known_size():
    assert bad_boxes(np.array([(500.0, 1, 600, 9)]), "voc", None) == {}


def test_the_choice_about_bad_boxes(tmp_path):
    flat = OBJECT.format("").replace(">6<", ">3<")
    voc = parse_voc(annotation(tmp_path, OBJECT.format("") + flat))
    kept = ObjectsKept("here", "skip")
    objects = kept.gather(voc.file, "a.xml", "voc", voc.rows, lambda name: 7, None)
    assert objects.boxes.tolist() == [[3, 1, 6, 4.5]] and objects.labels.tolist() == [7]
    assert kept.left_out.counts == {"box without area": 1}
    assert kept.left_out.names == {"box without area": ("a.xml, object 2 (cat)",)}
    kept.warn()  # said by the caller
    asked = ObjectsKept("here", None)
    asked.gather(voc.file, "a.xml", "voc", voc.rows, lambda name: 7, None)
    with pytest.warns(og.OffgraphWarning, match="here: 1 bad box is not passed on, such as a.xml, object 2"):
        asked.warn()
    with pytest.raises(og.SourceError, match=r"a\.xml, object 2 \(cat\): box without area"):
        ObjectsKept("here", "error").gather(voc.file, "a.xml", "voc", voc.rows, lambda name: 7, None)


@pytest.mark.parametrize(
    "text", ["1_0", "0x1", "nan", "inf", "", "1e400", "１", "1,5", True, None, 10**400, [1]]
)
def test_what_is_no_number(text):
    assert number_of(text) is None

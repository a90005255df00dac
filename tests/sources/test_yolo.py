"""YOLO's text files and the names of its classes: what they say, and how broken ones are told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph.sources.yolo import find_names, names_of_yaml, parse_yolo, yolo_line


def saved(tmp_path, text, name="a.txt"):
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_a_file_with_known_numbers(tmp_path):
    text = "0 0.5 0.25 0.1 0.2\n\n  3\t1e-1 .5 1 1.0 \r\n2 0.1 0.2 0.5 0.2 0.5 0.8 0.1 0.6\n"
    box, other, polygon = parse_yolo(saved(tmp_path, text))
    assert (box.place, box.category, box.box, box.region) == ("line 1", 0, (0.5, 0.25, 0.1, 0.2), None)
    assert (other.place, other.category, other.box) == ("line 3", 3, (0.1, 0.5, 1, 1))
    assert polygon.place == "line 4"
    np.testing.assert_allclose(polygon.box, (0.3, 0.5, 0.4, 0.6), rtol=1e-15)
    assert polygon.region[0].tolist() == [[0.1, 0.2], [0.5, 0.2], [0.5, 0.8], [0.1, 0.6]]


def test_an_empty_file_has_no_objects(tmp_path):
    assert parse_yolo(saved(tmp_path, "")) == [] == parse_yolo(saved(tmp_path, "\n \n"))


def test_keypoints(tmp_path):
    file = saved(tmp_path, "0 .5 .5 .2 .2  .4 .6 2  0 0 0\n")
    (row,) = parse_yolo(file, (2, 3))
    assert row.box == (0.5, 0.5, 0.2, 0.2) and row.region is None
    assert row.keypoints.tolist() == [[0.4, 0.6, 2], [0, 0, 0]]
    (row,) = parse_yolo(saved(tmp_path, "0 .5 .5 .2 .2  .4 .6  .1 .2"), (2, 2))
    assert row.keypoints.tolist() == [[0.4, 0.6, 2], [0.1, 0.2, 2]]
    with pytest.raises(
        og.SourceError, match="line 1: 8 numbers after the class, and a box with 3 keypoints of 3 has 13"
    ):
        parse_yolo(file, (3, 3))
    with pytest.raises(og.SourceError, match="line 1: the third number of each keypoint"):
        parse_yolo(saved(tmp_path, "0 .5 .5 .2 .2  .4 .6 .5  0 0 0"), (2, 3))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("cat .5 .5 .1 .1", "the class is 'cat'"),
        ("-1 .5 .5 .1 .1", "the class is '-1'"),
        ("0.5 .5 .5 .1 .1", "the class is '0.5'"),
        ("1e30 .5 .5 .1 .1", "the class is '1e30'"),
        ("0 .5 .5 .1", "3 numbers after the class; a box has 4, and a polygon 6"),
        ("0", "0 numbers after the class"),
        ("0 .5 .5 .1 .1 .9", "5 numbers after the class.*a confidence is not part"),
        ("0 .1 .2 .3 .4 .5 .6 .7", "7 numbers after the class"),
        ("0 nan .5 .1 .1", "'nan' is not a number"),
        ("0 .5 .5 inf .1", "'inf' is not a number"),
        ("0 .5 .5 1e999 .1", "'1e999' is not a number"),
        ("0,.5,.5,.1,.1", "the class is"),
        ("0 .5 .5 .1 1_0", "'1_0' is not a number"),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, why):
    with pytest.raises(og.SourceError, match=rf"a\.txt, line 2: .*{why}"):
        parse_yolo(saved(tmp_path, f"0 .5 .5 .1 .1\n{line}\n"))


def test_bytes_that_are_no_text(tmp_path, monkeypatch):
    with pytest.raises(og.SourceError, match=r"a\.txt: not UTF-8 text at byte 2"):
        parse_yolo(saved(tmp_path, b"0 \xff"))
    monkeypatch.setattr("offgraph.sources.yolo.MOST_BYTES", 3)
    with pytest.raises(og.SourceError, match="files of up to 3 are read"):
        parse_yolo(saved(tmp_path, "0 0 0 0"))


@settings(max_examples=150, deadline=None)
@given(st.text("01 .-e\nnaif5", max_size=40) | st.binary(max_size=40))
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    file = saved(tmp_path_factory.mktemp("yolo"), text)
    said = ""
    try:
        parse_yolo(file)
    except og.SourceError as error:
        said = str(error)
    assert not said or "a.txt" in said


SHARE = st.floats(0, 1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 99), st.lists(SHARE, min_size=4, max_size=4)), max_size=5))
def test_what_is_written_is_read_back_equal(tmp_path_factory, objects):
    text = "".join(f"{yolo_line(label, numbers)}\n" for label, numbers in objects)
    rows = parse_yolo(saved(tmp_path_factory.mktemp("yolo"), text))
    assert [(row.category, list(row.box)) for row in rows] == objects


# ---- names of classes


@pytest.mark.parametrize(
    "names", ["[cat, dog]", "\n- cat\n- dog", "{0: cat, 1: dog}", "\n  1: dog\n  0: cat"]
)
def test_names_in_yaml(tmp_path, names):
    found = names_of_yaml(
        saved(tmp_path, f"train: images/train\nval: 5\nnc: 2\nnames: {names}\n", "data.yaml")
    )
    assert found.class_names == ("cat", "dog") and found.keypoints is None
    assert found.parts == (("train", "images/train"),)


def test_numbers_as_names_and_keypoints_in_yaml(tmp_path):
    found = names_of_yaml(saved(tmp_path, "names: [1, 2.5]\nkpt_shape: [17, 3]", "data.yaml"))
    assert found.class_names == ("1", "2.5") and found.keypoints == (17, 3)


BOMB = (
    "a0: &a0 [x]\n"
    + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    + "names: *a11"
)
MERGED = "a0: &a0 {k: v}\n" + "".join(
    f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no names of classes"),
        ("nc: 3", "no names of classes"),
        ("names: []", "no names of classes"),
        ("names: cat", "no names of classes"),
        ("names: {0: cat, 2: dog}", "numbered from 0 to 1 without gaps"),
        ("names: {a: cat}", "numbered from 0 to 0"),
        ("names: [yes, no]", "the class name True is not a text"),
        ("names: [cat, [dog]]", "the class name .'dog'. is not a text"),
        ("names: [cat, cat]", "two classes are called 'cat'"),
        ("names: [cat, '']", "the name of class 1 is empty"),
        ("names: [cat]\nkpt_shape: [17]", "kpt_shape is .17."),
        ("names: [cat]\nkpt_shape: [0, 3]", "kpt_shape"),
        ("names: [cat\n", "not readable as YAML"),
        ("names: !!python/object/apply:os.system [ls]", "not readable as YAML"),
        ("[" * 1200, "not readable as YAML"),
        (b"\xff\xfe\x00\xd8", "not readable as YAML"),
        ("a: &a [x]\nnames: [*a]", "aliases are not read here"),
        (BOMB, "aliases are not read here"),
        (MERGED, "aliases are not read here"),
    ],
)
def test_broken_yaml_is_named(tmp_path, text, why):
    with pytest.raises(og.SourceError, match=rf"data\.yaml: .*{why}"):
        names_of_yaml(saved(tmp_path, text, "data.yaml"))


def test_names_are_looked_for_with_the_labels_and_above(tmp_path):
    labels = tmp_path / "set" / "labels" / "train"
    labels.mkdir(parents=True)
    assert find_names(labels, labels) is None
    saved(tmp_path / "set", "names: [far]", "data.yaml")
    assert find_names(labels, labels).class_names == ("far",)
    saved(labels, "cat\ndog\n\n", "classes.txt")
    assert find_names(labels, labels).class_names == ("cat", "dog")
    saved(labels, "names: [cat, dog]", "data.yaml")
    assert find_names(labels, labels).class_names == ("cat", "dog")
    saved(labels, "names: [dog, cat]", "data.yaml")
    with pytest.raises(og.SourceError, match=r"data\.yaml and classes\.txt beside it have other names"):
        find_names(labels, labels)


@pytest.mark.parametrize(
    ("text", "why"), [("", "no names"), ("cat\n\ndog", "class 1 is empty"), ("a\na", "two classes")]
)
def test_broken_lists_of_names(tmp_path, text, why):
    saved(tmp_path, text, "classes.txt")
    with pytest.raises(og.SourceError, match=rf"classes\.txt: .*{why}"):
        find_names(tmp_path, tmp_path)

"""Formats of boxes against numbers worked out by hand, and there and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offgraph.core.errors import ArgumentError
from offgraph.targets import Boxes, Mask
from offgraph.targets.box_formats import BoxFormat, boxes_of_edges, edges_of_boxes

# One object that covers the pixels of rows 1 to 2 and columns 2 to 5 of an image of 8 x 10.
_SAME = {
    "xyxy": (2, 1, 6, 3),
    "xywh": (2, 1, 4, 2),
    "cxcywh": (4, 2, 4, 2),
    "coco": (2, 1, 4, 2),
    "yolo": (0.4, 0.25, 0.4, 0.25),
    "voc": (3, 2, 6, 3),
}
_EDGES = (0.5, 1.5, 2.5, 5.5)


@pytest.mark.parametrize("format", _SAME)
def test_one_object_in_every_format(format: BoxFormat):
    boxes = Boxes([_SAME[format]], format, size=(8, 10))
    np.testing.assert_allclose(boxes.edges, [_EDGES], rtol=0, atol=1e-15)
    for other, numbers in _SAME.items():
        np.testing.assert_allclose(boxes.to(other), [numbers], rtol=0, atol=1e-15)
    np.testing.assert_allclose(boxes.array, [_SAME[format]], rtol=0, atol=1e-15)


def test_a_mask_of_the_object_has_its_box():
    labels = np.zeros((8, 10), np.uint8)
    labels[1:3, 2:6] = 9
    boxes = Boxes.of_labels(Mask(labels))
    assert boxes.edges.tolist() == [list(_EDGES)] and boxes.to("voc").tolist() == [[3, 2, 6, 3]]


@pytest.mark.parametrize(
    ("format", "numbers"),
    [
        ("xyxy", (0, 0, 10, 8)),
        ("coco", (0, 0, 10, 8)),
        ("yolo", (0.5, 0.5, 1, 1)),
        ("voc", (1, 1, 10, 8)),
        ("cxcywh", (5, 4, 10, 8)),
    ],
)
def test_the_whole_image(format: BoxFormat, numbers):
    boxes = Boxes([numbers], format, size=(8, 10))
    assert boxes.edges.tolist() == [[-0.5, -0.5, 7.5, 9.5]]


def test_voc_boxes_of_one_pixel_are_no_degenerate_ones():
    assert Boxes([[5, 7, 5, 7]], "voc", size=(8, 10)).edges.tolist() == [[5.5, 3.5, 6.5, 4.5]]
    with pytest.raises(ArgumentError, match=r"box 0 of 1, .* has no area: it is 0 long along X"):
        Boxes([[5, 7, 4, 7]], "voc", size=(8, 10))


_FORMATS = st.sampled_from(list(_SAME))
_NUMBERS = st.floats(0, 1000, width=32)


@given(_FORMATS, st.lists(st.tuples(_NUMBERS, _NUMBERS, _NUMBERS, _NUMBERS), max_size=4), st.data())
@settings(max_examples=100, deadline=None)
def test_there_and_back(format, numbers, data):
    size = (data.draw(st.integers(1, 2000)), data.draw(st.integers(1, 2000)))
    given = np.array(numbers, np.float64).reshape(-1, 4)
    back = boxes_of_edges(edges_of_boxes(given, format, size), format, size)
    np.testing.assert_allclose(back, given, rtol=1e-12, atol=1e-9)
    whole = np.round(given)
    if format != "yolo":  # halves are exact
        back = boxes_of_edges(edges_of_boxes(whole, format, size), format, size)
        np.testing.assert_array_equal(back, whole)


def test_boxes_in_space_have_z_last_of_three():
    boxes = Boxes([[1, 2, 3, 5, 7, 9]], size=(10, 11, 12))
    assert boxes.edges.tolist() == [[2.5, 1.5, 0.5, 8.5, 6.5, 4.5]]
    assert boxes.to("xywh").tolist() == [[1, 2, 3, 4, 5, 6]]
    with pytest.raises(ArgumentError, match="'coco' is for two axes"):
        boxes.to("coco")


def test_outlines_have_the_zero_of_their_format():
    square = [(0, 0), (10, 0), (10, 8), (0, 8)]
    coco = Boxes([[0, 0, 10, 8]], "coco", size=(8, 10), polygons=[[square]])
    assert coco.outlines[0][0].tolist() == [[-0.5, -0.5], [-0.5, 9.5], [7.5, 9.5], [7.5, -0.5]]
    yolo = Boxes([[0.5, 0.5, 1, 1]], "yolo", size=(8, 10), polygons=[[np.array(square) / (10, 8)]])
    np.testing.assert_allclose(yolo.outlines[0][0], coco.outlines[0][0])
    np.testing.assert_allclose(yolo.polygons[0][0], np.array(square) / (10, 8))
    centres = Boxes([[1, 1, 2, 2]], "voc", size=(8, 10), polygons=[[[(1, 1), (2, 1), (2, 2)]]])
    assert centres.outlines[0][0].tolist() == [[0, 0], [0, 1], [1, 1]]


@pytest.mark.parametrize(
    ("array", "options", "says"),
    [
        ([[0, 0, 2, 2], [3, 3, 3, 4]], {}, r"box 1 of 2, \(3, 3, 3, 4\) in format 'xyxy', has no area"),
        ([[0, 0, 2, np.nan]], {}, "not finite"),
        ([[5, 0, 4, 2]], {}, "-1 long along X"),
        ([[10, 0, 12, 2]], {}, r"lies outside the image of size \(8, 10\)"),
        ([[-3, 0, 0, 2]], {}, "lies outside"),
        ([[0, 0, 2]], {}, r"shape \(1, 3\)"),
        ("abcd", {}, "array of numbers"),
        ([[0, 0, 2, 2]], {"format": "pascal"}, "known are xyxy"),
        ([[0, 0, 2, 2]], {"labels": [1, 2]}, "labels has 2 entries for 1"),
        ([[0, 0, 2, 2]], {"extra": {"score": 0.5}}, "give one per box"),
        ([[0, 0, 2, 2]], {"polygons": [[[(0, 0), (1, 1)]]]}, "three points"),
        ([[0, 0, 2, 2]], {"bad_boxes": "drop"}, "choose 'skip' or 'error'"),
        ([[0, 0, 2, 2]], {"on_bad": "warn"}, "write bad_boxes='error' or bad_boxes='skip'"),
        ([[0, 0, 2, 2]], {"min_visibility": 2}, "share from 0 to 1"),
        ([[0, 0, 2, 2]], {"min_area": -1}, "from 0"),
        ([[0, 0, 2, 2]], {"size": (8,)}, "height, width"),
    ],
)
def test_what_is_no_box_is_refused_by_number(array, options, says):
    with pytest.raises(ArgumentError, match=says):
        Boxes(array, **{"size": (8, 10), **options})


def test_bad_boxes_are_left_out_and_told():
    rows = [[0, 0, 2, 2], [3, 3, 3, 4], [1, 1, 5, 5], [np.inf, 0, 1, 1]]
    boxes = Boxes(
        rows, size=(8, 10), labels=["a", "b", "c", "d"], extra={"s": [1, 2, 3, 4]}, bad_boxes="skip"
    )
    assert boxes.ids.tolist() == [0, 2] and boxes.labels.tolist() == ["a", "c"]
    assert boxes.extra["s"].tolist() == [1, 3]
    assert [(gone.id, gone.reason) for gone in boxes.dropped] == [
        (1, "has no area: it is 0 long along X"),
        (3, "has a number that is not finite"),
    ]
    earlier = Boxes(rows, size=(8, 10), on_bad="drop")  # the name until there was one word, without a warning
    assert (
        earlier.ids.tolist() == [0, 2] and len(Boxes([[0, 0, 2, 2]], size=(8, 10), on_bad="error").ids) == 1
    )


def test_no_boxes():
    assert Boxes([], size=(8, 10)).array.shape == (0, 4)
    assert Boxes(np.empty((0, 6)), size=(8, 10, 3)).array.shape == (0, 6)

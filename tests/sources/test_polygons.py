"""Polygons and run lengths to masks, against exact arithmetic and against codes worked out by hand."""

from __future__ import annotations

import doctest
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from offgraph.sources import polygons, rle
from offgraph.sources.polygons import PolygonError, RunLengths, fill_polygon, instance_mask, semantic_mask
from offgraph.sources.rle import RunLengthError, decode_runs, encode_runs, runs_of_text, text_of_runs

SIZE = (7, 9)
# Eighths, so that centres on edges and corners come up often, and exact numbers are floats.
COORDINATE = st.integers(-16, 88).map(lambda n: n / 8)
POLYGON = st.lists(st.tuples(COORDINATE, COORDINATE), min_size=3, max_size=7)


def inside_exactly(polygon, row: int, column: int) -> bool:
    """The rule of the module's docstring, in rational numbers."""
    corners = [(Fraction(r), Fraction(c)) for r, c in polygon]
    odd = False
    for one, other in zip(corners, [*corners[1:], corners[0]], strict=True):
        (top, left), (bottom, right) = sorted((one, other))
        if top <= row < bottom:
            odd ^= left + (row - top) * (right - left) / (bottom - top) <= column
    return odd


def filled(polygon, size=SIZE) -> np.ndarray:
    mask = np.zeros(size, bool)
    fill_polygon(mask, np.array(polygon, np.float64))
    return mask


@settings(max_examples=150, deadline=None)
@given(POLYGON)
@example([(0, 0), (0, 4), (4, 4), (4, 0)])
@example([(0, 0), (6, 6), (0, 6), (6, 0)])
def test_the_pixels_whose_centre_is_inside(polygon):
    want = [[inside_exactly(polygon, row, column) for column in range(SIZE[1])] for row in range(SIZE[0])]
    # A crossing may be no float: those within rounding of a centre are left out of the comparison.
    got, near = filled(polygon), near_an_edge(polygon)
    np.testing.assert_array_equal(got[~near], np.array(want)[~near])


def near_an_edge(polygon) -> np.ndarray:
    near = np.zeros(SIZE, bool)
    for one, other in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        (top, left), (bottom, right) = sorted((one, other))
        for row in range(SIZE[0]):
            if top <= row < bottom:
                at = Fraction(left) + (row - Fraction(top)) * Fraction(right - left) / Fraction(bottom - top)
                exact = float(at) == at
                columns = np.arange(SIZE[1])
                near[row] |= (not exact) & (np.abs(columns - float(at)) < 1e-9)
    return near


@settings(max_examples=60, deadline=None)
@given(POLYGON, st.integers(0, 6), st.booleans())
def test_the_first_corner_and_the_direction_are_no_matter(polygon, first, reverse):
    other = polygon[first:] + polygon[:first]
    np.testing.assert_array_equal(filled(polygon), filled(other[::-1] if reverse else other))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.floats(0.01, 0.99), min_size=0, max_size=4).map(sorted),
    st.floats(-3, 12),
    st.floats(-3, 12),
    st.floats(-2, 10),
)
def test_polygons_that_share_edges_share_no_pixel_and_leave_none_out(shares, upper, lower, bend):
    """A rectangle larger than the mask, cut in two along a line with any corners."""
    rows = [-2 + share * 10 for share in shares]
    cut = [(-2.0, upper), *((row, bend) for row in rows), (8.0, lower)]
    left, right = filled([*cut, (8, -50), (-2, -50)]), filled([*cut, (8, 50), (-2, 50)])
    np.testing.assert_array_equal(left.astype(int) + right, np.ones(SIZE, int))


def test_a_rectangle_along_pixel_edges_is_these_pixels():
    mask = filled([(0.5, 1.5), (0.5, 4.5), (3.5, 4.5), (3.5, 1.5)])
    want = np.zeros(SIZE, bool)
    want[1:4, 2:5] = True
    np.testing.assert_array_equal(mask, want)


def test_centres_on_the_outline_belong_to_the_side_of_larger_rows_and_columns():
    mask = filled([(1, 2), (1, 4), (3, 4), (3, 2)])
    want = np.zeros(SIZE, bool)
    want[1:3, 2:4] = True
    np.testing.assert_array_equal(mask, want)


@pytest.mark.parametrize("polygon", [np.empty((0, 2)), [(1, 1)], [(1, 1), (5, 5)], [(2, 2)] * 5])
def test_nothing_is_set_without_an_area(polygon):
    assert not filled(polygon).any()


def test_far_outside_is_cut_off():
    assert filled([(-1e9, -1e9), (-1e9, 1e9), (1e9, 1e9), (1e9, -1e9)]).all()
    assert not filled([(-1e9, 20), (-1e9, 1e9), (1e9, 1e9), (1e9, 20)]).any()


def test_too_much_work_is_refused_before_it_is_done(monkeypatch):
    monkeypatch.setattr(polygons, "MOST_CROSSINGS", 20)
    zigzag = [(-1.0 if i % 2 else 8.0, float(i)) for i in range(9)]
    with pytest.raises(PolygonError, match="cross 56 rows"):
        filled(zigzag)


def test_chunks_of_edges_give_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    polygon = rng.uniform(-2, 62, (60, 2))
    whole = filled(polygon, (60, 61))
    monkeypatch.setattr(polygons, "_AT_ONCE", 50)
    np.testing.assert_array_equal(filled(polygon, (60, 61)), whole)


@pytest.mark.parametrize("module", [polygons, rle])
def test_the_examples_in_the_source(module):
    assert doctest.testmod(module).failed == 0


# ---- masks of objects


def square(row, column, length=2):
    edges = np.array([(0, 0), (0, length), (length, length), (length, 0)]) - 0.5
    return (np.add(edges, (row, column)),)


def test_an_instance_mask_numbers_the_objects_and_shows_the_later_one():
    mask = instance_mask([square(0, 0), None, square(1, 1)], (3, 4))
    assert mask.dtype == np.uint16
    assert mask.tolist() == [[1, 1, 0, 0], [1, 3, 3, 0], [0, 3, 3, 0]]


def test_a_semantic_mask_holds_class_numbers_plus_one():
    mask = semantic_mask([square(0, 0), square(1, 1)], [4, 0], (3, 4))
    assert mask.dtype == np.uint8
    assert mask.tolist() == [[5, 5, 0, 0], [5, 1, 1, 0], [0, 1, 1, 0]]


def test_polygons_of_one_object_are_united():
    both = (*square(0, 0), *square(1, 1))
    assert instance_mask([both], (3, 3)).tolist() == [[1, 1, 0], [1, 1, 1], [0, 1, 1]]


def test_many_classes_and_objects_widen_the_mask():
    assert semantic_mask([square(0, 0)], [255], (2, 2)).dtype == np.uint16
    assert semantic_mask([square(0, 0)], [254], (2, 2)).dtype == np.uint8
    assert instance_mask([None] * 65_536, (2, 2)).dtype == np.uint32


def test_the_object_that_cannot_be_drawn_is_told():
    wrong = RunLengths(np.array([4, 5]), (3, 4))
    with pytest.raises(RunLengthError, match="cover 9 pixels") as raised:
        instance_mask([None, wrong], (3, 4))
    assert raised.value.object_index == 1
    with pytest.raises(PolygonError, match="3 x 4, and the image 4 x 4") as raised:
        instance_mask([wrong], (4, 4))
    assert raised.value.object_index == 0


# ---- run lengths


def test_runs_go_down_the_columns():
    mask = np.array([[0, 1, 1], [1, 1, 0]], bool)
    assert encode_runs(mask).tolist() == [1, 4, 1]
    assert encode_runs(~mask).tolist() == [0, 1, 4, 1]
    np.testing.assert_array_equal(decode_runs(np.array([0, 1, 4, 1]), (2, 3)), ~mask)


# The first is the example of COCO's own documentation, the others are worked out by hand.
CODES = [
    ([6, 1, 40, 4, 5, 4, 5, 4, 21], "61X13mN000`0"),
    ([0, 6], "06"),
    ([15], "?"),
    ([16], "`0"),
]


@pytest.mark.parametrize(("runs", "text"), CODES)
def test_codes_with_known_runs(runs, text):
    assert text_of_runs(runs) == text
    assert runs_of_text(text).tolist() == runs


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 2**33), max_size=30))
def test_codes_come_back(runs):
    assert runs_of_text(text_of_runs(runs)).tolist() == runs


@settings(max_examples=80, deadline=None)
@given(npst.arrays(bool, npst.array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_masks_come_back(mask):
    runs = encode_runs(mask)
    np.testing.assert_array_equal(decode_runs(runs, mask.shape), mask)
    np.testing.assert_array_equal(decode_runs(runs_of_text(text_of_runs(runs)), mask.shape), mask)
    assert runs.sum() == mask.size and (runs[1:] > 0).all()


@pytest.mark.parametrize(
    ("runs", "why"),
    [
        ([5], "cover 5 pixels, and 2 x 3 are 6"),
        ([3, -1, 4], "run 2 is negative"),
        ([2**62, 2**62, 2**62, 2**62, 6], "cover"),
        ([], "cover 0 pixels"),
    ],
)
def test_runs_that_lie_about_the_size(runs, why):
    with pytest.raises(RunLengthError, match=why):
        decode_runs(np.array(runs, np.int64), (2, 3))


@pytest.mark.parametrize("text", ["P", "5P", "é", "/", "~", "1 2", "P" * 9 + "0"])
def test_texts_that_are_no_code(text):
    with pytest.raises(RunLengthError):
        runs_of_text(text)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=40))
def test_any_text_is_runs_or_refused(text):
    try:
        runs = runs_of_text(text)
        decode_runs(runs, (5, 5))
    except RunLengthError:
        pass

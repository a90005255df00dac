"""Boxes and points are drawn where they are, at every scale."""

from __future__ import annotations

import numpy as np
import pytest

from offgraph.targets import Boxes, Mask, Points
from offgraph.views.draw import PALETTE
from offgraph.views.marks import mark


@pytest.mark.parametrize("scale", [1, 3, 10])
def test_a_box_frames_its_pixels(scale):
    """Pixels 2 to 5 of columns and 1 to 3 of rows: the frame is the outermost of what they become."""
    rgb = np.zeros((8 * scale, 12 * scale, 3), np.uint8)
    marked = mark(rgb, [Boxes([[2, 1, 6, 4]], size=(8, 12))])
    at = np.argwhere(marked.any(axis=-1))
    assert at.min(axis=0).tolist() == [1 * scale, 2 * scale]
    assert at.max(axis=0).tolist() == [4 * scale - 1, 6 * scale - 1]
    assert not rgb.any()


def test_classes_have_colours_and_names():
    rgb = np.full((200, 300, 3), 128, np.uint8)
    boxes = [[10, 40, 80, 90], [120, 40, 200, 90], [220, 40, 290, 90]]
    named = Boxes(boxes, size=(200, 300), labels=["cat", "dog", "cat"])
    marked = mark(rgb, [named])
    corners = [marked[89, x].tolist() for x in (10, 120, 220)]
    assert corners[0] == corners[2] == PALETTE[0].tolist() and corners[1] == PALETTE[1].tolist()
    assert (marked[20:38] != 128).any()  # the names stand above
    numbered = mark(rgb, [Boxes(boxes, size=(200, 300), labels=[0, 1, 0])], class_names=["cat", "dog"])
    assert np.array_equal(numbered, marked)
    outlined = Boxes(boxes[:1], size=(200, 300), polygons=[[[(10, 65), (45, 41), (79, 65), (45, 89)]]])
    assert (mark(rgb, [outlined])[60:70, 12:20] != 128).any()


def test_points_that_can_be_seen_are_drawn():
    points = Points([[4, 5], [1, 1], [np.nan, 3]], size=(10, 10), visible=[True, False, True])
    marked = mark(np.zeros((100, 100, 3), np.uint8), [points])
    at = np.argwhere(marked.any(axis=-1))
    np.testing.assert_allclose((at.min(axis=0) + at.max(axis=0)) / 2, [44.5, 54.5], atol=0.6)
    assert np.array_equal(marked[45, 55], PALETTE[0])


def test_what_cannot_be_drawn_is_left_out():
    rgb = np.zeros((20, 20, 3), np.uint8)
    space = Boxes([[0, 0, 0, 2, 2, 2]], size=(4, 4, 4))
    assert np.array_equal(
        mark(rgb, [space, Mask(np.ones((20, 20), np.uint8)), Boxes([], size=(20, 20))]), rgb
    )

"""What a window leaves of boxes, polygons, instances and points, against their definition on a fine raster."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph.targets import boxes as boxes_module
from offgraph.targets import covering, points

FINE = 4
"""Cells per pixel: all edges lie on them, so that counts of cells are areas."""


@st.composite
def scenes(draw, d: int):
    """A size, boxes in it whose edges are quarters of pixels, and a window of whole pixels."""
    size = tuple(draw(st.integers(2, 7)) for _ in range(d))

    def span(n: int, fine: int):
        return st.lists(st.integers(0, n * fine), min_size=2, max_size=2, unique=True).map(sorted)

    spans = draw(st.lists(st.tuples(*(span(n, FINE) for n in size)), min_size=1, max_size=5))
    edges = np.array([[s[0] for s in box] + [s[1] for s in box] for box in spans]) / FINE - 0.5
    window = [draw(span(n, 1)) for n in size]
    return size, edges, window


def cells(size, edges):
    """The fine cells that lie in a box."""
    grid = np.meshgrid(*((np.arange(n * FINE) + 0.5) / FINE - 0.5 for n in size), indexing="ij")
    d = len(size)
    return np.logical_and.reduce([(g > edges[k]) & (g < edges[d + k]) for k, g in enumerate(grid)])


def bounds(inside):
    where = np.argwhere(inside)
    return np.concatenate([where.min(axis=0), where.max(axis=0) + 1]) / FINE - 0.5


def as_boxes(size, edges, **options):
    d = len(size)
    array = np.concatenate([edges[:, :d][:, ::-1], edges[:, d:][:, ::-1]], axis=1) + 0.5
    return og.Boxes(array, size=size, labels=np.arange(len(edges)), **options)


def expected(size, edges, window):
    """Edges and shares of what is left of each box, None where nothing is."""
    start, stop = zip(*window)
    hidden = cells(size, np.array([*start, *stop]) - 0.5)
    found = []
    for box in edges:
        whole = cells(size, box)
        left = whole & ~hidden
        found.append((bounds(left), left.sum() / whole.sum()) if left.any() else None)
    return found


@settings(max_examples=150, deadline=None)
@given(scene=st.one_of(scenes(2), scenes(3)), outlined=st.booleans())
def test_what_a_window_leaves_of_boxes(scene, outlined):
    size, edges, window = scene
    polygons = None
    if outlined and len(size) == 2:
        corners = [edges[:, [1, 0]], edges[:, [3, 0]], edges[:, [3, 2]], edges[:, [1, 2]]]
        polygons = [[np.array([corner[i] for corner in corners]) + 0.5] for i in range(len(edges))]
    made = as_boxes(size, edges, polygons=polygons).covered(*zip(*window))
    wanted = expected(size, edges, window)
    assert made.ids.tolist() == [i for i, one in enumerate(wanted) if one is not None]
    for row, number in enumerate(made.ids):
        np.testing.assert_allclose(made.edges[row], wanted[number][0], atol=1e-12)
        assert made.visibility[row] == pytest.approx(wanted[number][1], abs=1e-12)
        if polygons is not None:
            corners = np.concatenate(made.outlines[row])
            np.testing.assert_allclose([*corners.min(axis=0), *corners.max(axis=0)], made.edges[row])
    assert made.labels.tolist() == made.ids.tolist()
    assert sorted([*made.ids, *(gone.id for gone in made.dropped)]) == list(range(len(edges)))


@settings(max_examples=60, deadline=None)
@given(scene=scenes(2), least=st.floats(0, 1))
def test_the_rules_hold_for_what_is_left(scene, least):
    size, edges, window = scene
    shares = [0 if one is None else one[1] for one in expected(size, edges, window)]
    kept = as_boxes(size, edges, min_visibility=least).covered(*zip(*window)).ids.tolist()
    clear = [i for i, share in enumerate(shares) if abs(share - least) > 1e-9]
    assert [i for i in kept if i in clear] == [i for i in clear if shares[i] >= max(least, 1e-9)]
    uncut = as_boxes(size, edges, clip=False).covered(*zip(*window))
    assert uncut.edges.tolist() == edges[uncut.ids].tolist()


def test_an_outline_that_is_cut_in_two_keeps_both_pieces():
    frame = [[[1, 0], [3, 0], [3, 8], [1, 8]]]
    boxes = og.Boxes([[1, 0, 3, 8]], size=(8, 8), polygons=[frame])
    made = boxes.covered((3, 0), (5, 8))
    assert len(made.outlines[0]) == 2 and made.visibility.tolist() == [0.75]
    assert made.array.tolist() == [[1, 0, 3, 8]]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_objects_of_a_mask_are_taken_from_what_is_left_of_it(seed):
    rng = np.random.default_rng(seed)
    mask = rng.integers(0, 5, (6, 7)).astype(np.uint8)
    start, stop = np.sort(rng.integers(0, 7, (2, 2)), axis=0)
    made = og.Boxes.of_labels(og.Mask(mask)).covered(start.tolist(), stop.tolist())
    left = mask.copy()
    left[start[0] : stop[0], start[1] : stop[1]] = 0
    wanted = og.Boxes.of_labels(og.Mask(left))
    assert made.edges.tolist() == wanted.edges.tolist() and made.labels.tolist() == wanted.labels.tolist()
    shares = [(left == label).sum() / (mask == label).sum() for label in made.labels]
    assert made.visibility.tolist() == pytest.approx(shares)


def test_points_in_the_window_cannot_be_seen():
    given = og.Points(
        [[0, 0], [2, 3], [2.4, 3.4], [2.6, 3], [np.nan, 1]], size=(6, 6), visible=[2, 2, 1, 2, 2]
    )
    assert given.covered((2, 2), (3, 4)).visible.tolist() == [2, 0, 0, 2, 2]


def test_examples_run():
    for module in (covering, boxes_module, points):
        failed, tried = doctest.testmod(module)
        assert tried and not failed

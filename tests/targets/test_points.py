"""Points: there and back, what is cut off, and pairs that a mirror exchanges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offgraph.core.errors import ArgumentError, StepError
from offgraph.geometry import AffineMap, GridMap, Leg
from offgraph.geometry.frame import Frame
from offgraph.targets import Mask, Points
from support.chains import chains, resized, turned


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_points_come_back(data):
    bent = data.draw(st.booleans())
    kinds = ("grid", "affine", "displacement") if bent else ("grid", "affine", "projective")
    size = (data.draw(st.integers(8, 24)), data.draw(st.integers(8, 24)))
    legs = data.draw(chains(size, kinds=kinds, most=6))
    given = np.random.default_rng(0).uniform(-0.5, np.array(size) - 0.5, (40, 2))
    moved = Points(given, size=size).moved(legs)
    restored = moved.restored(Frame(tuple(leg.map for leg in legs)))
    assert restored.size == size
    # What can be seen after the chain comes back, but for points that lie on an edge.
    seen = moved.visible
    assert (restored.visible <= seen).all()
    inside = seen & (
        (np.abs(moved.places + 0.5) > 1e-5) & (np.abs(moved.places - moved.size + 0.5) > 1e-5)
    ).all(-1)
    assert (restored.visible[inside]).mean() > 0.99 if inside.any() else True
    np.testing.assert_allclose(restored.places[seen], given[seen], rtol=0, atol=1e-3 if bent else 1e-6)


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_a_point_goes_with_the_pixel_under_it(data):
    """Of a grid chain: the one marked pixel of a mask."""
    size = (6, 9)
    legs = data.draw(chains(size, kinds=("grid",), modes=("constant",), most=6))
    legs = [Leg(leg.map) for leg in legs]
    at = data.draw(st.tuples(st.integers(0, 5), st.integers(0, 8)))
    mask = np.zeros(size, np.uint8)
    mask[at] = 1
    places = np.argwhere(Mask(mask).moved(legs).array)
    moved = Points([at], size=size).moved(legs)
    assert moved.visible.tolist() == [len(places) == 1]
    if len(places):
        assert moved.places.tolist() == places.tolist()


def test_a_point_that_was_cut_off_stays_lost():
    size = (10, 10)
    away = AffineMap(np.eye(2), (0, 8), size, size)
    legs = [Leg(away), Leg(away.inverse())]
    points = Points([[5, 2], [5, 9]], size=size, visible=[2, 1], labels=["a", "b"])
    moved = points.moved(legs)
    assert moved.visible.tolist() == [0, 1] and moved.places.tolist() == [[5, 2], [5, 9]]
    dropped = Points(
        [[5, 2], [5, 9]], size=size, labels=["a", "b"], extra={"n": [7, 8]}, outside="drop"
    ).moved(legs)
    assert (
        dropped.ids.tolist() == [1]
        and dropped.labels.tolist() == ["b"]
        and dropped.extra["n"].tolist() == [8]
    )


def test_orders_and_origins():
    points = Points([[2, 1]], size=(4, 8), order="xy", origin="edge")
    assert points.places.tolist() == [[0.5, 1.5]] and points.array.tolist() == [[2, 1]]
    flipped = points.moved([Leg(GridMap.flip((1,), (4, 8)))])
    assert flipped.array.tolist() == [[6, 1]]
    space = Points([[1, 2, 3]], size=(9, 9, 9), order="xy")
    assert space.places.tolist() == [[3, 2, 1]]


def test_pairs_change_places_where_the_chain_mirrors():
    size = (10, 20)
    eyes = Points([[3, 5], [3, 14], [6, 9]], size=size, pairs=[(0, 1)], visible=[1, 2, 1])
    flip, turn = Leg(GridMap.flip((1,), size)), Leg(turned(0.2, size))
    moved = eyes.moved([flip])
    assert moved.places.tolist() == [[3, 5], [3, 14], [6, 10]] and moved.visible.tolist() == [2, 1, 1]
    assert eyes.moved([flip, flip]).places.tolist() == eyes.places.tolist()
    assert eyes.moved([turn]).visible.tolist() == [1, 2, 1]
    half_turn = Leg(GridMap.flip((0, 1), size))
    assert eyes.moved([half_turn]).visible.tolist() == [1, 2, 1]
    back = moved.restored(Frame((flip.map,)))
    assert back.places.tolist() == eyes.places.tolist() and back.visible.tolist() == [1, 2, 1]
    people = Points([eyes.places, eyes.places + 1], size=size, pairs=[(0, 1)]).moved([flip])
    assert people.places[1].tolist() == [[4, 4], [4, 13], [7, 9]]


@pytest.mark.parametrize(
    ("array", "options", "says"),
    [
        ([[1, 2, 3]], {}, r"shape \(1, 3\)"),
        ("x", {}, "array of numbers"),
        ([[1, 2]], {"order": "rc"}, "'yx' or 'xy'"),
        ([[1, 2]], {"visible": [True, False]}, "one flag"),
        ([[1, 2]], {"pairs": [(0, 1)]}, "points 0 to 0"),
        ([[1, 2], [3, 4]], {"pairs": [(0, 1)], "outside": "drop"}, "'keep'"),
        ([[1, 2]], {"labels": ["a", "b"]}, "one per point"),
    ],
)
def test_what_is_no_point_is_refused(array, options, says):
    with pytest.raises(ArgumentError, match=says):
        Points(array, size=(5, 6), **options)


def test_unknown_places_and_other_grids():
    points = Points([[np.nan, 1], [1, 1]], size=(4, 4)).moved([Leg(resized((4, 4), (8, 8)))])
    assert points.visible.tolist() == [False, True]
    assert len(Points([], size=(4, 4))) == 0
    with pytest.raises(StepError, match="points that lies on a grid"):
        points.moved([Leg(GridMap.identity((4, 4)))])

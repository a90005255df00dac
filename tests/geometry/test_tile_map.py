"""Maps that exchange the cells of a grid."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offgraph.core.errors import OffgraphError
from offgraph.geometry import AffineMap, GridMap, TileMap, map_from_json


@st.composite
def tile_maps(draw: st.DrawFn) -> TileMap:
    n = draw(st.integers(2, 3))
    edges = []
    for _ in range(n):
        length, count = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        edges.append(tuple(length * i for i in range(count + 1)))
    size = tuple(along[-1] for along in edges)
    cells = int(np.prod([len(along) - 1 for along in edges]))
    return TileMap(tuple(edges), tuple(draw(st.permutations(range(cells)))), size, size)


@settings(deadline=None)
@given(tile_maps(), st.integers(0, 2**32))
def test_pulling_by_points_and_by_pixels_and_back(step: TileMap, seed: int):
    pixels = np.stack(np.indices(step.output_size), -1).reshape(-1, step.ndim).astype(float)
    pulled = step(pixels)
    assert {tuple(place) for place in pulled} == {tuple(place) for place in pixels}  # each once
    rng = np.random.default_rng(seed)
    points = pixels + rng.uniform(-0.499, 0.499, pixels.shape)
    np.testing.assert_allclose(step(points) - points, pulled - pixels, atol=1e-12)  # a pixel moves as a whole
    places, there = step.forward(step(points))
    assert there.all()
    np.testing.assert_allclose(places, points, atol=1e-9)
    np.testing.assert_allclose(step.inverse()(places), step.push(places.T).T)
    assert np.array_equal(
        step.jacobian(points), np.broadcast_to(np.eye(step.ndim), (len(points), step.ndim, step.ndim))
    )
    assert step.inverse().inverse() == step and hash(step) == hash(step.inverse().inverse())
    assert step.is_identity == bool((pulled == pixels).all())


@settings(deadline=None)
@given(tile_maps(), st.integers(0, 2**32))
def test_bounds_hold_what_a_box_shows(step: TileMap, seed: int):
    rng = np.random.default_rng(seed)
    size = np.array(step.output_size)
    ends = np.sort(rng.uniform(-2, size + 1, (2, step.ndim)), axis=0)
    low, high = step.bounds(*ends)
    points = step(rng.uniform(ends[0], ends[1], (200, step.ndim)))
    assert (points >= low - 1e-9).all() and (points <= high + 1e-9).all()
    low, high = step.bounds()  # between pixel centres a box reaches over half a pixel into the next cell
    assert (
        (low >= -0.5).all() and (low <= 0).all() and (high >= size - 1).all() and (high <= size - 0.5).all()
    )
    assert step.reads_inside(0)


@settings(deadline=None)
@given(tile_maps())
def test_it_travels_as_json_and_joins_others(step: TileMap):
    assert map_from_json(json.loads(json.dumps(step.to_json()))) == step
    n = step.ndim
    whole = step.then(GridMap.flip((0,), step.output_size)).then(AffineMap.identity(step.output_size))
    points = np.random.default_rng(1).uniform(0, 1, (20, n)) * (np.array(step.output_size) - 1)
    mirrored = points.copy()
    mirrored[:, 0] = step.output_size[0] - 1 - points[:, 0]
    np.testing.assert_allclose(whole(points), step(mirrored))


@pytest.mark.parametrize(
    ("edges", "order", "says"),
    [
        (((0, 2), (0, 3, 6)), (0, 0), "needs edges from 0 to each length"),
        (((0, 2), (0, 3, 5)), (1, 0), "needs edges from 0 to each length"),
        (((0, 2),), (0,), "needs edges from 0 to each length"),
        (((0, 2), (0, 2, 6)), (1, 0), "cells of equal shapes only"),
    ],
)
def test_what_is_no_exchange_of_cells(edges, order, says):
    with pytest.raises(OffgraphError, match=says):
        TileMap(edges, order, (2, 6), (2, 6))


def test_nowhere_stays_nowhere():
    step = TileMap(((0, 2), (0, 3, 6)), (1, 0), (2, 6), (2, 6))
    assert np.isnan(step([[np.nan, np.nan]])).all()


def test_a_hostile_map_is_refused():
    with pytest.raises(OffgraphError, match="not a map"):
        map_from_json(
            {
                "map": "tiles",
                "edges": [[0, 5000]],
                "order": list(range(5000)),
                "input_size": [5000],
                "output_size": [5000],
            }
        )
    with pytest.raises(OffgraphError):
        map_from_json(
            {"map": "tiles", "edges": [[0, "x"]], "order": [0], "input_size": [2], "output_size": [2]}
        )

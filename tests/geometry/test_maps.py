"""Coordinate maps of every kind: they join, invert, differentiate and travel as JSON."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph.core.errors import OffgraphError
from offgraph.geometry import (
    AffineMap,
    ChainMap,
    CoordinateMap,
    DisplacementMap,
    GridMap,
    InverseMap,
    ProjectiveMap,
    RadialMap,
    compose,
    map_from_json,
)
from offgraph.geometry.base import pixel_grid

SIZE = 12


def size_of(n: int) -> tuple[int, ...]:
    return tuple(SIZE + i for i in range(n))


@st.composite
def affine_maps(draw: st.DrawFn, n: int) -> AffineMap:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    matrix = np.eye(n) + rng.uniform(-0.4, 0.4, (n, n)) / (n - 0.5)
    return AffineMap(matrix, rng.uniform(-5, 5, n), size_of(n), size_of(n))


@st.composite
def grid_maps(draw: st.DrawFn, n: int) -> GridMap:
    size = size_of(n)
    start = [draw(st.integers(-2, 2)) for _ in size]
    return GridMap.flip(draw(st.sets(st.integers(0, n - 1))), size).then(GridMap.crop(start, size, size))


@st.composite
def projective_maps(draw: st.DrawFn, n: int) -> ProjectiveMap:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    matrix = np.eye(n + 1)
    matrix[:n, :n] += rng.uniform(-0.2, 0.2, (n, n))
    matrix[:n, n] = rng.uniform(-3, 3, n)
    matrix[n, :n] = rng.uniform(-0.02, 0.02, n)
    return ProjectiveMap(matrix, size_of(n), size_of(n))


@st.composite
def displacement_maps(draw: st.DrawFn, n: int, strength: float = 1.0) -> DisplacementMap:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    grid = [draw(st.integers(1, 6)) for _ in range(n)]
    order = draw(st.sampled_from([1, 2, 3, 3, 5]))
    step = DisplacementMap(rng.normal(0, 1, (n, *grid)), size_of(n), size_of(n), order)
    return DisplacementMap(step.field * strength / max(step.steepness, 0.1), size_of(n), size_of(n), order)


@st.composite
def radial_maps(draw: st.DrawFn, n: int) -> RadialMap:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    coefficients = rng.uniform(0, 0.3, draw(st.integers(1, 2)))
    return RadialMap(coefficients, rng.uniform(4, 8, n), SIZE, size_of(n), size_of(n))


def any_map(n: int) -> st.SearchStrategy[CoordinateMap]:
    return st.one_of(
        affine_maps(n), grid_maps(n), projective_maps(n), displacement_maps(n, 0.8), radial_maps(n)
    )


two_or_three = st.integers(2, 3)
several = two_or_three.flatmap(lambda n: st.lists(any_map(n), min_size=1, max_size=4))


def points_of(n: int, count: int = 40) -> np.ndarray:
    return np.random.default_rng(5).uniform(0, SIZE - 1, (count, n))


def through(maps: list[CoordinateMap], points: np.ndarray) -> np.ndarray:
    for step in reversed(maps):
        points = step(points)
    return points


@given(several)
@settings(deadline=None)
def test_a_chain_is_its_maps_one_after_another(maps):
    points = points_of(maps[0].ndim)
    whole = compose(maps)
    np.testing.assert_allclose(whole(points), through(maps, points), rtol=1e-9, atol=1e-9)
    if all(step.generality is not None for step in maps):
        assert type(whole) is type(max(maps, key=lambda step: step.generality))
    grid = np.moveaxis(pixel_grid(whole.output_size), 0, -1)
    dense = np.moveaxis(whole.coordinates(), 0, -1)
    np.testing.assert_allclose(
        dense, whole(grid), rtol=1e-5, atol=1e-5
    )  # fields are enlarged in single precision
    assert whole.coordinates().flags.c_contiguous


@given(two_or_three.flatmap(lambda n: st.tuples(any_map(n), any_map(n), any_map(n))))
@settings(deadline=None)
def test_joining_is_associative(maps):
    a, b, c = maps
    points = points_of(a.ndim)
    np.testing.assert_allclose(a.then(b).then(c)(points), a.then(b.then(c))(points), rtol=1e-9, atol=1e-9)


@given(two_or_three.flatmap(lambda n: st.tuples(any_map(n), any_map(n))))
@settings(deadline=None)
def test_the_inverse_of_two_is_their_inverses_backwards(maps):
    a, b = maps
    points = points_of(a.ndim)
    one, other = a.then(b).inverse()(points), b.inverse().then(a.inverse())(points)
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


@given(several)
@settings(deadline=None)
def test_points_come_back(maps):
    whole = compose(maps)
    points = points_of(whole.ndim)
    there = whole(points)
    seen = np.isfinite(there).all(axis=-1) & (np.abs(there).max(axis=-1) < 1e4)
    assume(seen.any())
    back, has_place = whole.forward(there[seen])
    assert has_place.all()
    limit = 1e-6 if whole.generality is not None else 1e-3
    assert np.abs(back - points[seen]).max() < limit
    np.testing.assert_allclose(whole.inverse()(there[seen]), points[seen], atol=limit)


@given(several)
@settings(deadline=None)
def test_jacobians_are_finite_differences(maps):
    whole = compose(maps)
    n = whole.ndim
    points = points_of(n)
    step = 1e-5
    differences = np.stack(
        [(whole(points + step * unit) - whole(points - step * unit)) / (2 * step) for unit in np.eye(n)],
        axis=-1,
    )
    kinks = any(isinstance(m, DisplacementMap) and m.order == 1 for m in maps)
    close = np.isclose(whole.jacobian(points), differences, rtol=1e-3, atol=1e-3).all(axis=(-2, -1))
    known = np.isfinite(differences).all(axis=(-2, -1)) & (np.abs(differences).max(axis=(-2, -1)) < 1e3)
    assert (close | ~known).mean() > (0.9 if kinks or len(maps) > 1 else 0.999)


@given(several)
@settings(deadline=None)
def test_json_round_trip(maps):
    whole = compose(maps)
    back = map_from_json(json.loads(json.dumps(whole.to_json())))
    assert back == whole and hash(back) == hash(whole)
    assert back(points_of(whole.ndim)).tobytes() == whole(points_of(whole.ndim)).tobytes()
    inverse = whole.inverse()
    assert map_from_json(json.loads(json.dumps(inverse.to_json()))) == inverse


@given(several)
@settings(deadline=None)
def test_bounds_are_sound(maps):
    whole = compose(maps)
    low, high = whole.bounds()
    places = whole.coordinates().reshape(whole.ndim, -1)
    known = np.isfinite(places).all(axis=0)
    assert (places[:, known] >= low[:, None] - 1e-9).all() and (
        places[:, known] <= high[:, None] + 1e-9
    ).all()
    if isinstance(whole, GridMap | AffineMap):
        np.testing.assert_allclose(places.min(axis=1), low, atol=1e-9)
        np.testing.assert_allclose(places.max(axis=1), high, atol=1e-9)
    there = whole.inverse()
    low, high = there.bounds()
    places = there.coordinates().reshape(whole.ndim, -1)
    known = np.isfinite(places).all(axis=0)
    assert (places[:, known] >= low[:, None] - 1e-6).all() and (
        places[:, known] <= high[:, None] + 1e-6
    ).all()


# Affine and projective maps.


def test_affine_coordinates_are_scipys():
    """`affine_transform` adds the offset first, then product after product: order 1 shows every bit of a coordinate."""
    rng = np.random.default_rng(0)
    step = AffineMap(rng.normal(0, 1, (3, 3)), rng.normal(0, 5, 3), (9, 10, 11), (8, 8, 8))
    volume = rng.random((9, 10, 11))
    expected = scipy.ndimage.affine_transform(volume, step.matrix, step.offset, (8, 8, 8), order=1)
    found = scipy.ndimage.map_coordinates(volume, step.coordinates(), order=1)
    np.testing.assert_array_equal(found, expected)


def test_projective_maps_from_points():
    rng = np.random.default_rng(3)
    for _ in range(50):
        output = np.array([(0, 0), (0, 99), (49, 0), (49, 99)]) + rng.uniform(-12, 12, (4, 2))
        source = np.array([(0, 0), (0, 99), (49, 0), (49, 99)]) + rng.uniform(-12, 12, (4, 2))
        step = ProjectiveMap.from_points(output, source, (50, 100), (50, 100))
        np.testing.assert_allclose(step(output), source, atol=1e-9)
        np.testing.assert_allclose(step.inverse()(source), output, atol=1e-9)
        line = np.linspace(output[0], output[3], 7)
        there = step(line) - step(line[0])
        np.testing.assert_allclose(there[:, 0] * there[-1, 1], there[:, 1] * there[-1, 0], atol=1e-7)


@pytest.mark.parametrize(
    "points",
    [[(0, 0), (1, 1), (2, 2), (0, 5)], [(0, 0), (0, 0), (0, 5), (5, 5)], [(0, 0), (5, 5), (0, 5), (5, 0)]],
)
def test_points_that_decide_no_projective_map(points):
    square = [(0, 0), (0, 9), (9, 9), (9, 0)]
    with pytest.raises(OffgraphError, match=r"one line|horizon"):
        ProjectiveMap.from_points(square, points, (10, 10), (10, 10))


def test_behind_the_horizon_nothing_maps():
    step = ProjectiveMap(np.array([[1, 0, 0], [0, 1, 0], [0, -0.2, 1]]), (10, 10), (10, 10))
    points = np.stack([np.full(11, 3.0), np.arange(11.0)], axis=1)
    there = step(points)
    assert np.isfinite(there[:5]).all() and np.isnan(there[5:]).all()
    np.testing.assert_allclose(step.forward(there[:5])[0], points[:5], atol=1e-9)
    near = points.copy()
    near[:, 1] = 5 - 10.0 ** -np.arange(11)
    there = step(near)
    known = np.isfinite(there).all(axis=1)
    np.testing.assert_allclose(step.forward(there[known])[0], near[known], atol=1e-6)
    assert not step.inverse().forward([[3.0, 7.0]])[1].any()
    assert np.isinf(step.bounds()[1]).all()


# Displacement maps.


@given(two_or_three.flatmap(lambda n: displacement_maps(n)))
@settings(deadline=None)
def test_the_field_at_its_nodes_is_what_was_given(step):
    axes = [np.linspace(0, n - 1, g) if g > 1 else [0.0] for n, g in zip(step.output_size, step.grid)]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    np.testing.assert_allclose(np.moveaxis(step(nodes) - nodes, -1, 0), step.field, atol=1e-10)


@given(two_or_three.flatmap(lambda n: displacement_maps(n)))
@settings(deadline=None)
def test_the_field_is_scipys_spline(step):
    n, rng = step.ndim, np.random.default_rng(1)
    points = rng.uniform(0, SIZE - 1, (n, 30))
    scale = [(g - 1) / (m - 1) for g, m in zip(step.grid, step.output_size)]
    on_grid = points * np.reshape(scale, (n, 1))
    expected = [
        scipy.ndimage.map_coordinates(f, on_grid, order=step.order, mode="mirror") for f in step.field
    ]
    np.testing.assert_allclose(step.displacement(points), expected, atol=1e-12)
    if step.grid != step.output_size:
        factors = [m / g for g, m in zip(step.grid, step.output_size)]
        fields = step.field.astype(np.float32)
        dense = [scipy.ndimage.zoom(f, factors, order=step.order, mode="mirror") for f in fields]
        np.testing.assert_array_equal(step.coordinates(), pixel_grid(step.output_size) + dense)


def test_a_full_field_has_a_node_for_each_pixel():
    field = np.random.default_rng(2).normal(0, 3, (2, 8, 9))
    step = DisplacementMap(field, (20, 20), (8, 9))
    np.testing.assert_array_equal(step.coordinates(), pixel_grid((8, 9)) + field)
    np.testing.assert_allclose(
        step(np.moveaxis(pixel_grid((8, 9)), 0, -1))[..., 1], step.coordinates()[1], atol=1e-12
    )


def test_outside_the_output_a_field_continues_as_it_ends():
    step = DisplacementMap(np.random.default_rng(2).normal(0, 1, (2, 4, 4)), (20, 20), (20, 20))
    np.testing.assert_allclose(step([-7, 5]) - [-7, 5], step([0, 5]) - [0, 5])
    np.testing.assert_allclose(step([30, 40]) - [30, 40], step([19, 19]) - [19, 19])
    np.testing.assert_allclose(step.jacobian([-7, 40]), np.eye(2))


@given(st.integers(0, 2**32), st.sampled_from([1, 3]), st.floats(0.5, 6), st.booleans())
@example(190, 1, 3.0, True)  # a corner of one cell folds, between samples
@settings(deadline=None, max_examples=40)
def test_folds_give_invalid_places_never_wrong_ones(seed, order, strength, full):
    """Against brute force: a dense lattice of the output shows every place that an input point comes from."""
    rng = np.random.default_rng(seed)
    grid = (16, 16) if full else (5, 4)
    field = rng.normal(0, 1, (2, *grid))
    first = DisplacementMap(field, (16, 16), (16, 16), order)
    step = DisplacementMap(field * strength / first.steepness, (16, 16), (16, 16), order)
    goals = rng.uniform(1, 14, (60, 2))
    places, ok = step.forward(goals)
    np.testing.assert_allclose(step(places[ok]), goals[ok], atol=1e-6)
    assert (np.linalg.det(step.jacobian(places[ok])) > 0).all()
    if strength < 1:
        assert ok.all()
    # Cells of a fine lattice, cut into triangles: the triangles that cover a goal are its places.
    fine = np.linspace(-8, 23, 4 * 31 + 1)
    lattice = step(np.stack(np.meshgrid(fine, fine, indexing="ij"), axis=-1))
    assert (triangles_over(lattice, goals[ok]) == 1).all()


def triangles_over(lattice: np.ndarray, goals: np.ndarray) -> np.ndarray:
    a, b, c, d = lattice[:-1, :-1], lattice[1:, :-1], lattice[:-1, 1:], lattice[1:, 1:]
    counts = np.zeros(len(goals), int)
    for triangle in ((a, b, c), (d, c, b)):
        p, q, r = (corner.reshape(-1, 2) for corner in triangle)
        low, high = np.minimum(np.minimum(p, q), r), np.maximum(np.maximum(p, q), r)
        for k, goal in enumerate(goals):
            near = np.flatnonzero(((low <= goal) & (goal <= high)).all(axis=1))
            sides = [cross(e[near] - s[near], goal - s[near]) for s, e in ((p, q), (q, r), (r, p))]
            counts[k] += (np.sign(sides).sum(axis=0) == 3).sum() + (np.sign(sides).sum(axis=0) == -3).sum()
    return counts


def cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]


def test_a_fold_is_found():
    field = np.zeros((2, 9, 9))
    field[0, 3:6, 3:6] = 12
    step = DisplacementMap(field, (33, 33), (33, 33))
    assert step.may_fold
    _, ok = step.forward(np.moveaxis(pixel_grid((33, 33)), 0, -1))
    assert 0.05 < (~ok).mean() < 0.6
    assert ok[0].all() and ok[:, 0].all() and not ok[22:26, 16].any()
    lattice = np.linspace(0, 32, 65)
    lattice = step(np.stack(np.meshgrid(lattice, lattice, indexing="ij"), axis=-1))
    goals = np.random.default_rng(0).uniform(1, 31, (500, 2))
    many = triangles_over(lattice, goals) > 1
    assert many.sum() > 50 and not step.forward(goals)[1][many].any()


@pytest.mark.parametrize("order", [1, 3])
def test_a_wild_field_takes_no_memory_for_what_lies_far_outside(order):
    field = np.random.default_rng(1).uniform(-1, 1, (2, 5, 5))
    step = DisplacementMap(field * 2e6, (64, 48), (64, 48), order)
    tracemalloc.start()
    try:
        places, ok = step.forward(np.array([[5.0, 5], [1e5, 7], [-3e6, 2e6]]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20e6
    assert not ok.any() and np.isnan(places).all()


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_folds_that_reach_outside_hide_what_lies_there(seed, order):
    """Beyond the output the field continues: a fold at its border goes on, and places there are found by brute force."""
    rng = np.random.default_rng(seed)
    step = DisplacementMap(rng.normal(0, 4 + 6 * seed, (2, 3, 3)), (12, 12), (12, 12), order)
    goals = rng.uniform(-6, 17, (40, 2))
    places, ok = step.forward(goals)
    np.testing.assert_allclose(step(places[ok]), goals[ok], atol=1e-6)
    fine = np.linspace(-120, 131, 4 * 251 + 1)
    fine = fine[
        (abs(fine - 5.5) < 7) | (np.arange(len(fine)) % 8 == 0)
    ]  # outside, the field is constant along the axis
    lattice = step(np.stack(np.meshgrid(fine, fine, indexing="ij"), axis=-1))
    assert (triangles_over(lattice, goals[ok]) <= 1).all()


def test_a_displacement_beyond_all_images_is_refused():
    with pytest.raises(og.OffgraphError, match=r"a displacement of 1e\+10 pixels is beyond"):
        DisplacementMap(np.full((2, 3, 3), 1e10), (9, 9), (9, 9))
    with (
        pytest.warns(og.OffgraphWarning, match="fold over itself"),
        pytest.raises(og.StepError, match=r"Elastic: a displacement of .* pixels is beyond"),
    ):
        og.Compose([og.Elastic(1e300)])(image=np.zeros((9, 9), np.uint8), points=[[2, 3]], key=og.Key(seed=1))


def test_maps_that_move_nothing_are_left_out():
    step = DisplacementMap(np.ones((2, 3, 3)), (9, 9), (9, 9))
    assert compose([AffineMap.identity((9, 9)), step, GridMap.identity((9, 9))]) is step
    assert not AffineMap.identity((9, 9)).then(GridMap.crop((0, 0), (3, 3), (9, 9))).is_identity
    crop = GridMap.crop((0, 0), (3, 3), (9, 9))
    assert isinstance(step.then(crop), ChainMap)


def test_nothing_maps_nothing():
    step = DisplacementMap(np.zeros((2, 3, 3)), (5, 5), (5, 5))
    points = [[np.nan, 1], [1, 2]]
    np.testing.assert_array_equal(step(points), [[np.nan, np.nan], [1, 2]])
    assert step.forward(points)[1].tolist() == [False, True]
    assert step.inverse().inverse() is step


# Radial maps.


def test_radial_maps_by_their_formula():
    rng = np.random.default_rng(0)
    step = RadialMap((0.2, -0.05), (10.5, 7), 9, (30, 20), (30, 20))
    points = rng.uniform(0, 20, (50, 2))
    away = points - (10.5, 7)
    q = (away**2).sum(axis=1, keepdims=True) / 81
    np.testing.assert_allclose(step(points), (10.5, 7) + away * (1 + 0.2 * q - 0.05 * q**2), atol=1e-12)


@given(st.floats(-3, 2), st.floats(-1, 1))
@settings(deadline=None)
def test_a_lens_that_folds_gives_invalid_places_never_wrong_ones(k1, k2):
    step = RadialMap((k1, k2), (10, 10), 14.2, (21, 21), (21, 21))
    goals = np.random.default_rng(4).uniform(-5, 25, (200, 2))
    places, ok = step.forward(goals)
    np.testing.assert_allclose(step(places[ok]), goals[ok], atol=1e-6)
    # Along a ray, all radii within the output that reach a goal's distance.
    r = np.linspace(0, np.hypot(10, 10) / 14.2, 20001)
    reached = np.abs(r * (1 + k1 * r**2 + k2 * r**4))
    for goal in np.hypot(*(goals[ok] - 10).T) / 14.2:
        assert np.count_nonzero(np.diff(np.signbit(reached - goal))) <= 1
    if k1 > 0 and k2 > 0:
        assert ok.all()


# What is refused.


@pytest.mark.parametrize(
    "make",
    [
        lambda: AffineMap(np.full((2, 2), np.nan), (0, 0), (4, 4), (4, 4)),
        lambda: AffineMap(np.eye(3), (0, 0), (4, 4), (4, 4)),
        lambda: ProjectiveMap(np.eye(2), (4, 4), (4, 4)),
        lambda: ProjectiveMap(np.full((3, 3), np.inf), (4, 4), (4, 4)),
        lambda: DisplacementMap(np.zeros((3, 4, 4)), (4, 4), (4, 4)),
        lambda: DisplacementMap(np.zeros((2, 0, 4)), (4, 4), (4, 4)),
        lambda: DisplacementMap(np.full((2, 2, 2), np.inf), (4, 4), (4, 4)),
        lambda: DisplacementMap(np.zeros((2, 4, 4)), (4, 4), (4, 4), order=0),
        lambda: RadialMap((), (1, 1), 4, (4, 4), (4, 4)),
        lambda: RadialMap((0.1,), (1, 1), 0, (4, 4), (4, 4)),
        lambda: RadialMap((0.1,), (1, 1, 1), 2, (4, 4), (4, 4)),
        lambda: RadialMap((0.1,), (1, np.nan), 2, (4, 4), (4, 4)),
        lambda: ChainMap(()),
        lambda: compose([]),
        lambda: AffineMap.identity((4, 4)).then(GridMap.identity((5, 4))),
        lambda: DisplacementMap(np.zeros((2, 4, 4)), (4, 4), (4, 4)).then(GridMap.identity((5, 4))),
        lambda: AffineMap(np.zeros((2, 2)), (0, 0), (4, 4), (4, 4)).inverse(),
        lambda: ProjectiveMap(np.zeros((3, 3)), (4, 4), (4, 4)).inverse(),
        lambda: AffineMap.identity((4, 4))([1, 2, 3]),
    ],
)
def test_what_is_no_map(make):
    with pytest.raises(OffgraphError):
        make()


GOOD = DisplacementMap(np.zeros((2, 2, 2)), (4, 4), (4, 4)).to_json()


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "affine",
        {},
        {"map": "chain"},
        {"map": "chain", "maps": []},
        {"map": "chain", "maps": [{"map": "chain", "maps": [GOOD]}]},
        {"map": "chain", "maps": [GOOD] * 1000},
        {"map": "inverse", "of": {"map": "inverse", "of": GOOD}},
        {"map": "inverse", "of": AffineMap.identity((4, 4)).to_json()},
        {"map": []},
        {"map": "nothing"},
        {**GOOD, "order": "3"},
        {**GOOD, "order": None},
        {**GOOD, "field": [[[0.0, float("nan")]]]},
        {**GOOD, "field": [[["0", "0"], ["0", "0"]]] * 2},
        {**GOOD, "field": [[[True, 0], [0, 0]]] * 2},
        {**GOOD, "field": [[[0.0] * 2000] * 2000] * 2},
        {**GOOD, "field": [[[10**400, 0], [0, 0]]] * 2},
        {**GOOD, "input_size": [4, 4.5]},
        {**GOOD, "input_size": [4, -4]},
        {**GOOD, "output_size": [4, 10**30]},
        {**GOOD, "output_size": 4},
        {"matrix": [[1, 0], [0, 1]], "offset": [0, 0], "input_size": [4, 4]},
        {"matrix": np.eye(5).tolist(), "offset": [0] * 5, "input_size": [4] * 5, "output_size": [4] * 5},
        {**GridMap.identity((4, 4)).to_json(), "axes": [0, 0]},
        {**GridMap.identity((4, 4)).to_json(), "axes": "01"},
        {**GridMap.identity((4, 4)).to_json(), "start": [0, 1e300]},
    ],
    ids=lambda data: str(data)[:60],
)
def test_json_that_is_no_map(data):
    with pytest.raises(OffgraphError, match=r"to_json|chain|map|size|order"):
        map_from_json(data)


def test_old_affine_json_still_loads():
    data = {"matrix": [[0, 1], [1, 0]], "offset": [0, 2], "input_size": [4, 5], "output_size": [5, 4]}
    step = map_from_json(data)
    assert isinstance(step, AffineMap) and AffineMap.from_json(data) == step
    with pytest.raises(OffgraphError, match="GridMap that is needed"):
        GridMap.from_json(data)
    assert isinstance(
        InverseMap.from_json(DisplacementMap(np.ones((2, 2, 2)), (3, 3), (3, 3)).inverse().to_json()),
        InverseMap,
    )


@pytest.mark.parametrize("n", [1, 2, 3])
def test_joined_affine_maps_hold_sums_in_their_order(n):
    """Not those of `sum`, which compensates for rounding in newer Pythons: the same bits in all of them."""
    rng = np.random.default_rng(n)
    for _ in range(200):
        one, after = (
            AffineMap(rng.uniform(-2, 2, (n, n)), rng.uniform(-50, 50, n), size_of(n), size_of(n))
            for _ in range(2)
        )
        joined = one.then(after)
        for i in range(n):
            for j in range(n):
                total = 0.0
                for k in range(n):
                    total += float(one.matrix[i, k]) * float(after.matrix[k, j])
                assert joined.matrix[i, j] == total
            total = 0.0
            for k in range(n):
                total += float(one.matrix[i, k]) * float(after.offset[k])
            assert joined.offset[i] == total + float(one.offset[i])


@given(
    st.integers(1, 3).flatmap(lambda n: st.one_of(affine_maps(n), grid_maps(n))),
    st.sampled_from([0.0, 1e-9, 3.0]),
)
def test_reads_inside_is_what_the_bounds_say(step, slack):
    low, high = step.bounds()
    expected = (low >= -slack).all() and (high <= np.array(step.input_size) - 1 + slack).all()
    if isinstance(step, GridMap) and slack >= 1:
        assert not step.reads_inside(slack) or expected
    else:
        assert step.reads_inside(slack) == expected

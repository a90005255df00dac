"""Boxes after chains: they hold their objects, are exact where axes stay axes, and follow their rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from offgraph.core.errors import StepError
from offgraph.geometry import AffineMap, GridMap, Leg, ProjectiveMap, Resampling
from offgraph.geometry.frame import Frame
from offgraph.targets import Boxes, Mask
from offgraph.targets.polygons import area, clipped, contains, corners_of, cut, volume
from support.chains import chains, resized, turned

_NEAR = 1e-6


def _objects(size: tuple[int, ...], seed: int) -> np.ndarray:
    """Discs and boxes as labels 1, 2, ...: each in a mask of its own, so that none hides another."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.indices(size), -1).astype(float)
    layers = []
    for number in range(4):
        middle = rng.uniform(0, np.array(size) - 1)
        radius = rng.uniform(1, max(1.5, min(size) / 3))
        if number % 2:
            inside = ((grid - middle) ** 2).sum(-1) <= radius**2
        else:
            inside = (np.abs(grid - middle) <= radius * rng.uniform(0.4, 1, len(size))).all(-1)
        if inside.any():
            layers.append(inside)
    return np.array(layers)


def _tight(layer: np.ndarray) -> np.ndarray:
    at = np.argwhere(layer)
    return np.concatenate([at.min(axis=0) - 0.5, at.max(axis=0) + 0.5])


def _holds(size, legs, seed):
    layers = _objects(size, seed)
    boxes = Boxes(np.zeros((0, 2 * len(size))), size=size)
    d = len(size)
    edges = np.array([_tight(layer) for layer in layers])
    xyxy = np.concatenate([edges[:, :d][:, ::-1], edges[:, d:][:, ::-1]], axis=1) + 0.5
    boxes = Boxes(xyxy, size=size).moved(legs)
    # Only the object itself has the box, not what a border mode repeats: everything outside is filled.
    visible = [Leg(leg.map, replace(leg.resampling, mask_cval=0)) for leg in legs]
    for number, layer in enumerate(layers):
        moved = Mask(layer.astype(np.uint8), "ZYX"[-d:]).moved(visible).array
        own = _own(layer, visible)
        places = np.argwhere((moved == 1) & own)
        if number not in boxes.ids:
            assert not len(places), f"object {number} is there, its box is not: {boxes.dropped}"
            continue
        low, high = np.split(boxes.edges[boxes.ids.tolist().index(number)], 2)
        assert (places >= low - _NEAR).all() and (places <= high + _NEAR).all()
        assert (low >= -0.5).all() and (high <= np.array(boxes.size) - 0.5).all()


def _own(layer: np.ndarray, legs: list[Leg]) -> np.ndarray:
    """Output pixels whose coordinates never leave an image on the way: nothing there is a border's repetition."""
    points = np.stack(np.indices(legs[-1].map.output_size), -1).astype(float)
    own = np.ones(points.shape[:-1], bool)
    for number, leg in reversed(list(enumerate(legs))):
        points = leg.map(points)
        last = np.array(leg.map.input_size) - 1
        with np.errstate(invalid="ignore"):
            own &= ((points >= -0.5) & (points <= last + 0.5)).all(-1)
        if number and leg.resampling.mode not in ("constant",) and not leg.map.is_exact:
            points = np.clip(points, 0, last)
    return own


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_box_holds_its_object_after_straight_chains(data):
    size = (data.draw(st.integers(8, 24)), data.draw(st.integers(8, 24)))
    legs = data.draw(
        chains(size, kinds=("grid", "affine", "projective"), modes=("constant", "nearest", "reflect"), most=8)
    )
    _holds(size, legs, data.draw(st.integers(0, 99)))


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_a_box_holds_its_object_after_bent_chains(data):
    size = (data.draw(st.integers(8, 24)), data.draw(st.integers(8, 24)))
    legs = data.draw(chains(size, modes=("constant", "nearest", "reflect"), most=5))
    _holds(size, legs, data.draw(st.integers(0, 99)))


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_a_box_in_space_holds_its_object(data):
    size = tuple(data.draw(st.integers(6, 10)) for _ in range(3))
    kinds = data.draw(st.sampled_from([("grid", "affine"), ("affine", "displacement")]))
    legs = data.draw(chains(size, kinds=kinds, modes=("constant", "nearest"), most=4))
    _holds(size, legs, data.draw(st.integers(0, 99)))


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_box_is_tight_where_axes_stay_axes(data):
    size = (16, 12)
    numbers = [data.draw(st.floats(0, n - 1)) for n in (12, 16)]
    lengths = [data.draw(st.floats(0.5, 6)) for _ in range(2)]
    box = [*numbers, *(n + length for n, length in zip(numbers, lengths))]
    legs = data.draw(chains(size, kinds=("grid",), modes=("constant",), most=6))
    at = legs[-1].map.output_size
    legs.append(Leg(resized(at, (7, 31)), Resampling()))
    boxes = Boxes([box], size=size)
    low, high = np.split(boxes.edges[0], 2)
    low, high = np.maximum(low, -0.5), np.minimum(high, np.array(size) - 0.5)
    whole = np.prod(high - low)
    share = 1.0
    for leg in legs:
        scale = 1.0
        if isinstance(leg.map, GridMap):
            ends = [leg.map.inverse()(low), leg.map.inverse()(high)]
        else:
            ends = [(end - leg.map.offset) / np.diag(leg.map.matrix) for end in (low, high)]
            scale = 1 / np.prod(np.diag(leg.map.matrix))
        low, high = np.minimum(*ends), np.maximum(*ends)
        before = np.prod(high - low)
        low, high = np.maximum(low, -0.5), np.minimum(high, np.array(leg.map.output_size) - 0.5)
        left = np.prod(np.maximum(high - low, 0))
        share *= left / before if before else 0
        if (high <= low).any():
            break
        del scale
    moved = boxes.moved(legs)
    if (high - low <= 1e-9).any() or share <= 1e-9:
        assert len(moved) == 0 and moved.dropped[0].reason == "nothing of it is left in the image"
        return
    assume(whole > 0)
    np.testing.assert_allclose(moved.edges[0], [*low, *high], rtol=0, atol=1e-12)
    np.testing.assert_allclose(moved.visibility[0], share, rtol=1e-9)


def test_flips_and_crops_are_exact_to_the_bit():
    boxes = Boxes([[1, 2, 4, 6], [5, 5, 8, 8]], size=(10, 12))
    legs = [Leg(GridMap.flip((1,), (10, 12))), Leg(GridMap.crop((1, 2), (8, 9), (10, 12)))]
    moved = boxes.moved(legs)
    assert moved.array.tolist() == [[6, 1, 9, 5], [2, 4, 5, 7]]
    assert moved.visibility.tolist() == [1, 1]


def test_a_turned_box_is_cut_before_its_bounds_are_taken():
    """A quarter turn of a diamond: only what the first crop leaves is bounded."""
    size = (20, 20)
    boxes = Boxes([[6, 6, 14, 14]], size=size)
    eighth = [
        Leg(turned(np.pi / 4, size)),
        Leg(GridMap.crop((0, 0), (10, 20), size)),
        Leg(turned(-np.pi / 4, (10, 20), size)),
    ]
    moved = boxes.moved(eighth)
    np.testing.assert_allclose(moved.visibility, [0.5], atol=1e-9)
    # Half of the square, cut along its diagonal: a triangle. Its bounds by the bounds of the turned square would be wider.
    lengths = moved.edges[0, 2:] - moved.edges[0, :2]
    np.testing.assert_allclose(lengths, [8, 8], atol=1e-9)


def test_rules():
    size = (10, 10)
    boxes = [[0, 0, 4, 4], [4, 0, 8, 4], [9, 0, 10, 10]]
    crop = [Leg(GridMap.crop((0, 3), (10, 7), size))]
    assert Boxes(boxes, size=size).moved(crop).array.tolist() == [[0, 0, 1, 4], [1, 0, 5, 4], [6, 0, 7, 10]]
    moved = Boxes(boxes, size=size, min_visibility=0.3, labels=list("abc")).moved(crop)
    assert moved.labels.tolist() == ["b", "c"] and moved.dropped[0].id == 0
    assert "25.0% of it is left, less than min_visibility=0.3" in moved.dropped[0].reason
    moved = Boxes(boxes, size=size, min_area=12).moved(crop)
    assert moved.ids.tolist() == [1] and "its area of 4 pixels" in moved.dropped[0].reason
    # Whole boxes, as far as they go.
    moved = Boxes(boxes, size=size, clip=False, min_visibility=0.2).moved(crop)
    assert moved.array.tolist() == [[-3, 0, 1, 4], [1, 0, 5, 4], [6, 0, 7, 10]]
    # The share counts from the first image on.
    again = (
        Boxes(boxes, size=size, min_visibility=0.2)
        .moved(crop)
        .moved([Leg(GridMap.crop((2, 0), (8, 7), (10, 7)))])
    )
    assert again.ids.tolist() == [1, 2] and again.visibility.tolist() == [0.5, 0.8]
    assert [gone.id for gone in again.dropped] == [0]


def test_polygons_are_bounded_tighter_than_their_boxes():
    size = (21, 21)
    diamond = [(10.5, 2.5), (18.5, 10.5), (10.5, 18.5), (2.5, 10.5)]
    turn = [Leg(turned(np.pi / 4, size))]
    box = [[2.5, 2.5, 18.5, 18.5]]
    loose = Boxes(box, size=size).moved(turn)
    tight = Boxes(box, size=size, polygons=[[diamond]]).moved(turn)
    side = 8 * np.sqrt(2)
    np.testing.assert_allclose(
        tight.edges[0], [10 - side / 2, 10 - side / 2, 10 + side / 2, 10 + side / 2], atol=1e-9
    )
    assert (loose.edges[0, 2:] - loose.edges[0, :2] > 1.9 * side).all() or loose.visibility[0] < 1
    mixed = Boxes(box * 2, size=size, polygons=[None, [diamond]]).moved(turn)
    np.testing.assert_array_equal(mixed.edges, np.concatenate([loose.edges, tight.edges]))
    assert mixed.polygons[0] is None and len(mixed.polygons[1][0]) == 4


def test_boxes_of_labels_follow_their_mask():
    size = (40, 40)
    grid = np.stack(np.indices(size), -1)
    labels = np.zeros(size, np.int64)
    labels[((grid - (12, 14)) ** 2).sum(-1) <= 64] = 2**40
    labels[((grid - (30, 36)) ** 2).sum(-1) <= 30] = 7
    mask = Mask(labels)
    boxes = Boxes.of_labels(mask, labels={7: "small", 2**40: "large"}, min_visibility=0.1)
    assert boxes.labels.tolist() == ["small", "large"]
    legs = [Leg(turned(0.7, size)), Leg(GridMap.crop((0, 0), (30, 24), size))]
    moved = boxes.moved(legs)
    after = Mask(labels).moved(legs).array
    for label, box in zip(moved.extra["instance"], moved.edges):
        np.testing.assert_array_equal(box, _tight(after == label))
    assert [gone.id for gone in moved.dropped] == [0]  # cut off
    back = moved.moved([Leg(GridMap.flip((0,), (30, 24)))])
    np.testing.assert_array_equal(back.edges[0], _tight(after[::-1] == 2**40))


@pytest.mark.parametrize("mode", ["reflect", "mirror", "grid-wrap", "nearest"])
def test_copies_of_an_object_at_the_border_are_not_the_object(mode):
    """What is seen again in a border that mirrors, repeats or smears the image is no part of a box, as of boxes without a mask."""
    size = (40, 40)
    labels = np.zeros(size, np.uint8)
    labels[0:10, 3:12], labels[30:40, 20:30] = 1, 2
    legs = [Leg(AffineMap(np.eye(2), np.array([-12.0, -15.0]), size, size), Resampling(order=1, mode=mode))]
    mask = Mask(labels)
    ghosts = mask.moved(legs)
    assert (ghosts.array[:12] > 0).any() or (ghosts.array[:, :15] > 0).any()
    tight = Boxes.of_labels(mask)
    loose = Boxes(tight.array, size=size)
    for moved in (tight.moved(legs), tight.moved(legs, ghosts)):
        np.testing.assert_array_equal(moved.edges, loose.moved(legs).edges)
        np.testing.assert_array_equal(moved.visibility, loose.moved(legs).visibility)
        assert moved.ids.tolist() == [0]
    filled = [Leg(legs[0].map, Resampling(mask_cval=2))]
    assert tight.moved(filled).ids.tolist() == [0]


def test_a_box_comes_back():
    size = (30, 40)
    boxes = Boxes([[12, 8, 20, 15], [0, 0, 5, 5]], size=size)
    maps = (turned(0.3, size), GridMap.crop((2, 6), (24, 30), size), resized((24, 30), (48, 45)))
    moved = boxes.moved([Leg(step) for step in maps])
    restored = moved.restored(Frame(maps))
    assert restored.size == size and restored.ids.tolist()[0] == 0
    low, high = np.split(restored.edges[0], 2)
    assert (low <= boxes.edges[0, :2] + 1e-9).all() and (high >= boxes.edges[0, 2:] - 1e-9).all()
    exact = (GridMap.flip((0,), size), GridMap.crop((2, 6), (24, 30), size))
    again = boxes.moved([Leg(step) for step in exact]).restored(Frame(exact))
    assert again.array.tolist()[0] == [12, 8, 20, 15]
    with pytest.raises(StepError, match="output grid"):
        boxes.restored(Frame(exact))


def test_what_lies_behind_the_horizon_is_cut_off():
    size = (20, 20)
    matrix = np.array([[1, 0, 0], [0, 1, 0], [-0.06, 0, 1]])
    step = ProjectiveMap(matrix, size, size)
    boxes = Boxes([[2, 0, 10, 20]], size=size)
    moved = boxes.moved([Leg(step)])
    points = np.stack(np.indices(size), -1).astype(float)
    source = step(points)
    with np.errstate(invalid="ignore"):
        inside = ((source >= boxes.edges[0, :2]) & (source <= boxes.edges[0, 2:])).all(-1)
    places = np.argwhere(inside)
    assert len(places) and (places >= moved.edges[0, :2]).all() and (places <= moved.edges[0, 2:]).all()


# Polygons

_POINT = st.tuples(st.floats(-5, 5), st.floats(-5, 5))


@given(st.lists(st.floats(0.1, 5), min_size=3, max_size=9), _POINT, st.floats(-3, 3))
@settings(max_examples=100, deadline=None)
def test_a_cut_parts_a_polygon(radii, normal, offset):
    """A star about the origin, cut along any line."""
    assume(np.hypot(*normal) > 0.1)
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    corners = np.array(radii)[:, np.newaxis] * np.stack([np.sin(angles), np.cos(angles)], -1)
    distance = corners @ np.array(normal) - offset
    both = area(cut(corners, distance)) + area(cut(corners, -distance))
    np.testing.assert_allclose(both, area(corners), rtol=1e-6, atol=1e-6)


@given(st.lists(_POINT, min_size=3, max_size=8))
@settings(max_examples=100, deadline=None)
def test_a_clipped_polygon_lies_inside_and_keeps_what_was_inside(points):
    corners = np.array(points)
    low, high = np.array([-2.0, -3.0]), np.array([3.0, 1.5])
    kept = clipped(corners, low, high)
    assert (kept >= low).all() and (kept <= high).all()
    grid = np.stack(np.meshgrid(np.linspace(-2, 3, 23)[1:-1], np.linspace(-3, 1.5, 23)[1:-1]), -1).reshape(
        -1, 2
    )
    inside = contains(corners, grid)
    if inside.any():
        within = grid[inside]
        assert (within >= kept.min(axis=0) - 1e-9).all() and (within <= kept.max(axis=0) + 1e-9).all()


def test_a_cube_is_cut_to_a_corner():
    cube = corners_of(np.array([[0.0, 0, 0, 2, 2, 2]]))[0]
    corner = cut(cube, 1 - cube.sum(axis=1))
    assert volume(corner) == pytest.approx(1 / 6) and volume(cube) == pytest.approx(8)
    assert volume(clipped(cube, np.array([1, -9, 0.5]), np.array([9, 9, 1]))) == pytest.approx(1)


def test_scaling_down_keeps_shares():
    boxes = Boxes([[0, 0, 100, 100]], size=(100, 100)).moved(
        [Leg(AffineMap(np.diag([4, 4]), (1.5, 1.5), (100, 100), (25, 25)))]
    )
    assert boxes.array.tolist() == [[0, 0, 25, 25]] and boxes.visibility.tolist() == [1]

"""Boxes through maps that bend their edges: few points, and still every pixel of the object within."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plan.test_fuse import planned

import offgraph as og
from offgraph.core.specs import ArraySpec
from offgraph.geometry.base import pixel_grid
from offgraph.geometry.resampling import Leg
from offgraph.targets import bent_boxes, outlines
from offgraph.targets.polygons import contains

pytestmark = pytest.mark.filterwarnings("ignore::offgraph.core.errors.OffgraphWarning")

SIZE = (90, 110)
BENT = st.one_of(
    st.builds(
        og.Elastic, st.sampled_from([2.0, "4%", "8%"]), nodes=st.integers(3, 6), fixed_border=st.booleans()
    ),
    st.builds(og.GridDistortion, st.sampled_from([0.2, 0.4]), cells=st.integers(2, 6)),
    st.builds(og.LensDistortion, st.floats(-0.2, 0.4), st.sampled_from([0.0, 0.1])),
)
STRAIGHT = st.one_of(
    st.builds(og.Flip, st.sampled_from("XY")),
    st.builds(og.CenterCrop, st.sampled_from(["80%", ("100%", "60%")])),
    st.builds(og.Rotate, st.floats(-60, 60)),
    st.builds(og.Affine, scale=st.floats(0.7, 1.5), shear=st.floats(-0.3, 0.3)),
    st.builds(og.Perspective, st.just(0.1)),
    st.builds(og.Resize, st.tuples(st.integers(40, 120), st.integers(40, 120))),
)
CHAINS = st.tuples(st.lists(STRAIGHT | BENT, max_size=2), BENT, st.lists(STRAIGHT | BENT, max_size=2)).map(
    lambda parts: [*parts[0], parts[1], *parts[2]]
)


def boxes_of(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    low = rng.uniform(-0.5, 1, (count, 2)) * (np.array(SIZE) - 10)
    low = np.maximum(low, -0.5)
    return np.concatenate(
        [low, np.minimum(low + rng.uniform(3, 50, (count, 2)), np.array(SIZE) - 0.5)], axis=1
    )


def points_of(legs: Sequence[Leg]) -> tuple[np.ndarray, np.ndarray]:
    """Where output pixels come from in the first input, and which of them every image on the way shows."""
    points = pixel_grid(legs[-1].map.output_size)
    shown = np.ones(points.shape[1:], bool)
    for number, leg in reversed(list(enumerate(legs))):
        points = np.array(leg.map.pull(points))
        for along, n in zip(points, leg.map.input_size):
            shown &= (along >= -0.5) & (along <= n - 0.5)
            if number and not leg.map.is_exact and not leg.resampling.is_constant:
                along[:] = np.clip(along, 0, n - 1)  # the image goes on as its border pixel
    return points, shown


def pixels_of(edges: np.ndarray, legs: Sequence[Leg]) -> np.ndarray:
    """Which output pixels come from inside a box, and from inside every image on the way."""
    points, shown = points_of(legs)
    for along, low, high in zip(points, edges[:2], edges[2:]):
        shown = shown & (along >= low) & (along <= high)
    return np.argwhere(shown)


@settings(max_examples=60, deadline=None)
@given(steps=CHAINS, seed=st.integers(0, 1 << 20))
def test_bounds_hold_every_pixel_of_the_box(steps, seed):
    legs = [each.op.leg for each in planned(steps, ArraySpec(SIZE, "uint8", "YX"))]
    edges = boxes_of(seed, 6)
    carried = outlines.carry_boxes(edges, legs)
    for number, box in enumerate(edges):
        pixels = pixels_of(box, legs)
        if len(pixels):
            assert (carried.edges[number, :2] <= pixels.min(axis=0) + 1e-6).all()
            assert (carried.edges[number, 2:] >= pixels.max(axis=0) - 1e-6).all()


@settings(max_examples=30, deadline=None)
@given(steps=CHAINS, seed=st.integers(0, 1 << 20))
def test_bounds_hold_every_pixel_of_a_polygon(steps, seed):
    legs = [each.op.leg for each in planned(steps, ArraySpec(SIZE, "uint8", "YX"))]
    rng = np.random.default_rng(seed)
    objects = [[rng.uniform(0, 1, (corners, 2)) * SIZE - 0.5 for corners in (3, 5)] for _ in range(3)]
    carried = outlines.carry_polygons(objects, legs)
    for number, parts in enumerate(objects):
        points, shown = points_of(legs)
        inside = np.any([contains(part, points[:, shown].T) for part in parts], axis=0)
        pixels = np.argwhere(shown)[inside]
        if len(pixels):
            assert (carried.edges[number, :2] <= pixels.min(axis=0) + 1e-6).all()
            assert (carried.edges[number, 2:] >= pixels.max(axis=0) - 1e-6).all()


@settings(max_examples=30, deadline=None)
@given(steps=CHAINS, seed=st.integers(0, 1 << 20))
def test_bounds_are_those_of_many_points_and_all_pixels(steps, seed):
    """What the proof leaves open is its bound, and mostly little where no field has kinks."""
    legs = [each.op.leg for each in planned(steps, ArraySpec(SIZE, "uint8", "YX"))]
    edges = boxes_of(seed, 6)
    found = outlines.carry_boxes(edges, legs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outlines, "is_bounded", lambda legs: False)
        expected = outlines.carry_boxes(edges, legs)
    np.testing.assert_allclose(found.share, expected.share, atol=0.02)
    assert np.isfinite(found.edges[expected.share > 0.01]).all()
    uncut = np.abs(found.edges - expected.edges)[(expected.share == 1) & (found.share == 1)]
    inside = 0.5  # the pixels that are asked lie so far inside the edges
    assert uncut.max(initial=0) < bent_boxes._MOST_ERROR + inside
    if uncut.size and not any(isinstance(step, og.GridDistortion) for step in steps):
        assert np.median(uncut) < 0.3


def test_an_elastic_image_asks_for_few_points(monkeypatch):
    counts = []
    push = og.DisplacementMap.push
    monkeypatch.setattr(
        og.DisplacementMap, "push", lambda self, x: (counts.append(x[0].size), push(self, x))[1]
    )
    legs = [each.op.leg for each in planned([og.Elastic("3%")], ArraySpec((375, 500), "uint8", "YX"))]
    low = np.random.default_rng(0).uniform(30, 280, (20, 2))
    outlines.carry_boxes(np.concatenate([low, low + 50], axis=1), legs)
    assert sum(counts) < 20 * 100


@pytest.mark.parametrize("seed", range(5))
def test_curvature_bounds_second_derivatives(seed):
    rng = np.random.default_rng(seed)
    size = (40, 50)
    for order in (2, 3, 4, 5):
        step = og.DisplacementMap(rng.normal(0, 2, (2, 5, 6)), size, size, order)
        assert steepest_change(step, rng) <= step.curvature[0] * (1 + 1e-6) + 1e-6
    lens = og.RadialMap(rng.normal(0, 0.3, 2), rng.uniform(10, 30, 2), 25.0, size, size)
    far = np.linalg.norm(np.array(size))
    assert steepest_change(lens, rng) <= lens.curvature_within(far) * (1 + 1e-6) + 1e-6


def steepest_change(step: og.CoordinateMap, rng: np.random.Generator) -> float:
    """The largest sum of second derivatives at random points, by differences of first ones."""
    points, gap = rng.uniform(2, 37, (400, 2)), 1e-4
    total = np.zeros((400, 2))
    for axis in range(2):
        aside = np.eye(2)[axis] * gap
        change = (step.jacobian(points + aside) - step.jacobian(points - aside)) / (2 * gap)
        total += np.abs(change).sum(axis=-1)
    return float(total.max())


def test_unknown_maps_are_not_bounded():
    legs = [Leg(og.DisplacementMap(np.full((2, 3, 3), 9.0) * np.arange(3), (9, 9), (9, 9)).inverse())]
    assert not bent_boxes.is_bounded(legs)

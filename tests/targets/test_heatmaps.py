"""Heatmaps are interpolated once; densities keep their sums."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from offgraph.core.errors import StepError
from offgraph.geometry import DisplacementMap, GridMap, Leg, Resampling
from offgraph.geometry.frame import Frame
from offgraph.targets import Heatmap, Image
from support.chains import chains, resized, turned

_NEAR = 1e-6


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_one_interpolation_at_the_composed_coordinates(data):
    size = (data.draw(st.integers(4, 14)), data.draw(st.integers(4, 14)))
    legs = data.draw(chains(size, modes=("constant",), most=4))
    values = np.random.default_rng(0).uniform(size=size).astype(data.draw(st.sampled_from(["f4", "f8"])))
    moved = Heatmap(values, fill=-1.0).moved(legs)
    points = np.stack(np.indices(legs[-1].map.output_size), -1).astype(float)
    filled, sure = np.zeros(points.shape[:-1], bool), np.ones(points.shape[:-1], bool)
    for number, leg in reversed(list(enumerate(legs))):
        points = leg.map(points)
        if number == 0 and leg.map.is_exact:
            break  # a pad: its fill value blends with the border pixels
        reach = 0.5 if leg.map.is_exact else 0.0
        last = np.array(leg.map.input_size) - 1
        with np.errstate(invalid="ignore"):
            outside = ~((points >= -reach) & (points <= last + reach)).all(-1)
            edge = np.minimum(np.abs(points + reach), np.abs(points - last - reach)).min(-1)
        sure &= filled | ~(edge < _NEAR)
        filled |= outside
    pad = legs[0].map.is_exact
    expected = scipy.ndimage.map_coordinates(
        values.astype(float), np.nan_to_num(np.moveaxis(points, -1, 0)), order=1,
        mode="grid-constant" if pad else "nearest", cval=-1.0,
    )  # fmt: skip
    # A copy of whole pixels reads no further than the pixel itself.
    if not all(leg.map.is_exact for leg in legs):
        expected[filled] = -1
        np.testing.assert_allclose(moved.array[sure], expected[sure], rtol=0, atol=2e-6)
    else:
        assert set(np.unique(moved.array)) <= {*np.unique(values), -1}
    assert moved.array.dtype == values.dtype


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_the_quick_way_reads_what_the_general_one_reads(data):
    size = (data.draw(st.integers(4, 16)), data.draw(st.integers(4, 16)))
    legs = data.draw(chains(size, kinds=("grid", "affine")))
    if all(leg.map.is_exact for leg in legs):
        return
    out = legs[-1].map.output_size
    unbent = Leg(DisplacementMap(np.zeros((2, 2, 2)), out, out), Resampling(mode="constant"))
    values = np.random.default_rng(1).uniform(size=size)
    np.testing.assert_allclose(
        Heatmap(values).moved(legs).array, Heatmap(values).moved([*legs, unbent]).array, rtol=0, atol=1e-6
    )


def test_channels_are_carried_along_and_copies_are_exact():
    values = np.random.default_rng(2).uniform(size=(2, 6, 7, 3)).astype(np.float32)
    legs = [Leg(turned(0.4, (6, 7))), Leg(GridMap.flip((0,), (6, 7)))]
    moved = Heatmap(values, "TYXC").moved(legs)
    np.testing.assert_array_equal(moved.array[1, ..., 2], Heatmap(values[1, ..., 2]).moved(legs).array)
    flips = [
        Leg(GridMap.flip((1,), (6, 7))),
        Leg(GridMap.crop((-1, 0), (7, 7), (6, 7)), Resampling(mode="reflect")),
    ]
    expected = np.concatenate([values[0, :1], values[0]])[:, ::-1]
    np.testing.assert_array_equal(Heatmap(values, "TYXC").moved(flips).array[0], expected)


def test_a_density_keeps_its_sum():
    grid = np.stack(np.indices((60, 60)), -1)
    density = np.exp(-((grid - (28, 33)) ** 2).sum(-1) / 50.0)
    bend = np.zeros((2, 4, 4))
    bend[:, 1:3, 1:3] = [[[2, -2], [1, 0]], [[-1, 2], [0, 2]]]
    for legs in (
        [Leg(resized((60, 60), (90, 75)), Resampling(mode="nearest"))],
        [Leg(turned(0.5, (60, 60), (64, 64))), Leg(resized((64, 64), (32, 40)), Resampling(mode="nearest"))],
        [Leg(DisplacementMap(bend, (60, 60), (60, 60)))],
    ):
        moved = Heatmap(density, density=True).moved(legs)
        np.testing.assert_allclose(moved.array.sum(), density.sum(), rtol=2e-3)
        plain = Heatmap(density).moved(legs)
        assert abs(plain.array.max() - 1) < 0.02
    steps = (turned(0.5, (60, 60), (70, 70)), resized((70, 70), (35, 35)))
    back = Heatmap(density, density=True).moved([Leg(step) for step in steps]).restored(Frame(steps))
    np.testing.assert_allclose(back.array.sum(), density.sum(), rtol=5e-3)


def test_whole_numbers_are_no_heatmap():
    with pytest.raises(StepError, match="a heatmap of dtype uint8"):
        Heatmap(np.zeros((2, 2), np.uint8))
    assert Heatmap(np.zeros((2, 2), np.float16)).array.dtype == np.float32


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("axes", ["YX", "YXC", "TYXC", "ZYX", "ZYXC"])
def test_an_image_is_resampled_step_by_step(axes, dtype):
    lengths = {"T": 2, "Z": 4, "Y": 7, "X": 6, "C": 5}
    size = tuple(lengths[name] for name in axes if name in "ZYX")
    rng = np.random.default_rng(3)
    image = Image((rng.uniform(size=[lengths[name] for name in axes]) * 200).astype(dtype), axes)
    step = turned(0.3, size)
    legs = [
        Leg(step, Resampling(order=1, mode="mirror")),
        Leg(GridMap.flip((len(size) - 1,), size)),
        Leg(step, Resampling(order=3, cval=7)),
    ]
    moved = image.moved(legs)
    assert moved.axes == axes and moved.array.dtype == image.array.dtype
    spatial = [axes.index(name) for name in axes if name in "ZYX"]
    planes = np.moveaxis(image.array, spatial, range(len(size)))
    results = np.moveaxis(moved.array, spatial, range(len(size)))
    for other in np.ndindex(planes.shape[len(size) :]):
        plane = planes[(..., *other)]
        once = scipy.ndimage.affine_transform(plane, step.matrix, step.offset, size, order=1, mode="mirror")
        twice = scipy.ndimage.affine_transform(
            np.flip(once, -1), step.matrix, step.offset, size, order=3, cval=7
        )
        np.testing.assert_array_equal(results[(..., *other)], twice)

"""Planes read at shared coordinates have the bytes that SciPy gives each of them."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cases import MODES, examples, values

import offgraph as og
from offgraph.engine import coordinates as coordinates_module
from offgraph.engine.coordinates import coordinates_planes


@st.composite
def reads(draw: st.DrawFn) -> dict:
    """An image with planes before, between and after its spatial axes, and coordinates in and around it."""
    k = draw(st.integers(1, 3))
    ndim = k + draw(st.integers(0, 2))
    axes = sorted(draw(st.permutations(range(ndim)))[:k])
    top = {1: 2000, 2: 40, 3: 9}[k]
    shape = [draw(st.integers(1, top if axis in axes else 5)) for axis in range(ndim)]
    size = [draw(st.integers(1, {1: 3000, 2: 90, 3: 12}[k])) for _ in range(k)]
    seed = draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    points = np.stack([rng.uniform(-3, shape[axis] + 2, size) for axis in axes])
    how = draw(st.sampled_from(["C", "F", "reversed", "strided"]))
    dtype = draw(st.sampled_from(["u1", "u2", "i4", "f4", "f8", "?"]))
    image = values(tuple(shape), dtype, seed)
    if how == "F":
        image = np.asfortranarray(image)
    elif how == "reversed":
        image = image[::-1]
    elif how == "strided":
        image = np.repeat(image, 2, axis=-1)[..., ::2]
    if draw(st.booleans()):
        points = points.astype(np.float32)
    return {"image": image, "points": points, "axes": axes}


@given(reads(), st.integers(0, 5), st.sampled_from(MODES), st.booleans())
@examples(150)
def test_planes_are_scipys(case, order, mode, prefilter):
    image, points, axes = case["image"], case["points"], case["axes"]
    found = coordinates_planes(image, points, axes=axes, order=order, mode=mode, cval=3, prefilter=prefilter)
    planes = np.moveaxis(found, axes, range(-len(axes), 0))
    sources = np.moveaxis(image, axes, range(-len(axes), 0))
    assert found.dtype == image.dtype and found.flags.c_contiguous
    for index in np.ndindex(*planes.shape[: -len(axes)]):
        expected = scipy.ndimage.map_coordinates(
            sources[index], points, order=order, mode=mode, cval=3, prefilter=prefilter
        )
        np.testing.assert_array_equal(planes[index], expected)


@pytest.mark.parametrize("axes", [(0, 1), (1, 2)])
@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_large_images_on_any_number_of_threads(axes, order, dtype):
    rng = np.random.default_rng(0)
    image = values((3, 300, 420) if axes == (1, 2) else (300, 420, 3), dtype, 5)
    points = np.indices((310, 400)) + rng.normal(0, 2, (2, 1, 1)) + rng.uniform(-1, 1, (2, 310, 400))
    for threads in (1, 2, 3):
        with og.num_threads(threads):
            found = coordinates_planes(image, points, axes=axes, order=order, mode="mirror")
        for channel in range(3):
            channel_axis = 2 if axes == (0, 1) else 0
            plane = image.take(channel, axis=channel_axis)
            expected = scipy.ndimage.map_coordinates(plane, points, order=order, mode="mirror")
            np.testing.assert_array_equal(found.take(channel, axis=channel_axis), expected)


def test_wide_planes_are_cut():
    """More samples beside a row than are made at once, before and after the spatial axes."""
    points = np.random.default_rng(1).uniform(0, 7, (1, 700))
    for shape, axis in (((8, 1200), 0), ((1200, 8), 1)):
        image = values(shape, "f4", 2)
        found = coordinates_planes(image, points, axes=(axis,), order=1, mode="nearest")
        for plane in (0, 650, 1199):
            source = image.take(plane, axis=1 - axis)
            expected = scipy.ndimage.map_coordinates(source, points, order=1, mode="nearest")
            np.testing.assert_array_equal(found.take(plane, axis=1 - axis), expected)


def test_nothing_to_read():
    for size in ((0, 4), (3, 0)):
        found = coordinates_planes(
            np.ones((3, 4, 2)), np.zeros((2, *size)), axes=(0, 1), order=1, mode="nearest"
        )
        assert found.shape == (*size, 2)


def test_coordinates_of_another_rank_are_refused():
    with pytest.raises(RuntimeError, match="invalid shape for coordinate array"):
        coordinates_planes(np.ones((3, 4, 2)), np.zeros((3, 3, 3)), axes=(0, 1), order=1, mode="nearest")


def test_examples():
    assert doctest.testmod(coordinates_module).failed == 0

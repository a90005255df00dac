"""Images that would be copied for a call, large beside what is asked of them, against live SciPy: they are read in parts."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cases import MODES, assert_same, examples, outcome

from offgraph import ndimage
from offgraph.core.threads import num_threads

# Of this size a copy takes more than what is made however small the result is.
SHAPES = ((41_000,), (300, 290), (700, 130), (30, 75, 4, 9), (44, 43, 45))
dtypes = st.sampled_from("?BbHhIiQqfd")
seeds = st.integers(0, 2**32 - 1)


@st.composite
def make_images(draw):
    """One that leaves gaps between its elements, or has them in reverse."""
    shape, dtype, seed = draw(st.sampled_from(SHAPES)), draw(dtypes), draw(seeds)
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, [2 * length + 1 for length in shape]).astype(dtype)
    if image.dtype.kind == "f" and seed % 4 == 0:
        image.flat[random.integers(image.size, size=3)] = np.nan, np.inf, -np.inf
    # As long as the shape says, or longer.
    cuts = (slice(None, None, 2), slice(1, None), slice(None, None, -2), slice(0, -1))
    image = image[tuple(draw(st.sampled_from(cuts)) for _ in shape)]
    return image.transpose(draw(st.permutations(range(image.ndim))))


def options(image):
    outputs = st.sampled_from(("u1", "f4", "f8", image.dtype.str))
    return st.fixed_dictionaries(
        {
            "order": st.integers(0, 5),
            "mode": st.sampled_from(MODES),
            "cval": st.sampled_from((0.0, 2.5, np.nan)),
            "prefilter": st.booleans(),
            "output": outputs,
        }
    )


def assert_equal(name, *arguments, threads=1, **options):
    # SciPy's filter overruns its own casts, with a warning, where an output has no place for a number.
    with np.errstate(all="ignore"), num_threads(threads):
        assert_same(
            outcome(getattr(ndimage, name), *arguments, **options),
            outcome(getattr(scipy.ndimage, name), *arguments, **options),
        )


@pytest.mark.usefixtures("simd_level")
@examples(40)
@given(st.data(), make_images(), seeds, st.integers(1, 3))
def test_affine_transform(data, image, seed, threads):
    random, n = np.random.default_rng(seed), image.ndim
    matrix = np.eye(n) + random.normal(0, 0.4, (n, n)) * random.integers(0, 2, (n, n))
    offset = random.uniform(-0.2, 0.8, n) * image.shape
    if seed % 3 == 0:
        matrix, offset = np.round(matrix), np.round(offset)
    shape = tuple(random.integers(1, 1 + np.maximum(1, np.array(image.shape) // 3)))
    drawn = data.draw(options(image))
    assert_equal(
        "affine_transform", image, matrix, offset.tolist(), output_shape=shape, threads=threads, **drawn
    )


@pytest.mark.usefixtures("simd_level")
@examples(40)
@given(st.data(), make_images(), seeds, st.integers(1, 2000), st.booleans(), st.integers(1, 3))
def test_map_coordinates(data, image, seed, count, scattered, threads):
    random, lengths = np.random.default_rng(seed), np.reshape(image.shape, (-1, 1))
    points = random.uniform(-0.1, 1.1, (image.ndim, count)) * lengths
    if not scattered:
        # All near one of them.
        points = points[:, :1] + random.normal(0, 4, (image.ndim, count))
    if seed % 3 == 0:
        points = np.round(points)
    assert_equal("map_coordinates", image, points, threads=threads, **data.draw(options(image)))


@pytest.mark.usefixtures("simd_level")
@examples(40)
@given(st.data(), make_images(), seeds, st.booleans(), st.integers(1, 3))
@pytest.mark.filterwarnings("ignore:It is recommended")
def test_zoom(data, image, seed, grid, threads):
    factors = np.random.default_rng(seed).uniform(0.02, 0.6, image.ndim).tolist()
    assert_equal("zoom", image, factors, grid_mode=grid, threads=threads, **data.draw(options(image)))


LONG = 70_000
"""Rows of this length are cut, whatever lies in them."""


@pytest.mark.parametrize("shape", [(LONG,), (3, LONG), (2, LONG, 2)])
@pytest.mark.parametrize("mode", ["constant", "reflect", "grid-wrap", "nearest"])
@pytest.mark.parametrize("order", [0, 1, 3])
def test_long_rows(shape, mode, order):
    if (len(shape), mode, order) == (3, "nearest", 3):
        shape = (LONG, 2)  # twelve pixels are put around an image: 170 times as many, of three axes
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    n = image.ndim
    options = {"order": order, "mode": mode, "threads": 2}
    assert_equal("affine_transform", image, np.eye(n) * 0.97, [1.3] * n, **options)
    assert_equal("shift", image, [0.4] * n, **options)
    assert_equal("zoom", image, [1.01] * n, **options)
    points = np.indices(shape) * 0.98 + 0.3
    assert_equal("map_coordinates", image, points.transpose(0, *range(n, 0, -1)), **options)
    for name, arguments in (
        ("correlate", (np.arange(1.0, 3**n + 1).reshape((3,) * n),)),
        ("median_filter", (3,)),
        ("grey_erosion", ((3,) * n,)),
    ):
        assert_equal(name, image, *arguments, mode=mode if mode != "grid-wrap" else "wrap", threads=2)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i8"])
def test_many_planes(order, dtype):
    """More than are made together."""
    image = np.random.default_rng(0).integers(0, 256, (5, 6, 100_000)).astype(dtype)
    for odd in (np.nan, 1.0):
        if dtype != "i8":
            image[2, 3, 5000:90_000:20_000] = odd
        assert_equal("zoom", image, (0.5, 0.6, 1), order=order, threads=2)
        assert_equal("rotate", image, 30, (0, 1), reshape=False, order=order)
        assert_equal("affine_transform", image, np.diag([1.5, 0.7, 1]), order=order, mode="mirror")

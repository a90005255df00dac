"""The antialiased resize against its definition in NumPy, and against Pillow."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.support.cases import arrays, assert_equal_arrays, examples, values

from offgraph.core.threads import num_threads
from offgraph.engine.resize import KERNELS, resize, resize_reference, weight_table

PILLOW = {
    "box": Image.Resampling.BOX,
    "triangle": Image.Resampling.BILINEAR,
    "cubic": Image.Resampling.BICUBIC,
    "lanczos3": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}


@examples(200)
@given(
    st.data(),
    arrays(max_dims=4),
    st.sampled_from(sorted(KERNELS)),
    st.booleans(),
)
def test_bytes_of_the_definition(data, image, kernel, antialias):
    axes = data.draw(st.permutations(range(image.ndim)).map(lambda p: p[: max(1, image.ndim - 1)]))
    size = data.draw(st.lists(st.integers(1, 12), min_size=len(axes), max_size=len(axes)))
    options = {"axes": axes, "kernel": kernel, "antialias": antialias}
    with np.errstate(all="ignore"):
        assert_equal_arrays(resize(image, size, **options), resize_reference(image, size, **options))


@pytest.mark.parametrize("kernel", sorted(PILLOW))
@pytest.mark.parametrize("size", [(40, 30), (7, 91), (120, 200), (1, 1), (61, 83)])
def test_pillow_within_float32(kernel, size):
    image = values((61, 83), "f4", 1)
    pillow = np.asarray(Image.fromarray(image).resize(size[::-1], PILLOW[kernel]))
    ours = resize(image, size, axes=(0, 1), kernel=kernel)
    # Pillow sums the other axis first and stores float32 between the passes.
    np.testing.assert_allclose(ours, pillow, rtol=0, atol=4e-6 * np.abs(image).max())


@pytest.mark.parametrize("planes", [1, 2, 3, 4])
def test_images_on_every_level_and_any_threads(simd_level, planes):
    image = values((150, 201, planes), "u1", planes)
    for size, kernel in [
        ((64, 64), "triangle"),
        ((200, 300), "triangle"),
        ((70, 93), "area"),
        ((64, 64), "lanczos5"),
        ((200, 300), "lanczos5"),
        ((200, 300), "cubic75"),
        ((70, 310), "nearest"),
    ]:
        expected = resize_reference(image, size, axes=(0, 1), kernel=kernel)
        for threads in (1, 2):
            with num_threads(threads):
                assert_equal_arrays(resize(image, size, axes=(0, 1), kernel=kernel), expected)


@examples(100)
@given(st.integers(1, 60), st.integers(1, 60))
def test_an_area_is_what_a_pixel_covers(n, length):
    starts, counts, weights = weight_table(n, length, "area", True)
    for pixel, (start, count, row) in enumerate(zip(starts, counts, weights, strict=True)):
        covered = {}
        for given_pixel in range(n):
            low, high = Fraction(pixel * n, length), Fraction((pixel + 1) * n, length)
            part = min(high, Fraction(given_pixel + 1)) - max(low, Fraction(given_pixel))
            if part > 0:
                covered[given_pixel] = part * Fraction(length, n)
        assert sum(covered.values()) == 1
        assert list(covered) == list(range(start, start + count))
        assert row[:count].tolist() == [float(part) for part in covered.values()]


@pytest.mark.parametrize(
    ("method", "kernel", "size"),
    [
        (method, kernel, size)
        for method, kernel in [("area", "area"), ("lanczos5", "lanczos5"), ("bicubic", "cubic")]
        for size in [(40, 30), (61, 83), (20, 27), (90, 91)]
        if method != "area" or size != (90, 91)  # TensorFlow's area repeats pixels where an image grows
    ],
)
def test_tensorflow_within_float32(method, kernel, size):
    tensorflow = pytest.importorskip(
        "tensorflow", reason="needs TensorFlow: pip install 'offgraph[tensorflow]'"
    )
    image = values((61, 83, 3), "f4", 1)
    theirs = tensorflow.image.resize(image, size, method=method, antialias=True).numpy()
    ours = resize(image, size, axes=(0, 1), kernel=kernel)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=3e-5 * np.abs(image).max())


@examples(100)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(sorted(KERNELS)), st.booleans())
def test_tables_stay_inside_and_sum_to_one(n, length, kernel, antialias):
    starts, counts, weights = weight_table(n, length, kernel, antialias)
    assert (starts >= 0).all()
    assert (counts >= 1).all()
    assert (starts + counts <= n).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-14)


def test_the_same_size_is_a_copy_even_of_what_is_no_number():
    image = values((9, 8), "f8", 1, "special")
    for kernel in ("box", "triangle", "area", "nearest"):
        assert_equal_arrays(resize(image, (9, 8), axes=(0, 1), kernel=kernel), image)


@pytest.mark.parametrize(
    ("size", "axes", "kernel", "message"),
    [
        ((0, 3), (0, 1), "box", "cannot resize axis 0 from 4 to 0"),
        ((3,), (0, 1), "box", "must name each spatial axis once"),
        ((3, 3), (1, 1), "box", "must name each spatial axis once"),
        ((3, 3), (0, 1), "gauss", "'box', 'triangle', 'cubic', 'lanczos3', 'nearest'"),
    ],
)
def test_wrong_arguments_are_named(size, axes, kernel, message):
    with pytest.raises(ValueError, match=message):
        resize(np.zeros((4, 4)), size, axes=axes, kernel=kernel)
    with pytest.raises(ValueError, match="cannot resize axis 0 from 0 to 3"):
        resize(np.zeros((0, 4)), (3, 3), axes=(0, 1))

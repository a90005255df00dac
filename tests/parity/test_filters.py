"""Filters against live SciPy: equal bytes, dtype, shape and exceptions; and the deliberate differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.cases import (
    ALL_DTYPES,
    MODES,
    REAL_DTYPES,
    OutputForm,
    arrays,
    assert_equal_arrays,
    assert_same,
    examples,
    outcome,
    output_forms,
    values,
)

from offgraph import _native, ndimage

modes = st.sampled_from((*MODES, *MODES, "no such mode"))
fills = st.sampled_from((0.0, 3, -3.7, 300.0, 1e20))
origins = st.integers(-3, 3)
SIMD_LEVELS = ("baseline", "avx2", "avx512")


def compare(name, image, form, *args, **kwargs):
    """Call both functions, each with an output of its own, and compare what they give."""
    ours = outcome(getattr(ndimage, name), image, *args, output=form.make(image.shape), **kwargs)
    theirs = outcome(getattr(scipy.ndimage, name), image, *args, output=form.make(image.shape), **kwargs)
    assert_same(ours, theirs)


def no_nan(image: np.ndarray) -> bool:
    return image.dtype.kind != "f" or not np.isnan(image).any()


def pairs_with_axes(elements, count: int, extra: bool = True):
    """One value for all axes, one for each, or (rarely) a sequence of the wrong length."""
    lists = st.lists(elements, min_size=count, max_size=count + (count % 3 == 2 and extra))
    return st.one_of(elements, lists, lists.map(tuple))


@st.composite
def some_axes(draw, ndim: int):
    """``None``, one axis or several, counted from either end; now and then one that is missing or named twice."""
    kind = draw(st.sampled_from(("all", "all", "one", "some", "some", "some", "wrong")))
    if kind == "all":
        return None, ndim
    if kind == "one":
        return draw(st.integers(-ndim, ndim - 1)), 1
    if kind == "wrong":
        return draw(st.sampled_from(((0, 0), (ndim,), (0, -ndim), 0.5))), 1
    chosen = draw(st.permutations(range(ndim)))[: draw(st.integers(0, ndim))]
    return tuple(axis - ndim * draw(st.integers(0, 1)) for axis in chosen), len(chosen)


@st.composite
def some_weights(draw):
    half = draw(st.lists(st.floats(-3, 3), min_size=0, max_size=5))
    kind = draw(
        st.sampled_from(("any", "even", "odd", "nearly even", "tiny", "integers", "complex", "table"))
    )
    if kind == "any":
        return half
    if kind == "even":
        return half + half[-2::-1]
    if kind == "odd":
        return [*half, 0.5, *(-w for w in half[::-1])]
    if kind == "nearly even":
        return [*half, 0.5, *(w + draw(st.sampled_from((1e-16, 3e-16))) for w in half[::-1])]
    if kind == "tiny":
        return [1e-20, 0, -1e-20, 1e-20][: len(half)]
    if kind == "integers":
        return np.arange(len(half), dtype="i2")[::-1]
    if kind == "complex":
        return np.array(half) + 1j * np.array(half[::-1])
    return [half, half]


@examples(500)
@given(
    st.sampled_from(("correlate1d", "convolve1d")),
    arrays(max_size=40, max_dims=3, min_size=0),
    some_weights(),
    st.integers(-3, 2),
    output_forms(),
    modes,
    st.sampled_from((0.0, 3, -3.7, 1e20, np.nan, 2 - 1j)),
    origins,
)
def test_correlations(name, image, weights, axis, form, mode, cval, origin):
    # A fill that SciPy's C code refuses: see test_a_refusal_is_raised_whatever_the_output.
    assume(not isinstance(cval, complex) or form.layout not in ("swapped", "misaligned"))
    compare(name, image, form, weights, axis, mode=mode, cval=cval, origin=origin)


@st.composite
def some_kernel(draw, count: int):
    """Weights over `count` axes (rarely another number): any, whole, complex, tiny, or none along an axis."""
    count += draw(st.integers(0, 14)) == 0
    shape = draw(st.lists(st.integers(1, 4), min_size=count, max_size=count))
    if shape and draw(st.integers(0, 19)) == 0:
        shape[0] = 0
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kernel = rng.normal(size=shape)
    kind = draw(st.sampled_from(("any", "any", "whole", "holes", "tiny", "complex")))
    if kind == "whole":
        return rng.integers(-3, 4, shape)
    if kind == "holes":
        return kernel * (rng.random(shape) < 0.5)
    if kind == "tiny":
        return kernel * rng.choice([2e-16, 3e-16], shape)
    return kernel + 1j * rng.normal(size=shape) if kind == "complex" else kernel


@examples(400)
@given(
    st.data(),
    st.sampled_from(("correlate", "convolve")),
    arrays(min_dims=0, min_size=0, max_size=12),
    output_forms(),
    modes,
    st.sampled_from((0.0, 3, -3.7, 1e20, np.nan, 2 - 1j)),
)
def test_correlations_over_several_axes(data, name, image, form, mode, cval):
    assume(not isinstance(cval, complex) or form.layout not in ("swapped", "misaligned"))
    assume(not one_repeated_sample(image))
    axes, count = data.draw(some_axes(image.ndim)) if image.ndim else (None, 0)
    origin = data.draw(st.one_of(st.just(0), pairs_with_axes(st.integers(-2, 2), count)))
    compare(name, image, form, data.draw(some_kernel(count)), mode=mode, cval=cval, origin=origin, axes=axes)


@examples(400)
@given(
    arrays(max_size=40, min_size=0),
    st.one_of(st.integers(0, 12), st.integers(30, 90), st.sampled_from((2.5, np.int8(3)))),
    st.integers(-3, 2),
    output_forms(),
    modes,
    st.sampled_from((0.0, 3, -3.7, 1e20, 2 - 1j)),
    st.integers(-6, 6),
)
def test_means_along_an_axis(image, size, axis, form, mode, cval, origin):
    assume(not isinstance(cval, complex) or form.layout not in ("swapped", "misaligned"))
    compare("uniform_filter1d", image, form, size, axis, mode=mode, cval=cval, origin=origin)


@examples(300)
@given(st.data(), arrays(min_dims=0, min_size=0, max_size=14), output_forms(), fills)
def test_means(data, image, form, cval):
    axes, count = data.draw(some_axes(image.ndim)) if image.ndim else (None, 0)
    compare(
        "uniform_filter",
        image,
        form,
        data.draw(pairs_with_axes(st.integers(0, 6), count)),
        mode=data.draw(pairs_with_axes(modes, count, extra=False)),
        cval=cval,
        origin=data.draw(st.one_of(st.just(0), pairs_with_axes(st.integers(-2, 2), count))),
        axes=axes,
    )


@examples(300)
@given(
    st.data(),
    st.sampled_from(("sobel", "prewitt")),
    arrays(min_size=0, max_size=20),
    st.integers(-3, 2),
    output_forms(),
    fills,
)
def test_differences(data, name, image, axis, form, cval):
    mode = data.draw(pairs_with_axes(modes, image.ndim, extra=False))
    compare(name, image, form, axis, mode=mode, cval=cval)


@examples(300)
@given(
    st.data(),
    st.sampled_from(("laplace", "gaussian_laplace", "gaussian_gradient_magnitude")),
    arrays(min_dims=0, min_size=0, max_size=12),
    output_forms(),
    fills,
)
def test_sums_of_derivatives(data, name, image, form, cval):
    axes, count = data.draw(some_axes(image.ndim)) if image.ndim else (None, 0)
    sigmas = pairs_with_axes(st.sampled_from((0, 0.6, 1.5)), count)
    arguments = () if name == "laplace" else (data.draw(sigmas),)
    mode = data.draw(pairs_with_axes(modes, count, extra=False))
    compare(name, image, form, *arguments, mode=mode, cval=cval, axes=axes)


@pytest.mark.parametrize("name", ["generic_laplace", "generic_gradient_magnitude"])
@pytest.mark.parametrize("dtype", ["u1", "f4", "f8"])
def test_derivatives_of_the_callers(name, dtype):
    image = values((7, 9), dtype, 3)

    def derivative(input, axis, output, mode, cval, weights, *, scale):
        return scipy.ndimage.correlate1d(input, np.multiply(weights, scale), axis, output, mode, cval)

    compare(
        name,
        image,
        OutputForm("none"),
        derivative,
        extra_arguments=([1, 2, -3],),
        extra_keywords={"scale": 2},
    )
    compare(name, image, OutputForm("none"), lambda *_: 1 / 0)


# Sizes beyond a tile of results and a strip of lines; odd tails; samples that lie side by side, few and many.
LARGE_SHAPES = ((301, 7), (7, 301), (67, 71, 3), (40, 45, 4), (130, 131), (35, 36, 7), (5000,), (6, 5, 4, 3))


@examples(150)
@given(
    st.data(),
    st.sampled_from(LARGE_SHAPES),
    st.sampled_from(("u1", "u1", "i2", "f4", "f8")),
    st.sampled_from(("plain", "flat", "extreme", "halves")),
    st.sampled_from(MODES),
    st.sampled_from((0.0, 7, 300, 0.5)),
)
def test_tiles_and_strips(data, shape, dtype, kind, mode, cval):
    seed = data.draw(st.integers(0, 2**32 - 1))
    if kind == "halves":
        # Areas of one value, and edges between them: sums on the very edge of truncation.
        image = np.repeat(values((*shape[:-1], -(-shape[-1] // 5)), dtype, seed, "extreme"), 5, axis=-1)
        image = np.ascontiguousarray(image[..., : shape[-1]])
    else:
        image = values(shape, dtype, seed, kind)
    calls = (
        ("gaussian_filter", (data.draw(st.sampled_from((0.5, 1, 2.5, 4))),)),
        ("uniform_filter", (data.draw(st.sampled_from((2, 3, 7, 8, 100, 257))),)),
        ("sobel", (data.draw(st.integers(0, len(shape) - 1)),)),
        (
            "correlate1d",
            (data.draw(st.sampled_from(((0.25, 0.5, 0.25), (1, 1), (-0.5, 0, 0.5), (3, 1, 2)))), 0),
        ),
        ("correlate", (np.random.default_rng(seed).normal(size=(3, 5, 1, 2)[: len(shape)]),)),
    )
    name, arguments = data.draw(st.sampled_from(calls))
    compare(name, image, OutputForm("none"), *arguments, mode=mode, cval=cval)


def test_a_nan_stays_in_the_running_sum():
    line = np.array([1.0, 2.0, np.nan, 4.0, 5.0, 6.0, 7.0, 8.0])
    means = ndimage.uniform_filter1d(line, 3)
    assert np.isnan(means[1:]).all() and means[0] == 4 / 3
    np.testing.assert_array_equal(means, scipy.ndimage.uniform_filter1d(line, 3))


@examples(300)
@given(st.data(), arrays(max_size=30), output_forms(), modes, st.sampled_from((4.0, 1.5, 0.1, -1)))
def test_gaussian_filter1d(data, image, form, mode, truncate):
    compare(
        "gaussian_filter1d",
        image,
        form,
        data.draw(st.sampled_from((0.3, 1, 2.5, np.float32(0.7), 6))),
        data.draw(st.integers(-3, 2)),
        data.draw(st.integers(-1, 3)),
        mode=mode,
        cval=data.draw(fills),
        truncate=truncate,
        radius=data.draw(st.sampled_from((None, None, 0, 3, np.int8(2), -1, 1.5))),
    )


@examples(400)
@given(st.data(), arrays(min_dims=0, min_size=0, max_size=14), output_forms(), fills)
def test_gaussian_filter(data, image, form, cval):
    axes, count = data.draw(some_axes(image.ndim)) if image.ndim else (None, 0)
    compare(
        "gaussian_filter",
        image,
        form,
        data.draw(pairs_with_axes(st.sampled_from((0, 0.5, 1.0, 2)), count)),
        data.draw(pairs_with_axes(st.integers(0, 2), count, extra=False)),
        mode=data.draw(pairs_with_axes(modes, count, extra=False)),
        cval=cval,
        radius=data.draw(st.one_of(st.none(), pairs_with_axes(st.integers(0, 3), count, extra=False))),
        axes=axes,
    )


@examples(300)
@given(
    st.sampled_from(("minimum_filter1d", "maximum_filter1d")),
    arrays(max_size=25, min_size=0),
    st.one_of(st.integers(0, 12), st.integers(30, 90)),
    st.integers(-3, 2),
    output_forms(),
    modes,
    fills,
    st.integers(-6, 6),
)
def test_extremes_along_an_axis(name, image, size, axis, form, mode, cval, origin):
    assume(image.dtype.kind == "c" or no_nan(image))
    compare(name, image, form, size, axis, mode=mode, cval=cval, origin=origin)


@st.composite
def some_window(draw, count: int):
    """A size, a footprint, both or neither, for `count` axes."""
    sizes = st.integers(0 if draw(st.integers(0, 9)) == 0 else 1, 5)
    shape = draw(st.lists(sizes, min_size=count, max_size=count))
    kind = draw(st.sampled_from(("size", "size", "sizes", "sizes", "full", "holes", "holes", "both", "none")))
    if kind == "size":
        return draw(sizes), None
    if kind == "sizes":
        return shape, None
    if kind == "none":
        return None, None
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    footprint = rng.random(shape) < (2 if kind == "full" else 0.6)
    return draw(sizes) if kind == "both" else None, footprint


@examples(400)
@given(
    st.data(),
    st.sampled_from(("minimum_filter", "maximum_filter")),
    arrays(min_dims=0, min_size=0, max_size=8),
    output_forms(),
    fills,
)
def test_extremes(data, name, image, form, cval):
    assume((image.dtype.kind == "c" or no_nan(image)) and not one_repeated_sample(image))
    axes, count = data.draw(some_axes(image.ndim)) if image.ndim else (None, 0)
    size, footprint = data.draw(some_window(count))
    mode = data.draw(pairs_with_axes(modes, count, extra=False) if data.draw(st.booleans()) else modes)
    origin = data.draw(st.one_of(st.just(0), pairs_with_axes(st.integers(-2, 2), count)))
    compare(name, image, form, size, footprint, mode=mode, cval=cval, origin=origin, axes=axes)


def one_repeated_sample(image: np.ndarray) -> bool:
    """An axis without strides: SciPy takes its second sample for the border (see docs/differences.md)."""
    return image.ndim == 1 and image.strides == (0,) and image.size > 1


@st.composite
def rank_call(draw, count: int):
    """A rank function with its second argument."""
    name = draw(st.sampled_from(("median_filter", "median_filter", "rank_filter", "percentile_filter")))
    if name == "median_filter":
        return name, ()
    if name == "rank_filter":
        return name, (draw(st.integers(-6, 9)),)
    return name, (draw(st.sampled_from((0, 10, 33.3, 50, 75, 99.9, 100, -20, 120, -130))),)


@examples(700)
@given(st.data(), arrays(min_dims=2, min_size=0, max_size=9), output_forms(), fills)
def test_ranks(data, image, form, cval):
    assume(image.dtype.kind == "c" or no_nan(image))
    axes, count = data.draw(some_axes(image.ndim))
    name, arguments = data.draw(rank_call(count))
    size, footprint = data.draw(some_window(count))
    mode = data.draw(st.one_of(modes, modes, pairs_with_axes(modes, count)))
    origin = data.draw(st.one_of(st.just(0), pairs_with_axes(st.integers(-2, 2), count)))
    kwargs = {"mode": mode, "cval": cval, "origin": origin, "axes": axes}
    compare(name, image, form, *arguments, size, footprint, **kwargs)


@examples(400)
@given(
    st.data(),
    arrays(ALL_DTYPES, max_dims=1, max_size=60),
    st.integers(1, 13),
    st.integers(-3, 3),
    st.sampled_from(MODES),
    fills,
)
def test_ranks_of_lines(data, image, size, origin, mode, cval):
    assume((image.dtype.kind == "c" or no_nan(image)) and not one_repeated_sample(image))
    # Beyond that SciPy reads outside the array; test_windows_larger_than_the_image has these.
    before = size // 2 + origin
    assume(max(before, size - 1 - before) < image.size)
    if image.dtype in (np.int64, np.float64, np.float32):
        # SciPy writes samples of the input's type, whatever the output's.
        form = data.draw(st.sampled_from((OutputForm("none"), OutputForm("type", image.dtype.str))))
    else:
        dtypes = st.sampled_from(REAL_DTYPES)
        form = data.draw(st.builds(OutputForm, st.sampled_from(("none", "type", "array")), dtypes))
    name, arguments = data.draw(rank_call(1))
    compare(name, image, form, *arguments, size, mode=mode, cval=cval, origin=origin)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i8", "f4", "f8"])
@pytest.mark.parametrize(
    ("shape", "size"),
    [((40, 50), (11, 9)), ((300,), 101), ((12, 9, 8), 5), ((70, 3), (40, 3)), ((6, 7, 30), (1, 3, 29))],
)
def test_large_windows_slide(dtype, shape, size):
    image = values(shape, dtype, 5)
    for rank in (3, -7, 50):
        expected = scipy.ndimage.rank_filter(image, rank, size, mode="mirror")
        assert_equal_arrays(ndimage.rank_filter(image, rank, size, mode="mirror"), expected)


@examples(60)
@given(
    st.data(),
    st.sampled_from(("u1", "i1", "u2", "i4", "f4", "f8")),
    st.sampled_from((3, 5, 7, 9, 11, 17)),
    st.sampled_from((1, 3, 4, 7)),
    st.sampled_from((1, 130, 175)),
    st.integers(0, 2**32 - 1),
)
def test_fast_windows(data, dtype, size, channels, width, seed):
    """Shared columns, counts and full boxes, in pictures wider than their registers, with flat parts."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (19, width, channels))
    image[:, : width // 2] //= data.draw(st.sampled_from((1, 8, 256)))
    image = (image - 100 if dtype in ("i4", "f4", "f8") else image).astype(dtype)
    kwargs = {
        "mode": data.draw(st.sampled_from(MODES)),
        "cval": data.draw(fills),
        "origin": (data.draw(st.integers(-1, 1)), data.draw(st.integers(-1, 1)), 0),
    }
    cells = size * size
    name, arguments = data.draw(
        st.sampled_from(
            (
                ("median_filter", ()),
                ("minimum_filter", ()),
                ("maximum_filter", ()),
                ("rank_filter", (1,)),
                ("rank_filter", (cells - 2,)),
                ("percentile_filter", (70,)),
            )
        )
    )
    level = data.draw(st.sampled_from(SIMD_LEVELS))
    before = _native.build_info()["simd"]
    _native.set_simd_level(level)
    try:
        ours = getattr(ndimage, name)(image, *arguments, size=(size, size, 1), **kwargs)
    finally:
        _native.set_simd_level(before)
    theirs = getattr(scipy.ndimage, name)(image, *arguments, size=(size, size, 1), **kwargs)
    assert_equal_arrays(ours, theirs)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_large_footprints_with_holes_slide_along_any_axis(axis):
    shape = np.roll((15, 5, 4), axis)
    footprint = np.random.default_rng(axis).random(shape) < 0.7
    image = values((20, 12, 16), "f4", 7)
    expected = scipy.ndimage.median_filter(image, footprint=footprint, origin=(1, -1, 0), mode="nearest")
    ours = ndimage.median_filter(image, footprint=footprint, origin=(1, -1, 0), mode="nearest")
    assert_equal_arrays(ours, expected)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("median_filter", (3,)),
        ("median_filter", (5,)),
        ("median_filter", (13,)),
        ("median_filter", ((17, 19),)),
        ("maximum_filter", (15,)),
        ("minimum_filter", (5,)),
        ("gaussian_filter", (1.5,)),
        ("percentile_filter", (20, 5)),
        ("uniform_filter", (7,)),
    ],
)
@pytest.mark.parametrize("dtype", ["u1", "i2", "f4"])
def test_threads_and_levels_do_not_show(name, arguments, dtype):
    image = values((150, 170, 3), dtype, 11)
    expected = getattr(scipy.ndimage, name)(image, *arguments, axes=(0, 1))
    before, threads = _native.build_info()["simd"], _native.get_num_threads()
    try:
        for level in SIMD_LEVELS:
            _native.set_simd_level(level)
            for count in (1, 2, 5):
                _native.set_num_threads(count)
                assert_equal_arrays(getattr(ndimage, name)(image, *arguments, axes=(0, 1)), expected)
    finally:
        _native.set_simd_level(before)
        _native.set_num_threads(threads)


@pytest.mark.parametrize("dtype", ["u1", "f8", "c16"])
def test_filtering_in_place(dtype):
    for name, arguments in (("gaussian_filter", (1.0,)), ("correlate1d", ([1, 2, 1], 0))):
        ours, theirs = values((9, 20), dtype, 1), values((9, 20), dtype, 1)
        assert getattr(ndimage, name)(ours, *arguments, output=ours) is ours
        getattr(scipy.ndimage, name)(theirs, *arguments, output=theirs)
        assert_equal_arrays(ours, theirs)


@pytest.mark.parametrize("dtype", ["u1", "f8"])
@pytest.mark.parametrize("name", ["median_filter", "minimum_filter", "maximum_filter"])
def test_ranks_in_place_and_onto_a_shifted_self(name, dtype):
    for window in ({"size": 3}, {"footprint": [[1, 0, 1], [1, 1, 1], [0, 1, 1]]}):
        ours, theirs = values((12, 20), dtype, 1), values((12, 20), dtype, 1)
        for array, module in ((ours, ndimage), (theirs, scipy.ndimage)):
            result = getattr(module, name)(array[2:], output=array[:-2], **window)
            assert np.shares_memory(result, array)
        assert_equal_arrays(ours, theirs)


# What follows is listed in docs/differences.md.


def test_nan_ranks_last():
    image = np.array([[3.0, np.nan, -np.nan, 1.0, np.inf, 2.0, -np.inf]])
    padded = np.pad(image, ((0, 0), (1, 1)), "symmetric")
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(padded[0], 3), axis=-1)
    for dtype in ("f4", "f8"):
        for rank in range(3):
            ranked = ndimage.rank_filter(image.astype(dtype), rank, size=(1, 3))
            np.testing.assert_array_equal(ranked[0], windows[:, rank].astype(dtype))
        for rank, name in ((0, "minimum_filter"), (2, "maximum_filter")):
            extreme = getattr(ndimage, name)(image.astype(dtype), footprint=[[True, True, True]])
            np.testing.assert_array_equal(extreme[0], windows[:, rank].astype(dtype))
    large = np.where(np.random.default_rng(0).random((1, 400)) < 0.3, np.nan, 1.0)
    windows = np.sort(
        np.lib.stride_tricks.sliding_window_view(np.pad(large[0], 75, "symmetric"), 151), axis=-1
    )
    np.testing.assert_array_equal(ndimage.rank_filter(large, 100, size=(1, 151))[0], windows[:, 100])


@pytest.mark.parametrize("dtype", REAL_DTYPES)
def test_footprints_with_holes_count_in_one_dimension(dtype):
    line, footprint = values((40,), dtype, 2), np.array([1, 0, 1, 0, 0, 1], bool)
    expected = scipy.ndimage.rank_filter(line[None], 1, footprint=footprint[None])[0]
    assert_equal_arrays(ndimage.rank_filter(line, 1, footprint=footprint), expected)


PAD_MODES = {
    "reflect": "symmetric",
    "mirror": "reflect",
    "nearest": "edge",
    "wrap": "wrap",
    "constant": "constant",
}


@pytest.mark.parametrize("mode", PAD_MODES)
def test_windows_larger_than_the_image(mode):
    options = {"constant_values": 7.5} if mode == "constant" else {}
    for length in range(1, 7):
        line = values((length,), "f8", length)
        for size in range(3, 30, 4):
            for origin in {-(size // 2), -1, 0, 1, (size - 1) // 2}:
                around = (size // 2 + origin, size - 1 - size // 2 - origin)
                padded = np.pad(line, around, PAD_MODES[mode], **options)
                windows = np.sort(np.lib.stride_tricks.sliding_window_view(padded, size), axis=-1)
                for rank in (0, 1, size // 2, size - 1):
                    kwargs = {"mode": mode, "cval": 7.5}
                    of_line = ndimage.rank_filter(line, rank, size, origin=origin, **kwargs)
                    of_image = ndimage.rank_filter(line[None], rank, (1, size), origin=(0, origin), **kwargs)
                    np.testing.assert_array_equal(of_line, windows[:, rank])
                    np.testing.assert_array_equal(of_image[0], windows[:, rank])


def test_lines_are_ranked_into_outputs_of_any_kind():
    line = values((30,), "f8", 4)
    expected = scipy.ndimage.median_filter(line, 5)
    for dtype in ("f4", "i2", ">f8"):
        output = np.zeros((30, 2), dtype)[:, 0]
        assert ndimage.median_filter(line, 5, output=output) is output
        assert_equal_arrays(output, expected.astype(dtype))
    output = np.zeros(30)
    output.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        ndimage.median_filter(line, 5, output=output)


def test_one_sample_broadcast_to_a_line():
    line = np.broadcast_to(np.float64(5), 7)
    footprint = np.array([1, 0, 1], bool)
    np.testing.assert_array_equal(ndimage.minimum_filter(line, footprint=footprint), np.full(7, 5.0))
    for filtered in (ndimage.correlate, ndimage.convolve):
        assert_equal_arrays(filtered(line, [1.0, 2.0]), filtered(line.copy(), [1.0, 2.0]))


def test_correlating_onto_a_shifted_self():
    for name, arguments in (("correlate1d", ([1.0, 2.0, 4.0], 0)), ("gaussian_filter", (2.0,))):
        array = values((40, 300), "f8", 8)
        expected = getattr(scipy.ndimage, name)(array[1:].copy(), *arguments)
        getattr(ndimage, name)(array[1:], *arguments, output=array[:-1])
        assert_equal_arrays(array[:-1], expected)


@pytest.mark.parametrize("layout", ["C", "swapped", "misaligned"])
def test_a_refusal_is_raised_whatever_the_output(layout):
    output = OutputForm("array", "f4", layout).make((5,))
    with pytest.raises(TypeError, match="must be real number"):
        ndimage.correlate1d(np.arange(5.0), [1, 2, 1], output=output, cval=1j)


def test_an_output_that_cannot_be_written_is_refused_before_its_type():
    output = np.zeros((4, 5), "c8")
    output.flags.writeable = False
    compare("gaussian_filter", np.zeros((4, 5)), OutputForm("array", "c8", "readonly"), 1.0)
    with pytest.raises(ValueError, match="read-only"):
        ndimage.gaussian_filter(np.zeros((4, 5)), 1.0, output=output)


def test_windows_that_no_machine_holds_are_refused():
    assert ndimage.minimum_filter1d(np.arange(5), 10**15).tolist() == [0] * 5
    assert ndimage.maximum_filter(np.arange(6).reshape(2, 3), size=10**12).tolist() == [[5] * 3] * 2
    with pytest.raises((MemoryError, ValueError)):
        ndimage.median_filter(np.zeros((4, 4)), size=10**7)
    with pytest.raises(MemoryError):
        ndimage.median_filter(np.zeros((1, 2**16), "u1"), size=(2**17, 1))

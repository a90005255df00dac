"""Linear filters against live SciPy: equal bytes, dtype, shape and exceptions; and the deliberate differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.parity.filtering import (
    SIMD_LEVELS,
    compare,
    fills,
    modes,
    one_repeated_sample,
    origins,
    pairs_with_axes,
    some_axes,
)
from tests.support.cases import (
    MODES,
    OutputForm,
    arrays,
    assert_equal_arrays,
    examples,
    output_forms,
    values,
)

from offgraph import _native, ndimage


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
    assume(not isinstance(cval, complex) or form.layout not in ("swapped", "misaligned", "packed"))
    compare(name, image, form, weights, axis, mode=mode, cval=cval, origin=origin)


@pytest.mark.parametrize(
    "weights", [[1e-20, 0, -1e-20], [-2e-16, 0, -1e-16], [1e-16, 1, 3e-16], [1, 2, 1 + 3e-16]]
)
def test_correlations_with_windows_that_are_nearly_symmetric(weights):
    """SciPy takes weights that differ by less than 2.2e-16 for alike, however small they are."""
    image = np.random.default_rng(0).normal(size=(6, 40))
    for axis in (0, 1):
        ours, theirs = (ndi.correlate1d(image, weights, axis) for ndi in (ndimage, scipy.ndimage))
        np.testing.assert_array_equal(ours, theirs)


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
    assume(not isinstance(cval, complex) or form.layout not in ("swapped", "misaligned", "packed"))
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
    assume(not isinstance(cval, complex) or form.layout not in ("swapped", "misaligned", "packed"))
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


# Bands of rows, lines side by side (some, all but some, and many registers of them), and lines too long for that.
PICTURES = (
    (140, 517, 3),
    (37, 63, 1),
    (9, 41, 4),
    (260, 300),
    (16, 2, 7),
    (8, 9001),
    (3, 70, 40, 2),
    (600, 97),
)


@pytest.mark.usefixtures("simd_level")
class TestEveryLevel:
    @examples(40)
    @given(
        st.sampled_from(PICTURES),
        st.sampled_from(("u1", "u1", "f4", "f4", "u2", "f8")),
        st.integers(0, 2**32 - 1),
        st.sampled_from(("plain", "steps", "stripes", "flat", "special")),
        st.sampled_from(
            (
                ("correlate", ()),
                ("gaussian_filter", (1,)),
                ("gaussian_filter", (4,)),
                ("gaussian_filter", (1.5, 1)),
                ("uniform_filter", (7,)),
                ("uniform_filter", (50,)),
                ("sobel", (0,)),
                ("sobel", (1,)),
                ("prewitt", (-1,)),
                ("laplace", ()),
            )
        ),
        st.sampled_from(MODES),
        st.sampled_from((0.0, 7, 300, 0.5)),
        st.integers(1, 2),
    )
    def test_images(self, shape, dtype, seed, kind, call, mode, cval, threads):
        image = values(shape, dtype, seed, "plain" if kind in ("steps", "stripes") else kind)
        if kind == "steps":
            # Flat areas, slopes, and their edges: sums that are integers but for the last place.
            image = (np.arange(image.size).reshape(shape) // 64 % 120).astype(dtype)
        elif kind == "stripes":
            # Rows that equal the one before, whose results are not computed again, and then others.
            image[shape[0] // 4 : -3] = image[:1]
        name, arguments = call
        if name == "correlate":
            # Lines are met by twos, unless a weight is left out.
            weights = np.random.default_rng(seed).normal(size=(4, 5, 1, 1)[: len(shape)])
            weights[seed % 4, 2] *= seed % 3 != 0
            arguments = (weights,)
        before = _native.get_num_threads()
        _native.set_num_threads(threads)
        try:
            with np.errstate(all="ignore"):
                compare(name, image, OutputForm("none"), *arguments, mode=mode, cval=cval)
        finally:
            _native.set_num_threads(before)


@pytest.mark.parametrize("name", ["correlate1d", "uniform_filter1d"])
def test_a_warning_points_at_the_caller(name):
    with pytest.warns(UserWarning, match="promoting specified output dtype") as caught:
        getattr(ndimage, name)(np.ones(5) * 1j, [3, 1, 2] if name == "correlate1d" else 3, output=float)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("cval", [0.1, 1e300, np.nan, np.inf, 3])
@pytest.mark.parametrize("axis", [0, 1])
def test_differences_of_floats_beside_a_fill_value_that_is_none(axis, cval):
    image = np.random.default_rng(0).random((40, 30)).astype("f4")
    for name in ("sobel", "prewitt"):
        with np.errstate(invalid="ignore", over="ignore"):
            ours, theirs = (
                getattr(ndi, name)(image, axis, mode="constant", cval=cval)
                for ndi in (ndimage, scipy.ndimage)
            )
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("tiny", [2.0**-49, -(2.0**-49), 2.0**-48, 0.0])
def test_means_next_to_the_middle_between_two_floats(tiny, simd_level):
    """What lies two last places of float64 beside such a middle is rounded to the side it lies on."""
    line = np.array([4, 3 * 2.0**-22, tiny, 0] * 20, "f4")
    image = np.repeat(line[:, None], 70, axis=1)
    for size, part in (((4, 1), image), ((1, 4), image.T), ((4, 1), image[:, :3].copy())):
        ours, theirs = (ndi.uniform_filter(part, size) for ndi in (ndimage, scipy.ndimage))
        np.testing.assert_array_equal(ours, theirs)


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


@pytest.mark.parametrize("dtype", ["u1", "f8", "c16"])
def test_filtering_in_place(dtype):
    for name, arguments in (("gaussian_filter", (1.0,)), ("correlate1d", ([1, 2, 1], 0))):
        ours, theirs = values((9, 20), dtype, 1), values((9, 20), dtype, 1)
        assert getattr(ndimage, name)(ours, *arguments, output=ours) is ours
        getattr(scipy.ndimage, name)(theirs, *arguments, output=theirs)
        assert_equal_arrays(ours, theirs)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("gaussian_filter", (1.5,)), ("uniform_filter", (7,))],
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


# What follows is listed in docs/differences.md.


def test_one_sample_broadcast_to_a_line():
    line = np.broadcast_to(np.float64(5), 7)
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


@pytest.mark.parametrize("function", ["correlate", "convolve"])
@pytest.mark.parametrize(
    ("length", "size", "origin"), [(2, 9, 4), (2, 9, -4), (1, 9, 0), (3, 25, 12), (2, 31, 0)]
)
def test_windows_that_reach_far_beyond_a_reflected_image(function, length, size, origin):
    """SciPy reads beside its table of offsets; see docs/differences.md."""
    random = np.random.default_rng(length + size)
    image, weights = random.random((length, 5)), random.random((size, 2))
    padded = np.pad(image, ((size, size), (0, 0)), mode="symmetric")
    expected = getattr(scipy.ndimage, function)(padded, weights, origin=(origin, 0))[size:-size]
    result = getattr(ndimage, function)(image, weights, origin=(origin, 0))
    np.testing.assert_array_equal(result, expected)

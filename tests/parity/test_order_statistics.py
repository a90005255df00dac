"""Order statistics against live SciPy: equal bytes, dtype, shape and exceptions; and the deliberate differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.parity.filtering import (
    SIMD_LEVELS,
    compare,
    equals_its_definition,
    fills,
    modes,
    one_repeated_sample,
    pairs_with_axes,
    some_axes,
)
from tests.support.cases import (
    ALL_DTYPES,
    MODES,
    REAL_DTYPES,
    OutputForm,
    arrays,
    assert_equal_arrays,
    examples,
    output_forms,
    values,
)

from offgraph import _native, ndimage


def no_nan(image: np.ndarray) -> bool:
    return image.dtype.kind != "f" or not np.isnan(image).any()


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


test_the_largest_along_an_axis = equals_its_definition(
    ndimage.maximum_filter1d, lambda windows: windows.max(axis=-1)
)


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
    """Shared columns, counts and full boxes, in images wider than their registers, with flat parts."""
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
        ("percentile_filter", (20, 5)),
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


@pytest.mark.parametrize("strides", [(0, 4), (4, 0), (4, 4)])
def test_an_output_whose_elements_share_memory_is_written(strides):
    """Which of the results stays in an element is not said, but each is one of them, and nothing else is written."""
    image = values((40, 40), "f4", 3)
    for filter_, arguments in (
        (ndimage.minimum_filter, {"size": 3}),
        (ndimage.median_filter, {"size": 3}),
        (ndimage.correlate, {"weights": np.ones((3, 3))}),
    ):
        memory = np.full(200, -1, "f4")
        output = np.lib.stride_tricks.as_strided(memory[50:], image.shape, strides)
        filter_(image, output=output, **arguments)
        assert np.isin(output, filter_(image, **arguments)).all()
        assert (memory[:50] == -1).all() and (memory[50 + sum(strides) // 4 * 39 + 1 :] == -1).all()


def test_one_sample_broadcast_to_a_line():
    line = np.broadcast_to(np.float64(5), 7)
    footprint = np.array([1, 0, 1], bool)
    np.testing.assert_array_equal(ndimage.minimum_filter(line, footprint=footprint), np.full(7, 5.0))


@pytest.mark.parametrize("dtype", ["u1", "f4", "i8"])
@pytest.mark.parametrize("name", ["minimum_filter", "maximum_filter"])
def test_boxes_that_take_too_much_memory_at_once(name, dtype):
    """A box is then filtered axis by axis, and an axis in parts of the image."""
    image = values((150, 4000, 3), dtype, 3)
    for arguments in (
        {"size": (301, 3, 1), "origin": (-150, 1, 0), "mode": "wrap"},
        {"size": (290, 1, 1), "mode": "mirror"},
        {"size": (200, 200, 1), "mode": ("constant", "nearest", "reflect"), "cval": 300},
    ):
        expected = getattr(scipy.ndimage, name)(image, **arguments)
        assert_equal_arrays(getattr(ndimage, name)(image, **arguments), expected)
    shifted = np.concatenate([image, image], axis=1)
    getattr(ndimage, name)(shifted[:, :4000], (290, 1, 1), output=shifted[:, 1:4001])
    assert_equal_arrays(shifted[:, 1:4001], getattr(scipy.ndimage, name)(image, (290, 1, 1)))


@examples(60)
@given(
    st.data(),
    st.sampled_from(("minimum_filter", "maximum_filter")),
    st.sampled_from(("?", "u1", "i2", "u4", "i8", "f4", "f8")),
    st.sampled_from((None, "u1", "i2", "f4", "f8")),
    st.sampled_from((1, 3, 70)),
    st.integers(0, 2**32 - 1),
)
def test_boxes_with_a_mode_for_each_axis(data, name, dtype, result, channels, seed):
    """Steps along an axis shorter and longer than a register; values outside that the types hold or do not."""
    image = values((data.draw(st.integers(1, 30)), data.draw(st.integers(1, 150)), channels), dtype, seed)
    sizes = [
        data.draw(st.integers(1, 20)),
        data.draw(st.integers(1, 20)),
        data.draw(st.sampled_from((1, 1, 3))),
    ]
    arguments = {
        "size": sizes,
        "output": None if result is None else np.dtype(result),
        "mode": [data.draw(st.sampled_from(MODES)) for _ in sizes],
        "origin": [data.draw(st.integers(-(size // 2), (size - 1) // 2)) for size in sizes],
        "cval": data.draw(fills),
    }
    assert_equal_arrays(
        getattr(ndimage, name)(image, **arguments), getattr(scipy.ndimage, name)(image, **arguments)
    )


def test_windows_that_no_machine_holds_are_refused():
    assert ndimage.minimum_filter1d(np.arange(5), 10**15).tolist() == [0] * 5
    assert ndimage.maximum_filter(np.arange(6).reshape(2, 3), size=10**12).tolist() == [[5] * 3] * 2
    with pytest.raises((MemoryError, ValueError)):
        ndimage.median_filter(np.zeros((4, 4)), size=10**7)
    with pytest.raises(MemoryError):
        ndimage.median_filter(np.zeros((1, 2**16), "u1"), size=(2**17, 1))

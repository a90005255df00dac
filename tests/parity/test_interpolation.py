"""Interpolation against live SciPy: equal bytes, dtype, shape and exceptions."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.support.cases import (
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

from offgraph import ndimage
from offgraph.core.threads import num_threads
from offgraph.engine.resample import affine_planes, zoom_planes

modes = st.sampled_from(MODES)
orders = st.integers(0, 5)
fills = st.sampled_from((0.0, 0, 1.5, -3.7, 300.0, 1e20, np.nan))
flags = st.sampled_from((True, True, False))
# Round numbers put points on pixel centres, on borders and half way: where rules differ.
steps = st.one_of(st.floats(-12, 12), st.integers(-24, 24).map(lambda n: n / 2))


def compare(name, form, image, *args, **kwargs):
    """Call both functions, each with an output of its own."""
    theirs = getattr(scipy.ndimage, name)
    ours = getattr(ndimage, name)
    plain = outcome(theirs, image, *args, **kwargs)
    shape = plain.value.shape if plain.error is None else image.shape
    assert_same(
        outcome(ours, image, *args, output=form.make(shape), **kwargs),
        outcome(theirs, image, *args, output=form.make(shape), **kwargs),
    )


@examples(400)
@given(st.data(), arrays(), output_forms(), orders, modes, fills, flags)
def test_affine_transform(data, image, form, order, mode, cval, prefilter):
    n = image.ndim
    m = data.draw(st.sampled_from((n, n, n, 1, 2)))
    kind = data.draw(st.sampled_from(("square", "square", "square", "rows", "homogeneous", "diagonal")))
    shape = {
        "square": (n, m),
        "rows": (n, n + 1),
        "homogeneous": (n + 1, n + 1),
        "diagonal": (n,),
    }[kind]
    if kind != "square":
        m = n
    entries = st.one_of(st.floats(-2, 2), st.integers(-4, 4).map(lambda k: k / 2))
    matrix = np.array(
        data.draw(st.lists(entries, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    )
    matrix = matrix.reshape(shape)
    if kind == "homogeneous" and data.draw(st.integers(0, 9)):
        matrix[-1] = [0] * n + [1]
    if kind == "diagonal":
        # Offsets are divided by these, and SciPy does not survive infinite positions.
        matrix[np.abs(matrix) < 1e-3] = 1
    offset = data.draw(st.one_of(steps, st.lists(steps, min_size=n, max_size=n)))
    output_shape = tuple(data.draw(st.lists(st.integers(0, 10), min_size=m, max_size=m)))
    compare(
        "affine_transform",
        form,
        image,
        matrix,
        offset=offset,
        output_shape=output_shape,
        order=order,
        mode=mode,
        cval=cval,
        prefilter=prefilter,
    )


@examples(400)
@given(st.data(), arrays(), output_forms(), orders, modes, fills, flags, st.booleans())
def test_zoom(data, image, form, order, mode, cval, prefilter, grid_mode):
    factor = st.one_of(st.floats(0, 3), st.sampled_from((0.5, 1, 1.5, 2)))
    zoom = data.draw(st.one_of(factor, st.lists(factor, min_size=image.ndim, max_size=image.ndim)))
    compare(
        "zoom", form, image, zoom, order=order, mode=mode, cval=cval, prefilter=prefilter, grid_mode=grid_mode
    )


@examples(300)
@given(st.data(), arrays(), output_forms(), orders, modes, fills, flags)
def test_shift(data, image, form, order, mode, cval, prefilter):
    shift = data.draw(st.one_of(steps, st.lists(steps, min_size=image.ndim, max_size=image.ndim)))
    compare("shift", form, image, shift, order=order, mode=mode, cval=cval, prefilter=prefilter)


@examples(300)
@given(
    arrays(min_dims=2, max_dims=4, max_size=7),
    st.one_of(st.floats(-400, 400), st.integers(-8, 8).map(lambda n: n * 45)),
    st.tuples(st.integers(-3, 3), st.integers(-3, 3)),
    st.booleans(),
    output_forms(),
    st.integers(-1, 6),
    st.sampled_from((*MODES, "no such mode")),
    fills,
    flags,
)
def test_rotate(image, angle, axes, reshape, form, order, mode, cval, prefilter):
    assume(axes[0] % image.ndim != axes[1] % image.ndim)
    compare(
        "rotate", form, image, angle, axes, reshape, order=order, mode=mode, cval=cval, prefilter=prefilter
    )


@examples(300)
@given(
    st.data(),
    arrays(),
    output_forms(),
    orders,
    modes,
    fills,
    flags,
    st.sampled_from(("f8", "f4", "i4", "u1")),
)
def test_map_coordinates(data, image, form, order, mode, cval, prefilter, dtype):
    count = data.draw(st.integers(0, 8))
    shape = data.draw(st.sampled_from(((count,), (2, count))))
    coordinates = data.draw(
        st.lists(steps, min_size=image.ndim * int(np.prod(shape)), max_size=image.ndim * int(np.prod(shape)))
    )
    coordinates = np.array(coordinates).astype("i4" if dtype == "u1" else dtype).astype(dtype)
    coordinates = coordinates.reshape(image.ndim, *shape)
    compare(
        "map_coordinates", form, image, coordinates, order=order, mode=mode, cval=cval, prefilter=prefilter
    )


@examples(150)
@given(
    st.sampled_from(REAL_DTYPES),
    st.sampled_from(("plain", "extreme", "special")),
    orders,
    modes,
    st.integers(0, 2**32 - 1),
    st.sampled_from((1, 2, 3, 4, 5)),
    st.booleans(),
)
def test_planes_are_treated_one_by_one(dtype, kind, order, mode, seed, planes, leading):
    """The private entries of the geometric steps, on images wide enough for their inner loops."""
    rng = np.random.default_rng(seed)
    image = values((17, 23, planes), dtype, seed, kind)
    axes = (0, 1)
    if leading:
        image, axes = np.ascontiguousarray(np.moveaxis(image, 2, 0)), (1, 2)
    matrix, offset = rng.normal(0, 1, (2, 2)), rng.uniform(-3, 20, 2)
    options = {"order": order, "mode": mode, "cval": 7.0}
    turned = affine_planes(image, matrix, offset, (19, 29), axes=axes, **options)
    zoomed = zoom_planes(image, (11, 40), axes=axes, **options)
    grid = zoom_planes(image, (34, 10), axes=axes, grid_mode=True, **options)
    channel = 0 if leading else 2
    for plane in range(planes):
        one = np.take(image, plane, channel)
        assert_equal_arrays(
            np.take(turned, plane, channel),
            scipy.ndimage.affine_transform(one, matrix, offset, (19, 29), **options),
        )
        assert_equal_arrays(
            np.take(zoomed, plane, channel), scipy.ndimage.zoom(one, (11 / 17, 40 / 23), **options)
        )
        assert outcome(scipy.ndimage.zoom, one, (2, 10 / 23), grid_mode=True, **options).error is None
        assert_equal_arrays(
            np.take(grid, plane, channel),
            outcome(scipy.ndimage.zoom, one, (2, 10 / 23), grid_mode=True, **options).value,
        )


@pytest.mark.parametrize("dtype", ALL_DTYPES)
@pytest.mark.parametrize("order", [0, 1, 3])
def test_images_on_every_level_and_any_threads(simd_level, dtype, order):
    """Large enough to be shared among threads, and for every inner loop to run."""
    image = values((120, 90, 3), dtype, 5)
    expected = {
        "rotate": scipy.ndimage.rotate(image, 33, order=order, mode="reflect"),
        "zoom": scipy.ndimage.zoom(image, (1.7, 0.6, 1), order=order, mode="nearest"),
        "shift": scipy.ndimage.shift(image, (3.25, -7.5, 0), order=order, mode="grid-wrap"),
    }
    for threads in (1, 2):
        with num_threads(threads):
            assert_equal_arrays(ndimage.rotate(image, 33, order=order, mode="reflect"), expected["rotate"])
            assert_equal_arrays(
                ndimage.zoom(image, (1.7, 0.6, 1), order=order, mode="nearest"), expected["zoom"]
            )
            assert_equal_arrays(
                ndimage.shift(image, (3.25, -7.5, 0), order=order, mode="grid-wrap"), expected["shift"]
            )


@pytest.mark.parametrize("bad", [{"order": -1}, {"order": 6}, {"order": 1.0}, {"mode": "x"}, {"mode": None}])
@pytest.mark.parametrize("name", ["affine_transform", "zoom", "shift", "rotate", "map_coordinates"])
def test_wrong_options(name, bad):
    argument = {"affine_transform": np.eye(2), "map_coordinates": np.zeros((2, 3))}.get(name, 2)
    compare(name, OutputForm("none"), np.ones((4, 4)), argument, **bad)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("affine_transform", ([[1, 2, 3]],), {}),
        ("affine_transform", (np.zeros((2, 2, 2)),), {}),
        ("affine_transform", (np.zeros((0, 2)),), {}),
        ("affine_transform", (np.eye(2), [1, 2, 3]), {}),
        ("affine_transform", (np.eye(2), [[1, 2], [3, 4]]), {}),
        ("affine_transform", (np.eye(2),), {"output_shape": ()}),
        ("affine_transform", (np.eye(2),), {"cval": "1"}),
        ("affine_transform", (np.eye(2),), {"cval": 1j}),
        ("affine_transform", ("text",), {}),
        ("zoom", ([1, 2, 3],), {}),
        ("zoom", (-1,), {}),
        ("zoom", (np.nan,), {}),
        ("zoom", ("2",), {}),
        ("shift", ([1, 2, 3],), {}),
        ("shift", ("2",), {}),
        ("rotate", (10, (0, 0, 1)), {}),
        ("rotate", (10, (0, 2)), {}),
        ("rotate", (10, (0.5, 1)), {}),
        ("rotate", (10, (-3, 1)), {}),
        ("map_coordinates", (np.zeros((3, 2)),), {}),
        ("map_coordinates", (np.zeros((2, 2), complex),), {}),
        ("map_coordinates", (np.zeros((2, 2), "f2"),), {}),
        ("map_coordinates", ([1, 2],), {}),
    ],
)
def test_wrong_arguments(name, args, kwargs):
    for image in (np.ones((4, 5)), np.float64(3), np.ones(3)):
        compare(name, OutputForm("none"), image, *args, **kwargs)


@pytest.mark.parametrize("dtype", ["f2", "longdouble", "O", "S1", "M8[s]"])
@pytest.mark.parametrize("order", [1, 3])
def test_other_element_types_are_refused_as_scipy_refuses_them(dtype, order):
    for image, output in (
        (np.zeros((3, 3), dtype), None),
        (np.zeros((3, 3), dtype), np.float64),
        (np.zeros((3, 3)), np.zeros((3, 3), dtype)),
    ):
        for name in ("shift", "zoom"):
            assert_same(
                outcome(
                    getattr(ndimage, name), image, 1.0 if name == "shift" else 1.01, output, order, "nearest"
                ),
                outcome(
                    getattr(scipy.ndimage, name),
                    image,
                    1.0 if name == "shift" else 1.01,
                    output,
                    order,
                    "nearest",
                ),
            )


def test_read_only_outputs_are_refused():
    image, output = np.ones((3, 3)), np.zeros((3, 3))
    output.flags.writeable = False
    for name, argument in (("shift", 1), ("affine_transform", np.eye(2)), ("rotate", 90), ("zoom", 1)):
        assert_same(
            outcome(getattr(ndimage, name), image, argument, output=output),
            outcome(getattr(scipy.ndimage, name), image, argument, output=output),
        )


def test_the_callers_output_is_written_and_returned():
    image, output = values((6, 7), "f4", 1), np.zeros((6, 7), "u1")
    assert ndimage.shift(image, 1.5, output=output, order=1) is output
    assert_equal_arrays(output, scipy.ndimage.shift(image, 1.5, output=np.uint8, order=1))


@examples(100)
@given(
    st.lists(
        st.sampled_from((np.nan, np.inf, -np.inf, 1e300, -1e300, 1e19, -1e19, 9.3e18, 3.0)),
        min_size=2,
        max_size=2,
    ),
    st.integers(0, 5),
    modes,
)
def test_no_coordinate_is_a_danger(far, order, mode):
    """SciPy reads foreign memory on some of these; see docs/differences.md."""
    image = values((5, 6), "f8", 1)
    low, high = image.min() - 1e4, image.max() + 1e4
    for result in (
        ndimage.shift(image, far, order=order, mode=mode),
        ndimage.affine_transform(image, np.eye(2), far, order=order, mode=mode),
        ndimage.affine_transform(image, np.array([[far[0], 1], [1, far[1]]]), order=order, mode=mode),
        ndimage.map_coordinates(image, np.array([far, far[::-1]]), order=order, mode=mode),
    ):
        finite = result[np.isfinite(result)]
        # The sum of the weights is one, of their sizes below three an axis.
        assert ((finite > low) & (finite < high)).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0,)])
def test_an_empty_image_gives_the_fill_value(mode, shape):
    """SciPy reads foreign memory here in most modes; see docs/differences.md."""
    image = np.zeros(shape)
    result = ndimage.affine_transform(
        image, np.eye(len(shape)), output_shape=(3,) * len(shape), order=1, cval=2.5, mode=mode
    )
    np.testing.assert_array_equal(result, np.full((3,) * len(shape), 2.5))
    result = ndimage.map_coordinates(image, np.zeros((len(shape), 2)), order=0, cval=2.5, mode=mode)
    np.testing.assert_array_equal(result, [2.5, 2.5])


@pytest.mark.parametrize("order", [0, 1])
def test_an_output_that_overlaps_the_input_is_no_danger(order):
    """SciPy interpolates between pixels it has already overwritten; see docs/differences.md."""
    image = values((6, 6), "f8", 4)
    expected = scipy.ndimage.rotate(image, 30, reshape=False, order=order)
    np.testing.assert_array_equal(
        ndimage.rotate(image, 30, reshape=False, order=order, output=image), expected
    )


@pytest.mark.parametrize("order", [0, 1, 3])
def test_an_output_that_overlaps_the_coordinates_is_no_danger(order):
    """SciPy may read points it has already overwritten; see docs/differences.md."""
    image, memory = values((3000,), "f8", 4), np.random.default_rng(5).uniform(0, 2999, (50, 120))
    points = memory.reshape(-1)[:3000].reshape(1, 50, 60)
    for output in (points[0], memory[:, ::2], memory[:, :60]):
        before = memory.copy()
        expected = scipy.ndimage.map_coordinates(image, points.copy(), order=order)
        result = ndimage.map_coordinates(image, points, output=output, order=order)
        np.testing.assert_array_equal(result, expected)
        memory[...] = before


def test_a_diagonal_matrix_repeats_along_further_output_axes():
    image = values((5, 4), "f8", 6)
    compare(
        "affine_transform",
        OutputForm("none"),
        image,
        [0.5, 1.5],
        offset=0.25,
        output_shape=(4, 3, 2),
        order=1,
    )
    with pytest.raises(RuntimeError, match="output rank must not be smaller"):
        ndimage.affine_transform(image, [0.5, 1.5], output_shape=(4,))


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cval", [np.nan, np.inf])
def test_a_weight_of_zero_does_not_hide_a_fill_value_that_is_no_number(dtype, mode, cval):
    """A point on the last sample has a neighbour outside, with the weight zero: zero times NaN is NaN."""
    image = values((4, 70, 3), dtype, 8)
    for name, argument in (("zoom", (1, 24 / 70, 1)), ("rotate", 90), ("rotate", 0), ("shift", (1, 0, 0))):
        compare(name, OutputForm("none"), image, argument, order=1, mode=mode, cval=cval)


def _parameters(function):
    """Names, kinds and defaults; types may be written or not."""
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


def test_every_name_is_native():
    assert set(ndimage.__all__) == set(scipy.ndimage.__all__)
    for name in scipy.ndimage.__all__:
        ours, theirs = getattr(ndimage, name), getattr(scipy.ndimage, name)
        assert _parameters(ours) == _parameters(theirs), name
        assert ours is not theirs, name
    assert set(scipy.ndimage.__all__) == ndimage.NATIVE


def test_more_than_32_axes_are_refused():
    """SciPy takes up to 64; see docs/differences.md."""
    with pytest.raises(ValueError, match="33 axes; at most 32"):
        ndimage.shift(np.zeros((1,) * 33), 0, order=0)


def test_an_unsupported_type_is_refused_even_if_no_pixel_is_read():
    """SciPy finds out at the first pixel it needs; see docs/differences.md."""
    image = np.zeros(3, np.float16)
    with pytest.raises(RuntimeError, match="data type not supported"):
        ndimage.shift(image, 10, output=np.float64, order=0)


def test_an_output_whose_elements_share_memory_is_written_through_a_copy():
    row = np.zeros(5)
    output = np.lib.stride_tricks.as_strided(row, (3, 5), (0, 8))
    image = values((3, 5), "f8", 7)
    ndimage.shift(image, 0.5, output=output, order=1)
    np.testing.assert_array_equal(row, scipy.ndimage.shift(image, 0.5, order=1)[-1])

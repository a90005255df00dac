"""Labels and measurements against live SciPy: what the drawn calls of `calls/measures.py` rarely meet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from tests.parity.calls.call import Call, assert_call, in_bytes
from tests.parity.calls.measures import EXTREMES, SUMS
from tests.support.cases import OutputForm, assert_same, examples, outcome

from offgraph import ndimage
from offgraph.core.threads import num_threads

CROSS = scipy.ndimage.generate_binary_structure(2, 1)


@examples(60)
@given(
    shape=st.sampled_from(((1, 70), (70, 1), (9, 1, 8), (1, 1), (5, 6, 7), (2, 3, 4, 5), (33, 40))),
    order=st.randoms(use_true_random=False),
    dtype=st.sampled_from(("i4", "i8", "u1", "i1", "?", "f4")),
    seed=st.integers(0, 99),
)
def test_the_output_decides_along_which_axis_components_are_numbered(shape, order, dtype, seed):
    image = np.random.default_rng(seed).random(shape) < 0.4
    axes = list(range(len(shape)))
    order.shuffle(axes)
    found = []
    for module in (ndimage, scipy.ndimage):
        output = np.zeros([shape[axis] for axis in axes], dtype).transpose(np.argsort(axes))
        found.append((outcome(module.label, image, None, output), output))
    assert_same(found[0][0], found[1][0])
    assert found[0][1].tobytes() == found[1][1].tobytes()


@pytest.mark.parametrize("dtype", ["?", "u1", "i1"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("count", range(120, 132))
@pytest.mark.parametrize("joined", [0, 3, 130])
def test_labels_that_nearly_do_not_fit(dtype, order, count, joined):
    """SciPy's first pass counts more labels than there are components, if some meet in a later line."""
    image = np.zeros((2, 600), bool)
    image[0, : 2 * count : 2] = True
    image[1, : 2 * joined] = True
    for form in (OutputForm("array", dtype, order), OutputForm("dtype", dtype)):
        assert_call(Call("label", image, {}, form))
        assert_call(Call("label", image.T, {}, form))


def test_in_place():
    for count in (3, 200, 300):
        ours, theirs = (np.tile(np.array([0, 1], "u1"), count) for _ in range(2))
        assert_same(
            outcome(ndimage.label, ours, output=ours), outcome(scipy.ndimage.label, theirs, output=theirs)
        )
        assert ours.tobytes() == theirs.tobytes()


def test_an_output_that_overlaps_the_input_is_no_danger():
    values: Any = np.tile(np.array([[0, 1, 1], [1, 0, 1]], np.int32), (20, 30))
    expected: Any = scipy.ndimage.label(values[:-1])
    assert ndimage.label(values[:-1], output=values[1:]) == expected[1]
    assert np.array_equal(values[1:], expected[0])


def test_an_output_that_is_read_only_is_refused():
    output = np.zeros((3, 4), np.int32)
    output.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        ndimage.label(np.eye(3, 4), output=output)
    assert not output.any()


@pytest.mark.parametrize("dtype", ["f2", "g", "c8", "S3", "O", "M8[s]", ">i4", ">f8"])
def test_element_types_that_are_refused(dtype):
    image = np.zeros((3, 4), dtype)
    for name in ("label", "find_objects"):
        assert_call(Call(name, image))
    if dtype != ">i4":
        assert_call(Call("value_indices", image))
    for output in (np.dtype(dtype), np.zeros((3, 4), dtype)):
        made = [
            outcome(module.label, CROSS.astype("u1")[:, [0, 1, 1, 2]], output=output)
            for module in (ndimage, scipy.ndimage)
        ]
        assert (type(made[0].error), str(made[0].error)) == (type(made[1].error), str(made[1].error))


@pytest.mark.parametrize(
    "labels",
    [
        np.array(3), np.array(0), np.zeros((0, 3), int), [1.5, 2.0, np.nan, 0.5], np.array([2**63 + 5, 1], "u8"),
        np.array([0, 3, 1], "u1").view(bool), np.array([0, 2**32 - 1], "u4"), np.array([True, False]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("last", [0, 2, 5, np.int64(3), True, 2**70, None, "a"])
def test_objects_of_odd_labels(labels, last):
    if last == 0 and np.asarray(labels).dtype == "u4":
        return
    assert_call(Call("find_objects", np.asarray(labels), {"max_label": last}))


def test_values_may_lie_far_apart():
    for dtype, values in (("i8", [-(2**63), 2**63 - 1, 0, 0]), ("u8", [2**64 - 1, 0, 5, 5])):
        found = ndimage.value_indices(np.array(values, dtype), ignore_value=5)
        expected = {
            value: np.flatnonzero(np.array(values, dtype) == value) for value in sorted({*values} - {5})
        }
        assert [int(key) for key in found] == list(expected)
        assert all(np.array_equal(found[key][0], expected[int(key)]) for key in found)


def test_values_of_foreign_byte_order_are_keys():
    for shape in ((), (3,)):
        values = np.full(shape, 7, np.int32)
        found = ndimage.value_indices(values.astype(values.dtype.newbyteorder()))
        assert in_bytes(found) == in_bytes(scipy.ndimage.value_indices(values))


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2"])
@pytest.mark.parametrize("below", range(4))
def test_the_largest_labels_of_a_type(name, dtype, below):
    """One more than the largest, or two, is another number of that type."""
    labels = np.arange(np.iinfo(dtype).max + 1 - below).astype(dtype)
    values = np.arange(len(labels))[::-1]
    for index in ([0, 1, 5], [3, -1, 70_000]):
        assert_call(Call(name, values, {"labels": labels, "index": index}))


@pytest.mark.parametrize("name", [*SUMS, *EXTREMES])
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, 1e300, -0.0])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_values_that_are_not_finite_warn_alike(name, special, dtype):
    rng = np.random.default_rng(4)
    image = rng.normal(size=(12, 30)).round(1)
    image[rng.random(image.shape) < 0.1] = special
    labels = rng.integers(0, 9, image.shape)
    with np.errstate(over="ignore"):
        image = image.astype(dtype)
    for index in (None, 3, range(-1, 12)):
        assert_call(Call(name, image, {"labels": labels, "index": index}))


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("index", [np.array(1), np.array("a"), [None], [[1], [1, 2]]])
@pytest.mark.parametrize("first", [-2, 0, 2.5])
def test_an_index_is_refused_after_the_warnings(name, index, first):
    """SciPy computes before it looks at the index."""
    labels = np.array([1, 1, first, 0])
    for special in (np.inf, 1e300, 1.0):
        assert_call(Call(name, np.array([special, 1, -special, 2]), {"labels": labels, "index": index}))


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("special", [np.nan, np.inf, 1e200, 1e308, 1.0])
def test_labels_that_are_not_asked_for_warn_too(name, special):
    rng = np.random.default_rng(8)
    image = rng.normal(size=(20, 60))
    labels = np.repeat(rng.integers(0, 40, (20, 12)), 5, axis=1)
    with np.errstate(over="ignore"):
        image[labels < 9] *= special
    for index in ([10, 12, 39], np.arange(9, 60)):
        assert_call(Call(name, image, {"labels": labels, "index": index}))


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "u2", "i2", "i4", "u8", "f4", "f8"])
def test_sums_over_runs_of_any_length(name, dtype):
    """Runs with their labels apart and not, longer than a block, and lines of all lengths."""
    rng = np.random.default_rng(9)
    for shape, labels_in_all, longest in (
        ((7, 700), 60, 30),
        ((3, 5000), 900, 12),
        ((50, 97), 3, 40),
        ((9, 5, 64), 30, 90),
    ):
        runs = rng.integers(0, labels_in_all, 20_000)
        labels = np.repeat(runs, rng.integers(1, longest + 1, runs.size))[: np.prod(shape)].reshape(shape)
        image = (rng.normal(size=shape) * 90).astype(dtype)
        for own, marks in (
            (image, labels),
            (image.T, labels.T),
            (image[::-1, ::2], labels[::-1, ::2].astype(np.uint16)),
        ):
            assert_call(Call(name, own, {"labels": marks, "index": np.arange(1, labels_in_all + 2)}))


@pytest.mark.parametrize("name", [*SUMS, "find_objects"])
@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
@pytest.mark.parametrize("shape", [(45, 48), (6, 11, 96), (30, 130), (9, 2500), (50, 20)])
def test_copies_of_lines(name, dtype, shape):
    """Lines like the one before, some with labels that occur twice, some with labels that few others have."""
    rng = np.random.default_rng(len(name))
    columns = shape[-1]
    kinds = [
        np.sort(rng.integers(0, 14, columns)),
        np.arange(columns) // 9 % 12,
        np.arange(columns) // 70 + 20,
    ]
    chosen = np.repeat(rng.integers(0, 3, 200), rng.integers(1, 9, 200))[: np.prod(shape[:-1])]
    labels = np.stack([kinds[kind] for kind in chosen]).reshape(shape).astype(rng.choice(["u1", "i4", "i8"]))
    values: Any = (rng.normal(size=shape) * 100).astype("i8" if dtype[0] in "?ui" else "f8").astype(dtype)
    if name == "find_objects":
        assert_call(Call(name, labels))
        return
    for index in (range(1, 45), [0, 3, 3, 21], np.arange(5, 25)):
        assert_call(Call(name, values, {"labels": labels, "index": index}))


@pytest.mark.parametrize("last", [0, 700])
@pytest.mark.parametrize("dtype", ["u2", "i2", "i4", "u4", "i8"])
@pytest.mark.parametrize("shape", [(3000,), (60, 70), (2, 3000), (7, 9, 64), (4, 5, 6, 50), (3, 2, 2, 3, 90)])
def test_boxes_of_many_labels(shape, dtype, last):
    """More labels than there are boxes at first, the largest one anywhere."""
    rng = np.random.default_rng(len(shape))
    size = int(np.prod(shape))
    labels = np.repeat(rng.integers(0, 1500, size) * (rng.random(size) < 0.7), rng.integers(1, 9, size))[
        :size
    ]
    assert_call(Call("find_objects", labels.reshape(shape).astype(dtype), {"max_label": last}))


@pytest.mark.parametrize("dtype", ["i4", "i8"])
def test_boxes_of_a_label_far_above_others(dtype):
    labels = np.zeros((3, 100), dtype)
    labels[0, :70] = np.arange(70)
    labels[1, 5:9] = 2**20 + 3
    ours, theirs = ndimage.find_objects(labels), scipy.ndimage.find_objects(labels)
    assert ours == theirs
    assert len(ours) == 2**20 + 3


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", [(700, 1100), (60, 90, 130), (5, 40, 50, 65)])
@pytest.mark.parametrize("density", [0.3, 0.5, 0.9])
def test_labels_of_noise(shape, density, threads):
    """Images that are cut into slabs for threads, whose labels are joined across the seams."""
    rng = np.random.default_rng(7)
    image = rng.random(shape) < density
    lines = scipy.ndimage.generate_binary_structure(image.ndim, 1)
    diagonal = np.zeros_like(lines)
    for corner in np.ndindex((2,) * image.ndim):
        diagonal[tuple(2 * np.array(corner))] = sum(corner) in (0, image.ndim)
    with num_threads(threads):
        for structure in (lines, np.ones_like(lines), lines | diagonal):
            ours, theirs = (module.label(image, structure) for module in (ndimage, scipy.ndimage))
            assert ours[1] == theirs[1]
            assert np.array_equal(ours[0], theirs[0])


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("dtype", ["u8", "i8", "f8", "u1"])
@pytest.mark.parametrize("has_ties", [False, True])
def test_extremes_of_large_images(name, dtype, has_ties):
    rng = np.random.default_rng(5)
    values = (
        rng.integers(0, 30, 6000) if has_ties else rng.permutation(6000) * (1 if dtype == "u1" else 2**49)
    )
    values = values.astype(dtype).reshape(60, 100)
    labels = np.arange(60)[:, None] // 9 * 5 + np.arange(100) // 23
    index = np.arange(1, 40)
    ours, theirs = (getattr(module, name)(values, labels, index) for module in (ndimage, scipy.ndimage))
    assert in_bytes(ours) == in_bytes(theirs)


@pytest.mark.parametrize("name", [*SUMS, *EXTREMES])
def test_complex_values_are_measured_as_scipy_does(name):
    rng = np.random.default_rng(6)
    image = rng.normal(size=(7, 9)) + 1j * rng.normal(size=(7, 9))
    labels = rng.integers(0, 4, image.shape)
    for index in (None, 2, [1, 2, 9]):
        assert_call(Call(name, image, {"labels": labels, "index": index}))


def test_a_watershed_needs_an_axis():
    with pytest.raises(ValueError, match="at least one axis"):
        ndimage.watershed_ift(np.array(3, np.uint8), np.array(1))


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f8"])
@pytest.mark.parametrize("marks", ["i1", "i8", ">i4", "u1", "f8"])
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (1, 7), (7, 1), (3, 1, 4), (1,) * 7, (1,) * 8])
def test_watersheds_of_odd_arrays(dtype, marks, shape):
    image = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    markers = np.zeros(shape, marks)
    markers[..., :1] = 3
    for form in (None, OutputForm("array", "i2", "readonly"), OutputForm("array", "i2")):
        assert_call(Call("watershed_ift", image, {"markers": markers}, form))


def test_markers_of_all_elements_and_of_none():
    image = np.random.default_rng(3).integers(0, 9, (12, 13)).astype("u1")
    for markers in (np.zeros(image.shape, int), np.arange(image.size).reshape(image.shape) - 70):
        assert_call(Call("watershed_ift", image, {"markers": markers}))
        assert_call(Call("watershed_ift", image, {"markers": markers, "structure": np.ones((3, 3))}))


@pytest.mark.parametrize("count", [3, 300, 70_000])
def test_medians_of_many_labels(count):
    rng = np.random.default_rng(count)
    for values in (rng.normal(size=80_000).astype("f4"), rng.integers(0, 256, 80_000).astype("u1")):
        labels = rng.integers(0, count, values.shape)
        assert_call(Call("median", values, {"labels": labels, "index": np.arange(count + 2)}))


@pytest.mark.parametrize("name", ["median", "histogram", "labeled_comprehension"])
def test_what_describes_a_region_refuses_alike(name):
    more: dict[str, Any] = {"labels": None, "index": None}
    if name == "histogram":
        more |= {"min": 0, "max": 3, "bins": 2}
    if name == "labeled_comprehension":
        more |= {"func": np.sum, "out_dtype": float, "default": 0}
    image = np.arange(6).reshape(2, 3)
    for labels, index in ((None, 2), (np.ones((5, 5)), 1), (np.ones((2, 3), "u1"), [1, 300]), (image, [1.5])):
        assert_call(Call(name, image, more | {"labels": labels, "index": index}))

"""Distance transforms against live SciPy: arrays to write into, ties, and what drawn calls rarely meet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from tests.parity.calls.call import Call, assert_call, in_bytes
from tests.parity.calls.distances import TRANSFORMS, masks, spacings
from tests.support.cases import assert_same, examples, laid_out, outcome

from offgraph import ndimage
from offgraph.core.threads import num_threads

LAYOUTS = ("C", "C", "F", "reversed", "strided", "swapped", "misaligned", "readonly")


@examples(150)
@given(
    data=st.data(),
    name=st.sampled_from(TRANSFORMS),
    asked=st.tuples(st.booleans(), st.booleans()),
    given_=st.tuples(st.booleans(), st.booleans()),
    layouts=st.tuples(st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS)),
    dtypes=st.tuples(st.sampled_from(("f8", "f8", "i4", "u4")), st.sampled_from(("i4", "i4", "i4", "i8"))),
    is_wrong=st.integers(0, 19),
)
def test_arrays_to_write_into(data, name, asked, given_, layouts, dtypes, is_wrong):
    image = data.draw(masks(1500))
    metric = data.draw(st.sampled_from(("euclidean", "taxicab", "chessboard")))
    if metric == "euclidean" and "cdt" in name:
        metric = "chessboard"
    dtype = dtypes[0] if is_wrong == 0 else "i4" if "cdt" in name else "f8" if metric == "euclidean" else "u4"
    if "edt" in name:
        metric, dtype = None, "f8"
    shape = image.shape if is_wrong != 1 else (*image.shape, 1)
    start = np.indices(image.shape) if is_wrong != 2 else np.zeros((image.ndim, *shape))
    found = []
    for module in (ndimage, scipy.ndimage):
        arguments: dict[str, Any] = {"return_distances": asked[0], "return_indices": asked[1]}
        if metric is not None:
            arguments["metric"] = metric
        if given_[0]:
            arguments["distances"] = laid_out(np.full(shape, 7, dtype), layouts[0])
        if given_[1]:
            arguments["indices"] = laid_out(start.astype(dtypes[1]), layouts[1])
        done = outcome(getattr(module, name), image, **arguments)
        done.warnings = [text for text in done.warnings if "WRITEBACKIFCOPY" not in text]
        written = [arguments[key].tobytes() for key in ("distances", "indices") if key in arguments]
        found.append((done, written))
    (ours, mine), (theirs, written) = found
    if isinstance(theirs.error, SystemError):
        return
    if isinstance(theirs.value, tuple):
        ours.value, theirs.value = in_bytes(ours.value), in_bytes(theirs.value)
    assert_same(ours, theirs)
    assert mine == written


@examples(60)
@given(
    shape=st.sampled_from(((300,), (1, 400), (400, 1), (150, 170), (90, 6, 90), (2, 3, 200), (70, 80, 3))),
    zeros=st.integers(0, 5),
    sampling=st.one_of(st.none(), spacings),
    threads=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_zeros_that_are_far_away(shape, zeros, sampling, threads, seed):
    """Further than the short search goes."""
    image: Any = np.ones(shape, bool)
    image.ravel()[np.random.default_rng(seed).integers(0, image.size, zeros)] = False
    with num_threads(threads):
        assert_call(Call("distance_transform_edt", image, {"sampling": sampling}))
        both = {"sampling": sampling, "return_distances": False, "return_indices": True}
        assert_call(Call("distance_transform_edt", image, both))


@pytest.mark.parametrize("sampling", [None, 2, (1, 3), (0.5, 1), (1, 600), (0.3, 0.3), (1e-150, 1e-150)])
@pytest.mark.parametrize("distance", [20, 47, 48, 49, 50, 100])
def test_equally_near_zeros(sampling, distance):
    """Every element between the two is as near to several of them, at and beyond the ends of the short search."""
    image = np.ones((2 * distance + 3, 2 * distance + 3), bool)
    for row in (0, distance, -1):
        for column in (0, distance, -1):
            image[row, column] = False
    for part in (image, image[distance : distance + 1], image[:, distance:]):
        arguments = {"sampling": sampling, "return_distances": False, "return_indices": True}
        assert_call(Call("distance_transform_edt", part, arguments))


def test_arrays_longer_than_whole_numbers_go():
    for shape in ((40_000,), (1, 40_000), (2, 33_000)):
        image: Any = np.ones(shape, bool)
        image[..., 5] = image[..., 35_000 % shape[-1]] = False
        arguments = {"return_distances": False, "return_indices": True}
        assert_call(Call("distance_transform_edt", image))
        assert_call(Call("distance_transform_edt", image, arguments))


@pytest.mark.parametrize("rank", range(5, 10))
def test_many_axes(rank):
    image = np.random.default_rng(rank).random((2,) * (rank - 1) + (3,)) < 0.9
    for sampling in (None, [0.1 * (axis + 3) for axis in range(rank)]):
        assert_call(Call("distance_transform_edt", image, {"sampling": sampling}))
        assert_call(Call("distance_transform_bf", image, {"sampling": sampling}))
    assert_call(Call("distance_transform_cdt", image))


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize(
    "image",
    [np.array(1), 0, np.zeros((0, 3)), np.ones((3, 0)), ["a", ""], np.array([None, 1, 0]), np.array([0, 1j]),
     np.array([0, 1], "g"), np.array([np.nan, 0, -0.0]), np.array([0, 2, 1], "u1").view(bool), np.zeros((3, 4))],
)  # fmt: skip
def test_odd_arrays(name, image):
    for asked in ((True, False), (False, True)):
        arguments = {"return_distances": asked[0], "return_indices": asked[1]}
        assert_call(Call(name, image, arguments))


def test_a_metric_for_another_number_of_axes_is_refused():
    with pytest.raises(ValueError, match="metric has 2 axes, the input 3"):
        ndimage.distance_transform_cdt(np.ones((2, 2, 2)), np.ones((3, 3), bool))


def test_a_metric_of_objects_is_refused():
    with pytest.raises(ValueError, match="invalid metric"):
        ndimage.distance_transform_cdt(np.ones((2, 2)), np.full((3, 3), None))


def test_a_sampling_without_numbers_is_refused():
    for transform in (ndimage.distance_transform_edt, ndimage.distance_transform_bf):
        with pytest.raises(ValueError, match="a number per axis"):
            transform(np.ones((2, 2)), sampling=[[], []])


def test_a_sampling_of_several_numbers_per_axis_is_read_as_scipy_does():
    image = np.random.default_rng(1).random((4, 4)) < 0.8
    for name in ("distance_transform_edt", "distance_transform_bf"):
        assert_call(Call(name, image, {"sampling": [[1.0, 2.0, 3.0, 0.5], [0.3, 1.0, 1.0, 2.0]]}))

"""Floods, reconstructions and images of many labels: scikit-image's answers, and SciPy's of each label by itself."""

from typing import Any, cast

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import morphology, segmentation

from offgraph import objects
from offgraph.errors import ArgumentError

ndimage: Any = scipy.ndimage


@st.composite
def landscapes(draw):
    """Heights with many ties or none, markers of plateaus and single pixels, a mask, and a connectivity."""
    shape = tuple(draw(st.lists(st.integers(1, 12), min_size=1, max_size=3)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([1, 2, 4, 30]))
    heights = rng.integers(-levels, levels + 1, shape) / draw(st.sampled_from([1, 3]))
    if draw(st.booleans()):
        heights = ndimage.gaussian_filter(heights, 1)
    heights = heights.astype(draw(st.sampled_from([np.float64, np.float32, np.int16])))
    marked = rng.integers(-3, 9, shape) * (rng.random(shape) < draw(st.sampled_from([0.02, 0.2, 0.6])))
    if draw(st.booleans()):
        marked = ndimage.maximum_filter(marked, 2)
    mask = rng.random(shape) < draw(st.sampled_from([0.5, 0.9, 1.0]))
    return (
        heights,
        marked.astype(draw(st.sampled_from([np.int8, np.int64]))),
        mask,
        draw(st.integers(1, len(shape))),
    )


@settings(deadline=None, max_examples=150)
@given(landscapes())
def test_watershed_is_scikit_images(case):
    heights, markers, mask, connectivity = case
    found = objects.watershed(heights, markers, mask, connectivity)
    expected = segmentation.watershed(heights, markers, mask=mask, connectivity=connectivity)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.int32


def test_watershed_of_a_large_image():
    rng = np.random.default_rng(5)
    distance = ndimage.distance_transform_edt(ndimage.gaussian_filter(rng.normal(size=(300, 400)), 4) > 0)
    markers, count = ndimage.label(morphology.local_maxima(distance, connectivity=1))
    assert count > 300
    for heights in (-distance, -distance.astype(np.float32), rng.random(distance.shape)):
        found = objects.watershed(heights, markers, distance > 0)
        np.testing.assert_array_equal(found, segmentation.watershed(heights, markers, mask=distance > 0))


def test_the_order_of_zeros_and_memory_does_not_count():
    heights = np.array([[0.0, -0.0, 1.0], [-0.0, 0.0, 0.0]])
    markers = np.array([[0, 1, 0], [2, 0, 0]])
    expected = segmentation.watershed(heights, markers)
    for layout in (np.asfortranarray, lambda array: array[::-1][::-1]):
        np.testing.assert_array_equal(objects.watershed(layout(heights), layout(markers)), expected)
    assert markers.tolist() == [[0, 1, 0], [2, 0, 0]]


@settings(deadline=None, max_examples=100)
@given(landscapes(), st.integers(0, 6))
def test_reconstruction_and_maxima_are_scikit_images(case, drop):
    heights, _, _, connectivity = case
    structure = ndimage.generate_binary_structure(heights.ndim, connectivity)
    rng = np.random.default_rng(drop)
    lowered = (heights - np.floor(drop * rng.random(heights.shape))).astype(heights.dtype)
    found = objects.reconstruction(lowered, heights, connectivity)
    np.testing.assert_array_equal(
        found, morphology.reconstruction(lowered, heights.astype(float), footprint=structure)
    )
    marks = objects.regional_maxima(heights, connectivity)
    np.testing.assert_array_equal(marks, morphology.local_maxima(heights, footprint=structure))


@settings(deadline=None)
@given(landscapes(), st.sampled_from([0, 0.5, 1, 2.5]))
def test_summits_stand_out_by_more_than_h(case, h):
    heights, _, _, connectivity = case
    heights = heights.astype(float)
    marks = objects.h_maxima(heights, h, connectivity)
    structure = ndimage.generate_binary_structure(heights.ndim, connectivity)
    raised = morphology.reconstruction(heights - h, heights, footprint=structure)
    np.testing.assert_array_equal(marks, morphology.local_maxima(raised, footprint=structure))


@st.composite
def labellings(draw):
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    coarse: Any = rng.integers(0, draw(st.sampled_from([2, 3, 5])), shape)
    if draw(st.booleans()):
        coarse = ndimage.zoom(coarse, 2, order=0)
    return coarse.astype(draw(st.sampled_from([np.uint8, np.int32, np.uint64, np.float32, np.bool_])))


@settings(deadline=None, max_examples=100)
@given(labellings(), st.sampled_from([1.0, 0.5, (3.0, 0.7, 1.1)]), st.booleans())
def test_distances_are_those_of_each_label(labels, sampling, edges):
    if isinstance(sampling, tuple):
        sampling = sampling[: labels.ndim]
    found = objects.label_distances(labels, sampling, edges=edges)
    expected = np.zeros(labels.shape)
    for label in np.unique(labels[labels != 0]):
        inside = np.pad(labels == label, int(edges))
        if inside.all():
            distance = np.full(inside.shape, np.inf)
        else:
            distance = ndimage.distance_transform_edt(inside, sampling)
        within = distance[(slice(1, -1),) * labels.ndim] if edges else distance
        expected[labels == label] = within[labels == label]
    if isinstance(sampling, tuple):
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    else:
        np.testing.assert_array_equal(found, expected.astype(np.float32))


@settings(deadline=None, max_examples=100)
@given(labellings(), st.integers(1, 3))
def test_regions_are_the_components_of_each_label(labels, connectivity):
    connectivity = min(connectivity, labels.ndim)
    structure = ndimage.generate_binary_structure(labels.ndim, connectivity)
    pieces, total = np.zeros(labels.shape, int), 0
    for label in np.unique(labels[labels != 0]):
        part, count = ndimage.label(labels == label, structure)
        pieces += np.where(part > 0, part + total, 0)
        total += count
    numbers, first = np.unique(pieces, return_index=True)
    order = numbers[np.argsort(first)]
    rank = np.zeros(total + 1, int)
    rank[order[order > 0]] = np.arange(1, total + 1)
    found, count = objects.label_regions(labels, connectivity)
    assert count == total and found.dtype == np.int32
    np.testing.assert_array_equal(found, rank[pieces])


def test_empty_arrays():
    nothing = np.zeros((0, 3))
    assert objects.watershed(nothing, nothing.astype(int)).shape == (0, 3)
    assert objects.reconstruction(nothing, nothing).shape == (0, 3)
    assert objects.h_maxima(nothing, 1).shape == (0, 3)
    assert objects.label_distances(nothing).shape == (0, 3)
    assert objects.label_regions(nothing)[1] == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: objects.watershed([1.0, np.nan], [1, 0]), "height: expected numbers, got NaN"),
        (lambda: objects.watershed([1.0], [1, 0]), r"markers: expected the shape of height, \(1,\)"),
        (lambda: objects.watershed([1.0], [1], [1, 1]), "mask: expected the shape"),
        (lambda: objects.watershed([1.0], [0.5]), "markers: expected whole numbers, got float64"),
        (lambda: objects.watershed([1.0], [2**31]), "markers: expected labels within"),
        (
            lambda: objects.watershed([1.0], [1], connectivity=2),
            "connectivity: .* from 1 to 1, the axes, got 2",
        ),
        (lambda: objects.watershed([1j], [1]), "height: expected real numbers"),
        (lambda: objects.watershed(1.0, 1), "height: expected an array with at least one axis"),
        (lambda: objects.reconstruction([2.0], [1.0]), "seed: expected numbers nowhere above the mask"),
        (lambda: objects.reconstruction([np.nan], [1.0]), "seed: expected numbers nowhere above the mask"),
        (lambda: objects.reconstruction([1.0, 1.0], [1.0]), "seed: expected the shape of mask"),
        (lambda: objects.h_maxima([np.inf], 1), "height: expected finite numbers"),
        (lambda: objects.h_maxima([1.0], -1), "h: expected a number of at least 0, got -1"),
        (lambda: objects.h_maxima([1.0], cast(Any, "1")), "h: expected a number of at least 0, got '1'"),
        (lambda: objects.regional_maxima([np.nan]), "height: expected numbers, got NaN"),
        (lambda: objects.label_distances([1], 0), "sampling: expected a positive number"),
        (lambda: objects.label_distances([[1]], (1, 2, 3)), "one for each of 2 axes"),
        (lambda: objects.label_distances([1], edges=cast(Any, "x")), "edges='x': give True or False"),
        (lambda: objects.label_distances([1], edges=cast(Any, 1)), "edges=1: give True or False"),
        (lambda: objects.label_distances([1j]), "labels: expected an array of numbers, got complex128"),
        (lambda: objects.label_regions(3), "labels: expected an array of numbers"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage import measure

import offgraph as og
from offgraph.errors import ArgumentError

PLANE = ("perimeter", "axis_major_length", "axis_minor_length", "eccentricity")
SHARED = ("label", "area", "bbox", "centroid", "extent", "equivalent_diameter_area")
INTENSITY = ("intensity_mean", "intensity_min", "intensity_max", "intensity_std")
EXACT = ("label", "area", "bbox", "centroid", "intensity_min", "intensity_max")

LABELS = hnp.arrays(
    st.sampled_from([np.uint8, np.int32]),
    st.one_of(
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=6),
    ),
    elements=st.sampled_from([0, 1, 1, 1, 2, 90]),
    fill=st.nothing(),
)


def like_scikit_image(
    labels: np.ndarray, image: np.ndarray | None = None, sampling: float | tuple[float, ...] = 1.0
) -> None:
    names = SHARED + PLANE * (labels.ndim == 2) + INTENSITY * (image is not None)
    if isinstance(sampling, tuple) and len(set(sampling)) > 1:
        names = tuple(name for name in names if name != "perimeter")
    spacing = sampling if isinstance(sampling, tuple) else (sampling,) * labels.ndim
    wanted = measure.regionprops_table(labels, image, properties=names, spacing=spacing)
    found = og.measure(labels, image, sampling=sampling)
    assert found.keys() == wanted.keys()
    for name, column in found.items():
        assert column.shape == wanted[name].shape
        if name.startswith(EXACT) and (sampling == 1 or not name.startswith(("area", "centroid"))):
            np.testing.assert_array_equal(column, wanted[name], err_msg=name)
        elif name in ("axis_minor_length", "eccentricity"):
            # Roots of a difference that is 0 for lines and discs: rounding shows in half the digits.
            np.testing.assert_allclose(column, wanted[name], rtol=1e-9, atol=1e-6, err_msg=name)
        else:
            np.testing.assert_allclose(column, wanted[name], rtol=1e-9, atol=1e-9, err_msg=name)


@settings(deadline=None)
@given(LABELS, st.integers(0, 2**32 - 1))
def test_scikit_images_table(labels, seed):
    if labels.any():
        like_scikit_image(labels)
        rng = np.random.default_rng(seed)
        like_scikit_image(labels, rng.normal(100, 30, labels.shape))
        like_scikit_image(labels, rng.integers(0, 256, (*labels.shape, 3)).astype(np.uint8))


@settings(deadline=None)
@given(LABELS, st.data())
def test_pixels_of_a_size(labels, data):
    side = st.sampled_from([0.25, 0.4, 1.0, 3.0])
    sampling = data.draw(st.one_of(side, st.tuples(*[side] * labels.ndim)))
    if labels.any():
        like_scikit_image(labels, labels * 2.5, sampling)


@pytest.mark.parametrize("sampling", [0, -1, np.nan, np.inf, (1, 2, 3), "wide", None, (1, 0)])
def test_a_size_that_is_none(sampling):
    with pytest.raises(
        ArgumentError, match="sampling: expected a positive number, or one for each of 2 axes"
    ):
        og.measure(np.eye(3, dtype=int), sampling=sampling)


def test_real_shapes():
    rng = np.random.default_rng(0)
    labels = ndimage.label(ndimage.gaussian_filter(rng.random((300, 400)), 4) > 0.5)[0]
    assert labels.max() > 50
    like_scikit_image(labels, rng.random((300, 400)))


@pytest.mark.parametrize("size", [(5, 6), (0, 7), (3, 4, 5)])
def test_no_objects(size: tuple[int, ...]):
    for image in (None, np.zeros(size), np.zeros((*size, 2))):
        table = og.measure(np.zeros(size, np.uint8), image)
        assert table and all(column.shape == (0,) for column in table.values())


def test_one_object_that_fills_the_image():
    table = og.measure(np.full((4, 9), 1 << 40), np.ones((4, 9)))
    assert (table["label"][0], table["area"][0], table["extent"][0]) == (1 << 40, 36, 1)
    assert [table[f"bbox-{at}"][0] for at in range(4)] == [0, 0, 4, 9]
    assert table["intensity_std"][0] == 0


def test_a_hundred_thousand_objects():
    labels = np.zeros((948, 948), np.int32)
    labels[1::3, 1::3] = labels[1::3, 2::3] = np.arange(1, 316**2 + 1).reshape(316, 316)
    table = og.measure(labels, labels)
    np.testing.assert_array_equal(table["label"], np.arange(1, 316**2 + 1))
    np.testing.assert_array_equal(table["intensity_mean"], table["label"])
    assert set(table["area"]) == {2} and set(table["axis_minor_length"]) == {0}


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint64, np.int64])
def test_labels_of_every_type_and_size(dtype):
    high = 1 if dtype is bool else np.iinfo(dtype).max
    table = og.measure(np.array([[0, high, high], [0, 0, high]], dtype))
    assert table["label"].dtype == dtype and table["label"].tolist() == [high]
    assert table["area"].tolist() == [3] and table["bbox-2"].tolist() == [2]
    small = og.measure(np.array([[3, 0, 2]], dtype if dtype is not bool else int))
    assert small["label"].tolist() == [2, 3] and small["centroid-1"].tolist() == [2, 0]


def test_a_nan_stays_in_its_object():
    table = og.measure(np.array([[1, 1, 2]]), np.array([[np.nan, 1, 5]]))
    assert np.isnan([table[name][0] for name in INTENSITY]).all()
    assert [table[name][1] for name in INTENSITY] == [5, 5, 5, 0]


@pytest.mark.parametrize(
    ("labels", "image", "says"),
    [
        (np.zeros((4, 4)), None, "labels: expected whole numbers.*got float64 of shape"),
        (np.zeros(4, int), None, r"labels: expected whole numbers.*shape \(4,\)"),
        (np.zeros((4, 4), int), np.zeros((4, 5)), r"image: expected numbers of shape \(4, 4\)"),
        (np.zeros((4, 4), int), np.zeros((4, 4), complex), "image: expected numbers.*got complex128"),
    ],
)
def test_refused(labels, image, says):
    with pytest.raises(ArgumentError, match=says):
        og.measure(labels, image)

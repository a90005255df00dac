import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage import morphology, segmentation

import offgraph as og
from offgraph.postprocess._watershed import markers

CASES = {
    2: [
        og.DistanceWatershed(),
        og.DistanceWatershed(0, min_distance=3),
        og.DistanceWatershed(0.5, sigma=1, sampling={"Y": 2}, connectivity=2),
    ],
    3: [
        og.DistanceWatershed(0.5, connectivity=3),
        og.DistanceWatershed(0, min_distance=2, sampling={"Z": 3, "YX": 1}),
    ],
}


def make_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    smooth = ndimage.uniform_filter(rng.random(shape), 3)
    return (smooth > 0.48).astype(dtype) + (smooth > 0.56).astype(dtype)


def discs(size: tuple[int, ...], centres: list[tuple[int, ...]], radius: float) -> np.ndarray:
    grid = np.stack(np.indices(size), -1)
    return np.any([((grid - c) ** 2).sum(-1) <= radius**2 for c in centres], axis=0)


MASKS = hnp.arrays(
    bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14), elements=st.sampled_from([0, 1, 1, 1])
)


def same_up_to_numbers(one: np.ndarray, other: np.ndarray) -> None:
    pairs = set(zip(one.ravel().tolist(), other.ravel().tolist()))
    assert len(pairs) == len(set(one.ravel().tolist())) == len(set(other.ravel().tolist()))


@settings(deadline=None)
@given(MASKS, st.sampled_from([0.25, 0.5, 1]))
def test_scikit_images_recipe(mask, h):
    """Where no object is lost: the usual lines lose those that are lower than `h`."""
    if mask.all() or not mask.any():
        return
    distance = ndimage.distance_transform_edt(mask)
    cross = ndimage.generate_binary_structure(2, 1)
    raised = morphology.reconstruction(distance - h, distance, footprint=cross)
    seeds = ndimage.label(morphology.local_maxima(raised, cross))[0]
    # Of summits of one height scikit-image floods first what its queue happens to hold first; here the first of the image.
    ahead = np.zeros(mask.shape)
    ahead[seeds > 0] = np.linspace(1e-6, 1e-7, np.count_nonzero(seeds))
    wanted = segmentation.watershed(-distance - ahead, seeds, mask=mask)
    out = og.Compose([og.DistanceWatershed(h)])(image=mask.astype(np.uint8)).image
    np.testing.assert_array_equal(out > 0, mask)
    for number in range(1, int(ndimage.label(mask)[1]) + 1):
        piece = ndimage.label(mask)[0] == number
        if wanted[piece].all():
            same_up_to_numbers(out[piece], wanted[piece])


@settings(deadline=None)
@given(MASKS, st.floats(0, 4), st.integers(1, 5), st.sampled_from([1, 2]))
def test_objects_are_connected_and_none_is_lost(mask, h, min_distance, connectivity):
    step = og.DistanceWatershed(h, min_distance, connectivity=connectivity)
    out = og.Compose([step])(image=mask.astype(np.uint8)).image
    np.testing.assert_array_equal(out > 0, mask)
    structure = ndimage.generate_binary_structure(2, connectivity)
    first = []
    for number in range(1, out.max() + 1):
        assert ndimage.label(out == number, structure)[1] == 1
        first.append(np.flatnonzero(out == number)[0])
    assert first == sorted(first)


@settings(deadline=None)
@given(MASKS, st.integers(2, 6))
def test_summits_are_apart_and_the_highest_stay(mask, min_distance):
    """By trying all, from the highest down, in the order of their first pixels."""
    height = ndimage.distance_transform_edt(np.pad(mask, 1))
    inside = height > 0
    cross = ndimage.generate_binary_structure(2, 1)
    found = markers(height, inside, 0, min_distance, 1)
    pieces = ndimage.label(inside, cross)[0]
    summits, count = ndimage.label(morphology.local_maxima(height, cross) & inside, cross)
    centres = np.array(ndimage.center_of_mass(summits > 0, summits, range(1, count + 1))).reshape(-1, 2)
    tops = [height[summits == number].max() for number in range(1, count + 1)]
    kept: list[int] = []
    for one in sorted(range(count), key=lambda one: -tops[one]):
        piece = pieces[summits == one + 1][0]
        near = [
            other
            for other in kept
            if pieces[summits == other + 1][0] == piece
            and np.abs(centres[one] - centres[other]).max() < min_distance - 1e-9
        ]
        if not near:
            kept.append(one)
    np.testing.assert_array_equal(found > 0, np.isin(summits, [one + 1 for one in kept]))


def test_two_equal_summits_with_a_shallow_dip_are_one_object():
    """On pixels many distances are equal: scikit-image's h_maxima marks both ends of a bar that is waisted by one pixel."""
    mask = np.zeros((13, 31), bool)
    mask[1:12, 1:30] = True
    mask[1, 15] = mask[11, 15] = False
    distance = ndimage.distance_transform_edt(mask)
    assert ndimage.label(morphology.h_maxima(distance, 2))[1] == 2
    for h, count in ((2, 1), (0.5, 2)):
        assert og.Compose([og.DistanceWatershed(h)])(image=mask.astype(np.uint8)).image.max() == count


@pytest.mark.parametrize("step", [og.DistanceWatershed(), og.DistanceWatershed(0, min_distance=6)])
def test_touching_discs_are_counted(step):
    centres = [(14, 14), (14, 31), (14, 48), (60, 20), (62, 45), (50, 60)]
    mask = discs((80, 80), centres, 10)
    out = og.Compose([step])(image=mask.astype(np.uint8)).image
    assert ndimage.label(mask)[1] < out.max() == len(centres)
    assert len({out[centre] for centre in centres}) == len(centres)


def test_touching_balls_and_slices_that_are_far_apart():
    mask = discs((21, 21, 40), [(10, 10, 10), (10, 10, 26)], 9)
    out = og.Compose([og.DistanceWatershed()])(image=og.Image(mask.astype(np.uint8), "ZYX")).image
    assert out.max() == 2
    thin = og.Image(mask[::3].astype(np.uint8), "ZYX")
    recipe = og.Compose([og.DistanceWatershed(sampling={"Z": 3, "YX": 1})])
    assert recipe(image=thin).image.max() == 2


def test_rough_outlines_need_a_smooth_distance():
    rng = np.random.default_rng(4)
    mask = discs((60, 60), [(30, 30)], 24) & ~(rng.random((60, 60)) < 0.02)
    counts = [
        og.Compose([og.DistanceWatershed(1, sigma=sigma)])(image=mask.astype(np.uint8)).image.max()
        for sigma in (0, 4)
    ]
    assert counts[0] > 5 > counts[1] >= 1


def test_labels_stay_apart_and_are_numbered_one_after_the_other():
    labels = np.full((6, 12), 9, np.int64)
    labels[:, 6:] = 1 << 40
    labels[0, 0] = 4
    out = og.Compose([og.DistanceWatershed(9)])(image=labels).image
    assert out[0].tolist() == [1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3]


@pytest.mark.parametrize("size", [(5, 5), (0, 7), (1, 1), (1, 9)])
def test_nothing_and_one_object_that_fills_the_image(size):
    for value in (0, 7):
        out = og.Compose([og.DistanceWatershed()])(image=np.full(size, value, np.uint16)).image
        assert out.dtype == np.int32
        np.testing.assert_array_equal(out, np.full(size, value > 0))


def test_a_hundred_thousand_objects():
    labels = np.zeros((948, 948), np.uint8)
    labels[1::3, 1::3] = 1
    out = og.Compose([og.DistanceWatershed()])(image=labels).image
    np.testing.assert_array_equal(out[1::3, 1::3], np.arange(1, 316**2 + 1).reshape(316, 316))


def test_objects_that_have_numbers_already():
    labels = np.zeros((240, 240), np.int32)
    for row in range(3):
        labels[1 + row :: 6, 1::6] = labels[1 + row :: 6, 2::6] = np.arange(1, 1601).reshape(40, 40)
    np.testing.assert_array_equal(og.Compose([og.DistanceWatershed()])(image=labels).image, labels)


def test_without_scikit_image(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    image = discs((20, 34), [(10, 10), (10, 23)], 8).astype(np.uint8)
    assert og.Compose([og.DistanceWatershed()])(image=image).image.max() == 2


def test_an_object_is_split_alike_whatever_else_is_in_the_image():
    """Summits of one height are a tie: what is flooded first must not depend on other objects."""
    rng = np.random.default_rng(7)
    field = ndimage.gaussian_filter(rng.normal(size=(90, 70)), 1.3)
    image = (field > np.quantile(field, 0.55)).astype(np.uint8)
    whole = og.Compose([og.DistanceWatershed()])(image=image).image
    pieces, count = ndimage.label(image, np.ones((3, 3)))
    for number in range(1, count + 1):
        piece = pieces == number
        alone = og.Compose([og.DistanceWatershed()])(image=piece.astype(np.uint8)).image
        same_up_to_numbers(whole[piece], alone[piece])

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage import segmentation

import offgraph as og

CASES = {
    2: [og.SeededWatershed(), og.SeededWatershed(2, 0, threshold=0.3, seed_threshold=0.8, connectivity=2)],
    3: [og.SeededWatershed(), og.SeededWatershed([0, 1], 1, threshold=0.3, connectivity=3)],
}


def make_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return (rng.random(shape) if dtype.startswith("float") else rng.integers(0, 2, shape)).astype(dtype)


@settings(deadline=None)
@given(hnp.arrays(np.float64, (7, 8, 2), elements=st.floats(0, 1, width=16), fill=st.nothing()))
def test_scikit_images_recipe(output):
    mask, middle = output[..., 0], output[..., 1]
    seeds = ndimage.label((middle > 0.5) & (mask > 0.5))[0]
    # Seeds of one probability are flooded in the order of their places here, in that of a heap there.
    mask[seeds > 0] -= 1e-9 * np.arange(np.count_nonzero(seeds))
    wanted = segmentation.watershed(-mask, seeds, mask=mask > 0.5) if seeds.any() else seeds
    out = og.Compose([og.SeededWatershed()])(image=output).image
    pairs = set(zip(out.ravel().tolist(), wanted.ravel().tolist()))
    assert len(pairs) == out.max() + (0 in out) == len(np.unique(wanted))


def test_two_discs_with_a_middle_each_and_one_without():
    rows, columns = np.indices((30, 60))
    centres = ((15, 12), (15, 27), (15, 48))
    away = np.min([np.hypot(rows - r, columns - c) for r, c in centres], axis=0)
    middles = np.min([np.hypot(rows - r, columns - c) for r, c in centres[:2]], axis=0)
    output = np.stack([np.clip(1 - away / 18, 0, 1), middles < 3], axis=-1).astype(np.float32)
    out = og.Compose([og.SeededWatershed()])(image=output).image
    assert out.dtype == np.int32 and out.max() == 2
    assert [out[centre] for centre in centres] == [1, 2, 0]


def test_channels_first():
    output = np.random.default_rng(2).random((9, 8, 3))
    first = og.Image(np.ascontiguousarray(np.moveaxis(output, -1, 0)), "CYX")
    recipe = og.Compose([og.SeededWatershed(1, 2)])
    np.testing.assert_array_equal(recipe(image=first).image, recipe(image=output).image)


@pytest.mark.parametrize("size", [(5, 5, 2), (0, 7, 2), (1, 1, 2)])
def test_nothing_and_one_object_that_fills_the_image(size):
    for value in (0, 1):
        out = og.Compose([og.SeededWatershed()])(
            image=og.Image(np.full(size, value, np.float32), "YXC")
        ).image
        np.testing.assert_array_equal(out, np.full(size[:2], value))


def test_classes_of_inside_and_outline():
    """A line of the outline's class between two objects, which both get back."""
    inside, line = (0.1, 0.9, 0.0), (0.1, 0.2, 0.7)
    output = np.array([[inside, inside, line, line, inside, (1, 0, 0)]], np.float32)
    step = og.SeededWatershed(mask=(1, 2), seeds=1)
    assert og.Compose([step])(image=output).image.tolist() == [[1, 1, 1, 2, 2, 0]]


def test_one_channel_and_two_thresholds():
    output = np.array([[[0.95], [0.6], [0.99], [0.2], [0.7]]], np.float32)
    step = og.SeededWatershed(mask=0, seeds=0, seed_threshold=0.9)
    assert og.Compose([step])(image=output).image.tolist() == [
        [1, 2, 2, 0, 0]
    ]  # the higher seed is there first


@pytest.mark.parametrize("mask", [-1, [], [0, 0], 1.5, "0", [0, None]])
def test_no_channels(mask):
    with pytest.raises(og.StepError, match="mask: expected a channel, counted from 0, or a list"):
        og.SeededWatershed(mask)


def test_refused():
    for shape, axes, says in (
        ((4, 4), "YX", "takes a channel for the foreground and one for the seeds, the image has no channels"),
        ((4, 4, 1), "YXC", r"mask=\[0\], seeds=1: the image has 1 channels, counted from 0"),
    ):
        with pytest.raises(og.StepError, match=says):
            og.Compose([og.SeededWatershed()])(image=og.Image(np.zeros(shape, np.float32), axes))
    with pytest.raises(og.StepError, match="SeededWatershed: 32 of 32 values are NaN"):
        og.Compose([og.SeededWatershed()])(image=np.full((4, 4, 2), np.nan, np.float32))

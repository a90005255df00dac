import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage import filters

import offgraph as og

METHODS = [og.Threshold(method="otsu"), og.Threshold(0.8, method="hysteresis", low=0.6)]
CASES = {
    2: [og.Threshold(), og.Threshold(0.2), og.Threshold(0), *METHODS],
    3: [og.Threshold(), og.Threshold(0.2), *METHODS],
}


def make_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return (rng.random(shape) if dtype.startswith("float") else rng.integers(0, 2, shape)).astype(dtype)


def test_the_most_probable_class():
    probabilities = np.array([[[0.2, 0.7, 0.1], [0.4, 0.3, 0.3], [0.45, 0.1, 0.45]]], np.float32)
    assert og.Compose([og.Threshold(0.42)])(image=probabilities).image.tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.5, 3.0])
def test_what_is_no_probability(value):
    with pytest.raises(og.StepError, match="takes probabilities from 0 to 1"):
        og.Compose([og.Threshold()])(image=np.array([[0.5, value]], np.float32))


def test_whole_numbers_are_no_probabilities():
    with pytest.raises(og.StepError, match="takes probabilities, floats from 0 to 1, got uint8"):
        og.Compose([og.Threshold()])(image=np.zeros((2, 2), np.uint8))


PROBABILITIES = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.sampled_from([0, 0.125, 0.25, 0.3125, 0.5, 0.6875, 0.75, 1]),
)


@given(PROBABILITIES, st.floats(0, 1), st.floats(0, 1))
def test_hysteresis_is_that_of_scikit_image(image, one, other):
    low, high = sorted((one, other))
    out = og.Compose([og.Threshold(high, method="hysteresis", low=low)])(image=image).image
    cast = image.dtype.type
    np.testing.assert_array_equal(out, filters.apply_hysteresis_threshold(image, cast(low), cast(high)))


@given(PROBABILITIES)
def test_otsu_is_that_of_scikit_image(image):
    out = og.Compose([og.Threshold(method="otsu")])(image=image).image
    np.testing.assert_array_equal(out, image > filters.threshold_otsu(image))


def test_otsu_of_a_real_map_of_probabilities():
    rng = np.random.default_rng(3)
    image = np.clip(np.where(rng.random((200, 300)) < 0.3, 0.7, 0.1) + rng.normal(0, 0.08, (200, 300)), 0, 1)
    for each in (image, image.astype(np.float32)):
        out = og.Compose([og.Threshold(0.99, method="otsu")])(image=each).image
        np.testing.assert_array_equal(out, each > filters.threshold_otsu(each))
        assert 0.25 < out.mean() < 0.35


@pytest.mark.parametrize("step", METHODS)
def test_nothing_to_split(step):
    assert not og.Compose([step])(image=np.full((5, 6), 0.25, np.float32)).image.any()
    assert og.Compose([step])(image=np.zeros((0, 6), np.float32)).image.shape == (0, 6)
    with pytest.raises(og.StepError, match="takes one probability per pixel, got 3 channels"):
        og.Compose([step])(image=np.zeros((5, 6, 3), np.float32))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"low": 0.2}, "low is taken by the method 'hysteresis'"),
        ({"method": "hysteresis"}, "low is needed by the method 'hysteresis'"),
        ({"method": "hysteresis", "low": 0.6}, "low=0.6 is above value=0.5"),
        ({"method": "li"}, "'fixed', 'otsu' or 'hysteresis'"),
    ],
)
def test_options_that_do_not_fit(options, says):
    with pytest.raises(og.StepError, match=says):
        og.Threshold(0.5, **options)

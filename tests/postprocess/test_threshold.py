import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [og.Threshold(), og.Threshold(0.2), og.Threshold(0)],
    3: [og.Threshold(), og.Threshold(0.2)],
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

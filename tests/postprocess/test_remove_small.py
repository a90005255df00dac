import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [og.RemoveSmall(3), og.RemoveSmall(5, connectivity=2)],
    3: [og.RemoveSmall(3), og.RemoveSmall(5, connectivity=2)],
}


def make_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return ((rng.random(shape) < 0.6) * rng.integers(0, 4, shape)).astype(dtype)


def test_probabilities_are_refused():
    with pytest.raises(og.StepError, match=r"takes labels.*put Threshold before it"):
        og.Compose([og.RemoveSmall(3)])(image=np.zeros((4, 4), np.float32))


def test_corners_of_volumes_on_an_image():
    with pytest.raises(og.StepError, match="connectivity=3 is for volumes"):
        og.Compose([og.RemoveSmall(3, connectivity=3)])(image=np.zeros((4, 4), np.uint8))

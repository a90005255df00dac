import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [og.SmoothProbabilities(), og.SmoothProbabilities({"Y": 2.5})],
    3: [og.SmoothProbabilities(0.7), og.SmoothProbabilities({"Z": 0.5, "YX": 1})],
}


def make_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return (rng.random(shape) if dtype.startswith("float") else rng.integers(0, 2, shape)).astype(dtype)


def test_channels_still_sum_to_one_and_constants_stay():
    given = np.random.default_rng(2).dirichlet([1, 1, 1], (20, 30))
    out = og.Compose([og.SmoothProbabilities(2)])(image=given).image
    np.testing.assert_allclose(out.sum(axis=-1), 1, rtol=1e-12)
    flat = og.Compose([og.SmoothProbabilities(3)])(image=np.full((9, 9), 0.75)).image
    np.testing.assert_allclose(flat, 0.75, rtol=1e-12)


def test_what_smoothing_gives_is_a_probability_to_threshold():
    out = og.Compose([og.SmoothProbabilities(2), og.Threshold(0.5)])(image=np.ones((8, 8), np.float32)).image
    assert out.all()


def test_nan_does_not_spread_unseen():
    given = np.zeros((3, 3), np.float32)
    given[1, 1] = np.nan
    with pytest.raises(og.StepError, match="SmoothProbabilities: 1 of 9 values are NaN"):
        og.Compose([og.SmoothProbabilities()])(image=given)

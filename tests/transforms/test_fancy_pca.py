import numpy as np
import pytest
from tests.support.even import drawn

import offgraph as og

CASES = {2: [og.FancyPCA(range=255), og.FancyPCA((0.5, 2), range=255)], 3: [og.FancyPCA(0.3, range=200)]}
RNG = np.random.default_rng(0)
PHOTO = np.clip(
    RNG.normal(0, 40, (60, 70, 1)) * [1, 0.8, 0.2] + RNG.normal(128, 10, (60, 70, 3)), 0, 255
).astype(np.uint8)


def make_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Of distinct eigenvalues, far from 0 and white."""
    values = 100 + rng.normal(0, 10, shape) * np.linspace(1, 2, shape[-1])
    return values.astype(dtype)


def shift(index: int, sigma: float = 0.1) -> np.ndarray:
    image = PHOTO.astype(np.float64)
    out = og.Compose([og.FancyPCA(sigma, range=255)])(image=image, key=og.Key(index=index)).image
    return np.median((out - image).reshape(-1, 3), axis=0) / 255


def test_every_pixel_is_shifted_alike_and_as_the_colours_vary():
    colors = PHOTO.reshape(-1, 3) / 255
    covariance = np.cov(colors.T, bias=True)
    values, vectors = np.linalg.eigh(covariance)
    shifts = np.array([shift(index) for index in range(1500)])
    assert np.abs(shifts.mean(axis=0)).max() < 4 * 0.1 * values.max() / 1500**0.5
    along = shifts @ vectors
    np.testing.assert_allclose(along.std(axis=0), 0.1 * values, rtol=0.08)
    assert np.abs(np.corrcoef(along.T) - np.eye(3)).max() < 0.12


def test_drawn_numbers_are_normal():
    values = drawn(og.FancyPCA(0.5), lambda params: params["alphas"][1], (8, 8))
    assert abs(values.mean()) < 0.04 and abs(values.std() - 0.5) < 0.03 and np.abs(values).max() > 1.3


def test_nothing_varies():
    assert not og.FancyPCA(0.0).varies
    grey = np.full((5, 6, 3), 77, np.uint8)
    np.testing.assert_array_equal(og.Compose([og.FancyPCA(3.0)])(image=grey, key=og.Key()).image, grey)
    with pytest.raises(og.StepError, match="needs red, green and blue"):
        og.Compose([og.FancyPCA()])(image=grey[..., 0], key=og.Key())

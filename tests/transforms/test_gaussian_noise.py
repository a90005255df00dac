import numpy as np
import pytest
from scipy import stats
from tests.support.even import drawn, is_even

import offgraph as og
from offgraph.transforms.noise._random_pixels import chosen, normal, words

CASES = {
    2: [og.GaussianNoise(0.05, range=255), og.GaussianNoise((0, 0.2), mean=(-0.1, 0.1), per_channel=False)],
    3: [og.GaussianNoise(0.1, clip=False, range=255)],
}
PINNED_WORDS = [[3052412989, 603065351, 659621956], [3988885558, 2239772226, 788730338]]
PINNED_NORMAL = [-2.1170177459716797, -0.32932743430137634, -1.0715258121490479, 0.27435100078582764]
PINNED_CHOSEN = [[False, True, True, False, False, True], [True, False, False, False, True, False]]


def noisy(step, image, seed=1):
    return og.Compose([step])(image=image, key=og.Key(seed=seed)).image


def test_the_numbers_are_normal():
    """Kolmogorov and Smirnov at a million numbers, moments, and the tails that two bytes alone would lack."""
    found = normal(1234, 0, (1000, 1000)).ravel()
    assert found.dtype == np.float32
    assert stats.kstest(found, "norm").pvalue > 1e-3
    assert abs(found.mean()) < 5e-3 and abs(found.std() - 1) < 4e-3
    assert abs(stats.kurtosis(found)) < 0.03 and abs(stats.skew(found)) < 0.015
    far = np.mean(np.abs(found) > 4)
    assert 2e-5 < far < 12e-5  # 6.3e-5 of a normal distribution
    assert abs(np.corrcoef(found[:-1], found[1:])[0, 1]) < 5e-3


def test_the_numbers_are_pinned():
    """The same on every machine and with every NumPy."""
    assert words(7, 0, (2, 3), 32).tolist() == PINNED_WORDS
    assert words(7, 1, (2, 3), 32).tolist() != PINNED_WORDS
    np.testing.assert_allclose(normal(7, 0, (4,)), PINNED_NORMAL, rtol=1e-6)
    assert [where.tolist() for where in chosen(7, 0, (6,), 0.25, 0.5)] == PINNED_CHOSEN


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_mean_and_spread(dtype):
    top = np.iinfo(dtype).max if dtype[0] == "u" else 1.0
    image = np.full((200, 250, 3), top // 2 if dtype[0] == "u" else 0.5, dtype)
    out = noisy(og.GaussianNoise(0.1, mean=0.05, range=float(top)), image)
    off = (out.astype(float) - image) / top
    assert out.dtype == dtype
    assert abs(off.mean() - 0.05) < 5 * 0.1 / off.size**0.5 and abs(off.std() - 0.1) < 1e-3
    corners = np.corrcoef(off.reshape(-1, 3).T)
    assert np.abs(corners - np.eye(3)).max() < 0.03


def test_one_noise_for_all_channels():
    out = noisy(og.GaussianNoise(0.1, per_channel=False), np.full((20, 30, 3), 100, np.uint8))
    assert (out == out[..., :1]).all() and out.std() > 10


def test_floats_are_limited_unless_said_otherwise():
    image = np.zeros((50, 60), np.float32)
    assert noisy(og.GaussianNoise(0.1, range=1), image).min() == 0
    assert noisy(og.GaussianNoise(0.1, range=1, clip=False), image).min() < -0.2


def test_frames_have_noise_of_their_own_and_draws_of_one():
    video = np.full((3, 20, 30, 3), 100, np.uint8)
    out = og.Compose([og.GaussianNoise((0.05, 0.2))])(image=video, axes="TYXC", key=og.Key(seed=5))
    assert len({frame.tobytes() for frame in out.image}) == 3
    alone = og.Compose([og.GaussianNoise((0.05, 0.2))])(image=video[0], key=og.Key(seed=5))
    np.testing.assert_array_equal(out.image[0], alone.image)


def test_what_is_drawn():
    step = og.GaussianNoise((0.02, 0.1), mean=(-0.1, 0.3))
    assert is_even(drawn(step, lambda params: params["sigma"]), 0.02, 0.1)
    assert is_even(drawn(step, lambda params: params["mean"]), -0.1, 0.3)
    assert is_even(drawn(step, lambda params: params["seed"]), 0, 2**53)

import itertools
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tests.support.even import drawn, is_even

import offgraph as og
from offgraph.engine.native import core
from offgraph.transforms.noise._normal import native_normal, normal
from offgraph.transforms.noise._random_pixels import chosen, words

CASES = {
    2: [og.GaussianNoise(0.05, range=255), og.GaussianNoise((0, 0.2), mean=(-0.1, 0.1), per_channel=False)],
    3: [og.GaussianNoise(0.1, clip=False, range=255)],
}
PINNED_WORDS = [[3052412989, 603065351, 659621956], [3988885558, 2239772226, 788730338]]
PINNED_NORMAL = [-0.26516982913017273, 0.5113973021507263, 1.296554446220398, 0.8078263401985168]
PINNED_CHOSEN = [[False, True, True, False, False, True], [True, False, False, False, True, False]]


def noisy(step, image, seed=1):
    return og.Compose([step])(image=image, key=og.Key(seed=seed)).image


COUNT = 1 << 20
NOISE = normal(1234, 0, (COUNT,))


def is_spread_about(found, mean, sd, count=COUNT):
    """Whether a mean of independent values of this standard deviation lies within 4.5 of its own."""
    return abs(np.mean(found) - mean) < 4.5 * sd / count**0.5


def test_the_numbers_are_normal():
    """Kolmogorov and Smirnov at a million numbers, the first six moments, and counts of 200 intervals of equal probability."""
    assert NOISE.dtype == np.float32
    assert stats.kstest(NOISE, "norm").pvalue > 1e-3
    powers = NOISE.astype(np.float64)[:, np.newaxis] ** np.arange(1, 7)
    for power, mean, sd in zip(
        powers.T, (0, 1, 0, 3, 0, 15), (1, 2**0.5, 15**0.5, 96**0.5, 945**0.5, 10170**0.5)
    ):
        assert is_spread_about(power, mean, sd)
    counts = np.histogram(NOISE, stats.norm.ppf(np.linspace(0, 1, 201)))[0]
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_tails_are_normal(sign):
    """Of 16 million numbers, those past 3, 4, 4.5 and 5 standard deviations are as many as they ought to be."""
    found = sign * np.concatenate([normal(seed, 0, (COUNT,)) for seed in range(16)])
    for far in (3, 4, 4.5, 5):
        expected = found.size * stats.norm.sf(far)
        assert 1e-4 < stats.poisson.cdf(np.count_nonzero(found > far), expected) < 1 - 1e-4
    assert found.max() < 6.61


@pytest.mark.parametrize("lag", [1, 2, 3, 64, 127, 128, 129, 256, 384, 512, 672, 2048])
def test_numbers_at_other_positions_are_independent(lag):
    """Neighbours, numbers of the same two words (128 apart), of the same counter, of the next block, and rows of 224 pixels."""
    one, other = NOISE[:-lag].astype(np.float64), NOISE[lag:].astype(np.float64)
    assert is_spread_about(one * other, 0, 1)
    assert is_spread_about((one**2 - 1) * (other**2 - 1), 0, 2)
    assert is_spread_about(np.abs(one) * other, 0, 1)
    table = np.histogram2d(*(np.digitize(part, (-1, -0.3, 0.3, 1)) for part in (one, other)), bins=5)[0]
    found: Any = stats.chi2_contingency(table)
    assert found.pvalue > 1e-4


@pytest.mark.parametrize("bit", range(0, 53, 4))
def test_neighbouring_seeds_have_other_numbers(bit):
    """Any bit of a seed changes all numbers."""
    other = normal(1234 ^ 1 << bit, 0, (COUNT,)).astype(np.float64)
    assert is_spread_about(NOISE * other, 0, 1)
    assert is_spread_about((NOISE.astype(np.float64) ** 2 - 1) * (other**2 - 1), 0, 2)


def test_frames_and_planes_have_other_numbers():
    parts = [
        normal(1234, frame, (COUNT,), plane).astype(np.float64) for frame in (0, 1, 2) for plane in (0, 1, 3)
    ]
    for one, other in itertools.combinations(parts, 2):
        assert is_spread_about(one * other, 0, 1)


def test_the_sums_of_many_numbers_are_normal():
    """Of blocks, of the same place in each block, and of runs: what blurred noise would show."""
    for sums in (
        NOISE.reshape(-1, 512).sum(1) / 512**0.5,
        NOISE.reshape(-1, 512).sum(0) / (COUNT / 512) ** 0.5,
    ):
        assert stats.kstest(sums, "norm").pvalue > 1e-3


@pytest.mark.parametrize("count", [1, 127, 511, 512, 513, 5000, 40_000])
@pytest.mark.parametrize("level", ["baseline", "avx2", "avx512"])
def test_the_core_has_the_bits_of_numpy(level, count):
    """At every level; 64 blocks are made at once by NumPy."""
    seed, frame = 2**53 - 1 - count, count % 3
    before = core.build_info()["simd"]
    core.set_simd_level(level)
    try:
        found = native_normal(seed, frame, (count,))
    finally:
        core.set_simd_level(before)
    np.testing.assert_array_equal(found.view(np.uint32), normal(seed, frame, (count,)).view(np.uint32))


def test_the_numbers_are_pinned():
    """The same on every machine and with every NumPy."""
    assert words(7, 0, (2, 3), 32).tolist() == PINNED_WORDS
    assert words(7, 1, (2, 3), 32).tolist() != PINNED_WORDS
    assert normal(7, 0, (4,)).tolist() == PINNED_NORMAL
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

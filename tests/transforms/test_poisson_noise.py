import numpy as np
import pytest
from scipy import stats
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {2: [og.PoissonNoise(30, range=255), og.PoissonNoise((5, 500))], 3: [og.PoissonNoise(1000)]}
PINNED = [[0, 6, 64, 57, 115], [134, 172, 140, 230, 236]]


@pytest.mark.parametrize("photons", [0.7, 12, 15.9, 16, 400])
def test_counts_are_of_the_poisson_distribution(photons):
    """A float image whose white is one photon per unit shows the counts themselves."""
    image = np.full((200, 250), photons)
    out = og.Compose([og.PoissonNoise(1000, range=1000)])(image=image, key=og.Key(seed=2)).image
    assert (out == np.rint(out)).all()
    low, high = stats.poisson.ppf([0.01, 0.99], photons)
    bins = np.arange(low, high + 1)
    counts = np.array(
        [(out <= low).sum(), *((out == value).sum() for value in bins[1:-1]), (out >= high).sum()]
    )
    shares = np.array(
        [
            stats.poisson.cdf(low, photons),
            *stats.poisson.pmf(bins[1:-1], photons),
            stats.poisson.sf(high - 1, photons),
        ]
    )
    assert stats.chisquare(counts, shares / shares.sum() * out.size).pvalue > 1e-4


def test_mean_and_spread_of_bytes():
    out = og.Compose([og.PoissonNoise(51)])(
        image=np.full((300, 300), 100, np.uint8), key=og.Key(seed=1)
    ).image
    assert abs(out.mean() - 100) < 0.5 and abs(out.std() - (100 * 255 / 51) ** 0.5) < 0.3
    assert (
        og.Compose([og.PoissonNoise(51)])(image=np.zeros((9, 9), np.uint8), key=og.Key()).image == 0
    ).all()


def test_the_numbers_are_pinned():
    out = og.Compose([og.PoissonNoise(40)])(
        image=np.arange(0, 250, 25, dtype=np.uint8).reshape(2, 5), key=og.Key(seed=9)
    )
    assert out.image.tolist() == PINNED


def test_what_is_drawn():
    assert is_even(drawn(og.PoissonNoise((10, 90)), lambda params: params["peak"]), 10, 90)


def test_too_many_photons():
    with pytest.raises(og.StepError, match="at most 1e9 photons"):
        og.PoissonNoise(1e10)

import numpy as np
import pytest
from scipy import stats
from skimage.exposure import match_histograms

import offgraph as og

CASES = {2: [og.MatchHistogram([[0, 20, 200]])], 3: [og.MatchHistogram([[5, 5, 90, 91]])]}
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_as_scikit_image_matches_histograms(dtype):
    """With many quantiles it is its formula; the values of bytes are rounded, where it interpolates at other places."""
    image, other = RNG.normal(100, 20, (60, 70)).astype(dtype), RNG.gamma(4, 12, (50, 40)).astype(dtype)
    step = og.MatchHistogram.like(other, count=4000)
    out = og.Compose([step])(image=image).image
    expected = match_histograms(image, other)
    far = np.abs(out.astype(float) - expected)
    assert out.dtype == dtype and far.mean() < 0.6 and np.quantile(far, 0.99) <= 2


def test_the_distribution_is_that_of_the_other_image():
    image, other = RNG.random((80, 90)), RNG.gamma(4, 12, (70, 60))
    out = og.Compose([og.MatchHistogram.like(other)])(image=image).image
    assert stats.ks_2samp(out.ravel(), other.ravel()).statistic < 0.01
    assert (np.argsort(out.ravel()) == np.argsort(image.ravel())).all()


def test_channels_of_their_own():
    other = np.stack([np.full((9, 9), 10), np.full((9, 9), 20), np.full((9, 9), 30)], -1)
    step = og.MatchHistogram.like(other, channel_axis=-1, count=5)
    image = RNG.integers(0, 256, (8, 8, 3), np.uint8)
    assert (og.Compose([step])(image=image).image == [10, 20, 30]).all()
    with pytest.raises(og.StepError, match="quantiles of 3 channels do not fit an image of 4"):
        og.Compose([step]).output_spec(og.ArraySpec((4, 4, 4), "uint8", "YXC"))


def test_a_recipe_file_holds_them():
    recipe = og.Compose([og.MatchHistogram.like(RNG.random((9, 9)), count=32)])
    assert og.Compose.from_yaml(recipe.to_yaml()) == recipe


@pytest.mark.parametrize(
    ("quantiles", "says"),
    [
        ([[1]], "at least two quantiles"),
        ([[3, 2]], "none below"),
        ([1, 2], "expected rows of numbers"),
        ([[1, 2], [1]], "expected rows of numbers"),
    ],
)
def test_what_are_no_quantiles(quantiles, says):
    with pytest.raises(og.StepError, match=says):
        og.MatchHistogram(quantiles)

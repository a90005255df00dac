import numpy as np
import pytest
from skimage.filters import difference_of_gaussians
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {
    2: [og.DifferenceOfGaussians(), og.DifferenceOfGaussians((0, 2), ratio=2, mode="mirror")],
    3: [og.DifferenceOfGaussians(0.5)],
}


@pytest.mark.parametrize(("sigma", "ratio"), [(1, 1.6), (2, 3)])
def test_scikit_images(sigma, ratio):
    image = np.random.default_rng(0).random((30, 40, 3))
    out = og.Compose([og.DifferenceOfGaussians(sigma, ratio=ratio, mode="nearest")])(image=image).image
    expected = difference_of_gaussians(image, sigma, sigma * ratio, mode="nearest", channel_axis=-1)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-6)


def test_without_the_narrow_blur():
    image = np.random.default_rng(0).random((30, 40))
    out = og.Compose([og.DifferenceOfGaussians(0, ratio=2)])(image=image).image
    np.testing.assert_array_equal(out, (image - og.ndimage.gaussian_filter(image, 2)).astype(np.float32))


def test_what_is_drawn():
    assert is_even(drawn(og.DifferenceOfGaussians((1, 3)), lambda params: params["sigma"]), 1, 3)


def test_a_ratio_that_is_none():
    with pytest.raises(og.StepError, match="ratio=1: expected a number above 1"):
        og.DifferenceOfGaussians(1, ratio=1)

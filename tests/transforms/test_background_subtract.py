import numpy as np
import pytest
from skimage.restoration import rolling_ball
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {2: [og.BackgroundSubtract(4), og.BackgroundSubtract((1, 6))], 3: [og.BackgroundSubtract(2.5)]}
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("radius", [1, 3, 7.5])
@pytest.mark.parametrize("size", [(30, 41), (8, 9, 10)])
def test_the_background_is_scikit_images_rolling_ball(radius, size):
    image = RNG.random(size) * 20 + np.indices(size).sum(0)
    axes = "ZYX"[-len(size) :]
    out = og.Compose([og.BackgroundSubtract(radius)])(image=image, axes=axes).image
    np.testing.assert_allclose(out, image - rolling_ball(image, radius=radius), rtol=0, atol=1e-9)
    assert out.min() >= 0


def test_bytes_are_those_of_floats_rounded_and_channels_stay_apart():
    image = RNG.integers(0, 256, (30, 41, 3), np.uint8)
    image[..., 1] = 77
    out = og.Compose([og.BackgroundSubtract(5)])(image=image).image
    floats = og.Compose([og.BackgroundSubtract(5)])(image=image.astype(np.float64)).image
    np.testing.assert_array_equal(out, np.rint(floats))
    assert (out[..., 1] == 0).all()


def test_what_is_drawn():
    assert is_even(drawn(og.BackgroundSubtract((2, 9)), lambda params: params["radius"]), 2, 9)


@pytest.mark.parametrize("radius", [0.5, (0.5, 3)])
def test_a_ball_smaller_than_a_pixel(radius):
    with pytest.raises(og.StepError, match="expected a number of at least 1"):
        og.BackgroundSubtract(radius)

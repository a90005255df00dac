import numpy as np
import pytest
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {2: [og.ISONoise(range=255), og.ISONoise(0.03, intensity=0.2)], 3: [og.ISONoise(0.05)]}


@pytest.mark.parametrize("level", [10000, 40000])
def test_brightness_noise_grows_with_the_root_of_the_light(level):
    image = np.full((200, 250, 3), level, np.uint16)
    out = og.Compose([og.ISONoise(0.0, intensity=0.05)])(image=image, key=og.Key(seed=1)).image
    assert (out == out[..., :1]).all()
    expected = 0.05 * (level * 65535) ** 0.5
    assert abs(out[..., 0].std() / expected - 1) < 0.015 and abs(out[..., 0].mean() - level) < 0.03 * expected


def test_colour_noise_leaves_the_mean_of_the_channels():
    image = np.full((200, 250, 3), 0.5)
    out = og.Compose([og.ISONoise(0.04, intensity=0, range=1)])(image=image, key=og.Key(seed=1)).image
    np.testing.assert_allclose(out.mean(-1), 0.5, rtol=0, atol=1e-6)
    # Each channel is c less the mean of three: a variance of 2 / 3.
    np.testing.assert_allclose(out.std((0, 1)), 0.04 * (2 / 3) ** 0.5, rtol=0.02)


def test_what_is_drawn():
    step = og.ISONoise((0.01, 0.05), (0.1, 0.5))
    assert is_even(drawn(step, lambda params: params["color_shift"]), 0.01, 0.05)
    assert is_even(drawn(step, lambda params: params["intensity"]), 0.1, 0.5)


def test_grey_has_no_colour_noise():
    with pytest.raises(og.StepError, match="needs red, green and blue"):
        og.Compose([og.ISONoise()])(image=np.zeros((9, 9), np.uint8), key=og.Key())

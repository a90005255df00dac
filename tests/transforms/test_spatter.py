import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [og.Spatter(range=255), og.Spatter(0.3, sigma=1, opacity=1, color=0.5, range=200)],
    3: [og.Spatter(range=255)],
}


@pytest.mark.parametrize("amount", [0.0, 0.1, 0.5, 1.0])
def test_the_share_that_is_covered(amount):
    step = og.Spatter(amount, sigma=3, opacity=1, color=1, range=1)
    out = og.Compose([step])(image=np.zeros((120, 150)), key=og.Key(seed=2)).image
    assert abs(out.mean() - amount) < 0.005
    assert out.max() <= 1


def test_blots_have_the_colour_and_channels_share_them():
    image = np.full((90, 90, 3), 100, np.uint8)
    step = og.Spatter(0.4, sigma=6, opacity=1, color=(0, 1, 100 / 255))
    out = og.Compose([step])(image=image, key=og.Key(seed=2)).image
    np.testing.assert_array_equal(out[..., 2], 100)
    assert out[..., 0].min() == 0 and out[..., 1].max() == 255
    share = (100 - out[..., 0]) / 100
    assert np.abs(out[..., 1] - (100 + 155 * share)).max() <= 1.5


def test_larger_sigmas_make_larger_blots():
    def changes(sigma: float) -> int:
        step = og.Spatter(0.3, sigma=sigma, opacity=1, color=1)
        out = og.Compose([step])(image=np.zeros((200, 200), np.uint8), key=og.Key(seed=2)).image > 127
        return int((out[1:] != out[:-1]).sum())

    assert changes(2) > 2.5 * changes(8)

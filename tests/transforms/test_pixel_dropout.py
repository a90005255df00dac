import numpy as np
import pytest
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {
    2: [og.PixelDropout(0.1), og.PixelDropout((0, 0.3), per_channel=True, fill=1)],
    3: [og.PixelDropout(0.2)],
}


@pytest.mark.parametrize("amount", [0, 0.01, 0.5, 1])
def test_the_share_and_the_rest(amount):
    image = np.random.default_rng(0).integers(1, 255, (200, 300), np.uint8)
    out = og.Compose([og.PixelDropout(amount)])(image=image, key=og.Key(seed=4)).image
    assert abs((out == 0).mean() - amount) <= 5 * (amount * (1 - amount) / out.size) ** 0.5
    np.testing.assert_array_equal(out[out != 0], image[out != 0])


def test_a_colour_fills_pixels():
    out = og.Compose([og.PixelDropout(1.0, fill=(1, 2, 3))])(
        image=np.zeros((4, 5, 3), np.uint8), key=og.Key()
    ).image
    assert (out == [1, 2, 3]).all()
    with pytest.raises(og.StepError, match="has 3 values, the image has 1 channels"):
        og.Compose([og.PixelDropout(fill=(1, 2, 3))])(image=np.zeros((4, 5), np.uint8), key=og.Key())


def test_what_is_drawn():
    assert is_even(drawn(og.PixelDropout((0.1, 0.2)), lambda params: params["amount"]), 0.1, 0.2)

import numpy as np
import pytest
from PIL import Image, ImageOps
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {2: [og.Solarize(0.3, range=255), og.Solarize((0, 1), range=200)], 3: [og.Solarize()]}
EVERY = np.arange(256, dtype=np.uint8).reshape(8, 32)


@pytest.mark.parametrize("threshold", [0, 1, 64, 128, 255])
def test_bytes_of_pillow(threshold):
    out = og.Compose([og.Solarize(threshold / 255)])(image=EVERY).image
    np.testing.assert_array_equal(out, np.asarray(ImageOps.solarize(Image.fromarray(EVERY), threshold)))


def test_the_default_is_pillows():
    np.testing.assert_array_equal(
        og.Compose([og.Solarize()])(image=EVERY).image, np.asarray(ImageOps.solarize(Image.fromarray(EVERY)))
    )


def test_what_is_drawn():
    assert is_even(drawn(og.Solarize((0.2, 0.9)), lambda params: params["threshold"]), 0.2, 0.9)


def test_a_threshold_in_grey_levels():
    with pytest.raises(og.StepError, match="threshold: expected a number from 0 to 1, got 128"):
        og.Solarize(128)

import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [
        og.MedianFilter(3),
        og.MedianFilter(4, mode="nearest"),
        og.MedianFilter(1),
        og.MedianFilter(5, mode="constant", cval=9),
        og.MedianFilter({"X": 5}),
    ],
    3: [og.MedianFilter(3, mode="mirror"), og.MedianFilter({"Z": 1, "YX": 3})],
}


def test_channels_never_mix():
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    image[..., 1] = 255
    out = og.Compose([og.MedianFilter(3)])(image=image).image
    assert (out[..., 1] == 255).all()


@pytest.mark.parametrize("size", [0, 2.5, (3, 5), "3", True])
def test_bad_sizes(size):
    with pytest.raises(og.StepError, match="MedianFilter: size: expected a whole number of at least 1"):
        og.MedianFilter(size)

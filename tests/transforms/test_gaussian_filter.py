import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [
        og.GaussianFilter(1.2),
        og.GaussianFilter((0, 2), mode="nearest"),
        og.GaussianFilter(0),
        og.GaussianFilter(0.8, mode="constant", cval=3, truncate=2),
        og.GaussianFilter({"Y": 0.5, "X": (1, 2)}),
    ],
    3: [
        og.GaussianFilter(0.9, mode="mirror"),
        og.GaussianFilter({"Z": 1, "YX": (0.5, 2)}),
        og.GaussianFilter({"YX": 1}),
    ],
}


def test_channels_never_mix():
    image = np.zeros((9, 9, 3), np.float32)
    image[..., 1] = 1
    out = og.Compose([og.GaussianFilter(2)])(image=image).image
    np.testing.assert_allclose(out[..., 1], 1, rtol=1e-6)
    assert not out[..., 0].any() and not out[..., 2].any()


def test_below_zero():
    with pytest.raises(og.StepError, match="sigma: expected a number of at least 0"):
        og.GaussianFilter(-1)

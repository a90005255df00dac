import numpy as np
import pytest
from scipy import ndimage

import offgraph as og

CASES = {2: [og.WhiteTopHat(5), og.WhiteTopHat({"X": 3}, mode="nearest")], 3: [og.WhiteTopHat(3)]}


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "float32"])
def test_bytes_of_scipy_channel_by_channel(dtype):
    image = (np.random.default_rng(0).random((30, 41, 3)) * (2 if dtype == "bool" else 200)).astype(dtype)
    out = og.Compose([og.WhiteTopHat(5)])(image=image).image
    expected = np.stack([ndimage.white_tophat(image[..., c], size=5) for c in range(3)], -1)
    np.testing.assert_array_equal(out, expected)


def test_a_slope_goes_and_spots_stay():
    image = np.tile(np.arange(0, 80, 2, dtype=np.uint8), (30, 1))
    image[10, 20] += 50
    out = og.Compose([og.WhiteTopHat(5)])(image=image).image
    assert out[10, 20] >= 50 and np.delete(out.ravel(), 10 * 40 + 20).max() <= 4

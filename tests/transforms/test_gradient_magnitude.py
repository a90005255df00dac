import numpy as np
import pytest
from scipy import ndimage

import offgraph as og

CASES = {
    2: [og.GradientMagnitude(), og.GradientMagnitude((0.5, 2), mode="nearest")],
    3: [og.GradientMagnitude({"Z": 0.5, "YX": 1})],
}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64"])
def test_scipys_of_the_image_as_float(dtype):
    image = np.random.default_rng(0).integers(0, 200, (30, 40, 3)).astype(dtype)
    out = og.Compose([og.GradientMagnitude(1.2)])(image=image).image
    expected = np.stack(
        [ndimage.gaussian_gradient_magnitude(image[..., c].astype(float), 1.2) for c in range(3)], -1
    )
    np.testing.assert_array_equal(out, expected.astype(np.float32))


def test_a_falling_edge_is_as_steep_as_a_rising_one():
    """scipy's own, asked for bytes, wraps where values fall."""
    edge = np.repeat(np.array([[200, 0]], np.uint8), 10, axis=1).repeat(9, axis=0)
    out = og.Compose([og.GradientMagnitude(1)])(image=edge).image
    np.testing.assert_allclose(out, out[:, ::-1], rtol=1e-5)
    assert out.dtype == np.float32 and 70 < out.max() < 75  # 200 exp(-1 / 8) / sqrt(2 pi)


@pytest.mark.parametrize("sigma", [0, {"X": 1}])
def test_an_axis_that_is_not_smoothed(sigma):
    with pytest.raises(og.StepError, match="expected one above 0 for every axis"):
        og.Compose([og.GradientMagnitude(sigma)])(image=np.zeros((9, 9), np.uint8))

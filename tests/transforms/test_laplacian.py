import numpy as np
import pytest
from scipy import ndimage

import offgraph as og

CASES = {2: [og.Laplacian(), og.Laplacian((0.5, 2), mode="nearest")], 3: [og.Laplacian({"Z": 0.5, "YX": 1})]}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64"])
def test_scipys_of_the_image_as_float(dtype):
    image = np.random.default_rng(0).integers(0, 200, (3, 30, 40)).astype(dtype)
    out = og.Compose([og.Laplacian(1.2)])(image=image, axes="CYX").image
    expected = np.stack([ndimage.gaussian_laplace(plane.astype(float), 1.2) for plane in image])
    np.testing.assert_array_equal(out, expected.astype(np.float32))


def test_a_bright_spot_curves_downwards():
    spot = np.zeros((15, 15), np.uint8)
    spot[7, 7] = 255
    out = og.Compose([og.Laplacian(1.5)])(image=spot).image
    assert out[7, 7] == out.min() < 0 < out.max()

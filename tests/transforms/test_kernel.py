import numpy as np
import pytest
from scipy import ndimage
from scipy.signal import correlate2d

import offgraph as og

EMBOSS = [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]
CASES = {
    2: [og.Kernel(EMBOSS), og.Kernel([[0.5, 0.5]], mode="constant", cval=3)],
    3: [og.Kernel([[1], [-1], [1]])],
}


@pytest.mark.parametrize("shape", [(3, 3), (1, 5), (5, 2)])
def test_weights_as_they_are_written(shape):
    weights = np.random.default_rng(1).normal(0, 1, shape)
    image = np.random.default_rng(0).random((20, 30))
    out = og.Compose([og.Kernel(weights)])(image=image).image
    np.testing.assert_array_equal(out, ndimage.correlate(image, weights))
    if 0 not in (shape[0] % 2, shape[1] % 2):
        inside = correlate2d(image, weights, mode="valid")
        rows, columns = shape[0] // 2, shape[1] // 2
        np.testing.assert_allclose(out[rows : 20 - rows, columns : 30 - columns], inside, rtol=0, atol=1e-12)


def test_bytes_are_limited_and_rounded():
    image = np.array([[0, 200, 100]], np.uint8)
    assert og.Compose([og.Kernel([[2]])])(image=image).image.tolist() == [[0, 255, 200]]
    assert og.Compose([og.Kernel([[-1]])])(image=image).image.tolist() == [[0, 0, 0]]
    assert og.Compose([og.Kernel([[0.013]])])(image=image).image.tolist() == [[0, 3, 1]]


def test_weights_of_a_volume():
    weights = np.random.default_rng(1).normal(0, 1, (3, 1, 5))
    volume = np.random.default_rng(0).random((6, 7, 8))
    out = og.Compose([og.Kernel(weights)])(image=volume, axes="ZYX").image
    np.testing.assert_array_equal(out, ndimage.correlate(volume, weights))
    with pytest.raises(og.StepError, match="weights of 3 axes need a volume, the image has axes YX"):
        og.Compose([og.Kernel(weights)])(image=volume[0])


def test_slices_and_channels_stay_apart():
    volume = np.zeros((3, 5, 5, 2), np.uint8)
    volume[1, 2, 2, 1] = 9
    out = og.Compose([og.Kernel(np.ones((3, 3)))])(image=volume, axes="ZYXC").image
    expected = np.zeros_like(volume)
    expected[1, 1:4, 1:4, 1] = 9
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(
    "weights", [[], [[]], [1, 2], [[1, 2], [3]], [["1"]], [[np.nan]], np.ones((101, 100)), 3]
)
def test_what_are_no_weights(weights):
    with pytest.raises(og.StepError, match="weights: expected"):
        og.Kernel(weights)

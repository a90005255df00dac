import numpy as np
import pytest
from scipy import ndimage
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {2: [og.MotionBlur((2, 9)), og.MotionBlur(5, angle=30, mode="nearest")], 3: [og.MotionBlur(4)]}


def spread(length, angle, size=41):
    """The weights, as they are seen around a dot."""
    dot = np.zeros((size, size))
    dot[size // 2, size // 2] = 1
    return og.Compose([og.MotionBlur(length, angle=angle)])(image=dot).image


@pytest.mark.parametrize("length", [0, 1, 3.5, 12])
@pytest.mark.parametrize("angle", [0, 30, 45, 90, 135, -60])
def test_weights_lie_along_a_line(length, angle):
    """Mean, and variances along the line (length² / 12, and what sharing among pixels adds) and across."""
    found = spread(length, angle)
    assert abs(found.sum() - 1) < 1e-12
    rows, columns = np.indices(found.shape) - 20
    right, up = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    along, across = columns * right - rows * up, columns * up + rows * right
    assert abs((found * along).sum()) < 1e-9 and abs((found * across).sum()) < 1e-9
    assert length**2 / 12 * 0.99 - 1e-9 <= (found * along**2).sum() <= length**2 / 12 + 0.26
    assert (found * across**2).sum() <= 0.26


def test_at_right_angles_it_is_a_mean():
    image = np.random.default_rng(0).random((20, 30))
    out = og.Compose([og.MotionBlur(4, angle=0)])(image=image).image
    expected = ndimage.correlate1d(image, [0.125, 0.25, 0.25, 0.25, 0.125], axis=1)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-12)
    turned = og.Compose([og.MotionBlur(4, angle=90)])(image=image.T).image
    np.testing.assert_allclose(turned, expected.T, rtol=0, atol=1e-12)


def test_bytes_are_rounded_and_slices_stay_apart():
    volume = np.zeros((3, 9, 9), np.uint8)
    volume[1] = 101
    np.testing.assert_array_equal(
        og.Compose([og.MotionBlur(5, angle=20)])(image=volume, axes="ZYX").image, volume
    )


def test_what_is_drawn():
    assert is_even(drawn(og.MotionBlur((3, 9)), lambda params: params["length"]), 3, 9)
    assert is_even(drawn(og.MotionBlur(3), lambda params: params["angle"]), 0, 180)

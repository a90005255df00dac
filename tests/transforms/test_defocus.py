import numpy as np
import pytest
from skimage.morphology import disk
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {2: [og.Defocus(2.0), og.Defocus((0, 4), mode="nearest")], 3: [og.Defocus(1.5)]}


@pytest.mark.parametrize("radius", [0, 0.4, 1, 2.7, 6])
def test_weights_are_a_disk(radius):
    dot = np.zeros((25, 25))
    dot[12, 12] = 1
    found = og.Compose([og.Defocus(radius)])(image=dot).image
    assert abs(found.sum() - 1) < 1e-12
    np.testing.assert_allclose(found, found.T, atol=1e-15)
    np.testing.assert_allclose(found, found[::-1], atol=1e-15)
    if radius == int(radius):
        inside = np.pad(disk(int(radius)), 12 - int(radius)).astype(bool)
        assert (found[inside] > 0).all() and found[~inside].sum() < 0.2
    distances = np.hypot(*(np.indices(dot.shape) - 12))
    assert (found[distances >= radius + 0.5] == 0).all()
    flat = found[distances <= max(radius - 0.5, 0)]
    assert np.ptp(flat) < 1e-15


def test_a_small_radius_leaves_the_image():
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    np.testing.assert_array_equal(og.Compose([og.Defocus(0.4)])(image=image).image, image)


def test_what_is_drawn():
    assert is_even(drawn(og.Defocus((1, 5)), lambda params: params["radius"]), 1, 5)

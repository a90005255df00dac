import numpy as np
from scipy import ndimage

import offgraph as og

CASES = {2: [og.GlassBlur(), og.GlassBlur((0, 2), reach=(0, 5), times=1)], 3: [og.GlassBlur(0.5, reach=1)]}


def test_without_scattering_two_gaussians_are_left():
    image = np.random.default_rng(0).normal(0, 1, (30, 40))
    out = og.Compose([og.GlassBlur(1.5, reach=0)])(image=image, key=og.Key()).image
    once = ndimage.gaussian_filter(image, 1.5, mode="mirror")
    np.testing.assert_array_equal(out, ndimage.gaussian_filter(once, 1.5, mode="mirror"))


def test_pixels_come_from_their_neighbourhood_evenly():
    y, x = np.indices((120, 150))
    recipe = og.Compose([og.GlassBlur(0, reach=3, times=1)])
    out = recipe(image=np.stack([y, x], -1).astype(np.int32), key=og.Key(seed=1)).image
    moved = (out - np.stack([y, x], -1))[3:-3, 3:-3].reshape(-1, 2)
    assert np.abs(moved).max() == 3
    counts = np.bincount((moved[:, 0] + 3) * 7 + moved[:, 1] + 3, minlength=49)
    expected = len(moved) / 49
    assert (np.abs(counts - expected) < 4.5 * np.sqrt(expected)).all()


def test_channels_move_together_and_nothing_is_made_up():
    image = np.arange(30 * 40, dtype=np.uint16).reshape(30, 40)
    both = np.stack([image, image + 5000], -1)
    out = og.Compose([og.GlassBlur(0, reach=40, times=3)])(image=both, key=og.Key(seed=1)).image
    np.testing.assert_array_equal(out[..., 1] - out[..., 0], 5000)
    assert np.isin(out[..., 0], image).all()

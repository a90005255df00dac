import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [
        og.LensDistortion(0.2),
        og.LensDistortion((-0.25, 0.25), k2=(-0.02, 0.02), order=3, mode="mirror"),
        og.LensDistortion(-0.1, order=0, mode="nearest", p=0.9),
    ]
}


def test_barrel_and_pincushion():
    image = np.ones((41, 61))
    barrel = og.Compose([og.LensDistortion(0.3)])(image=image)
    assert barrel.image[0, 0] == 0 and barrel.image[20, 30] == 1
    corner = barrel.frame.map([-0.5, -0.5]) - (20, 30)
    np.testing.assert_allclose(corner, np.array([-20.5, -30.5]) * 1.3)
    pincushion = og.Compose([og.LensDistortion(-0.3)])(image=image)
    np.testing.assert_allclose(pincushion.image, 1)
    corner = pincushion.frame.map([-0.5, -0.5]) - (20, 30)
    np.testing.assert_allclose(corner, np.array([-20.5, -30.5]) * 0.7)


@pytest.mark.parametrize(("k1", "k2"), [(0.4, 0), (-0.3, 0), (-0.3, 0.2), (0.2, -0.2), (0, 0.5)])
def test_points_come_back(k1, k2):
    step = og.Compose([og.LensDistortion(k1, k2=k2)])(image=np.zeros((40, 60), np.uint8)).frame.map
    points = np.random.default_rng(0).uniform(0, 40, (100, 2))
    places, ok = step.forward(step(points))
    assert ok.all() and np.abs(places - points).max() < 1e-9


def test_what_folds_is_said_and_not_valid():
    with pytest.warns(og.OffgraphWarning, match="fold the image before its corners"):
        recipe = og.Compose([og.LensDistortion(-0.6)])
    valid = recipe(image=np.zeros((40, 40), np.uint8)).frame.valid()
    assert 0.1 < valid.mean() < 0.9
    with pytest.warns(og.OffgraphWarning, match="fold"):
        og.LensDistortion(-2, k2=1.8)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 5)])
def test_small_images(size):
    out = og.Compose([og.LensDistortion(0.1, mode="nearest")])(image=np.ones(size, np.float32))
    np.testing.assert_allclose(out.image, 1)


def test_the_centre_stays():
    image = np.random.default_rng(0).integers(0, 255, (9, 13)).astype(np.uint8)
    assert og.Compose([og.LensDistortion(0.5)])(image=image).image[4, 6] == image[4, 6]

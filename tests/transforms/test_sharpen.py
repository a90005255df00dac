import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [
        og.Sharpen(),
        og.Sharpen(0.4, lightness=(0.5, 1.5), mode="constant", cval=9),
        og.Sharpen(1, mode="mirror"),
    ],
    3: [og.Sharpen(0.5)],
}


def test_lightness_is_what_plain_areas_are_multiplied_by():
    flat = np.full((6, 7), 100, np.uint8)
    assert (og.Compose([og.Sharpen(0.5, lightness=1)])(image=flat).image == 100).all()
    assert (og.Compose([og.Sharpen(0.5, lightness=0.5)])(image=flat).image == 75).all()
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    np.testing.assert_array_equal(og.Compose([og.Sharpen(0.0)])(image=image).image, image)


def test_it_is_the_filter_of_albumentations():
    cv2 = pytest.importorskip("cv2", reason="compares with OpenCV")
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    edges = np.full((3, 3), -1.0)
    edges[1, 1] = 8.7
    expected = cv2.filter2D(image, -1, 0.7 * np.diag([0, 1, 0]) + 0.3 * edges)
    out = og.Compose([og.Sharpen(0.3, lightness=0.7, mode="mirror")])(image=image).image
    assert np.abs(out.astype(int) - expected).max() <= 1

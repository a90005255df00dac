import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [og.Emboss(), og.Emboss(0.4, 1.5, mode="constant", cval=9), og.Emboss(1, (0, 1), mode="mirror")],
    3: [og.Emboss(0.5)],
}


def test_the_ends_of_alpha():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    np.testing.assert_array_equal(og.Compose([og.Emboss(0.0, 3)])(image=image).image, image)
    flat = np.full((6, 7), 90, np.uint8)
    np.testing.assert_array_equal(
        og.Compose([og.Emboss(0.7, 0.4)])(image=flat).image, flat
    )  # the weights sum to 1


def test_it_is_the_filter_of_albumentations():
    cv2 = pytest.importorskip("cv2", reason="compares with OpenCV")
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    alpha, s = 0.3, 0.6
    weights = (1 - alpha) * np.diag([0, 1, 0]) + alpha * np.array(
        [[-1 - s, -s, 0], [-s, 1, s], [0, s, 1 + s]]
    )
    expected = cv2.filter2D(image, -1, weights)
    out = og.Compose([og.Emboss(alpha, s, mode="mirror")])(image=image).image
    assert np.abs(out.astype(int) - expected).max() <= 1

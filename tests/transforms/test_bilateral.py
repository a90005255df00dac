import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [
        og.Bilateral(range=255),
        og.Bilateral(3, sigma=(1, 3), sigma_value=(0.05, 0.3), mode="mirror", range=200),
        og.Bilateral(7, mode="nearest", range=255),
    ],
    3: [og.Bilateral(3, mode="grid-wrap", range=255)],
}
PHOTO = np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)


def test_each_pixel_is_the_mean_of_its_neighbours_that_are_alike():
    image = PHOTO[:9, :11].astype(np.float64)
    out = og.Compose([og.Bilateral(5, sigma=1.5, sigma_value=0.2, range=255)])(image=image).image
    padded = np.pad(image, 2, "symmetric")
    for y in range(9):
        for x in range(11):
            total = weights = 0.0
            for dy in range(-2, 3):
                for dx in range(-2, 3):
                    if dy**2 + dx**2 > 4:
                        continue
                    value = padded[y + 2 + dy, x + 2 + dx]
                    weight = np.exp(-(dy**2 + dx**2) / (2 * 1.5**2))
                    weight *= np.exp(-((value - image[y, x]) ** 2) / (2 * (0.2 * 255) ** 2))
                    total, weights = total + weight * value, weights + weight
            assert out[y, x] == pytest.approx(total / weights, rel=1e-12)


def test_it_is_that_of_opencv():
    cv2 = pytest.importorskip("cv2", reason="compares with OpenCV")
    image = PHOTO.astype(np.float32)
    expected = cv2.bilateralFilter(image, 5, 40, 1.5, borderType=cv2.BORDER_REFLECT)
    step = og.Bilateral(5, sigma=1.5, sigma_value=40 / 255, range=255)
    np.testing.assert_allclose(
        og.Compose([step])(image=image).image, expected, atol=0.05
    )  # theirs has a table
    eight = cv2.bilateralFilter(PHOTO, 5, 40, 1.5, borderType=cv2.BORDER_REFLECT)
    assert np.abs(og.Compose([step])(image=PHOTO).image.astype(int) - eight).max() <= 1


def test_with_a_wide_range_of_values_it_is_a_gaussian():
    image = PHOTO.astype(np.float64)
    out = og.Compose([og.Bilateral(13, sigma=1.0, sigma_value=1e6, range=255)])(image=image).image
    np.testing.assert_allclose(out, og.ndimage.gaussian_filter(image, 1.0, truncate=6.0), rtol=1e-6)


def test_edges_stay():
    step = np.where(np.arange(40) < 20, 50, 200) + np.random.default_rng(1).normal(0, 4, (40, 40))
    out = og.Compose([og.Bilateral(7, sigma=3, sigma_value=0.1)])(image=step.astype(np.uint8)).image
    out = out.astype(float)
    assert out[:, :20].std() < 2 and out[:, 20:].std() < 2 and out[:, 20].mean() - out[:, 19].mean() > 140


def test_what_is_refused():
    with pytest.raises(og.StepError, match="size=4: expected an odd number"):
        og.Bilateral(4)
    with pytest.raises(og.StepError, match="size: expected a whole number from 3 to 31"):
        og.Bilateral(33)

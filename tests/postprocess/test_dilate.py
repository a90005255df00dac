import numpy as np

import offgraph as og

CASES = {
    2: [og.Dilate(), og.Dilate(2, connectivity=2)],
    3: [og.Dilate(), og.Dilate(2, connectivity=3)],
}


def make_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return ((rng.random(shape) < 0.2) * rng.integers(1, 4, shape)).astype(dtype)


def test_the_nearer_label_takes_a_pixel_and_of_equal_ones_the_smaller():
    labels = np.array([[5, 0, 0, 0, 2, 0, 0, 9]], np.uint8)
    assert og.Compose([og.Dilate(9)])(image=labels).image.tolist() == [[5, 5, 2, 2, 2, 2, 9, 9]]


def test_a_hundred_thousand_objects():
    labels = np.zeros((948, 948), np.int32)
    labels[1::3, 1::3] = np.arange(1, 316 * 316 + 1).reshape(316, 316)
    out = og.Compose([og.Dilate(1, connectivity=2)])(image=labels).image
    np.testing.assert_array_equal(np.bincount(out.ravel()), [0, *[9] * 316**2])

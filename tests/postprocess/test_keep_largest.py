import numpy as np

import offgraph as og

CASES = {
    2: [og.KeepLargest(), og.KeepLargest(2, connectivity=2)],
    3: [og.KeepLargest(), og.KeepLargest(2, connectivity=2)],
}


def make_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return ((rng.random(shape) < 0.6) * rng.integers(0, 4, shape)).astype(dtype)


def test_of_equal_pieces_the_first_stays():
    labels = np.array([[1, 0, 1, 0, 1]], np.uint8)
    assert og.Compose([og.KeepLargest()])(image=labels).image.tolist() == [[1, 0, 0, 0, 0]]

import numpy as np

import offgraph as og

CASES = {2: [og.Label(), og.Label(connectivity=2)], 3: [og.Label(), og.Label(connectivity=2)]}


def make_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return ((rng.random(shape) < 0.6) * rng.integers(0, 4, shape)).astype(dtype)


def test_labels_far_above_the_number_of_pixels():
    labels = np.array([[1 << 40, 0, 1 << 40], [5, 5, 0]], np.int64)
    assert og.Compose([og.Label()])(image=labels).image.tolist() == [[2, 0, 3], [1, 1, 0]]

import numpy as np

import offgraph as og

CASES = {2: [og.FillHoles()], 3: [og.FillHoles()]}


def make_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return ((rng.random(shape) < 0.6) * rng.integers(0, 4, shape)).astype(dtype)


def test_what_lies_in_the_hole_stays():
    labels = np.full((5, 5), 2, np.uint8)
    labels[1:4, 1:4] = 0
    labels[2, 2] = 1
    out = og.Compose([og.FillHoles()])(image=labels).image
    assert out[2, 2] == 1 and (out == 2).sum() == 24


def test_a_bay_is_no_hole():
    labels = np.ones((4, 4), np.uint8)
    labels[0, 1] = labels[1, 1] = 0
    np.testing.assert_array_equal(og.Compose([og.FillHoles()])(image=labels).image, labels)

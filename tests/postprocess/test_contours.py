import numpy as np
import pytest

import offgraph as og

CASES = {2: [og.Contours(), og.Contours("coco"), og.Contours(connectivity=2)]}


def make_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return ((rng.random(shape) < 0.4) * rng.integers(1, 4, shape)).astype(dtype)


def test_a_volume_has_none():
    volume = og.Image(np.ones((2, 3, 4), np.uint8), "ZYX")
    with pytest.raises(og.StepError, match="takes 2 spatial axes"):
        og.Compose([og.Contours()])(image=volume)


def test_a_format_that_is_none():
    with pytest.raises(og.StepError, match="geojson"):
        og.Contours("svg")  # pyright: ignore[reportArgumentType]

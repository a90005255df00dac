from typing import Any

import numpy as np
import pytest

import offgraph as og
from offgraph.postprocess.measure import MEASURES

CASES = {2: [og.Measure(), og.Measure(("area", "perimeter"))], 3: [og.Measure(), og.Measure(("bbox",))]}


def make_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return ((rng.random(shape) < 0.4) * rng.integers(1, 4, shape)).astype(dtype)


def test_names_are_those_of_the_table():
    table = og.measure(np.eye(4, dtype=int), np.eye(4))
    assert {name.split("-")[0] for name in table} == {"label", *MEASURES}


def test_a_volume_has_no_perimeter():
    flat = og.measure(np.ones((2, 2, 2), int), np.zeros((2, 2, 2)))
    volume = og.Image(np.ones((2, 3, 4), np.uint8), "ZYX")
    name: Any
    for name in MEASURES:
        recipe = og.Compose([og.Measure((name,))])
        if any(column.startswith(name) for column in flat):
            assert recipe(image=volume).image.shape == (2, 3, 4)
        else:
            with pytest.raises(og.StepError, match=f"a volume has no {name}"):
                recipe(image=volume)


@pytest.mark.parametrize("columns", [("areas",), ("area", "area"), "area", (3,)])
def test_names_that_are_none(columns: Any):
    with pytest.raises(og.StepError, match="columns"):
        og.Measure(columns)


def test_pixels_that_are_no_squares_have_no_perimeter():
    recipe = og.Compose([og.Measure(("perimeter",), sampling={"Y": 2})])
    with pytest.raises(og.StepError, match="no squares"):
        recipe(image=np.eye(3, dtype=np.uint8))
    with pytest.raises(og.StepError, match="names the axis Z"):
        og.Compose([og.Measure(sampling={"Z": 2})])(image=np.eye(3, dtype=np.uint8))

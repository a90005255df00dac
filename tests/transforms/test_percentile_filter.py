import numpy as np
import pytest
from scipy import ndimage
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {
    2: [
        og.PercentileFilter(20, 3),
        og.PercentileFilter((0, 100), 4, mode="constant", cval=1),
        og.PercentileFilter(100, 3),
    ],
    3: [og.PercentileFilter(70, {"Z": 1, "YX": 3})],
}


@pytest.mark.parametrize("percentile", [0, 10, 33.3, 50, 99, 100])
def test_bytes_of_scipy_in_a_native_plan(percentile):
    image = np.random.default_rng(0).integers(0, 256, (30, 41, 3), np.uint8)
    recipe = og.Compose([og.Flip("X"), og.PercentileFilter(percentile, 5), og.Flip("X")])
    expected = ndimage.percentile_filter(image[:, ::-1], percentile, (5, 5, 1))[:, ::-1]
    np.testing.assert_array_equal(recipe(image=image).image, expected)
    assert "called from Python" not in recipe.explain(og.ArraySpec.of(image, "YXC"))


def test_what_is_drawn():
    assert is_even(drawn(og.PercentileFilter((10, 60), 3), lambda params: params["percentile"]), 10, 60)


@pytest.mark.parametrize("percentile", [-1, 101, (50, 200)])
def test_what_is_no_percentile(percentile):
    with pytest.raises(og.StepError, match="percentile: expected a number from 0 to 100"):
        og.PercentileFilter(percentile, 3)

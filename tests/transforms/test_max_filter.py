import numpy as np
import pytest
from scipy import ndimage

import offgraph as og

CASES = {2: [og.MaxFilter(3), og.MaxFilter({"X": 5}, mode="nearest")], 3: [og.MaxFilter(3)]}


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32"])
def test_grey_dilation(dtype):
    image = (np.random.default_rng(0).random((30, 41)) * (2 if dtype == "bool" else 200)).astype(dtype)
    out = og.Compose([og.MaxFilter(5)])(image=image).image
    np.testing.assert_array_equal(out, ndimage.grey_dilation(image, size=(5, 5)))


def test_a_chain_is_one_native_call():
    recipe = og.Compose([og.Flip("X"), og.MaxFilter(3), og.Flip("Y")])
    assert "called from Python" not in recipe.explain(og.ArraySpec((30, 40, 3), "uint8", "YXC"))

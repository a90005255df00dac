import numpy as np
import pytest
from scipy import ndimage

import offgraph as og

CASES = {
    2: [og.UniformFilter(3), og.UniformFilter(4, mode="constant", cval=9), og.UniformFilter({"X": 5})],
    3: [og.UniformFilter({"Z": 1, "YX": 3}, mode="mirror")],
}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("mode", ["reflect", "nearest", "mirror", "constant", "grid-wrap"])
def test_bytes_of_scipy_whether_native_or_not(dtype, mode):
    """uint8 to float64 go through the native plan, with a step before it and one behind."""
    image = np.random.default_rng(0).integers(0, 200, (30, 41, 3)).astype(dtype)
    recipe = og.Compose([og.Flip("X"), og.UniformFilter({"Y": 4, "X": 7}, mode=mode, cval=5), og.Flip("X")])
    out = recipe(image=image).image
    expected = ndimage.uniform_filter(image[:, ::-1], (4, 7, 1), mode=mode, cval=5)[:, ::-1]
    np.testing.assert_array_equal(out, expected)
    assert "called from Python" not in recipe.explain(og.ArraySpec.of(image, "YXC"))


def test_channels_never_mix():
    image = np.zeros((9, 9, 3), np.uint8)
    image[..., 1] = 200
    assert (og.Compose([og.UniformFilter(3)])(image=image).image == [0, 200, 0]).all()

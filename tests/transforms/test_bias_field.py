import numpy as np
import pytest
from numpy.polynomial import polynomial
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {
    2: [og.BiasField(0.3, range=255), og.BiasField((0.1, 0.4), order=2)],
    3: [og.BiasField(0.2, order=1)],
}


@pytest.mark.parametrize(("shape", "axes", "order"), [((9, 12), "YX", 3), ((5, 6, 7), "ZYX", 2)])
def test_the_exponential_of_a_polynomial(shape, axes, order):
    out = og.Compose([og.BiasField(0.4, order=order)])(image=np.ones(shape), axes=axes, key=og.Key(seed=3))
    drawn_ones = iter(out.record["steps"][0]["params"]["coefficients"])
    grid = np.zeros((order + 1,) * len(axes))
    for powers in np.ndindex(grid.shape):
        if sum(powers) <= order:
            grid[powers] = next(drawn_ones)
    assert next(drawn_ones, None) is None
    places = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    value = polynomial.polyval2d if len(axes) == 2 else polynomial.polyval3d
    np.testing.assert_allclose(out.image, np.exp(value(*places, grid)), rtol=1e-12)


def test_channels_share_the_field_and_integers_a_limit():
    out = og.Compose([og.BiasField(0.5)])(image=np.full((30, 40, 3), 200, np.uint8), key=og.Key(seed=1)).image
    assert (out == out[..., :1]).all() and out.max() == 255
    floats = og.Compose([og.BiasField(0.5)])(image=np.full((30, 40), 200.0), key=og.Key(seed=1)).image
    np.testing.assert_array_equal(out[..., 0], np.minimum(np.rint(floats), 255))


def test_what_is_drawn():
    assert is_even(drawn(og.BiasField(0.5), lambda params: params["coefficients"][3]), -0.5, 0.5)
    assert drawn(og.BiasField(0.5), lambda params: len(params["coefficients"])).tolist()[0] == 10


def test_a_signed_image_says_its_range():
    with pytest.raises(og.StepError, match="range= is needed for an image of dtype int16"):
        og.Compose([og.BiasField()])(image=np.zeros((4, 5), np.int16), key=og.Key())

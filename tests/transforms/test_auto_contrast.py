import numpy as np
import pytest
from PIL import Image, ImageOps
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {2: [og.AutoContrast(range=255), og.AutoContrast((0, 10), range=200)], 3: [og.AutoContrast(2)]}
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("cutoff", [0, 1, 7.5, 30, 49])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (40, 50)])
def test_bytes_of_pillow(size, cutoff):
    image = np.clip(RNG.normal(120, 25, (*size, 3)), 0, 255).astype(np.uint8)
    image[..., 2] = 77  # one value
    out = og.Compose([og.AutoContrast(cutoff)])(image=image, axes="YXC").image
    np.testing.assert_array_equal(out, np.asarray(ImageOps.autocontrast(Image.fromarray(image), cutoff)))


def test_floats_and_16_bits():
    image = RNG.random((30, 40)) * 0.5 + 0.2
    out = og.Compose([og.AutoContrast(range=1)])(image=image).image
    np.testing.assert_allclose(out, (image - image.min()) / np.ptp(image), rtol=0, atol=1e-12)
    deep = (image * 4000).astype(np.uint16)
    out = og.Compose([og.AutoContrast(range=4095)])(image=deep).image
    assert (out.min(), out.max()) == (0, 4095)


def test_what_is_drawn():
    assert is_even(drawn(og.AutoContrast((0, 5)), lambda params: params["cutoff"]), 0, 5)


def test_half_of_the_pixels_at_each_end():
    with pytest.raises(og.StepError, match="expected percent at each end, below 50"):
        og.AutoContrast((1, 50))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("cutoff", [0, 3, 40])
def test_levels_that_are_counted_give_what_sorted_values_give(dtype, cutoff):
    """Wider integers are sorted."""
    image = np.clip(RNG.normal(120, 60, (30, 41, 2)), 0, 250).astype(dtype)
    step = og.AutoContrast(cutoff, range=200)
    wide = og.Compose([step])(image=image.astype(np.uint32), axes="YXC").image
    np.testing.assert_array_equal(og.Compose([step])(image=image, axes="YXC").image, wide)

import numpy as np
import pytest
from PIL import Image, ImageOps

import offgraph as og

CASES = {2: [og.Equalize(), og.Equalize(range=200)], 3: [og.Equalize()]}
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (16, 16), (40, 50), (300, 200)])
@pytest.mark.parametrize("spread", [0, 1, 20, 256])
def test_bytes_of_pillow(size, spread):
    image = np.minimum(60 + RNG.integers(0, spread + 1, (*size, 3)) * RNG.random((*size, 1)), 255).astype(
        np.uint8
    )
    out = og.Compose([og.Equalize()])(image=image, axes="YXC").image
    np.testing.assert_array_equal(out, np.asarray(ImageOps.equalize(Image.fromarray(image))))


def test_16_bits_become_even():
    image = (RNG.normal(2000, 100, (400, 300))).astype(np.uint16)
    out = og.Compose([og.Equalize(range=4095)])(image=image).image
    assert out.dtype == np.uint16 and out.max() <= 4095
    counts = np.histogram(out, 8, (0, 4096))[0] / out.size
    assert np.abs(counts - 1 / 8).max() < 0.01
    assert (np.diff(out.ravel()[np.argsort(image, axis=None)].astype(int)) >= 0).all()


@pytest.mark.parametrize("dtype", ["float32", "int16", "uint32"])
def test_what_has_no_levels_to_count(dtype):
    with pytest.raises(og.StepError, match="takes uint8 or uint16, whose levels can be counted"):
        og.Compose([og.Equalize(range=255)])(image=np.zeros((4, 5), dtype))

from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageOps
from tests.support.even import drawn, is_even_among

import offgraph as og

CASES = {2: [og.Posterize(3, range=255), og.Posterize((1, 6), range=200)], 3: [og.Posterize()]}
EVERY = np.arange(256, dtype=np.uint8).reshape(8, 32)


@pytest.mark.parametrize("bits", range(1, 9))
def test_bytes_of_pillow(bits):
    out = og.Compose([og.Posterize(bits)])(image=EVERY).image
    np.testing.assert_array_equal(out, np.asarray(ImageOps.posterize(Image.fromarray(EVERY), bits)))


@pytest.mark.parametrize("bits", [1, 5, 12, 16])
def test_the_highest_bits_of_16(bits):
    image = np.arange(1 << 16).astype(np.uint16).reshape(256, 256)
    out = og.Compose([og.Posterize(bits)])(image=image).image
    np.testing.assert_array_equal(out, image & ~np.uint16((1 << 16 - bits) - 1))


def test_floats_have_as_many_levels():
    image = np.linspace(0, 1, 1001).reshape(1, -1)
    out = og.Compose([og.Posterize(3, range=1)])(image=image).image
    assert sorted(Counter(out.ravel().tolist())) == [level / 8 for level in range(8)]
    assert (out <= image).all() and (image - out <= 1 / 8).all()


def test_whole_numbers_are_drawn_evenly():
    found = drawn(og.Posterize((3, 6)), lambda params: params["bits"])
    assert found.dtype.kind == "i" and is_even_among(found.tolist(), [3, 4, 5, 6])


@pytest.mark.parametrize("bits", [0, 2.5, (4, 2), (1, 2, 3), True, "4"])
def test_what_are_no_bits(bits):
    with pytest.raises(og.StepError, match="bits: expected a whole number of at least 1"):
        og.Posterize(bits)

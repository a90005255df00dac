import numpy as np
import pytest
from PIL import Image, ImageOps

import offgraph as og

CASES = {2: [og.Invert(), og.Invert(range=255)], 3: [og.Invert(range=255)]}


def test_bytes_of_pillow():
    image = np.arange(256, dtype=np.uint8).reshape(8, 32)
    out = og.Compose([og.Invert()])(image=image).image
    np.testing.assert_array_equal(out, np.asarray(ImageOps.invert(Image.fromarray(image))))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_twice_is_the_image(dtype):
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (20, 30), dtype, endpoint=True)
    np.testing.assert_array_equal(og.Compose([og.Invert(), og.Invert()])(image=image).image, image)


def test_true_and_false_change_places():
    assert og.Compose([og.Invert()])(image=np.array([[True, False]])).image.tolist() == [[False, True]]

import numpy as np
import pytest
from PIL import Image

import offgraph as og

CASES = {2: [og.ToRGB()], 3: [og.ToRGB()]}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "bool"])
@pytest.mark.parametrize(
    ("shape", "axes"), [((4, 5), "YX"), ((4, 5, 1), "YXC"), ((1, 4, 5), "CYX"), ((2, 4, 5), "ZYX")]
)
def test_grey_becomes_three_equal_channels(dtype, shape, axes):
    image = (np.arange(np.prod(shape)).reshape(shape) % 7).astype(dtype)
    out = og.Compose([og.ToRGB()])(image=image, axes=axes)
    place = out.targets.image.axes.index("C")
    plain = image.take(0, axes.index("C")) if "C" in axes else image
    assert out.image.dtype == dtype and out.image.shape[place] == 3
    for channel in range(3):
        np.testing.assert_array_equal(out.image.take(channel, place), plain)


def test_bytes_of_pillow():
    grey = np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8)
    out = og.Compose([og.ToRGB()])(image=grey).image
    np.testing.assert_array_equal(out, np.asarray(Image.fromarray(grey).convert("RGB")))


def test_colours_stay():
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    np.testing.assert_array_equal(og.Compose([og.ToRGB()])(image=image).image, image)


def test_it_cannot_be_drawn_and_takes_no_opacity():
    with pytest.raises(og.StepError, match="needs p=1"):
        og.Compose([og.ToRGB(p=0.5)]).output_spec(og.ArraySpec((4, 5), "uint8", "YX"))
    with pytest.raises(og.StepError, match="takes 1 or 3 channels, the image has 4"):
        og.Compose([og.ToRGB()])(image=np.zeros((4, 5, 4), np.uint8))

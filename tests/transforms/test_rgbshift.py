import numpy as np
import pytest
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {
    2: [og.RGBShift(range=255), og.RGBShift(0.1, (-0.2, 0.2), -0.5, range=255)],
    3: [og.RGBShift(0.3, 0, -0.1)],
}
PHOTO = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_each_channel_has_its_own(dtype):
    image = PHOTO.astype(dtype)
    out = og.Compose([og.RGBShift(0.1, -0.4, 0, range=255)])(image=image).image
    expected = np.clip(image.astype(np.float64) + np.array([25.5, -102, 0]), 0, 255)
    np.testing.assert_array_equal(out, expected.astype(dtype) if dtype == "float32" else np.rint(expected))


def test_what_is_drawn():
    step = og.RGBShift((-0.1, 0.1), (0, 0.3), (-0.2, 0))
    for name, ends in {"red": (-0.1, 0.1), "green": (0, 0.3), "blue": (-0.2, 0)}.items():
        assert is_even(drawn(step, lambda params: params[name]), *ends)


def test_grey_images_are_refused():
    with pytest.raises(og.StepError, match="needs red, green and blue"):
        og.Compose([og.RGBShift()])(image=PHOTO[..., 0], key=og.Key())

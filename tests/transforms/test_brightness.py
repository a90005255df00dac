import numpy as np
import pytest
from PIL import Image, ImageEnhance
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {
    2: [og.Brightness(1.3, range=200), og.Brightness((0.6, 1.4), shift=(-0.1, 0.1), range=255)],
    3: [og.Brightness(0.7, shift=0.2)],
}
EVERY = np.arange(256, dtype=np.uint8).reshape(8, 32)


@pytest.mark.parametrize("factor", [0, 0.3, 1, 1.7, 4])
def test_the_factor_is_pillows_which_cuts_off_fractions(factor):
    out = og.Compose([og.Brightness(factor)])(image=EVERY).image
    pillow = np.asarray(ImageEnhance.Brightness(Image.fromarray(EVERY)).enhance(factor))
    assert np.abs(out.astype(int) - pillow).max() <= 1
    np.testing.assert_array_equal(out, np.minimum(np.rint(EVERY * float(factor)), 255))


def test_the_shift_is_a_share_of_the_range():
    deep = np.array([[0, 100, 4000]], np.uint16)
    assert og.Compose([og.Brightness(shift=0.1, range=4095)])(image=deep).image.tolist() == [[410, 510, 4095]]
    assert og.Compose([og.Brightness(shift=-0.1)])(image=deep).image.tolist() == [[0, 0, 0]]


def test_floats_say_their_range():
    with pytest.raises(og.StepError, match="range= is needed for an image of dtype float32"):
        og.Compose([og.Brightness(2)])(image=np.zeros((2, 2), np.float32))
    out = og.Compose([og.Brightness(2, range=1)])(image=np.array([[0.25, 0.75]], np.float32)).image
    assert out.tolist() == [[0.5, 1.0]]


def test_what_is_drawn():
    step = og.Brightness((0.5, 1.5), shift=(-0.2, 0.2))
    for name, (low, high) in {"factor": (0.5, 1.5), "shift": (-0.2, 0.2)}.items():
        assert is_even(drawn(step, lambda params: params[name]), low, high)


def test_it_never_darkens_below_nothing():
    with pytest.raises(og.StepError, match="factor: expected a number of at least 0"):
        og.Brightness(-1)

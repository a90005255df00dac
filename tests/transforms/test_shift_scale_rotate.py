import numpy as np
import pytest
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {
    2: [
        og.ShiftScaleRotate(),
        og.ShiftScaleRotate((2, -1.5), scale=1.2, rotate=20, order=3, mode="reflect"),
        og.ShiftScaleRotate({"X": (-3, 3)}, scale={"Y": (0.9, 1)}, p=0.5, order=0, cval=4, mask_cval=1),
    ],
    3: [og.ShiftScaleRotate(), og.ShiftScaleRotate((1, 2, -1), mode="nearest")],
}


def test_it_is_affine_of_the_same_values():
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    shift = ((-3, 3), ("-5%", "5%"))
    for index in range(5):
        key = og.Key(index=index)
        out = og.Compose([og.ShiftScaleRotate(shift, scale=(0.8, 1.2), rotate=(-30, 30), id="x")])(
            image=image, key=key
        )
        same = og.Affine(translate=shift, scale=(0.8, 1.2), rotate=(-30, 30), id="x")
        np.testing.assert_array_equal(out.image, og.Compose([same])(image=image, key=key).image)


def test_what_is_drawn_by_default():
    """As Albumentations' step: shares of the sides up to 6.25 %, factors within 10 %, 45 degrees either way."""
    step = og.ShiftScaleRotate()
    assert is_even(drawn(step, lambda params: params["shift"][0]), -2.5, 2.5)  # of 40 rows
    assert is_even(drawn(step, lambda params: params["shift"][1]), -3.75, 3.75)
    assert is_even(drawn(step, lambda params: params["scale"]), 0.9, 1.1)
    assert is_even(drawn(step, lambda params: params["rotate"]), -45, 45)
    assert step.draws and not og.ShiftScaleRotate((0, 0), scale=1, rotate=5).draws


def test_what_is_refused():
    with pytest.raises(og.StepError, match="is for 3 spatial axes, the image has 2"):
        og.Compose([og.ShiftScaleRotate((1, 1, 1))])(image=np.zeros((4, 4), np.uint8), key=og.Key())
    with pytest.raises(og.StepError, match="ShiftScaleRotate: scale: expected a number above 0"):
        og.ShiftScaleRotate(scale=0)

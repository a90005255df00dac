import numpy as np
import pytest

import offgraph as og

CASES = {2: [og.Gamma(0.7, range=200), og.Gamma((0.5, 2), range=255)], 3: [og.Gamma(2.2, range=100)]}


def test_white_and_black_stay():
    recipe = og.Compose([og.Gamma(1.7)])
    assert recipe(image=np.array([[0, 65535]], np.uint16)).image.tolist() == [[0, 65535]]


def test_a_range_that_the_dtype_does_not_hold():
    with pytest.raises(og.StepError, match="range=4095 is more than an image of dtype uint8 holds"):
        og.Compose([og.Gamma(2, range=4095)])(image=np.zeros((2, 2), np.uint8))

import numpy as np
import pytest
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {
    2: [og.Speckle(0.2, range=255), og.Speckle((0, 0.5), per_channel=False)],
    3: [og.Speckle(0.1, clip=False)],
}


@pytest.mark.parametrize("level", [0, 20, 100])
def test_the_spread_grows_with_the_value(level):
    out = og.Compose([og.Speckle(0.2)])(image=np.full((300, 300), level, np.uint8), key=og.Key(seed=1)).image
    # Rounding to whole numbers adds a variance of 1/12.
    expected = np.hypot(0.2 * level, 12**-0.5) if level else 0
    assert abs(out.std() - expected) < 0.02 * max(expected, 1)
    assert abs(out.mean() - level) < 0.2


def test_floats_without_a_limit_need_no_range():
    image = np.full((50, 60), -3.0)
    out = og.Compose([og.Speckle(0.1, clip=False)])(image=image, key=og.Key()).image
    assert abs(out.std() - 0.3) < 0.02 and out.min() < -3.5
    with pytest.raises(og.StepError, match="range= is needed"):
        og.Compose([og.Speckle(0.1)])(image=image, key=og.Key())


def test_what_is_drawn():
    assert is_even(drawn(og.Speckle((0.1, 0.3)), lambda params: params["sigma"]), 0.1, 0.3)

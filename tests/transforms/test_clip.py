import numpy as np
import pytest

import offgraph as og

CASES = {2: [og.Clip(20, 200), og.Clip(low=90)], 3: [og.Clip(high=77)]}


def test_hounsfield_units():
    scan = np.random.default_rng(0).integers(-2000, 3000, (30, 40)).astype(np.int16)
    out = og.Compose([og.Clip(-160, 240)])(image=scan).image
    np.testing.assert_array_equal(out, np.clip(scan, -160, 240))
    assert out.dtype == np.int16


def test_wide_integers_and_nan_stay():
    wide = np.array([[2**60 + 1, 5]])
    assert og.Compose([og.Clip(low=7)])(image=wide).image.tolist() == [[2**60 + 1, 7]]
    held = og.Clip(0, 1).apply(og.Image(np.array([[np.nan, 2.0]])), {}).array
    assert np.isnan(held[0, 0]) and held[0, 1] == 1


@pytest.mark.parametrize(
    ("limits", "dtype", "says"),
    [
        ({"high": 300}, "uint8", "high=300 cannot be held by dtype uint8"),
        ({"low": -1}, "uint16", "low=-1 cannot be held"),
        ({"low": 0.5}, "uint8", "low=0.5 cannot be held"),
    ],
)
def test_limits_that_the_dtype_does_not_hold(limits, dtype, says):
    with pytest.raises(og.StepError, match=says):
        og.Compose([og.Clip(**limits)])(image=np.zeros((2, 2), dtype))


@pytest.mark.parametrize("limits", [{}, {"low": 2, "high": 1}])
def test_no_limits(limits):
    with pytest.raises(og.StepError, match="Clip: expected low"):
        og.Clip(**limits)

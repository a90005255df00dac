import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [og.ToneCurve(range=255), og.ToneCurve(0.1, (0.7, 1), range=200), og.ToneCurve(0, 1, range=255)],
    3: [og.ToneCurve(0.3, 0.5, range=255)],
}
RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def test_thirds_are_the_identity():
    np.testing.assert_array_equal(og.Compose([og.ToneCurve(1 / 3, 2 / 3)])(image=RAMP).image, RAMP)


def test_it_never_falls_and_keeps_black_and_white():
    for low in (0.0, 0.3, 1.0):
        for high in (0.0, 0.6, 1.0):
            out = og.Compose([og.ToneCurve(low, high)])(image=RAMP).image.ravel().astype(int)
            assert out[0] == 0 and out[-1] == 255 and (low > high or (np.diff(out) >= 0).all())


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_other_dtypes_are_on_the_same_curve(dtype):
    top = {"uint16": 65535, "float32": 1}[dtype]
    image = (np.linspace(0, 1, 256) * top).astype(dtype).reshape(16, 16)
    out = og.Compose([og.ToneCurve(0.2, 0.7, range=top)])(image=image).image / top
    eight = og.Compose([og.ToneCurve(0.2, 0.7)])(image=RAMP).image / 255
    np.testing.assert_allclose(out, eight, atol=0.5 / 255 + 1e-4)

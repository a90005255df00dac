import numpy as np
import pytest
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {
    2: [og.SaltAndPepper(0.1, range=255), og.SaltAndPepper((0, 0.3), salt=0.2, per_channel=True)],
    3: [og.SaltAndPepper(0.05)],
}


@pytest.mark.parametrize(("amount", "salt"), [(0, 0.5), (0.03, 0.5), (0.4, 0.9), (1, 0), (1, 1)])
def test_shares(amount, salt):
    image = np.full((300, 400), 1000, np.uint16)
    out = og.Compose([og.SaltAndPepper(amount, salt=salt, range=4095)])(image=image, key=og.Key(seed=3)).image
    for value, share in {4095: amount * salt, 0: amount * (1 - salt), 1000: 1 - amount}.items():
        assert abs((out == value).mean() - share) <= 5 * (share * (1 - share) / out.size) ** 0.5


def test_pixels_are_white_as_a_whole_or_channel_by_channel():
    image = np.full((100, 120, 3), 90, np.uint8)
    whole = og.Compose([og.SaltAndPepper(0.2)])(image=image, key=og.Key()).image
    assert (whole == whole[..., :1]).all()
    apart = og.Compose([og.SaltAndPepper(0.2, per_channel=True)])(image=image, key=og.Key()).image
    changed = (apart != 90).reshape(-1, 3)
    assert np.abs(np.corrcoef(changed.T) - np.eye(3)).max() < 0.06


def test_a_bool_image_has_white_and_black():
    out = og.Compose([og.SaltAndPepper(0.5, salt=1.0)])(image=np.zeros((60, 60), bool), key=og.Key()).image
    assert out.dtype == bool and abs(out.mean() - 0.5) < 0.05


def test_what_is_drawn():
    assert is_even(drawn(og.SaltAndPepper((0.1, 0.2)), lambda params: params["amount"]), 0.1, 0.2)

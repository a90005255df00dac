import numpy as np
import pytest
from skimage.filters import unsharp_mask
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {
    2: [og.UnsharpMask(), og.UnsharpMask((0, 2), sigma={"X": (0.5, 2)}, mode="nearest")],
    3: [og.UnsharpMask(0.7, sigma={"Z": 0, "YX": 1.5})],
}
PHOTO = np.random.default_rng(0).integers(60, 180, (40, 50, 3)).astype(np.uint8)


@pytest.mark.parametrize(("amount", "sigma"), [(0.5, 1.0), (1.5, 2.5)])
def test_scikit_images_unsharp_mask(amount, sigma):
    image = PHOTO / 255
    out = og.Compose([og.UnsharpMask(amount, sigma=sigma)])(image=image).image
    planes = [unsharp_mask(image[..., c], radius=sigma, amount=amount) for c in range(3)]
    expected = np.stack(planes, -1)
    inside = (expected > 0) & (expected < 1)  # it cuts off what lies outside
    np.testing.assert_allclose(out[inside], expected[inside], rtol=0, atol=1e-12)
    whole = og.Compose([og.UnsharpMask(amount, sigma=sigma)])(image=PHOTO).image
    assert np.abs(whole - np.clip(out * 255, 0, 255)).max() <= 0.5 + 1e-9


def test_integers_do_not_wrap():
    edge = np.repeat(np.array([[0, 255]], np.uint8), 5, axis=1)
    out = og.Compose([og.UnsharpMask(3.0)])(image=edge).image
    assert (out == edge).all()
    deep = og.Compose([og.UnsharpMask(3.0)])(image=edge.astype(np.int16)).image
    assert deep.min() < 0 and deep.max() > 255


def test_what_is_drawn():
    assert is_even(drawn(og.UnsharpMask((0.2, 1.2)), lambda params: params["amount"]), 0.2, 1.2)

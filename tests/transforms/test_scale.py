import numpy as np
import pytest
from scipy import ndimage
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {
    2: [
        og.Scale(1.3),
        og.Scale((0.7, 1.4), order=3, mode="mirror"),
        og.Scale({"Y": 1.2, "X": (0.8, 1)}, anchor="origin", order=0, p=0.5),
    ],
    3: [og.Scale(0.9), og.Scale({"YX": (1, 1.5)}, mode="nearest")],
}


@pytest.mark.parametrize("order", [0, 1, 3])
def test_it_is_scipys_affine_transform_about_the_centre(order):
    image = np.random.default_rng(0).normal(size=(20, 25))
    out = og.Compose([og.Scale({"Y": 1.5, "X": 0.8}, order=order)])(image=image)
    centre = np.array([9.5, 12])
    diagonal = np.array([1 / 1.5, 1 / 0.8])
    expected = ndimage.affine_transform(image, diagonal, centre - diagonal * centre, order=order)
    np.testing.assert_allclose(out.image, expected, atol=1e-10)


def test_the_factor_is_spread_evenly():
    assert is_even(drawn(og.Scale((0.7, 1.4)), lambda params: params["scale"]), 0.7, 1.4)
    assert is_even(drawn(og.Scale({"X": (0.5, 1)}), lambda params: params["scale"]["X"]), 0.5, 1)
    assert og.Scale((0.7, 1.4)).draws and not og.Scale(2).draws


def test_boxes_and_the_way_back():
    out = og.Compose([og.Scale(0.5)])(image=np.zeros((40, 60), np.uint8), boxes=[[10, 10, 20, 20]])
    assert out.boxes is not None
    np.testing.assert_allclose(out.boxes.array, [[20, 15, 25, 20]])
    np.testing.assert_allclose(out.frame.undo(boxes=out.boxes).array, [[10, 10, 20, 20]])


def test_what_is_refused():
    with pytest.raises(og.StepError, match="Scale: scale: expected a number above 0"):
        og.Scale(0)
    with pytest.raises(og.StepError, match="names the axis Z, the image has the spatial axes YX"):
        og.Compose([og.Scale({"Z": 2})])(image=np.zeros((4, 4), np.uint8))

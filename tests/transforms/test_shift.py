import numpy as np
import pytest
from scipy import ndimage
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {
    2: [
        og.Shift((3, -2)),
        og.Shift(((-4, 4), ("-10%", "10%")), order=3, mode="reflect"),
        og.Shift({"X": 2.5}, order=0, cval=7, mask_cval=2, p=0.5),
    ],
    3: [og.Shift((1.5, 0, -2)), og.Shift({"Z": (-1, 1), "YX": "5%"}, mode="nearest")],
}


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("mode", ["constant", "mirror", "grid-wrap"])
@pytest.mark.parametrize("shift", [(2.0, -3.0), (0.25, 1.75), (-1.5, 0.0)])
def test_it_is_scipys_shift(order, mode, shift):
    image = np.random.default_rng(0).normal(size=(20, 24))
    out = og.Compose([og.Shift(shift, order=order, mode=mode)])(image=image)
    np.testing.assert_allclose(out.image, ndimage.shift(image, shift, order=order, mode=mode), atol=1e-10)


def test_the_shift_is_spread_evenly():
    step = og.Shift(((-4, 4), ("-10%", "10%")))
    assert is_even(drawn(step, lambda params: params["shift"][0]), -4, 4)
    assert is_even(drawn(step, lambda params: params["shift"][1]), -6, 6)  # of 60 columns
    assert not og.Shift((3, 4)).draws


def test_axes_under_one_name_share_what_they_draw():
    shifts = drawn(og.Shift({"YX": ("0%", "10%")}), lambda params: params["shift"], count=20)
    np.testing.assert_allclose(shifts[:, 0] / 40, shifts[:, 1] / 60)


def test_boxes_points_and_the_way_back():
    out = og.Compose([og.Shift((3, -2))])(
        image=np.zeros((40, 60), np.uint8), boxes=[[10, 10, 20, 20]], points=[[5, 6]]
    )
    assert out.boxes is not None and out.points is not None
    np.testing.assert_allclose(out.boxes.array, [[8, 13, 18, 23]])
    np.testing.assert_allclose(out.points.places, [[8, 4]])
    np.testing.assert_allclose(out.frame.undo(points=out.points).places, [[5, 6]])


def test_what_is_refused_and_hinted():
    with pytest.raises(og.StepError, match="Shift: shift: expected one entry per spatial axis"):
        og.Shift(3)
    with pytest.raises(og.StepError, match="is for 3 spatial axes, the image has 2"):
        og.Compose([og.Shift((1, 1, 1))])(image=np.zeros((4, 4), np.uint8))
    with pytest.warns(
        og.OffgraphWarning, match="is a fixed shift by -5 rows and 5 columns; for a range write"
    ):
        og.Shift((-5, 5))

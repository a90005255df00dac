import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [
        og.Rotate(30),
        og.Rotate(-77.5, order=0, mode="nearest"),
        og.Rotate(12, order=3, mode="mirror"),
        og.Rotate(45, reshape=True, cval=7),
        og.Rotate(90, reshape=True),
        og.Rotate((-15, 15), p=0.5, mask_cval=3),
        og.Rotate((-180, 180), reshape=True, order=2, mode="reflect"),
    ],
    3: [og.Rotate(20), og.Rotate((-30, 30), plane="ZX", order=3), og.Rotate(40, plane="ZY", reshape=True)],
}


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_quarter_turns_are_numpys(turns: int):
    image = np.arange(5 * 8 * 3, dtype=np.uint8).reshape(5, 8, 3)
    out = og.Compose([og.Rotate(90 * turns, reshape=True)])(image=image)
    np.testing.assert_array_equal(out.image, np.rot90(image, turns))


@pytest.mark.parametrize("angle", [0.785, (-0.26, 0.26), 1.5708, (0, 3.14159), np.deg2rad(30)])
def test_radians_are_noticed(angle):
    with pytest.warns(og.OffgraphWarning, match=r"Rotate: angle=.*radians, write angle="):
        og.Rotate(angle)


@pytest.mark.parametrize("angle", [0, 5, (-15, 15), (-2.5, 2.5), 1.5, 90, 360])
def test_degrees_are_not(angle):
    og.Rotate(angle)


def test_a_plane_that_is_not_there():
    with pytest.raises(og.StepError, match="Rotate: plane='ZX' needs an axis Z"):
        og.Compose([og.Rotate(5, plane="ZX")])(image=np.zeros((4, 4), np.uint8))


def test_reshape_by_a_range_has_no_known_size():
    spec = og.ArraySpec((20, 30, 3), "uint8", "YXC")
    assert og.Compose([og.Rotate((0, 90), reshape=True)]).output_spec(spec).shape == (None, None, 3)
    assert og.Compose([og.Rotate(90, reshape=True)]).output_spec(spec).shape == (30, 20, 3)
    assert og.Compose([og.Rotate(90, reshape=True, p=0.5)]).output_spec(spec).shape == (None, None, 3)


@pytest.mark.parametrize(
    "make", [lambda: og.Rotate(10, mode="wrap"), lambda: og.Affine(rotate=10, mode="wrap")]
)
def test_scipys_wrap_is_hinted_at(make):
    """A shift by n - 1 pixels brings the image back onto itself but for one: its period is a pixel short."""
    with pytest.warns(og.OffgraphWarning, match="write mode='grid-wrap' to repeat it every n"):
        make()
    line = np.arange(5, dtype=np.uint8)[np.newaxis]
    with pytest.warns(og.OffgraphWarning, match="grid-wrap"):
        short = og.Affine(translate=(0, 2), mode="wrap", order=0)
    assert og.Compose([short])(image=line).image.tolist() == [[2, 3, 0, 1, 2]]
    whole = og.Affine(translate=(0, 2), mode="grid-wrap", order=0)
    assert og.Compose([whole])(image=line).image.tolist() == [[3, 4, 0, 1, 2]]


def test_a_plane_that_a_reshaped_image_lacks_is_named():
    with pytest.raises(
        og.StepError, match="Rotate: plane='ZX' needs an axis Z, the image has the spatial axes YX"
    ):
        og.Compose([og.Rotate(10, plane="ZX", reshape=True)])(image=np.zeros((6, 7), np.uint8))

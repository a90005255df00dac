import numpy as np
import pytest
from tests.support.even import drawn, is_even_among

import offgraph as og

CASES = {
    2: [og.Rotate90(), og.Rotate90(1, p=0.5), og.Rotate90(-1), og.Rotate90(2)],
    3: [og.Rotate90((1, 3)), og.Rotate90(3, plane="ZX"), og.Rotate90(1, plane="ZY")],
}


@pytest.mark.parametrize("times", range(-5, 6))
def test_it_is_rot90(times):
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    np.testing.assert_array_equal(og.Compose([og.Rotate90(times)])(image=image).image, np.rot90(image, times))


@pytest.mark.parametrize("plane", ["YX", "ZX", "ZY"])
def test_it_is_rotate_by_90_degrees(plane):
    volume = np.random.default_rng(0).integers(0, 256, (4, 5, 6)).astype(np.uint8)
    turned = [
        og.Compose([step])(image=volume, axes="ZYX").image
        for step in (og.Rotate90(1, plane=plane), og.Rotate(90, reshape=True, plane=plane))
    ]
    np.testing.assert_array_equal(*turned)


def test_every_turn_is_as_likely():
    assert is_even_among(drawn(og.Rotate90(), lambda params: params["times"]), range(4))
    assert is_even_among(drawn(og.Rotate90((-1, 1)), lambda params: params["times"]), [3, 0, 1])
    assert not og.Rotate90(2).draws and not og.Rotate90((2, 2)).varies and og.Rotate90().draws


def test_lengths_that_are_known_before_a_draw():
    def size(step, *shape):
        return og.Compose([step]).output_spec(og.ArraySpec(shape, "uint8", "YX")).shape

    assert size(og.Rotate90(), 4, 6) == (None, None) and size(og.Rotate90(), 5, 5) == (5, 5)
    assert size(og.Rotate90(1), 4, 6) == (6, 4) and size(og.Rotate90(2), 4, 6) == (4, 6)
    assert size(og.Rotate90((3, 3)), 4, 6) == (6, 4)


def test_boxes_points_and_the_way_back():
    image = np.zeros((40, 60), np.uint8)
    out = og.Compose([og.Rotate90(1)])(image=image, boxes=[[10, 0, 30, 20]], points=[[3, 50]])
    np.testing.assert_array_equal(out.boxes.array, [[0, 30, 20, 50]])
    np.testing.assert_array_equal(out.points.places, [[9, 3]])
    np.testing.assert_array_equal(out.frame.undo(boxes=out.boxes).array, [[10, 0, 30, 20]])


@pytest.mark.parametrize("times", [0.5, "1", (3, 1), (0, 1, 2), True, 2000])
def test_bad_times(times):
    with pytest.raises(
        og.StepError, match="Rotate90: times: expected a whole number from -1000 to 1000, or a pair"
    ):
        og.Rotate90(times)


def test_a_plane_that_an_image_lacks():
    with pytest.raises(og.StepError, match="plane='ZX' needs a volume, the image has the spatial axes YX"):
        og.Compose([og.Rotate90(1, plane="ZX")])(image=np.zeros((4, 4), np.uint8))

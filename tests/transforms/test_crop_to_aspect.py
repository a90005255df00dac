import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.even import drawn, is_even_among

import offgraph as og

CASES = {
    2: [
        og.CropToAspect(),
        og.CropToAspect(16 / 9, position="random"),
        og.CropToAspect(0.5, position="end", p=0.5),
        og.CropToAspect(31 / 23, position="start"),
    ],
    3: [og.CropToAspect(), og.CropToAspect(2, position="random")],
}
SIDES = st.integers(1, 90)


def size_of(step, *size):
    return og.Compose([step]).output_spec(og.ArraySpec(size, "uint8", "ZYX"[-len(size) :])).shape


@given(SIDES, SIDES, st.floats(0.1, 10))
def test_the_largest_window(height, width, aspect):
    rows, columns = size_of(og.CropToAspect(aspect), height, width)
    assert 1 <= rows <= height and 1 <= columns <= width and (rows == height or columns == width)
    if rows < height:
        assert abs(rows - max(1, width / aspect)) <= 0.5 + 1e-9
    if columns < width:
        assert abs(columns - max(1, height * aspect)) <= 0.5 + 1e-9


@pytest.mark.parametrize(("position", "left"), [("centre", 2), ("start", 0), ("end", 5)])
def test_it_is_a_slice(position, left):
    image = np.random.default_rng(0).integers(0, 256, (5, 10, 3)).astype(np.uint8)
    out = og.Compose([og.CropToAspect(position=position)])(image=image)
    np.testing.assert_array_equal(out.image, image[:, left : left + 5])


def test_every_place_is_as_likely():
    step = og.CropToAspect(position="random")
    assert is_even_among(drawn(step, lambda params: params["start"][1], size=(40, 52)), range(13))
    assert set(drawn(step, lambda params: params["start"][0], size=(40, 52), count=50)) == {0}
    assert step.draws and not og.CropToAspect().draws


def test_a_volume_is_cropped_in_its_last_two_axes():
    assert size_of(og.CropToAspect(2), 30, 16, 20) == (30, 10, 20)


def test_boxes_and_the_way_back():
    out = og.Compose([og.CropToAspect()])(image=np.zeros((40, 60), np.uint8), boxes=[[5, 5, 25, 25]])
    assert out.boxes is not None
    np.testing.assert_array_equal(out.boxes.array, [[0, 5, 15, 25]])
    assert out.frame.valid().sum() == 40 * 40


def test_what_is_refused():
    with pytest.raises(og.StepError, match="CropToAspect: aspect: expected a number above 0"):
        og.CropToAspect(0)
    with pytest.raises(og.StepError, match="has no pixels to crop"):
        og.Compose([og.CropToAspect()])(image=np.zeros((0, 4), np.uint8))

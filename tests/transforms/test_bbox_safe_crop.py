import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cases import examples
from tests.support.even import is_even_among

import offgraph as og

CASES = {
    2: [
        og.BBoxSafeCrop(),
        og.BBoxSafeCrop((12, 15), erosion=0.3),
        og.BBoxSafeCrop((None, 20), kernel="cubic"),
    ],
    3: [og.BBoxSafeCrop(), og.BBoxSafeCrop(7, erosion=1, antialias=False)],
}


def drawn(step: og.Step, boxes: list, size: tuple[int, int] = (20, 30), count: int = 3000) -> list[dict]:
    recipe, image = og.Compose([step]), np.zeros(size, np.uint8)
    return [
        recipe(image=image, boxes=boxes, key=og.Key(index=i)).record["steps"][0]["params"]
        for i in range(count)
    ]


def test_each_side_is_drawn_evenly_between_the_boxes_and_the_border():
    found = drawn(og.BBoxSafeCrop(), [[4, 3, 6, 5], [10, 2, 27, 18]])
    assert {str(each["around"]) for each in found} == {"[[2, 18], [4, 27]]"}
    assert is_even_among([each["start"][0] for each in found], range(3))
    assert is_even_among([each["start"][1] for each in found], range(5))
    assert is_even_among([each["start"][0] + each["window"][0] for each in found], range(18, 21))
    assert is_even_among([each["start"][1] + each["window"][1] for each in found], range(27, 31))


def test_without_boxes_the_middle_half_stands_for_them():
    found = drawn(og.BBoxSafeCrop(), np.zeros((0, 4)))
    assert {each["around"] for each in found} == {None}
    assert is_even_among([each["start"][0] for each in found], range(6))
    assert is_even_among([each["start"][1] + each["window"][1] for each in found], range(23, 31))


def test_erosion_lets_the_outer_parts_be_cut():
    assert drawn(og.BBoxSafeCrop(erosion=0.5), [[4, 4, 24, 12]], count=1)[0]["around"] == [[6, 10], [9, 19]]
    assert drawn(og.BBoxSafeCrop(erosion=1), [[4, 4, 24, 12]], count=1)[0]["around"] == [[8, 9], [14, 15]]


@examples(100)
@given(st.data())
def test_no_box_is_cut_whatever_comes_before(data):
    size = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    rows = data.draw(st.lists(st.tuples(*[st.integers(0, 32).map(lambda k: k / 32)] * 4), max_size=4))
    boxes = [
        [min(a, c) * size[1], min(b, d) * size[0], max(a, c) * size[1], max(b, d) * size[0]]
        for a, b, c, d in rows
    ]
    before = data.draw(
        st.sampled_from(
            [[], [og.Flip("X")], [og.Rotate((-30, 30))], [og.Scale((0.7, 1.4)), og.Shift((3, -2))]]
        )
    )
    key = og.Key(data.draw(st.integers(0, 999)))
    given = og.Boxes(boxes or np.zeros((0, 4)), size=size, bad_boxes="skip")
    image = np.zeros(size, np.uint8)
    moved = og.Compose(before)(image=image, boxes=given, key=key)
    out = og.Compose([*before, og.BBoxSafeCrop()])(image=image, boxes=given, key=key)
    assert out.boxes.ids.tolist() == moved.boxes.ids.tolist()
    start = np.tile(out.record["steps"][-1]["params"]["start"], 2)
    np.testing.assert_allclose(out.boxes.edges + start, moved.boxes.edges, atol=1e-6)


def test_a_size_is_a_resize_of_the_window():
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    boxes, key = [[20, 10, 30, 25]], og.Key(seed=4)
    window = og.Compose([og.BBoxSafeCrop()])(image=image, boxes=boxes, key=key)
    sized = og.Compose([og.BBoxSafeCrop((17, 19))])(image=image, boxes=boxes, key=key)
    np.testing.assert_array_equal(sized.image, og.Compose([og.Resize((17, 19))])(image=window.image).image)
    assert sized.boxes.visibility.tolist() == [1.0]


def test_only_a_mask():
    with pytest.raises(
        og.StepError, match="BBoxSafeCrop: draws from the boxes, and this sample has none: pass boxes="
    ):
        og.Compose([og.BBoxSafeCrop()])(
            image=np.zeros((9, 9), np.uint8), mask=np.zeros((9, 9), np.uint8), key=og.Key()
        )

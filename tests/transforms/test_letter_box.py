import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.even import drawn, is_even_among

import offgraph as og

CASES = {
    2: [
        og.LetterBox(40),
        og.LetterBox((30, 20), cval=7, mask_cval=2, kernel="cubic"),
        og.LetterBox((50, 33), position="random", enlarge=False),
        og.LetterBox((20, 64), position="end", kernel="box", p=0.5),
    ],
    3: [og.LetterBox(14), og.LetterBox((12, 9, 20), position="random", antialias=False)],
}


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 200), st.integers(1, 200), st.booleans())
def test_the_image_is_as_large_as_fits(height, width, rows, columns, enlarge):
    step = og.LetterBox((rows, columns), enlarge=enlarge)
    spec = og.ArraySpec((height, width), "uint8", "YX")
    fitted = [
        n - 2 * before - (n - 2 * before - made) for n, before, made in
        zip((rows, columns), step.sample(None, spec)["before"], step._fitted((height, width)))
    ]  # fmt: skip
    scale = min(rows / height, columns / width)
    if not enlarge:
        scale = min(scale, 1)
    for n, length, limit in zip((height, width), fitted, (rows, columns)):
        assert abs(length - max(1, n * scale)) <= 0.5 + 1e-9 and length <= limit
    assert any(length == limit for length, limit in zip(fitted, (rows, columns))) or not enlarge


def test_it_is_a_resize_between_bars():
    image = np.random.default_rng(0).integers(0, 256, (60, 91, 3)).astype(np.uint8)
    out = og.Compose([og.LetterBox((60, 45), cval=114, mask_cval=5)])(image=image, mask=image[..., 0])
    same = og.Compose([og.Resize((30, 45))])(image=image, mask=image[..., 0])
    expected = np.full((60, 45, 3), 114, np.uint8)
    expected[15:45] = same.image
    np.testing.assert_array_equal(out.image, expected)
    np.testing.assert_array_equal(out.mask, np.pad(same.mask, ((15, 15), (0, 0)), constant_values=5))


@pytest.mark.parametrize(("position", "top"), [("centre", 2), ("start", 0), ("end", 5)])
def test_where_the_image_lies(position, top):
    out = og.Compose([og.LetterBox((10, 5), position=position)])(image=np.ones((5, 5), np.uint8))
    np.testing.assert_array_equal(np.flatnonzero(out.image[:, 0]), np.arange(top, top + 5))


def test_every_place_is_as_likely():
    step = og.LetterBox((60, 60), position="random")
    rows = drawn(step, lambda params: params["before"][0], size=(40, 50), count=3000)  # becomes 48 x 60
    assert is_even_among(rows, range(13))
    assert step.draws and not og.LetterBox(60).draws


def test_boxes_points_and_the_way_back():
    image = np.zeros((60, 90), np.uint8)
    mask = np.zeros((60, 90), np.uint8)
    mask[20:40, 10:30] = 1
    out = og.Compose([og.LetterBox(45)])(image=image, mask=mask, boxes=[[10, 20, 30, 40]], points=[[0, 0]])
    assert out.boxes is not None and out.points is not None
    np.testing.assert_allclose(out.boxes.array, [[5, 17, 15, 27]])
    np.testing.assert_allclose(out.points.places, [[6.75, -0.25]])
    np.testing.assert_allclose(out.frame.undo(boxes=out.boxes).array, [[10, 20, 30, 40]])
    np.testing.assert_array_equal(out.frame.undo(mask=out.mask), mask)
    assert out.frame.valid().all()


def test_sizes():
    spec = og.Compose([og.LetterBox((8, 9), position="random")]).output_spec(
        og.ArraySpec((60, 90, 3), "uint8", "YXC")
    )
    assert spec.shape == (8, 9, 3)
    with pytest.raises(og.StepError, match=r"LetterBox: .*expected every length"):
        og.LetterBox((8, None))
    with pytest.raises(og.StepError, match="has 3 lengths, the image 2 spatial axes"):
        og.Compose([og.LetterBox((8, 8, 8))])(image=np.zeros((4, 4), np.uint8))
    with pytest.raises(og.StepError, match="has no pixels to resize"):
        og.Compose([og.LetterBox(8)])(image=np.zeros((0, 4), np.uint8))

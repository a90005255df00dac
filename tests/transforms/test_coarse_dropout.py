import numpy as np
import pytest
from tests.support.even import drawn, is_even, is_even_among

import offgraph as og

CASES = {
    2: [og.CoarseDropout(), og.CoarseDropout(3, size={"Y": 5}, fill=1)],
    3: [og.CoarseDropout((2, 4), size=("20%", "50%"), fill=1)],
}


def test_how_many_and_how_large():
    step = og.CoarseDropout((2, 5), size=(3, 9))
    assert is_even_among(drawn(step, lambda params: len(params["holes"])).tolist(), [2, 3, 4, 5])
    lengths = drawn(step, lambda params: params["holes"][0][1][1] - params["holes"][0][1][0]).tolist()
    # An even number from 3 to 9, rounded: both ends half as often.
    assert is_even_among([n for n in lengths if n not in (3, 9)], range(4, 9))
    assert abs(sum(n in (3, 9) for n in lengths) / len(lengths) - 1 / 6) < 0.03


def test_they_lie_anywhere_within_the_image():
    step = og.CoarseDropout(1, size=11)
    for axis, n in enumerate((40, 60)):
        starts = drawn(step, lambda params: params["holes"][0][axis][0])
        assert is_even_among(starts.tolist(), range(n - 10))
    assert is_even(drawn(og.CoarseDropout(1, size=1), lambda p: p["holes"][0][1][0], (40, 10**6)) / 1e6, 0, 1)


def test_rectangles_are_filled_and_the_rest_stays():
    image = np.random.default_rng(0).integers(10, 255, (40, 50, 3), np.uint8)
    out = og.Compose([og.CoarseDropout(2, size={"Y": "25%", "X": 8}, fill=(1, 2, 3))])(
        image=image, key=og.Key(seed=3)
    )
    filled = (out.image == [1, 2, 3]).all(-1)
    expected = np.zeros((40, 50), bool)
    for (top, bottom), (left, right) in out.record["steps"][0]["params"]["holes"]:
        assert (bottom - top, right - left) == (10, 8)
        expected[top:bottom, left:right] = True
    np.testing.assert_array_equal(filled, expected)
    np.testing.assert_array_equal(out.image[~filled], image[~filled])


def test_masks_are_filled_where_asked_for():
    image, mask = np.ones((30, 40), np.uint8), np.full((30, 40), 7, np.uint8)
    recipe = og.Compose([og.Flip("X"), og.CoarseDropout(3, size="20%", mask_fill=255), og.Flip("X")])
    out = recipe(image=image, mask=mask, key=og.Key(seed=2))
    np.testing.assert_array_equal(out.mask == 255, out.image == 0)
    assert set(np.unique(out.mask)) == {7, 255}
    plain = og.Compose([og.CoarseDropout(3)])(image=image, mask=mask, key=og.Key(seed=2))
    np.testing.assert_array_equal(plain.mask, mask)
    with pytest.raises(og.StepError, match="mask_fill=256 cannot be held by a mask of dtype uint8"):
        og.Compose([og.CoarseDropout(mask_fill=256)])(image=image, mask=mask, key=og.Key())


def test_a_larger_one_covers_the_axis():
    out = og.Compose([og.CoarseDropout(1, size=(90, 99), fill=3)])(
        image=np.zeros((20, 30), np.uint8), key=og.Key()
    )
    assert (out.image == 3).all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fill": 256}, "fill=256 cannot be held by dtype uint8"),
        ({"size": {"Z": 3}}, "size names Z, the image has axes YX"),
    ],
)
def test_what_does_not_fit(options, says):
    with pytest.raises(og.StepError, match=says):
        og.Compose([og.CoarseDropout(**options)])(image=np.zeros((9, 9), np.uint8), key=og.Key())


def test_too_many():
    with pytest.raises(og.StepError, match="at most 1,000"):
        og.CoarseDropout((1, 1001))

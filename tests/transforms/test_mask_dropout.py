import numpy as np
import pytest
from tests.support.even import is_even_among

import offgraph as og

CASES = {
    2: [og.MaskDropout(), og.MaskDropout((1, 4), fill=1, mask_fill=None, labels=[255, 254])],
    3: [og.MaskDropout((2, 3), fill=1)],
}
MASK = np.zeros((12, 16), np.uint8)
MASK[1:4, 1:5] = 1
MASK[4, 5] = 1  # hangs together over a corner
MASK[1:4, 5:7] = 2  # touches, and is another
MASK[8:11, 10:14] = 1
OBJECTS = [MASK * 0, MASK * 0, MASK * 0]
OBJECTS[0][:6] = MASK[:6] == 1
OBJECTS[1][:6] = MASK[:6] == 2
OBJECTS[2][6:] = MASK[6:] == 1


def gone(step: og.Step, index: int, mask: np.ndarray = MASK) -> tuple[int, ...]:
    """Which objects an image of ones has lost; nothing else may have changed."""
    out = og.Compose([step])(image=np.ones((12, 16, 2), np.uint8), mask=mask, key=og.Key(index=index))
    lost = out.image[..., 0] == 0
    np.testing.assert_array_equal(out.image[..., 1] == 0, lost)
    np.testing.assert_array_equal(out.mask, np.where(lost, 0, mask))
    found = tuple(number for number, one in enumerate(OBJECTS) if lost[one > 0].all())
    np.testing.assert_array_equal(lost, sum((OBJECTS[number] for number in found), MASK * 0) > 0)
    return found


def test_each_object_is_as_likely():
    found = [gone(og.MaskDropout(), index) for index in range(1500)]
    assert is_even_among(found, [(0,), (1,), (2,)])
    pairs = [gone(og.MaskDropout((1, 2)), index) for index in range(1500)]
    assert is_even_among([len(each) for each in pairs], [1, 2])
    assert is_even_among([each for each in pairs if len(each) == 2], [(0, 1), (0, 2), (1, 2)])


def test_all_objects_where_there_are_fewer():
    assert gone(og.MaskDropout(9), 0) == (0, 1, 2) and gone(og.MaskDropout(9, labels=2), 0) == (1,)
    assert gone(og.MaskDropout(9), 0, MASK * 0) == ()


def test_the_record_replays_without_the_mask():
    image = np.random.default_rng(0).integers(1, 9, (12, 16), np.uint8)
    recipe = og.Compose([og.Flip("X"), og.MaskDropout(2)])
    out = recipe(image=image, mask=MASK, key=og.Key(seed=3))
    again = recipe.replay(out.record, image=image)
    np.testing.assert_array_equal(again.image, out.image)
    assert again.record == out.record and (out.image == 0).any()


def test_masks_stay_where_asked_for():
    out = og.Compose([og.MaskDropout(3, mask_fill=None)])(image=MASK + 1, mask=MASK, key=og.Key())
    np.testing.assert_array_equal(out.mask, MASK)
    np.testing.assert_array_equal(out.image, MASK == 0)
    with pytest.raises(og.StepError, match="mask_fill=256 cannot be held by a mask of dtype uint8"):
        og.Compose([og.MaskDropout(mask_fill=256)])(image=MASK, mask=MASK, key=og.Key())


def test_a_mask_with_channels_is_refused():
    with pytest.raises(
        og.StepError, match="takes a mask of labels on spatial axes only, it has the axes YXC"
    ):
        og.Compose([og.MaskDropout()])(image=MASK, mask=og.Mask(MASK[..., None], "YXC"), key=og.Key())

import numpy as np
import pytest
from tests.support.even import is_even_among

import offgraph as og

CASES = {
    2: [
        og.CropAroundMask((10, 11)),
        og.CropAroundMask((40, 12), labels=3, pad=True, cval=5, mask_cval=1),
        og.CropAroundMask("70%", ignore=[255, 254]),
    ],
    3: [og.CropAroundMask((3, 4, 5)), og.CropAroundMask((12, 4, 5), labels=[1, 2], pad=True, mode="mirror")],
}
MASK = np.zeros((20, 30), np.uint8)
MASK[2:4, 5:7] = 1
MASK[17, 29] = 2
MASK[9, 9] = 255


def starts(step: og.Step, count: int = 3000, mask: np.ndarray = MASK) -> list[dict]:
    recipe = og.Compose([step])
    image = np.zeros(mask.shape, np.uint8)
    return [
        recipe(image=image, mask=mask, key=og.Key(index=i)).record["steps"][0]["params"] for i in range(count)
    ]


def test_each_labelled_pixel_and_each_window_that_holds_it_is_as_likely():
    found = starts(og.CropAroundMask((4, 5), ignore=255))
    assert {each["labelled"] for each in found} == {5}
    pixels = [tuple(each["pixel"]) for each in found]
    assert is_even_among(pixels, [(2, 5), (2, 6), (3, 5), (3, 6), (17, 29)])
    one = [each["start"] for each in found if each["pixel"] == [2, 6]]
    assert is_even_among([start[0] for start in one], [0, 1, 2])  # a window ends at the border
    assert is_even_among([start[1] for start in one], [2, 3, 4, 5, 6])
    other = [each["start"] for each in found if each["pixel"] == [17, 29]]
    assert is_even_among([start[0] for start in other], [14, 15, 16]) and {s[1] for s in other} == {25}


def test_labels_that_count():
    assert {tuple(p["pixel"]) for p in starts(og.CropAroundMask(4, labels=[2, 300]), 20)} == {(17, 29)}
    assert {tuple(p["pixel"]) for p in starts(og.CropAroundMask(4, labels=[2, 255], ignore=2), 20)} == {
        (9, 9)
    }
    flags = starts(og.CropAroundMask(4, labels=[1, 2]), 20, MASK == 255)
    assert {tuple(p["pixel"]) for p in flags} == {(9, 9)}
    wide = (MASK.astype(np.uint64) == 255) * np.uint64((1 << 64) - 1)
    assert {tuple(p["pixel"]) for p in starts(og.CropAroundMask(4, labels=(1 << 64) - 1), 20, wide)} == {
        (9, 9)
    }


def test_without_a_labelled_pixel_it_is_a_random_crop():
    found = starts(og.CropAroundMask((18, 28), labels=7))
    assert {(each["labelled"], each["pixel"]) for each in found} == {(0, None)}
    assert is_even_among(
        [tuple(each["start"]) for each in found], [(y, x) for y in range(3) for x in range(3)]
    )


def test_a_mask_with_a_channel_for_each_class():
    channels = np.stack([MASK == 9, MASK == 2], axis=-1)
    out = og.Compose([og.CropAroundMask(4)])(
        image=np.zeros((20, 30, 3), np.uint8), mask=og.Mask(channels, "YXC"), key=og.Key()
    )
    assert out.record["steps"][0]["params"]["pixel"] == [17, 29] and out.mask.sum() == 1


def test_what_is_no_label():
    with pytest.raises(
        og.StepError, match=r"labels: expected a label of a mask, or a list of labels, got 1\.5"
    ):
        og.CropAroundMask(4, labels=1.5)

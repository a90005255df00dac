import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [
        og.RandomCrop((10, 11)),
        og.RandomCrop((40, 12), pad=True, cval=5, mask_cval=1),
        og.RandomCrop(("70%", 12)),
    ],
    3: [og.RandomCrop((3, 4, 5)), og.RandomCrop((12, 4, 5), pad=True, mode="mirror"), og.RandomCrop("50%")],
}


def test_too_large_names_both_sizes():
    with pytest.raises(
        og.StepError, match=r"RandomCrop: size=\(9, 4\) is larger than the image of \(8, 8\); write pad"
    ):
        og.Compose([og.RandomCrop((9, 4))])(image=np.zeros((8, 8), np.uint8), key=og.Key())


def test_every_place_comes_up():
    image = np.arange(16, dtype=np.uint8).reshape(4, 4)
    recipe = og.Compose([og.RandomCrop((2, 2))])
    corners = {int(recipe(image=image, key=og.Key(index=i)).image[0, 0]) for i in range(200)}
    assert corners == {0, 1, 2, 4, 5, 6, 8, 9, 10}

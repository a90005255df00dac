import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [
        og.CenterCrop((10, 11)),
        og.CenterCrop((40, 12), pad=True, cval=5, mask_cval=1),
        og.CenterCrop(12),
        og.CenterCrop(("80%", 9)),
        og.CenterCrop("150%", pad=True, mode="nearest"),
        og.CenterCrop((80, 90), pad=True, mode="reflect"),
    ],
    3: [og.CenterCrop((3, 4, 5)), og.CenterCrop((20, 4, 25), pad=True, mode="grid-wrap")],
}


def test_too_large_names_both_sizes():
    with pytest.raises(
        og.StepError, match=r"CenterCrop: size=\(9, 4\) is larger than the image of \(8, 8\); write pad"
    ):
        og.Compose([og.CenterCrop((9, 4))])(image=np.zeros((8, 8), np.uint8))


def test_a_fill_that_does_not_fit():
    with pytest.raises(og.StepError, match="cval=300 cannot be held by dtype uint8"):
        og.Compose([og.CenterCrop((9, 9), pad=True, cval=300)])(image=np.zeros((8, 8), np.uint8))

import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [
        og.Pad(3),
        og.Pad(((0, 5), 2), mode="nearest"),
        og.Pad(40, mode="reflect"),
        og.Pad((50, 70), mode="mirror"),
        og.Pad(((35, 1), (0, 64)), mode="grid-wrap"),
        og.Pad("10%"),
        og.Pad((("20%", 1), "35%"), mode="reflect"),
        og.Pad(2, cval=9, mask_cval=4, p=0.5),
    ],
    3: [og.Pad((1, 2, (0, 3))), og.Pad(4, mode="mirror")],
}


@pytest.mark.parametrize("padding", [-1, (1, 2, 3, 4), (1, (2,)), "x", 1.5, ((1, -1), 2)])
def test_bad_padding(padding):
    with pytest.raises(og.StepError, match="Pad: padding: expected pixels"):
        og.Pad(padding)


def test_padding_for_volumes_on_an_image():
    with pytest.raises(og.StepError, match="is for 3 axes, the image has 2"):
        og.Compose([og.Pad((1, 1, 1))])(image=np.zeros((4, 4), np.uint8))

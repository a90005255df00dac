import numpy as np
import pytest
from tests.support.even import drawn, is_even, is_even_among

import offgraph as og

CASES = {2: [og.GridDropout(), og.GridDropout((4, 9), ratio=(0.2, 0.7), fill=1)], 3: [og.GridDropout(5)]}


@pytest.mark.parametrize("axes", ["YX", "ZYX"])
def test_a_square_in_each_cell(axes):
    n = len(axes)
    image = np.ones((24,) * n, np.uint8)
    out = og.Compose([og.GridDropout(6, ratio=0.5)])(image=image, axes=axes, key=og.Key(seed=1))
    offset = out.record["steps"][0]["params"]["offset"]
    for place in np.ndindex(*image.shape):
        gone = all((i + first) % 6 < 3 for i, first in zip(place, offset))
        assert out.image[place] == (0 if gone else 1)


@pytest.mark.parametrize(("ratio", "left"), [(0, 1), (0.25, 1 - 1 / 16), (1, 0)])
def test_the_share_that_is_left(ratio, left):
    out = og.Compose([og.GridDropout(8, ratio=ratio)])(image=np.ones((32, 40), np.uint8), key=og.Key()).image
    assert out.mean() == left


def test_what_is_drawn():
    step = og.GridDropout((4, 7), ratio=(0.2, 0.6))
    assert is_even_among(drawn(step, lambda params: params["unit"]).tolist(), [4, 5, 6, 7])
    assert is_even(drawn(step, lambda params: params["ratio"]), 0.2, 0.6)
    assert is_even_among(drawn(og.GridDropout(5), lambda params: params["offset"][1]).tolist(), range(5))

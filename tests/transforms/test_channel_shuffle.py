from itertools import permutations

import numpy as np
import pytest
from tests.support.even import is_even_among

import offgraph as og

CASES = {2: [og.ChannelShuffle()], 3: [og.ChannelShuffle()]}


def test_each_order_is_as_likely():
    spec = og.ArraySpec((4, 5, 3), "uint8", "YXC")
    orders = [
        tuple(og.ChannelShuffle().sample(og.Draw(og.Key(index=index), "x"), spec)["order"])
        for index in range(3000)
    ]
    assert is_even_among(orders, list(permutations(range(3))))


def test_whole_channels_move():
    image = np.random.default_rng(0).integers(0, 256, (5, 6, 7), np.uint8)
    out = og.Compose([og.ChannelShuffle()])(image=image, axes="CYX", key=og.Key(seed=3))
    order = out.record["steps"][0]["params"]["order"]
    assert sorted(order) == list(range(5)) and order != list(range(5))
    np.testing.assert_array_equal(out.image, image[order])


def test_another_image_with_other_channels():
    with pytest.raises(og.StepError, match=r"was drawn for 3 channels, the image has 2"):
        og.Compose([og.ChannelShuffle()])(
            image=np.zeros((4, 5, 3), np.uint8),
            other=og.Image(np.zeros((4, 5, 2), np.uint8), "YXC"),
            key=og.Key(),
        )

import numpy as np
import pytest
from tests.support.even import is_even_among

import offgraph as og

CASES = {2: [og.ChannelDrop(), og.ChannelDrop((1, 2), fill=1)], 3: [og.ChannelDrop(2)]}
SPEC = og.ArraySpec((4, 5, 3), "uint8", "YXC")


def drawn(step):
    return [step.sample(og.Draw(og.Key(index=index), "x"), SPEC)["channels"] for index in range(3000)]


def test_each_set_is_as_likely():
    assert is_even_among([str(found) for found in drawn(og.ChannelDrop(2))], ["[0, 1]", "[0, 2]", "[1, 2]"])
    assert is_even_among(list(map(len, drawn(og.ChannelDrop((1, 2))))), [1, 2])


def test_one_value_fills_them_and_the_rest_stays():
    image = np.random.default_rng(0).integers(0, 4096, (4, 5, 3), np.uint16)
    out = og.Compose([og.ChannelDrop(2, fill=4095)])(image=image, key=og.Key())
    gone = out.record["steps"][0]["params"]["channels"]
    assert (out.image[..., gone] == 4095).all()
    (left,) = {0, 1, 2} - set(gone)
    np.testing.assert_array_equal(out.image[..., left], image[..., left])


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (og.ChannelDrop((1, 3)), "count=3 would fill every channel: the image has 3"),
        (og.ChannelDrop(fill=256), "fill=256 cannot be held"),
    ],
)
def test_what_does_not_fit(step, says):
    with pytest.raises(og.StepError, match=says):
        og.Compose([step]).output_spec(SPEC)

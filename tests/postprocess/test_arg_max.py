import numpy as np
import pytest

import offgraph as og

CASES = {2: [og.ArgMax()], 3: [og.ArgMax()]}


def test_logits_and_their_probabilities_give_the_same_class():
    logits = np.random.default_rng(1).normal(size=(9, 8, 4))
    direct = og.Compose([og.ArgMax()])(image=logits).image
    np.testing.assert_array_equal(direct, og.Compose([og.Softmax(), og.ArgMax()])(image=logits).image)
    np.testing.assert_array_equal(direct, og.Compose([og.Softmax(), og.Threshold(0)])(image=logits).image)


def test_many_classes():
    given = og.Image(np.arange(300, dtype=np.float32).reshape(1, 1, 300), "YXC")
    out = og.Compose([og.ArgMax()])(image=given).image
    assert out.dtype == np.uint16 and out.tolist() == [[299]]


def test_channels_first():
    given = og.Image(np.array([[[0, 2]], [[1, 1]]], np.float32), "CYX")
    out = og.Compose([og.ArgMax()]).run(og.Targets.of_image(given), og.Key()).targets.image
    assert out.axes == "YX" and out.array.tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((2, 2, 1), np.float32), "for one per pixel write Threshold"),
        (np.zeros((2, 2, 3), np.uint8), "floats, got uint8"),
        (np.full((1, 1, 2), np.nan, np.float32), "2 of 2 values are NaN"),
    ],
)
def test_refused(image, says):
    with pytest.raises(og.StepError, match=f"ArgMax: .*{says}"):
        og.Compose([og.ArgMax()])(image=image)

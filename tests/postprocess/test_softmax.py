import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import offgraph as og

CASES = {2: [og.Softmax()], 3: [og.Softmax()]}


@given(hnp.arrays(np.float64, (2, 3, 4), elements=st.floats(-700, 700)))
def test_the_formula(logits):
    out = og.Compose([og.Softmax()])(image=logits).image
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    np.testing.assert_allclose(out, powers / powers.sum(axis=-1, keepdims=True), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(out.sum(axis=-1), 1, rtol=1e-12)


def test_channels_first():
    logits = np.random.default_rng(0).normal(size=(5, 7, 3)).astype(np.float32)
    recipe = og.Compose([og.Softmax()])
    first = og.Image(np.ascontiguousarray(np.moveaxis(logits, -1, 0)), "CYX")
    out = recipe.run(og.Targets.of_image(first), og.Key()).targets.image
    assert out.axes == "CYX"
    np.testing.assert_array_equal(np.moveaxis(out.array, 0, -1), recipe(image=logits).image)


@pytest.mark.parametrize(
    ("pixel", "says"),
    [
        ([0, np.nan], "1 of 2 values are NaN"),
        ([0, np.inf], "logits are infinite"),
        ([-np.inf, -np.inf], "logits are minus infinity for all classes"),
    ],
)
def test_no_probability_can_be_told(pixel, says):
    with pytest.raises(og.StepError, match=f"Softmax: {says}"):
        og.Compose([og.Softmax()])(image=np.array([[pixel]], np.float32))


def test_one_class_ruled_out():
    out = og.Compose([og.Softmax()])(image=np.array([[[-np.inf, 0, 0]]], np.float32)).image
    assert out.tolist() == [[[0, 0.5, 0.5]]]


def test_one_channel_has_no_choice():
    with pytest.raises(og.StepError, match="write Sigmoid"):
        og.Compose([og.Softmax()])(image=np.zeros((2, 2, 1), np.float32))

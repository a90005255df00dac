import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.support.cases import examples, values

import offgraph as og

CASES = {
    2: [og.ZScore(), og.ZScore(per_channel=False), og.ZScore(divide=False)],
    3: [og.ZScore(nonzero=True)],
}
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_scores_of_scipy(dtype):
    image = RNG.integers(0, 200, (30, 40, 3)).astype(dtype)
    out = og.Compose([og.ZScore()])(image=image).image
    np.testing.assert_allclose(out, stats.zscore(image.astype(float), axis=(0, 1)), rtol=0, atol=1e-6)
    whole = og.Compose([og.ZScore(per_channel=False)])(image=image).image
    np.testing.assert_allclose(whole, stats.zscore(image.astype(float), axis=None), rtol=0, atol=1e-6)


def test_zeros_stay_out_of_it():
    image = RNG.integers(1, 200, (6, 7, 8)).astype(np.int16)
    image[:, :3] = 0
    out = og.Compose([og.ZScore(nonzero=True)])(image=image, axes="ZYX").image
    assert (out[image == 0] == 0).all()
    np.testing.assert_allclose(
        out[image != 0], stats.zscore(image[image != 0].astype(float)), rtol=0, atol=1e-6
    )
    assert (og.Compose([og.ZScore(nonzero=True)])(image=np.zeros((4, 5), np.uint8)).image == 0).all()


def test_one_value_becomes_0():
    assert (og.Compose([og.ZScore()])(image=np.full((4, 5), 200, np.uint8)).image == 0).all()


def test_it_cannot_be_drawn():
    with pytest.raises(og.StepError, match="needs p=1"):
        og.Compose([og.ZScore(p=0.5)]).output_spec(og.ArraySpec((4, 5), "uint8", "YX"))


def test_centred_values_keep_their_spread():
    image = RNG.integers(0, 200, (30, 40, 3), np.uint8)
    out = og.Compose([og.ZScore(per_channel=False, divide=False)])(image=image).image
    np.testing.assert_allclose(out, image - image.mean(), atol=1e-4)


@given(
    st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i8", "f4", "f8"]),
    st.sampled_from(["plain", "flat", "extreme", "special"]),
    st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(1, 4)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(0, 1000),
)
@examples(150)
def test_the_core_has_the_bytes_of_numpys_mean_and_std(
    dtype, kind, shape, per_channel, nonzero, divide, seed
):
    image = values(shape, dtype, seed, kind)
    image[seed % 3 :: 4] = 0
    step = og.ZScore(per_channel=per_channel, nonzero=nonzero, divide=divide)
    with np.errstate(all="ignore"):
        expected = step.reference(None, image, {})
    found = og.Compose([step])(image=image, axes="YXC").image
    is_number = ~np.isnan(expected)
    np.testing.assert_array_equal(found.view("u4")[is_number], expected.view("u4")[is_number])
    np.testing.assert_array_equal(np.isnan(found), ~is_number)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.exposure import rescale_intensity
from tests.support.cases import examples, values

import offgraph as og

CASES = {
    2: [og.PercentileNormalize(), og.PercentileNormalize(0, 100, per_channel=False)],
    3: [og.PercentileNormalize(2, 99.8, clip=True)],
}
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_scikit_images_rescale_intensity(dtype):
    image = RNG.gamma(2, 20, (30, 40)).astype(dtype)
    ends = tuple(np.percentile(image.astype(float), (2, 99.8)))
    expected = rescale_intensity(image.astype(float), in_range=ends, out_range=(0.0, 1.0))
    out = og.Compose([og.PercentileNormalize(2, 99.8, clip=True)])(image=image).image
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-6)
    open_ended = og.Compose([og.PercentileNormalize(2, 99.8)])(image=image).image
    assert open_ended.max() > 1 and open_ended.min() <= 0
    np.testing.assert_array_equal(np.clip(open_ended, 0, 1), out)


def test_channels_apart_or_together():
    image = RNG.random((20, 30, 2)) * [1, 100]
    apart = og.Compose([og.PercentileNormalize(0, 100)])(image=image).image
    assert apart[..., 0].max() == apart[..., 1].max() == 1
    together = og.Compose([og.PercentileNormalize(0, 100, per_channel=False)])(image=image).image
    assert together[..., 0].max() < 0.02 and together.max() == 1


def test_one_value_becomes_0():
    assert (og.Compose([og.PercentileNormalize()])(image=np.full((4, 5), 200, np.uint8)).image == 0).all()


@pytest.mark.parametrize("ends", [(5, 5), (-1, 50), (50, 101), (60, 40)])
def test_what_are_no_percentiles(ends):
    with pytest.raises(og.StepError, match="expected 0 <= low < high <= 100"):
        og.PercentileNormalize(*ends)


@given(
    st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i8", "f4", "f8"]),
    st.sampled_from(["plain", "flat", "extreme", "special"]),
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4)),
    st.tuples(st.floats(0, 60), st.floats(0.5, 40)),
    st.booleans(),
    st.booleans(),
    st.integers(0, 1000),
)
@examples(150)
def test_the_core_has_the_bytes_of_numpys_percentile(dtype, kind, shape, ends, per_channel, clip, seed):
    image = values(shape, dtype, seed, kind)
    step = og.PercentileNormalize(ends[0], ends[0] + ends[1], per_channel=per_channel, clip=clip)
    with np.errstate(all="ignore"):
        expected = step.reference(None, image, {})
    found = og.Compose([step])(image=image, axes="YXC").image
    np.testing.assert_array_equal(
        found.view("u4")[~np.isnan(expected)], expected.view("u4")[~np.isnan(expected)]
    )
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))

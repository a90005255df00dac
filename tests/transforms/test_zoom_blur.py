import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import offgraph as og

CASES = {2: [og.ZoomBlur(), og.ZoomBlur((1, 2), parts=2)], 3: [og.ZoomBlur(1.5, parts=3)]}


def test_the_middle_stays_and_the_border_is_smeared():
    image = np.random.default_rng(0).uniform(0, 255, (41, 61))
    out = og.Compose([og.ZoomBlur(1.3)])(image=image).image
    assert abs(out[20, 30] - image[20, 30]) < 1e-9
    assert out[:8].std() < 0.6 * image[:8].std()


def test_it_is_the_mean_of_enlarged_images():
    image = np.random.default_rng(0).uniform(0, 255, (21, 31))
    out = og.Compose([og.ZoomBlur(2.0, parts=2)])(image=image).image
    places = np.indices(image.shape) / 2 + np.array([10, 15]).reshape(2, 1, 1) / 2
    enlarged = ndimage.map_coordinates(image, places, order=1)
    np.testing.assert_allclose(out, (image + enlarged) / 2, atol=1e-9)
    same = og.Compose([og.ZoomBlur(1.0)])(image=image).image
    np.testing.assert_allclose(same, image, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 30), st.integers(1, 40)),
    channels=st.integers(0, 4),
    dtype=st.sampled_from(["uint8", "uint16"]),
    factor=st.floats(1, 10),
    parts=st.integers(2, 9),
    seed=st.integers(0, 99),
)
def test_images_of_integers_have_the_bytes_of_scipy(size, channels, dtype, factor, parts, seed):
    shape = (*size, channels) if channels else size
    top = np.iinfo(dtype).max
    image = np.random.default_rng(seed).integers(0, top, shape, dtype, endpoint=True)
    step = og.ZoomBlur(factor, parts=parts)
    out = og.Compose([step])(image=image).image
    planes = [image[..., channel] for channel in range(channels)] if channels else [image]
    wanted = [step.reference(ndimage, plane, {"factor": factor}) for plane in planes]
    np.testing.assert_array_equal(out, np.stack(wanted, axis=-1) if channels else wanted[0])

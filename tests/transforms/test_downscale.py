import numpy as np
import pytest
from tests.support.even import drawn, is_even

import offgraph as og
from offgraph.engine.resize import resize_reference

CASES = {
    2: [og.Downscale(), og.Downscale((0.2, 0.9), kernel="triangle"), og.Downscale(0.3, like="opencv")],
    3: [og.Downscale(0.4, kernel="cubic"), og.Downscale((0.3, 0.5), like="opencv")],
}
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("kernel", ["box", "triangle", "lanczos3"])
def test_two_resizes_by_their_definition(dtype, kernel):
    image = RNG.integers(0, 250, (23, 31, 3)).astype(dtype)
    out = og.Compose([og.Downscale(0.3, kernel=kernel)])(image=image).image
    small = resize_reference(image, (7, 9), axes=(0, 1), kernel=kernel)
    np.testing.assert_array_equal(out, resize_reference(small, (23, 31), axes=(0, 1), kernel=kernel))
    twice = og.Compose([og.Resize((7, 9), kernel=kernel), og.Resize((23, 31), kernel=kernel)], fuse=False)
    np.testing.assert_array_equal(out, twice(image=image).image)


def test_squares():
    image = RNG.integers(0, 250, (8, 12)).astype(np.float64)
    out = og.Compose([og.Downscale(0.25)])(image=image).image
    means = image.reshape(2, 4, 3, 4).mean((1, 3))
    np.testing.assert_allclose(out, np.kron(means, np.ones((4, 4))), rtol=0, atol=1e-12)


def test_the_whole_size_and_one_pixel():
    image = RNG.integers(0, 250, (5, 7), np.uint8)
    np.testing.assert_array_equal(og.Compose([og.Downscale(1.0)])(image=image).image, image)
    assert np.unique(og.Compose([og.Downscale(0.01)])(image=image).image).size == 1


def test_what_is_drawn():
    assert is_even(drawn(og.Downscale((0.25, 0.75)), lambda params: params["scale"]), 0.25, 0.75)


@pytest.mark.parametrize("scale", [0, 1.5, (0, 0.5)])
def test_what_is_no_scale(scale):
    with pytest.raises(og.StepError, match="scale"):
        og.Downscale(scale)


def test_single_pixels_of_opencv():
    """Numbers that `cv2.resize` gave, by the factor 0.37 and back, with INTER_NEAREST."""
    image = np.arange(11 * 7, dtype=np.uint8).reshape(11, 7)
    out = og.Compose([og.Downscale(0.37, like="opencv")])(image=image).image
    np.testing.assert_array_equal(out[:, 0], [0, 0, 0, 14, 14, 14, 35, 35, 35, 56, 56])
    np.testing.assert_array_equal(out[0], [0, 0, 0, 2, 2, 5, 5])
    np.testing.assert_array_equal(out, out[:, :1] + out[:1])
    assert set(np.unique(out)) <= set(np.unique(image))
    np.testing.assert_array_equal(og.Compose([og.Downscale(1.0, like="opencv")])(image=image).image, image)
    assert np.unique(og.Compose([og.Downscale(0.01, like="opencv")])(image=image).image).tolist() == [0]


def test_a_kernel_that_averages_takes_no_single_pixels():
    with pytest.raises(og.StepError, match="kernel='cubic' averages"):
        og.Downscale(0.5, kernel="cubic", like="opencv")

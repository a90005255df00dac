import inspect
from typing import get_args

import numpy as np
import pytest
from scipy import ndimage
from tests.support.even import drawn, is_even

import offgraph as og
from offgraph.transforms.filters.ndimage import _ARGUMENTS, Function

CROSS = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
BLOCK = np.ones((2, 3, 3), int).tolist()
CASES = {
    2: [
        og.Ndimage("white_tophat", size=5),
        og.Ndimage("black_tophat", footprint=CROSS, mode="nearest"),
        og.Ndimage("grey_closing", size={"Y": 3}),
        og.Ndimage("grey_dilation", structure=[[0, 2, 0], [2, 3, 2], [0, 2, 0]]),
        og.Ndimage("grey_erosion", size=4, origin=1),
        og.Ndimage("grey_opening", size=3, mode="mirror"),
        og.Ndimage("morphological_gradient", size=3),
        og.Ndimage("morphological_laplace", size=3),
        og.Ndimage("maximum_filter", size={"Y": 3, "X": 5}, mode="constant", cval=7),
        og.Ndimage("minimum_filter", size=3, origin=-1),
        og.Ndimage("median_filter", size=3),
        og.Ndimage("percentile_filter", percentile=(10, 90), size=4),
        og.Ndimage("rank_filter", rank=-2, footprint=CROSS),
        og.Ndimage("uniform_filter", size=4, p=0.5),
        og.Ndimage("gaussian_filter", sigma=(0.5, 1.5)),
        og.Ndimage("gaussian_gradient_magnitude", sigma=1, truncate=3),
        og.Ndimage("gaussian_laplace", sigma=1.5),
        og.Ndimage("laplace"),
        og.Ndimage("sobel", axis="Y"),
        og.Ndimage("prewitt"),
        og.Ndimage("convolve", weights=[[0, 0.25, 0], [0.25, 0, 0.25], [0, 0.25, 0]]),
        og.Ndimage("correlate", weights=[[-1, 0, 1]], mode="grid-wrap"),
        og.Ndimage("binary_closing", structure=CROSS, iterations=2),
        og.Ndimage("binary_dilation"),
        og.Ndimage("binary_erosion", iterations=2),
        og.Ndimage("binary_opening", origin=1),
        og.Ndimage("binary_fill_holes"),
        og.Ndimage("distance_transform_edt", sampling={"Y": 2}),
    ],
    3: [
        og.Ndimage("white_tophat", size={"YX": 3}),
        og.Ndimage("maximum_filter", footprint=BLOCK),
        og.Ndimage("gaussian_filter", sigma={"Z": 0.5, "YX": (1, 2)}),
        og.Ndimage("sobel", axis="Z"),
        og.Ndimage("binary_erosion", structure=BLOCK),
    ],
}


def make_image(rng, shape, dtype):
    """Half of the values are 0, so that binary functions have something to find."""
    values = rng.integers(0, 200, shape) * (rng.random(shape) < 0.5)
    return values.astype(dtype)


def test_every_function_has_a_case_and_is_scipys():
    assert {case.function for case in CASES[2]} == set(get_args(Function))
    for name, arguments in _ARGUMENTS.items():
        takes = set(inspect.signature(getattr(ndimage, name)).parameters)
        assert arguments - {"truncate"} <= takes or "kwargs" in takes, name
        assert {"size", "footprint", "structure", "weights", "sampling"} & takes <= arguments, name


def test_channels_never_mix():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    out = og.Compose([og.Ndimage("white_tophat", size=15)])(image=image).image
    for channel in range(3):
        np.testing.assert_array_equal(out[..., channel], ndimage.white_tophat(image[..., channel], size=15))


def test_dtypes_are_scipys():
    def dtype(step, given="uint8"):
        out = og.Compose([step])(image=np.eye(6).astype(given))
        assert og.Compose([step]).output_spec(og.ArraySpec((6, 6), given, "YX")).dtype == str(out.image.dtype)
        return str(out.image.dtype)

    assert dtype(og.Ndimage("binary_dilation")) == "bool"
    assert dtype(og.Ndimage("distance_transform_edt")) == "float64"
    assert dtype(og.Ndimage("grey_erosion", size=3), "uint16") == "uint16"
    assert dtype(og.Ndimage("sobel"), "int16") == "int16"


@pytest.mark.parametrize(
    "step",
    [
        og.Ndimage("sobel"),
        og.Ndimage("laplace"),
        og.Ndimage("gaussian_gradient_magnitude", sigma=1),
        og.Ndimage("convolve", weights=[[1, -1]]),
    ],
)
def test_derivatives_of_unsigned_images_are_refused(step):
    image = np.random.default_rng(0).integers(0, 256, (9, 9)).astype(np.uint8)
    with pytest.raises(og.StepError, match="of uint8 wraps around below 0; put Rescale"):
        og.Compose([step])(image=image)
    assert og.Compose([og.Rescale(1), step])(image=image).image.dtype == np.float32


def test_what_is_drawn():
    sigma = drawn(og.Ndimage("gaussian_filter", sigma=(0.5, 1.5)), lambda params: params["sigma"])
    percentile = drawn(
        og.Ndimage("percentile_filter", percentile=(10, 90), size=3), lambda params: params["percentile"]
    )
    assert is_even(sigma, 0.5, 1.5) and is_even(percentile, 10, 90)
    assert not og.Ndimage("laplace").draws


def test_files():
    text = "offgraph: 1\nsteps:\n- Ndimage: {function: rank_filter, rank: 2, footprint: [[false, true], [1, 1]]}\n- Ndimage: laplace\n"
    read = og.Compose.from_yaml(text)
    assert read.steps == (
        og.Ndimage("rank_filter", rank=2, footprint=[[0, 1], [1, 1]]),
        og.Ndimage("laplace"),
    )
    assert og.Compose.from_yaml(read.to_yaml()) == read


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"function": "generic_filter"}, "function: input should be 'binary_closing'"),
        ({"function": "zoom"}, "function: input should be"),
        ({"function": "__class__"}, "function: input should be"),
        ({"function": "laplace", "output": "float32"}, "output: is not a parameter"),
        ({"function": "laplace", "size": 3}, "laplace does not take size; it takes cval, mode"),
        ({"function": "binary_erosion", "mode": "nearest"}, "binary_erosion does not take mode"),
        ({"function": "gaussian_filter"}, "gaussian_filter needs sigma"),
        ({"function": "white_tophat"}, "white_tophat needs structure or size or footprint"),
        ({"function": "rank_filter", "size": 3}, "rank_filter needs rank"),
        ({"function": "percentile_filter", "size": 3, "percentile": 101}, "expected at most 100"),
        ({"function": "distance_transform_edt", "sampling": (1, 2)}, "sampling=.*expected a number"),
        ({"function": "convolve", "weights": [1, 2]}, "weights: expected rows of numbers"),
        ({"function": "convolve", "weights": [[1, 2], [3]]}, "weights: expected rows of numbers"),
        ({"function": "convolve", "weights": [[float("nan")]]}, "weights: expected rows of numbers"),
        (
            {"function": "convolve", "weights": np.ones((101, 100))},
            "expected 1 to 10,000 numbers, got 10,100",
        ),
    ],
)
def test_what_is_refused(parameters, says):
    with pytest.raises(og.StepError, match=says):
        og.Ndimage(**parameters)


def test_windows_for_other_images():
    with pytest.raises(og.StepError, match="footprint has 3 axes, the image has 2 spatial axes"):
        og.Compose([og.Ndimage("maximum_filter", footprint=BLOCK)])(image=np.zeros((4, 4), np.uint8))
    with pytest.raises(og.StepError, match="axis='Z': the image has axes YX"):
        og.Compose([og.Ndimage("sobel", axis="Z")])(image=np.zeros((4, 4)))
    with pytest.raises(og.StepError, match="has a window of 4,000,000 samples"):
        og.Compose([og.Ndimage("median_filter", size=2000)])(image=np.zeros((4, 4)))

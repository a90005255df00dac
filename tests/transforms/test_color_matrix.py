from typing import Any

import numpy as np
import pytest

import offgraph as og

SEPIA: Any = [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]]
SWAP: Any = [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
DOUBLE: Any = np.eye(4) * 2
CASES = {2: [og.ColorMatrix(SEPIA, range=255)], 3: [og.ColorMatrix(SWAP)]}
PHOTO = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def test_a_sum_for_each_channel():
    out = og.Compose([og.ColorMatrix(SEPIA)])(image=PHOTO).image
    expected = np.minimum(PHOTO.astype(np.float64) @ np.array(SEPIA).T, 255)
    assert np.abs(out - expected).max() <= 0.5 + 1e-9


def test_another_order_copies_values():
    swap = og.Compose([og.ColorMatrix(SWAP)])
    for image in (PHOTO, PHOTO.astype(np.uint16) * 257):
        np.testing.assert_array_equal(swap(image=image).image, image[..., ::-1])


def test_any_number_of_channels():
    four = np.random.default_rng(1).integers(0, 4096, (5, 6, 4), np.uint16)
    out = og.Compose([og.ColorMatrix(DOUBLE, range=4095)])(image=four).image
    np.testing.assert_array_equal(out, np.minimum(four * 2, 4095))


@pytest.mark.parametrize("matrix", [[[1, 2]], [[1], [2]], np.eye(17), [[[1]]], [], "sepia"], ids=str)
def test_matrices_that_are_none(matrix):
    with pytest.raises(og.StepError, match="matrix"):
        og.ColorMatrix(matrix)


def test_an_image_of_other_channels_is_refused():
    with pytest.raises(og.StepError, match="is for 3 channels, the image has 1"):
        og.Compose([og.ColorMatrix(SEPIA)])(image=PHOTO[..., 0])

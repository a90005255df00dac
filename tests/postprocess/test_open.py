import numpy as np
from hypothesis import given
from scipy import ndimage
from skimage import morphology
from tests.postprocess.test_morphology import LABELS

import offgraph as og

CASES = {
    2: [og.Open(), og.Open(2, connectivity=2)],
    3: [og.Open(), og.Open(2, connectivity=3)],
}


def make_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return ((rng.random(shape) < 0.95) * rng.integers(1, 4, shape)).astype(dtype)


def test_a_bridge_between_two_objects_is_cut():
    labels = np.zeros((9, 21), np.uint8)
    labels[1:8, 1:8] = labels[1:8, 13:20] = labels[4, 8:13] = 1
    assert ndimage.label(labels)[1] == 1
    out = og.Compose([og.Open(1, connectivity=2), og.Label()])(image=labels).image
    assert out.max() == 2 and (out > 0).sum() == 98


@given(LABELS.map(lambda labels: labels > 0))
def test_scikit_images_opening_of_one_object(mask):
    footprint = ndimage.generate_binary_structure(2, 2)
    out = og.Compose([og.Open(connectivity=2)])(image=mask.astype(np.uint8)).image
    np.testing.assert_array_equal(out, morphology.opening(mask, footprint))

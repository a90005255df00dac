import numpy as np
from hypothesis import given
from scipy import ndimage
from skimage import morphology
from tests.postprocess.test_morphology import LABELS

import offgraph as og

CASES = {
    2: [og.Close(), og.Close(2, connectivity=2)],
    3: [og.Close(), og.Close(2, connectivity=3)],
}


def make_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return ((rng.random(shape) < 0.5) * rng.integers(1, 4, shape)).astype(dtype)


def test_another_label_in_the_gap_stays():
    labels = np.array([[1, 0, 2, 0, 1]], np.uint8)
    assert og.Compose([og.Close(2)])(image=labels).image.tolist() == [[1, 1, 2, 1, 1]]


@given(LABELS.map(lambda labels: labels > 0))
def test_scikit_images_closing_of_one_object(mask):
    footprint = ndimage.generate_binary_structure(2, 2)
    out = og.Compose([og.Close(connectivity=2)])(image=mask.astype(np.uint8)).image
    np.testing.assert_array_equal(out, morphology.closing(mask, footprint))

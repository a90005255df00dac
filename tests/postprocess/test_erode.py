import numpy as np
from hypothesis import given
from scipy import ndimage
from skimage import morphology
from tests.postprocess.test_morphology import LABELS

import offgraph as og

CASES = {
    2: [og.Erode(), og.Erode(2, connectivity=2)],
    3: [og.Erode(), og.Erode(2, connectivity=3)],
}


def make_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return ((rng.random(shape) < 0.95) * rng.integers(1, 4, shape)).astype(dtype)


@given(LABELS.map(lambda labels: labels > 0))
def test_scikit_images_erosion_of_one_object(mask):
    footprint = ndimage.generate_binary_structure(2, 1)
    out = og.Compose([og.Erode()])(image=mask.astype(np.uint8)).image
    np.testing.assert_array_equal(out, morphology.erosion(mask, footprint))

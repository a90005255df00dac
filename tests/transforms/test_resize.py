import numpy as np
import pytest

import offgraph as og
from offgraph.geometry.affine_map import AffineMap

CASES = {
    2: [
        og.Resize((12, 40)),
        og.Resize((60, 15), kernel="cubic"),
        og.Resize((11, 13), antialias=False),
        og.Resize(16),
        og.Resize((12, None)),
        og.Resize((None, 50)),
        og.Resize(scale={"Y": 2, "X": 0.7}),
        og.Resize(scale=0.5, kernel="box"),
        og.Resize(scale=(0.6, 1.7), kernel="lanczos3"),
    ],
    3: [
        og.Resize((5, 14, 6)),
        og.Resize(scale=1.5),
        og.Resize(12),
        og.Resize(scale={"Z": 2, "YX": (0.5, 1.5)}),
    ],
}


def test_masks_take_the_nearest_pixel():
    mask = np.arange(8, dtype=np.uint32).reshape(2, 4)
    out = og.Compose([og.Resize((4, 2))])(image=np.zeros((2, 4), np.uint8), mask=mask).mask
    np.testing.assert_array_equal(out, [[1, 3], [1, 3], [5, 7], [5, 7]])


def test_the_edges_stay_edges():
    grid = og.Resize((10, 3)).map({}, og.ArraySpec((25, 7), "uint8", "YX"))
    assert isinstance(grid, AffineMap)
    np.testing.assert_allclose(
        grid(np.array([[-0.5, -0.5], [9.5, 2.5]])), [[-0.5, -0.5], [24.5, 6.5]], atol=1e-12
    )


def test_a_size_for_volumes_on_an_image():
    with pytest.raises(og.StepError, match="has 3 lengths, the image 2 spatial axes"):
        og.Compose([og.Resize((4, 4, 4))])(image=np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize("parameters", [{}, {"size": (4, 4), "scale": 2}, {"size": 0}, {"size": (0, 4)}])
def test_bad_sizes(parameters):
    with pytest.raises(og.StepError, match=r"Resize: .*expected"):
        og.Resize(**parameters)


def test_no_pixels():
    with pytest.raises(og.StepError, match="has no pixels to resize"):
        og.Compose([og.Resize((4, 4))])(image=np.zeros((0, 4), np.uint8))


def test_a_bool_image_is_refused_and_a_bool_mask_is_not():
    image = np.eye(4, dtype=bool)
    recipe = og.Compose([og.Resize((2, 2))])
    with pytest.raises(og.StepError, match=r"Resize: cannot average a bool image, .*pass it as mask="):
        recipe(image=image)
    assert recipe(image=image.astype(np.uint8), mask=image).mask.dtype == bool

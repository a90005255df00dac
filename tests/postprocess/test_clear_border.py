import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage import segmentation

import offgraph as og

CASES = {
    2: [og.ClearBorder(), og.ClearBorder(2, connectivity=2)],
    3: [og.ClearBorder(), og.ClearBorder(1, connectivity=3)],
}


def make_image(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return ((rng.random(shape) < 0.4) * rng.integers(1, 4, shape)).astype(dtype)


@given(
    hnp.arrays(
        np.uint8,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=3, max_side=12),
        elements=st.sampled_from([0, 0, 0, 1, 2]),
    ),
    st.integers(0, 2),
)
def test_scikit_images_function(labels, buffer):
    out = og.Compose([og.ClearBorder(buffer, connectivity=2)])(image=labels).image
    np.testing.assert_array_equal(out, segmentation.clear_border(labels, buffer_size=buffer))


@pytest.mark.parametrize("size", [(5, 5), (0, 7), (1, 1)])
def test_nothing_and_one_object_that_fills_the_image(size):
    for value in (0, 7):
        out = og.Compose([og.ClearBorder()])(image=np.full(size, value, np.uint16)).image
        assert out.shape == size and not out.any()


def test_a_piece_inside_stays_while_a_piece_of_the_same_label_goes():
    labels = np.zeros((6, 9), np.uint8)
    labels[2:4, 0:3] = labels[2:4, 5:7] = 4
    out = og.Compose([og.ClearBorder()])(image=labels).image
    assert (out > 0).sum() == 4 and out[2, 5] == 4


def test_an_edge_wider_than_the_image():
    labels = np.ones((6, 6), np.uint8)
    labels[0] = labels[-1] = labels[:, 0] = labels[:, -1] = 0
    assert not og.Compose([og.ClearBorder(1 << 30)])(image=labels).image.any()

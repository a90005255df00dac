import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.even import drawn, is_even_among

import offgraph as og

CASES = {
    2: [
        og.ResizeShorter(16),
        og.ResizeShorter((14, 40), kernel="cubic"),
        og.ResizeShorter(30, longest=35, p=0.7),
        og.ResizeShorter(12, kernel="box", antialias=False),
    ],
    3: [og.ResizeShorter(6), og.ResizeShorter((7, 12), longest=14)],
}


def size_of(step, *size):
    return og.Compose([step]).output_spec(og.ArraySpec(size, "uint8", "ZYX"[-len(size) :])).shape


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 300))
def test_sides_keep_the_aspect(height, width, length):
    made = size_of(og.ResizeShorter(length), height, width)
    assert min(made) == length
    for n, side in zip((height, width), made):
        assert abs(side - n * length / min(height, width)) <= 0.5 + 1e-9


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 300), st.integers(1, 300))
def test_the_longest_side(height, width, length, longest):
    """torchvision's `max_size`."""
    made = size_of(og.ResizeShorter(length, longest=longest), height, width)
    assert max(made) <= longest or max(size_of(og.ResizeShorter(length), height, width)) <= longest
    assert min(made) <= length


def test_it_has_the_bytes_of_resize():
    image = np.random.default_rng(0).integers(0, 256, (60, 91, 3)).astype(np.uint8)
    for options in ({}, {"kernel": "cubic"}, {"antialias": False}):
        made = og.Compose([og.ResizeShorter(20, **options)])(image=image, mask=image[..., 0])
        same = og.Compose([og.Resize((20, 30), **options)])(image=image, mask=image[..., 0])
        np.testing.assert_array_equal(made.image, same.image)
        np.testing.assert_array_equal(made.mask, same.mask)


def test_every_length_is_as_likely():
    assert is_even_among(drawn(og.ResizeShorter((30, 39)), lambda params: params["size"]), range(30, 40))
    assert size_of(og.ResizeShorter((30, 39)), 50, 60) == (None, None)
    assert not og.ResizeShorter(30).draws


def test_a_volume():
    assert size_of(og.ResizeShorter(8), 16, 32, 24) == (8, 16, 12)


def test_boxes_and_the_way_back():
    out = og.Compose([og.ResizeShorter(30)])(image=np.zeros((60, 90), np.uint8), boxes=[[10, 20, 30, 40]])
    assert out.boxes is not None
    np.testing.assert_allclose(out.boxes.array, [[5, 10, 15, 20]])
    np.testing.assert_allclose(out.frame.undo(boxes=out.boxes).array, [[10, 20, 30, 40]])


@pytest.mark.parametrize("size", [0, 2.5, "3", (5, 4), (1, 2, 3)])
def test_bad_sizes(size):
    with pytest.raises(
        og.StepError, match="ResizeShorter: size: expected a whole number of at least 1, or a pair"
    ):
        og.ResizeShorter(size)


def test_no_pixels():
    with pytest.raises(og.StepError, match="has no pixels to resize"):
        og.Compose([og.ResizeShorter(4)])(image=np.zeros((0, 4), np.uint8))

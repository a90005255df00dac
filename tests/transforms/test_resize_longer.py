import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.even import drawn, is_even_among

import offgraph as og

CASES = {
    2: [
        og.ResizeLonger(40),
        og.ResizeLonger((14, 60), kernel="cubic"),
        og.ResizeLonger(64, enlarge=False),
        og.ResizeLonger(20, kernel="box", antialias=False, p=0.5),
    ],
    3: [og.ResizeLonger(8), og.ResizeLonger((7, 20), enlarge=False)],
}


def size_of(step, *size):
    return og.Compose([step]).output_spec(og.ArraySpec(size, "uint8", "ZYX"[-len(size) :])).shape


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 300), st.booleans())
def test_sides_keep_the_aspect(height, width, length, enlarge):
    made = size_of(og.ResizeLonger(length, enlarge=enlarge), height, width)
    longest = max(height, width)
    assert max(made) == (length if enlarge else min(length, longest))
    for n, side in zip((height, width), made):
        assert abs(side - max(1, n * max(made) / longest)) <= 0.5 + 1e-9


def test_it_has_the_bytes_of_resize():
    image = np.random.default_rng(0).integers(0, 256, (60, 91, 3)).astype(np.uint8)
    made = og.Compose([og.ResizeLonger(45)])(image=image, mask=image[..., 0])
    same = og.Compose([og.Resize((30, 45))])(image=image, mask=image[..., 0])
    np.testing.assert_array_equal(made.image, same.image)
    np.testing.assert_array_equal(made.mask, same.mask)


def test_a_small_image_stays_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (6, 9)).astype(np.uint8)
    out = og.Compose([og.ResizeLonger(45, enlarge=False)])(image=image)
    np.testing.assert_array_equal(out.image, image)


def test_every_length_is_as_likely():
    assert is_even_among(drawn(og.ResizeLonger((30, 39)), lambda params: params["size"]), range(30, 40))
    assert size_of(og.ResizeLonger((30, 39)), 50, 60) == (None, None)


@pytest.mark.parametrize("size", [0, -1, True, (5, 4)])
def test_bad_sizes(size):
    with pytest.raises(
        og.StepError, match="ResizeLonger: size: expected a whole number of at least 1, or a pair"
    ):
        og.ResizeLonger(size)

import numpy as np
import pytest
from tests.support.even import drawn, is_even_among

import offgraph as og

CASES = {2: [og.D4(), og.D4("hvt"), og.D4("r270", p=0.5)], 3: [og.D4(), og.D4("r90", plane="ZY"), og.D4("v")]}
BY_NUMPY = {
    "e": lambda image: image,
    "r90": lambda image: np.rot90(image, 1),
    "r180": lambda image: np.rot90(image, 2),
    "r270": lambda image: np.rot90(image, 3),
    "v": np.flipud,
    "h": np.fliplr,
    "t": np.transpose,
    "hvt": lambda image: np.rot90(image, 2).T,
}


@pytest.mark.parametrize("element", BY_NUMPY)
def test_the_eight(element):
    image = np.arange(24, dtype=np.uint8).reshape(4, 6)
    out = og.Compose([og.D4(element)])(image=image, mask=image)
    np.testing.assert_array_equal(out.image, BY_NUMPY[element](image))
    np.testing.assert_array_equal(out.mask, out.image)
    np.testing.assert_array_equal(out.frame.undo(mask=out.mask), image)


def test_they_are_a_group():
    """Two of them, one after the other, are one of them."""
    image = np.arange(16, dtype=np.uint8).reshape(4, 4)
    all_eight = {BY_NUMPY[name](image).tobytes() for name in BY_NUMPY}
    assert len(all_eight) == 8
    for first in BY_NUMPY:
        made = [og.Compose([og.D4(first), og.D4(second)])(image=image).image.tobytes() for second in BY_NUMPY]
        assert set(made) == all_eight


def test_each_is_as_likely():
    assert is_even_among(drawn(og.D4(), lambda params: params["element"]), BY_NUMPY)
    assert og.D4().draws and not og.D4("e").draws


def test_lengths_that_are_known_before_a_draw():
    def size(step, *shape):
        return og.Compose([step]).output_spec(og.ArraySpec(shape, "uint8", "YX")).shape

    assert size(og.D4(), 4, 6) == (None, None) and size(og.D4(), 5, 5) == (5, 5)
    assert size(og.D4("t"), 4, 6) == (6, 4) and size(og.D4("v"), 4, 6) == (4, 6)


def test_an_element_that_is_none_of_them():
    with pytest.raises(og.StepError, match="D4: element: input should be 'e', 'r90'"):
        og.D4("r45")

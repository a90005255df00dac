import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.even import drawn, is_even_among

import offgraph as og

CASES = {
    2: [
        og.PadTo((30, 40)),
        og.PadTo((40, "110%"), position="random", cval=9, mask_cval=4),
        og.PadTo(multiple=16, mode="reflect"),
        og.PadTo(multiple={"X": 13}, position="start", mode="nearest"),
        og.PadTo(aspect=2, position="end", mode="grid-wrap"),
        og.PadTo(aspect=0.6, p=0.5, mode="mirror"),
    ],
    3: [og.PadTo(12), og.PadTo(multiple={"YX": 8}, position="random"), og.PadTo(aspect=1.5, mode="mirror")],
}
SIDES = st.integers(1, 90)


def size_of(step, *size):
    return og.Compose([step]).output_spec(og.ArraySpec(size, "uint8", "ZYX"[-len(size) :])).shape


@given(SIDES, SIDES, SIDES, SIDES)
def test_at_least_a_size(height, width, rows, columns):
    assert size_of(og.PadTo((rows, columns)), height, width) == (max(height, rows), max(width, columns))


@given(SIDES, SIDES, SIDES)
def test_the_next_multiple(height, width, multiple):
    for n, made in zip((height, width), size_of(og.PadTo(multiple=multiple), height, width)):
        assert made % multiple == 0 and n <= made < n + multiple


@given(SIDES, SIDES, st.floats(0.1, 10))
def test_the_aspect(height, width, aspect):
    rows, columns = size_of(og.PadTo(aspect=aspect), height, width)
    assert rows >= height and columns >= width and (rows == height or columns == width)
    assert (columns - 0.5) / rows <= aspect * (1 + 1e-12) or columns == width
    assert columns >= (rows - 0.5) * aspect * (1 - 1e-12) or rows == height


@pytest.mark.parametrize(("position", "before"), [("centre", (1, 2)), ("start", (0, 0)), ("end", (3, 5))])
def test_it_is_numpy_pad(position, before):
    image = np.random.default_rng(0).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    out = og.Compose([og.PadTo((8, 11), position=position, cval=7)])(image=image)
    pads = [(b, total - b) for b, total in zip(before, (3, 5))]
    np.testing.assert_array_equal(out.image, np.pad(image, [*pads, (0, 0)], constant_values=7))


def test_an_image_that_is_large_enough_stays():
    image = np.random.default_rng(0).integers(0, 256, (8, 6)).astype(np.uint8)
    for step in (og.PadTo((8, 5)), og.PadTo(multiple=2), og.PadTo(aspect=0.75)):
        np.testing.assert_array_equal(og.Compose([step])(image=image).image, image)


def test_every_place_is_as_likely():
    step = og.PadTo((50, 62), position="random")
    assert is_even_among(drawn(step, lambda params: params["before"][0], size=(40, 60)), range(11))
    assert is_even_among(drawn(step, lambda params: params["before"][1], size=(40, 60)), range(3))
    assert step.draws and not og.PadTo(50).draws


def test_the_way_back():
    labels = np.arange(30, dtype=np.int32).reshape(5, 6)
    out = og.Compose([og.PadTo(multiple=8)])(image=labels.astype(np.uint8), mask=labels, points=[[0, 0]])
    assert out.points is not None
    np.testing.assert_array_equal(out.points.places, [[1, 1]])
    np.testing.assert_array_equal(out.frame.undo(mask=out.mask), labels)


def test_lengths_that_are_known():
    def known(step, shape):
        return step.open_size(shape)

    assert known(og.PadTo(multiple=8), (None, 9)) == (None, 16)
    assert known(og.PadTo(aspect=1), (None, 9)) == (None, None)
    assert known(og.PadTo(20), (None, 9)) == (None, 20)


@pytest.mark.parametrize("parameters", [{}, {"size": 4, "multiple": 2}, {"size": 4, "aspect": 1}])
def test_one_of_three(parameters):
    with pytest.raises(og.StepError, match="PadTo: expected one of size=, multiple= and aspect="):
        og.PadTo(**parameters)


@pytest.mark.parametrize(
    "parameters", [{"size": 0}, {"multiple": 0}, {"aspect": 0}, {"size": 3, "position": "top"}]
)
def test_bad_parameters(parameters):
    with pytest.raises(og.StepError, match=r"PadTo: \w+: (expected|input should)"):
        og.PadTo(**parameters)

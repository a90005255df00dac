import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import offgraph as og

CASES = {
    2: [
        og.Spacing(1.0, 0.75),
        og.Spacing({"X": 2.0}, {"Y": 1.0, "X": 1.5}, kernel="cubic"),
        og.Spacing({"Y": 0.4, "X": 0.5}, 0.7, antialias=False, p=0.5),
    ],
    3: [og.Spacing(1.0, {"Z": 2.0, "YX": 0.7}), og.Spacing({"Z": 1.5}, 1.0, kernel="box")],
}


@given(st.integers(1, 400), st.floats(0.1, 10), st.floats(0.1, 10))
def test_lengths_are_met_but_for_half_a_pixel(n, wanted, known):
    (made, other) = og.Spacing({"Y": wanted}, known).output_size((n, 7), {})
    assert other == 7 and abs(made - max(1, n * known / wanted)) <= 0.5 + 1e-9 * n * known / wanted


def test_a_quotient_that_is_a_half_is_rounded_to_even():
    assert og.Spacing(1.0, 0.5).output_size((5, 7), {}) == (2, 4)
    assert og.Spacing(2, 1).output_size((25, 27), {}) == (12, 14)


def test_it_has_the_bytes_of_resize():
    volume = np.random.default_rng(0).integers(0, 256, (10, 24, 24)).astype(np.uint8)
    step = og.Spacing({"Z": 1.0, "YX": 2.0}, given={"Z": 2.5, "YX": 1.0})
    made = og.Compose([step])(image=volume, mask=volume, axes="ZYX")
    same = og.Compose([og.Resize((25, 12, 12))])(image=volume, mask=volume, axes="ZYX")
    np.testing.assert_array_equal(made.image, same.image)
    np.testing.assert_array_equal(made.mask, same.mask)


def test_points_and_the_way_back():
    out = og.Compose([og.Spacing(1.0, 2.0)])(image=np.zeros((20, 30), np.uint8), points=[[0, 0], [5, 5]])
    assert out.points is not None
    np.testing.assert_allclose(out.points.places, [[0.5, 0.5], [10.5, 10.5]])
    np.testing.assert_allclose(out.frame.undo(points=out.points).places, [[0, 0], [5, 5]])


def test_lengths_that_are_known():
    assert og.Spacing(1.0, 0.5).open_size((None, 40)) == (None, 20)


@pytest.mark.parametrize(
    "parameters", [{"spacing": 0, "given": 1}, {"spacing": 1, "given": (1, 2)}, {"spacing": "1", "given": 1}]
)
def test_bad_sizes(parameters):
    with pytest.raises(og.StepError, match=r"Spacing: (spacing|given): expected a number above 0"):
        og.Spacing(**parameters)


def test_axes_without_a_size():
    with pytest.raises(og.StepError, match=r"given=\{'YX': 1.0\} has no Z, which spacing"):
        og.Spacing({"Z": 1, "Y": 1}, {"YX": 1})
    with pytest.raises(og.StepError, match="has no Y, an axis of the image"):
        og.Compose([og.Spacing(1, {"X": 1})])(image=np.zeros((4, 4), np.uint8))
    with pytest.raises(og.StepError, match="has no pixels to resize"):
        og.Compose([og.Spacing(1, 2)])(image=np.zeros((0, 4), np.uint8))

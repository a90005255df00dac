import numpy as np
import pytest
from scipy import ndimage

import offgraph as og

CASES = {
    2: [
        og.Affine(scale=1.3, shear=0.2, rotate=10, translate=(2.5, -1)),
        og.Affine(
            scale=(0.8, 1.2),
            shear=(-0.2, 0.2),
            rotate=(-10, 10),
            translate=((-3, 3), (0, 2)),
            order=3,
            mode="mirror",
        ),
        og.Affine(translate=((3, 3), (-2, 2)), order=0, cval=9, mask_cval=2),
        og.Affine(scale={"Y": (1.1, 1.3), "X": 0.8}, translate=("10%", ("-10%", "10%"))),
        og.Affine(shear={"X": (-0.3, 0.3), "Y": 0.1}, translate={"X": "-5%"}),
        og.Affine(matrix=[[1, 0.2], [0, 1]], anchor="origin"),
        og.Affine(matrix=[[1, 0.2, 3], [0, 1.1, -2]], direction="push", mode="grid-wrap"),
    ],
    3: [
        og.Affine(scale=0.9, shear=0.1, rotate=8, plane="ZX"),
        og.Affine(scale={"Z": 1.2}, shear={"X": 0.2}, translate={"Z": 1, "YX": (-2, 2)}),
        og.Affine(matrix=np.diag([1.0, 1.2, 0.9]), order=2, mode="nearest"),
    ],
}


def test_the_classic_script():
    """The SciPy line that people have: a pull matrix about the first pixel, channels left alone."""
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    matrix = np.array([[1, 0.2, 0], [0, 1, 0], [0, 0, 1]])
    script = ndimage.affine_transform(image, matrix, order=1)  # its third axis is the channel: the identity
    ours = og.Compose([og.Affine(matrix=matrix, anchor="origin")])(image=image).image
    np.testing.assert_array_equal(ours, script)


def test_the_four_parameters_move_a_point_where_they_say():
    image = np.zeros((41, 41), np.float32)
    image[20, 30] = 1  # ten columns right of the centre

    def at(**parameters):
        out = og.Compose([og.Affine(**parameters)])(image=image).image
        return tuple(int(i) for i in np.unravel_index(out.argmax(), out.shape))

    assert at(scale=1.5) == (20, 35)
    assert at(rotate=90) == (10, 20)
    assert at(translate=(3, -2)) == (23, 28)
    assert at(shear=0.5) == (15, 30)  # reads 0.5 * 10 rows lower, so it shows five rows higher
    assert at(rotate=90, translate=(1, 0)) == (11, 20)  # turned first, then shifted


def test_push_is_the_inverse_of_pull():
    image = np.random.default_rng(1).random((16, 16), np.float32)
    pull = np.array([[0.0, 1.0], [-1.0, 0.0]])
    one = og.Compose([og.Affine(matrix=pull)])(image=image).image
    other = og.Compose([og.Affine(matrix=pull.T, direction="push")])(image=image).image
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"matrix": [[1, 0], [0, 0]]}, "determinant is 0"),
        ({"matrix": [[1, 0]]}, "expected a matrix of 2 x 2"),
        ({"matrix": [[1, 0], [0, "x"]]}, "expected a matrix of 2 x 2"),
        ({"matrix": [[1, 0], [0, 1]], "shear": 0.1}, "one or the other"),
        ({"scale": (2, 1)}, "low <= high"),
        ({"scale": 0}, "above 0"),
        ({"translate": (0, float("nan"))}, "translate: expected a number"),
        ({"translate": 3}, "translate: expected one entry per spatial axis"),
        ({"translate": (3,)}, "translate: expected one entry per spatial axis"),
    ],
)
def test_bad_parameters(parameters, says):
    with pytest.raises(og.StepError, match=says):
        og.Affine(**parameters)


def test_a_matrix_for_volumes_on_an_image():
    with pytest.raises(og.StepError, match="4 x 4 does not fit an image of 2 spatial axes"):
        og.Compose([og.Affine(matrix=np.eye(4))])(image=np.zeros((4, 4), np.uint8))


def test_a_shift_for_volumes_on_an_image():
    with pytest.raises(og.StepError, match="is for 3 spatial axes, the image has 2"):
        og.Compose([og.Affine(translate=(1, 2, 3))])(image=np.zeros((4, 4), np.uint8))


def test_a_shift_that_looks_like_a_range():
    with pytest.warns(og.OffgraphWarning, match="a fixed shift by -5 rows and 5 columns; for a range write"):
        fixed = og.Affine(translate=(-5, 5))
    assert not fixed.draws and og.Affine(translate=((-5, 5), (0, 0))).draws


def test_a_matrix_draws_nothing():
    assert not og.Affine(matrix=np.eye(2)).draws


@pytest.mark.parametrize("shear", [30, (-15, 15)])
def test_a_shear_that_looks_like_degrees(shear):
    with pytest.warns(og.OffgraphWarning, match="rows per column, not degrees"):
        og.Affine(shear=shear)


@pytest.mark.parametrize("given", [{}, {"scale": 1}, {"translate": (0, 0)}])
def test_a_step_that_does_nothing(given):
    with pytest.warns(og.OffgraphWarning, match="changes nothing"):
        og.Affine(**given)
    og.Affine(translate=((0, 3), 0))  # no hint, which the tests would take for an error


def test_a_refused_matrix_is_told_in_words_of_the_caller():
    with pytest.raises(og.StepError) as caught:
        og.Affine(matrix=[[0, 0], [0, 0]])
    assert str(caught.value).endswith("flattens the image: its determinant is 0")

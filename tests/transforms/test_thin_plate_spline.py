import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {
    2: [
        og.ThinPlateSpline("5%"),
        og.ThinPlateSpline((1, 2), points={"Y": 2, "X": 5}, order=3, mode="mirror"),
        og.ThinPlateSpline({"X": 2}, points=3, order=0, p=0.6),
    ],
    3: [
        og.ThinPlateSpline("4%", points=3),
        og.ThinPlateSpline({"YX": "5%"}, points={"Z": 2, "YX": 3}, order=2, mode="nearest"),
    ],
}


@pytest.mark.parametrize("size", [(41, 57), (17, 21, 25)])
def test_it_is_scipys_thin_plate_spline(size):
    """At the control points exactly, between the nodes nearly."""
    counts = (3,) * len(size)
    step = og.ThinPlateSpline("8%", points=3)
    out = og.Compose([step])(image=np.zeros(size), axes="ZYX"[-len(size) :], key=og.Key(seed=3))
    params = out.record["steps"][0]["params"]
    moved = out.frame.map.coordinates() - np.indices(size)
    points = np.stack(
        np.meshgrid(*(np.linspace(0, n - 1, m) for n, m in zip(size, counts)), indexing="ij"), -1
    )
    points = points.reshape(-1, len(size))
    kernel = "thin_plate_spline" if len(size) == 2 else "linear"
    wanted = RBFInterpolator(points / 50, np.array(params["shifts"]).T, kernel=kernel, degree=1)
    pixels = np.stack(np.indices(size), -1).reshape(-1, len(size))
    expected = wanted(pixels / 50).T.reshape(len(size), *size)
    at = tuple(points.astype(int).T)
    np.testing.assert_allclose(moved[(slice(None), *at)], np.array(params["shifts"]), atol=1e-5)
    near = 0.03 if len(size) == 2 else 0.1
    assert np.abs(moved - expected).max() < near * np.abs(expected).max()


def test_each_point_is_spread_evenly():
    step = og.ThinPlateSpline((4, 4))
    assert is_even(drawn(step, lambda params: params["shifts"][0][5]), -4, 4)
    shares = og.ThinPlateSpline("5%")
    assert is_even(drawn(shares, lambda params: params["shifts"][1][0]), -3, 3)  # of 60 columns
    assert og.ThinPlateSpline(2).draws and not og.ThinPlateSpline(0).varies


def test_one_shift_of_all_points_shifts_the_image():
    """The plane in the spline takes what is no bend."""
    step = og.ThinPlateSpline(2, points=4)
    shifts = [[1.5] * 16, [-2.0] * 16]
    grid = step.map({"counts": [4, 4], "shifts": shifts}, og.ArraySpec((40, 50), "uint8", "YX"))
    moved = grid.coordinates() - np.indices((40, 50))
    np.testing.assert_allclose(moved[0], 1.5, atol=1e-5)
    np.testing.assert_allclose(moved[1], -2.0, atol=1e-5)


def test_points_follow_and_come_back():
    image = np.zeros((60, 70), np.uint8)
    image[30, 35] = 255
    out = og.Compose([og.ThinPlateSpline("5%")])(image=image, points=[[30, 35]], key=og.Key(seed=2))
    assert out.points is not None
    bright = np.unravel_index(out.image.argmax(), out.image.shape)
    assert np.abs(out.points.places[0] - bright).max() <= 1
    np.testing.assert_allclose(out.frame.undo(points=out.points).places, [[30, 35]], atol=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 5)])
def test_small_images(size):
    out = og.Compose([og.ThinPlateSpline(0.1)])(image=np.ones(size, np.float32), key=og.Key(1))
    assert out.image.shape == size and np.isfinite(out.image).all()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"magnitude": -1}, "magnitude: expected pixels or a share of at least 0"),
        ({"magnitude": 1, "points": 1}, "points=1: expected 2 or more along each axis"),
        ({"magnitude": 1, "points": 12}, "points=12 makes 144 control points, more than 125"),
    ],
)
def test_what_is_refused(arguments, says):
    with pytest.raises(og.StepError, match=says):
        og.ThinPlateSpline(**arguments)


def test_too_many_points_of_a_volume():
    with pytest.raises(og.StepError, match="points=6 makes 216 control points"):
        og.Compose([og.ThinPlateSpline(1, points=6)])(image=np.zeros((9, 9, 9)), axes="ZYX", key=og.Key())

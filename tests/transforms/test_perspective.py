import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [
        og.Perspective(),
        og.Perspective((0.05, 0.2), order=3, mode="reflect"),
        og.Perspective(0.15, inwards=True, order=0, mode="nearest", p=0.8),
        og.Perspective(0.24, order=1, mode="grid-constant", cval=9, mask_cval=4),
    ]
}


@pytest.mark.parametrize("index", range(8))
@pytest.mark.parametrize("inwards", [False, True])
def test_corners_are_read_where_the_record_says(index, inwards):
    step = og.Perspective(0.24, inwards=inwards)
    out = og.Compose([step])(image=np.zeros((40, 60), np.uint8), key=og.Key(index=index))
    corners = np.array(out.record["steps"][0]["params"]["corners"])
    ends = np.array([(0, 0), (0, 1), (1, 0), (1, 1)])
    moved = corners - ends
    assert np.abs(moved).max() <= 0.24
    if inwards:
        assert ((moved >= 0) == (ends == 0)).all()
    sides = np.array([40, 60])
    np.testing.assert_allclose(out.frame.map(ends * sides - 0.5), corners * sides - 0.5, atol=1e-9)
    points = np.random.default_rng(0).uniform(0, 40, (30, 2))
    places, ok = out.frame.map.forward(out.frame.map(points))
    assert ok.all() and np.abs(places - points).max() < 1e-6


def test_inwards_shows_nothing_outside():
    for index in range(10):
        out = og.Compose([og.Perspective(0.2, inwards=True)])(
            image=np.ones((50, 70)), key=og.Key(index=index)
        )
        low, high = out.frame.map.bounds()
        assert (low > -0.5).all() and (high < (49.5, 69.5)).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 5)])
def test_small_images(size):
    out = og.Compose([og.Perspective(mode="nearest")])(image=np.ones(size, np.float32), key=og.Key(1))
    np.testing.assert_allclose(out.image, 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"distortion": 0.25}, "must be below 0.25: a corner may not pass between its neighbours"),
        ({"distortion": (0.1, 0.4)}, "must be below 0.25"),
        ({"distortion": -0.1}, "distortion: expected a number of at least 0"),
    ],
)
def test_what_is_refused(arguments, says):
    with pytest.raises(og.StepError, match=says):
        og.Perspective(**arguments)


def test_volumes_are_refused():
    with pytest.raises(og.StepError, match="Perspective"):
        og.Compose([og.Perspective()])(image=np.zeros((4, 8, 8), np.uint8), axes="ZYX", key=og.Key())


def test_nothing_moved_is_nothing_drawn():
    assert not og.Perspective(0).varies and og.Perspective((0, 0.1)).varies
    image = np.random.default_rng(0).integers(0, 255, (9, 12)).astype(np.uint8)
    np.testing.assert_array_equal(og.Compose([og.Perspective(0, mode="nearest")])(image=image).image, image)

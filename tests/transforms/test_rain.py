import math

import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [og.Rain(range=255), og.Rain(30, length=4, angle=(-40, 40), width=2, blur=1, brightness=1, range=200)]
}


def drops(**options) -> np.ndarray:
    step = og.Rain(**{"density": 1, "blur": 1, "brightness": 1, "color": 1, **options})
    return og.Compose([step])(image=np.zeros((300, 400), np.uint8), key=og.Key(seed=4)).image == 255


@pytest.mark.parametrize(("length", "width"), [(1, 1), (7, 1), (12, 3)])
def test_the_share_that_streaks_cover(length, width):
    # A pixel stays dry if no drop begins at any of the places from which a streak covers it.
    expected = 1 - (1 - 0.001) ** (length * width)
    covered = drops(length=length, width=width, angle=0)
    sd = math.sqrt(120_000 * 0.001) * length * width / 120_000
    assert abs(covered.mean() - expected) < 4 * sd
    rows = covered.mean(axis=1)  # as dense at the upper border as elsewhere
    assert abs(rows[:20].mean() - expected) < 4 * sd * math.sqrt(15)


@pytest.mark.parametrize("angle", [-45, 0, 45])
def test_streaks_lead_along_the_angle(angle):
    covered = drops(length=9, angle=angle, density=0.3)
    across = round(math.tan(math.radians(angle)))
    both = covered[1:-1, 1:-1] & np.roll(covered, (1, across), (0, 1))[1:-1, 1:-1]
    assert both.sum() / covered[1:-1, 1:-1].sum() > 0.85  # all but the first pixel of nine


def test_light_is_added_and_the_image_darkened():
    image = np.full((60, 80, 3), 100, np.uint8)
    dark = og.Compose([og.Rain(0, brightness=0.6)])(image=image, key=og.Key()).image
    assert (dark == 60).all()
    wet = og.Compose([og.Rain(5, brightness=1, color=(1, 0, 0))])(image=image, key=og.Key()).image
    assert (wet[..., 1:] == 100).all() and (wet[..., 0] >= 100).all() and wet[..., 0].max() > 130


def test_frames_have_drops_of_their_own():
    film = np.zeros((2, 90, 90), np.uint8)
    out = og.Compose([og.Rain(5)])(image=film, axes="TYX", key=og.Key(seed=1)).image
    assert (out[0] != out[1]).any()


def test_angles_are_not_level():
    with pytest.raises(og.StepError, match="degrees from the vertical"):
        og.Rain(angle=90)

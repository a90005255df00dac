import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import offgraph as og
from offgraph.core.distributions import drawn_log_uniform
from offgraph.core.random import Draw

CASES = {
    2: [
        og.RandomResizedCrop((20, 24), scale=(0.3, 1)),
        og.RandomResizedCrop(16, scale=0.5, ratio=(0.5, 2), kernel="cubic"),
        og.RandomResizedCrop((40, 30), scale=(0.5, 0.9), kernel="box"),
        og.RandomResizedCrop((14, None), scale=(0.6, 1), antialias=False),
        og.RandomResizedCrop(
            (12, 17), scale=1, ratio=3, kernel="lanczos3", p=0.9
        ),  # no window fits: the central one
    ]
}


def windows(step, size, count=400):
    spec = og.ArraySpec(size, "uint8", "YX")
    for index in range(count):
        drawn = step.sample(Draw(og.Key(seed=5, index=index), "step"), spec)
        yield *drawn["start"], *drawn["window"]


SIDES = st.integers(1, 300)
SHARES = st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted).map(tuple)
RATIOS = st.tuples(st.floats(0.05, 20), st.floats(0.05, 20)).map(sorted).map(tuple)


@given(SIDES, SIDES, SHARES, RATIOS, st.integers(0, 999))
def test_windows_lie_inside_and_keep_area_and_aspect(height, width, scale, ratio, index):
    step = og.RandomResizedCrop(8, scale=scale, ratio=ratio)
    drawn = step.sample(Draw(og.Key(index=index), "step"), og.ArraySpec((height, width), "uint8", "YX"))
    (top, left), (high, wide) = drawn["start"], drawn["window"]
    assert 0 <= top <= height - high and 0 <= left <= width - wide and high >= 1 and wide >= 1
    # Sides are rounded to whole pixels: by half a pixel each.
    allowed = ((wide - 0.5) / (high + 0.5), (wide + 0.5) / max(high - 0.5, 1e-9))
    at_most_one_pixel = high == 1 or wide == 1
    assert (allowed[1] >= ratio[0] * (1 - 1e-9) and allowed[0] <= ratio[1] * (1 + 1e-9)) or at_most_one_pixel
    central = (top, left) == ((height - high) // 2, (width - wide) // 2) and (high == height or wide == width)
    area = height * width
    fits = (high - 0.5) * (wide - 0.5) <= scale[1] * area * (1 + 1e-9) and (high + 0.5) * (
        wide + 0.5
    ) >= scale[0] * area * (1 - 1e-9)
    assert fits or central


def test_shares_are_even_and_aspects_log_uniform():
    found = np.array(list(windows(og.RandomResizedCrop(8, scale=(0.1, 0.5)), (3000, 3000), 4000)), float)
    top, left, high, wide = found.T
    shares = high * wide / 3000**2
    logs = np.log(wide / high) / math.log(4 / 3)  # from -1 to 1
    for values, low, high_end in ((shares, 0.1, 0.5), (logs, -1, 1)):
        even = (np.sort(values) - low) / (high_end - low)
        # Kolmogorov and Smirnov's distance: above 0.031 in one of a thousand runs of 4000 values.
        assert np.abs(even - (np.arange(4000) + 0.5) / 4000).max() < 0.031
    for start, side in ((top, high), (left, wide)):
        even = np.sort(start / (3000 - side))
        assert np.abs(even - (np.arange(4000) + 0.5) / 4000).max() < 0.031


@given(st.integers(0, 10**6), st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3)).map(sorted).map(tuple))
def test_the_ratio_is_the_power_of_its_word(index, ratio):
    key = og.Key(index=index)
    fraction = (Draw(key, "x").word() >> 32) / 2**32
    drawn = drawn_log_uniform(Draw(key, "x"), *ratio)
    assert ratio[0] <= drawn <= ratio[1]
    assert drawn == pytest.approx(ratio[0] * (ratio[1] / ratio[0]) ** fraction, rel=1e-13)


def test_draws_stay_what_they_were():
    """Numbers that recipes and records of earlier versions drew."""
    step = og.RandomResizedCrop(224)
    assert list(windows(step, (375, 500), 4)) == [
        (49, 68, 211, 215),
        (20, 124, 317, 335),
        (112, 14, 260, 256),
        (9, 13, 356, 473),
    ]


def test_no_window_fits_a_line():
    step = og.RandomResizedCrop(4, scale=(0.5, 1))
    assert set(windows(step, (1, 100), 20)) == {(0, 49, 1, 1)}
    assert set(windows(step, (90, 3), 20)) == {(43, 0, 4, 3)}
    assert set(windows(og.RandomResizedCrop(4, scale=1, ratio=2), (90, 100), 5)) == {(20, 0, 50, 100)}


def test_it_is_a_crop_and_a_resize():
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    out = og.Compose([og.RandomResizedCrop((24, 32))])(image=image, key=og.Key(seed=2))
    (top, left), (high, wide) = (out.record["steps"][0]["params"][name] for name in ("start", "window"))
    window = np.ascontiguousarray(image[top : top + high, left : left + wide])
    np.testing.assert_array_equal(out.image, og.Compose([og.Resize((24, 32))])(image=window).image)
    assert json.loads(json.dumps(out.record)) == out.record


def test_nothing_outside_the_window_is_read():
    recipe = og.Compose([og.RandomResizedCrop(16, scale=(0.1, 0.4), kernel="lanczos3")])
    image = np.full((50, 70), 9.0)
    params = recipe(image=image, key=og.Key()).record["steps"][0]["params"]
    rest = np.full_like(image, np.nan)
    (top, left), (high, wide) = params["start"], params["window"]
    rest[top : top + high, left : left + wide] = 9
    np.testing.assert_array_equal(
        recipe(image=rest, key=og.Key()).image, recipe(image=image, key=og.Key()).image
    )


def test_fused_and_chained_are_equal_in_bytes():
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    for index in range(20):
        key = og.Key(index=index)
        made = [
            og.Compose([og.RandomResizedCrop(24), og.Flip("X"), og.CenterCrop(20)], fuse=fuse)(
                image=image, key=key
            )
            for fuse in (False, True)
        ]
        np.testing.assert_array_equal(made[0].image, made[1].image)


def test_boxes_follow_the_window():
    image = np.zeros((60, 80), np.uint8)
    boxes = og.Boxes([[0, 0, 80, 60]], size=(60, 80))
    out = og.Compose([og.RandomResizedCrop((24, 32))])(image=image, boxes=boxes, key=og.Key(seed=2))
    assert out.boxes is not None and out.frame is not None
    np.testing.assert_array_equal(out.boxes.array, [[0, 0, 32, 24]])
    assert out.frame.map.input_size == (60, 80)


@pytest.mark.parametrize(
    "options",
    [
        {"scale": (0.5, 1.1)}, {"scale": 1.5}, {"scale": 0}, {"scale": (0.5, 0.2)}, {"ratio": 0}, {"ratio": (2, 1)},
        {"size": (4, 4, 4)}, {"size": 0}, {"size": (None, None)}, {"kernel": "best"},
    ],
)  # fmt: skip
def test_bad_parameters(options):
    with pytest.raises(og.StepError, match=r"RandomResizedCrop: .*(expected|should be)"):
        og.RandomResizedCrop(**({"size": 8} | options))


def test_a_volume_and_an_empty_image_are_refused():
    recipe = og.Compose([og.RandomResizedCrop(4)])
    with pytest.raises(og.StepError, match="takes 2 spatial axes, the image has 3"):
        recipe(image=np.zeros((4, 5, 6), np.uint8), axes="ZYX", key=og.Key())
    with pytest.raises(og.StepError, match="has no pixels to resize"):
        recipe(image=np.zeros((0, 5), np.uint8), key=og.Key())

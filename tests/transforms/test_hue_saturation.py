import colorsys
import dataclasses

import numpy as np
import pytest
from skimage.color import hsv2rgb, rgb2hsv
from tests.support.even import drawn, is_even

import offgraph as og

CASES = {
    2: [og.HueSaturation((-30, 30), (0.5, 1.5), (0.8, 1.2), range=255)],
    3: [og.HueSaturation(40, saturation=0.5, saturation_shift=(-0.3, 0.3), value_shift=(-0.5, 0.5))],
}
PHOTO = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


@pytest.mark.parametrize(
    ("hue", "saturation", "value"), [(0, 1, 1), (75, 0.4, 1.3), (-190, 1.8, 0.7), (0, 0, 1)]
)
def test_one_step_of_rounding_from_scikit_image(hue, saturation, value):
    image = PHOTO / 255
    hsv = rgb2hsv(image)
    hsv = np.stack(
        [
            (hsv[..., 0] + hue / 360) % 1,
            np.minimum(hsv[..., 1] * saturation, 1),
            np.minimum(hsv[..., 2] * value, 1),
        ],
        -1,
    )
    expected = hsv2rgb(hsv)
    out = og.Compose([og.HueSaturation(hue, saturation, value, range=1)])(image=image).image
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-12)
    bytes_ = og.Compose([og.HueSaturation(hue, saturation, value)])(image=PHOTO).image
    assert np.abs(bytes_ - expected * 255).max() <= 0.5 + 1e-3


@pytest.mark.parametrize(("saturation", "value"), [(0.2, 0.1), (-0.4, 0.3), (0.9, -0.6), (-1, 0)])
def test_shifts_are_added_and_greys_stay_grey(saturation, value):
    image = np.concatenate([PHOTO / 255, np.repeat(PHOTO[..., :1] / 255, 3, -1)])
    hsv = rgb2hsv(image)
    stronger = np.where(hsv[..., 1] > 0, np.clip(hsv[..., 1] * 0.9 + saturation, 0, 1), 0)
    brighter = np.clip(hsv[..., 2] * 1.1 + value, 0, 1)
    expected = hsv2rgb(np.stack([hsv[..., 0], stronger, brighter], -1))
    step = og.HueSaturation(0, 0.9, 1.1, saturation_shift=saturation, value_shift=value)
    out = og.Compose([dataclasses.replace(step, range=1.0)])(image=image).image
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-12)
    bytes_ = np.rint(image * 255).astype(np.uint8)
    assert np.abs(og.Compose([step])(image=bytes_).image - expected * 255).max() <= 0.5 + 1e-3


def test_without_shifts_records_and_identity_are_those_from_before_there_were_any():
    recipe = og.Compose([og.HueSaturation((10, 20))])
    record = recipe(image=PHOTO, key=og.Key(seed=1)).record
    assert record["steps"][0]["params"].keys() == {"hue", "saturation", "value"}
    shifted = og.Compose([og.HueSaturation((10, 20), value_shift=0.1)])
    assert recipe.digest != shifted.digest


def test_nothing_changed_is_the_image_for_every_colour():
    """All 16.7 million colours would take a while: every third of each channel."""
    steps = np.arange(0, 256, 3, dtype=np.uint8)
    every = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(86, -1, 3)
    np.testing.assert_array_equal(og.Compose([og.HueSaturation()])(image=every).image, every)
    deep = every.astype(np.uint16) * 257
    np.testing.assert_array_equal(og.Compose([og.HueSaturation()])(image=deep).image, deep)


def test_a_colour_by_hand():
    hue, saturation, value = colorsys.rgb_to_hsv(200 / 255, 100 / 255, 50 / 255)
    expected = colorsys.hsv_to_rgb(hue + 1 / 6, saturation / 2, value)
    out = og.Compose([og.HueSaturation(60, saturation=0.5)])(
        image=np.array([[[200, 100, 50]]], np.uint8)
    ).image
    np.testing.assert_array_equal(out[0, 0], np.rint(np.array(expected) * 255))


def test_what_is_drawn():
    step = og.HueSaturation((-30, 60), (0.5, 1.5), (0.8, 1.2))
    for name, ends in {"hue": (-30, 60), "saturation": (0.5, 1.5), "value": (0.8, 1.2)}.items():
        assert is_even(drawn(step, lambda params: params[name]), *ends)


def test_a_share_of_a_turn_is_noticed():
    with pytest.warns(og.OffgraphWarning, match="is in degrees: 0.1 of a turn is 36"):
        og.HueSaturation((-0.1, 0.1))

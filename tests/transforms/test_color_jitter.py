import colorsys

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from tests.support.even import drawn, is_even, is_even_among

import offgraph as og

CASES = {
    2: [
        og.ColorJitter((0.6, 1.4), (0.6, 1.4), (0.5, 2), (-40, 40), range=255),
        og.ColorJitter(saturation=0.6, hue=77),
    ],
    3: [og.ColorJitter(1.2, 0.8, 1.5, 12, range=255)],
}
PHOTO = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


def jittered(image, **parts):
    return og.Compose([og.ColorJitter(**parts)])(image=image).image


@pytest.mark.parametrize("factor", [0, 0.55, 1.3, 2.5])
@pytest.mark.parametrize(
    ("part", "pillow"),
    [
        ("brightness", ImageEnhance.Brightness),
        ("contrast", ImageEnhance.Contrast),
        ("saturation", ImageEnhance.Color),
    ],
)
def test_one_grey_level_from_pillow(part, pillow, factor):
    """Pillow rounds the mean and the luma to whole numbers first, and cuts fractions off."""
    expected = np.asarray(pillow(Image.fromarray(PHOTO)).enhance(factor)).astype(int)
    slack = 1 + abs(1 - factor) * 0.5
    assert np.abs(jittered(PHOTO, **{part: factor}) - expected).max() <= slack


def test_torchvisions_formulas_for_floats():
    image = PHOTO / 255
    luma = image @ [0.299, 0.587, 0.114]
    for part, expected in {
        "brightness": image * 1.4,
        "contrast": luma.mean() + 1.4 * (image - luma.mean()),
        "saturation": luma[..., None] + 1.4 * (image - luma[..., None]),
    }.items():
        np.testing.assert_allclose(
            jittered(image, **{part: 1.4}, range=1), np.clip(expected, 0, 1), rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("degrees", [-200, -36, 0.6, 60, 359])
def test_hue_is_turned_as_by_colorsys(degrees):
    image = PHOTO[:6, :6] / 255
    out = jittered(image, hue=degrees, range=1)
    for place in np.ndindex(6, 6):
        hue, saturation, value = colorsys.rgb_to_hsv(*image[place])
        expected = colorsys.hsv_to_rgb((hue + degrees / 360) % 1, saturation, value)
        np.testing.assert_allclose(out[place], expected, rtol=0, atol=1e-12)


def test_the_order_matters_and_each_is_as_likely():
    step = og.ColorJitter((0.5, 1.5), (0.5, 1.5), (0.5, 1.5))
    orders = ["".join(name[0] for name in order) for order in drawn(step, lambda p: p["order"]).tolist()]
    assert is_even_among(orders, ["bcs", "bsc", "cbs", "csb", "sbc", "scb"])
    params = {"brightness": 0.5, "contrast": 2.0, "saturation": 1.0, "hue": 0.0}
    two = [
        step.reference(np, PHOTO, {**params, "order": order})
        for order in (["brightness", "contrast"], ["contrast", "brightness"])
    ]
    assert (two[0] != two[1]).any()


def test_what_is_drawn():
    step = og.ColorJitter((0.5, 1.5), (0.6, 1.4), (0, 2), (-30, 90))
    for name, ends in {
        "brightness": (0.5, 1.5), "contrast": (0.6, 1.4), "saturation": (0, 2), "hue": (-30, 90),
    }.items():  # fmt: skip
        assert is_even(drawn(step, lambda params: params[name]), *ends)


def test_what_changes_nothing_keeps_every_byte():
    assert not og.ColorJitter().draws and not og.ColorJitter(1.5).draws and og.ColorJitter(1.5, 2).draws
    np.testing.assert_array_equal(jittered(PHOTO), PHOTO)


def test_strengths_as_torchvision_takes_them_are_noticed():
    with pytest.warns(
        og.OffgraphWarning, match=r"write brightness=\(0.8, 1.2\) for torchvision's brightness=0.2"
    ):
        og.ColorJitter(0.2)
    with pytest.warns(og.OffgraphWarning, match="hue=0.1 is in degrees"):
        og.ColorJitter(hue=0.1)


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels(channels):
    with pytest.raises(og.StepError, match=f"needs red, green and blue, the image has {channels} channel"):
        og.Compose([og.ColorJitter(1.5)])(image=np.zeros((4, 5, channels), np.uint8))

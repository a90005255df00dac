import colorsys

import numpy as np

import offgraph as og

CASES = {
    2: [og.Snow(range=255), og.Snow(0.7, factor=(0, 4), range=200)],
    3: [og.Snow(0.5, factor=2, range=255)],
}


def test_it_multiplies_the_lightness_of_hls():
    image = np.random.default_rng(0).uniform(0, 1, (20, 30, 3))
    out = og.Compose([og.Snow(0.45, factor=1.9, range=1)])(image=image).image
    for before, after in zip(image.reshape(-1, 3), out.reshape(-1, 3)):
        hue, light, saturation = colorsys.rgb_to_hls(*before)
        if light < 0.45:
            light = min(light * 1.9, 1)
        np.testing.assert_allclose(after, colorsys.hls_to_rgb(hue, light, saturation), atol=1e-12)


def test_grey_and_black_stay_grey():
    grey = np.array([[0, 30, 100, 160, 255]], np.uint8)
    assert og.Compose([og.Snow(0.5, factor=3)])(image=grey).image.tolist() == [[0, 90, 255, 160, 255]]
    colours = np.repeat(grey[..., np.newaxis], 3, -1)
    out = og.Compose([og.Snow(0.5, factor=3)])(image=colours).image
    assert (out == out[..., :1]).all() and out[0, :, 0].tolist() == [0, 90, 255, 160, 255]

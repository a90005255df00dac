import numpy as np
import pytest

import offgraph as og

CASES = {
    2: [og.Fog(range=255), og.Fog(0.5, patchiness=0, color=0.7, range=200)],
    3: [og.Fog(0.6, range=255)],
}


def test_fog_of_one_density_is_a_mean_with_its_colour():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    out = og.Compose([og.Fog(0.25, patchiness=0, color=(1, 0.5, 0))])(image=image, key=og.Key()).image
    expected = image * 0.75 + 0.25 * 255 * np.array([1, 0.5, 0])
    assert np.abs(out - expected).max() <= 0.51


def test_density_varies_between_amount_and_what_is_left_of_it():
    out = og.Compose([og.Fog(0.8, patchiness=0.75, range=1)])(
        image=np.zeros((200, 300)), key=og.Key(seed=3)
    ).image
    assert 0.2 - 1e-12 <= out.min() < 0.35 and 0.65 < out.max() <= 0.8
    assert np.abs(np.diff(out, axis=0)).max() < 0.6 / 30  # drifts, no noise: 40 pixels between two numbers


def test_channels_and_frames_lie_in_one_fog():
    film = np.zeros((4, 30, 40, 3), np.uint8)
    out = og.Compose([og.Fog(0.8)])(image=film, axes="TYXC", key=og.Key(seed=1)).image
    assert (out == out[:1, ..., :1]).all()


def test_colours_are_shares_and_one_for_each_channel():
    with pytest.raises(og.StepError, match="shares of the range"):
        og.Compose([og.Fog(color=200)])(image=np.zeros((5, 5), np.uint8), key=og.Key())
    with pytest.raises(og.StepError, match="2 values, the image has 3 channels"):
        og.Compose([og.Fog(color=(1, 0))])(image=np.zeros((5, 5, 3), np.uint8), key=og.Key())

"""Masks side by side, and maps over their image."""

from __future__ import annotations

import numpy as np
import pytest

from offgraph.core.errors import StepError
from offgraph.views.mask_errors import heat, masks_beside


def test_each_mask_has_its_own_copy_of_the_image():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    first, second = np.zeros((2, 3, 4), np.uint16)
    first[0, 0], second[2, 3] = 5, 70000 % 65536
    shown = masks_beside(image, [first, second], side=16)
    assert shown.shape == (12, 3 * 16 + 2 * 6, 3) and shown.dtype == np.uint8
    parts = [shown[:, at : at + 16] for at in (0, 22, 44)]
    plain = np.repeat(np.kron(image, np.ones((4, 4), np.uint8))[..., None], 3, axis=2)
    assert np.array_equal(parts[0], plain)
    changed = [np.argwhere((part != plain).any(axis=-1)) for part in parts[1:]]
    assert changed[0].max(axis=0).tolist() == [3, 3]
    assert changed[1].min(axis=0).tolist() == [8, 12]
    assert (shown[:, 16:22] == 255).all()


def test_large_images_shrink_and_outlines_stay():
    mask = np.zeros((400, 300), np.int32)
    mask[100:300, 50:250] = 3
    shown = masks_beside(np.zeros((400, 300, 3), np.uint8), [mask], side=100)
    assert shown.shape == (100, 75 + 6 + 75, 3)
    assert shown[50, 81 + 12].sum() > shown[50, 81 + 40].sum() > 0


def test_a_map_is_red_above_zero_and_blue_below():
    image = np.full((4, 6, 3), 200, np.uint8)
    values = np.zeros((4, 6), np.float32)
    values[0, 0], values[0, 1], values[1, 0] = 0.5, 2.0, -0.5
    shown = heat(image, values, limit=0.5).astype(int)
    assert shown[3, 3].tolist() == [200, 200, 200]
    assert shown[0, 0, 0] > shown[0, 0, 2] + 50 and shown[1, 0, 2] > shown[1, 0, 0] + 50
    assert np.array_equal(shown[0, 0], shown[0, 1]), "beyond the limit it is full colour"
    half = heat(image, values / 2, limit=0.5).astype(int)
    assert shown[0, 0, 1] < half[0, 0, 1] < 200


def test_a_map_of_nothing_and_of_a_volume():
    flat = heat(np.full((2, 2), 9, np.uint8), np.zeros((2, 2)), limit=0.0)
    assert (flat == 9).all()
    volume, values = np.full((3, 2, 2), 100, np.uint8), np.zeros((3, 2, 2))
    values[1] = 1
    shown = heat(volume, values, axes="ZYX", limit=1.0)
    assert shown.shape == (2, 2, 3) and (shown[..., 0] > shown[..., 2]).all()


def test_a_map_of_another_size_is_refused():
    with pytest.raises(StepError, match="does not fit the image of size"):
        heat(np.zeros((2, 3), np.uint8), np.zeros((3, 2)), limit=1.0)

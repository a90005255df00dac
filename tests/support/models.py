"""Keras models whose every output is known, saved with their recipes, and images for them."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

import offgraph as og
from offgraph.formats.encoding import imwrite

keras = pytest.importorskip("keras", reason="Keras is not installed")
og_keras = pytest.importorskip("offgraph.frameworks.keras")

HOSTILE = "<img src=x onerror=alert(1)>.png"


def bright_model(activation: str | None = "softmax", units: int = 2):
    """Class 1 is an image whose mean is above 0.5; no training, so that every output is known."""
    model = keras.Sequential(
        [
            keras.layers.Input((None, None, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(units, activation=activation, name="score"),
        ]
    )
    if units == 1:
        weights, bias = np.full((3, 1), 20 / 3), np.array([-10.0])
    else:
        weights, bias = np.zeros((3, units)), np.zeros(units)
        weights[:, 1], bias[1] = 20 / 3, -10.0
    model.layers[-1].set_weights([weights, bias])
    return model


def mask_model(channels: int = 1, sharpness: float = 40.0, stride: int = 1):
    """A pixel is an object where it is brighter than 0.45: a 1 x 1 convolution."""
    outputs = 1 if channels == 1 else channels
    model = keras.Sequential(
        [
            keras.layers.Input((None, None, 1)),
            *([keras.layers.AveragePooling2D(stride)] if stride > 1 else []),
            keras.layers.Conv2D(outputs, 1, activation="sigmoid" if outputs == 1 else "softmax"),
        ]
    )
    kernel, bias = np.zeros((1, 1, 1, outputs)), np.zeros(outputs)
    kernel[..., -1], bias[-1] = sharpness, -0.45 * sharpness
    model.layers[-1].set_weights([kernel, bias])
    return model


@pytest.fixture(scope="module")
def bright(tmp_path_factory):
    recipe = og.Compose([og.Resize((16, 16)), og.Augment(og.Rotate((-15, 15))), og.Rescale(1 / 255)])
    path = tmp_path_factory.mktemp("bright") / "bright.keras"
    return og_keras.save(bright_model(), recipe, path, class_names=["dark", "light"])


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory):
    recipe = og.Compose([og.Resize((96, 128)), og.Rescale(1 / 255)])
    path = tmp_path_factory.mktemp("segment") / "coins.keras"
    steps = [og.Threshold(0.5), og.FillHoles(), og.RemoveSmall(400), og.Label()]
    return og_keras.save(mask_model(), recipe, path, postprocess=steps)


@pytest.fixture
def shades(tmp_path):
    """Images of known brightness in class folders, one in the wrong one, one broken, one with a hostile name."""
    root = tmp_path / "shades"
    for folder, name, value in (
        ("dark", "a.png", 20),
        ("dark", HOSTILE, 60),
        ("dark", "wrong.png", 220),
        ("light", "写真 🙂.png", 230),
        ("light", "n" * 200 + ".png", 200),
    ):
        (root / folder).mkdir(parents=True, exist_ok=True)
        imwrite(root / folder / name, np.full((20, 30, 3), value, np.uint8))
    (root / "dark" / "broken.png").write_bytes((root / "dark" / "a.png").read_bytes()[:60])
    return root


@pytest.fixture
def coins(tmp_path):
    path = tmp_path / "coins" / "coins.png"
    path.parent.mkdir()
    imwrite(path, data.coins())
    return path

"""Bytes of the steps that change values, filter and add noise, pinned: the same draws and pixels with every version.

`golden_values.json` holds digests. A change of them that is meant needs another `version` of its step.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.plan.test_golden import measured

FILE = Path(__file__).with_name("golden_values.json")
GOLDEN: list[dict[str, Any]] = json.loads(FILE.read_text()) if FILE.exists() else []

BYTES: list[list[Any]] = [
    [{"Brightness": {"factor": [0.5, 1.5], "shift": [-0.2, 0.2]}}, {"Contrast": {"factor": [0.5, 1.5]}}],
    [{"Posterize": {"bits": [2, 6]}}, {"Solarize": {"threshold": [0.2, 0.8]}}, {"Invert": {}}],
    [{"PlanckianJitter": {}}],
    [{"ColorJitter": {"brightness": [0.8, 1.2], "contrast": [0.8, 1.2], "saturation": [0.5, 1.5], "hue": [-30, 30]}}],
    [{"HueSaturation": {"hue": [-90, 90], "saturation": [0.5, 2], "value": [0.8, 1.2]}}],
    [{"RGBShift": {}}, {"ColorMatrix": {"matrix": [[0, 0, 1], [0.2, 0.5, 0.3], [1, 0, 0]]}}],
    [{"ChannelShuffle": {}}, {"ChannelDrop": {"count": [1, 2], "fill": 7}}],
    [{"ToGrey": {"channels": 1}}, {"ToRGB": {}}, {"ToGrey": {"method": "mean"}}],
    [{"Equalize": {}}],
    [{"AutoContrast": {"cutoff": [0, 5]}}],
    [{"CLAHE": {"clip_limit": [1, 4], "tiles": 3}}],
    [{"MatchHistogram": {"quantiles": [[0, 30, 200], [10, 20, 30], [0, 128, 255]]}}],
    [{"GaussianNoise": {"sigma": [0.02, 0.2], "mean": 0.01}}],
    [{"GaussianNoise": {"sigma": 0.1, "per_channel": False}}, {"Speckle": {"sigma": [0.1, 0.4]}}],
    [{"PoissonNoise": {"peak": [20, 200]}}],
    [{"ISONoise": {}}],
    [{"SaltAndPepper": {"amount": [0.05, 0.3]}}, {"PixelDropout": {"amount": 0.1, "per_channel": True}}],
    [{"JpegCompression": {"quality": 100, "subsampling": "444"}}],
    [{"BiasField": {"coefficients": [0.1, 0.5]}}],
    [{"Bilateral": {}}, {"ToneCurve": {}}],
    [{"FancyPCA": {"sigma": [0.1, 1]}}],
    [{"AugMix": {"severity": 5}}],
    [{"Fog": {}}],
    [{"Rain": {"density": [20, 40], "length": [3, 6]}}],
    [{"Shadow": {"shadows": [1, 3]}}],
    [{"SunFlare": {}}],
    [{"Snow": {}}],
    [{"Spatter": {}}],
    [{"GlassBlur": {"sigma": [0, 1], "reach": [1, 3]}}],
    [{"Sharpen": {"lightness": [0.5, 1]}}, {"Ringing": {"radius": [1, 3]}}],
    [{"ZoomBlur": {}}],
    [{"GridShuffle": {"cells": {"Y": 2, "X": 3}}}],
    [{"HueSaturation": {"saturation_shift": [-0.3, 0.3], "value_shift": [-0.2, 0.2]}}],
]  # fmt: skip
EVERY: list[list[Any]] = [
    [{"Clip": {"low": 20, "high": 200}}],
    [
        {"CoarseDropout": {"size": ["10%", "30%"], "mask_fill": 9}},
        {"GridDropout": {"unit": [4, 9], "fill": 3}},
    ],
    [{"Downscale": {"scale": [0.2, 0.8]}}, {"Downscale": {"scale": 0.7, "kernel": "cubic"}}],
    [{"UniformFilter": {"size": 3}}, {"MinFilter": {"size": {"X": 5}}}, {"MaxFilter": {"size": 2}}],
    [{"PercentileFilter": {"percentile": [0, 100], "size": 3}}, {"WhiteTopHat": {"size": 5}}],
    [{"UnsharpMask": {"amount": [0, 2]}}],
    [{"MotionBlur": {"length": [2, 7], "angle": 90}}, {"Defocus": {"radius": 1.5}}],
    [{"Kernel": {"weights": [[0, 0.25, 0], [0.25, 0, 0.25], [0, 0.25, 0]]}}],
    [{"GradientMagnitude": {"sigma": 1.0}}],
    [{"Laplacian": {"sigma": 1.0}}],
    [{"DifferenceOfGaussians": {"sigma": 1.0}}],
    [{"BackgroundSubtract": {"radius": [2, 5]}}],
    [{"ZScore": {}}],
    [{"PercentileNormalize": {}}],
    [{"Flip": {"axis": "X"}}, {"CropAroundMask": {"size": 7, "labels": [2, 5], "ignore": 5}}],
    [{"MaskDropout": {"objects": [1, 3], "fill": 7}}, {"MaskDropout": {"objects": 2, "labels": 3}}],
    [{"BBoxSafeCrop": {"erosion": 0.2}}, {"BBoxSafeCrop": {"size": 12}}],
    [{"Emboss": {}}, {"Crop": {"size": "60%", "corner": 2}}],
]


@pytest.mark.filterwarnings("ignore::offgraph.core.errors.OffgraphWarning")
@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: json.dumps(case["steps"])[:80])
def test_bytes_are_what_they_were(case: dict[str, Any]):
    now = measured(case["steps"], case["axes"], only=case["only"])
    assert json.loads(json.dumps(now)) == case


def test_every_recipe_of_this_file_is_pinned():
    assert [case["steps"] for case in GOLDEN] == [*BYTES, *EVERY, *EVERY]


def write() -> None:
    """Write the file anew: only by a version whose bytes are known to be right."""
    cases = [
        *(measured(steps, "YX", only="uint8") for steps in BYTES),
        *(measured(steps, axes) for axes in ("YX", "ZYX") for steps in EVERY),
    ]
    FILE.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    write()

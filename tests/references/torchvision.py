"""Steps beside the formulas that torchvision documents for `torchvision.transforms.v2.functional`, written down in NumPy."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
from tests.references.declared import compare

import offgraph as og

FORMULA = "torchvision's formula"
LUMA = np.array([0.2989, 0.587, 0.114])
IMAGENET = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
DIGITS = "its luma has weights to four digits"
ORDER = "another order of the same operations"


def _blend(image: np.ndarray, other: Any, factor: float) -> np.ndarray:
    """`_blend` of its documentation: factor * image + (1 - factor) * other, limited to 0 to 1."""
    return np.clip(factor * image + (1 - factor) * other, 0, 1)


def _grey(image: np.ndarray) -> np.ndarray:
    return (image @ LUMA)[..., np.newaxis]


def _hued(image: np.ndarray, turn: float) -> np.ndarray:
    out = np.empty_like(image)
    for place in np.ndindex(image.shape[:2]):
        h, s, v = colorsys.rgb_to_hsv(*image[place])
        out[place] = colorsys.hsv_to_rgb((h + turn) % 1, s, v)
    return out


def _contrasted(image: np.ndarray) -> np.ndarray:
    low, high = image.min((0, 1)), image.max((0, 1))
    return (image - low) / (high - low)


compare(
    FORMULA,
    "adjust_brightness(image, 1.4)",
    lambda: og.Brightness(1.4, range=1),
    lambda i: _blend(i, 0.0, 1.4),
    images=("doubles",),
)
compare(
    FORMULA,
    "adjust_contrast(image, 1.4)",
    lambda: og.ColorJitter(contrast=1.4, range=1),
    lambda i: _blend(i, _grey(i).mean(), 1.4),
    images=("doubles",),
    bound=1e-4,
    why=DIGITS,
)
compare(
    FORMULA,
    "adjust_saturation(image, 1.4)",
    lambda: og.ColorJitter(saturation=1.4, range=1),
    lambda i: _blend(i, _grey(i), 1.4),
    images=("doubles",),
    bound=1e-4,
    why=DIGITS,
)
compare(
    FORMULA,
    "adjust_hue(image, 0.1)",
    lambda: og.ColorJitter(hue=36, range=1),
    lambda i: _hued(i, 0.1),
    images=("doubles",),
    bound=1e-12,
    why=ORDER,
)
compare(
    FORMULA,
    "rgb_to_grayscale(image)",
    lambda: og.ToGrey(1),
    _grey,
    images=("doubles",),
    bound=1e-4,
    why=DIGITS,
)
compare(
    FORMULA, "adjust_gamma(image, 1.7)", lambda: og.Gamma(1.7, range=1), lambda i: i**1.7, images=("doubles",)
)
compare(
    FORMULA,
    "normalize(image, ImageNet's mean and std)",
    lambda: og.Normalize("imagenet", range=1),
    lambda i: ((i - IMAGENET[0]) / IMAGENET[1]).astype(np.float32),
    images=("doubles",),
)
compare(
    FORMULA,
    "to_dtype(float32, scale=True)",
    lambda: og.Rescale(1 / 255),
    lambda i: (i / 255).astype(np.float32),
    images=("photo", "noise"),
)
compare(FORMULA, "invert(image)", lambda: og.Invert(range=1), lambda i: 1 - i, images=("doubles",))
compare(
    FORMULA,
    "solarize(image, 0.5)",
    lambda: og.Solarize(0.5, range=1),
    lambda i: np.where(i >= 0.5, 1 - i, i),
    images=("doubles",),
)
compare(
    FORMULA,
    "posterize(image, 3)",
    lambda: og.Posterize(3),
    lambda i: i & np.uint8(0b11100000),
    images=("photo", "noise"),
)
compare(
    FORMULA,
    "autocontrast(image)",
    lambda: og.AutoContrast(range=1),
    _contrasted,
    images=("doubles",),
    bound=1e-12,
    why=ORDER,
)
compare(FORMULA, "horizontal_flip(image)", og.Flip, lambda i: i[:, ::-1], images=("photo", "noise"))
compare(
    FORMULA,
    "center_crop(image, (64, 80))",
    lambda: og.CenterCrop((64, 80)),
    lambda i: i[(i.shape[0] - 64) // 2 :, (i.shape[1] - 80) // 2 :][:64, :80],
    images=("photo",),
)

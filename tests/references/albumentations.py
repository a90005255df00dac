"""Steps beside Albumentations 2.0.8, the last version under the MIT licence."""

from __future__ import annotations

import os
from typing import Any

from tests.references.declared import Lazy, compare

import offgraph as og

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else it asks for its newest version over the network
A: Any = Lazy("albumentations")
cv2: Any = Lazy("cv2")
ALBUMENTATIONS = "Albumentations"
BYTES = ("photo", "noise")
TABLE = "Albumentations cuts fractions off in its table"
OPENCV = "OpenCV computes with whole numbers"


def _of(make: Any) -> Any:
    """The image of a transform that is always applied."""
    return lambda image: make()(image=image)["image"]


def _fixed(name: str, **parameters: Any) -> Any:
    """A transform's own function with given draws."""
    return lambda image: getattr(A, name)(p=1).apply(image, **parameters)


compare(ALBUMENTATIONS, "HorizontalFlip()", og.Flip, _of(lambda: A.HorizontalFlip(p=1)), images=BYTES)
compare(
    ALBUMENTATIONS, "VerticalFlip()", lambda: og.Flip("Y"), _of(lambda: A.VerticalFlip(p=1)), images=BYTES
)
compare(ALBUMENTATIONS, "Transpose()", og.Transpose, _of(lambda: A.Transpose(p=1)), images=BYTES)
compare(
    ALBUMENTATIONS,
    "RandomRotate90, 3 quarters",
    lambda: og.Rotate90(3),
    _fixed("RandomRotate90", factor=3),
    images=BYTES,
)
compare(
    ALBUMENTATIONS,
    "D4, group element hvt",
    lambda: og.D4("hvt"),
    _fixed("D4", group_element="hvt"),
    images=BYTES,
)
compare(
    ALBUMENTATIONS,
    "CenterCrop(64, 80)",
    lambda: og.CenterCrop((64, 80)),
    _of(lambda: A.CenterCrop(64, 80, p=1)),
    images=BYTES,
)
compare(
    ALBUMENTATIONS,
    "PadIfNeeded(300, 301)",
    lambda: og.PadTo((300, 301)),
    _of(lambda: A.PadIfNeeded(300, 301, p=1)),
    images=BYTES,
)
compare(ALBUMENTATIONS, "Pad(7)", lambda: og.Pad(7), _of(lambda: A.Pad(7, p=1)), images=BYTES)
compare(
    ALBUMENTATIONS,
    "Normalize()",
    lambda: og.Normalize("imagenet"),
    _of(lambda: A.Normalize(p=1)),
    images=BYTES,
    bound=1e-6,
    why="float32",
)
compare(ALBUMENTATIONS, "InvertImg()", og.Invert, _of(lambda: A.InvertImg(p=1)), images=BYTES)
compare(
    ALBUMENTATIONS,
    "Posterize(3)",
    lambda: og.Posterize(3),
    _of(lambda: A.Posterize((3, 3), p=1)),
    images=BYTES,
)
compare(ALBUMENTATIONS, "Solarize(0.5)", og.Solarize, _of(lambda: A.Solarize((0.5, 0.5), p=1)), images=BYTES)
compare(
    ALBUMENTATIONS,
    "CLAHE(2.0, (8, 8)) of a grey image",
    lambda: og.CLAHE(2.0),
    _of(lambda: A.CLAHE((2.0, 2.0), (8, 8), p=1)),
    images=("grey",),
    bound=1,
    why="OpenCV interpolates in float32",
)
compare(
    ALBUMENTATIONS,
    "RandomBrightnessContrast, brightness 0.2",
    lambda: og.Brightness(shift=0.2),
    _of(lambda: A.RandomBrightnessContrast((0.2, 0.2), (0, 0), p=1)),
    images=BYTES,
)
compare(
    ALBUMENTATIONS,
    "RandomBrightnessContrast, contrast 0.3",
    lambda: og.Contrast(1.3, centre=0),
    _of(lambda: A.RandomBrightnessContrast((0, 0), (0.3, 0.3), p=1)),
    images=BYTES,
    bound=1,
    why=TABLE,
)
compare(
    ALBUMENTATIONS,
    "RandomGamma(150)",
    lambda: og.Gamma(1.5),
    _of(lambda: A.RandomGamma((150, 150), p=1)),
    images=BYTES,
    bound=1,
    why=TABLE,
)
compare(
    ALBUMENTATIONS,
    "ToGray(num_output_channels=1)",
    lambda: og.ToGrey(1),
    lambda image: A.ToGray(1, p=1)(image=image)["image"].reshape(*image.shape[:2], 1),
    images=BYTES,
    bound=1,
    why=OPENCV,
)
compare(ALBUMENTATIONS, "ToRGB()", og.ToRGB, _of(lambda: A.ToRGB(p=1)), images=("grey",))
compare(
    ALBUMENTATIONS,
    "HueSaturationValue, hue + 20 of 180",
    lambda: og.HueSaturation(40),
    _of(lambda: A.HueSaturationValue((20, 20), (0, 0), (0, 0), p=1)),
    bound=3,
    why=OPENCV,
)
compare(
    ALBUMENTATIONS,
    "ColorJitter, brightness 1.3",
    lambda: og.ColorJitter(1.3),
    _of(lambda: A.ColorJitter((1.3, 1.3), (1, 1), (1, 1), (0, 0), p=1)),
    bound=1,
    why=TABLE,
)
compare(
    ALBUMENTATIONS,
    "ColorJitter, contrast 1.3",
    lambda: og.ColorJitter(contrast=1.3),
    _of(lambda: A.ColorJitter((1, 1), (1.3, 1.3), (1, 1), (0, 0), p=1)),
    bound=1,
    why=TABLE,
)
compare(
    ALBUMENTATIONS,
    "ColorJitter, saturation 1.3",
    lambda: og.ColorJitter(saturation=1.3),
    _of(lambda: A.ColorJitter((1, 1), (1, 1), (1.3, 1.3), (0, 0), p=1)),
    bound=1,
    why=TABLE,
)
compare(
    ALBUMENTATIONS,
    "MedianBlur(5)",
    lambda: og.MedianFilter(5, mode="nearest"),
    _of(lambda: A.MedianBlur((5, 5), p=1)),
    images=BYTES,
)
compare(
    ALBUMENTATIONS,
    "Blur(5)",
    lambda: og.UniformFilter(5, mode="mirror"),
    _of(lambda: A.Blur((5, 5), p=1)),
    images=BYTES,
    bound=2,
    why="SciPy cuts fractions off after each axis",
)
compare(
    ALBUMENTATIONS,
    "Resize(100, 77, INTER_LINEAR)",
    lambda: og.Resize((100, 77), antialias=False),
    _of(lambda: A.Resize(100, 77, p=1)),
    bound=1,
    why=OPENCV,
)
compare(
    ALBUMENTATIONS,
    "LongestMaxSize(300)",
    lambda: og.ResizeLonger(300),
    _of(lambda: A.LongestMaxSize(300, p=1)),
    bound=1,
    why=OPENCV,
)
compare(
    ALBUMENTATIONS,
    "SmallestMaxSize(240)",
    lambda: og.ResizeShorter(240),
    _of(lambda: A.SmallestMaxSize(240, p=1)),
    bound=1,
    why=OPENCV,
)
compare(
    ALBUMENTATIONS,
    "Rotate(25, INTER_LINEAR)",
    lambda: og.Rotate(25, mode="grid-constant"),
    _of(lambda: A.Rotate((25, 25), crop_border=False, p=1)),
    bound=1,
    why="OpenCV computes in float32",
)
compare(
    ALBUMENTATIONS,
    "Affine(scale=1.2)",
    lambda: og.Scale(1.2),
    _of(lambda: A.Affine(scale=(1.2, 1.2), p=1)),
    bound=1,
    why="OpenCV computes in float32",
)
compare(
    ALBUMENTATIONS,
    "Affine(translate_px=(10, -6))",
    lambda: og.Shift((-6, 10)),
    _of(lambda: A.Affine(translate_px={"x": (10, 10), "y": (-6, -6)}, p=1)),
)
compare(
    ALBUMENTATIONS,
    "Downscale(0.25, area and nearest)",
    lambda: og.Downscale(0.25),
    _of(lambda: A.Downscale((0.25, 0.25), {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_NEAREST}, p=1)),
    bound=1,
    why="halves rounded to another side",
)
compare(
    ALBUMENTATIONS,
    "ToFloat(255)",
    lambda: og.Rescale(1 / 255),
    _of(lambda: A.ToFloat(255, p=1)),
    images=BYTES,
)
compare(
    ALBUMENTATIONS,
    "ImageCompression(60) of a grey image",
    lambda: og.JpegCompression(60),
    _of(lambda: A.ImageCompression("jpeg", (60, 60), p=1)),
    images=("grey",),
)
compare(
    ALBUMENTATIONS,
    "ImageCompression(60)",
    lambda: og.JpegCompression(60, channels="bgr"),
    _of(lambda: A.ImageCompression("jpeg", (60, 60), p=1)),
    images=("photo",),
)
compare(
    ALBUMENTATIONS,
    "Downscale(0.37)",
    lambda: og.Downscale(0.37, like="opencv"),
    _of(lambda: A.Downscale((0.37, 0.37), p=1)),
)
compare(
    ALBUMENTATIONS,
    "Equalize()",
    lambda: og.Equalize(like="opencv"),
    _of(lambda: A.Equalize(p=1)),
    images=("photo",),
)
compare(
    ALBUMENTATIONS,
    "Sharpen, alpha 0.3, lightness 0.8",
    lambda: og.Sharpen(0.3, lightness=0.8, mode="mirror"),
    _of(lambda: A.Sharpen((0.3, 0.3), (0.8, 0.8), p=1)),
    images=BYTES,
    bound=1,
    why=OPENCV,
)
compare(
    ALBUMENTATIONS,
    "RingingOvershoot(9, cutoff 1.2)",
    lambda: og.Ringing(4, cutoff=1.2, mode="mirror"),
    _of(lambda: A.RingingOvershoot((9, 9), (1.2, 1.2), p=1)),
    images=BYTES,
    bound=1,
    why="OpenCV computes in float32",
)

"""Steps beside their equals in Albumentations 2.0.8, on the same fixed parameters: what `benches/steps.py` times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import offgraph as og


@dataclass(frozen=True)
class Pair:
    """One step, and Albumentations' transform of that work.

    Parameters
    ----------
    name : str
    own : Step
    other : callable of the module `albumentations`
        Gives the transform.
    near : float, optional
        Mean difference between the two answers, in grey levels, that their definitions explain. Without it the draws
        differ: then the mean change of the image is to be that of the other one, within a factor of two.
    beside : mapping
        What the other library's recipe is given beside the image.
    own_beside : mapping
        What the own recipe is given beside it.
    options : callable of the module `albumentations`
        Gives further arguments of the other library's `Compose`.
    """

    name: str
    own: og.Step
    other: Callable[[Any], Any]
    near: float | None = None
    beside: Mapping[str, Any] = field(default_factory=dict)
    own_beside: Mapping[str, Any] = field(default_factory=dict)
    options: Callable[[Any], Mapping[str, Any]] = lambda a: {}


def pairs(size: int, photo: np.ndarray) -> Iterator[Pair]:
    """All pairs for a square image."""
    yield from _geometric(size)
    yield from _targets(size)
    yield from _filters()
    yield from _values(photo)
    yield from _colors(photo)
    yield from _noise()
    yield from _weather(size)


def _geometric(size: int) -> Iterator[Pair]:
    small, crop = size * 7 // 16, size * 3 // 4
    once = {"p": 1}
    yield Pair("Flip", og.Flip("X"), lambda a: a.HorizontalFlip(**once), 0)
    yield Pair("Flip, upside down", og.Flip("Y"), lambda a: a.VerticalFlip(**once), 0)
    yield Pair("Transpose", og.Transpose(), lambda a: a.Transpose(**once), 0)
    yield Pair("Rotate90", og.Rotate90(), lambda a: a.RandomRotate90(**once))
    yield Pair("D4", og.D4(), lambda a: a.D4(**once))
    yield Pair("Rotate", og.Rotate(33), lambda a: a.Rotate(limit=(33, 33), **once), 0.6)
    yield Pair("Scale", og.Scale(1.2), lambda a: a.Affine(scale=(1.2, 1.2), **once), 1.0)
    yield Pair(
        "Shift",
        og.Shift((7, 12)),
        lambda a: a.Affine(translate_px={"x": 12, "y": 7}, **once),
        0.6,
    )
    yield Pair(
        "Affine",
        og.Affine(scale=1.1, rotate=20, shear=0.1),
        lambda a: a.Affine(scale=(1.1, 1.1), rotate=(20, 20), shear={"x": (6, 6), "y": (0, 0)}, **once),
    )
    yield Pair(
        "ShiftScaleRotate",
        og.ShiftScaleRotate(shift=("5%", "5%"), scale=1.1, rotate=20),
        lambda a: a.Affine(
            translate_percent={"x": (0.05, 0.05), "y": (0.05, 0.05)},
            scale=(1.1, 1.1),
            rotate=(20, 20),
            **once,
        ),
    )
    yield Pair("Perspective", og.Perspective(0.1), lambda a: a.Perspective(scale=(0.1, 0.1), **once))
    yield Pair("Elastic", og.Elastic(10), lambda a: a.ElasticTransform(alpha=300, sigma=10, **once))
    yield Pair(
        "GridDistortion", og.GridDistortion(0.3), lambda a: a.GridDistortion(distort_limit=0.3, **once)
    )
    yield Pair(
        "LensDistortion",
        og.LensDistortion(0.1),
        lambda a: a.OpticalDistortion(distort_limit=(0.1, 0.1), **once),
    )
    yield Pair(
        "ThinPlateSpline",
        og.ThinPlateSpline("5%", points=4),
        lambda a: a.ThinPlateSpline(scale_range=(0.05, 0.05), num_control_points=4, **once),
    )
    yield Pair(
        "Resize, without antialias",
        og.Resize((small, small), antialias=False),
        lambda a: a.Resize(small, small, **once),
        0.7,
    )
    yield Pair(
        "Resize, area",
        og.Resize((size // 2, size // 2), kernel="box"),
        lambda a: a.Resize(size // 2, size // 2, interpolation=3, **once),
        0.7,
    )
    yield Pair(
        "ResizeShorter",
        og.ResizeShorter(small, antialias=False),
        lambda a: a.SmallestMaxSize(small, **once),
        0.7,
    )
    yield Pair(
        "ResizeLonger",
        og.ResizeLonger(small, antialias=False),
        lambda a: a.LongestMaxSize(small, **once),
        0.7,
    )
    yield Pair("CenterCrop", og.CenterCrop((crop, crop)), lambda a: a.CenterCrop(crop, crop, **once), 0)
    yield Pair("RandomCrop", og.RandomCrop((crop, crop)), lambda a: a.RandomCrop(crop, crop, **once))
    yield Pair(
        "RandomResizedCrop",
        og.RandomResizedCrop((small, small), scale=(0.5, 0.5), ratio=(1, 1), antialias=False),
        lambda a: a.RandomResizedCrop((small, small), scale=(0.5, 0.5), ratio=(1, 1), **once),
    )
    yield Pair("Pad", og.Pad(16), lambda a: a.Pad(16, **once), 0)
    yield Pair(
        "PadTo", og.PadTo((size + 32, size + 32)), lambda a: a.PadIfNeeded(size + 32, size + 32, **once), 0
    )
    yield Pair(
        "Crop",
        og.Crop((crop, crop), corner=(3, 5)),
        lambda a: a.Crop(x_min=5, y_min=3, x_max=crop + 5, y_max=crop + 3, **once),
        0,
    )
    yield Pair("GridShuffle", og.GridShuffle(4), lambda a: a.RandomGridShuffle((4, 4), **once))


def _targets(size: int) -> Iterator[Pair]:
    """Steps that look at a mask or at boxes."""
    once, crop = {"p": 1}, size * 3 // 4
    mask = np.zeros((size, size), np.uint8)
    for number, (row, column) in enumerate(((0.2, 0.3), (0.6, 0.1), (0.5, 0.7)), 1):
        mask[int(row * size) : int((row + 0.2) * size), int(column * size) : int((column + 0.2) * size)] = (
            number
        )
    masks = {"mask": mask}
    yield Pair(
        "CropAroundMask",
        og.CropAroundMask((crop, crop)),
        lambda a: a.CropNonEmptyMaskIfExists(crop, crop, **once),
        None,
        masks,
        masks,
    )
    yield Pair(
        "MaskDropout",
        og.MaskDropout(1),
        lambda a: a.MaskDropout((1, 1), fill=0, fill_mask=0, **once),
        None,
        masks,
        masks,
    )
    corners = np.array([[0.2, 0.3, 0.5, 0.6], [0.4, 0.5, 0.7, 0.8]]) * size
    yield Pair(
        "BBoxSafeCrop",
        og.BBoxSafeCrop((crop, crop), antialias=False),
        lambda a: a.RandomSizedBBoxSafeCrop(crop, crop, **once),
        None,
        {"bboxes": corners, "labels": [0, 1]},
        {"boxes": og.Boxes(corners, size=(size, size))},
        lambda a: {"bbox_params": a.BboxParams("pascal_voc", label_fields=["labels"])},
    )


def _filters() -> Iterator[Pair]:
    once = {"p": 1}
    yield Pair(
        "GaussianFilter",
        og.GaussianFilter(1.5),
        lambda a: a.GaussianBlur(sigma_limit=(1.5, 1.5), **once),
        1.5,
    )
    for size in (3, 5, 7):
        yield Pair(
            f"MedianFilter({size})",
            og.MedianFilter(size),
            lambda a, size=size: a.MedianBlur(blur_limit=(size, size), **once),
            0.5,
        )
    yield Pair("UniformFilter", og.UniformFilter(5), lambda a: a.Blur(blur_limit=(5, 5), **once), 1)
    yield Pair("MotionBlur", og.MotionBlur(9, 30), lambda a: a.MotionBlur(blur_limit=(9, 9), **once))
    yield Pair(
        "Defocus", og.Defocus(4), lambda a: a.Defocus(radius=(4, 4), alias_blur=(0.01, 0.01), **once), 3
    )
    yield Pair(
        "UnsharpMask",
        og.UnsharpMask(0.5, 1.0),
        lambda a: a.UnsharpMask(blur_limit=(7, 7), sigma_limit=(1, 1), alpha=(0.5, 0.5), threshold=0, **once),
        3,
    )
    yield Pair(
        "Kernel, sharpening",
        og.Kernel(((0, -1, 0), (-1, 5, -1), (0, -1, 0))),
        lambda a: a.Sharpen(alpha=(1, 1), lightness=(1, 1), **once),
    )
    yield Pair(
        "MaxFilter", og.MaxFilter(3), lambda a: a.Morphological(scale=(3, 3), operation="dilation", **once), 8
    )
    yield Pair(
        "MinFilter", og.MinFilter(3), lambda a: a.Morphological(scale=(3, 3), operation="erosion", **once), 8
    )
    yield Pair(
        "Sharpen",
        og.Sharpen(0.3, lightness=0.9, mode="mirror"),
        lambda a: a.Sharpen(alpha=(0.3, 0.3), lightness=(0.9, 0.9), **once),
        1,
    )
    yield Pair(
        "Emboss",
        og.Emboss(0.4, strength=0.5, mode="mirror"),
        lambda a: a.Emboss(alpha=(0.4, 0.4), strength=(0.5, 0.5), **once),
        1,
    )
    yield Pair(
        "Ringing",
        og.Ringing(4, cutoff=1.0, mode="mirror"),
        lambda a: a.RingingOvershoot(blur_limit=(9, 9), cutoff=(1.0, 1.0), **once),
        1,
    )
    yield Pair(
        "ZoomBlur",
        og.ZoomBlur(1.2, parts=11),
        lambda a: a.ZoomBlur(max_factor=(1.2, 1.2), step_factor=(0.02, 0.02), **once),
    )
    yield Pair(
        "GlassBlur",
        og.GlassBlur(0.7, reach=2, times=1),
        lambda a: a.GlassBlur(sigma=0.7, max_delta=2, iterations=1, **once),
    )


def _values(photo: np.ndarray) -> Iterator[Pair]:
    once = {"p": 1}
    levels = np.percentile(photo[::-1, :, ::-1] * 0.7 + 30, np.linspace(0, 100, 256), axis=(0, 1)).T
    yield Pair(
        "Brightness",
        og.Brightness(shift=0.2),
        lambda a: a.RandomBrightnessContrast((0.2, 0.2), (0, 0), **once),
        1,
    )
    yield Pair(
        "Contrast",
        og.Contrast(1.3),
        lambda a: a.RandomBrightnessContrast((0, 0), (0.3, 0.3), **once),
    )
    yield Pair("Gamma", og.Gamma(1.5), lambda a: a.RandomGamma((150, 150), **once), 1)
    yield Pair("Gamma, drawn", og.Gamma((1.4, 1.6)), lambda a: a.RandomGamma((140, 160), **once))
    yield Pair("Invert", og.Invert(), lambda a: a.InvertImg(**once), 0)
    yield Pair("Posterize", og.Posterize(4), lambda a: a.Posterize(4, **once), 0)
    yield Pair("Solarize", og.Solarize(0.5), lambda a: a.Solarize((0.5, 0.5), **once), 1)
    yield Pair(
        "PlanckianJitter",
        og.PlanckianJitter(5990),
        lambda a: a.PlanckianJitter(temperature_limit=(5980, 6000), **once),
        6,
    )
    yield Pair("Normalize", og.Normalize("imagenet"), lambda a: a.Normalize(**once), 1e-3)
    yield Pair("Rescale", og.Rescale(1 / 255), lambda a: a.ToFloat(255, **once), 1e-6)
    yield Pair(
        "ColorJitter",
        og.ColorJitter(
            brightness=(1.2, 1.201), contrast=(1.2, 1.201), saturation=(1.2, 1.201), hue=(18, 18.1)
        ),
        lambda a: a.ColorJitter(
            brightness=(1.2, 1.201),
            contrast=(1.2, 1.201),
            saturation=(1.2, 1.201),
            hue=(0.05, 0.0501),
            **once,
        ),
    )
    yield Pair(
        "HueSaturation",
        og.HueSaturation((19.9, 20.1), saturation=(1.19, 1.2), value=(1.09, 1.1)),
        lambda a: a.HueSaturationValue((10, 10), (20, 20), (10, 10), **once),
    )
    yield Pair("ToGrey", og.ToGrey(), lambda a: a.ToGray(**once), 0.5)
    yield Pair("ChannelShuffle", og.ChannelShuffle(), lambda a: a.ChannelShuffle(**once))
    yield Pair("ChannelDrop", og.ChannelDrop(), lambda a: a.ChannelDropout(**once))
    yield Pair(
        "AutoContrast", og.AutoContrast(1), lambda a: a.AutoContrast(cutoff=1, method="pil", **once), 2
    )
    yield Pair("Equalize", og.Equalize(), lambda a: a.Equalize(mode="pil", **once), 3)
    yield Pair("CLAHE", og.CLAHE(4.0), lambda a: a.CLAHE(clip_limit=(4, 4), **once))
    yield Pair(
        "MatchHistogram",
        og.MatchHistogram(levels.tolist()),
        lambda a: a.HistogramMatching(blend_ratio=(1, 1), metadata_key="like", **once),
        2,
        {"like": [(photo[::-1, :, ::-1] * 0.7 + 30).astype(np.uint8)]},
    )
    yield Pair("ZScore", og.ZScore(), lambda a: a.Normalize(normalization="image_per_channel", **once), 1e-3)
    yield Pair(
        "PercentileNormalize",
        og.PercentileNormalize(0, 100),
        lambda a: a.Normalize(normalization="min_max_per_channel", **once),
        1e-3,
    )
    yield Pair(
        "ToneCurve",
        og.ToneCurve(og.Normal(0.25, 0.1, 0, 1), high=og.Normal(0.75, 0.1, 0, 1)),
        lambda a: a.RandomToneCurve(0.1, **once),
    )


_SEPIA = ((0.393, 0.769, 0.189), (0.349, 0.686, 0.168), (0.272, 0.534, 0.131))


def _colors(photo: np.ndarray) -> Iterator[Pair]:
    once = {"p": 1}
    yield Pair(
        "RGBShift",
        og.RGBShift(20 / 255, 10 / 255, -15 / 255),
        lambda a: a.RGBShift((20, 20), (10, 10), (-15, -15), **once),
        1,
    )
    yield Pair("ColorMatrix, sepia", og.ColorMatrix(_SEPIA), lambda a: a.ToSepia(**once), 1)
    yield Pair("FancyPCA", og.FancyPCA(0.02), lambda a: a.FancyPCA(alpha=0.1, **once))
    yield Pair(
        "Snow",
        og.Snow(0.2 / 2 + 1 / 3, factor=2.5),
        lambda a: a.RandomSnow(snow_point_range=(0.2, 0.2), brightness_coeff=2.5, **once),
        2,
    )


def _noise() -> Iterator[Pair]:
    once = {"p": 1}
    yield Pair("GaussianNoise", og.GaussianNoise(0.1), lambda a: a.GaussNoise(std_range=(0.1, 0.1), **once))
    yield Pair("PoissonNoise", og.PoissonNoise(20), lambda a: a.ShotNoise(scale_range=(0.1, 0.1), **once))
    yield Pair(
        "Speckle",
        og.Speckle(0.1),
        lambda a: a.MultiplicativeNoise((0.83, 1.17), per_channel=True, elementwise=True, **once),
    )
    yield Pair(
        "ISONoise",
        og.ISONoise(0.03, intensity=0.05),
        lambda a: a.ISONoise(color_shift=(0.03, 0.03), intensity=(0.6, 0.6), **once),
    )
    yield Pair(
        "SaltAndPepper",
        og.SaltAndPepper(0.05),
        lambda a: a.SaltAndPepper(amount=(0.05, 0.05), salt_vs_pepper=(0.5, 0.5), **once),
    )
    yield Pair("PixelDropout", og.PixelDropout(0.05), lambda a: a.PixelDropout(0.05, **once))
    yield Pair(
        "CoarseDropout",
        og.CoarseDropout(8, size="10%"),
        lambda a: a.CoarseDropout((8, 8), (0.1, 0.1), (0.1, 0.1), **once),
    )
    yield Pair(
        "GridDropout",
        og.GridDropout(32, ratio=0.5),
        lambda a: a.GridDropout(ratio=0.5, unit_size_range=(32, 33), random_offset=False, **once),
    )
    yield Pair("Downscale", og.Downscale(0.5), lambda a: a.Downscale(scale_range=(0.5, 0.5), **once))
    yield Pair(
        "JpegCompression",
        og.JpegCompression(50),
        lambda a: a.ImageCompression(quality_range=(50, 50), **once),
        4,
    )
    yield Pair("BiasField", og.BiasField(0.3), lambda a: a.Illumination(intensity_range=(0.1, 0.1), **once))


def _weather(size: int) -> Iterator[Pair]:
    """What weather and light do: streaks, drifts, polygons and disks of the same number and size."""
    once = {"p": 1}
    for name, kind in (("drizzle", 500 / 270), ("heavy", 500 / 600), ("torrential", 1.0)):
        yield Pair(
            f"Rain, {name}",
            og.Rain(
                kind * 1000 / size,
                length=21,
                angle=(-20, 20),
                width=1,
                blur=7,
                brightness=0.7,
                color=200 / 255,
            ),
            lambda a, name=name: a.RandomRain(
                slant_range=(-7, 7), drop_length=20, brightness_coefficient=0.7, rain_type=name, **once
            ),
        )
    yield Pair("Fog", og.Fog(0.25), lambda a: a.RandomFog(fog_coef_range=(0.5, 0.5), **once))
    yield Pair(
        "Shadow",
        og.Shadow(2, strength=0.5),
        lambda a: a.RandomShadow(num_shadows_limit=(2, 2), shadow_intensity_range=(0.5, 0.5), **once),
    )
    yield Pair(
        "SunFlare",
        og.SunFlare(size * 0.45, strength=0.9, ghosts=8),
        # Its ghosts have a size in pixels: they make most of the change to large images, and none to small ones.
        lambda a: a.RandomSunFlare(
            src_radius=int(size * (0.4 if size > 300 else 0.65)), num_flare_circles_range=(8, 8), **once
        ),
    )
    yield Pair("Spatter", og.Spatter(0.25, sigma=2.0, opacity=0.6), lambda a: a.Spatter(mode="mud", **once))

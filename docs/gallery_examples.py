"""What the gallery shows: an example of each step, with values at which its effect is seen in a small image."""

from __future__ import annotations

import offgraph as og
from offgraph.steps.base import Step

__all__ = ["EXAMPLES"]

SHARPEN = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
FADED = [[60, 75, 95, 120, 160, 200]]
SEPIA = [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]]

EXAMPLES: dict[str, Step] = {
    # geometric
    "Affine": og.Affine(shear=0.25, rotate=10, scale=0.9, mode="reflect"),
    "BBoxSafeCrop": og.BBoxSafeCrop(),
    "CenterCrop": og.CenterCrop((120, 160)),
    "Crop": og.Crop((100, 120), (30, 40)),
    "CropAroundMask": og.CropAroundMask((80, 100), labels=3),  # type: ignore[arg-type]  # parsed
    "CropToAspect": og.CropToAspect(1.0),
    "D4": og.D4("hvt"),
    "Elastic": og.Elastic("6%", nodes=6),
    "Flip": og.Flip("X"),
    "GridDistortion": og.GridDistortion(0.6),
    "GridShuffle": og.GridShuffle(3),
    "LensDistortion": og.LensDistortion(0.35),
    "LetterBox": og.LetterBox((160, 160), cval=114),
    "Orientation": og.Orientation("SPR", given="SAL"),
    "Pad": og.Pad(((20, 20), (40, 10)), mode="reflect"),
    "PadTo": og.PadTo(aspect=1.0),
    "Perspective": og.Perspective(0.2),
    "RandomCrop": og.RandomCrop((120, 160)),
    "RandomResizedCrop": og.RandomResizedCrop(160, scale=(0.3, 0.5)),
    "Resize": og.Resize((96, 160)),
    "ResizeLonger": og.ResizeLonger(160),
    "ResizeShorter": og.ResizeShorter(96),
    "Rotate": og.Rotate((-30, 30)),
    "Rotate90": og.Rotate90(1),
    "Scale": og.Scale(0.7),
    "Shift": og.Shift(("10%", "-15%"), mode="grid-wrap"),
    "ShiftScaleRotate": og.ShiftScaleRotate(mode="mirror"),
    "Spacing": og.Spacing(2.0, given={"Y": 1.0, "X": 2.0}),  # type: ignore[arg-type]  # parsed
    "ThinPlateSpline": og.ThinPlateSpline("8%"),
    "Transpose": og.Transpose(),
    "Zoom": og.Zoom(0.6),
    # filters
    "Bilateral": og.Bilateral(9, sigma=3, sigma_value=0.15),
    "BackgroundSubtract": og.BackgroundSubtract(12),
    "Defocus": og.Defocus(4),
    "DifferenceOfGaussians": og.DifferenceOfGaussians(2),
    "Emboss": og.Emboss(0.8, 0.6),
    "GaussianFilter": og.GaussianFilter(3),
    "GradientMagnitude": og.GradientMagnitude(1),
    "Kernel": og.Kernel(SHARPEN),  # type: ignore[arg-type]  # parsed
    "Laplacian": og.Laplacian(2),
    "MaxFilter": og.MaxFilter(7),
    "MedianFilter": og.MedianFilter(9),
    "MinFilter": og.MinFilter(7),
    "MotionBlur": og.MotionBlur(15, angle=30),
    "Ndimage": og.Ndimage("morphological_gradient", size=5),
    "PercentileFilter": og.PercentileFilter(80, 7),
    "Ringing": og.Ringing(7, cutoff=0.6),
    "Sharpen": og.Sharpen(0.6),
    "UniformFilter": og.UniformFilter(9),
    "UnsharpMask": og.UnsharpMask(2, sigma=2),
    "WhiteTopHat": og.WhiteTopHat(15),
    "ZoomBlur": og.ZoomBlur(1.3),
    # values
    "Brightness": og.Brightness(1.4),
    "Clip": og.Clip(80, 160),
    "Contrast": og.Contrast(1.8),
    "Gamma": og.Gamma(0.5),
    "Invert": og.Invert(),
    "Normalize": og.Normalize("imagenet"),
    "PlanckianJitter": og.PlanckianJitter(12000),
    "Posterize": og.Posterize(2),
    "Rescale": og.Rescale(1 / 255),
    "Solarize": og.Solarize(0.5),
    "ToneCurve": og.ToneCurve(0.05, 0.95),
    # colours
    "ChannelDrop": og.ChannelDrop(),
    "ChannelShuffle": og.ChannelShuffle(),
    "ColorJitter": og.ColorJitter((0.6, 1.4), (0.6, 1.4), (0.4, 1.6), (-30, 30)),
    "HueSaturation": og.HueSaturation(hue=60, saturation=1.3),
    "ColorMatrix": og.ColorMatrix(SEPIA),  # type: ignore[arg-type]  # parsed
    "RGBShift": og.RGBShift(0.15, 0, -0.15),
    "Snow": og.Snow(0.5, factor=2.5),
    "ToGrey": og.ToGrey(),
    "ToRGB": og.ToRGB(),
    # statistics
    "AutoContrast": og.AutoContrast(2),
    "CLAHE": og.CLAHE(4),
    "FancyPCA": og.FancyPCA(3),
    "Equalize": og.Equalize(),
    "MatchHistogram": og.MatchHistogram(FADED),  # type: ignore[arg-type]  # parsed
    "PercentileNormalize": og.PercentileNormalize(5, 95, clip=True),
    "ZScore": og.ZScore(),
    # noise and loss
    "BiasField": og.BiasField(0.7),
    "CoarseDropout": og.CoarseDropout((4, 8), mask_fill=0),
    "Downscale": og.Downscale(0.2),
    "Fog": og.Fog(0.8, patchiness=0.7),
    "GaussianNoise": og.GaussianNoise(0.12),
    "GlassBlur": og.GlassBlur(0.7, reach=4),
    "GridDropout": og.GridDropout(32),
    "ISONoise": og.ISONoise(0.05, 0.2),
    "JpegCompression": og.JpegCompression(5),
    "MaskDropout": og.MaskDropout(2, fill=128, mask_fill=0),
    "PixelDropout": og.PixelDropout(0.1),
    "PoissonNoise": og.PoissonNoise(20),
    "Rain": og.Rain(2, length=20, angle=10),
    "SaltAndPepper": og.SaltAndPepper(0.06),
    "Shadow": og.Shadow(2, strength=0.5),
    "Spatter": og.Spatter(0.15, opacity=0.9),
    "Speckle": og.Speckle(0.3),
    "SunFlare": og.SunFlare("80%", strength=1, rows=0.2, columns=0.3),
    # structure
    "AugMix": og.AugMix(8, alpha=2),
    "Identity": og.Identity(),
    "Lambda": og.Lambda(og.function("gallery:blue_first", lambda image: image[..., ::-1].copy())),
    "OneOf": og.OneOf([og.Invert(), og.GaussianFilter(4)]),
    "RandAugment": og.RandAugment(3, magnitude=20),
    "RandomOrder": og.RandomOrder([og.Posterize(2), og.GaussianFilter(2)]),
    "Sequence": og.Sequence([og.Flip("X"), og.ToGrey(3)]),
    "SomeOf": og.SomeOf([og.Rotate(20), og.Invert(), og.Posterize(2)], 2),
    "TrivialAugment": og.TrivialAugment(),
    # a model's output
    "ArgMax": og.ArgMax(),
    "ClearBorder": og.ClearBorder(),
    "Close": og.Close(3),
    "Contours": og.Contours(),
    "Dilate": og.Dilate(4),
    "DistanceWatershed": og.DistanceWatershed(),
    "Erode": og.Erode(4),
    "FillHoles": og.FillHoles(),
    "KeepLargest": og.KeepLargest(2),
    "Label": og.Label(),
    "Measure": og.Measure(("area", "centroid")),
    "NonMaximumSuppression": og.NonMaximumSuppression(0.3),
    "Open": og.Open(6),
    "RemoveSmall": og.RemoveSmall(60),
    "SeededWatershed": og.SeededWatershed(mask=1, seeds=0),
    "Sigmoid": og.Sigmoid(),
    "SmoothProbabilities": og.SmoothProbabilities(4),
    "Softmax": og.Softmax(),
    "Threshold": og.Threshold(0.5),
}
"""By the step's name; every step of the registry has one."""

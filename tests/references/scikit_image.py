"""Steps beside scikit-image."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.references.declared import IMAGES, Lazy, compare, each_channel

import offgraph as og

color, exposure, filters, measure, morphology, restoration, segmentation, transform, util = (
    Lazy(f"skimage.{name}")
    for name in (
        "color",
        "exposure",
        "filters",
        "measure",
        "morphology",
        "restoration",
        "segmentation",
        "transform",
        "util",
    )
)
SKIMAGE = "scikit-image"
FLOATS = "rounded to float32, and other orders of the same sums"


def _hued(image: np.ndarray) -> Any:
    hsv = color.rgb2hsv(image)
    return color.hsv2rgb(
        np.stack([(hsv[..., 0] + 40 / 360) % 1, np.minimum(hsv[..., 1] * 1.2, 1), hsv[..., 2]], -1)
    )


def _squared() -> np.ndarray:
    """Grey values to be matched."""
    return IMAGES["doubles"]()[..., 0] ** 2


def _rescaled(channel: np.ndarray) -> Any:
    ends = tuple(np.percentile(channel.astype(float), (2, 98)))
    return exposure.rescale_intensity(channel.astype(float), in_range=ends, out_range=(0.0, 1.0))


compare(
    SKIMAGE,
    "exposure.adjust_gamma(image, 1.7)",
    lambda: og.Gamma(1.7, range=1),
    lambda i: exposure.adjust_gamma(i, 1.7),
    images=("doubles",),
)
compare(
    SKIMAGE,
    "exposure.adjust_gamma(image, 1.7)",
    lambda: og.Gamma(1.7),
    lambda i: exposure.adjust_gamma(i, 1.7),
    images=("photo", "noise"),
)
compare(SKIMAGE, "util.invert(image)", og.Invert, lambda i: util.invert(i), images=("photo", "words"))
compare(
    SKIMAGE,
    "filters.unsharp_mask(channel, 2, 1.5, preserve_range=True)",
    lambda: og.UnsharpMask(1.5, sigma=2),
    each_channel(lambda c: filters.unsharp_mask(c, 2, 1.5, preserve_range=True)),
    images=("doubles",),
)
compare(
    SKIMAGE,
    "filters.difference_of_gaussians(image, 1, 1.6)",
    lambda: og.DifferenceOfGaussians(1, mode="nearest"),
    lambda i: filters.difference_of_gaussians(i, 1, 1.6, mode="nearest", channel_axis=-1),
    images=("doubles",),
    bound=1e-6,
    why=FLOATS,
)
compare(
    SKIMAGE,
    "exposure.rescale_intensity(channel, percentiles 2 and 98, (0, 1))",
    lambda: og.PercentileNormalize(2, 98, clip=True),
    each_channel(_rescaled),
    images=("photo", "words"),
    bound=1e-6,
    why=FLOATS,
)
compare(
    SKIMAGE,
    "channel - restoration.rolling_ball(channel, radius=8)",
    lambda: og.BackgroundSubtract(8),
    each_channel(lambda c: c - restoration.rolling_ball(c, radius=8)),
    images=("doubles",),
)
compare(
    SKIMAGE,
    "color.rgb2hsv, hue + 40°, saturation × 1.2, color.hsv2rgb",
    lambda: og.HueSaturation(40, saturation=1.2, range=1),
    _hued,
    images=("doubles",),
    bound=1e-12,
    why=FLOATS,
)
compare(
    SKIMAGE,
    "exposure.match_histograms(image, itself squared)",
    lambda: og.MatchHistogram.like(_squared(), count=4000),
    each_channel(lambda c: exposure.match_histograms(c, _squared())),
    images=("doubles",),
    bound=0.02,
    why="quantiles in even steps in place of every value",
)
compare(
    SKIMAGE,
    "transform.rotate(image, 25)",
    lambda: og.Rotate(25, mode="grid-constant"),
    lambda i: transform.rotate(i, 25, preserve_range=True),
    images=("doubles",),
    bound=1e-9,
    why=FLOATS,
)
compare(
    SKIMAGE,
    "transform.rotate(image, 90, resize=True)",
    lambda: og.Rotate90(1),
    lambda i: transform.rotate(i, 90, resize=True, preserve_range=True),
    images=("doubles",),
    bound=1e-9,
    why=FLOATS,
)
compare(
    SKIMAGE,
    "transform.warp(image, ProjectiveTransform)",
    lambda: og.Affine(matrix=((1.1, 0.05, -8), (0.1, 0.9, 3)), anchor="origin", mode="grid-constant"),
    lambda i: transform.warp(i, np.array([[0.9, 0.1, 3], [0.05, 1.1, -8], [0, 0, 1]]), order=1),
    images=("doubles",),
    bound=1e-9,
    why=FLOATS,
)
compare(
    SKIMAGE,
    "transform.resize(image, (300, 400), order=1)",
    lambda: og.Resize((300, 400)),
    lambda i: transform.resize(i, (300, 400), order=1, mode="edge"),
    images=("doubles",),
    bound=1e-9,
    why=FLOATS,
)
compare(
    SKIMAGE,
    "transform.downscale_local_mean(image, (4, 4, 1))",
    lambda: og.Resize(scale=0.25, kernel="box"),
    lambda i: transform.downscale_local_mean(i, (4, 4, 1)),
    images=("doubles",),
    bound=1e-12,
    why=FLOATS,
)
compare(
    SKIMAGE,
    "measure.label(image, connectivity=1)",
    og.Label,
    lambda i: measure.label(i, connectivity=1).astype(np.int32),
    images=("objects",),
    bound=0,
)
compare(
    SKIMAGE,
    "morphology.remove_small_objects(image, max_size=19, connectivity=1)",
    lambda: og.RemoveSmall(20),
    lambda i: morphology.remove_small_objects(i.astype(bool), max_size=19, connectivity=1).astype(np.uint8),
    images=("objects",),
)
compare(
    SKIMAGE,
    "segmentation.clear_border(image)",
    lambda: og.ClearBorder(connectivity=2),
    lambda i: segmentation.clear_border(i),
    images=("blobs",),
)
compare(
    SKIMAGE,
    "morphology.erosion(image, ones((3, 3)))",
    lambda: og.Erode(connectivity=2),
    lambda i: morphology.erosion(i, np.ones((3, 3), np.uint8)),
    images=("blobs",),
)
compare(
    SKIMAGE,
    "morphology.dilation(image, ones((3, 3)))",
    lambda: og.Dilate(connectivity=2),
    lambda i: morphology.dilation(i, np.ones((3, 3), np.uint8)),
    images=("blobs",),
)
compare(
    SKIMAGE,
    "morphology.opening(image, ones((5, 5)))",
    lambda: og.Open(2, connectivity=2),
    lambda i: morphology.opening(i, np.ones((5, 5), np.uint8)),
    images=("blobs",),
)
compare(
    SKIMAGE,
    "morphology.closing(image, ones((5, 5)))",
    lambda: og.Close(2, connectivity=2),
    lambda i: morphology.closing(i, np.ones((5, 5), np.uint8)),
    images=("blobs",),
)
compare(
    SKIMAGE,
    "(image > filters.threshold_otsu(image)).astype('uint8')",
    lambda: og.Threshold(method="otsu"),
    lambda i: (i > filters.threshold_otsu(i)).astype(np.uint8),
    images=("probabilities",),
)
compare(
    SKIMAGE,
    "filters.apply_hysteresis_threshold(image, 0.4, 0.8).astype('uint8')",
    lambda: og.Threshold(0.8, method="hysteresis", low=0.4),
    lambda i: filters.apply_hysteresis_threshold(i, 0.4, 0.8).astype(np.uint8),
    images=("probabilities",),
)

"""Albumentations' steps that blur, sharpen and filter."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from offgraph.migration.albumentations.table import TABLE, odd_sizes
from offgraph.migration.arguments import Arguments
from offgraph.steps.base import Step
from offgraph.steps.parameters import PerAxis
from offgraph.transforms.filters import (
    Defocus,
    Emboss,
    GaussianFilter,
    MaxFilter,
    MedianFilter,
    MinFilter,
    MotionBlur,
    Ringing,
    Sharpen,
    UniformFilter,
    UnsharpMask,
    ZoomBlur,
)
from offgraph.transforms.structure import OneOf

__all__: list[str] = []


def _one_of(sizes: Sequence[int], make: Callable[[int], Step]) -> Sequence[Step]:
    return (OneOf([make(size) for size in sizes]),) if len(sizes) > 1 else (make(sizes[0]),)


@TABLE.add(
    "Blur", ours="UniformFilter", verdict="close", levels=2,
    why="SciPy cuts fractions off after each axis, OpenCV rounds once; each size that is drawn is a part of OneOf",
)  # fmt: skip
def _blur(a: Arguments) -> Sequence[Step]:
    return _one_of(odd_sizes(a, "blur_limit", (3, 7)), lambda size: UniformFilter(size, mode="mirror"))


@TABLE.add("MedianBlur", ours="MedianFilter", why="each size that is drawn is a part of OneOf")
def _median(a: Arguments) -> Sequence[Step]:
    return _one_of(odd_sizes(a, "blur_limit", (3, 7)), lambda size: MedianFilter(size, mode="nearest"))


@TABLE.add(
    "GaussianBlur", ours="GaussianFilter", verdict="close", levels=2,
    why="SciPy cuts fractions off after each axis, OpenCV rounds once",
)  # fmt: skip
def _gaussian(a: Arguments) -> Sequence[Step]:
    low, high = a.pair("sigma_limit", 0 if a.old else (0.5, 3.0))
    if isinstance(a.get("sigma_limit"), int | float) and high > 0:
        low = 0.0
    given = a.get("blur_limit", (3, 7) if a.old else 0)
    if high > 0:
        if given not in (0, [0, 0], (0, 0), None):
            a.differs(f"blur_limit={given!r:.30} is left out: the window follows sigma")
        return (GaussianFilter((low, high), mode="mirror"),)
    sizes = odd_sizes(a, "blur_limit", (3, 7))

    def blurred(size: int) -> Step:
        sigma = 0.3 * ((size - 1) * 0.5 - 1) + 0.8  # OpenCV's for a window
        return GaussianFilter(round(sigma, 4), mode="mirror", truncate=size // 2 / sigma)

    return _one_of(sizes, blurred)


@TABLE.add(
    "MotionBlur", ours="MotionBlur", verdict="differs",
    why="the line is drawn into the window in another way, always through its middle, by parts of pixels",
)  # fmt: skip
def _motion(a: Arguments) -> Sequence[Step]:
    sizes = odd_sizes(a, "blur_limit", (3, 7))
    angle = a.pair("angle_range", (0, 360))
    a.ignore("allow_shifted", neutral=bool(a.get("allow_shifted", True)))
    a.ignore("direction_range", neutral=(-1, 1), why="lines reach as far to both sides")
    return (MotionBlur((sizes[0], sizes[-1]), angle=angle, mode="mirror"),)


@TABLE.add(
    "Defocus", ours="Defocus", verdict="differs", why="the disk has a soft edge of one pixel, alias_blur apart",
)  # fmt: skip
def _defocus(a: Arguments) -> Sequence[Step]:
    value = a.get("radius", (3, 10))
    radius = a.pair("radius") if isinstance(value, list | tuple) else (1.0, a.number("radius", 3))
    a.get("alias_blur")
    return (Defocus(radius, mode="mirror"),)


@TABLE.add(
    "AdvancedBlur", ours="GaussianFilter", verdict="differs",
    why="a Gaussian along rows and columns, neither turned nor made heavier, without noise in the kernel",
)  # fmt: skip
def _advanced(a: Arguments) -> Sequence[Step]:
    across = a.pair("sigma_x_limit" if a.has("sigma_x_limit") else "sigmaX_limit", (0.2, 1.0))
    down = a.pair("sigma_y_limit" if a.has("sigma_y_limit") else "sigmaY_limit", (0.2, 1.0))
    for name in ("blur_limit", "rotate_limit", "beta_limit", "noise_limit", "sigma_x_limit", "sigma_y_limit"):
        a.get(name)
    return (GaussianFilter(PerAxis({"Y": down, "X": across}), mode="mirror"),)


@TABLE.add(
    "UnsharpMask", ours="UnsharpMask", verdict="close", levels=1,
)  # fmt: skip
def _unsharp(a: Arguments) -> Sequence[Step]:
    sizes = odd_sizes(a, "blur_limit", (3, 7))
    low, high = a.pair("sigma_limit", 0.0)
    if high == 0:
        low, high = (0.3 * ((size - 1) * 0.5 - 1) + 0.8 for size in (sizes[0], sizes[-1]))
        if sizes[0] < 7:
            a.tell("the window follows sigma; there it ends after 3 or 5 pixels", "close", 8)
    else:
        a.differs(f"blur_limit={a.get('blur_limit', (3, 7))} is left out: the window follows sigma")
    a.ignore("threshold", neutral=0, why="all differences count")
    return (UnsharpMask(a.pair("alpha", (0.2, 0.5)), sigma=(low, high), mode="mirror"),)


@TABLE.add("Sharpen", "IAASharpen", ours="Sharpen", verdict="close", levels=1)
def _sharpen(a: Arguments) -> Sequence[Step]:
    low, high = a.pair("alpha", (0.2, 0.5))
    lightness = a.pair("lightness", (0.5, 1.0))
    if a.get("method", "kernel") == "gaussian":
        size = a.whole("kernel_size", 5)
        a.differs(
            f"method='gaussian': the window follows sigma, there it is {size} pixels; and a rounded blur is subtracted"
        )
        return (UnsharpMask((low, high), sigma=a.number("sigma", 1.0), mode="mirror"),)
    a.get("kernel_size"), a.get("sigma")
    return (Sharpen((low, high), lightness=lightness, mode="mirror"),)


@TABLE.add(
    "RingingOvershoot", ours="Ringing", verdict="close", levels=1,
)  # fmt: skip
def _ringing(a: Arguments) -> Sequence[Step]:
    sizes = odd_sizes(a, "blur_limit", (7, 15))
    low, high = a.pair("cutoff", (math.pi / 4, math.pi / 2))
    if not 0 < high <= math.pi:
        a.refuse("cutoff", "radians per pixel, above 0 to pi", a.get("cutoff"))
    if max(sizes) > 101:
        a.refuse("blur_limit", "sizes of at most 101 pixels", a.get("blur_limit"))
    return (Ringing((sizes[0] // 2, sizes[-1] // 2), cutoff=(max(low, 1e-3), high), mode="mirror"),)


@TABLE.add(
    "ZoomBlur", ours="ZoomBlur", verdict="differs",
    why="a fixed number of images is averaged, from 1 to the drawn factor; there their distance is drawn, and the image itself counts twice",
)  # fmt: skip
def _zoomed(a: Arguments) -> Sequence[Step]:
    low, high = (
        (1.0, a.number("max_factor"))
        if isinstance(a.get("max_factor"), int | float)
        else a.pair("max_factor", (1, 1.31))
    )
    step = sum(a.pair("step_factor", (0.01, 0.03))) / 2
    if not 1 <= low <= high <= 10 or step <= 0:
        a.refuse("max_factor", "factors from 1 to 10, in steps above 0", a.get("max_factor"))
    parts = min(max(round(((low + high) / 2 - 1) / step) + 1, 2), 100)
    return (ZoomBlur((low, high), parts=parts),)


@TABLE.add(
    "Morphological", ours="MaxFilter or MinFilter", verdict="differs", why="the window is a square, there it is an ellipse",
)  # fmt: skip
def _morphological(a: Arguments) -> Sequence[Step]:
    low, high = a.pair("scale", (2, 3))
    cls = MinFilter if a.get("operation", "dilation") == "erosion" else MaxFilter
    if high > 99:
        a.refuse("scale", "sizes of at most 99 pixels", a.get("scale"))
    return _one_of(range(max(int(low), 1), max(int(high), 1) + 1), lambda size: cls(size))


@TABLE.add("Emboss", "IAAEmboss", ours="Emboss", verdict="close", levels=1)
def _emboss(a: Arguments) -> Sequence[Step]:
    alpha, strength = a.pair("alpha", (0.2, 0.5)), a.pair("strength", (0.2, 0.7))
    return (Emboss(alpha, strength=strength, mode="mirror"),)


TABLE.none(
    "Superpixels", "IAASuperpixels", instead="no step of this kind; Bilateral flattens what lies within edges"
)

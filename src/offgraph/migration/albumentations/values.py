"""Albumentations' steps that change values and colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from offgraph.core.distributions import Normal
from offgraph.migration.albumentations.table import TABLE, limits
from offgraph.migration.arguments import MISSING, Arguments, one_or_all
from offgraph.migration.opencv import fill_value
from offgraph.steps.base import Step
from offgraph.transforms.color import (
    ChannelDrop,
    ChannelShuffle,
    ColorJitter,
    ColorMatrix,
    HueSaturation,
    RGBShift,
    ToGrey,
    ToRGB,
)
from offgraph.transforms.pointwise import (
    Brightness,
    Gamma,
    Invert,
    Normalize,
    PlanckianJitter,
    Posterize,
    Rescale,
    Solarize,
    ToneCurve,
)
from offgraph.transforms.statistics import (
    CLAHE,
    AutoContrast,
    Equalize,
    FancyPCA,
    PercentileNormalize,
    ZScore,
)

__all__: list[str] = []

_CUT = "Albumentations cuts fractions off, here they are rounded"


def _brightness(a: Arguments, shift: tuple[float, float], contrast: tuple[float, float]) -> Sequence[Step]:
    low, high = (1 + value for value in contrast)
    if high < 0:
        a.refuse("contrast_limit", "above -1: contrast is not turned round", a.get("contrast_limit"))
    if low < 0:
        a.differs("a contrast below -1 turns black and white round there; here factors begin at 0")
    return (Brightness(factor=(max(low, 0), high), shift=shift),)


@TABLE.add("RandomBrightnessContrast", ours="Brightness", verdict="close", levels=1, why=_CUT)
def _brightness_contrast(a: Arguments) -> Sequence[Step]:
    if not a.flag("brightness_by_max", True):
        a.differs("brightness_by_max=False: Albumentations adds shares of the image's mean, here of white")
    a.ignore("ensure_safe_range", neutral=False, why="values are limited to 0 to white")
    return _brightness(a, limits(a, "brightness_limit", 0.2), limits(a, "contrast_limit", 0.2))


@TABLE.add("RandomBrightness", ours="Brightness", verdict="close", levels=1, why=_CUT)
def _only_brightness(a: Arguments) -> Sequence[Step]:
    return _brightness(a, limits(a, "limit", 0.2), (0, 0))


@TABLE.add("RandomContrast", ours="Brightness", verdict="close", levels=1, why=_CUT)
def _only_contrast(a: Arguments) -> Sequence[Step]:
    return _brightness(a, (0, 0), limits(a, "limit", 0.2))


@TABLE.add("RandomGamma", ours="Gamma", verdict="close", levels=1, why=_CUT)
def _gamma(a: Arguments) -> Sequence[Step]:
    value = a.get("gamma_limit", (80, 120))
    low, high = (
        (80.0, a.number("gamma_limit"))
        if isinstance(value, int | float)
        else a.pair("gamma_limit", (80, 120))
    )
    a.ignore("eps")
    if min(low, high) <= 0:
        a.refuse("gamma_limit", "percents above 0", value)
    return (Gamma((min(low, high) / 100, max(low, high) / 100)),)


@TABLE.add(
    "HueSaturationValue", ours="HueSaturation", verdict="close", levels=6,
    why="OpenCV has 180 hues of uint8, and whole numbers for saturation and value",
)  # fmt: skip
def _hue(a: Arguments) -> Sequence[Step]:
    turn = limits(a, "hue_shift_limit", 20, scale=2)  # OpenCV's hue counts 180 to a turn
    shifts: dict[str, Any] = {}
    for name, default, ours in (("sat", 30, "saturation_shift"), ("val", 20, "value_shift")):
        low, high = limits(a, f"{name}_shift_limit", default, scale=1 / 255)
        shifts[ours] = (min(max(low, -1.0), 1.0), min(max(high, -1.0), 1.0))
    return (HueSaturation(turn, **shifts),)


def _factors(a: Arguments, name: str, default: Any) -> tuple[float, float]:
    value = a.get(name, default)
    if isinstance(value, list | tuple):
        return a.pair(name, default)
    reach = abs(a.number(name, default))
    return max(1 - reach, 0.0), 1 + reach


@TABLE.add(
    "ColorJitter", ours="ColorJitter", verdict="close", levels=4,
    why="Albumentations rounds after each of the four parts, and OpenCV has 180 hues of uint8",
)  # fmt: skip
def _jitter(a: Arguments) -> Sequence[Step]:
    brightness, contrast, saturation = (
        _factors(a, name, 0.2) for name in ("brightness", "contrast", "saturation")
    )
    hue = limits(a, "hue", 0.2 if a.old else 0.5, scale=360)
    if hue != (0, 0):
        a.tell("a turned hue makes more of what was rounded before it", "close", 12)
    return (ColorJitter(brightness, contrast=contrast, saturation=saturation, hue=hue),)


@TABLE.add(
    "ToGray", ours="ToGrey", verdict="close", levels=1,
    why="OpenCV rounds its weights to 15 bits, and the average is cut off; here both are rounded once",
)  # fmt: skip
def _grey(a: Arguments) -> Sequence[Step]:
    count = a.whole("num_output_channels", 3)
    method = a.get("method", "weighted_average")
    if method not in ("weighted_average", "average"):
        a.differs(f"method={method!r:.30}: the brightness of ITU-R BT.601 is taken")
    if count not in (1, 3):
        a.refuse("num_output_channels", "1 or 3", count)
    return (ToGrey(count, method="mean" if method == "average" else "luma"),)


@TABLE.add("ToRGB", ours="ToRGB", p=1.0)
def _rgb(a: Arguments) -> Sequence[Step]:
    a.ignore("num_output_channels", neutral=3)
    return (ToRGB(),)


@TABLE.add("InvertImg", ours="Invert")
def _invert(a: Arguments) -> Sequence[Step]:
    return (Invert(),)


@TABLE.add("Solarize", ours="Solarize")
def _solarize(a: Arguments) -> Sequence[Step]:
    name = "threshold_range" if a.has("threshold_range") or not a.has("threshold") else "threshold"
    low, high = a.pair(name, 0.5)
    if name == "threshold" and high > 1:
        low, high = low / 255, high / 255
    return (Solarize((min(max(low, 0), 1), min(max(high, 0), 1))),)


@TABLE.add("Posterize", ours="Posterize")
def _posterize(a: Arguments) -> Sequence[Step]:
    value = a.get("num_bits", 4)
    if isinstance(value, list | tuple) and len(value) == 3:
        bits = [int(part) for part in _flat(value)]
        low, high = min(bits), max(bits)
        if low != high:
            a.differs("bits of each channel by itself: here all channels have the same")
    else:
        pair = a.pair("num_bits", 4)
        low, high = int(pair[0]), int(pair[1])
    if low < 1:
        a.differs("0 bits leave black; here at least 1 bit is kept")
    return (Posterize((max(low, 1), max(high, 1))),)


def _flat(value: Any) -> list[Any]:
    return [part for each in value for part in (_flat(each) if isinstance(each, list | tuple) else [each])]


@TABLE.add("Equalize", ours="Equalize")
def _equalize(a: Arguments) -> Sequence[Step]:
    a.ignore("by_channels", neutral=True, why="each channel is equalized")
    a.ignore("mask", "mask_params", neutral=())
    if a.get("mode", "cv") == "cv":
        return (Equalize(like="opencv"),)
    a.differs(
        "mode='pil' counts the pixels of a level with those below it, Pillow itself, whose bytes these are, does not: some grey levels"
    )
    return (Equalize(),)


@TABLE.add(
    "CLAHE", ours="CLAHE", verdict="differs",
    why="of colours Albumentations equalizes the lightness of CIE Lab, here each channel is; grey images are nearly the same",
)  # fmt: skip
def _clahe(a: Arguments) -> Sequence[Step]:
    value = a.get("clip_limit", 4.0)
    low, high = (
        a.pair("clip_limit") if isinstance(value, list | tuple) else (1.0, a.number("clip_limit", 4.0))
    )
    rows, columns = (int(n) for n in a.pair("tile_grid_size", (8, 8)))
    if rows != columns:
        columns, rows = (int(n) for n in a.numbers("tile_grid_size"))  # OpenCV has width before height
    tiles: Any = rows if rows == columns else {"Y": rows, "X": columns}
    return (CLAHE((max(low, 0.01), max(high, 0.01)), tiles=tiles),)


@TABLE.add("AutoContrast", ours="AutoContrast", verdict="close", levels=1)
def _auto_contrast(a: Arguments) -> Sequence[Step]:
    if a.get("method", "cdf") != "pil":
        a.differs("method='cdf' equalizes between the ends; here values are stretched, as method='pil' does")
    a.ignore("ignore", why="all values count")
    return (AutoContrast(a.number("cutoff", 0)),)


@TABLE.add("PlanckianJitter", ours="PlanckianJitter", verdict="differs",
    why="Albumentations has a table of white points and draws on both sides of 6,000 K; here the light of a black body is computed, "
    "and temperatures are drawn evenly",
)  # fmt: skip
def _planckian(a: Arguments) -> Sequence[Step]:
    a.ignore("mode", neutral="blackbody", why="the light of a black body is taken")
    a.ignore("sampling_method", neutral="uniform")
    low, high = a.pair("temperature_limit") if a.has("temperature_limit") else (3000.0, 15000.0)
    a.get("temperature_limit")
    return (PlanckianJitter((max(low, 1500), min(high, 40000))),)


@TABLE.add("ChannelShuffle", ours="ChannelShuffle")
def _shuffle(a: Arguments) -> Sequence[Step]:
    return (ChannelShuffle(),)


@TABLE.add("ChannelDropout", ours="ChannelDrop")
def _drop(a: Arguments) -> Sequence[Step]:
    low, high = a.pair("channel_drop_range", (1, 1))
    return (ChannelDrop((int(low), int(high)), fill=fill_value(a, "fill", "fill_value")),)


@TABLE.add("Normalize", ours="Normalize", p=1.0)
def _normalize(a: Arguments) -> Sequence[Step]:
    kind = a.get("normalization", "standard")
    mean, std = a.numbers("mean", (0.485, 0.456, 0.406)), a.numbers("std", (0.229, 0.224, 0.225))
    top = a.number("max_pixel_value", 255.0) if a.get("max_pixel_value", 255.0) is not None else None
    if kind in ("image", "image_per_channel"):
        return (ZScore(per_channel=kind == "image_per_channel"),)
    if kind in ("min_max", "min_max_per_channel"):
        return (PercentileNormalize(0, 100, per_channel=kind == "min_max_per_channel"),)
    if kind != "standard":
        a.refuse("normalization", "standard, image, image_per_channel, min_max or min_max_per_channel", kind)
    if len(mean) != len(std):
        mean, std = (value * (max(len(mean), len(std)) if len(value) == 1 else 1) for value in (mean, std))
    return (Normalize(mean=one_or_all(mean), std=one_or_all(std), range=top),)


@TABLE.add("ToFloat", ours="Normalize", p=1.0)
def _to_float(a: Arguments) -> Sequence[Step]:
    if a.has("max_value"):
        return (Rescale(1 / a.number("max_value")),)
    a.get("max_value")
    return (Normalize(mean=0.0, std=1.0),)


@TABLE.add("ToTensor", ours="Rescale or Normalize", p=1.0)
def _to_tensor(a: Arguments) -> Sequence[Step]:
    normalize = a.get("normalize")
    a.ignore("num_classes", neutral=1)
    a.ignore("sigmoid", neutral=True)
    a.tell("tensors with channels first are made by loader.torch(), or Loader(data_format='channels_first')")
    if isinstance(normalize, dict):
        inner = Arguments(a.name, normalize, f"{a.where}, field normalize")
        mean, std = inner.numbers("mean", MISSING), inner.numbers("std", MISSING)
        return (Normalize(mean=one_or_all(mean), std=one_or_all(std)),)
    return (Rescale(1 / 255),)


@TABLE.add("ToTensorV2", ours="", p=1.0)
def _to_tensor_v2(a: Arguments) -> Sequence[Step]:
    a.get("transpose_mask")
    a.tell(
        "no step: tensors with channels first are made by loader.torch(), or Loader(data_format='channels_first')"
    )
    return ()


@TABLE.add("RGBShift", ours="RGBShift", verdict="close", levels=1, why=_CUT)
def _rgb_shift(a: Arguments) -> Sequence[Step]:
    for name in (
        "approximation",
        "noise_params",
        "noise_type",
        "spatial_mode",
    ):  # of the class that it is derived from
        a.get(name)
    red, green, blue = (_shift_of_white(a, f"{name}_shift_limit") for name in "rgb")
    return (RGBShift(red, green, blue),)


def _shift_of_white(a: Arguments, name: str) -> tuple[float, float]:
    """Limits as shares of white; version 2 takes limits of at most 1 for such."""
    low, high = limits(a, name, 20)
    scale = 1.0 if not a.old and max(abs(low), abs(high)) <= 1 else 1 / 255
    return low * scale, high * scale


_SEPIA: Any = [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]]


@TABLE.add("ToSepia", ours="ColorMatrix", verdict="close", levels=1)
def _sepia(a: Arguments) -> Sequence[Step]:
    return (ColorMatrix(_SEPIA),)


@TABLE.add("RandomToneCurve", ours="ToneCurve", verdict="close", levels=1, why=_CUT)
def _tone_curve(a: Arguments) -> Sequence[Step]:
    a.ignore("per_channel", neutral=False, why="all channels have one curve")
    scale = a.number("scale", 0.1)
    if scale <= 0:
        return (ToneCurve(0.25, high=0.75),)
    return (ToneCurve(Normal(0.25, scale, 0, 1), high=Normal(0.75, scale, 0, 1)),)


@TABLE.add(
    "FancyPCA", ours="FancyPCA", verdict="differs",
    why="Albumentations multiplies each pixel's distance from the mean colour, here colours are shifted, as in the paper",
)  # fmt: skip
def _fancy_pca(a: Arguments) -> Sequence[Step]:
    return (FancyPCA(a.number("alpha", 0.1)),)


TABLE.none(
    "FromFloat",
    instead="images keep whole numbers until Normalize or Rescale; leave ToFloat and FromFloat out",
)
TABLE.none(
    "HEStain", "ChromaticAberration", "Illumination", "PlasmaBrightnessContrast",
    "PlasmaShadow", instead="ColorJitter, Gamma, PlanckianJitter and BiasField change colours and light",
)  # fmt: skip
TABLE.none(
    "HistogramMatching", "FDA", "PixelDistributionAdaptation", "TemplateTransform",
    instead="a reference image is needed: og.MatchHistogram.like(image) takes its histogram",
)  # fmt: skip

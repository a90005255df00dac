"""The table of torchvision's transforms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from offgraph.migration.arguments import MISSING, Arguments, one_or_all
from offgraph.migration.tables import Table
from offgraph.steps.base import Step
from offgraph.steps.parameters import PerAxis
from offgraph.transforms.color import ChannelShuffle, ColorJitter, ToGrey
from offgraph.transforms.filters import GaussianFilter, UnsharpMask
from offgraph.transforms.geometric import (
    Affine,
    CenterCrop,
    Elastic,
    Flip,
    Pad,
    Perspective,
    RandomCrop,
    RandomResizedCrop,
    Resize,
    ResizeShorter,
    Rotate,
)
from offgraph.transforms.noise import CoarseDropout, GaussianNoise, JpegCompression
from offgraph.transforms.pointwise import Invert, Normalize, Posterize, Rescale, Solarize
from offgraph.transforms.statistics import AutoContrast, Equalize
from offgraph.transforms.structure import OneOf, RandAugment, RandomOrder, TrivialAugment
from offgraph.transforms.structure import Sequence as Chain

__all__ = ["TABLE"]

TABLE = Table("torchvision", "torchvision")

_KERNELS = {
    "nearest": "nearest", "nearest-exact": "nearest", "bilinear": "triangle", "bicubic": "cubic", "lanczos": "lanczos3", "box": "box",
    "hamming": "triangle", 0: "nearest", 1: "lanczos3", 2: "triangle", 3: "cubic", 4: "box", 5: "triangle",
}  # fmt: skip
_ORDERS = {"nearest": 0, "nearest-exact": 0, "bilinear": 1, "bicubic": 3, 0: 0, 2: 1, 3: 3}
_MODES = {"constant": "constant", "edge": "nearest", "reflect": "mirror", "symmetric": "reflect"}
_ROUNDED = "Pillow and PyTorch round to whole numbers after each axis"
_OTHER_SIDE = "the other side is rounded, there cut off: one pixel more or less"


def _top(a: Arguments) -> dict[str, Any]:
    """White: 1 once ToTensor or ToDtype has made floats of the values."""
    return {"range": 1.0} if a.state.get("floats") else {}


def _kernel(a: Arguments, default: str = "bilinear") -> dict[str, Any]:
    name = a.get("interpolation", default)
    kernel = a.choice("interpolation", _KERNELS, default)
    antialias = a.get("antialias", True)
    if name in ("nearest", 0):
        a.nearly(
            "of images of PIL; of tensors PyTorch takes the pixel at floor(i * n / N), as nearest-exact does not"
        )
    elif kernel in ("cubic", "lanczos3"):
        a.nearly(
            "at sharp edges Pillow cuts values off at 0 and 255 between the axes; like='pillow' has its bytes, in Python"
        )
    elif kernel == "box":
        a.nearly("of a pixel whose edge lies on that of a new one Pillow's sums may fall to the other side")
    elif name in ("hamming", 5):
        a.differs("a Hamming window: the triangle is near to it")
    averages = antialias not in (None, False) or kernel == "nearest"
    return {"kernel": kernel if averages or kernel != "cubic" else "cubic75", "antialias": averages}


def _resampling(a: Arguments, default: str = "nearest") -> dict[str, Any]:
    order = a.choice("interpolation", _ORDERS, default)
    if order == 0:
        a.nearly(
            "of pixels equally near another one may be taken; interpolation='nearest' is torchvision's default, order=1 looks better"
        )
    elif order == 3:
        a.differs("bicubic: order=3 is a cubic spline")
    else:
        a.nearly(
            "of PIL's images the outermost half pixel is read as well, here it belongs to what lies beyond"
        )
    return {"order": order, "cval": _fill(a, "fill")}


def _fill(a: Arguments, name: str, default: float = 0.0) -> float:
    value = a.get(name, default)
    if isinstance(value, dict):
        value = next((part for part in value.values() if isinstance(part, int | float)), default)
        a.differs(f"{name} of each type of target: {value:g} fills images, mask_cval masks")
        return float(value)
    if value is None:
        return default
    numbers = a.numbers(name, default)
    if len(set(numbers)) > 1:
        a.differs(f"{name}={list(numbers)}: here one number fills all channels, their mean")
    return sum(numbers) / len(numbers)


def _size(a: Arguments, name: str = "size") -> tuple[int, ...]:
    numbers = a.numbers(name, MISSING)
    if len(numbers) > 2 or any(number != int(number) for number in numbers):
        a.refuse(name, "one or two whole numbers", a.get(name))
    return tuple(int(number) for number in numbers)


def _both(size: tuple[int, ...]) -> tuple[int, int]:
    return size[0], size[-1]


@TABLE.add("Resize", ours="Resize or ResizeShorter", verdict="close", levels=1, why=_ROUNDED)
def _resize(a: Arguments) -> Sequence[Step]:
    size, longest = _size(a), a.get("max_size")
    if len(size) == 2:
        return (Resize(_both(size), **_kernel(a)),)
    a.nearly(_OTHER_SIDE)
    most = None if longest is None else a.whole("max_size")
    return (ResizeShorter(size[0], longest=most, **_kernel(a)),)


@TABLE.add(
    "RandomShortestSize", "RandomResize", ours="ResizeShorter", verdict="close", levels=1, why=_ROUNDED
)
def _random_resize(a: Arguments) -> Sequence[Step]:
    longest = a.whole("max_size") if a.has("max_size") else None
    a.nearly(_OTHER_SIDE)
    if a.name == "RandomResize":
        low, high = a.whole("min_size", MISSING), a.whole("max_size", MISSING)
        return (ResizeShorter((low, max(high - 1, low)), **_kernel(a)),)
    sizes = sorted({int(size) for size in a.numbers("min_size", MISSING)})
    steps = [ResizeShorter(size, longest=longest, **_kernel(a)) for size in sizes]
    return steps if len(steps) == 1 else (OneOf(steps),)


@TABLE.add(
    "CenterCrop",
    ours="CenterCrop",
    verdict="close",
)
def _center_crop(a: Arguments) -> Sequence[Step]:
    a.nearly(
        "of an odd number of pixels the smaller half is cut off at the start; torchvision rounds to even"
    )
    return (CenterCrop(_both(_size(a)), pad=True),)


def _sides(a: Arguments, name: str) -> Any:
    """Torchvision's padding, (left, top, right, bottom) or fewer, by axis."""
    numbers = [int(number) for number in a.numbers(name)]
    if len(numbers) not in (1, 2, 4) or min(numbers) < 0:
        a.refuse(name, "one, two or four whole numbers of at least 0", a.get(name))
    left, top, right, bottom = (numbers * 4)[:4]
    return ((top, bottom), (left, right))


def _padded(a: Arguments, name: str) -> Step:
    mode = a.choice("padding_mode", _MODES, "constant")
    return Pad(_sides(a, name), mode=mode, cval=_fill(a, "fill"))


@TABLE.add("Pad", ours="Pad")
def _pad(a: Arguments) -> Sequence[Step]:
    return (_padded(a, "padding"),)


@TABLE.add("RandomCrop", ours="RandomCrop, after Pad")
def _random_crop(a: Arguments) -> Sequence[Step]:
    mode: Any = a.choice("padding_mode", _MODES, "constant")
    before = [_padded(a, "padding")] if a.has("padding") else []
    a.get("padding")
    crop = RandomCrop(_both(_size(a)), pad=a.flag("pad_if_needed"), mode=mode, cval=_fill(a, "fill"))
    return (*before, crop)


@TABLE.add("RandomResizedCrop", ours="RandomResizedCrop", verdict="close", levels=1, why=_ROUNDED)
def _random_resized_crop(a: Arguments) -> Sequence[Step]:
    scale, ratio = a.pair("scale", (0.08, 1.0)), a.pair("ratio", (3 / 4, 4 / 3))
    return (RandomResizedCrop(_both(_size(a)), scale=scale, ratio=ratio, **_kernel(a)),)


@TABLE.add("RandomHorizontalFlip", ours="Flip", p=0.5)
def _across(a: Arguments) -> Sequence[Step]:
    return (Flip("X"),)


@TABLE.add("RandomVerticalFlip", ours="Flip", p=0.5)
def _down(a: Arguments) -> Sequence[Step]:
    return (Flip("Y"),)


def _angles(a: Arguments) -> tuple[float, float]:
    return a.pair("degrees", MISSING, about=0)


@TABLE.add(
    "RandomRotation",
    ours="Rotate",
    verdict="close",
    levels=1,
    why="Pillow reads and rounds with fewer digits",
)
def _rotation(a: Arguments) -> Sequence[Step]:
    a.ignore("center", why="images turn about their centre")
    return (Rotate(_angles(a), reshape=a.flag("expand"), **_resampling(a)),)


@TABLE.add(
    "RandomAffine", ours="Affine", verdict="close", levels=1, why="Pillow reads and rounds with fewer digits"
)
def _affine(a: Arguments) -> Sequence[Step]:
    low, high = _angles(a)
    options: dict[str, Any] = {"rotate": (-high, -low)}  # clockwise there
    a.ignore("center", why="images turn about their centre")
    if a.has("translate"):
        across, down = (abs(number) for number in (a.numbers("translate") * 2)[:2])
        options["translate"] = PerAxis(
            {
                "Y": (f"{-100 * down:g}%", f"{100 * down:g}%"),
                "X": (f"{-100 * across:g}%", f"{100 * across:g}%"),
            }
        )
        a.nearly("torchvision shifts by whole pixels, here by parts of pixels too")
    a.get("translate")
    if a.has("scale"):
        options["scale"] = a.pair("scale")
    a.get("scale")
    if a.has("shear"):
        numbers: Any = a.numbers("shear")
        across = numbers[:2] if len(numbers) > 1 else (-abs(numbers[0]), abs(numbers[0]))
        slopes = {"X": across, **({"Y": numbers[2:4]} if len(numbers) == 4 and any(numbers[2:]) else {})}
        if max(abs(degrees) for pair in slopes.values() for degrees in pair) >= 89:
            a.refuse("shear", "degrees below 89", a.get("shear"))
        if len(slopes) == 2:
            a.differs(
                "sheared along both axes: here the matrix of the way back is sheared, there that of the way to"
            )
        options["shear"] = PerAxis(
            {axis: tuple(sorted(math.tan(math.radians(d)) for d in pair)) for axis, pair in slopes.items()}
        )
        a.tell("angles of shear are drawn evenly in their tangents")
    a.get("shear")
    return (Affine(**options, **_resampling(a)),)


@TABLE.add(
    "RandomPerspective",
    ours="Perspective",
    verdict="differs",
    why="torchvision moves the image's corners inwards only, so that it becomes smaller",
    p=0.5,
)
def _perspective(a: Arguments) -> Sequence[Step]:
    share = min(a.number("distortion_scale", 0.5) / 2, 0.249)
    return (Perspective(share, **_resampling(a, "bilinear")),)


@TABLE.add(
    "ElasticTransform",
    ours="Elastic",
    verdict="differs",
    why="torchvision blurs white noise; here a spline goes through random nodes, as far as that noise reaches at most",
)
def _elastic(a: Arguments) -> Sequence[Step]:
    alpha, sigma = max(map(abs, a.numbers("alpha", 50.0))), min(a.numbers("sigma", 5.0))
    if sigma <= 0:
        a.refuse("sigma", "above 0", a.get("sigma"))
    return (Elastic(round(max(0.49 * alpha / sigma, 0.01), 4), **_resampling(a, "bilinear")),)


def _factors(a: Arguments, name: str) -> tuple[float, float]:
    value = a.get(name, 0)
    if value is None:
        return 1.0, 1.0
    if isinstance(value, list | tuple):
        return a.pair(name)
    far = abs(a.number(name, 0))
    return max(1 - far, 0.0), 1 + far


@TABLE.add(
    "ColorJitter",
    ours="ColorJitter",
    verdict="close",
    levels=4,
    why="the same formulas; torchvision rounds after each of the four parts",
)
def _jitter(a: Arguments) -> Sequence[Step]:
    brightness, contrast, saturation = (
        _factors(a, name) for name in ("brightness", "contrast", "saturation")
    )
    hue = a.pair("hue", 0, about=0) if a.has("hue") else (0.0, 0.0)
    a.get("hue")
    turn = (360 * hue[0], 360 * hue[1])
    if turn != (0, 0):
        a.tell("a turned hue makes more of what was rounded before it", "close", 12)
    return (ColorJitter(brightness, contrast=contrast, saturation=saturation, hue=turn, **_top(a)),)


@TABLE.add(
    "RandomPhotometricDistort",
    ours="ColorJitter",
    verdict="differs",
    why="each part is drawn with p there, and channels are permuted",
)
def _distort(a: Arguments) -> Sequence[Step]:
    a.get("p")
    hue = a.pair("hue", (-0.05, 0.05))
    named = {
        name: a.pair(name, default)
        for name, default in (
            ("brightness", (0.875, 1.125)),
            ("contrast", (0.5, 1.5)),
            ("saturation", (0.5, 1.5)),
        )
    }
    a.probability = 1.0
    return (ColorJitter(**named, hue=(360 * hue[0], 360 * hue[1]), **_top(a)),)


@TABLE.add("Grayscale", ours="ToGrey")
def _grey(a: Arguments) -> Sequence[Step]:
    count = a.whole("num_output_channels", 1)
    if count not in (1, 3):
        a.refuse("num_output_channels", "1 or 3", count)
    return (ToGrey(count),)


@TABLE.add("RandomGrayscale", ours="ToGrey", p=0.1)
def _random_grey(a: Arguments) -> Sequence[Step]:
    return (ToGrey(),)


@TABLE.add("RandomInvert", ours="Invert", p=0.5)
def _invert(a: Arguments) -> Sequence[Step]:
    return (Invert(**_top(a)),)


@TABLE.add("RandomPosterize", ours="Posterize", p=0.5)
def _posterize(a: Arguments) -> Sequence[Step]:
    return (Posterize(max(a.whole("bits", MISSING), 1), **_top(a)),)


@TABLE.add("RandomSolarize", ours="Solarize", p=0.5)
def _solarize(a: Arguments) -> Sequence[Step]:
    threshold = a.number("threshold", MISSING)
    return (Solarize(min(threshold if a.state.get("floats") else threshold / 255, 1.0), **_top(a)),)


@TABLE.add("RandomAutocontrast", ours="AutoContrast", p=0.5)
def _auto_contrast(a: Arguments) -> Sequence[Step]:
    return (AutoContrast(**_top(a)),)


@TABLE.add("RandomEqualize", ours="Equalize", p=0.5)
def _equalize(a: Arguments) -> Sequence[Step]:
    return (Equalize(),)


@TABLE.add(
    "RandomAdjustSharpness",
    ours="UnsharpMask or GaussianFilter",
    verdict="differs",
    why="Pillow blends with a smoothed image of 3 x 3",
    p=0.5,
)
def _sharpness(a: Arguments) -> Sequence[Step]:
    factor = a.number("sharpness_factor", MISSING)
    return (
        (UnsharpMask(factor - 1, sigma=0.7),)
        if factor >= 1
        else (GaussianFilter(0.7 * (1 - max(factor, 0))),)
    )


@TABLE.add(
    "GaussianBlur",
    ours="GaussianFilter",
    verdict="close",
    levels=2,
    why="SciPy cuts fractions off after each axis",
)
def _blur(a: Arguments) -> Sequence[Step]:
    size, (low, high) = _size(a, "kernel_size"), a.pair("sigma", (0.1, 2.0))
    if low == high > 0 and size[0] == size[-1]:
        return (GaussianFilter(high, mode="mirror", truncate=size[0] // 2 / high),)
    a.differs(f"the window follows sigma, there it has kernel_size={list(size)} pixels")
    return (GaussianFilter((low, high), mode="mirror"),)


@TABLE.add("GaussianNoise", ours="GaussianNoise", why="noise of the same distribution")
def _noise(a: Arguments) -> Sequence[Step]:
    mean, sigma = a.number("mean", 0.0), a.number("sigma", 0.1)
    top = 1.0 if a.state.get("floats") else None
    return (GaussianNoise(sigma, mean=mean, clip=a.flag("clip", True), range=top),)


@TABLE.add(
    "RandomErasing",
    ours="CoarseDropout",
    verdict="differs",
    why="height and width are drawn each by itself, not area and aspect",
    p=0.5,
)
def _erasing(a: Arguments) -> Sequence[Step]:
    low, high = a.pair("scale", (0.02, 0.33))
    a.get("ratio"), a.get("inplace")
    fill: Any = 0.0
    if isinstance(a.get("value", 0), str):
        a.differs("value='random': filled with 0")
    elif a.has("value"):
        fill = one_or_all(a.numbers("value"))
    return (
        CoarseDropout(
            1, size=(f"{100 * max(low, 1e-4) ** 0.5:.4g}%", f"{100 * min(high, 1) ** 0.5:.4g}%"), fill=fill
        ),
    )


@TABLE.add("JPEG", ours="JpegCompression", verdict="close", levels=4, why="libraries round differently")
def _jpeg(a: Arguments) -> Sequence[Step]:
    low, high = a.pair("quality", MISSING)
    return (JpegCompression((int(low), int(high))),)


@TABLE.add("RandomChannelPermutation", ours="ChannelShuffle")
def _permutation(a: Arguments) -> Sequence[Step]:
    return (ChannelShuffle(),)


@TABLE.add("Normalize", ours="Normalize")
def _normalize(a: Arguments) -> Sequence[Step]:
    a.get("inplace")
    return (
        Normalize(
            mean=one_or_all(a.numbers("mean", MISSING)), std=one_or_all(a.numbers("std", MISSING)), range=1
        ),
    )


_TENSOR = "tensors with channels first are made by loader.torch(), or Loader(data_format='channels_first')"


def _scaled(a: Arguments) -> Sequence[Step]:
    if a.state.get("floats"):
        return ()
    a.state["floats"] = True
    return (Rescale(1 / 255),)


@TABLE.add("ToTensor", ours="Rescale", why=_TENSOR)
def _to_tensor(a: Arguments) -> Sequence[Step]:
    return _scaled(a)


@TABLE.add("ToDtype", "ConvertImageDtype", ours="Rescale")
def _to_dtype(a: Arguments) -> Sequence[Step]:
    dtype = a.get("dtype")
    scales = a.name == "ConvertImageDtype" or a.flag("scale")
    if "float" not in str(dtype):
        a.tell(f"dtype={dtype!s:.40}: images keep their dtype until Normalize or Rescale makes floats")
        return ()
    return _scaled(a) if scales else (Rescale(1.0),)


@TABLE.add("ToImage", "PILToTensor", "ToPILImage", "ToPureTensor", "Identity", ours="", why=_TENSOR)
def _nothing(a: Arguments) -> Sequence[Step]:
    a.get("mode")
    return ()


@TABLE.add(
    "SanitizeBoundingBoxes",
    "ClampBoundingBoxes",
    "ConvertBoundingBoxFormat",
    "ClampKeyPoints",
    "SanitizeKeyPoints",
    ours="",
    why="boxes and points clamp, drop and convert themselves: og.Boxes(…, min_area=), .to(format)",
)
def _boxes(a: Arguments) -> Sequence[Step]:
    for name in a.values:
        a.get(name)
    return ()


@TABLE.add(
    "RandAugment",
    ours="RandAugment",
    verdict="differs",
    why="Pillow's blending for sharpness is replaced, and levels are not rounded",
)
def _rand_augment(a: Arguments) -> Sequence[Step]:
    bins = a.whole("num_magnitude_bins", 31)
    magnitude = round(a.number("magnitude", 9) * 30 / max(bins - 1, 1))
    a.get("interpolation"), a.get("fill")
    return (RandAugment(a.whole("num_ops", 2), magnitude=min(max(magnitude, 1), 30)),)


@TABLE.add(
    "TrivialAugmentWide",
    ours="TrivialAugment",
    verdict="differs",
    why="Pillow's blending for sharpness is replaced, and levels are not rounded",
)
def _trivial(a: Arguments) -> Sequence[Step]:
    a.get("num_magnitude_bins"), a.get("interpolation"), a.get("fill")
    return (TrivialAugment(),)


@TABLE.add("Compose", "Sequential", ours="Compose", kind="sequence")
def _compose(a: Arguments, parts: list[Step]) -> Sequence[Step]:
    return parts


@TABLE.add("RandomApply", ours="Sequence", kind="sequence", p=0.5)
def _apply(a: Arguments, parts: list[Step]) -> Sequence[Step]:
    return parts


@TABLE.add("RandomChoice", ours="OneOf", kind="choice")
def _choice(a: Arguments, parts: list[Step]) -> Sequence[Step]:
    weights = a.numbers("p") if a.has("p") else (1.0,) * len(parts)
    a.get("p"), a.get("probabilities")
    if len(weights) != len(parts):
        a.refuse("p", "one weight for each transform", a.get("p"))
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        a.refuse("p", "weights of at least 0, one above", a.get("p"))
    kept = [Chain([part]) if part.p < 1 else part for part in parts]
    return (OneOf([replace(part, p=weight / total) for part, weight in zip(kept, weights)]),)


@TABLE.add("RandomOrder", ours="RandomOrder", kind="sequence")
def _order(a: Arguments, parts: list[Step]) -> Sequence[Step]:
    return (RandomOrder(parts),) if parts else ()


TABLE.none(
    "Lambda", instead="give your function a name by og.function(name, function), then write og.Lambda(name)"
)
TABLE.none(
    "AutoAugment",
    instead="no learned policies: TrivialAugment and RandAugment do as well with nothing to tune",
)
TABLE.none(
    "AugMix", instead="no step mixes chains of changes; RandAugment and TrivialAugment apply some of them"
)
TABLE.none("MixUp", instead="Loader(mix=og.MixUp(alpha)) mixes the images of a batch")
TABLE.none("CutMix", instead="Loader(mix=og.CutMix()) mixes the images of a batch")
TABLE.none(
    "FiveCrop",
    "TenCrop",
    instead="predict with og.predict and average over the crops; a step gives one image",
)
TABLE.none(
    "RandomZoomOut",
    "ScaleJitter",
    "SimpleCopyPaste",
    instead="Pad, Resize(scale=) and RandomCrop one after the other",
)
TABLE.none(
    "RandomIoUCrop",
    instead="BBoxSafeCrop crops around all boxes, RandomResizedCrop with min_visibility drops cut ones",
)
TABLE.none(
    "LinearTransformation", instead="ZCA whitening mixes all pixels by a matrix of your data; use a Lambda"
)
TABLE.none("UniformTemporalSubsample", instead="choose the frames where the source is made")

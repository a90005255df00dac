"""The table of `tfa.image` and `tf.image`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from offgraph.migration.arguments import MISSING, Arguments
from offgraph.migration.tables import Table
from offgraph.steps.base import Step
from offgraph.steps.parameters import PerAxis
from offgraph.transforms.color import ColorJitter, HueSaturation, ToGrey, ToRGB
from offgraph.transforms.filters import GaussianFilter, MedianFilter, UniformFilter, UnsharpMask
from offgraph.transforms.geometric import (
    Affine,
    CenterCrop,
    Crop,
    Flip,
    LetterBox,
    RandomCrop,
    Resize,
    ResizeLonger,
    Rotate,
    Rotate90,
    Shift,
    Transpose,
)
from offgraph.transforms.noise import CoarseDropout, JpegCompression
from offgraph.transforms.pointwise import Brightness, Gamma, Rescale
from offgraph.transforms.statistics import Equalize, ZScore

__all__ = ["TABLE"]

TABLE = Table("tfa", "TensorFlow image functions", ignored=("name", "output_shape", "seed"))

_MODES = {"constant": "grid-constant", "nearest": "nearest", "reflect": "reflect", "wrap": "grid-wrap"}
_ORDERS = {"nearest": 0, "bilinear": 1}
_PADDINGS = {"reflect": "mirror", "symmetric": "reflect", "constant": "constant"}
_KERNELS = {
    "nearest": "nearest", "bilinear": "triangle", "bicubic": "cubic", "area": "area", "lanczos3": "lanczos3",
    "lanczos5": "lanczos5", "gaussian": "triangle", "mitchellcubic": "cubic",
}  # fmt: skip
_FLOATS = "TensorFlow computes in float32, images of whole numbers are rounded here"


def _draws(a: Arguments) -> bool:
    return a.name.startswith("random")


def _shift(a: Arguments) -> tuple[float, float]:
    return a.pair("max_delta", MISSING, about=0) if _draws(a) else a.pair("delta", MISSING)


def _resampling(a: Arguments, interpolation: str = "nearest") -> dict[str, Any]:
    order = _ORDERS.get(str(a.get("interpolation", interpolation)).lower())
    if order is None:
        a.refuse("interpolation", "nearest or bilinear", a.get("interpolation"))
    if order == 0:
        a.nearly(
            "of pixels equally near another one may be taken; interpolation='nearest' is the function's default, order=1 looks better"
        )
    mode = _MODES.get(str(a.get("fill_mode", "constant")).lower())
    if mode is None:
        a.refuse("fill_mode", f"one of {', '.join(_MODES)}", a.get("fill_mode"))
    return {"order": order, "mode": mode, "cval": a.number("fill_value", 0.0)}


@TABLE.add("rotate", ours="Rotate", verdict="close", levels=1, why=_FLOATS)
def _rotate(a: Arguments) -> Sequence[Step]:
    low, high = (math.degrees(angle) for angle in a.pair("angles", MISSING))
    return (Rotate((low, high), **_resampling(a)),)


@TABLE.add("translate", "translate_xy", ours="Shift", verdict="close", levels=1, why=_FLOATS)
def _translate(a: Arguments) -> Sequence[Step]:
    name = "translations" if a.has("translations") else "translate_to"
    value = a.get(name, MISSING)
    if not isinstance(value, list | tuple) or len(value) != 2:
        a.refuse(name, "(dx, dy), or a range for each", value)
    inner = Arguments(a.name, {"dx": value[0], "dy": value[1]}, f"{a.where}, field {name}")
    a.get("replace")
    return (Shift(PerAxis({"Y": inner.pair("dy"), "X": inner.pair("dx")}), **_resampling(a)),)


@TABLE.add("shear_x", "shear_y", ours="Affine", verdict="close", levels=1, why=_FLOATS)
def _shear(a: Arguments) -> Sequence[Step]:
    axis = "X" if a.name == "shear_x" else "Y"
    fill = a.numbers("replace", 0)
    if len(set(fill)) > 1:
        a.differs("replace: one number fills all channels")
    a.nearly("of pixels equally near another one may be taken")
    options: dict[str, Any] = {"order": 0, "mode": "constant", "cval": fill[0], "anchor": "origin"}
    return (Affine(shear=PerAxis({axis: a.pair("level", MISSING)}), **options),)


@TABLE.add("transform", ours="Affine", verdict="close", levels=1, why=_FLOATS)
def _transform(a: Arguments) -> Sequence[Step]:
    numbers = a.numbers("transforms", MISSING)
    if len(numbers) != 8:
        a.refuse("transforms", "eight numbers", a.get("transforms"))
    options = _resampling(a)
    if any(numbers[6:]):
        a.tell("the matrix is projective; Perspective draws such ones, none takes a fixed one", "none")
        return ()
    (a0, a1, a2), (b0, b1, b2) = numbers[:3], numbers[3:6]
    matrix: Any = [[b1, b0, b2], [a1, a0, a2]]
    return (Affine(matrix=matrix, anchor="origin", **options),)


def _window(a: Arguments) -> dict[str, Any]:
    mode = _PADDINGS.get(str(a.get("padding", "reflect")).lower())
    if mode is None:
        a.refuse("padding", "REFLECT, SYMMETRIC or CONSTANT", a.get("padding"))
    return {"mode": mode, "cval": a.number("constant_values", 0)}


def _both(a: Arguments, name: str, default: Any) -> tuple[float, ...]:
    """One number for both axes, or two of them."""
    return (a.numbers(name, default) * 2)[:2]


def _shape(a: Arguments) -> Any:
    numbers = [int(number) for number in _both(a, "filter_shape", 3)]
    if min(numbers) < 1:
        a.refuse("filter_shape", "lengths of at least 1", a.get("filter_shape"))
    return numbers[0] if numbers[0] == numbers[1] else PerAxis({"Y": numbers[0], "X": numbers[1]})


@TABLE.add("median_filter2d", ours="MedianFilter")
def _median(a: Arguments) -> Sequence[Step]:
    size = _shape(a)
    return (MedianFilter(size, **_window(a)),)


@TABLE.add(
    "mean_filter2d",
    ours="UniformFilter",
    verdict="close",
    levels=2,
    why="SciPy cuts fractions off after each axis",
)
def _mean(a: Arguments) -> Sequence[Step]:
    size = _shape(a)
    return (UniformFilter(size, **_window(a)),)


@TABLE.add(
    "gaussian_filter2d",
    ours="GaussianFilter",
    verdict="close",
    levels=2,
    why="SciPy cuts fractions off after each axis",
)
def _gaussian(a: Arguments) -> Sequence[Step]:
    size, (low, high) = _shape(a), a.pair("sigma", 1.0)
    options = _window(a)
    if low == high > 0 and isinstance(size, int):
        return (GaussianFilter(high, truncate=max(size // 2, 0.5) / high, **options),)
    a.differs("the window follows sigma, there it has filter_shape pixels")
    return (GaussianFilter((low, high), **options),)


@TABLE.add(
    "sharpness",
    ours="UnsharpMask",
    verdict="differs",
    why="the function blends with a smoothed image of 3 x 3",
)
def _sharpness(a: Arguments) -> Sequence[Step]:
    low, high = a.pair("factor", MISSING)
    return (UnsharpMask((max(low - 1, 0), max(high - 1, 0)), sigma=0.7),)


@TABLE.add("equalize", ours="Equalize", verdict="close", levels=1)
def _equalize(a: Arguments) -> Sequence[Step]:
    a.ignore("bins", neutral=256)
    return (Equalize(),)


@TABLE.add(
    "random_cutout",
    ours="CoarseDropout",
    verdict="differs",
    why="holes lie within the image, there their middles do",
)
def _cutout(a: Arguments) -> Sequence[Step]:
    height, width = _both(a, "mask_size", MISSING)
    size = PerAxis({"Y": height, "X": width})
    return (CoarseDropout(1, size=size, fill=a.number("constant_values", 0)),)


@TABLE.add(
    "random_hsv_in_yiq",
    "adjust_hsv_in_yiq",
    ours="HueSaturation",
    verdict="differs",
    why="the functions turn colours in YIQ, here in HSV",
)
def _yiq(a: Arguments) -> Sequence[Step]:
    if a.name == "adjust_hsv_in_yiq":
        turn, factors = a.pair("delta_hue", 0), (a.pair("scale_saturation", 1), a.pair("scale_value", 1))
    else:
        turn = a.pair("max_delta_hue", 0, about=0)
        factors = tuple(
            (a.number(f"lower_{name}", 1), a.number(f"upper_{name}", 1)) for name in ("saturation", "value")
        )
    degrees = math.degrees(turn[0]), math.degrees(turn[1])
    return (HueSaturation(degrees, saturation=factors[0], value=factors[1]),)


# tf.image


@TABLE.add("flip_left_right", "random_flip_left_right", "flip_up_down", "random_flip_up_down", ours="Flip")
def _flip(a: Arguments) -> Sequence[Step]:
    return (Flip("X" if a.name.endswith("left_right") else "Y", p=0.5 if _draws(a) else 1.0),)


@TABLE.add("rot90", ours="Rotate90")
def _rot90(a: Arguments) -> Sequence[Step]:
    low, high = (int(number) for number in a.pair("k", 1))
    return (Rotate90((low, high) if low != high else low),)


@TABLE.add("transpose", ours="Transpose")
def _transpose(a: Arguments) -> Sequence[Step]:
    return (Transpose(),)


def _size(a: Arguments) -> tuple[int, int]:
    if a.has("size"):
        numbers = a.numbers("size")
        if len(numbers) != 2:
            a.refuse("size", "(height, width)", a.get("size"))
        return int(numbers[0]), int(numbers[1])
    return a.whole("target_height", MISSING), a.whole("target_width", MISSING)


def _kernel(a: Arguments) -> dict[str, Any]:
    name = str(a.get("method", "bilinear")).lower()
    kernel = _KERNELS.get(name)
    if kernel is None:
        a.refuse("method", f"one of {', '.join(_KERNELS)}", a.get("method"))
    if name in ("gaussian", "mitchellcubic"):
        a.differs(f"method={name!r} is near to kernel={kernel!r}")
    return {"kernel": kernel, "antialias": a.flag("antialias") or kernel in ("nearest", "area")}


@TABLE.add("resize", ours="Resize", verdict="close", levels=1, why=_FLOATS)
def _resize(a: Arguments) -> Sequence[Step]:
    size, options = _size(a), _kernel(a)
    if not a.flag("preserve_aspect_ratio"):
        return (Resize(size, **options),)
    if size[0] != size[1]:
        a.differs("preserve_aspect_ratio: the longest side becomes the smaller number")
    return (ResizeLonger(min(size), **options),)


@TABLE.add(
    "resize_with_pad",
    ours="LetterBox",
    verdict="close",
    levels=1,
    why="lengths are rounded, there cut off: one pixel more or less",
)
def _resize_with_pad(a: Arguments) -> Sequence[Step]:
    return (LetterBox(_size(a), **_kernel(a)),)


@TABLE.add("resize_with_crop_or_pad", ours="CenterCrop")
def _crop_or_pad(a: Arguments) -> Sequence[Step]:
    return (CenterCrop(_size(a), pad=True),)


@TABLE.add(
    "central_crop",
    ours="CenterCrop",
    verdict="close",
    why="lengths are rounded, there to even differences: one pixel more or less",
)
def _central_crop(a: Arguments) -> Sequence[Step]:
    return (CenterCrop(f"{100 * a.number('central_fraction', MISSING):.12g}%"),)


@TABLE.add("crop_to_bounding_box", ours="Crop")
def _crop(a: Arguments) -> Sequence[Step]:
    return (Crop(_size(a), corner=(a.whole("offset_height", MISSING), a.whole("offset_width", MISSING))),)


@TABLE.add("random_crop", ours="RandomCrop")
def _random_crop(a: Arguments) -> Sequence[Step]:
    numbers = a.numbers("size", MISSING)
    if len(numbers) not in (2, 3):
        a.refuse("size", "(height, width, channels)", a.get("size"))
    return (RandomCrop((int(numbers[0]), int(numbers[1]))),)


@TABLE.add(
    "random_brightness", "adjust_brightness", ours="Brightness", verdict="close", levels=1, why=_FLOATS
)
def _brightness(a: Arguments) -> Sequence[Step]:
    return (Brightness(shift=_shift(a)),)


@TABLE.add(
    "random_contrast", "adjust_contrast", ours="ColorJitter", verdict="differs",
    why="TensorFlow spreads each channel about its own mean, here all are spread about the mean brightness",
)  # fmt: skip
def _contrast(a: Arguments) -> Sequence[Step]:
    return (ColorJitter(contrast=_bounds(a, "contrast_factor")),)


def _bounds(a: Arguments, name: str) -> tuple[float, float]:
    if _draws(a):
        return a.number("lower", MISSING), a.number("upper", MISSING)
    return a.pair(name, MISSING)


@TABLE.add(
    "random_saturation", "adjust_saturation", ours="HueSaturation", verdict="close", levels=1, why=_FLOATS
)
def _saturation(a: Arguments) -> Sequence[Step]:
    return (HueSaturation(saturation=_bounds(a, "saturation_factor")),)


@TABLE.add("random_hue", "adjust_hue", ours="HueSaturation", verdict="close", levels=1, why=_FLOATS)
def _hue(a: Arguments) -> Sequence[Step]:
    low, high = _shift(a)
    return (HueSaturation((360 * low, 360 * high)),)


@TABLE.add("adjust_gamma", ours="Gamma", verdict="close", levels=1, why=_FLOATS)
def _gamma(a: Arguments) -> Sequence[Step]:
    gain = a.pair("gain", 1)
    steps: list[Step] = [Gamma(a.pair("gamma", 1))]
    return [*steps, Brightness(factor=gain)] if gain != (1, 1) else steps


@TABLE.add(
    "rgb_to_grayscale",
    ours="ToGrey",
    verdict="close",
    levels=1,
    why="TensorFlow has 0.2989, 0.587 and 0.114, and cuts off",
)
def _grey(a: Arguments) -> Sequence[Step]:
    return (ToGrey(1),)


@TABLE.add("grayscale_to_rgb", ours="ToRGB")
def _rgb(a: Arguments) -> Sequence[Step]:
    return (ToRGB(),)


@TABLE.add("per_image_standardization", ours="ZScore")
def _standardization(a: Arguments) -> Sequence[Step]:
    return (ZScore(per_channel=False),)


@TABLE.add("convert_image_dtype", ours="Rescale")
def _convert(a: Arguments) -> Sequence[Step]:
    a.get("saturate")
    if "float" in str(a.get("dtype", "float32")):
        return (Rescale(1 / 255),)
    a.tell("images keep their dtype until Rescale or Normalize makes floats")
    return ()


@TABLE.add(
    "random_jpeg_quality",
    "adjust_jpeg_quality",
    ours="JpegCompression",
    verdict="close",
    levels=4,
    why="libraries round differently",
)
def _jpeg(a: Arguments) -> Sequence[Step]:
    a.get("dct_method")
    if _draws(a):
        low, high = a.number("min_jpeg_quality", MISSING), a.number("max_jpeg_quality", MISSING) - 1
    else:
        low, high = a.pair("jpeg_quality", MISSING)
    return (JpegCompression((max(int(low), 1), max(int(high), int(low), 1))),)


TABLE.none(
    "dense_image_warp",
    "sparse_image_warp",
    instead="Elastic and ThinPlateSpline bend images by drawn fields, a map of your own (og.register) by a given one",
)
TABLE.none("cutout", instead="CoarseDropout draws the place; a fixed one is one line of NumPy in a Lambda")
TABLE.none("blend", "interpolate_bilinear", "resampler", "compose_transforms", instead="no step of this kind")
TABLE.none(
    "euclidean_dist_transform",
    "connected_components",
    instead="og.ndimage.distance_transform_edt and og.ndimage.label; Ndimage('distance_transform_edt') in a recipe",
)
TABLE.none(
    "pad_to_bounding_box",
    "sample_distorted_bounding_box",
    "crop_and_resize",
    instead="no step keeps a fixed window; Pad adds fixed bars, RandomResizedCrop draws windows",
)
TABLE.none(
    "total_variation",
    "image_gradients",
    "sobel_edges",
    "extract_patches",
    instead="og.ndimage has such filters; GradientMagnitude is a step",
)

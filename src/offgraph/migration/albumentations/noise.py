"""Albumentations' steps that add noise, and take away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from offgraph.migration.albumentations.table import TABLE
from offgraph.migration.arguments import Arguments
from offgraph.steps.base import Step
from offgraph.steps.parameters import PerAxis
from offgraph.transforms.noise import (
    CoarseDropout,
    Downscale,
    GaussianNoise,
    GlassBlur,
    GridDropout,
    ISONoise,
    JpegCompression,
    MaskDropout,
    PixelDropout,
    PoissonNoise,
    SaltAndPepper,
    Speckle,
)
from offgraph.transforms.pointwise import Brightness
from offgraph.transforms.structure import Sequence as Chain

__all__: list[str] = []

_NEAREST = 0  # OpenCV's INTER_NEAREST, Albumentations' default for Downscale


@TABLE.add("GaussNoise", ours="GaussianNoise", why="noise of the same distribution")
def _gauss(a: Arguments) -> Sequence[Step]:
    a.ignore("noise_scale_factor", neutral=1, why="each pixel has noise of its own")
    per_channel = a.flag("per_channel", True)
    if a.has("var_limit") or (a.old and not a.has("std_range")):
        value = a.get("var_limit", (10.0, 50.0))
        low, high = (
            a.pair("var_limit", (10, 50)) if isinstance(value, list | tuple) else (0.0, a.number("var_limit"))
        )
        sigma = max(low, 0) ** 0.5 / 255, max(high, 0) ** 0.5 / 255
        if low != high:
            a.tell("the standard deviation is drawn evenly, in old versions the variance", "close", 1)
        mean = a.number("mean", 0) / 255
        return (GaussianNoise(sigma, mean=mean, per_channel=per_channel),)
    sigma, mean = a.pair("std_range", (0.2, 0.44)), a.pair("mean_range", (0.0, 0.0))
    return (GaussianNoise(sigma, mean=mean, per_channel=per_channel),)


@TABLE.add("IAAAdditiveGaussianNoise", ours="GaussianNoise", why="noise of the same distribution")
def _imgaug(a: Arguments) -> Sequence[Step]:
    low, high = a.pair("scale", (2.55, 12.75))
    return (
        GaussianNoise(
            (low / 255, high / 255), mean=a.number("loc", 0) / 255, per_channel=a.flag("per_channel")
        ),
    )


@TABLE.add(
    "ISONoise", ours="ISONoise", verdict="differs",
    why="Albumentations adds Poisson numbers to the lightness of HLS, which grow with its spread over the image; here noise follows the "
    "light of each pixel",
)  # fmt: skip
def _iso(a: Arguments) -> Sequence[Step]:
    low, high = a.pair("intensity", (0.1, 0.5))
    return (ISONoise(a.pair("color_shift", (0.01, 0.05)), intensity=(low / 5, high / 5)),)


@TABLE.add("MultiplicativeNoise", ours="Brightness or Speckle", verdict="close", levels=1)
def _multiplied(a: Arguments) -> Sequence[Step]:
    low, high = a.pair("multiplier", (0.9, 1.1))
    per_channel, elementwise = a.flag("per_channel"), a.flag("elementwise")
    if low < 0:
        a.refuse("multiplier", "factors of at least 0", a.get("multiplier"))
    if elementwise:
        a.differs(
            f"factors of each pixel: normally distributed about 1, with the spread of even ones from {low:g} to {high:g}"
        )
        return (Speckle((high - low) / 12**0.5, per_channel=per_channel),)
    if per_channel:
        a.differs("per_channel=True: here all channels have one factor")
    return (Brightness(factor=(low, high)),)


@TABLE.add(
    "ShotNoise", ours="PoissonNoise", verdict="differs", why="Albumentations counts photons of linear light, here of the values",
)  # fmt: skip
def _shot(a: Arguments) -> Sequence[Step]:
    low, high = a.pair("scale_range", (0.1, 0.3))
    if low <= 0:
        a.refuse("scale_range", "above 0", a.get("scale_range"))
    return (PoissonNoise((1 / high, 1 / low)),)


@TABLE.add("SaltAndPepper", ours="SaltAndPepper", why="noise of the same distribution")
def _salt(a: Arguments) -> Sequence[Step]:
    low, high = a.pair("salt_vs_pepper", (0.4, 0.6))
    if low != high:
        a.tell(f"the share of salt is {(low + high) / 2:g}, there drawn from {low:g} to {high:g}", "differs")
    return (SaltAndPepper(a.pair("amount", (0.01, 0.06)), salt=(low + high) / 2),)


_RANDOM_FILLS = ("random", "random_uniform", "inpaint_telea", "inpaint_ns")


def _filled(a: Arguments, *names: str) -> Any:
    """What fills a hole: a number, one per channel, or 0 where it is made up of noise."""
    for name in names:
        value = a.get(name)
        if isinstance(value, str) and value in _RANDOM_FILLS:
            a.differs(f"{name}={value!r}: holes are filled with 0")
            return 0.0
        if value is not None:
            numbers = a.numbers(name)
            return numbers[0] if len(set(numbers)) == 1 else numbers
    return 0.0


def _mask_fill(a: Arguments, *names: str) -> int | None:
    for name in names:
        if a.has(name):
            return int(a.numbers(name)[0])
    return None


def _length(a: Arguments, pair: tuple[float, float]) -> Any:
    """A length of holes: numbers up to 1 are shares of the side."""
    low, high = pair
    if high <= 1 and not (low == high == 1 and isinstance(low, int)):
        return f"{100 * low:g}%", f"{100 * high:g}%"
    return low, high


def _between(a: Arguments, least: str, most: str, default: float) -> tuple[float, float]:
    high = a.number(most, default)
    return (a.number(least) if a.has(least) else high), high


@TABLE.add("CoarseDropout", ours="CoarseDropout")
def _coarse(a: Arguments) -> Sequence[Step]:
    for name in (
        "num_holes_range",
        "hole_height_range",
        "hole_width_range",
        "min_holes",
        "min_height",
        "min_width",
    ):
        a.get(name)
    if (
        a.has("max_holes")
        or a.has("max_height")
        or a.has("max_width")
        or (a.old and not a.has("num_holes_range"))
    ):
        holes = _between(a, "min_holes", "max_holes", 8)
        high = _between(a, "min_height", "max_height", 8)
        wide = _between(a, "min_width", "max_width", 8)
    else:
        holes = a.pair("num_holes_range", (1, 2))
        high, wide = a.pair("hole_height_range", (0.1, 0.2)), a.pair("hole_width_range", (0.1, 0.2))
    return (
        CoarseDropout(
            (int(holes[0]), int(holes[1])),
            size=PerAxis({"Y": _length(a, high), "X": _length(a, wide)}),
            fill=_filled(a, "fill", "fill_value"),
            mask_fill=_mask_fill(a, "fill_mask", "mask_fill_value"),
        ),
    )


@TABLE.add(
    "Cutout", ours="CoarseDropout", verdict="close", why="holes lie within the image; there their middles did"
)
def _cutout(a: Arguments) -> Sequence[Step]:
    size = PerAxis({"Y": a.number("max_h_size", 8), "X": a.number("max_w_size", 8)})
    return (CoarseDropout(a.whole("num_holes", 8), size=size, fill=_filled(a, "fill_value")),)


@TABLE.add(
    "Erasing", ours="CoarseDropout", verdict="differs", why="height and width are drawn each by itself, not area and aspect",
)  # fmt: skip
def _erasing(a: Arguments) -> Sequence[Step]:
    low, high = a.pair("scale", (0.02, 0.33))
    a.get("ratio")
    side = f"{100 * max(low, 1e-4) ** 0.5:.3g}%", f"{100 * min(high, 1) ** 0.5:.3g}%"
    return (CoarseDropout(1, size=side, fill=_filled(a, "fill"), mask_fill=_mask_fill(a, "fill_mask")),)


@TABLE.add("GridDropout", ours="GridDropout", verdict="close", levels=0)
def _grid(a: Arguments) -> Sequence[Step]:
    if a.has("unit_size_range"):
        low, high = a.pair("unit_size_range")
    elif a.has("unit_size_min") and a.has("unit_size_max"):
        low, high = a.number("unit_size_min"), a.number("unit_size_max")
    else:
        low, high = 16, 64
        a.differs(
            "the edge of a cell is not given: Albumentations derives it from the image, here it is 16 to 64 pixels"
        )
    for name in ("unit_size_range", "unit_size_min", "unit_size_max", "shift_xy", "shift_x", "shift_y"):
        a.get(name)
    a.ignore("holes_number_xy", "holes_number_x", "holes_number_y")
    if not a.flag("random_offset", not a.old):
        a.differs("the grid begins at a drawn place")
    elif not a.old:
        a.tell(
            "each square has a drawn place of its own in its cell; here all squares of an image lie alike in theirs"
        )
    a.ignore("fill_mask", "mask_fill_value", why="masks stay")
    return (
        GridDropout(
            (int(low), int(high)), ratio=a.number("ratio", 0.5), fill=_filled(a, "fill", "fill_value")
        ),
    )


@TABLE.add("MaskDropout", ours="MaskDropout")
def _objects(a: Arguments) -> Sequence[Step]:
    value = a.get("max_objects", (1, 1))
    low, high = (1, a.whole("max_objects")) if isinstance(value, int) else a.pair("max_objects", (1, 1))
    mask = _mask_fill(a, "fill_mask", "mask_fill_value")
    fill = _filled(a, "fill", "image_fill_value")
    return (MaskDropout((int(low), int(high)), fill=fill, mask_fill=0 if mask is None else mask),)


@TABLE.add("PixelDropout", ours="PixelDropout")
def _pixels(a: Arguments) -> Sequence[Step]:
    fill: Any = 0.0
    if a.get("drop_value", 0) is None:
        a.differs("drop_value=None fills with random values; here with 0")
    else:
        numbers = a.numbers("drop_value", 0)
        fill = numbers[0] if len(numbers) == 1 else numbers
    a.ignore("mask_drop_value", "mask_fill_value", why="masks stay")
    return (PixelDropout(a.number("dropout_prob", 0.01), per_channel=a.flag("per_channel"), fill=fill),)


@TABLE.add(
    "ImageCompression", "JpegCompression", ours="JpegCompression",
    why="Albumentations lets OpenCV take red for blue when it writes, and channels='bgr' does so; 'rgb' loses less of red",
)  # fmt: skip
def _jpeg(a: Arguments) -> Sequence[Step]:
    kind = a.get("compression_type", "jpeg")
    if kind not in ("jpeg", 0, "ImageCompressionType.JPEG"):
        a.tell(f"compression_type={kind!r:.30}: only JPEG is written", "none")
    if a.has("quality_range"):
        low, high = a.pair("quality_range")
    else:
        low, high = a.number("quality_lower", 99), a.number("quality_upper", 100)
    for name in ("quality_range", "quality_lower", "quality_upper"):
        a.get(name)
    if a.verdict == "none":
        return ()
    return (JpegCompression((max(int(low), 1), max(int(high), 1)), channels="bgr"),)


@TABLE.add("Downscale", ours="Downscale")
def _downscale(a: Arguments) -> Sequence[Step]:
    if a.has("scale_range"):
        low, high = a.pair("scale_range")
    else:
        low, high = a.number("scale_min", 0.25), a.number("scale_max", 0.25)
    for name in ("scale_range", "scale_min", "scale_max"):
        a.get(name)
    kernels = [a.get(name) for name in ("interpolation", "interpolation_pair")]
    given = next((each for each in kernels if each is not None), _NEAREST)
    if all(kernel == _NEAREST for kernel in (given.values() if isinstance(given, Mapping) else [given])):
        return (Downscale((low, high), like="opencv"),)
    a.differs(
        "the image is averaged when it shrinks, as by INTER_AREA where its size divides evenly, and its pixels are shown as squares"
    )
    return (Downscale((low, high)),)


TABLE.none("AdditiveNoise", instead="GaussianNoise, Speckle, PoissonNoise and SaltAndPepper are noise")


def _bands_across(
    count: tuple[float, float], axis: str, length: tuple[float, float], fill: Any, label: int | None
) -> list[Step]:
    """Bands across the whole image; where there may be none the step has a probability."""
    low, high = (int(n) for n in count)
    if high < 1 or length[1] <= 0:
        return []
    size = PerAxis({axis: (max(length[0], 1.0), max(length[1], 1.0))})
    holes = (max(low, 1), high)
    if low >= 1:
        return [CoarseDropout(holes, size=size, fill=fill, mask_fill=label)]
    return [Chain([CoarseDropout(holes, size=size, fill=fill, mask_fill=label, p=high / (high + 1))])]


def _from_nothing(a: Arguments, name: str, default: float) -> tuple[float, float]:
    """A pair, or a number, which is the largest."""
    value = a.get(name, default)
    return a.pair(name, default) if isinstance(value, list | tuple) else (0.0, a.number(name, default))


def _of_xy_masking(a: Arguments) -> None:
    """Read what the class inherits, which follows from its own argument."""
    for name in ("fill", "fill_mask", "mask_x_length", "mask_y_length", "num_masks_x", "num_masks_y"):
        a.get(name)


@TABLE.add(
    "XYMasking",
    ours="CoarseDropout",
    verdict="close",
    why="bands across the whole image, of at least one pixel",
)
def _bands(a: Arguments) -> Sequence[Step]:
    fill, label = _filled(a, "fill", "fill_value"), _mask_fill(a, "fill_mask", "mask_fill_value")
    found: list[Step] = []
    for axis in "xy":
        count, length = _from_nothing(a, f"num_masks_{axis}", 0), _from_nothing(a, f"mask_{axis}_length", 0)
        found += _bands_across(count, axis.upper(), length, fill, label)
    if not found:
        a.refuse("num_masks_x", "at least one band along an axis, with a length", a.get("num_masks_x"))
    return found


@TABLE.add(
    "TimeMasking",
    ours="CoarseDropout",
    verdict="close",
    why="a band of columns, of at least one pixel, or none",
)
def _time(a: Arguments) -> Sequence[Step]:
    _of_xy_masking(a)
    return _bands_across((0, 1), "X", (0, a.number("time_mask_param", 40)), 0.0, None)


@TABLE.add(
    "FrequencyMasking",
    ours="CoarseDropout",
    verdict="close",
    why="a band of rows, of at least one pixel, or none",
)
def _frequency(a: Arguments) -> Sequence[Step]:
    _of_xy_masking(a)
    return _bands_across((0, 1), "Y", (0, a.number("freq_mask_param", 30)), 0.0, None)


@TABLE.add(
    "GlassBlur", ours="GlassBlur", verdict="differs",
    why="each pixel takes the value of a neighbour; Albumentations exchanges the two, leaves a margin, and rounds between the parts",
)  # fmt: skip
def _glass(a: Arguments) -> Sequence[Step]:
    a.get("mode")
    reach, times = a.whole("max_delta", 4), a.whole("iterations", 2)
    return (GlassBlur(a.number("sigma", 0.7), reach=min(max(reach, 0), 100), times=min(max(times, 1), 20)),)


TABLE.none(
    "ConstrainedCoarseDropout",
    instead="CoarseDropout fills rectangles anywhere, MaskDropout objects of the mask",
)
TABLE.none(
    "Mosaic",
    "OverlayElements",
    "TextImage",
    "MixUp",
    instead="no step puts images together",
)

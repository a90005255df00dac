"""The table of Keras' preprocessing layers, of Keras 2.6 to 3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from offgraph.migration.arguments import MISSING, Arguments, one_or_all
from offgraph.migration.tables import Table
from offgraph.steps.base import Step
from offgraph.steps.parameters import PerAxis
from offgraph.transforms.color import ColorJitter, HueSaturation, ToGrey
from offgraph.transforms.filters import GaussianFilter, UnsharpMask
from offgraph.transforms.geometric import (
    Affine,
    CenterCrop,
    CropToAspect,
    Elastic,
    Flip,
    PadTo,
    Perspective,
    RandomCrop,
    Resize,
    Rotate,
    Scale,
    Shift,
)
from offgraph.transforms.noise import CoarseDropout
from offgraph.transforms.pointwise import Brightness, Invert, Normalize, Posterize, Rescale, Solarize
from offgraph.transforms.statistics import CLAHE, AutoContrast, Equalize
from offgraph.transforms.structure import RandAugment

__all__ = ["TABLE"]

TABLE = Table("keras", "Keras layers")

_FLOATS = "Keras computes in float32 and keeps fractions, images of whole numbers are rounded here"
_MODES = {"constant": "grid-constant", "nearest": "nearest", "reflect": "reflect", "wrap": "grid-wrap"}
_ORDERS = {"nearest": 0, "bilinear": 1}
_KERNELS = {
    "nearest": "nearest", "bilinear": "triangle", "bicubic": "cubic", "area": "area", "lanczos3": "lanczos3",
    "lanczos5": "lanczos5", "gaussian": "triangle", "mitchellcubic": "cubic",
}  # fmt: skip


def _factor(
    a: Arguments, name: str = "factor", default: Any = MISSING, *, least: float = -1.0
) -> tuple[float, float]:
    """A range; a number x is from -x to x, but not below `least`."""
    if isinstance(a.get(name, default), list | tuple):
        return a.pair(name, default)
    far = abs(a.number(name, default))
    return max(-far, least), far


def _resampling(a: Arguments) -> dict[str, Any]:
    order = a.choice("interpolation", _ORDERS, "bilinear")
    if order == 0:
        a.nearly("of pixels equally near another one may be taken")
    mode = a.choice("fill_mode", _MODES, "reflect")
    if mode == "grid-wrap":
        a.differs("fill_mode='wrap': TensorFlow does not interpolate between the last pixel and the first")
    return {"order": order, "mode": mode, "cval": a.number("fill_value", 0.0)}


def _top(a: Arguments) -> float | None:
    """White, where it is not 255 of uint8."""
    low, high = a.pair("value_range", (0, 255))
    if low != 0:
        a.differs(f"value_range=({low:g}, {high:g}): values begin at 0 here")
    return high


@TABLE.add("Rescaling", ours="Rescale")
def _rescaling(a: Arguments) -> Sequence[Step]:
    scale, offset = a.numbers("scale", MISSING), a.numbers("offset", 0.0)
    if len(scale) == len(offset) == 1:
        return (Rescale(scale[0], offset=offset[0]),)
    if 0 in scale:
        a.refuse("scale", "numbers other than 0", a.get("scale"))
    if min(scale) < 0:
        a.tell("no step turns some channels round", "none")
        return ()
    count = max(len(scale), len(offset))
    scale, offset = (value * count if len(value) == 1 else value for value in (scale, offset))
    mean = tuple(-shift / factor for factor, shift in zip(scale, offset))
    return (Normalize(mean=mean, std=tuple(1 / factor for factor in scale), range=1),)


@TABLE.add("Normalization", ours="Normalize")
def _normalization(a: Arguments) -> Sequence[Step]:
    if a.get("axis", -1) not in (-1, 3, [-1], [3], (-1,), (3,), None):
        a.differs(f"axis={a.get('axis')!r:.30}: channels have statistics of their own here")
    if a.flag("invert"):
        a.tell("invert=True undoes a normalization: it belongs after the model", "none")
        return ()
    if not a.has("mean") or not a.has("variance"):
        a.get("mean"), a.get("variance")
        a.tell(
            "its statistics are in the layer's weights: og.statistics(source, recipe).normalize() measures them",
            "none",
        )
        return ()
    mean, variance = a.numbers("mean"), a.numbers("variance")
    if min(variance) < 0:
        a.refuse("variance", "numbers of at least 0", a.get("variance"))
    std = tuple(max(value**0.5, 1e-7) for value in variance)
    return (Normalize(mean=one_or_all(mean), std=one_or_all(std), range=1),)


@TABLE.add("Resizing", ours="Resize", verdict="close", levels=1, why=_FLOATS)
def _resizing(a: Arguments) -> Sequence[Step]:
    size = a.whole("height", MISSING), a.whole("width", MISSING)
    name = a.text("interpolation", "bilinear")
    kernel = a.choice("interpolation", _KERNELS, "bilinear")
    antialias = a.flag("antialias")
    if name in ("gaussian", "mitchellcubic"):
        a.differs(f"interpolation={name!r} is near to kernel={kernel!r}")
    elif kernel in ("nearest", "area"):
        antialias = True  # it makes no difference
    resize = Resize(size, kernel=kernel, antialias=antialias)
    aspect = size[1] / size[0]
    if a.flag("crop_to_aspect_ratio"):
        return (CropToAspect(aspect), resize)
    fill, value = a.get("fill_mode", "constant"), a.number("fill_value", 0.0)
    if a.flag("pad_to_aspect_ratio"):
        if fill != "constant":
            a.differs(f"fill_mode={fill!r:.20}: bars have one value")
        a.differs("where bars have an odd number of pixels in all, Keras leaves one out")
        return (PadTo(aspect=aspect, cval=value), resize)
    return (resize,)


@TABLE.add(
    "CenterCrop", ours="CenterCrop", why="an image that is smaller is an error here; Keras enlarges it"
)
def _center_crop(a: Arguments) -> Sequence[Step]:
    return (CenterCrop((a.whole("height", MISSING), a.whole("width", MISSING))),)


@TABLE.add(
    "RandomCrop", ours="RandomCrop", why="an image that is smaller is an error here; Keras enlarges it"
)
def _random_crop(a: Arguments) -> Sequence[Step]:
    return (RandomCrop((a.whole("height", MISSING), a.whole("width", MISSING))),)


@TABLE.add("RandomFlip", ours="Flip")
def _flip(a: Arguments) -> Sequence[Step]:
    known = {"horizontal": "X", "vertical": "Y", "horizontal_and_vertical": "XY"}
    axes = a.choice("mode", known, "horizontal_and_vertical")
    return tuple(Flip(axis, p=0.5) for axis in axes)  # type: ignore[arg-type]  # letters


@TABLE.add("RandomRotation", ours="Rotate", verdict="close", levels=1, why=_FLOATS)
def _rotation(a: Arguments) -> Sequence[Step]:
    low, high = _factor(a)
    return (Rotate((360 * low, 360 * high), **_resampling(a)),)


def _reciprocal(pair: tuple[float, float]) -> tuple[float, float]:
    return 1 / (1 + pair[1]), 1 / (1 + pair[0])


@TABLE.add("RandomZoom", ours="Scale", verdict="close", levels=1, why=_FLOATS)
def _zoom(a: Arguments) -> Sequence[Step]:
    down = _factor(a, "height_factor")
    across = _factor(a, "width_factor") if a.has("width_factor") else None
    a.get("width_factor")
    if min(down[0], across[0] if across else 0) <= -1:
        a.refuse("height_factor", "above -1", a.get("height_factor"))
    if down[0] != down[1] or (across and across[0] != across[1]):
        a.differs("Keras draws the reciprocal of the scale evenly, here the scale is")
    scale: Any = _reciprocal(down)
    if across is not None:
        scale = PerAxis({"Y": scale, "X": _reciprocal(across)})
    return (Scale(scale, **_resampling(a)),)


def _shares(pair: tuple[float, float]) -> tuple[str, str]:
    return f"{100 * pair[0]:.12g}%", f"{100 * pair[1]:.12g}%"


@TABLE.add("RandomTranslation", ours="Shift", verdict="close", levels=1, why=_FLOATS)
def _translation(a: Arguments) -> Sequence[Step]:
    down, across = _factor(a, "height_factor"), _factor(a, "width_factor")
    return (Shift(PerAxis({"Y": _shares(down), "X": _shares(across)}), **_resampling(a)),)


@TABLE.add(
    "RandomShear", ours="Affine", verdict="close", levels=1, why="about the upper left corner, as Keras does; " + _FLOATS
)  # fmt: skip
def _shear(a: Arguments) -> Sequence[Step]:
    slopes = {"Y": _factor(a, "y_factor", 0.0), "X": _factor(a, "x_factor", 0.0)}
    found = {axis: pair for axis, pair in slopes.items() if pair != (0, 0)}
    if any(low != -high for low, high in found.values()):
        a.differs(
            "Keras gives both axes a drawn sign; here all between minus the largest and the largest is drawn"
        )
    both = {axis: (-max(map(abs, pair)), max(map(abs, pair))) for axis, pair in found.items()}
    if not both:
        return ()
    return (Affine(shear=PerAxis(both), anchor="origin", **_resampling(a)),)


@TABLE.add("RandomHeight", "RandomWidth", ours="Resize", verdict="close", levels=1, why=_FLOATS)
def _length(a: Arguments) -> Sequence[Step]:
    low, high = _factor(a)
    kernel = a.choice("interpolation", _KERNELS, "bilinear")
    axis = "Y" if a.name == "RandomHeight" else "X"
    return (Resize(scale=PerAxis({axis: (1 + low, 1 + high)}), kernel=kernel, antialias=False),)


@TABLE.add("RandomBrightness", ours="Brightness", verdict="close", levels=1, why=_FLOATS)
def _brightness(a: Arguments) -> Sequence[Step]:
    return (Brightness(shift=_factor(a), range=_top(a)),)


@TABLE.add(
    "RandomContrast", ours="ColorJitter", verdict="differs",
    why="Keras spreads each channel about its own mean, here all are spread about the mean brightness",
)  # fmt: skip
def _contrast(a: Arguments) -> Sequence[Step]:
    pair = a.pair("factor") if isinstance(a.get("factor"), list | tuple) else (a.number("factor"),) * 2
    return (ColorJitter(contrast=(max(1 - pair[0], 0), 1 + pair[1]), range=_top(a)),)


@TABLE.add("RandomHue", ours="HueSaturation", verdict="close", levels=1, why=_FLOATS)
def _hue(a: Arguments) -> Sequence[Step]:
    low, high = _factor(a, least=0.0)
    if low > 0:
        a.differs(f"hues turned by less than {180 * low:g} degrees are drawn too")
    return (HueSaturation((-180 * high, 180 * high), range=_top(a)),)


@TABLE.add("RandomSaturation", ours="HueSaturation", verdict="close", levels=1, why=_FLOATS)
def _saturation(a: Arguments) -> Sequence[Step]:
    low, high = (min(value / (1 - value), 20.0) if value < 1 else 20.0 for value in _factor(a, least=0.0))
    if low != high:
        a.differs("Keras draws f evenly and multiplies by f / (1 - f); here the factor is drawn evenly")
    top = _top(a)
    if high > 1 and top != 1:
        a.differs("Keras limits saturation to 255 and not to 1, so that strong colours lose light and turn")
    return (HueSaturation(saturation=(low, high), range=top),)


@TABLE.add(
    "RandomColorJitter", ours="Brightness, ColorJitter, HueSaturation", verdict="differs",
    why="Keras spreads contrast about the mean of each channel",
)  # fmt: skip
def _jitter(a: Arguments) -> Sequence[Step]:
    made: list[Step] = []
    for name, convert in (
        ("brightness", _brightness), ("contrast", _contrast), ("saturation", _saturation), ("hue", _hue),
    ):  # fmt: skip
        value = a.get(f"{name}_factor")
        if value is not None:
            inner = Arguments(
                a.name, {"factor": value, "value_range": a.get("value_range", (0, 255))}, a.where
            )
            made += convert(inner)
            for note in inner.notes:
                a.tell(note, inner.verdict)
    a.get("value_range")
    return made


@TABLE.add("RandomGrayscale", ours="ToGrey", verdict="close", levels=1, why=_FLOATS)
def _grey(a: Arguments) -> Sequence[Step]:
    return (ToGrey(p=a.number("factor", 0.5)),)


def _chance(a: Arguments, default: Any = 1.0) -> float:
    """The probability: the middle of the range from which Keras draws it."""
    low, high = _factor(a, "factor", default, least=0.0)
    return min((low + high) / 2, 1.0)


@TABLE.add("RandomInvert", ours="Invert", why=_FLOATS)
def _invert(a: Arguments) -> Sequence[Step]:
    return (Invert(range=_top(a), p=_chance(a)),)


@TABLE.add("RandomPosterization", ours="Posterize", why=_FLOATS)
def _posterize(a: Arguments) -> Sequence[Step]:
    low, high = (int(value) for value in _factor(a, least=1.0))
    bits = (low, max(high - 1, low)) if low != high else (low, high)
    return (Posterize(bits, range=_top(a)),)


@TABLE.add("Solarization", ours="Solarize", verdict="close", levels=1, why=_FLOATS)
def _solarization(a: Arguments) -> Sequence[Step]:
    low, high = _factor(a, "threshold_factor", 0.0, least=0.0)
    if _factor(a, "addition_factor", 0.0, least=0.0) != (0, 0):
        a.differs("addition_factor is left out: put a Brightness(shift=) before it")
    if low == high and low:
        a.differs("Keras draws the threshold from factor / 255 of white up to the factor")
    return (Solarize((low / 255, high), range=_top(a)),)


@TABLE.add(
    "Equalization",
    ours="Equalize",
    verdict="close",
    levels=1,
    why="Keras multiplies and divides in another order",
)
def _equalization(a: Arguments) -> Sequence[Step]:
    a.ignore("bins", neutral=256)
    return (Equalize(range=_top(a), like="opencv"),)


@TABLE.add(
    "AutoContrast",
    ours="AutoContrast",
    verdict="close",
    levels=1,
    why="fractions are cut off here, as Pillow does",
)
def _auto_contrast(a: Arguments) -> Sequence[Step]:
    return (AutoContrast(range=_top(a)),)


@TABLE.add(
    "ContrastLimitedAdaptiveHistogramEqualization",
    ours="CLAHE",
    verdict="differs",
    why="tiles and clipping are OpenCV's here",
)
def _clahe(a: Arguments) -> Sequence[Step]:
    rows, columns = (int(value) for value in a.pair("tile_grid_size", (8, 8)))
    return (CLAHE(a.number("clip_limit", 4.0), tiles=PerAxis({"Y": rows, "X": columns}), range=_top(a)),)


@TABLE.add(
    "RandomErasing", ours="CoarseDropout", why="the rectangle is drawn alike, height and width each by itself"
)
def _erasing(a: Arguments) -> Sequence[Step]:
    low, high = _factor(a, "scale", (0.02, 0.33), least=0.0)
    fill: Any = 0.0
    if a.has("fill_value"):
        numbers = a.numbers("fill_value")
        fill = one_or_all(numbers)
    else:
        a.differs("fill_value=None: Keras fills with noise, here it is 0")
    a.get("fill_value"), a.get("value_range")
    side = f"{100 * low**0.5:.6g}%", f"{100 * high**0.5:.6g}%"
    a.tell("areas are drawn evenly in their roots" if low != high else "")
    return (CoarseDropout(1, size=side, fill=fill, p=_chance(a)),)


@TABLE.add(
    "RandomGaussianBlur",
    ours="GaussianFilter",
    verdict="differs",
    why="the window follows sigma, there it has kernel_size pixels",
)
def _blur(a: Arguments) -> Sequence[Step]:
    a.get("kernel_size"), a.get("value_range")
    low, high = _factor(a, "sigma", 1.0, least=0.0)
    return (GaussianFilter((low, high), mode="constant", p=_chance(a)),)


@TABLE.add(
    "RandomSharpness",
    ours="UnsharpMask",
    verdict="differs",
    why="Keras blends with a smoothed image of 3 x 3; factors below 0.5 blur there",
)
def _sharpness(a: Arguments) -> Sequence[Step]:
    low, high = _factor(a, least=0.0)
    a.get("value_range")
    return (UnsharpMask((max(2 * low - 1, 0), max(2 * high - 1, 0)), sigma=0.7),)


@TABLE.add("RandomColorDegeneration", ours="ColorJitter", verdict="close", levels=1, why=_FLOATS)
def _degeneration(a: Arguments) -> Sequence[Step]:
    low, high = _factor(a)
    return (ColorJitter(saturation=(max(1 - high, 0), 1 - low), range=_top(a)),)


@TABLE.add(
    "RandomPerspective",
    ours="Perspective",
    verdict="differs",
    why="Keras moves three of the corners, by shares of their coordinates",
)
def _perspective(a: Arguments) -> Sequence[Step]:
    share = min(abs(a.number("scale", 1.0)) / 2, 0.249)
    options = (
        _resampling(a)
        if a.has("fill_mode")
        else {"cval": a.number("fill_value", 0.0), "order": a.choice("interpolation", _ORDERS, "bilinear")}
    )
    return (Perspective(share, p=_chance(a), **options),)


@TABLE.add(
    "RandomElasticTransform",
    ours="Elastic",
    verdict="differs",
    why="a spline goes through random nodes; Keras' displacements are another field",
)
def _elastic(a: Arguments) -> Sequence[Step]:
    low, high = _factor(a, "scale", 1.0, least=0.0)
    a.get("value_range")
    return (Elastic((max(low, 0.01), max(high, 0.01)), p=_chance(a), **_resampling(a)),)


@TABLE.add(
    "RandAugment",
    ours="RandAugment",
    verdict="differs",
    why="the fourteen ways and their strengths are torchvision's",
)
def _rand_augment(a: Arguments) -> Sequence[Step]:
    a.get("value_range"), a.get("interpolation")
    strength = _factor(a, "factor", 0.5, least=0.0)[1]
    return (RandAugment(max(a.whole("num_ops", 2), 1), magnitude=min(max(round(30 * strength), 1), 30)),)


@TABLE.add("Sequential", "Pipeline", "Functional", "Model", ours="Compose", kind="sequence")
def _sequential(a: Arguments, parts: list[Step]) -> Sequence[Step]:
    for name in ("layers", "input_layers", "output_layers"):
        a.get(name)
    return parts


@TABLE.add("InputLayer", "MaxNumBoundingBoxes", "RandomRGBToHSVLayer", "Identity", "Activation", ours="")
def _nothing(a: Arguments) -> Sequence[Step]:
    for name in a.values:
        a.get(name)
    return ()


TABLE.none(
    "AugMix", instead="no step mixes chains of changes; RandAugment and TrivialAugment apply some of them"
)
TABLE.none("MixUp", instead="Loader(mix=og.MixUp(alpha)) mixes the images of a batch")
TABLE.none("CutMix", instead="Loader(mix=og.CutMix()) mixes the images of a batch")
TABLE.none("CategoryEncoding", instead="labels are encoded by the loader")

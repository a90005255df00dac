"""The arguments of Keras' `ImageDataGenerator`, as steps.

Keras turns, shifts, shears and zooms by one matrix per image, read by `scipy.ndimage.affine_transform`, then shifts
channels, flips, changes the brightness, and last standardizes. `Affine` does the first four in one resampling too. What
Keras multiplies is ``turn @ shift @ shear @ zoom``, `Affine` ``zoom @ shear @ turn``, shifted last: with one of them
alone the images are the same, with several the distribution differs a little.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from offgraph.core.distributions import Choice
from offgraph.core.errors import RecipeError
from offgraph.core.suggestions import did_you_mean
from offgraph.migration.applications import preprocessing
from offgraph.migration.arguments import Arguments
from offgraph.migration.conversion import EVALUATION, assembled, guarded
from offgraph.migration.report import Migration, MigrationReport, StepReport, Verdict, measured
from offgraph.steps.base import Step
from offgraph.transforms.geometric import Affine, CropToAspect, Flip, Resize
from offgraph.transforms.pointwise import Brightness, Normalize, Rescale
from offgraph.transforms.statistics import ZScore

__all__ = ["ARGUMENTS", "ArgumentGroup", "arguments_of", "from_generator", "is_generator", "unfitted"]

LIBRARY = "Keras ImageDataGenerator"

_MODES = {"nearest": "nearest", "constant": "constant", "reflect": "reflect", "wrap": "wrap"}
_KERNELS = {
    "nearest": "nearest", "bilinear": "triangle", "bicubic": "cubic", "box": "box", "lanczos": "lanczos3",
}  # fmt: skip
_ELSEWHERE = {
    "batch_size": "Loader(batch_size=)",
    "class_mode": "the source has the labels",
    "classes": "the source has the classes",
    "color_mode": "Loader(color=)",
    "data_format": "Loader(data_format=)",
    "dtype": "Loader(dtype=)",
    "follow_links": "",
    "seed": "Loader(seed=)",
    "shuffle": "Loader(shuffle=)",
    "subset": "og.split",
    "validation_split": "og.split(source, val=)",
    "zca_epsilon": "",
}
"""Arguments that are no steps, and what takes their place."""


def _resized(a: Arguments) -> Sequence[Step]:
    size = a.numbers("target_size")
    if len(size) != 2 or any(n != int(n) or n < 1 for n in size):
        a.refuse("target_size", "(height, width) in pixels", a.get("target_size"))
    name = a.text("interpolation", "nearest")
    kernel = a.choice("interpolation", _KERNELS, "nearest")
    if name == "nearest":
        a.tell(
            "of a place exactly between two pixels Pillow's sums of floats may fall to the other side",
            "close",
        )
    elif name == "bilinear":
        a.tell("Pillow rounds to whole numbers after each axis", "close", 1)
    elif name == "box":
        a.nearly("of a pixel whose edge lies on that of a new one Pillow's sums may fall to the other side")
    else:
        a.nearly("at sharp edges Pillow cuts values off at 0 and 255 between the axes")
    height, width = int(size[0]), int(size[1])
    resize = Resize((height, width), kernel=kernel, antialias=True)
    return (CropToAspect(width / height), resize) if a.flag("keep_aspect_ratio") else (resize,)


def _share_or_pixels(a: Arguments, name: str) -> Any:
    """What is drawn along an axis: numbers below 1 are shares of its length, a whole number n those from -(n - 1) to n - 1."""
    value = a.get(name)
    if value is None or value is False or (isinstance(value, int | float) and value == 0):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        count = abs(value)
        if count > 500:
            a.differs(f"{name}={value}: parts of pixels are drawn too")
            return (float(1 - count), float(count - 1))
        return _signed(range(count)) if count > 1 else None
    if isinstance(value, list | tuple | np.ndarray):
        values = a.numbers(name)
        if max(values) >= 1:
            return _signed(values)
        far = max(map(abs, values))
        a.differs(
            f"{name}: Keras takes one of {list(values)} with either sign, here shares are drawn evenly up to {far:g}"
        )
    else:
        far = abs(a.number(name))
    return (f"{-100 * far:.12g}%", f"{100 * far:.12g}%") if far < 1 else (-far, far)


def _signed(values: Sequence[float]) -> Any:
    """One of some numbers, with either sign, each as likely."""
    signed = [sign * float(value) for value in values for sign in (1, -1)]
    ends = sorted({value + 0.0 for value in signed})
    if len(ends) == 1:
        return ends[0] or None
    return Choice(ends, weights=[signed.count(value) for value in ends])


def _affine(a: Arguments) -> Sequence[Step]:
    options: dict[str, Any] = {}
    turn = abs(a.number("rotation_range", 0))
    if turn:
        options["rotate"] = (-turn, turn)
    shifts = {"Y": _share_or_pixels(a, "height_shift_range"), "X": _share_or_pixels(a, "width_shift_range")}
    moved = {axis: entry for axis, entry in shifts.items() if entry is not None}
    if moved:
        options["translate"] = moved
    shear = abs(a.number("shear_range", 0))
    if shear:
        slope = math.sin(math.radians(min(shear, 89.0)))
        options["shear"] = {"X": (-slope, slope)}
        a.differs(
            "shear_range is in degrees; columns per row are their sine, drawn evenly here, and Keras also stretches the rows "
            "by one over the cosine"
        )
        if shear < 1:
            a.tell(
                f"shear_range={shear:g} is {shear:g} degrees, which is hardly visible; if radians were meant, it is "
                f"{math.degrees(shear):.3g}"
            )
    low, high = a.pair("zoom_range", 0, about=1)
    if low <= 0:
        a.refuse("zoom_range", "factors above 0", a.get("zoom_range"))
    if (low, high) != (1, 1):
        scale = (1 / high, 1 / low)
        options["scale"] = {"Y": scale, "X": scale}
        a.differs(
            f"Keras draws the reciprocal of the scale evenly, from {low:g} to {high:g}; here the scale is, "
            f"from {scale[0]:.4g} to {scale[1]:.4g}"
        )
    if sum(name in options for name in ("rotate", "translate", "shear", "scale")) > 1:
        a.differs("of several changes Keras multiplies the matrices in the opposite order")
    if not options:
        return ()
    return (_affine_step(a, options),)


def _affine_step(a: Arguments, options: dict[str, Any]) -> Step:
    mode = a.choice("fill_mode", _MODES, "nearest")
    order = a.whole("interpolation_order", 1)
    if order not in range(6):
        a.refuse("interpolation_order", "a spline order from 0 to 5", order)
    a.tell(
        "Keras resamples in float32 and keeps fractions, here those of uint8 are rounded and cut to 0 to 255",
        "close",
        1,
    )
    return Affine(mode=mode, cval=a.number("cval", 0), order=order, **options)


def _channel_shift(a: Arguments) -> Sequence[Step]:
    far = abs(a.number("channel_shift_range", 0)) / 255
    return (Brightness(shift=(-far, far)),) if far else ()


def _brightness(a: Arguments) -> Sequence[Step]:
    if a.get("brightness_range") is None:
        return ()
    if not isinstance(a.get("brightness_range"), list | tuple):
        a.refuse("brightness_range", "(low, high), factors", a.get("brightness_range"))
    low, high = a.pair("brightness_range")
    return (Brightness(factor=(low, high)),)


def _flip(name: str, axis: Literal["X", "Y"]) -> Callable[[Arguments], Sequence[Step]]:
    return lambda a: (Flip(axis, p=0.5),) if a.flag(name) else ()


def _function(a: Arguments) -> Sequence[Step]:
    return preprocessing(a, a.get("preprocessing_function"))


def _rescale(a: Arguments) -> Sequence[Step]:
    if isinstance(a.get("rescale"), bool):
        a.tell("rescale=True multiplies by 1: nothing changes; 1/255 was probably meant")
        return ()
    scale = a.number("rescale", 0)
    return (Rescale(scale),) if scale else ()


def _samplewise(a: Arguments) -> Sequence[Step]:
    centre, scale = a.flag("samplewise_center"), a.flag("samplewise_std_normalization")
    if scale:
        return (ZScore(per_channel=False),)
    return (ZScore(per_channel=False, divide=False),) if centre else ()


UNFITTED = "{0}: its statistics are those of your data, and Keras changes nothing, and warns, before fit(images) has found them; so does "
"""What is told of an argument whose statistics are not known; what is done instead follows."""


def _featurewise(a: Arguments) -> Sequence[Step]:
    centre, scale = a.flag("featurewise_center"), a.flag("featurewise_std_normalization")
    if not (centre or scale):
        return ()
    mean = a.get("mean")
    if mean is None:
        name = "featurewise_std_normalization" if scale else "featurewise_center"
        a.tell(
            UNFITTED.format(name)
            + "this recipe: og.statistics(source, recipe).normalize() gives the step that is missing"
        )
        return ()
    std: tuple[float, ...] = (1.0,)
    if scale and a.has("std"):
        std = tuple(value + 1e-6 for value in a.numbers("std"))
    return (Normalize(mean=a.numbers("mean"), std=std, range=1),)


def _whitening(a: Arguments) -> Sequence[Step]:
    if not a.flag("zca_whitening"):
        return ()
    if a.get("zca_whitening_matrix") is None:
        a.tell(
            UNFITTED.format("zca_whitening")
            + "this recipe: og.ImageDataGenerator(zca_whitening=True).fit(images) finds Keras' matrix and whitens by it"
        )
    else:
        a.tell(
            "the matrix mixes all pixels of an image and holds a number for each pair of them, too many for a recipe; og.ImageDataGenerator "
            "whitens by the same numbers",
            "none",
        )
    return ()


@dataclass(frozen=True)
class ArgumentGroup:
    """A row of the table: arguments of `ImageDataGenerator` that become steps together."""

    names: tuple[str, ...]
    ours: str
    verdict: Verdict
    why: str
    convert: Callable[[Arguments], Sequence[Step]]
    levels: float = 0.0
    options: tuple[str, ...] = ()
    """Arguments that say how, and mean nothing alone."""


_OFF_CENTRE = (
    "on images that are not square, Keras 3 takes (width, height) / 2 for the (row, column) of the centre; here it is the "
    "centre"
)

ARGUMENTS = (
    ArgumentGroup(
        ("target_size",), "Resize", "exact", "", _resized, options=("interpolation", "keep_aspect_ratio")
    ),
    ArgumentGroup(
        ("rotation_range", "width_shift_range", "height_shift_range", "shear_range", "zoom_range"),
        "Affine",
        "close",
        _OFF_CENTRE,
        _affine,
        1,
        ("fill_mode", "cval", "interpolation_order"),
    ),
    ArgumentGroup(
        ("channel_shift_range",),
        "Brightness",
        "differs",
        "Keras limits values to the smallest and the largest of the image, here to 0 and white",
        _channel_shift,
    ),
    ArgumentGroup(("horizontal_flip",), "Flip", "exact", "", _flip("horizontal_flip", "X")),
    ArgumentGroup(("vertical_flip",), "Flip", "exact", "", _flip("vertical_flip", "Y")),
    ArgumentGroup(
        ("brightness_range",),
        "Brightness",
        "close",
        "Pillow cuts fractions off, here they are rounded",
        _brightness,
        1,
    ),
    ArgumentGroup(
        ("preprocessing_function",), "Rescale, Normalize, ColorMatrix or Lambda", "exact", "", _function
    ),
    ArgumentGroup(("rescale",), "Rescale", "exact", "", _rescale),
    ArgumentGroup(("samplewise_center", "samplewise_std_normalization"), "ZScore", "exact", "", _samplewise),
    ArgumentGroup(
        ("featurewise_center", "featurewise_std_normalization"),
        "Normalize",
        "exact",
        "",
        _featurewise,
        options=("mean", "std"),
    ),
    ArgumentGroup(("zca_whitening",), "", "exact", "", _whitening, options=("zca_whitening_matrix",)),
)
"""In the order in which Keras applies them."""

_KNOWN = {name for group in ARGUMENTS for name in (*group.names, *group.options)} | set(_ELSEWHERE)
_ATTRIBUTES = {"_validation_split": "validation_split"}


def is_generator(given: Any) -> bool:
    """Whether something is a Keras `ImageDataGenerator`."""
    return any(cls.__name__ == "ImageDataGenerator" for cls in type(given).__mro__)


def from_generator(arguments: dict[str, Any], source: str = "ImageDataGenerator") -> Migration:
    """Return the recipe of the arguments of `ImageDataGenerator` (and of its `flow` methods), and the report.

    Parameters
    ----------
    arguments : dict
        Such as ``{"rotation_range": 20, "horizontal_flip": True}``; ``target_size``, ``interpolation`` and
        ``keep_aspect_ratio`` of `flow_from_directory` may be among them, and ``mean``, ``std`` and ``zca_whitening_matrix``,
        which `fit` finds.
    source : str
        What messages call it.

    Raises
    ------
    RecipeError
        For an argument that Keras does not have, or a value that it does not take.
    """
    for name in arguments:
        if name not in _KNOWN:
            raise RecipeError(f"{source}: no argument {name!r:.60}{did_you_mean(str(name), _KNOWN)}")
    steps: list[Step] = []
    lines: list[StepReport] = []
    for group in ARGUMENTS:
        told = [name for name in group.names if _is_set(arguments.get(name))]
        if not told:
            continue
        a = Arguments("ImageDataGenerator", arguments, source)
        made = guarded(a, lambda: group.convert(a))  # noqa: B023 - called at once
        if not made and not a.notes:
            continue
        if made:
            a.tell("", group.verdict, group.levels)
            if group.why:
                a.tell(group.why)
            _tell_measured(a, told)
        shown = ", ".join(f"{name}={_short(arguments[name])}" for name in told)
        levels = (a.levels or None) if a.verdict == "close" else None
        written = tuple(map(repr, made))
        lines.append(StepReport(str(len(lines) + 1), shown, written, a.verdict, tuple(a.notes), levels))
        steps += made
    notes = [
        f"{name}={_short(arguments[name])} is no step" + (f": {place}" if place else "")
        for name, place in _ELSEWHERE.items()
        if arguments.get(name) is not None and place
    ]
    recipe = assembled(steps)
    if recipe.draws:
        notes.append(EVALUATION)
    return Migration(recipe, MigrationReport(LIBRARY, tuple(lines), tuple(notes)))


def arguments_of(generator: Any) -> dict[str, Any]:
    """Return the arguments of a live `ImageDataGenerator`; with what `fit` found, where it was called."""
    held = {_ATTRIBUTES.get(name, name): value for name, value in vars(generator).items()}
    found = {name: value for name, value in held.items() if name in _KNOWN and value is not None}
    return {name: value for name, value in found.items() if name not in ("data_format", "dtype")}


def unfitted(arguments: Mapping[str, Any]) -> list[str]:
    """Return the arguments that ask for statistics which nobody has given, and without which they do nothing."""
    needs = {
        "featurewise_center": "mean",
        "featurewise_std_normalization": "std",
        "zca_whitening": "zca_whitening_matrix",
    }
    return [name for name, found in needs.items() if arguments.get(name) and arguments.get(found) is None]


def _is_set(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.size > 0
    return value is not None and value is not False and value != 0


def _short(value: Any) -> str:
    text = getattr(value, "__name__", None) or repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _tell_measured(a: Arguments, names: Sequence[str]) -> None:
    for name in names:
        figure = measured("generator", name)
        if figure is not None and figure.largest > 0:
            a.tell(f"{name}: {figure}")

"""Albumentations' steps that move pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from offgraph.migration.albumentations.table import TABLE, limits, shares
from offgraph.migration.arguments import MISSING, Arguments
from offgraph.migration.opencv import border, fill_value, resampling
from offgraph.steps.base import Step
from offgraph.steps.parameters import PerAxis
from offgraph.transforms.geometric import (
    D4,
    Affine,
    Elastic,
    Flip,
    GridDistortion,
    GridShuffle,
    LensDistortion,
    Pad,
    PadTo,
    Perspective,
    Rotate,
    Rotate90,
    ShiftScaleRotate,
    ThinPlateSpline,
    Transpose,
)
from offgraph.transforms.structure import OneOf

__all__: list[str] = []

_ROUNDED = "OpenCV computes with fewer digits; its older releases round coordinates to 1/32 of a pixel"


@TABLE.add("HorizontalFlip", "IAAFliplr", "TimeReverse", ours="Flip")
def _across(a: Arguments) -> Sequence[Step]:
    return (Flip("X"),)


@TABLE.add("VerticalFlip", "IAAFlipud", ours="Flip")
def _down(a: Arguments) -> Sequence[Step]:
    return (Flip("Y"),)


@TABLE.add("Flip", ours="OneOf of Flip and Rotate90")
def _flip(a: Arguments) -> Sequence[Step]:
    return (OneOf([Flip("Y"), Flip("X"), Rotate90(2)]),)


@TABLE.add("Transpose", ours="Transpose")
def _transpose(a: Arguments) -> Sequence[Step]:
    return (Transpose(),)


@TABLE.add("RandomRotate90", ours="Rotate90")
def _rotate90(a: Arguments) -> Sequence[Step]:
    return (Rotate90((0, 3)),)


@TABLE.add("D4", "SquareSymmetry", ours="D4", p=1.0)
def _d4(a: Arguments) -> Sequence[Step]:
    return (D4(),)


@TABLE.add("Rotate", ours="Rotate", verdict="close", levels=1, why=_ROUNDED)
def _rotate(a: Arguments) -> Sequence[Step]:
    angle = limits(a, "limit", (-90, 90))
    a.ignore("rotate_method", neutral="largest_box", why="boxes are those around the turned corners")
    a.ignore("crop_border", neutral=False, why="put a CenterCrop after it")
    return (Rotate(angle, **resampling(a)),)


_OF_AFFINE = (
    "balanced_scale",
    "fit_output",
    "keep_ratio",
    "rotate",
    "scale",
    "shear",
    "translate_px",
    "translate_percent",
)
"""Of the class that Albumentations derives `SafeRotate` from: they stand in its files, and say nothing."""


@TABLE.add(
    "SafeRotate", ours="Rotate", verdict="differs",
    why="Albumentations shrinks the turned image into the old size; here the size grows, so put a Resize after it",
)  # fmt: skip
def _safe_rotate(a: Arguments) -> Sequence[Step]:
    angle = limits(a, "limit", (-90, 90))
    a.ignore("rotate_method", neutral="largest_box")
    for name in _OF_AFFINE:
        a.get(name)
    return (Rotate(angle, reshape=True, **resampling(a)),)


@TABLE.add("ShiftScaleRotate", ours="ShiftScaleRotate", verdict="close", levels=1, why=_ROUNDED)
def _shift_scale_rotate(a: Arguments) -> Sequence[Step]:
    both = limits(a, "shift_limit", (-0.0625, 0.0625))
    across = limits(a, "shift_limit_x", None) if a.has("shift_limit_x") else both
    down = limits(a, "shift_limit_y", None) if a.has("shift_limit_y") else both
    for name in ("shift_limit_x", "shift_limit_y"):
        a.get(name)
    scale = limits(a, "scale_limit", (-0.1, 0.1), about=1)
    angle = limits(a, "rotate_limit", (-45, 45))
    a.ignore("rotate_method", neutral="largest_box", why="boxes are those around the turned corners")
    if scale[0] <= 0:
        a.refuse("scale_limit", "above -1: the image has some size", a.get("scale_limit"))
    if (across, down) != ((0, 0), (0, 0)):
        a.nearly("Albumentations 2 shifts by whole pixels, cut off towards 0; here by parts of pixels too")
    if a.old:
        a.nearly("old versions turn about (width / 2, height / 2), half a pixel from the centre")
    return (
        ShiftScaleRotate(
            shift=PerAxis({"Y": shares(down), "X": shares(across)}),
            scale=scale,
            rotate=angle,
            **resampling(a),
        ),
    )


def _by_axis(a: Arguments, name: str, default: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ranges of x and y: from a dict, or both the same."""
    value = a.get(name, default)
    if not isinstance(value, dict):
        pair = a.pair(name, default)
        return pair, pair
    inner = Arguments(a.name, value, f"{a.where}, field {name}")
    neutral = 1.0 if name == "scale" else 0.0
    return inner.pair("x", neutral), inner.pair("y", neutral)


def _affine_shear(a: Arguments) -> dict[str, tuple[float, float]]:
    value = a.get("shear", 0.0)
    if isinstance(value, dict | int | float):
        across, down = _by_axis(a, "shear", 0.0)
        if not isinstance(value, dict):
            across = down = (-abs(a.number("shear", 0.0)), abs(a.number("shear", 0.0)))
    else:
        across = down = a.pair("shear")
    slopes = {}
    for axis, pair in (("Y", down), ("X", across)):
        if pair != (0, 0):
            if max(map(abs, pair)) >= 89:
                a.refuse("shear", "degrees below 89", value)
            low, high = (math.tan(math.radians(degrees)) for degrees in pair)
            slopes[axis] = (low, high)
    if len(slopes) == 2 and any(pair != (0, 0) for pair in slopes.values()):
        a.differs(
            "sheared along both axes: here the matrix of the way back is sheared, there that of the way to"
        )
    if any(low != high for low, high in slopes.values()):
        a.tell("angles of shear are drawn evenly in their tangents")
    return slopes


def _affine_shift(a: Arguments) -> dict[str, Any] | None:
    if a.has("translate_percent"):
        across, down = _by_axis(a, "translate_percent", 0.0)
        a.get("translate_px")
        if (across, down) == ((0, 0), (0, 0)):
            return None
        a.nearly("Albumentations shifts by whole pixels, cut off towards 0; here by parts of pixels too")
        return {"Y": shares(down), "X": shares(across)}
    a.get("translate_percent")
    if a.has("translate_px"):
        across, down = _by_axis(a, "translate_px", 0.0)
        if across[0] != across[1] or down[0] != down[1]:
            a.nearly("Albumentations draws whole pixels, here parts of pixels too")
        return {"Y": down, "X": across} if (across, down) != ((0, 0), (0, 0)) else None
    a.get("translate_px")
    return None


@TABLE.add("Affine", "IAAAffine", ours="Affine", verdict="close", levels=1, why=_ROUNDED)
def _affine(a: Arguments) -> Sequence[Step]:
    across, down = _by_axis(a, "scale", 1.0)
    if min(*across, *down) <= 0:
        a.refuse("scale", "factors above 0", a.get("scale"))
    together = a.flag("keep_ratio") or across[0] == across[1] == down[0] == down[1]
    scale: Any = across if together else {"Y": down, "X": across}
    a.ignore("balanced_scale", neutral=False, why="scales are drawn evenly, however much larger than 1")
    value = a.get("rotate", 0.0)
    angle = a.pair("rotate", 0.0) if isinstance(value, list | tuple) else a.pair("rotate", 0.0, about=0)
    shear = _affine_shear(a)
    if shear and angle != (0, 0):
        a.differs("Albumentations turns before it shears, here it is sheared first")
    a.ignore("fit_output", neutral=False, why="the size stays")
    a.ignore("rotate_method", neutral="largest_box")
    options: dict[str, Any] = {"scale": scale, "rotate": angle, **resampling(a, reflected=0)}
    if shear:
        options["shear"] = shear
    if (shift := _affine_shift(a)) is not None:
        options["translate"] = shift
    return (Affine(**options),)


@TABLE.add(
    "Perspective", "IAAPerspective", ours="Perspective", verdict="differs",
    why="Albumentations moves corners by normally distributed distances; here evenly, to the same mean",
)  # fmt: skip
def _perspective(a: Arguments) -> Sequence[Step]:
    low, high = a.pair("scale", (0.05, 0.1))
    a.ignore("keep_size", neutral=True, why="the size stays")
    a.ignore("fit_output", neutral=False, why="the size stays")
    distortion = tuple(min(1.6 * max(value, 0), 0.249) for value in (low, high))
    return (Perspective((distortion[0], distortion[1]), inwards=True, **resampling(a, reflected=0)),)


@TABLE.add(
    "ElasticTransform", ours="Elastic", verdict="differs",
    why="Albumentations blurs white noise, of which little is left where sigma is large; here a spline goes through random nodes, "
    "as far as that noise reaches at most; choose nodes= so that they are about 3 sigma apart",
)  # fmt: skip
def _elastic(a: Arguments) -> Sequence[Step]:
    alpha, sigma = a.number("alpha", 1), a.number("sigma", 50)
    if sigma <= 0:
        a.refuse("sigma", "a number above 0", sigma)
    uniform = a.old or a.get("noise_distribution", "gaussian") == "uniform"
    reach = abs(alpha) * (0.49 if uniform else 0.19) / sigma
    a.ignore("alpha_affine", neutral=0, why="put an Affine before it")
    a.ignore("approximate", neutral=False)
    a.ignore("same_dxdy", neutral=False, why="each axis has nodes of its own")
    a.ignore("keypoint_remapping_method", neutral="mask")
    if reach < 0.5:
        a.tell(
            f"with alpha={alpha:g} and sigma={sigma:g} no pixel moves further than {reach:.2g} pixels: nothing is seen of it"
        )
    return (Elastic(round(max(reach, 0.01), 4), **resampling(a)),)


@TABLE.add(
    "GridElasticDeform",
    ours="Elastic",
    verdict="differs",
    why="a spline goes through the displaced nodes, there the image is bent in each cell by itself",
    p=1.0,
)
def _grid_elastic(a: Arguments) -> Sequence[Step]:
    cells = a.numbers("num_grid_xy", MISSING)
    across, down = int(cells[0]), int(cells[-1])
    nodes = PerAxis({"Y": min(down + 1, 31), "X": min(across + 1, 31)})
    return (Elastic(a.number("magnitude", MISSING), nodes=nodes, fixed_border=True, **resampling(a)),)


@TABLE.add(
    "GridDistortion", ours="GridDistortion", verdict="differs",
    why="here the image's border stays where it is, and strips are drawn evenly about their width",
)  # fmt: skip
def _grid_distortion(a: Arguments) -> Sequence[Step]:
    low, high = limits(a, "distort_limit", (-0.3, 0.3))
    a.ignore("normalized", neutral=True if not a.old else a.get("normalized"))
    a.ignore("keypoint_remapping_method", neutral="mask")
    share = min(max(abs(low), abs(high)), 0.99)
    if low != -high:
        a.differs(f"distort_limit=({low:g}, {high:g}) is drawn from -{share:g} to {share:g}")
    return (GridDistortion(share, cells=min(a.whole("num_steps", 5), 64), **resampling(a)),)


@TABLE.add(
    "RandomGridShuffle", ours="GridShuffle",
    why="cells of the same distribution; where they do not divide the image Albumentations also draws which are larger, and boxes are no "
    "target there",
)  # fmt: skip
def _grid_shuffle(a: Arguments) -> Sequence[Step]:
    rows, columns = (int(n) for n in a.numbers("grid", (3, 3)))
    return (GridShuffle(rows if rows == columns else PerAxis({"Y": rows, "X": columns})),)


@TABLE.add(
    "OpticalDistortion", ours="LensDistortion", verdict="differs",
    why="Albumentations takes one number for both coefficients, measured in widths and heights; here each is drawn, and the "
    "distance is that to a corner",
)  # fmt: skip
def _optical(a: Arguments) -> Sequence[Step]:
    low, high = limits(a, "distort_limit", (-0.05, 0.05))
    a.ignore(
        "shift_limit",
        neutral=(0, 0) if isinstance(a.get("shift_limit"), list | tuple) else 0,
        why="put a Shift after it",
    )
    a.ignore("mode", neutral="camera", why="the camera's model is used")
    a.ignore("keypoint_remapping_method", neutral="mask")
    a.values = {key: value for key, value in a.values.items() if key != "mode"}
    return (LensDistortion((low / 2, high / 2), k2=(low / 4, high / 4), **resampling(a)),)


@TABLE.add(
    "ThinPlateSpline", "PiecewiseAffine", "IAAPiecewiseAffine", ours="ThinPlateSpline", verdict="differs",
    why="points are displaced evenly up to three standard deviations of Albumentations' normal ones, and the image bends smoothly",
)  # fmt: skip
def _spline(a: Arguments) -> Sequence[Step]:
    if a.name == "ThinPlateSpline":
        low, high = (value / 10 for value in a.pair("scale_range", (0.2, 0.4)))
        points = a.whole("num_control_points", 4)
    else:
        low, high = a.pair("scale", (0.03, 0.05))
        rows, columns = a.pair("nb_rows", 4), a.pair("nb_cols", 4)
        points = round((rows[0] + rows[1] + columns[0] + columns[1]) / 4)
        a.ignore("absolute_scale", neutral=False)
    a.ignore("keypoint_remapping_method", neutral="mask")
    magnitude = shares((3 * min(low, 0.1), 3 * min(high, 0.1)))
    return (ThinPlateSpline(magnitude, points=min(max(points, 2), 10), **resampling(a)),)


def _bars(a: Arguments) -> dict[str, Any]:
    mode = border(a, "border_mode", "pad_mode", default=4 if a.old else 0)
    cval = fill_value(a, "fill", "value", "pad_val", "pad_cval")
    mask = fill_value(a, "fill_mask", "mask_value", "mask_pad_val", "pad_cval_mask")
    return {"mode": mode, "cval": cval, "mask_cval": int(mask)}


_POSITIONS = {
    "center": "centre", "PositionType.CENTER": "centre", "top_left": "start", "bottom_right": "end", "random": "random",
}  # fmt: skip


@TABLE.add("PadIfNeeded", ours="PadTo", p=1.0)
def _pad_to(a: Arguments) -> Sequence[Step]:
    a.ignore("padding", neutral=0)
    by_divisor = {"Y": a.get("pad_height_divisor"), "X": a.get("pad_width_divisor")}
    divisors = {axis: value for axis, value in by_divisor.items() if value is not None}
    if a.get("position", "center") not in _POSITIONS:
        a.differs(f"position={a.get('position')!r:.30}: the image lies in the middle")
        position: Any = "centre"
    else:
        position = a.choice("position", _POSITIONS, "center")
    steps: list[Step] = []
    options = {"position": position, **_bars(a)}
    lengths = [a.get(name, None if divisors else 1024) for name in ("min_height", "min_width")]
    if any(length is not None for length in lengths):
        size = tuple(
            "100%" if length is None else a.whole(name)
            for name, length in zip(("min_height", "min_width"), lengths)
        )
        steps.append(PadTo(size, **options))
    if divisors:
        names = {"Y": "pad_height_divisor", "X": "pad_width_divisor"}
        steps.append(PadTo(multiple=PerAxis({axis: a.whole(names[axis]) for axis in divisors}), **options))
    return steps


@TABLE.add("Pad", ours="Pad", p=1.0)
def _pad(a: Arguments) -> Sequence[Step]:
    numbers = [int(value) for value in a.numbers("padding", 0)]
    if len(numbers) not in (1, 2, 4) or min(numbers) < 0:
        a.refuse("padding", "one, two or four whole numbers of at least 0", a.get("padding"))
    left, top, right, bottom = (numbers * 4)[:4]
    return (Pad(((top, bottom), (left, right)), **_bars(a)),)


@TABLE.add(
    "CropAndPad", "IAACropAndPad", ours="Pad", verdict="differs", p=1.0,
    why="here pixels are only added, and the size grows; put a Resize after it where keep_size was on",
)  # fmt: skip
def _crop_and_pad(a: Arguments) -> Sequence[Step]:
    name = "px" if a.has("px") else "percent"
    low, high = a.pair(name, MISSING)
    for other in (
        "px",
        "percent",
        "sample_independently",
        "interpolation",
        "mask_interpolation",
        "keep_size",
    ):
        a.get(other)
    if low != high or low < 0:
        a.tell(
            "no step draws how much is added, or cuts off a share of each side; use RandomCrop with a share such as '90%'",
            "none",
        )
        return ()
    return (Pad(int(low) if name == "px" else f"{100 * low:g}%", **_bars(a)),)

"""OpenCV's numbers for interpolation and borders, which Albumentations has in its files."""

from __future__ import annotations

from typing import Any

from offgraph.migration.arguments import MISSING, Arguments

__all__ = ["border", "fill_value", "kernel", "resampling"]

_ORDERS = {0: 0, 1: 1, 2: 3, 3: 1, 4: 3, 5: 1, 6: 0}
_INTERPOLATIONS = {
    0: "nearest",
    1: "linear",
    2: "cubic",
    3: "area",
    4: "lanczos4",
    5: "linear",
    6: "nearest-exact",
}
_BORDERS = {0: "constant", 1: "nearest", 2: "reflect", 3: "grid-wrap", 4: "mirror"}
_BY_NAME = {
    "constant": 0,
    "edge": 1,
    "replicate": 1,
    "symmetric": 2,
    "reflect": 4,
    "wrap": 3,
    "reflect_101": 4,
}


def border(a: Arguments, *names: str, default: int) -> str:
    """Return SciPy's name of a border mode, given by OpenCV's number, or by imgaug's name."""
    for name in names:
        if a.has(name):
            value = a.get(name)
            if isinstance(value, str) and value.lower() in _BY_NAME:
                return _BORDERS[_BY_NAME[value.lower()]]
            return a.choice(name, _BORDERS)
    return _BORDERS[default]


def fill_value(a: Arguments, *names: str, otherwise: float = 0) -> float:
    """Return the one number with which a border is filled."""
    for name in names:
        if a.has(name):
            values = a.numbers(name)
            if len(set(values)) > 1:
                a.differs(f"{name}={list(values)}: here one number fills all channels, their mean")
            return sum(values) / len(values) if len(set(values)) > 1 else values[0]
    return otherwise


def resampling(a: Arguments, *, reflected: int = 4, constant: int = 0) -> dict[str, Any]:
    """Return order, mode and cval of a step that resamples; borders are mirrored in old versions unless said otherwise."""
    number = a.whole("interpolation", 1)
    if number not in _ORDERS:
        a.refuse("interpolation", f"one of {', '.join(map(str, _ORDERS))}", number)
    if _INTERPOLATIONS[number] in ("cubic", "lanczos4"):
        a.differs(
            f"{_INTERPOLATIONS[number]} interpolation: order=3 is a cubic spline, OpenCV's kernel is a local one"
        )
    elif _ORDERS[number] == 0:
        a.nearly("of pixels equally near another one may be taken")
    elif _INTERPOLATIONS[number] == "area":
        a.tell("area interpolation is linear where nothing is resized")
    mode = border(a, "border_mode", "pad_mode", "mode", default=reflected if a.old else constant)
    mode = (
        "grid-constant" if mode == "constant" else mode
    )  # OpenCV blends the outermost pixels with what lies beyond
    cval = fill_value(a, "fill", "value", "cval", "pad_val")
    mask_cval = fill_value(a, "fill_mask", "mask_value", "cval_mask", "mask_pad_val", "pad_cval_mask")
    a.ignore("mask_interpolation", neutral=0, why="labels are never interpolated")
    return {"order": _ORDERS[number], "mode": mode, "cval": cval, "mask_cval": int(mask_cval)}


def kernel(a: Arguments, name: str = "interpolation", default: Any = 1) -> dict[str, Any]:
    """Return kernel and antialias of a step that resizes."""
    a.ignore("mask_interpolation", neutral=0, why="labels are never interpolated")
    found = a.choice(name, _INTERPOLATIONS, MISSING if default is None else default)
    downscale = a.get("area_for_downscale")
    if downscale not in (None, False):
        a.differs(f"area_for_downscale={downscale!r:.20}: the triangle of half the size is averaged instead")
        return {"kernel": "triangle", "antialias": True}
    if found == "nearest":
        a.differs(
            "OpenCV's nearest takes the pixel at floor(i * n / N), half a pixel up and to the left of ours"
        )
        return {"kernel": "nearest"}
    if found == "nearest-exact":
        return {"kernel": "nearest"}
    if found == "area":
        a.nearly("where it enlarges, OpenCV's area is another kind of linear")
        return {"kernel": "area"}
    a.tell(
        "OpenCV rounds its weights to 11 bits, and does not average where it shrinks: leave antialias=False out if you may",
        "close", 1 if found == "linear" else 2,
    )  # fmt: skip
    if found in ("cubic", "lanczos4"):
        like = 'like="opencv" has its bytes, and runs in Python'
        a.nearly(f"beyond the border OpenCV repeats the outermost pixels, here they have no weight; {like}")
    return {"kernel": {"linear": "triangle", "cubic": "cubic75"}.get(found, found), "antialias": False}

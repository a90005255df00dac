"""Albumentations' steps that change the size: resizes and crops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from offgraph.migration.albumentations.table import TABLE, limits
from offgraph.migration.arguments import MISSING, Arguments
from offgraph.migration.opencv import border, fill_value, kernel
from offgraph.steps.base import Step
from offgraph.transforms.geometric import (
    BBoxSafeCrop,
    CenterCrop,
    Crop,
    CropAroundMask,
    RandomCrop,
    RandomResizedCrop,
    Resize,
    ResizeLonger,
    ResizeShorter,
)
from offgraph.transforms.structure import OneOf
from offgraph.transforms.structure import Sequence as Chain

__all__: list[str] = []


def _size(a: Arguments) -> tuple[int, int]:
    """(height, width): by name in old versions, together in new ones."""
    if a.has("size"):
        pair = a.numbers("size")
        if len(pair) != 2:
            a.refuse("size", "(height, width)", a.get("size"))
        return int(pair[0]), int(pair[1])
    a.get("size")
    return a.whole("height", MISSING), a.whole("width", MISSING)


@TABLE.add("Resize", ours="Resize", verdict="close", levels=1, p=1.0)
def _resize(a: Arguments) -> Sequence[Step]:
    return (Resize(_size(a), **kernel(a)),)


def _sides(a: Arguments, cls: type[ResizeLonger | ResizeShorter]) -> Sequence[Step]:
    a.ignore("max_size_hw", why="give the longest or shortest side")
    sizes = sorted({int(size) for size in a.numbers("max_size", 1024)})
    steps = [cls(size, **kernel(a)) for size in sizes]
    return steps if len(steps) == 1 else (OneOf(steps),)


@TABLE.add("LongestMaxSize", ours="ResizeLonger", verdict="close", levels=1, p=1.0)
def _longest(a: Arguments) -> Sequence[Step]:
    return _sides(a, ResizeLonger)


@TABLE.add("SmallestMaxSize", ours="ResizeShorter", verdict="close", levels=1, p=1.0)
def _shortest(a: Arguments) -> Sequence[Step]:
    return _sides(a, ResizeShorter)


@TABLE.add(
    "RandomScale", ours="Resize", verdict="close", levels=1, why="sizes are rounded, there cut off: one pixel more or less",
)  # fmt: skip
def _random_scale(a: Arguments) -> Sequence[Step]:
    a.has_levels = False
    scale = limits(a, "scale_limit", (-0.1, 0.1), about=1)
    if scale[0] <= 0:
        a.refuse("scale_limit", "above -1", a.get("scale_limit"))
    return (Resize(scale=scale, **kernel(a)),)


@TABLE.add("RandomResizedCrop", ours="RandomResizedCrop", verdict="close", levels=1, p=1.0)
def _random_resized_crop(a: Arguments) -> Sequence[Step]:
    scale, ratio = a.pair("scale", (0.08, 1.0)), a.pair("ratio", (0.75, 4 / 3))
    return (RandomResizedCrop(_size(a), scale=scale, ratio=ratio, **kernel(a)),)


@TABLE.add(
    "RandomSizedCrop", ours="OneOf of RandomCrop and Resize", verdict="close", levels=1, p=1.0,
    why="the height of the window is one of up to 17 between the smallest and the largest",
)  # fmt: skip
def _random_sized_crop(a: Arguments) -> Sequence[Step]:
    low, high = (int(value) for value in a.pair("min_max_height", MISSING))
    if low < 1:
        a.refuse("min_max_height", "heights of at least 1 pixel", a.get("min_max_height"))
    wide = a.number("w2h_ratio", 1.0)
    count = min(high - low, 16)
    heights = sorted({low + round(k * (high - low) / max(count, 1)) for k in range(count + 1)})
    size, options = _size(a), kernel(a)
    if high - low > 16:
        a.differs(f"of {high - low + 1} heights {len(heights)} are left")
    ways = [
        Chain([RandomCrop((height, max(1, int(height * wide)))), Resize(size, **options)])
        for height in heights
    ]
    return (OneOf(ways),) if len(ways) > 1 else ways[0].steps


def _window(a: Arguments) -> dict[str, Any]:
    pad = a.flag("pad_if_needed")
    a.ignore("pad_position", neutral="center", why="bars lie on both sides")
    bars = {
        "mode": border(a, "border_mode", "pad_mode", default=0),
        "cval": fill_value(a, "fill", "pad_cval"),
        "mask_cval": int(fill_value(a, "fill_mask", "pad_cval_mask")),
    }
    return {"pad": True, **bars} if pad else {}


@TABLE.add("RandomCrop", ours="RandomCrop", p=1.0)
def _random_crop(a: Arguments) -> Sequence[Step]:
    return (RandomCrop(_size(a), **_window(a)),)


@TABLE.add("CenterCrop", ours="CenterCrop", p=1.0)
def _center_crop(a: Arguments) -> Sequence[Step]:
    return (CenterCrop(_size(a), **_window(a)),)


@TABLE.add("RandomSizedBBoxSafeCrop", ours="BBoxSafeCrop", verdict="close", levels=1, p=1.0)
def _sized_box_crop(a: Arguments) -> Sequence[Step]:
    return (BBoxSafeCrop(_size(a), erosion=a.number("erosion_rate", 0.0), **kernel(a)),)


@TABLE.add("BBoxSafeRandomCrop", ours="BBoxSafeCrop", p=1.0)
def _box_crop(a: Arguments) -> Sequence[Step]:
    return (BBoxSafeCrop(erosion=a.number("erosion_rate", 0.0)),)


@TABLE.add(
    "AtLeastOneBBoxRandomCrop",
    "AtLeastOneBboxRandomCrop",
    ours="RandomCrop",
    verdict="differs",
    why="the window may hold no box; og.Boxes(…, min_visibility=) says which are kept",
    p=1.0,
)
def _one_box_crop(a: Arguments) -> Sequence[Step]:
    a.get("erosion_factor")
    return (RandomCrop(_size(a), pad=True),)


@TABLE.add(
    "CropNonEmptyMaskIfExists",
    ours="CropAroundMask",
    verdict="differs",
    why="of the windows that hold the labelled pixel each is as likely; Albumentations moves those beyond the border back",
    p=1.0,
)
def _mask_crop(a: Arguments) -> Sequence[Step]:
    a.ignore("ignore_channels", neutral=(), why="a mask has no channels here")
    ignored = [int(value) for value in a.numbers("ignore_values")] if a.has("ignore_values") else []
    a.get("ignore_values")
    return (CropAroundMask(_size(a), ignore=ignored or 0, pad=True),)


@TABLE.add("Crop", ours="Crop", p=1.0)
def _crop(a: Arguments) -> Sequence[Step]:
    left, top = a.whole("x_min", 0), a.whole("y_min", 0)
    size = a.whole("y_max", 1024) - top, a.whole("x_max", 1024) - left
    if min(size) < 1 or min(left, top) < 0:
        a.refuse("x_max", "a window of at least 1 pixel within the image", a.get("x_max"))
    return (Crop(size, corner=(top, left), **_window(a)),)


TABLE.none(
    "RandomCropFromBorders",
    instead='RandomCrop with a share, such as RandomCrop("90%"), cuts as much off in all',
)
TABLE.none("RandomCropNearBBox", instead="BBoxSafeCrop crops around all boxes, and RandomCrop anywhere")

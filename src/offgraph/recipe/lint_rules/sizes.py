"""Rules about sizes: shrinking without averaging, crops that are larger than the image."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from offgraph.recipe.lint_rules.base import LintedRecipe, LintedStep, RecipeFinding, likely_ends, rule
from offgraph.steps.parameters import PerAxis
from offgraph.transforms import (
    Affine,
    CenterCrop,
    CropAroundMask,
    Downscale,
    RandomCrop,
    RandomResizedCrop,
    Resize,
    Scale,
    ShiftScaleRotate,
    Zoom,
)

_ZOOM_ALIASES = 0.75
"""Factors of `Zoom` below this skip detail that is easily seen as false patterns."""
_WARP_ALIASES = 0.5
"""Below this linear interpolation, which reads two pixels per axis, skips whole pixels."""
_MOSTLY_PADDING = 0.5


@rule("antialias", "images shrunk without averaging: fine patterns become false coarse ones")
def antialias(recipe: LintedRecipe) -> Iterator[RecipeFinding]:
    """`antialias=False` where an image becomes smaller, `Zoom` below 1, and content scaled below a half."""
    for here in recipe.steps:
        step, kernel = here.step, getattr(here.step, "kernel", "")
        if getattr(step, "like", None) is not None:  # another library's resize, on purpose
            continue
        if kernel == "nearest" and not isinstance(step, Downscale) and (text := _shrinks(here)):
            yield here.finding(
                "kernel",
                f"kernel='nearest' skips pixels where the image shrinks ({text})",
                "write kernel='area', which averages over what a pixel covers",
                instead=replace(step, kernel="area"),
            )
        elif getattr(step, "antialias", True) is False and kernel != "area" and (text := _shrinks(here)):
            yield here.finding(
                "antialias",
                f"antialias=False skips pixels where the image shrinks ({text})",
                "leave it out",
                instead=replace(step, antialias=True),
            )
        elif isinstance(step, Zoom) and (factor := _lowest(step.factor)) < _ZOOM_ALIASES:
            yield here.finding(
                "factor",
                f"Zoom by {factor:g} does not average: fine patterns become false coarse ones",
                "write Resize(scale=…), which averages over what a pixel covers",
                instead=Resize(scale=step.factor, p=step.p, id=step.id),
            )
        elif isinstance(step, Scale | Affine | ShiftScaleRotate) and _lowest(step.scale) < _WARP_ALIASES:
            factor = _lowest(step.scale)
            yield here.finding(
                "scale",
                f"scale={factor:g} skips pixels: interpolation reads two per axis, of {1 / factor:.2g}",
                f"put Resize(scale={factor:g}) before it, or draw from {_WARP_ALIASES:g} upwards",
            )


@rule("crop-too-large", "crops that are larger than the image before them")
def crop_too_large(recipe: LintedRecipe) -> Iterator[RecipeFinding]:
    """An error without ``pad``; with it, an image that is mostly border."""
    for here in recipe.steps:
        step = here.step
        if not isinstance(step, CenterCrop | RandomCrop | CropAroundMask) or here.before is None:
            continue
        have, want = here.before.size, _crop(step.size, here.before.size)
        known = [(w, n) for w, n in zip(want, have) if w is not None and n is not None]
        if all(w <= n for w, n in known):
            continue
        sizes = f"a crop of {_text(want)} from an image of {_text(have)}"
        if not step.pad:
            yield here.finding(
                "size",
                f"{sizes} does not fit",
                "put ResizeShorter, or a larger size, before it; or fill what is missing with pad=True",
                instead=replace(step, pad=True),
                fails=True,
            )
        elif 1 - math.prod(min(w, n) / w for w, n in known) > _MOSTLY_PADDING:
            yield here.finding(
                "size", f"{sizes} is mostly border", "put ResizeShorter before it, or make the crop smaller"
            )


def _shrinks(here: LintedStep) -> str:
    """Say from which size to which, where a step makes an image smaller; empty where it does not, or is not known to."""
    scale = getattr(here.step, "scale", None)
    if not isinstance(here.step, RandomResizedCrop) and scale is not None and _lowest(scale) < 1:
        return f"scale={_lowest(scale):g}"
    if here.before is None or here.after is None:
        return ""
    sizes = zip(here.before.size, here.after.size)
    if not any(n is not None and m is not None and m < n for n, m in sizes):
        return ""
    return f"from {_text(here.before.size)} to {_text(here.after.size)}"


def _lowest(setting: Any) -> float:
    """Return the smallest number that may be drawn, on any axis."""
    if isinstance(setting, PerAxis):
        return min(map(_lowest, setting.values()))
    return likely_ends(setting)[0]


def _crop(size: Any, have: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """Lengths of a crop in pixels; None for shares, which always fit unless they are above 100 %."""
    lengths = (size,) * len(have) if isinstance(size, int | str) else size
    return tuple(length if isinstance(length, int) else None for length in lengths)


def _text(size: tuple[int | None, ...]) -> str:
    return " x ".join("?" if n is None else str(n) for n in size)

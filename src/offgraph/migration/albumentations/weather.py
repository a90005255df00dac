"""Albumentations' steps that draw weather and light, and what lies on a lens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from offgraph.migration.albumentations.table import TABLE
from offgraph.migration.arguments import Arguments, one_or_all
from offgraph.steps.base import Step
from offgraph.transforms.color import Snow
from offgraph.transforms.noise import Fog, Rain, Shadow, Spatter, SunFlare

__all__: list[str] = []

_WIDTH = 400
"""Pixels of a row where Albumentations counts drops per row."""
_DROPS = {"drizzle": 1 / 4, "default": 1 / 3, None: 1 / 3, "heavy": 1.0, "torrential": 2.0}
"""Drops that begin per row."""


def _either(
    a: Arguments, name: str, low: str, high: str, default: tuple[float, float]
) -> tuple[float, float]:
    """A range under its name, or, as old versions write it, under a name for each end."""
    a.get(name)
    if a.has(name):
        return a.pair(name)
    ends = a.number(low, default[0]), a.number(high, default[1])
    return min(ends), max(ends)


def _color(a: Arguments, name: str, default: Any) -> Any:
    """A colour of 0 to 255 in shares of white."""
    return one_or_all([min(max(value / 255, 0.0), 1.0) for value in a.numbers(name, default)])


def _region(a: Arguments, name: str, default: tuple[float, ...]) -> dict[str, Any]:
    """Where something lies: (x, y, x, y) in shares of the image."""
    values = a.numbers(name, default)
    if len(values) != 4 or not 0 <= min(values) <= max(values) <= 1:
        a.refuse(name, "(x_min, y_min, x_max, y_max), shares from 0 to 1", a.get(name))
    left, top, right, bottom = values
    return {"rows": (min(top, bottom), max(top, bottom)), "columns": (min(left, right), max(left, right))}


@TABLE.add(
    "RandomRain", ours="Rain", verdict="differs",
    why="as many drops per 1,000 pixels as in images that are 400 pixels wide: Albumentations counts them per row, whatever its length; "
    "drops may begin above the image; values are rounded once",
)  # fmt: skip
def _rain(a: Arguments) -> Sequence[Step]:
    low, high = _either(a, "slant_range", "slant_lower", "slant_upper", (-10, 10))
    if a.has("drop_length"):
        length = a.whole("drop_length")
    else:
        a.get("drop_length")
        length = 20 if a.old else 40
        if not a.old:
            a.differs(
                "drop_length is not given: Albumentations takes an eighth of the height, here it is 40 pixels"
            )
    steepest = max(map(abs, (low, high))) / max(length, 1)
    if steepest > math.tan(math.radians(80)) or not 1 <= length <= 499:
        a.refuse("drop_length", "pixels from 1 to 499, no less than a fifth of the slant", length)
    kind = a.choice("rain_type", _DROPS, "default")
    color = a.numbers("drop_color", 200)
    return (
        Rain(
            1000 * kind / _WIDTH,
            length=length + 1,
            angle=(math.degrees(math.atan(low / length)), math.degrees(math.atan(high / length))),
            width=min(max(a.whole("drop_width", 1), 1), 50),
            blur=min(max(a.whole("blur_value", 7), 1), 50),
            brightness=min(max(a.number("brightness_coefficient", 0.7), 0.0), 1.0),
            color=one_or_all([min(max(value / 255, 0.0), 1.0) for value in color]),
        ),
    )


@TABLE.add(
    "RandomSnow", ours="Snow", verdict="differs",
    why="OpenCV's HLS of uint8 rounds the lightness, so that one pixel in some hundreds falls on the other side of the snow point; the others "
    "are within 6 grey levels",
)  # fmt: skip
def _snow(a: Arguments) -> Sequence[Step]:
    low, high = _either(a, "snow_point_range", "snow_point_lower", "snow_point_upper", (0.1, 0.3))
    method = a.get("method", "bleach")
    if method != "bleach":
        a.differs(f"method={method!r:.30}: no flakes are drawn, dark ground is brightened as by 'bleach'")
    threshold = low / 2 + 1 / 3, high / 2 + 1 / 3
    if threshold[0] < 0 or threshold[1] > 1:
        a.refuse("snow_point_range", "shares from 0 to 1", a.get("snow_point_range"))
    return (Snow(threshold, factor=a.number("brightness_coeff", 2.5)),)


def _density(coefficient: float, alpha: float) -> float:
    """Density, twice the mean, of Albumentations' fog, as measured: disks of ``alpha * coefficient`` lie over each other."""
    return 1 - (1 - alpha * coefficient) ** (6 * coefficient**0.8)


@TABLE.add(
    "RandomFog", ours="Fog", verdict="differs",
    why="drifts anywhere in the image, on average about as dense; Albumentations lays disks over one another, more of them in the middle, and blurs the "
    "image in the end",
)  # fmt: skip
def _fog(a: Arguments) -> Sequence[Step]:
    low, high = _either(a, "fog_coef_range", "fog_coef_lower", "fog_coef_upper", (0.3, 1.0))
    alpha = a.number("alpha_coef", 0.08)
    if not (0 <= low <= high <= 1 and 0 <= alpha <= 1):
        a.refuse("fog_coef_range", "shares from 0 to 1, as alpha_coef is", a.get("fog_coef_range"))
    return (Fog((_density(low, alpha), _density(high, alpha)), patchiness=1.0),)


@TABLE.add(
    "RandomShadow", ours="Shadow", verdict="differs",
    why="polygons of the same distribution; of pixels on their outline OpenCV darkens all, here those whose centres lie within; values are "
    "rounded, there cut off",
)  # fmt: skip
def _shadow(a: Arguments) -> Sequence[Step]:
    low, high = _either(a, "num_shadows_limit", "num_shadows_lower", "num_shadows_upper", (1, 2))
    strength = a.pair("shadow_intensity_range", (0.5, 0.5))
    return (
        Shadow(
            (int(low), int(high)), strength=strength, corners=a.whole("shadow_dimension", 5), **_region(a, "shadow_roi", (0, 0.5, 1, 1))
        ),
    )  # fmt: skip


@TABLE.add(
    "RandomSunFlare", ours="SunFlare", verdict="differs",
    why="light fades with the square of the distance, within three quarters of the radius, which is about as bright; Albumentations adds disks up, and draws the line of the ghosts at any angle, here "
    "it leads through the middle of the image, as lenses make it",
)  # fmt: skip
def _sun(a: Arguments) -> Sequence[Step]:
    low, high = _either(
        a, "num_flare_circles_range", "num_flare_circles_lower", "num_flare_circles_upper", (6, 10)
    )
    for name in ("angle_range", "angle_lower", "angle_upper"):
        a.get(name)
    if a.get("method", "overlay") != "overlay":
        a.differs(f"method={a.get('method')!r:.30}: the light is that of 'overlay'")
    return (
        SunFlare(
            0.75 * a.number("src_radius", 400), strength=0.9, ghosts=(int(low), int(high)), color=_color(a, "src_color", 255),
            **_region(a, "flare_roi", (0, 0, 1, 0.5)),
        ),
    )  # fmt: skip


@TABLE.add(
    "Spatter", ours="Spatter", verdict="differs",
    why="blots of about the same number and size in one colour; Albumentations shades drops, and spreads mud by a kernel",
)  # fmt: skip
def _spatter(a: Arguments) -> Sequence[Step]:
    mean, std = sum(a.pair("mean", 0.65)) / 2, sum(a.pair("std", 0.3)) / 2
    sigma = a.pair("gauss_sigma", 2.0)
    cut = sum(a.pair("cutout_threshold", 0.68)) / 2
    spread = std / max(math.sqrt(math.pi) * sum(sigma), 1)  # of noise that a Gaussian has smoothed
    amount = 0.5 * math.erfc((cut - mean) / max(spread, 1e-9) / math.sqrt(2))
    low, high = a.pair("intensity", 0.6)
    color = (20, 42, 63) if a.get("mode", "rain") == "mud" else (238, 238, 175)
    return (
        Spatter(
            min(max(amount, 0.0), 1.0), sigma=(max(sigma[0], 0.5), max(sigma[1], 0.5)), opacity=(low, high), color=_color(a, "color", color)
            if a.has("color") else one_or_all([value / 255 for value in color]),
        ),
    )  # fmt: skip


TABLE.none("RandomGravel", instead="no step draws gravel; Spatter draws blots, CoarseDropout rectangles")

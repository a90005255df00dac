"""What the policies share: fourteen ways to change an image, and a choice among those that it has the channels for."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from pydantic.dataclasses import dataclass as pydantic_dataclass

from offgraph.core.random import Draw
from offgraph.core.specs import ArraySpec, OpenSpec
from offgraph.steps.base import CONFIG, Step
from offgraph.steps.parameters import Mode, Number, Order, PerAxis, PositiveNumber, Whole
from offgraph.steps.structure import StructureStep, either, member_spec_after
from offgraph.steps.values import channel_count
from offgraph.transforms.color.color_jitter import ColorJitter
from offgraph.transforms.filters.gaussian_filter import GaussianFilter
from offgraph.transforms.filters.unsharp_mask import UnsharpMask
from offgraph.transforms.geometric.affine import Affine
from offgraph.transforms.geometric.rotate import Rotate
from offgraph.transforms.geometric.shift import Shift
from offgraph.transforms.pointwise.brightness import Brightness
from offgraph.transforms.pointwise.contrast import Contrast
from offgraph.transforms.pointwise.posterize import Posterize
from offgraph.transforms.pointwise.solarize import Solarize
from offgraph.transforms.statistics.auto_contrast import AutoContrast
from offgraph.transforms.statistics.equalize import Equalize
from offgraph.transforms.structure.identity import Identity
from offgraph.transforms.structure.one_of import OneOf

__all__ = ["PolicyStep", "Strength", "places", "ways"]


class Strength(NamedTuple):
    """How far each way may change an image, or does change it.

    Parameters
    ----------
    shear : float
        Rows per column, or columns per row.
    shift : float or str
        Pixels, or a share of the side in percent.
    rotate : float
        Degrees.
    factor : float
        By how much the factors of brightness, contrast, saturation and sharpness differ from 1.
    bits : int or (low, high)
        What posterizing leaves.
    solarize : float or (low, high)
        Threshold.
    drawn : bool
        Whether the first four are the ends of ranges, from minus to plus; else they are taken, with either sign.
    """

    shear: float
    shift: float | str
    rotate: float
    factor: float
    bits: Any
    solarize: Any
    drawn: bool


_FOR_COLORS = (0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14)
_FOR_OTHERS = (0, 1, 2, 3, 5, 6, 7, 0, 9, 10, 11, 12, 13, 14)
"""Places of fourteen ways among the steps: without red, green and blue contrast has another grey, and saturation is none."""


@functools.lru_cache(maxsize=64)
def ways(
    strength: Strength, value_range: float | None, rule: tuple[tuple[str, Any], ...]
) -> tuple[Step, ...]:
    """Return the steps, each of which is one way.

    Parameters
    ----------
    strength : Strength
    value_range : float, optional
        The value of white.
    rule : tuple of (str, value)
        Border and order of the steps that move pixels.
    """
    border: dict[str, Any] = dict(rule)
    white: dict[str, Any] = {"range": value_range}
    shift = strength.shift
    backwards = f"-{shift}" if isinstance(shift, str) else -shift

    def signed(make: Any, low: Any, high: Any) -> Step:
        return make((low, high)) if strength.drawn else OneOf([make(low), make(high)])

    def factors(make: Any) -> Step:
        return signed(make, 1 - strength.factor, 1 + strength.factor)

    factor = strength.factor
    sharper = (0.0, factor) if strength.drawn else factor
    return (
        Identity(),
        signed(lambda s: Affine(shear=PerAxis({"X": s}), **border), -strength.shear, strength.shear),
        signed(lambda s: Affine(shear=PerAxis({"Y": s}), **border), -strength.shear, strength.shear),
        factors(lambda f: Brightness(f, **white)),
        factors(lambda f: ColorJitter(contrast=_as_range(f), **white)),
        factors(lambda f: Contrast(f, **white)),
        signed(lambda s: Shift(PerAxis({"X": s}), **border), backwards, shift),
        signed(lambda s: Shift(PerAxis({"Y": s}), **border), backwards, shift),
        factors(lambda f: ColorJitter(saturation=_as_range(f), **white)),
        signed(lambda angle: Rotate(angle, **border), -strength.rotate, strength.rotate),
        OneOf([UnsharpMask(sharper), GaussianFilter(sharper)]),
        Posterize(strength.bits, **white),
        Solarize(strength.solarize, **white),
        AutoContrast(**white),
        Equalize(**white),
    )


@pydantic_dataclass(frozen=True, kw_only=True, repr=False, config=CONFIG)
class PolicyStep(StructureStep):
    """A structure step that chooses among fourteen ways to change an image.

    Parameters
    ----------
    order : int
        Spline order of shear, shift and rotation, 0 to 5: 0 nearest, 1 linear. Masks always use 0.
    mode : str
        SciPy's name for what lies beyond the border.
    cval : float
        Value beyond the border in mode 'constant', in the image's own units.
    mask_cval : int
        Label beyond the border in mode 'constant'.
    range : float, optional
        The value of white. By default the largest of the dtype; a 12-bit image stored in uint16 says ``range=4095``.
    """

    dimensions = (2,)

    order: Order = 1
    mode: Mode = "constant"
    cval: Number = 0.0
    mask_cval: Whole = 0
    range: PositiveNumber | None = None

    @property
    def strength(self) -> Strength:
        """How far images are changed."""
        raise NotImplementedError

    @property
    def members(self) -> tuple[Step, ...]:
        """All ways, those for grey images and for colours among them."""
        names = ("order", "mode", "cval", "mask_cval")
        return ways(self.strength, self.range, tuple((name, getattr(self, name)) for name in names))

    @property
    def varies(self) -> bool:
        """Always."""
        return True

    def chosen(self, count: int, draw: Draw, spec: ArraySpec) -> dict[str, Any]:
        """Draw some ways, with repetition, then their values; refuse an image that one of all ways does not take."""
        _check(self, spec)
        allowed = places(spec)
        order = [allowed[draw.integer(0, len(allowed) - 1)] for _ in range(count)]
        return self.drawn_parts(order, draw, spec, chosen=True)

    def open_spec(self, spec: OpenSpec) -> OpenSpec:
        """The same; each way has to take such an image."""
        return either(spec, *(member_spec_after(self.members[place], spec) for place in places(spec)))


def places(spec: OpenSpec) -> tuple[int, ...]:
    """Return which of the steps an image of these channels has as its fourteen ways, counted from 0."""
    return _FOR_COLORS if channel_count(spec) == 3 else _FOR_OTHERS


@functools.lru_cache(maxsize=256)
def _check(step: PolicyStep, spec: ArraySpec) -> None:
    step.open_spec(spec)


def _as_range(factor: Any) -> Any:
    """A range of one value: a factor near 0 alone would be taken for torchvision's half-width, and warned of."""
    return factor if isinstance(factor, tuple) else (factor, factor)

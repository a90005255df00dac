"""Rules about steps beside each other: resampled again and again, heavy work on pixels that a crop throws away."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from offgraph.core.errors import OffgraphError
from offgraph.core.random import Key
from offgraph.core.specs import ArraySpec, OpenSpec
from offgraph.plan.draw import draw
from offgraph.plan.fuse import fuse
from offgraph.plan.lower import lower
from offgraph.plan.placed import PlacedStep, place
from offgraph.recipe.lint_rules.base import LintedRecipe, LintedStep, RecipeFinding, rule
from offgraph.steps.kinds import (
    ColorStep,
    FilterStep,
    GeometricStep,
    PointwiseStep,
    ResampledStep,
)
from offgraph.steps.ops import Resample, Zoom
from offgraph.transforms import (
    CenterCrop,
    Crop,
    CropAroundMask,
    CropToAspect,
    GaussianNoise,
    ISONoise,
    PoissonNoise,
    RandomCrop,
    Speckle,
)

_UNKNOWN_LENGTH = 256
_KEPT = 0.5
"""A crop that leaves more than this share of the pixels is not worth a word."""

_NOISES = (GaussianNoise, PoissonNoise, ISONoise, Speckle)
"""Steps that treat each pixel alike, so that it does not matter where they stand; others depend on the image's size."""


@rule("resampled-again", "images that are resampled several times where one would do")
def resampled_again(recipe: LintedRecipe) -> Iterator[RecipeFinding]:
    """Each resampling blurs a little; what is counted are the operations of the plan, before and after the mend."""
    now = _resamplings(recipe.placed, recipe)
    if now < 2:
        return
    if not recipe.fuse and (fused := _resamplings(recipe.placed, replace(recipe, fuse=True))) < now:
        yield RecipeFinding(
            "", 0, "", "fuse",
            f"the image is resampled {now} times, each of which blurs it, and {fused} would do",
            "leave out fuse=False, unless SciPy's bytes are wanted for each step", "fuse: true",
        )  # fmt: skip
        return
    for run in _runs(recipe):
        moving = [here for here in run if isinstance(here.step, ResampledStep)]
        between = [here for here in run if isinstance(here.step, PointwiseStep | ColorStep)]
        if len(moving) < 2 or not between:
            continue
        ordered = _reordered(recipe, run)
        if (then := _resamplings(ordered, recipe)) < now:
            names = ", ".join(f"{here.placed.number} {here.step.name}" for here in between)
            last = moving[-1]
            yield last.finding(
                "",
                f"the image is resampled {now} times, each of which blurs it, because {names} "
                f"stand{'s' * (len(between) == 1)} between steps that move pixels",
                f"put the steps that move pixels next to each other: {then} would do",
            )


@rule("heavy-before-crop", "filters and noise of pixels that a crop then throws away")
def heavy_before_crop(recipe: LintedRecipe) -> Iterator[RecipeFinding]:
    """A filter gives the same inside a crop, but for a few pixels at its border."""
    for run in _runs(recipe, every=True):
        heavy: list[LintedStep] = []
        for here in run:
            if isinstance(here.step, (FilterStep, *_NOISES)):
                heavy.append(here)
            elif isinstance(here.step, CenterCrop | Crop | RandomCrop | CropAroundMask | CropToAspect):
                if (kept := _kept(here)) is not None and kept <= _KEPT:
                    for before in heavy:
                        yield before.finding(
                            "",
                            f"it works on the whole image, of which step {here.placed.number}, {here.step.name}, "
                            f"keeps {kept:.0%}",
                            f"put it after {here.step.name}; only pixels near the crop's border will differ",
                        )
                heavy = []
            elif not isinstance(here.step, PointwiseStep | ColorStep):
                heavy = []  # what moves pixels changes what a window means


def _runs(recipe: LintedRecipe, *, every: bool = False) -> Iterator[list[LintedStep]]:
    """Yield stretches of steps of one layer that may change places; with `every`, whole layers."""
    run: list[LintedStep] = []
    layer = -1
    for here, its in zip(recipe.outer, recipe.layers):
        takes_part = every or isinstance(here.step, GeometricStep | PointwiseStep | ColorStep)
        keeps_dtype = here.before is None or here.after is None or here.before.dtype == here.after.dtype
        if its != layer or not takes_part or (not every and not keeps_dtype):
            if run:
                yield run
            run, layer = [], its
        if takes_part and (every or keeps_dtype):
            run.append(here)
    if run:
        yield run


def _reordered(recipe: LintedRecipe, run: Sequence[LintedStep]) -> list[PlacedStep]:
    """The recipe with the steps of a stretch that move pixels first, then those that change values."""
    members = {id(here.placed) for here in run}
    first = [here.placed for here in run if isinstance(here.step, GeometricStep)]
    last = [here.placed for here in run if not isinstance(here.step, GeometricStep)]
    at = next(number for number, here in enumerate(recipe.placed) if id(here) in members)
    return [*recipe.placed[:at], *first, *last, *recipe.placed[at + len(run) :]]


def _resamplings(placed: Sequence[PlacedStep], recipe: LintedRecipe) -> int:
    """Count the operations of a plan that interpolate, every step applied; 0 where it cannot be planned."""
    spec = _whole(recipe.spec)
    always = place((replace(here.step, p=1.0) if here.step.p else here.step, here.augment) for here in placed)
    try:
        applied, specs = draw(always, spec, Key())
        ops = lower(always, applied, specs)
        ops = fuse(ops) if recipe.fuse else ops
    except (ValueError, ArithmeticError, OffgraphError):
        return 0  # the rule `refused` says why
    return sum(isinstance(planned.op, Resample | Zoom) for planned in ops)


def _whole(spec: OpenSpec | None) -> ArraySpec:
    """A spec with every length, to plan for."""
    if spec is None:
        return ArraySpec((_UNKNOWN_LENGTH, _UNKNOWN_LENGTH, 3), "uint8", "YXC")
    return ArraySpec(tuple(_UNKNOWN_LENGTH if n is None else n for n in spec.shape), spec.dtype, spec.axes)


def _kept(here: LintedStep) -> float | None:
    """Share of the pixels that a crop leaves; None where it is not known."""
    if here.before is None or here.after is None:
        return None
    before, after = here.before.size, here.after.size
    if None in before or None in after or 0 in before:
        return None
    return math.prod(after) / math.prod(before)  # type: ignore[arg-type]  # all are known

"""Rules about values: their range, scaled twice, derivatives that unsigned types cannot hold, labels that are averaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from offgraph.core.specs import OpenSpec
from offgraph.recipe.lint_rules.base import LintedRecipe, LintedStep, RecipeFinding, rule
from offgraph.steps.base import Step
from offgraph.steps.structure import StructureStep
from offgraph.transforms import (
    Clip,
    GradientMagnitude,
    Kernel,
    Lambda,
    Laplacian,
    Ndimage,
    Normalize,
    PercentileNormalize,
    Rescale,
    ZScore,
)

_LABELS = ("uint32", "uint64", "int64")
"""Types that hold labels and counts, and hardly ever an image."""
_SCALERS = (Normalize, ZScore, PercentileNormalize)
_SMALL = 2.0
"""Values up to this are taken for scaled to 0 to 1."""


@dataclass(frozen=True)
class _Values:
    """What is known of an image's values at one point of a recipe.

    Parameters
    ----------
    black, white : float or None
        Which values they have; None where it is not known.
    scaled_by : str
        The step that brought them to about 0 to 1, or to mean 0; empty before.
    centred : bool
        Whether they lie about 0.
    """

    black: float | None = None
    white: float | None = None
    scaled_by: str = ""
    centred: bool = False

    @property
    def is_known(self) -> bool:
        return self.black is not None and self.white is not None

    def __str__(self) -> str:
        return f"{self.black:.3g} to {self.white:.3g}"


@rule("normalised-twice", "values that are scaled again after they were scaled")
def normalised_twice(recipe: LintedRecipe) -> Iterator[RecipeFinding]:
    """Two of Normalize, ZScore and PercentileNormalize, or two divisions by 255."""
    for here, values in _with_values(recipe):
        step = here.step
        if not values.scaled_by:
            continue
        if isinstance(step, Rescale):
            again = abs(step.scale) < 0.1 and (
                values.centred or (values.white is not None and values.white <= _SMALL)
            )
        else:
            again = isinstance(step, _SCALERS) and values.centred
        if again:
            yield here.finding(
                "scale" if isinstance(step, Rescale) else "",
                f"{values.scaled_by} has scaled the values already",
                "leave one of the two out",
            )


@rule("value-range", "ranges, limits and fill values that do not fit the values before a step")
def value_range(recipe: LintedRecipe) -> Iterator[RecipeFinding]:
    """``range=1`` for bytes, ``range=255`` after ``Rescale(1 / 255)``, a fill of 255 among values up to 1."""
    for here, values in _with_values(recipe):
        if here.before is None:
            continue
        yield from _declared_range(here, here.before, values)
        if values.is_known:
            yield from _limits(here, values)
            yield from _fills(here, values)


def _declared_range(here: LintedStep, before: OpenSpec, values: _Values) -> Iterator[RecipeFinding]:
    """`range=`, beside the dtype or what the steps before have made of the values."""
    step, declared = here.step, getattr(here.step, "range", None)
    if not hasattr(step, "range") or (isinstance(step, Normalize) and values.centred):
        return
    if np.dtype(before.dtype).kind in "ui":
        if isinstance(declared, float) and declared < _SMALL and not _has_large_means(step):
            yield here.finding(
                "range",
                f"range={declared:g} says that white is {declared:g}, the image is {before.dtype}",
                "leave range out: it is known from the dtype",
                instead=replace(step, range=None),
            )
    elif values.centred:
        yield here.finding(
            "range",
            f"{values.scaled_by} made values from {values}, and this step takes them for 0 to {declared or 1:g}",
            "put it before that step",
        )
    elif isinstance(declared, float) and (white := values.white) is not None:
        if 0.5 <= white / declared <= 2:
            return
        yield here.finding(
            "range",
            f"range={declared:g} says that white is {declared:g}, before this step it is {white:.3g}",
            f"write range={white:.3g}",
            instead=replace(step, range=round(white, 6)) if white > 0 else None,
        )


def _limits(here: LintedStep, values: _Values) -> Iterator[RecipeFinding]:
    """A `Clip` that leaves next to nothing."""
    step = here.step
    if not isinstance(step, Clip) or values.black is None or values.white is None:
        return
    width = values.white - values.black
    low = values.black if step.low is None else max(step.low, values.black)
    high = values.white if step.high is None else min(step.high, values.white)
    if high - low < width / 50:
        yield here.finding(
            "high" if step.high is not None and step.high < values.white else "low",
            f"the values reach from {values}, of which next to nothing is left",
            "give limits in the units that the values have before this step, or put it before the step that scales them",
        )


def _fills(here: LintedStep, values: _Values) -> Iterator[RecipeFinding]:
    """Fill values far outside of what an image holds."""
    step = here.step
    assert values.black is not None and values.white is not None
    width = values.white - values.black
    for name in ("cval", "fill"):
        given = getattr(step, name, None)
        if given is None or (name == "cval" and "constant" not in getattr(step, "mode", "constant")):
            continue
        parts = given if isinstance(given, tuple) else (given,)
        if not all(isinstance(part, int | float) for part in parts):
            continue
        if max(parts) > values.white + width / 2 or min(parts) < values.black - width / 2:
            yield here.finding(
                name,
                f"{name}={given} lies far outside of the values before this step, from {values}",
                "give it in the units of those values",
            )


@rule("unsigned-derivative", "derivatives of unsigned types, which hold nothing below 0")
def unsigned_derivative(recipe: LintedRecipe) -> Iterator[RecipeFinding]:
    """SciPy's derivatives wrap around, which is refused; a kernel's values below 0 are cut."""
    for here in recipe.steps:
        step = here.step
        if here.before is None or np.dtype(here.before.dtype).kind != "u":
            continue
        if isinstance(step, Ndimage) and "wraps around below 0" in here.refusal:
            yield here.finding(
                "function",
                f"{step.function} of {here.before.dtype} wraps around below 0",
                "write a step that gives floats, or put Rescale(1) before it",
                instead=_in_floats(step),
                fails=True,
            )
        elif isinstance(step, Kernel) and _is_derivative(step):
            yield here.finding(
                "weights",
                f"the weights add up to 0, and {here.before.dtype} holds nothing below 0: half of the edges are cut off",
                "put Rescale(1) before it, which makes floats",
                instead=Rescale(1.0),
            )


@rule("labels-averaged", "labels that are interpolated or filtered as if they were an image")
def labels_averaged(recipe: LintedRecipe) -> Iterator[RecipeFinding]:
    """Between label 1 and label 3 there is no label 2."""
    for here in recipe.steps:
        if here.before is None or here.before.dtype not in _LABELS or isinstance(here.step, StructureStep):
            continue
        order = getattr(here.step, "order", 0) if hasattr(here.step, "cval") else 0
        if order > 0 or here.step.averages:
            yield here.finding(
                "order" if order > 0 else "",
                f"an image of {here.before.dtype} probably holds labels, and this step makes values between them",
                "pass them as mask=, which is never interpolated"
                + (", or write order=0" if order > 0 else ""),
                instead=replace(here.step, order=0) if order > 0 else None,
            )


def _with_values(recipe: LintedRecipe) -> Iterator[tuple[LintedStep, _Values]]:
    """Yield each step, parts too, with what is known of the values before it."""
    values = _first(recipe.spec)
    before = values
    for here in recipe.steps:
        if here.is_part:
            yield here, before
            continue
        before = values
        yield here, before
        values = _after(here, before)


def _first(spec: OpenSpec | None) -> _Values:
    """Bytes reach to 255; how much of 16 bits is used, and what floats mean, is not known."""
    if spec is None or spec.dtype not in ("uint8", "bool"):
        return _Values()
    return _Values(0.0, 255.0 if spec.dtype == "uint8" else 1.0)


def _after(here: LintedStep, values: _Values) -> _Values:
    step, name = here.step, here.placed.where
    match step:
        case Rescale():
            ends = [None if end is None else end * step.scale + step.offset for end in _ends(values)]
            low, high = (min(ends), max(ends)) if None not in ends else (None, None)  # type: ignore[type-var]
            is_scaled = high is not None and high <= _SMALL
            centred = low is not None and low < -0.25
            return _Values(low, high, name if is_scaled else values.scaled_by, centred or values.centred)
        case Normalize() if here.before is not None:
            steps = dict(step.arithmetic({}, here.before.dtype)) if not here.refusal else {}
            if not steps:
                return _Values()
            mean, std = np.array(steps["subtract"]), np.array(step.arithmetic({}, here.before.dtype)[-1][1])
            low, high = float(((0 - mean) / std).min()), float(((1 - mean) / std).max())
            return _Values(low, high, name, low < -0.25)
        case Normalize() | ZScore():
            return _Values(-3.0, 3.0, name, True)
        case PercentileNormalize():
            return _Values(0.0, 1.0, name)
        case Clip():
            lows, highs = (values.black, step.low), (values.white, step.high)
            black = max((end for end in lows if end is not None), default=None)
            white = min((end for end in highs if end is not None), default=None)
            return replace(values, black=black, white=white)
    is_ours = type(step).__module__.startswith("offgraph.")
    if not is_ours or isinstance(step, Lambda | Ndimage | GradientMagnitude | Laplacian):
        return _Values()
    changed = here.before is not None and here.after is not None and here.before.dtype != here.after.dtype
    return _Values() if changed or _scales_inside(step) else values


def _ends(values: _Values) -> tuple[float | None, float | None]:
    return values.black, values.white


def _scales_inside(step: Step) -> bool:
    """Whether a step is made of others that may scale values."""
    if not isinstance(step, StructureStep):
        return False
    return any(isinstance(member, (*_SCALERS, Rescale)) or _scales_inside(member) for member in step.members)


def _has_large_means(step: Step) -> bool:
    """Whether statistics are those of values up to 255, to which ``range=1`` belongs."""
    if not isinstance(step, Normalize) or step.mean is None:
        return False
    means: Any = step.mean if isinstance(step.mean, tuple) else (step.mean,)
    return max(map(abs, means)) > _SMALL


def _is_derivative(step: Kernel) -> bool:
    weights = np.array(step.weights, np.float64)
    return bool(weights.min() < 0 and abs(weights.sum()) < 1e-6 * np.abs(weights).sum())


def _in_floats(step: Ndimage) -> Step:
    """The step of ours that computes the same in floats; else what is put before SciPy's."""
    if step.sigma is not None and step.truncate is None:
        if step.function == "gaussian_laplace":
            return Laplacian(step.sigma, mode=step.mode, cval=step.cval)
        if step.function == "gaussian_gradient_magnitude":
            return GradientMagnitude(step.sigma, mode=step.mode, cval=step.cval)
    return Rescale(1.0)

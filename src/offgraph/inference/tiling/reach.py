"""How far the steps that prepare an image look: what must be read around a tile so that it is prepared as the whole is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from offgraph.core.axes import SPATIAL
from offgraph.core.errors import StepError
from offgraph.core.random import Draw, Key
from offgraph.core.specs import ArraySpec
from offgraph.steps.base import Step
from offgraph.steps.kinds import FilterStep, PointwiseStep
from offgraph.steps.parameters import along_axes
from offgraph.steps.structure import draws_from
from offgraph.transforms import (
    BackgroundSubtract,
    Bilateral,
    ColorMatrix,
    DifferenceOfGaussians,
    GaussianFilter,
    GradientMagnitude,
    HueSaturation,
    Kernel,
    Laplacian,
    MaxFilter,
    MedianFilter,
    MinFilter,
    PercentileFilter,
    RGBShift,
    ToGrey,
    ToRGB,
    UniformFilter,
    UnsharpMask,
    WhiteTopHat,
)

__all__ = ["reach_of"]

_BY_PIXEL = (ColorMatrix, HueSaturation, RGBShift, ToGrey, ToRGB)
_BY_SIZE = (MedianFilter, UniformFilter, MinFilter, MaxFilter, PercentileFilter, WhiteTopHat)
_BY_SIGMA = (GaussianFilter, UnsharpMask, Laplacian, GradientMagnitude)


def reach_of(steps: Sequence[Step], spec: ArraySpec) -> tuple[int, ...]:
    """How many pixels around a part its preparation needs, along each spatial axis.

    Parameters
    ----------
    steps : sequence of Step
        What every image gets.
    spec : ArraySpec
        Of the image.

    Raises
    ------
    StepError
        Naming a step that looks at the whole image, moves pixels, draws, or whose reach is not known.
    """
    total = [0] * len(spec.size)
    for number, step in enumerate(steps, 1):
        reach = None if step.draws or draws_from(step) else _reach(step, spec)
        if reach is None:
            why = "draws" if step.draws or draws_from(step) else _why_not(step)
            raise StepError(
                f"step {number}, {step!r}, {why}: an image that is read part by part takes steps that look at each pixel by "
                "itself or at a known neighbourhood. Predict into memory, where the recipe sees the whole image, or prepare the "
                "file before"
            )
        total = [a + b for a, b in zip(total, reach)]
        spec = step.output_spec(spec, step.sample(Draw(Key(), step.name), spec))
    return tuple(total)


def _why_not(step: Step) -> str:
    return {
        "geometric": "moves pixels",
        "statistics": "looks at all values of the image",
        "noise": "looks at the whole image",
    }.get(step.kind, "has a reach that is not known")


def _reach(step: Step, spec: ArraySpec) -> tuple[int, ...] | None:
    """Pixels to each side; None where that is not known."""
    names = SPATIAL[-len(spec.size) :]
    nothing = (0,) * len(names)
    if isinstance(step, (PointwiseStep, *_BY_PIXEL)):
        return nothing
    if not isinstance(step, FilterStep) or getattr(step, "mode", "") in ("wrap", "grid-wrap"):
        return None  # what is read at one border lies at the other
    params: dict[str, Any] = step.sample(Draw(Key(), step.name), spec)
    if isinstance(step, _BY_SIZE):
        twice = 2 if isinstance(step, WhiteTopHat) else 1
        return tuple(twice * (size // 2) for size in along_axes("size", step.size, names, 1))
    if isinstance(step, _BY_SIGMA):
        width = step.truncate if isinstance(step, GaussianFilter) else 4.0
        return tuple(int(width * s + 0.5) for s in along_axes("sigma", params["sigma"], names, 0.0))
    if isinstance(step, DifferenceOfGaussians):
        wide = (params["sigma"] or 1.0) * step.ratio
        return (math.ceil(4 * wide + 0.5),) * len(names)
    if isinstance(step, Bilateral):
        return (step.size // 2,) * len(names)
    if isinstance(step, BackgroundSubtract):
        return (int(params["radius"]),) * len(names)
    if isinstance(step, Kernel):
        return nothing[: -np.ndim(step.weights)] + tuple(n // 2 for n in np.shape(step.weights))
    return None

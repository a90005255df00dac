"""Result steps on an image that lies on disk, with the bytes that they give for an image in memory.

Each step is done in the way that its definition allows:

    locally     what a pixel becomes depends on pixels no farther than a known reach: strips are read with a margin
    by tables   what a component becomes depends on its label, area, box and first pixel (`components`)
    in windows  what a pixel becomes depends on the objects whose boxes it lies in: a strip is read with all of these, whole

For the last way, objects are the connected components of everything that is not background, by corners. An object that lies
in no box with a pixel neither encloses it nor touches what does, so that it may be cut at the edge of the window. What a window
numbers is known again in the next one by its label and its first pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from offgraph.core.errors import StepError
from offgraph.core.random import Key
from offgraph.core.specs import ArraySpec
from offgraph.inference.tiling.components import Components, find_components
from offgraph.inference.tiling.strips import MOST, DiskArray, grown, inner, strips
from offgraph.postprocess import (
    ArgMax,
    ClearBorder,
    Close,
    Dilate,
    DistanceWatershed,
    Erode,
    FillHoles,
    KeepLargest,
    Label,
    Open,
    RemoveSmall,
    Sigmoid,
    SmoothProbabilities,
    Softmax,
    Threshold,
)
from offgraph.recipe.compose import Compose
from offgraph.steps.base import Step
from offgraph.steps.kinds import ResultStep
from offgraph.steps.parameters import along_axes
from offgraph.targets import Image, Targets

__all__ = ["Stage", "leading_pointwise", "run_stage", "stages_of"]

_LARGEST = 1 << 27
"""Pixels of a window: objects that need more are refused, and nothing is cut."""

_TABLED = (Label, RemoveSmall, KeepLargest, ClearBorder)
_WINDOWED = (FillHoles, DistanceWatershed)


@dataclass(frozen=True)
class Stage:
    """Steps that are done in one pass.

    Parameters
    ----------
    steps : tuple of Step
        Several only where all are local.
    reach : tuple of int or None
        Along the spatial axes, of local steps.
    """

    steps: tuple[Step, ...]
    reach: tuple[int, ...] | None


def _reach(step: Step, spatial: str) -> tuple[int, ...] | None:
    """How far a step looks; None where that is not known."""
    if isinstance(step, Sigmoid | Softmax | ArgMax) or (
        isinstance(step, Threshold) and step.method == "fixed"
    ):
        return (0,) * len(spatial)
    if isinstance(step, ResultStep) and step.describes:
        return (0,) * len(spatial)
    if isinstance(step, SmoothProbabilities):
        return tuple(int(4 * sigma + 0.5) for sigma in along_axes("sigma", step.sigma, spatial, 0.0))
    if isinstance(step, Erode | Dilate):
        return (step.iterations,) * len(spatial)
    if isinstance(step, Open | Close):
        return (2 * step.iterations + 1,) * len(spatial)
    return None


def stages_of(steps: Sequence[Step], spatial: str) -> list[Stage]:
    """Put result steps into passes.

    Raises
    ------
    StepError
        Naming a step that needs the whole image.
    """
    stages: list[Stage] = []
    for step in steps:
        reach = _reach(step, spatial)
        if reach is None and not isinstance(step, _TABLED + _WINDOWED):
            raise StepError(
                f"{step!r} looks at the whole image, so that it cannot be done part by part; predict into memory, or end with "
                "steps that can: Threshold(value), FillHoles, RemoveSmall, KeepLargest, ClearBorder, Open, Close, Erode, Dilate, "
                "Label, DistanceWatershed"
            )
        if reach is not None and stages and stages[-1].reach is not None:
            last = stages[-1]
            stages[-1] = Stage((*last.steps, step), tuple(a + b for a, b in zip(last.reach or (), reach)))
        else:
            stages.append(Stage((step,), reach))
    return stages


def leading_pointwise(steps: Sequence[Step], spatial: str) -> int:
    """How many steps at the beginning look at each pixel by itself: they need not wait for the others."""
    count = 0
    for step in steps:
        if _reach(step, spatial) != (0,) * len(spatial):
            break
        count += 1
    return count


def run_stage(
    stage: Stage,
    given: DiskArray,
    axes: str,
    out: Path,
    scratch: Path,
    *,
    most: int = MOST,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[DiskArray, str]:
    """Do one pass, from one file into another.

    Parameters
    ----------
    stage : Stage
    given : DiskArray
    axes : str
        Of `given`.
    out : Path
        The file to write.
    scratch : Path
        A file for numbers in between; it is removed.
    most : int
        Pixels of a strip.
    progress : callable
        Called with the share that is done.

    Returns
    -------
    DiskArray, str
        What was made, and its axes.
    """
    step = stage.steps[0]
    spec = Compose(list(stage.steps)).output_spec(ArraySpec(given.shape, given.dtype.name, axes))
    made = DiskArray(out, spec.shape, spec.dtype, new=True)  # type: ignore[arg-type]  # lengths are known
    try:
        if stage.reach is not None:
            _locally(stage, given, axes, made, most, progress)
        elif isinstance(step, _TABLED):
            _by_tables(step, given, made, scratch, most, progress)
        else:
            _in_windows(step, given, axes, made, scratch, most, progress)
    finally:
        scratch.unlink(missing_ok=True)
    made.sync()
    return made, spec.axes


def applied(steps: Sequence[Step], values: np.ndarray, axes: str) -> np.ndarray:
    """Apply steps to a part."""
    made = Compose(list(steps)).run(Targets.of_image(Image(values, axes)), Key()).targets.image
    return made.array


def _counted(
    shape: tuple[int, ...], most: int, progress: Callable[[float], None], start: float = 0.0
) -> Iterator[tuple[slice, ...]]:
    done, total = 0, max(1, math.prod(shape))
    for window in strips(shape, most):
        yield window
        done += math.prod(one.stop - one.start for one in window)
        progress(start + (1 - start) * done / total)


def _locally(
    stage: Stage,
    given: DiskArray,
    axes: str,
    made: DiskArray,
    most: int,
    progress: Callable[[float], None],
) -> None:
    reach, size = stage.reach or (), given.shape[: len(made.shape)]
    more = given.shape[len(reach) :]
    for window in _counted(size[: len(reach)], max(1, most // max(1, math.prod(more))), progress):
        wide = grown(window, reach, given.shape)
        rest = tuple(slice(0, n) for n in more)
        values = applied(stage.steps, given[(*wide, *rest)], axes)
        place = inner(window, wide)
        made[window] = values[place]


def _by_tables(
    step: Step,
    given: DiskArray,
    made: DiskArray,
    scratch: Path,
    most: int,
    progress: Callable[[float], None],
) -> None:
    assert isinstance(step, _TABLED)
    path = made.path if isinstance(step, Label) else scratch
    found = find_components(given, path, step.connectivity, most=most)
    if isinstance(step, Label):
        table = found.table(_ranked(found.value, found.first), 0)
        for window in _counted(given.shape, most, progress, 0.5):
            made[window] = table[made[window]]
        return
    kept = found.table(_kept(step, found, given.shape), False)
    for window in _counted(given.shape, most, progress, 0.5):
        values = given[window]
        made[window] = np.where(kept[found.numbers[window]], values, 0).astype(values.dtype)


def _kept(step: Step, found: Components, shape: tuple[int, ...]) -> np.ndarray:
    """Which components stay."""
    if isinstance(step, RemoveSmall):
        return found.area >= step.size
    if isinstance(step, ClearBorder):
        last = np.array(shape) - 1 - step.buffer
        cut: Any = ((found.low <= step.buffer) | (found.high - 1 >= last)).any(axis=1)
        return ~cut
    assert isinstance(step, KeepLargest)
    order = np.lexsort((found.first, -found.area, found.value))
    values = found.value[order]
    begin = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])) if len(values) else order
    place = np.arange(len(order)) - np.repeat(begin, np.diff(np.append(begin, len(order))))
    kept = np.zeros(len(order), np.bool_)
    kept[order] = place < step.count
    return kept


def _ranked(value: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Numbers from 1: label after label, and those of a label by their first pixels."""
    numbers = np.zeros(len(first), np.int32)
    numbers[np.lexsort((first, value))] = np.arange(1, len(first) + 1)
    return numbers


def _in_windows(
    step: Step,
    given: DiskArray,
    axes: str,
    made: DiskArray,
    scratch: Path,
    most: int,
    progress: Callable[[float], None],
) -> None:
    assert isinstance(step, _WINDOWED)
    found = find_components(given, scratch, len(given.shape), any_label=True, most=most)
    blur = _blur(step, axes)
    numbered = step.numbers_objects
    values: list[np.ndarray] = []
    first: list[np.ndarray] = []
    count = 0
    for window in _counted(given.shape, most, progress, 0.3):
        wide = _window(window, found, blur, given.shape, step)
        labels = given[wide]
        out = applied([step], labels, axes)
        place = inner(window, wide)
        if not numbered:
            made[window] = out[place]
            continue
        there = np.unique(out[place])
        there = there[there > 0]
        flat = out.ravel()
        places = np.flatnonzero(flat)
        begin = np.zeros(int(flat.max(initial=0)) + 1, np.int64)
        begin[flat[places[::-1]]] = places[::-1]
        begin = begin[there]
        values.append(labels.ravel()[begin])
        corner = np.array([one.start for one in wide])
        apart = np.stack(np.unravel_index(begin, out.shape)) + corner[:, None]
        first.append(np.asarray(np.ravel_multi_index(tuple(apart), given.shape), np.int64))
        table = np.zeros(int(out.max(initial=0)) + 1, np.int32)
        table[there] = np.arange(1, len(there) + 1) + count
        count += len(there)
        made[window] = table[out[place]]
    if not numbered:
        return
    # One object may lie in several strips: it has one first pixel.
    begin = np.concatenate(first) if first else np.zeros(0, np.int64)
    value = np.concatenate(values) if values else np.zeros(0, given.dtype)
    once, whose = np.unique(begin, return_inverse=True)
    label = np.zeros(len(once), value.dtype)
    label[whose] = value
    final = np.concatenate([np.zeros(1, np.int32), _ranked(label, once)[whose]])
    for window in strips(given.shape, most):
        made[window] = final[made[window]]


def _blur(step: Step, axes: str) -> int:
    """How far objects have a say in each other's heights."""
    sigma = step.sigma if isinstance(step, DistanceWatershed) else 0.0
    return int(4 * sigma + 0.5)


def _window(
    window: tuple[slice, ...], found: Components, blur: int, shape: tuple[int, ...], step: Step
) -> tuple[slice, ...]:
    """A strip with all objects that have a say in its pixels, and a pixel of background around them."""
    wide = _with_boxes(window, found)
    if blur:
        wide = _with_boxes(grown(wide, (blur,) * len(shape), shape), found)
    wide = grown(wide, (1,) * len(shape), shape)
    pixels = math.prod(one.stop - one.start for one in wide)
    if pixels > _LARGEST:
        raise StepError(
            f"{step!r}: an object, or several that touch, reach over {pixels:,} pixels, more than the {_LARGEST:,} that are worked "
            "on at a time; predict into memory, or separate objects before: Threshold at a higher value, Open"
        )
    return wide


def _with_boxes(window: tuple[slice, ...], found: Components) -> tuple[slice, ...]:
    start = np.array([one.start for one in window])
    stop = np.array([one.stop for one in window])
    meets = ((found.low < stop) & (found.high > start)).all(axis=1)
    low = np.minimum(found.low[meets].min(axis=0, initial=np.iinfo(np.int64).max), start)
    high = np.maximum(found.high[meets].max(axis=0, initial=0), stop)
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high))
